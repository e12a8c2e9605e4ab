"""A full disk, made real by a small tmpfs: the error says so, and after it nothing is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import asyncio, json, subprocess, sys
from pathlib import Path
from engine.core.errors import EngineError
from engine.core.paths import DataDir, assets_dir
from engine.league.config import AgentEntry, RoundConfig
from engine.runtime import Runtime

AGENTS = tuple(AgentEntry(p) for p in sorted((assets_dir() / "agents" / "snake").glob("*.wasm")))

async def play(folder, name):
    async with await Runtime.open(DataDir.open(folder), workers=1) as runtime:
        result = await runtime.league.run_round(RoundConfig(name=name, agents=AGENTS, matches=1000))
        return result.results_hash

async def main(mount, roomy):
    data = mount / "data"
    async with await Runtime.open(DataDir.open(data), workers=1) as runtime:
        error = None
        try:
            await runtime.league.run_round(RoundConfig(name="full", agents=AGENTS, matches=1000))
        except EngineError as caught:
            error = caught
        assert error is not None, "the disk was large enough"
        summary = runtime.league.rounds()[0]
        subprocess.run(["mount", "-o", "remount,size=64m", mount], check=True)
        resumed = await runtime.league.resume(summary.round_id)
    print(json.dumps({"what": error.what, "why": error.why, "next": error.next_step, "before": summary.done,
                      "done": resumed.done, "hash": resumed.results_hash, "expected": await play(roomy, "full")}))

if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="a tmpfs is Linux's")
def test_a_full_disk_is_told_and_the_round_goes_on_when_there_is_room(tmp_path: Path):
    script, mount = tmp_path / "fill.py", tmp_path / "small"
    script.write_text(SCRIPT)
    mount.mkdir()
    namespaces = ["-m"] if os.geteuid() == 0 else ["-Urm"]
    program = f'"{sys.executable}" "{script}" "{mount}" "{tmp_path}/roomy"'
    inside = f'mount -t tmpfs -o size=1500k tmpfs "{mount}" && exec {program}'
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(
        ["unshare", *namespaces, "sh", "-c", inside], capture_output=True, text=True, env=environment, timeout=200
    )
    assert run.returncode == 0, run.stderr
    facts = json.loads(run.stdout)
    assert facts["what"] == "The disk is full"
    assert "nothing is lost" in facts["next"]
    assert 0 < facts["before"] < facts["done"] == 7000
    assert facts["hash"] == facts["expected"]
    assert "Traceback" not in run.stderr
