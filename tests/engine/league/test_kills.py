"""The program killed at random moments of rounds, claims, disputes and settlements: nothing is lost, nobody is paid
twice, and ledger, chain and replayed history are one.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from engine.core.paths import DataDir
from engine.runtime import Runtime
from tests.engine.league.kill_rounds import settings

ROOT = Path(__file__).resolve().parents[3]

# The program under test, started once: it forks before anything runs, and each fork kills itself with SIGKILL just
# before its n-th SQL statement, which is where a kill can part what belongs together. Line by line it is given n.
VICTIM = """
import asyncio, os, signal, sys
from pathlib import Path
import aiohttp, web3
from engine.core.paths import DataDir
from engine.league.disputes.published import Dishonesty
from engine.runtime import Runtime
from tests.engine.league.kill_rounds import kept_claim, settings

async def finish(league, round_id):
    state = league.round(round_id).state
    if league.history.round(round_id).config.get("dishonesty") and state != "rejected":
        await league.disputes.open(round_id)
    elif state == "anchored":
        await kept_claim(league, round_id)
        await league.settle(round_id)

async def main(data, limit):
    async with await Runtime.open(DataDir.open(Path(data)), workers=1) as runtime:
        left = [limit]

        def count(statement):
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

        league = runtime.league
        await runtime.devnet.up()
        await runtime.chain()
        runtime.store.db.set_trace_callback(count)
        for summary in reversed(league.rounds()):
            await league.resume(summary.round_id)
            await finish(league, summary.round_id)
        for number in range(len(league.rounds()), 10_000):
            cheats = Dishonesty.INFLATE if number % 5 == 4 else Dishonesty.HONEST
            result = await league.run_round(settings(number), anchor=True, dishonesty=cheats)
            await finish(league, result.round_id)

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
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
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


async def require_all_in_order(runtime: Runtime) -> Counter[str]:
    """Finish what was begun; then ledger, contract and replayed history must be one. Returns the states reached."""
    league = runtime.league
    rounds = league.rounds()
    assert len(rounds) > 1, "the kills came too early to show anything"
    for summary in reversed(rounds):
        result = await league.resume(summary.round_id)
        if league.history.round(result.round_id).config.get("dishonesty") and result.state != "rejected":
            await league.disputes.open(result.round_id)
        elif result.state == "anchored":
            await league.settle(summary.round_id)
    chain = await runtime.chain()
    assert not [row for row in await league.stakes(chain) if row.differs]
    assert runtime.store.ledger.audit(chain.book) == {}
    assert runtime.store.outbox.open_count(chain.book) == 0
    totals = await chain.vault.totals()
    assert await chain.rpc.number("eth_getBalance", chain.anchor.address, "latest") == 0
    assert await chain.rpc.number("eth_getBalance", chain.vault.address, "latest") == totals.active + totals.credit
    await require_history_replays(runtime)
    return Counter(summary.state for summary in league.rounds())


async def require_history_replays(runtime: Runtime) -> None:
    """Every kind of round, played afresh in a clean data directory, gives the stored results hash."""
    async with await Runtime.open(DataDir.open(runtime.data.root.with_name("fresh")), workers=2) as fresh:
        known = {}
        for summary in runtime.league.rounds():
            stored = runtime.league.round(summary.round_id)
            assert stored.done == stored.total
            if stored.disqualified:
                continue  # a claim that came later changes the hash of its round
            if stored.name not in known:
                config = settings(int(stored.name.removeprefix("kind-")))
                known[stored.name] = (await fresh.league.run_round(config)).results_hash
            assert stored.results_hash == known[stored.name]


@pytest.mark.slow
@pytest.mark.chain
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(4))
async def test_two_hundred_kills_of_the_program_beside_a_living_node(tmp_path, part):
    async with await Runtime.open(DataDir.open(tmp_path / "data")) as first:
        await first.devnet.up(detached=True)
        await first.chain()
    async with await survive(tmp_path, 50, 20261121 + part) as runtime:
        try:
            states = await require_all_in_order(runtime)
            assert set(states) <= {"settled", "rejected"}
        finally:
            await runtime.devnet.down()


@pytest.mark.slow
@pytest.mark.chain
@pytest.mark.timeout(900)
async def test_kills_that_take_the_node_along(tmp_path):
    """The node dies with the program each time and comes back from a state up to a second old."""
    async with await Runtime.open(DataDir.open(tmp_path / "data")) as first:
        await first.devnet.up()
        await first.chain()
    async with await survive(tmp_path, 15, 11) as runtime:
        await runtime.devnet.up()
        await require_all_in_order(runtime)
