"""Install what looks at the contracts in a folder of its own: Slither, halmos, solhint. Slither needs an older web3.

Nobody but ``make test`` needs it, so where it cannot be installed its checks are skipped.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from bootstrap import BIN, ROOT, SetupError, call, digest, environment, one_at_a_time, python, say

TOOLS = ROOT / "build" / "tools"
PINS = ROOT / "packaging" / "tools"
STAMP = TOOLS / "nashboard-setup"
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")
PIP_FILES = {"Slither": "requirements.txt", "halmos": "halmos.txt"}


def key() -> str:
    """Return the hash of what is to be installed, and where."""
    return digest(*((PINS / name).read_bytes() for name in (*PIP_FILES.values(), *NPM_FILES)), str(ROOT))


def is_fresh() -> bool:
    """Whether what is there is what is pinned."""
    return STAMP.is_file() and STAMP.read_text(encoding="utf-8") == key()


def install() -> None:
    """Install what is not there; says so where it cannot."""
    with one_at_a_time():
        if is_fresh():
            return
        shutil.rmtree(TOOLS, ignore_errors=True)
        say("installing Slither, halmos and solhint, which look at the contracts")
        try:
            call("Their environment could not be created", [str(python()), "-m", "venv", str(TOOLS)])
        except SetupError as error:
            say(f"going on without them, their checks are skipped. {error}")
            return
        if all([*(install_python(name, PINS / file) for name, file in PIP_FILES.items()), install_solhint()]):
            STAMP.write_text(key(), encoding="utf-8")


def install_python(name: str, pins: Path) -> bool:
    """Install one of the analysers that are Python packages; return whether that worked."""
    pip = [str(TOOLS / BIN.name / python().name), "-m", "pip", "--disable-pip-version-check", "install", "--no-input"]
    return attempt(name, [*pip, "-r", str(pins)])


def install_solhint() -> bool:
    """Install solhint by its lock file; return whether that worked."""
    for name in NPM_FILES:
        shutil.copy(PINS / name, TOOLS)
    npm = shutil.which("npm", path=environment()["PATH"]) or "npm"
    return attempt("solhint", [npm, "ci", "--no-audit", "--no-fund"])


def attempt(name: str, argv: list[str]) -> bool:
    """Run an installation; return whether it worked, and say so where it did not."""
    try:
        call(f"{name} could not be installed", argv, TOOLS)
    except SetupError as error:
        say(f"going on without it, its checks are skipped. {error}")
        return False
    return True
