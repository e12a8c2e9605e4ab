"""A program that is killed while it mirrors a run, and plays the run again: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from engine.chain.deploy import SUPPLY
from engine.chain.learning import SLASHED, STAKE
from engine.learning.staking.accounts import account_of

pytestmark = pytest.mark.chain

PLAY = """
import asyncio, os, signal, sys
from pathlib import Path

sys.path.insert(0, sys.argv[5])
from conftest import mirror_of, parts_at
from engine.chain.sender import Sender
from engine.chain.session import Chain
from engine.learning.crypto.keys import validator_keys
from engine.learning.staking.desk import Desk
from engine.learning.staking.mirror import Mark, StakingMirror
from engine.store.outbox import Outbox

where, left = sys.argv[3], [int(sys.argv[4])]
if where:
    owner = {"Outbox": Outbox, "Sender": Sender, "Desk": Desk}[where.split(".")[0]]
    name = where.split(".")[1]
    real = getattr(owner, name)

    def killed(*arguments, **named):
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left[0] -= 1
        return real(*arguments, **named)

    setattr(owner, name, killed)


async def main(path, url):
    parts = parts_at(Path(path))
    chain = await Chain.connect(url, parts)
    mirror = mirror_of(chain, parts)
    await mirror.open()
    await mirror.deposit_for(validator_keys("0123456789abcdef" * 4, 4))
    await mirror.checkpoint(Mark(9, bytes([1]) * 32, bytes(32), bytes(32)))
    await mirror.slashed(2, "double_vote", bytes([3]) * 32)
    await chain.close()


asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def play(parts, url: str, where: str = "", skip: int = 0) -> int:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = (str(parts.store.path), url, where, str(skip), str(Path(__file__).parent))
    victim = await asyncio.create_subprocess_exec(sys.executable, "-c", PLAY, *arguments, env=environment)
    return await victim.wait()


@pytest.mark.parametrize(
    ("where", "skip"),
    [
        ("Sender._broadcast", 1),  # the allowance is there, the stakes are signed
        ("Outbox.mark_mined", 4),  # the genesis is mined, and noted by half
        ("Sender._broadcast", 4),  # while one joins: funded, not staked
        ("Sender._publish", 21),  # final, noted
    ],
)
async def test_a_run_that_was_killed_is_mirrored_once(tmp_path, staking_at, mirror_of, where, skip):
    async with staking_at(tmp_path) as (_, chain, parts):
        assert await play(parts, chain.url, where, skip) == -signal.SIGKILL
        assert await play(parts, chain.url) == 0
        name = mirror_of(chain, parts).name
        state = await chain.learning.chain_of(name)
        assert (state.deposits, state.size, state.head_slot, state.final_slot) == (5, 3, 9, 9)
        assert (await chain.learning.validator_of(name, 2)).status == SLASHED
        staked, credit = await chain.learning.totals()
        assert (staked, credit) == (5 * STAKE - STAKE // 2, STAKE // 2)
        (supply,) = await chain.token._view("totalSupply")
        assert supply == SUPPLY + STAKE, "who joined was given its stake once"
        counts = parts.store.outbox.counts(chain.book)
        assert set(counts) == {"mined"}
        joiner = parts.wallet.address(account_of(4))
        assert await chain.rpc.number("eth_getTransactionCount", joiner, "latest") == 2
