"""Install what looks at the contracts, Slither and solhint, in a folder of its own: Slither needs an older web3.

Nobody but ``make test`` needs it, so where it cannot be installed its checks are skipped.
"""

from __future__ import annotations

import shutil

from bootstrap import BIN, ROOT, SetupError, call, digest, environment, one_at_a_time, python, say

TOOLS = ROOT / "build" / "tools"
PINS = ROOT / "packaging" / "tools"
STAMP = TOOLS / "nashboard-setup"
NPM_FILES = ("package.json", "package-lock.json", ".npmrc")


def key() -> str:
    """Return the hash of what is to be installed, and where."""
    return digest(*((PINS / name).read_bytes() for name in ("requirements.txt", *NPM_FILES)), str(ROOT))


def is_fresh() -> bool:
    """Whether what is there is what is pinned."""
    return STAMP.is_file() and STAMP.read_text(encoding="utf-8") == key()


def install() -> None:
    """Install what is not there; says so where it cannot."""
    with one_at_a_time():
        if is_fresh():
            return
        shutil.rmtree(TOOLS, ignore_errors=True)
        try:
            say("installing Slither and solhint, which look at the contracts")
            call("Their environment could not be created", [str(python()), "-m", "venv", str(TOOLS)])
            pip = [str(TOOLS / BIN.name / python().name), "-m", "pip", "--disable-pip-version-check", "install"]
            call("Slither could not be installed", [*pip, "--no-input", "-r", str(PINS / "requirements.txt")])
            for name in NPM_FILES:
                shutil.copy(PINS / name, TOOLS)
            npm = shutil.which("npm", path=environment()["PATH"]) or "npm"
            call("solhint could not be installed", [npm, "ci", "--no-audit", "--no-fund"], TOOLS)
            STAMP.write_text(key(), encoding="utf-8")
        except SetupError as error:
            say(f"going on without what could not be installed, its checks are skipped. {error}")
