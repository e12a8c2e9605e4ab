"""Let halmos prove, for all values at once, what contracts/test/Symbolic.t.sol says.

Run by the interpreter of ``build/tools`` (see analysers.py), on a copy: halmos has forge build the whole project anew.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = ROOT / "contracts"
WORK = ROOT / "build" / "halmos"
PACKAGES = ("@openzeppelin/contracts", "@layerzerolabs/toolbox-foundry/lib/forge-std")
TEST = Path("test", "Symbolic.t.sol")


def main() -> int:
    """Prove; 0 when everything was proven, or there is no halmos on this machine."""
    if importlib.util.find_spec("halmos") is None:
        sys.stdout.write("skipped: halmos could not be installed on this machine, as the set-up said\n")
        return 0
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(CONTRACTS / "src", WORK / "src")
    for name in PACKAGES:
        shutil.copytree(CONTRACTS / "node_modules" / name, WORK / "node_modules" / name)
    (WORK / TEST).parent.mkdir()
    shutil.copy(CONTRACTS / TEST, WORK / TEST)
    shutil.copy(CONTRACTS / "foundry.toml", WORK)
    # The solver lies beside this interpreter; halmos looks on the path, and would download another one otherwise.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    settings = {"FOUNDRY_SOLC": str(CONTRACTS / "bin" / "solc"), "FOUNDRY_DENY": "never", "PATH": path}
    command = [sys.executable, "-m", "halmos", "--solver-timeout-assertion", "120000"]
    done = subprocess.run(
        command,
        cwd=WORK,
        env={**os.environ, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    sys.stdout.write(done.stdout)
    wanted = (CONTRACTS / TEST).read_text(encoding="utf-8").count("function check_")
    proven = done.stdout.count("[PASS]")
    sys.stdout.write(f"{proven} of {wanted} proven\n")
    return 0 if done.returncode == 0 and proven == wanted else 1


if __name__ == "__main__":
    sys.exit(main())
