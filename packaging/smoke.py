"""Try a built program as an operator would who has no Python: python3 packaging/smoke.py dist/nashboard

It runs from an environment with an empty PATH and new folders for everything it may write: the command line, the gate,
the bundled Anvil, matches and a league by worker processes, the whole demo, and the window on an X server of its own,
which has to stand within five seconds. Then come troubles (``troubles.py``). Afterwards no process of it may run and
nothing may lie anywhere but in its data directory. First it is tried alone, then with the add-ons that lie beside it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from deb import linked
from trial import Bench, SmokeError, lacking, need, opened, picture, running, screen, titles, wait_for
from troubles import TROUBLES

WINDOW_LIMIT_S = 5.0
TEXT_LIMIT_S = 3.0


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
    """A game is solved by code that was compiled ahead of time, or is compiled here and kept for the second time.

    A linear program asks for HiGHS, which lies outside the archive of modules.
    """
    game = bench.home / "pennies.nfg"
    game.write_text('NFG 1 R "Matching pennies" { "A" "B" } { 2 2 }\n1 -1 -1 1 -1 1 1 -1\n')
    try:
        first = bench.run("solve", str(game), "--json", limit=240)
        again = bench.run("solve", str(game), "--json", limit=240)
        best = json.loads(bench.run("solve", str(game), "--method", "correlated", "--json")[0])
        need(best["status"] == "solved", f"the linear program was not solved: {best}")
    finally:
        game.unlink()
    for text, _ in (first, again):
        found = json.loads(text)["equilibria"]
        need(found and abs(found[0]["profile"][0][0] - 0.5) < 1e-6, f"nothing was solved: {text}")
    ahead = any((bench.folder / "_internal" / "engine" / "games").glob("_ahead.*"))
    kept = any((bench.home / ".cache" / "nashboard").rglob("*.nbi"))
    need(ahead != kept, "code was compiled here" if kept else "no compiled code was kept")
    bench.facts |= {"solve_first_s": round(first[1], 1), "solve_s": round(again[1], 1)}


def matches(bench: Bench) -> None:
    """A match is played, verified and opened; a league by worker processes gives what one process gives."""
    agents = bench.folder / "_internal/assets/agents"
    match = str(bench.data / "trial.nets")
    bench.run(
        "match", "run", "--system", "snake", "--agent", str(agents / "snake/greedy.wasm"), "--seed", "3", "--out", match
    )
    need("differs" not in bench.run("match", "verify", match)[0], "the match does not verify")
    chosen = [str(agents / "matrix" / f"{name}.wasm") for name in ("grim", "pavlov", "tit_for_tat")]
    words = ("league", "run", "--system", "matrix", "--agents", *chosen, "--matches", "4", "--seed", "5", "--json")
    results = [json.loads(bench.run(*words, "--workers", count)[0])["results_hash"] for count in ("1", "2")]
    need(results[0] == results[1], f"one worker and two give {results}")


def without_torch(bench: Bench) -> None:
    """What needs torch names the add-on that brings it, and it is no fault that it is not there."""
    task = next(bench.folder.rglob("assets/tasks/portfolio.json"))
    for words in (("consensus", "run", str(task), "--off-chain"), ("learn", "run", "solo")):
        refused = json.loads(bench.run(*words, "--json", status=4)[0])
        need("nashboard-torch" in refused["next"], f"{words}: {refused}")
    checks = json.loads(bench.run("doctor", "--json")[0])["checks"]
    torch = next(check for check in checks if check["name"] == "torch")
    need(not torch["ok"] and not torch["required"] and "nashboard-torch" in torch["hint"], f"doctor: {torch}")


def consensus(bench: Bench) -> None:
    """Agents agree on a task."""
    task = next(bench.folder.rglob("assets/tasks/portfolio.json"))
    text, seconds = bench.run("consensus", "run", str(task), "--off-chain", "--json", limit=240)
    need(json.loads(text)["converged"] is True, f"no agreement: {text[-2000:]}")
    bench.facts["consensus_s"] = round(seconds, 1)


def refusals(bench: Bench) -> None:
    """What an installed build cannot do is said, with what to do instead."""
    refused = json.loads(bench.run("bench", "games", "--json", status=4)[0])
    need("checkout" in refused["next"], f"bench: {refused}")
    if not (bench.folder / "addons" / "learn").is_dir():
        refused = json.loads(bench.run("learn", "run", "solo", "--transport", "dht", "--json", status=4)[0])
        need("add-on" in refused["why"], f"learn: {refused}")


def demo(bench: Bench) -> None:
    """The main job, whole: devnet, league, anchor, dispute, consensus, settlement, verification."""
    text, seconds = bench.run("demo", "--json", limit=300)
    whole = json.loads(text)
    apart = [] if (bench.folder / "addons" / "torch").is_dir() else ["consensus", "learning"]
    need(whole.get("ok") is True and whole["skipped"] == apart, f"demo: {text[-2000:]}")
    bench.facts["demo_s"] = round(seconds, 1)


def learning(bench: Bench) -> None:
    """A learning chain with recorded training; for real, and over a real DHT, where the add-on is there."""
    ways: dict[str, tuple[str, ...]] = {"replayed": ()}
    if (bench.folder / "addons" / "learn").is_dir():
        # So few slots are not all that the scenario promises: what counts is an update that was trained and included.
        ways |= {"real": ("--training", "real", "--slots", "4"), "dht": ("--transport", "dht", "--slots", "4")}
    for way, options in ways.items():
        status = 3 if options else 0
        text, seconds = bench.run("learn", "run", "solo", *options, "--json", limit=600, status=status)
        found = json.loads(text)
        need(found["updates"] and found["updates"][0]["accepted"], f"learn, {way}: {text[-2000:]}")
        bench.facts[f"learn_{way}_s"] = round(seconds, 1)


def window(bench: Bench) -> None:
    """The window stands in time, opens the file that it is given, and SIGTERM ends it in order."""
    if lacking():
        bench.facts["window_s"] = f"not tried: {lacking()}"
        return
    with screen() as display:
        first, again = shown(bench, display), shown(bench, display)
        shown(bench, display, bench.data / "trial.nets", title="Replay")
    bench.facts |= {"window_first_s": first, "window_s": again}
    need(again <= WINDOW_LIMIT_S, f"the window took {again} s")


def shown(bench: Bench, display: str, *files: Path, title: str = "·") -> float:
    """Open the window, wait for a title that its pages give it, and end it; return the seconds until it stood."""
    started = time.monotonic()
    with opened(bench, display, *files) as process:
        wait_for(lambda: titles(display) or process.poll() is not None, 60)
        seconds = time.monotonic() - started
        wait_for(lambda: process.poll() is not None or any(title in name for name in titles(display)), 60)
    return round(seconds, 2)


# What must not be left -------------------------------------------------------------------------------------------


def traces(bench: Bench, before: dict[str, tuple[int, int]]) -> None:
    """No process, no change of the build, nothing in the folder for temporary files."""
    with contextlib.suppress(SmokeError):
        wait_for(lambda: not running(bench.folder), 5)
    need(not running(bench.folder), f"still running: {running(bench.folder)}")
    after = picture(bench.folder)
    changed = [path for path in {**before, **after} if before.get(path) != after.get(path)]
    need(not changed, f"the build was changed: {changed[:5]}")
    # With the add-on torch itself makes a folder for what it might compile.
    left = sorted(path.name for path in bench.temporary.iterdir() if not path.name.startswith("torchinductor_"))
    need(not left, f"left among the temporary files: {left}")
    strange = sorted(path.name for path in bench.home.iterdir() if path.name != ".cache")
    need(not strange, f"left at home: {strange}")


ALONE = (texts, doctor, gate, anvil, without_torch, solving, matches, window, demo)
STEPS = (texts, doctor, gate, anvil, refusals, solving, matches, window, consensus, demo, learning, *TROUBLES)


def add_ons(folder: Path) -> list[Path]:
    """Return the add-ons that were built with a program."""
    return sorted(folder.parent.glob(f"{folder.name}-*/addons/*"))


@contextlib.contextmanager
def complete(folder: Path) -> Iterator[Path]:
    """Give a copy of a program, on the same disk, that has its add-ons."""
    with tempfile.TemporaryDirectory(prefix="trial-", dir=folder.parent) as place:
        Path(place).chmod(0o755)
        copy = Path(place) / folder.name
        shutil.copytree(folder, copy, symlinks=True, copy_function=linked)
        for add_on in add_ons(folder):
            shutil.copytree(add_on, copy / "addons" / add_on.name, symlinks=True, copy_function=linked)
        yield copy


def smoke(folder: Path, steps: tuple[Callable[[Bench], None], ...] = STEPS) -> dict[str, Any]:
    """Try these steps and return what was measured. Raises SmokeError."""
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
        facts = {"alone": smoke(options.folder, ALONE)}
        if add_ons(options.folder):
            with complete(options.folder) as copy:
                facts["with add-ons"] = smoke(copy)
    except (SmokeError, subprocess.TimeoutExpired) as error:
        sys.stderr.write(f"FAILED: {error}\n")
        return 1
    sys.stdout.write(f"{json.dumps(facts, indent=1)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
