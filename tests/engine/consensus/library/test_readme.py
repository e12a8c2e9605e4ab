"""The README's example of the library runs as it stands there, against a real chain."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.cli.conftest import ROOT, Run, data_root, nashboard, program

__all__ = ["data_root", "nashboard", "program"]


@pytest.mark.chain
def test_the_example_reaches_a_certified_consensus(nashboard: Run) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    url = nashboard("devnet", "up", "--json").json["url"]
    assert example.count("http://localhost:8545") == 1
    try:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", example.replace("http://localhost:8545", url)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        nashboard("devnet", "down")
    assert done.returncode == 0, done.stderr
    reached, equilibrium, block = done.stdout.strip().splitlines()
    assert reached == "Consensus reached: True"
    shares = [float(number) for number in re.findall(r"\d\.\d+", equilibrium)]
    assert len(shares) == 5 and sum(shares) == pytest.approx(1.0, abs=1e-3)
    assert int(block.removeprefix("Block number: ")) > 0
    assert done.stderr == ""
