"""Try a built program as an operator would who has no Python: python3 packaging/smoke.py dist/nashboard [--json]

It runs from an environment with an empty PATH and new folders for everything it may write: the command line, the gate,
the bundled Anvil, the whole demo, and the window on an X server of its own, which has to stand within five seconds.
Afterwards no process of it may run and nothing may lie anywhere but in its data directory.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

WINDOW_LIMIT_S = 5.0
TEXT_LIMIT_S = 3.0
TRIES = 5
TOOLS = ("Xvfb", "xdotool")


class SmokeError(Exception):
    """What an operator would have been disappointed by."""


class Bench:
    """A built program, and the empty world that it runs in."""

    def __init__(self, folder: Path, world: Path) -> None:
        self.folder = folder.resolve()
        suffix = ".exe" if os.name == "nt" else ""
        self.window = self.folder / f"nashboard{suffix}"
        self.console = self.folder / f"nashboard-cli{suffix}"
        self.data = world / "data"
        self.temporary = world / "tmp"
        self.home = world / "home"
        self.empty = world / "empty"
        for path in (self.temporary, self.home, self.empty):
            path.mkdir(parents=True)
        self.facts: dict[str, Any] = {}

    def environment(self, **more: str) -> dict[str, str]:
        """Return an environment without Python, without tools, without a session bus."""
        bare = {
            "PATH": str(self.empty),
            "HOME": str(self.home),
            "TMPDIR": str(self.temporary),
            "LANG": "C.UTF-8",
            "DBUS_SESSION_BUS_ADDRESS": "disabled:",
        }
        return {**bare, **more}

    def run(self, *arguments: str, limit: float = 60.0, status: int = 0) -> tuple[str, float]:
        """Run the console program; return what it printed and its seconds."""
        started = time.monotonic()
        done = subprocess.run(
            [str(self.console), "--data-dir", str(self.data), *arguments],
            env=self.environment(),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
        seconds = time.monotonic() - started
        words = " ".join(arguments)
        if done.returncode != status:
            raise SmokeError(f"{words}: exit status {done.returncode}, not {status}\n{done.stdout}{done.stderr}")
        if "Traceback" in done.stderr:
            raise SmokeError(f"{words}: {done.stderr}")
        return done.stdout, seconds


def need(condition: object, what: str) -> None:
    """Raise SmokeError unless it holds."""
    if not condition:
        raise SmokeError(what)


# What is tried ---------------------------------------------------------------------------------------------------


def texts(bench: Bench) -> None:
    """Version and help: a program prints them at once."""
    bench.run("--version")  # the first start reads the files from the disk
    for option, wanted in (("--version", r"nashboard \d+\.\d+"), ("--help", r"Usage: nashboard")):
        text, seconds = bench.run(option)
        need(re.match(wanted, text), f"{option} printed {text[:200]!r}")
        need(seconds < TEXT_LIMIT_S, f"{option} took {seconds:.1f} s")
        bench.facts[f"{option.strip('-')}_s"] = round(seconds, 2)


def gate(bench: Bench) -> None:
    """A bundled agent is accepted, a file that is none is refused with its reason."""
    agent = next(bench.folder.rglob("assets/agents/snake/greedy.wasm"))
    verdict = json.loads(bench.run("agent", "check", str(agent), "--json")[0])
    need('"accepted": true' in json.dumps(verdict), f"{agent.name}: {verdict}")
    wrong = bench.home / "wrong.wasm"
    wrong.write_bytes(b"not a module")
    verdict = json.loads(bench.run("agent", "check", str(wrong), "--json", status=3)[0])
    need('"accepted": false' in json.dumps(verdict), f"a wrong file: {verdict}")
    wrong.unlink()


def doctor(bench: Bench) -> None:
    """All that is needed was found: libraries with their versions, assets, Anvil."""
    report = json.loads(bench.run("doctor", "--json")[0])
    need(report["ok"], f"doctor: {[check for check in report['checks'] if not check['ok']]}")


def anvil(bench: Bench) -> None:
    """The bundled Anvil runs, without our libraries."""
    program = next(iter(bench.folder.rglob("bin/anvil*")), None)
    need(program, "no Anvil in the build")
    done = subprocess.run(
        [str(program), "--version"], env=bench.environment(), capture_output=True, text=True, check=False
    )
    need(done.returncode == 0 and "nvil" in done.stdout, f"Anvil: {done.stdout}{done.stderr}")
    bench.facts["anvil"] = done.stdout.splitlines()[0]


def solving(bench: Bench) -> None:
    """A game is solved by code that is compiled here."""
    game = bench.home / "pennies.nfg"
    game.write_text('NFG 1 R "Matching pennies" { "A" "B" } { 2 2 }\n1 -1 -1 1 -1 1 1 -1\n')
    try:
        text, seconds = bench.run("solve", str(game), "--json", limit=180)
    finally:
        game.unlink()
    need(json.loads(text)["equilibria"], f"nothing was solved: {text}")
    bench.facts["solve_s"] = round(seconds, 1)


def demo(bench: Bench) -> None:
    """The main job, whole: devnet, league, anchor, dispute, consensus, settlement, verification."""
    text, seconds = bench.run("demo", "--json", limit=300)
    need(json.loads(text).get("ok") is True, f"demo: {text[-2000:]}")
    bench.facts["demo_s"] = round(seconds, 1)


def learning(bench: Bench) -> None:
    """A learning chain with recorded training; for real where the add-on is there."""
    ways = {"replayed": ()}
    if (bench.folder / "addons" / "learn").is_dir():
        ways |= {"real": ("--training", "real"), "dht": ("--transport", "dht")}
    for way, options in ways.items():
        text, seconds = bench.run("learn", "run", "committee", *options, "--json", limit=300)
        need(json.loads(text)["ok"] is True, f"learn: {text[-2000:]}")
        bench.facts[f"learn_{way}_s"] = round(seconds, 1)


def window(bench: Bench) -> None:
    """The window stands in time, and SIGTERM ends it in order."""
    lacking = [name for name in TOOLS if shutil.which(name) is None]
    if lacking or sys.platform != "linux":
        bench.facts["window_s"] = f"not tried: {', '.join(lacking) or 'no X here'}"
        return
    with screen() as display:
        first, again = shown(bench, display), shown(bench, display)
    bench.facts |= {"window_first_s": first, "window_s": again}
    need(again <= WINDOW_LIMIT_S, f"the window took {again} s")


@contextlib.contextmanager
def screen() -> Iterator[str]:
    """Give the name of an X server of our own that answers: another one may have taken its number meanwhile."""
    for _ in range(TRIES):
        server, display = start_server()
        try:
            if answers(display):
                yield display
                return
        finally:
            server.terminate()
            server.wait()
    raise SmokeError("no X server could be started")


def start_server() -> tuple[subprocess.Popen[bytes], str]:
    """Start an X server that chooses its number; return it with its name."""
    read, write = os.pipe()
    arguments = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1440x900x24", "-nolisten", "tcp"]
    server = subprocess.Popen(arguments, pass_fds=[write], stderr=subprocess.DEVNULL)
    os.close(write)
    with os.fdopen(read) as pipe:
        return server, f":{pipe.readline().strip()}"


def answers(display: str) -> bool:
    """Whether an X server lets us in."""
    command = ["xdotool", "getdisplaygeometry"]
    environment = {**os.environ, "DISPLAY": display}
    return subprocess.run(command, env=environment, capture_output=True, check=False).returncode == 0


def shown(bench: Bench, display: str) -> float:
    """Start the window, wait for it and end it; return the seconds until it stood."""
    environment = bench.environment(DISPLAY=display, QT_QPA_PLATFORM="xcb")
    started = time.monotonic()
    log = bench.home / "window.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            [str(bench.window), "--data-dir", str(bench.data)], env=environment, cwd=bench.home, stderr=stream
        )
        try:
            wait_for(lambda: titles(display) or process.poll() is not None, 60)
            seconds = time.monotonic() - started
            need(process.poll() is None, f"the window ended: {log.read_text('utf-8', 'replace')}")
            wait_for(lambda: any("·" in title for title in titles(display)), 60)  # its pages are there
            process.send_signal(signal.SIGTERM)
            need(process.wait(20) == 0, f"the window's exit status is {process.returncode}")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    text = log.read_text("utf-8", "replace")
    need("Traceback" not in text, text)
    log.unlink()
    return round(seconds, 2)


def titles(display: str) -> list[str]:
    """Return the titles of our visible windows."""
    environment = {**os.environ, "DISPLAY": display}
    command = ["xdotool", "search", "--onlyvisible", "--name", "Nashboard", "getwindowname", "%@"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()


def wait_for(condition: Callable[[], object], seconds: float) -> None:
    """Wait until it holds; raise SmokeError when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        need(time.monotonic() < end, f"nothing happened within {seconds:g} s")
        time.sleep(0.05)


# What must not be left -------------------------------------------------------------------------------------------


def picture(folder: Path) -> dict[str, tuple[int, int]]:
    """Return what lies in a folder: size and time of each file."""
    files = (path for path in folder.rglob("*") if not path.is_dir())
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in files}


def running(folder: Path) -> list[str]:
    """Return the processes whose program lies in the folder (Linux)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            program = (process / "exe").readlink()
            if program.is_relative_to(folder):
                found.append(f"{process.name} {program}")
    return found


def traces(bench: Bench, before: dict[str, tuple[int, int]]) -> None:
    """No process, no change of the build, nothing in the folder for temporary files."""
    with contextlib.suppress(SmokeError):
        wait_for(lambda: not running(bench.folder), 5)
    need(not running(bench.folder), f"still running: {running(bench.folder)}")
    after = picture(bench.folder)
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    need(not changed, f"the build was changed: {changed[:5]}")
    left = sorted(path.name for path in bench.temporary.iterdir())
    need(not left, f"left among the temporary files: {left}")
    strange = sorted(path.name for path in bench.home.iterdir() if path.name != ".cache")
    need(not strange, f"left at home: {strange}")


STEPS = (texts, doctor, gate, anvil, solving, window, demo, learning)


def smoke(folder: Path, steps: tuple[Callable[[Bench], None], ...] = STEPS) -> dict[str, Any]:
    """Try everything and return what was measured. Raises SmokeError."""
    need((folder / "nashboard").exists() or (folder / "nashboard.exe").exists(), f"no program in {folder}")
    with tempfile.TemporaryDirectory(prefix="nashboard-smoke-") as world:
        bench = Bench(folder, Path(world))
        before = picture(bench.folder)
        for step in steps:
            started = time.monotonic()
            step(bench)
            sys.stderr.write(f"ok {step.__name__} ({time.monotonic() - started:.1f} s)\n")
        traces(bench, before)
        return bench.facts


def main(arguments: list[str]) -> int:
    """Try a build and say what was measured."""
    parser = argparse.ArgumentParser(description="Try a built program where there is no Python.")
    parser.add_argument("folder", type=Path, nargs="?", default=Path("dist/nashboard"))
    options = parser.parse_args(arguments)
    try:
        facts = smoke(options.folder)
    except (SmokeError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"FAILED: {error}\n")
        return 1
    sys.stdout.write(f"{json.dumps(facts, indent=1)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
