"""The program killed at random moments of rounds: nothing is lost, nobody is paid twice."""

import asyncio
import os
import random
import signal
import subprocess
import sys

import pytest

from engine.core.paths import DataDir, assets_dir
from engine.league.config import AgentEntry, RoundConfig
from engine.runtime import Runtime

# The program under test, started once: it forks before anything runs, and each fork kills itself with SIGKILL just
# before its n-th SQL statement, which is where a kill can part what belongs together. Line by line it is given n.
VICTIM = """
import asyncio, os, signal, sys
from pathlib import Path
import aiohttp, web3
from engine.core.paths import DataDir, assets_dir
from engine.league.config import AgentEntry, RoundConfig
from engine.runtime import Runtime

async def main(data, limit):
    agents = tuple(AgentEntry(p) for p in sorted((assets_dir() / "agents" / "snake").glob("*.wasm")))
    async with await Runtime.open(DataDir.open(Path(data)), workers=1) as runtime:
        left = [limit]

        def count(statement):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

        await runtime.devnet.up()
        await runtime.chain()
        runtime.store.db.set_trace_callback(count)
        for summary in runtime.league.rounds():
            if summary.state != "settled":
                await runtime.league.resume(summary.round_id)
                await runtime.league.settle(summary.round_id)
        for seed in range(1000):
            config = RoundConfig(name="kills", agents=agents, matches=6, seed=seed % 3, reward_wei=10**17 + seed)
            result = await runtime.league.run_round(config, anchor=True)
            await runtime.league.settle(result.round_id)

if __name__ == "__main__":
    for line in sys.stdin:
        child = os.fork()
        if not child:
            asyncio.run(main(sys.argv[1], int(line)))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


async def survive(tmp_path, kills: int, seed: int) -> Runtime:
    """Kill the program ``kills`` times at seeded moments and return a runtime on what it left."""
    dice = random.Random(seed)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    script = tmp_path / "victim.py"
    script.write_text(VICTIM)
    victim = subprocess.Popen(
        [sys.executable, script, tmp_path / "data"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with victim:
        for _ in range(kills):
            victim.stdin.write(f"{dice.randrange(1, 500)}\n")
            victim.stdin.flush()
            assert await asyncio.to_thread(victim.stdout.readline) == f"{-signal.SIGKILL}\n"
        victim.stdin.close()
    return await Runtime.open(DataDir.open(tmp_path / "data"), workers=2)


async def require_all_in_order(runtime: Runtime) -> None:
    """Finish what was begun; then ledger, contract and replayed history must be one."""
    league = runtime.league
    rounds = league.rounds()
    assert len(rounds) > 1, "the kills came too early to show anything"
    for summary in reversed(rounds):
        result = await league.resume(summary.round_id)
        if result.state != "settled":
            await league.settle(summary.round_id)
    chain = await runtime.chain()
    assert not [row for row in await league.stakes(chain) if row.differs]
    assert runtime.store.ledger.audit(chain.book) == {}
    totals = await chain.vault.totals()
    assert await chain.rpc.number("eth_getBalance", chain.anchor.address, "latest") == 0
    assert await chain.rpc.number("eth_getBalance", chain.vault.address, "latest") == totals.active + totals.credit
    await require_history_replays(runtime)


async def require_history_replays(runtime: Runtime) -> None:
    """Every round, played afresh in a clean data directory, gives the stored results hash."""
    agents = tuple(AgentEntry(path) for path in sorted((assets_dir() / "agents" / "snake").glob("*.wasm")))
    fresh_data = runtime.data.root.with_name("fresh")
    async with await Runtime.open(DataDir.open(fresh_data), workers=2) as fresh:
        known = {}
        for summary in runtime.league.rounds():
            stored = runtime.league.round(summary.round_id)
            if stored.seed not in known:
                config = RoundConfig(name="again", agents=agents, matches=6, seed=stored.seed)
                known[stored.seed] = (await fresh.league.run_round(config)).results_hash
            assert stored.results_hash == known[stored.seed]
            assert stored.done == stored.total


@pytest.mark.slow
@pytest.mark.chain
async def test_fifty_kills_of_the_program_beside_a_living_node(tmp_path):
    async with await Runtime.open(DataDir.open(tmp_path / "data")) as first:
        await first.devnet.up(detached=True)
        await first.chain()
    async with await survive(tmp_path, 50, 20261121) as runtime:
        try:
            await require_all_in_order(runtime)
        finally:
            await runtime.devnet.down()


@pytest.mark.slow
@pytest.mark.chain
async def test_kills_that_take_the_node_along(tmp_path):
    """The node dies with the program each time and comes back from a state up to a second old."""
    async with await Runtime.open(DataDir.open(tmp_path / "data")) as first:
        await first.devnet.up()
        await first.chain()
    async with await survive(tmp_path, 15, 11) as runtime:
        await runtime.devnet.up()
        await require_all_in_order(runtime)
