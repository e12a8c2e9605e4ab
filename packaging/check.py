"""Run every check of the project, all of them even when one fails, and sum up. Called by ``make test``."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import analysers
import peers

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = ROOT / "contracts"
TOOLS = analysers.TOOLS


def forge() -> str:
    """Return the forge that npm brought, else the one on the path."""
    brought = sorted((CONTRACTS / "node_modules" / "@foundry-rs").glob("forge-*/bin/forge*"))
    return str(brought[0]) if brought else shutil.which("forge") or "forge"


def steps(action: str, pytest_arguments: list[str]) -> list[tuple[str, list[str], Path]]:
    """Return name, command and folder of each step of ``lint`` or ``test``."""
    python = sys.executable
    lint: list[tuple[str, list[str], Path]] = [
        ("ruff check", [python, "-m", "ruff", "check", "."], ROOT),
        ("ruff format", [python, "-m", "ruff", "format", "--check", "."], ROOT),
        ("mypy", [python, "-m", "mypy"], ROOT),
        ("import-linter", [str(Path(python).with_name("lint-imports"))], ROOT),
    ]
    if action == "lint":
        return lint
    # What is built is tried alone: an older build says nothing, and a window has to stand in time.
    built: list[tuple[str, list[str], Path]] = [
        ("package", [python, str(ROOT / "packaging" / "build.py"), "--folder-only", "--without", "learn"], ROOT),
        ("installed", [python, "-m", "pytest", "-m", "package", "tests/packaging"], ROOT),
    ]
    solhint = [str(TOOLS / "node_modules" / ".bin" / "solhint"), "--noPoster", "--disc", "--max-warnings", "0"]
    return [
        *lint,
        ("slither", [str(TOOLS / "bin" / "python"), str(ROOT / "packaging" / "analyse.py")], CONTRACTS),
        ("halmos", [str(TOOLS / "bin" / "python"), str(ROOT / "packaging" / "prove.py")], CONTRACTS),
        ("solhint", [*solhint, "src/**/*.sol"], CONTRACTS),
        ("forge test", [forge(), "test"], CONTRACTS),
        ("forge coverage", [python, str(ROOT / "packaging" / "contract_coverage.py"), forge()], ROOT),
        ("pytest", [python, "-m", "pytest", "-n", "auto", "-m", "not package", *pytest_arguments], ROOT),
        *(built if not pytest_arguments else []),
    ]


def run(name: str, argv: list[str], folder: Path) -> tuple[bool | None, float]:
    """Run one step with its output as it comes; return whether it passed (None: not run), and its seconds."""
    sys.stdout.write(f"\n=== {name}\n")
    sys.stdout.flush()
    started = time.monotonic()
    if argv[0].startswith(str(TOOLS)) and not Path(argv[0]).exists():
        sys.stdout.write(f"skipped: {argv[0]} could not be installed on this machine, as the set-up said\n")
        return None, 0.0
    try:
        code = subprocess.run(argv, cwd=folder, stdin=subprocess.DEVNULL, check=False).returncode
    except OSError as error:
        sys.stdout.write(f"{argv[0]}: {error.strerror}\n")
        code = 127
    return code == 0, time.monotonic() - started


def main(arguments: list[str]) -> int:
    """Run the steps; 0 when all passed."""
    os.environ.setdefault("NO_COLOR", "1")
    # Slither starts forge by its name.
    os.environ["PATH"] = f"{Path(forge()).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    if arguments[0] == "test":
        analysers.install()
        peers.install()
    results = [(name, *run(name, argv, folder)) for name, argv, folder in steps(arguments[0], arguments[1:])]
    sys.stdout.write("\n=== summary\n")
    words = {True: "ok", False: "FAILED", None: "skipped"}
    for name, passed, seconds in results:
        sys.stdout.write(f"{words[passed]:<7} {name:<15} {seconds:6.1f} s\n")
    failed = [name for name, passed, _ in results if passed is False]
    sys.stdout.write(f"FAILED: {', '.join(failed)}\n" if failed else "all checks passed\n")
    return 1 if failed else 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
