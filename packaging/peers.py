"""Install what tests and benchmarks compare with and cannot stand beside our own packages: in a folder of its own.

``eth-consensus-specs`` brings another ``remerkleable``, ``flwr`` older versions of much. Pins are complete, so that
each package is taken as it is, whatever it says it needs. Where it cannot be installed, those comparisons are skipped.
"""

from __future__ import annotations

import shutil

from bootstrap import BIN, ROOT, SetupError, call, digest, one_at_a_time, python, say

PEERS = ROOT / "build" / "peers"
PINS = ROOT / "packaging" / "tools" / "peers.txt"
STAMP = PEERS / "nashboard-setup"


def key() -> str:
    """Return the hash of what is to be installed, and where."""
    return digest(PINS.read_bytes(), str(ROOT))


def is_fresh() -> bool:
    """Whether what is there is what is pinned."""
    return STAMP.is_file() and STAMP.read_text(encoding="utf-8") == key()


def install() -> None:
    """Install what is not there; says so where it cannot."""
    with one_at_a_time():
        if is_fresh():
            return
        shutil.rmtree(PEERS, ignore_errors=True)
        say("installing eth-consensus-specs and Flower, which the learning chain is compared with")
        pip = [str(PEERS / BIN.name / python().name), "-m", "pip", "--disable-pip-version-check", "install"]
        try:
            call("Their environment could not be created", [str(python()), "-m", "venv", str(PEERS)])
            call(
                "They could not be installed",
                [*pip, "--no-input", "--no-deps", "--only-binary", ":all:", "-r", str(PINS)],
            )
        except SetupError as error:
            shutil.rmtree(PEERS, ignore_errors=True)
            say(f"going on without them, what compares with them is skipped. {error}")
            return
        STAMP.write_text(key(), encoding="utf-8")
