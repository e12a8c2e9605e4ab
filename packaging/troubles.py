"""Troubles that a built program has to stand: two at once, kills, a folder that cannot be written, lost files."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

from deb import linked
from trial import Bench, lacking, need, opened, running, screen, titles, wait_for

NOBODY = 65534


def two_at_once(bench: Bench) -> None:
    """A second start on the same data hands its file to the first window and ends."""
    if lacking():
        return
    with screen() as display, opened(bench, display) as first:
        wait_for(lambda: first.poll() is not None or any("·" in title for title in titles(display)), 60)
        command = [str(bench.window), "--data-dir", str(bench.data), str(bench.data / "trial.nets")]
        environment = bench.environment(DISPLAY=display, QT_QPA_PLATFORM="xcb")
        second = subprocess.run(command, env=environment, cwd=bench.home, timeout=60, check=False)
        need(second.returncode == 0, f"the second start ended with {second.returncode}")
        wait_for(lambda: first.poll() is not None or any("Replay" in title for title in titles(display)), 60)


def killed_league(bench: Bench) -> None:
    """A league that is killed leaves no worker, and goes on where it was."""
    agents = bench.folder / "_internal/assets/agents/snake"
    files = [str(path) for path in sorted(agents.glob("*.wasm"))[:2]]
    words = ["league", "run", "--system", "snake", "--agents", *files, "--matches", "300", "--workers", "2"]
    before = played(bench.data)
    process = bench.start(*words)
    wait_for(lambda: process.poll() is not None or played(bench.data) > before, 60)
    process.kill()
    need(process.wait() != 0, "the league was over before it could be killed")
    wait_for(lambda: not running(bench.folder), 5)
    text, _ = bench.run("league", "resume", "--json", limit=240)
    need(sum(row["played"] for row in json.loads(text)["standings"]) >= 300, f"resumed to {text[-1000:]}")


def played(data: Path) -> int:
    """Return how many matches of leagues a data directory holds."""
    with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(data / "nashboard.db")) as store:
        return int(store.execute("SELECT count(*) FROM matches").fetchone()[0])
    return 0


def killed_chain(bench: Bench) -> None:
    """No Anvil outlives a program that is killed."""
    process = bench.start("devnet", "up", "--foreground")
    wait_for(lambda: process.poll() is not None or any("anvil" in line for line in running(bench.folder)), 60)
    need(process.poll() is None, "the devnet did not start")
    process.kill()
    process.wait()
    wait_for(lambda: not running(bench.folder), 5)
    bench.run("devnet", "down")


def read_only(bench: Bench) -> None:
    """A data directory that cannot be made or written is refused in words."""
    blocked = bench.home / "file"
    blocked.touch()
    refused = bench.refused("--data-dir", str(blocked / "data"), "stakes", "--json")
    need("--data-dir" in refused["next"], f"below a file: {refused}")
    blocked.unlink()
    if os.geteuid() == 0 and not bench.reachable(NOBODY):
        return  # root may write everywhere, and nobody else gets here
    folder = bench.data.parent / "read-only"
    folder.mkdir(mode=0o555)
    refused = bench.refused("--data-dir", str(folder), "stakes", "--json", user=NOBODY if os.geteuid() == 0 else None)
    need("--data-dir" in refused["next"], f"read-only: {refused}")


def no_anvil(bench: Bench) -> None:
    """A build that lost its Anvil lists where it looked; one that the operator names gets the system's libraries."""
    copy = bench.data.parent / "copy" / bench.folder.name
    shutil.copytree(bench.folder, copy, symlinks=True, copy_function=linked)
    lame = Bench(copy, bench.data.parent / "lame")
    for path in (copy / "_internal" / "bin").iterdir():
        path.unlink()
    refused = json.loads(lame.run("devnet", "up", "--json", status=4)[0])
    need(str(copy) in refused["why"] and "make" not in refused["next"], f"without Anvil: {refused}")
    own = lame.home / "anvil"
    own.write_text('#!/bin/sh\necho "anvil finds $LD_LIBRARY_PATH"\n')
    own.chmod(0o755)
    report = json.loads(lame.run("doctor", "--json", env={"NASHBOARD_ANVIL": str(own), "LD_LIBRARY_PATH": "/own"})[0])
    found = next(check["found"] for check in report["checks"] if check["name"] == "Anvil")
    need("finds /own)" in found, f"a program of the system got {found}")
    shutil.rmtree(copy.parent)


TROUBLES = (two_at_once, killed_league, killed_chain, read_only, no_anvil)
