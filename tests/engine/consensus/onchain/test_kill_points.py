"""Killed at every step of a round: it goes on from there, comes to the same result, and pays nothing twice."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.consensus.onchain.logs import TaskLog

pytestmark = [pytest.mark.chain, pytest.mark.slow]
ETHER = 10**18
HERE = str(Path(__file__).parent)

VICTIM = """
import asyncio, os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import seats, spec_of
from engine.chain.session import Chain, Parts
from engine.chain.wallet import OPERATOR, Wallet
from engine.consensus.onchain import members as chain_members
from engine.consensus.onchain import slashes as chain_slashes
from engine.consensus.onchain import steps as chain_steps
from engine.consensus.onchain import transactions as chain_txs
from engine.consensus.negotiation import talks as negotiation
from engine.consensus.onchain import phase as onchain
from engine.consensus.rounds import records
from engine.consensus.rounds import play as rounds
from engine.consensus.rounds.service import ConsensusService
from engine.core.bus import EventBus
from engine.core.jobs import Jobs
from engine.store.database import Store

where, skip, title, equivocator = sys.argv[3], int(sys.argv[4]), sys.argv[5], sys.argv[6]
module, owner, name = where.split(".")
owner = getattr(globals()[module], owner)
real, left = getattr(owner, name), [skip]

def killed(*arguments, **named):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return real(*arguments, **named)

setattr(owner, name, killed)

async def main():
    wallet, store, bus = Wallet.development(), Store.open(Path(sys.argv[2])), EventBus()
    operator = wallet.address(OPERATOR)
    parts = Parts(store, bus, wallet, lambda a: OPERATOR if a == operator else service.number_of(a))
    chain = await Chain.connect(sys.argv[7], parts)

    async def connect():
        return chain

    service = ConsensusService(store, bus, Jobs(bus), wallet, connect, Path("."), seats=seats)
    names = ("ann", "ben", "cleo", "dan", "eve", *(("fay", "gus", "hal", "ida") if equivocator else ()))
    spec = spec_of(names, title=title, behaviours={equivocator: "equivocating"} if equivocator else {})
    await (await service.start(spec)).result()

asyncio.run(main())
"""

# Where, how many calls pass before, and whether the positions are signed by then.
POINTS = [
    ("chain_members.Members._register", 0, False),  # staked, not registered
    ("negotiation.Negotiation.run", 0, False),  # ready, nothing agreed on
    ("records.Records.keep_signed", 0, False),  # signed, not kept
    ("chain_steps.ChainSteps.create", 0, True),  # signed and kept
    ("chain_txs.ChainTxs.settle", 0, True),  # the task is written, not sent
    ("chain_steps.ChainSteps.submit", 0, True),  # the task is there
    ("chain_txs.ChainTxs.settle", 1, True),  # positions written, not sent
    ("chain_steps.ChainSteps.prove", 0, True),  # positions are there
    ("chain_steps.ChainSteps._do", 1, True),  # the deadline has passed
    ("chain_steps.ChainSteps.finalize", 0, True),  # proven
    ("chain_steps.ChainSteps.credit", 0, True),  # final
    ("onchain.OnChainPhase._held", 0, True),  # all is done, nothing noted
    ("records.Records.end", 0, True),  # the result is not kept
]


async def kill(runtime, where: str, skip: int, equivocator: str = "") -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    store, url = str(runtime.store.path), runtime.devnet.status.url
    arguments = (HERE, store, where, str(skip), "split", equivocator, url)
    victim = await asyncio.create_subprocess_exec(sys.executable, "-c", VICTIM, *arguments, env=environment)
    assert await victim.wait() == -signal.SIGKILL, where


@pytest.mark.parametrize("points", [POINTS[:4], POINTS[4:9], POINTS[9:]], ids=["before", "middle", "end"])
async def test_a_round_killed_anywhere_goes_on(tmp_path, runtime_at, spec_of, points):
    async with runtime_at(tmp_path) as runtime:
        chain = await runtime.chain()
        plain = await (await runtime.consensus.start(spec_of(on_chain=False))).result()
        hashes = set()
        for number, (where, skip, signed) in enumerate(points):
            await kill(runtime, where, skip)
            record = runtime.consensus.runs()[0]
            assert record.phase == ("signed" if signed else "negotiating"), where
            result = await (await runtime.consensus.resume(record.run_id)).result()
            assert np.abs(result.on_chain.equilibrium - result.equilibrium).max() < 1e-8, where
            assert np.abs(result.ideals - plain.ideals).max() == 0, where
            assert result.task_hash not in hashes, where
            hashes.add(result.task_hash)
            if signed:
                assert result.task_hash == record.task_hash, where
                spent = [step.phase for step in result.on_chain.steps]
                assert ("register" in spent) == (number == 0), where  # what was spent before the kill counts too
            assert result.iterations >= 1, where
            assert result.converged, where
            assert len((await TaskLog.read(chain, result.task_hash)).taken) == 5, where
            assert runtime.consensus.runs()[0].state == "done", where
        assert runtime.store.outbox.counts(chain.book).keys() == {"mined"}
        assert (await chain.vault.totals()).active == 5 * ETHER // 10
        assert not runtime.store.ledger.audit(chain.book)
        rounds = len(points)
        rows = await runtime.consensus.agents()
        assert all(100 - 5 * rounds <= row.reputation <= 100 + 2 * rounds for row in rows)


async def test_a_slashing_that_was_killed_happens_once(tmp_path, runtime_at):
    async with runtime_at(tmp_path) as runtime:
        chain = await runtime.chain()
        points = ("chain_txs.ChainTxs.settle", "chain_slashes.Slashes.book", "chain_steps.ChainSteps.create")
        for number, (where, guilty) in enumerate(zip(points, ("ann", "ben", "cleo"), strict=True)):
            await kill(runtime, where, 0, guilty)
            record = runtime.consensus.runs()[0]
            result = await (await runtime.consensus.resume(record.run_id)).result()
            assert guilty not in result.agents
            row = next(row for row in await runtime.consensus.agents() if row.name == guilty)
            assert row.banned
            assert row.stake == ETHER // 10 - chain.deployment.rules.equivocation_penalty
            credit = (await chain.vault.account_of(chain.operator)).credit
            assert credit == (number + 1) * chain.deployment.rules.equivocation_penalty // 2
            assert runtime.store.ledger.balance(chain.book, f"stake:{row.address}") == row.stake
            assert runtime.store.ledger.balance(chain.book, f"credit:{chain.operator}") == credit
