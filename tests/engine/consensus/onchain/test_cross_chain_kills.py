"""A round on three chains, killed between and on them: it goes on with the same words, and all chains stay alike."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from engine.chain.neural import NONE
from engine.consensus.chains.fleet import ChainFleet
from engine.consensus.chains.words import Words
from engine.consensus.config import AgentConfig, ConsensusConfig
from engine.consensus.participants import Proposal
from engine.consensus.rounds.play import FLEET
from engine.consensus.rounds.records import Records, attempt_hash
from engine.consensus.rounds.service import AgentSpec, RunSpec
from engine.consensus.tasks import task_of

pytestmark = [pytest.mark.chain, pytest.mark.slow]
HERE = str(Path(__file__).parent)
CHAINS = ["ethereum", "polygon", "arbitrum"]
TASK = {"type": "bridge_parameters", "chains": CHAINS, "parameters": {}}

VICTIM = """
import asyncio, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from conftest import seats
from test_cross_chain_kills import spec
from engine.chain.wallet import Wallet
from engine.consensus.chains import cross_chain
from engine.consensus.onchain import phase, steps
from engine.consensus.rounds import play
from engine.consensus.rounds.service import ConsensusService
from engine.core.bus import EventBus
from engine.core.jobs import Jobs
from engine.store.database import Store

where, skip = sys.argv[4], int(sys.argv[5])
*path, name = where.split(".")
owner = globals()[path[0]]
for part in path[1:]:
    owner = getattr(owner, part)
real, left = getattr(owner, name), [skip]

def killed(*arguments, **named):
    if left[0] == 0:
        print("now", flush=True)
        time.sleep(600)
    left[0] -= 1
    return real(*arguments, **named)

setattr(owner, name, killed)

async def main():
    store, bus = Store.open(Path(sys.argv[2])), EventBus()
    service = ConsensusService(store, bus, Jobs(bus), Wallet.development(), None, Path(sys.argv[3]), seats=seats)
    run = await service.start(spec())
    if len(sys.argv) > 6:
        run.inject(sys.argv[6], "equivocating")
    await run.result()

asyncio.run(main())
"""


def spec() -> RunSpec:
    agents = tuple(AgentSpec(name, AgentConfig(strategy_type="pure")) for name in ("ann", "ben", "cleo", "dan", "eve"))
    return RunSpec(task_of(TASK), agents, ConsensusConfig())


async def kill(runtime: Any, where: str, skip: int, *guilty: str) -> None:
    """Kill a program that plays a round when it comes to a place; its nodes keep what they have."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    arguments = (HERE, str(runtime.store.path), str(runtime.data.devnet), where, str(skip), *guilty)
    victim = await asyncio.create_subprocess_exec(
        sys.executable, "-c", VICTIM, *arguments, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert victim.stdout is not None
    assert await victim.stdout.readline() == b"now\n", where
    nodes = psutil.Process(victim.pid).children(recursive=True)
    victim.send_signal(signal.SIGKILL)
    assert await victim.wait() == -signal.SIGKILL
    _, alive = await asyncio.to_thread(psutil.wait_procs, nodes, 30)
    assert not alive


async def standing(runtime: Any) -> list[tuple[list[int], int, int]]:
    """Return of each chain the agents' reputations, how many rounds it has, and how many stakes were paid."""
    records, found = Records(runtime.store, runtime.wallet.address), []
    parts = runtime.consensus._parts.session(records)
    async with ChainFleet(runtime.data.devnet / FLEET, CHAINS, parts) as fleet:
        assert not fleet.down
        for chain in fleet.chains.values():
            kept = [await chain.consensus.agent_of(account.address) for account in records.accounts()]
            hashes = [attempt_hash(task_of(TASK).hash, attempt) for attempt in range(9)]
            tasks = [await chain.consensus.task_of(task_hash) for task_hash in hashes]
            active = (await chain.vault.totals()).active
            assert runtime.store.outbox.counts(chain.book).keys() == {"mined"}
            assert not runtime.store.ledger.audit(chain.book)
            found.append(([agent.reputation for agent in kept], sum(t.status != NONE for t in tasks), active))
    return found


def same(result: Any) -> bool:
    rows = [chain.equilibrium.tolist() for chain in result.chains]
    return len(rows) == 3 and rows == rows[:1] * 3 and not result.message


POINTS = [
    ("phase.OnChainPhase.open", 0),  # all is said, no chain was asked
    ("cross_chain.settle", 1),  # final on the first chain
    ("phase.OnChainPhase.conclude", 1),  # signed for the second chain, nothing kept of that
    ("steps.ChainSteps.prove", 1),  # submitted on the second
    ("cross_chain.aggregate", 0),  # final on all
]


@pytest.mark.parametrize("points", [POINTS[:2], POINTS[2:]], ids=["between", "on"])
async def test_a_round_killed_between_chains_goes_on_with_the_same_words(tmp_path, runtime_at, points):
    async with runtime_at(tmp_path, node=False) as runtime:
        for number, (where, skip) in enumerate(points, 1):
            await kill(runtime, where, skip)
            record = runtime.consensus.runs()[0]
            assert record.phase == "signed", where
            result = await (await runtime.consensus.resume(record.run_id)).result()
            assert same(result) and result.converged and result.iterations > 1, where
            assert runtime.consensus.runs()[0].state == "done", where
            (first, *others) = await standing(runtime)
            assert others == [first] * 2, where
            assert first[1] == number, where
            assert any(reputation != 100 for reputation in first[0])
            assert (await runtime.consensus.verify(result.task_hash.hex())).ok, where
        again = await (await runtime.consensus.start(spec())).result()
        assert same(again)
        (first, *others) = await standing(runtime)
        assert others == [first] * 2 and first[1] == len(points) + 1


async def test_who_signed_twice_is_convicted_on_chains_that_are_asked_later(tmp_path, runtime_at):
    async with runtime_at(tmp_path, node=False) as runtime:
        await kill(runtime, "steps.ChainSteps.create", 1, "cleo")  # convicted on the second chain, not on the third
        (record,) = runtime.consensus.runs()
        result = await (await runtime.consensus.resume(record.run_id)).result()
        assert same(result) and "cleo" not in result.agents
        assert [list(chain.slashed_wei) for chain in result.chains] == [["cleo"]] * 3
        assert [proof.agent for proof in result.evidence] == ["cleo"]
        (first, *others) = await standing(runtime)
        assert others == [first] * 2 and first[1] == 1


def test_words_are_kept_to_the_last_digit():
    said = {"ann": Proposal(np.array([0.1 + 0.2, 1e-300]), 1 / 3), "ben": Proposal(np.array([np.nan, 1.0]), 1.0)}
    read = Words.from_json(json.loads(json.dumps(Words(said, True, 0.5, 3, 1.5).to_json())))
    assert {name: (p.position.tobytes(), p.confidence) for name, p in read.proposals.items()} == {
        name: (p.position.tobytes(), p.confidence) for name, p in said.items()
    }
