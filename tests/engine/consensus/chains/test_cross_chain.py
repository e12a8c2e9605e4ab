"""One consensus on three real chains: what they agree on, and what happens when one of them does not."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from engine.chain.session import Chain, Parts
from engine.chain.wallet import Wallet
from engine.consensus.agents.bridge_models import KINDS, model
from engine.consensus.agents.neural import EthereumNeuralAgent
from engine.consensus.chains import cross_chain
from engine.consensus.chains import fleet as chain_fleet
from engine.consensus.chains.bridges import Attestation, Bridge, attest, between
from engine.consensus.chains.cross_chain import CHAINS, CrossChainConsensus, CrossChainState
from engine.consensus.chains.fleet import CHAIN_IDS, ChainFleet, checked_chains
from engine.consensus.config import ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.library.accounts import Accounts
from engine.consensus.library.nash_ethereum import NashEthereumConsensus
from engine.consensus.messages import Domain, PositionMessage, SignedPosition, position_hash
from engine.consensus.negotiation.byzantine import misbehave
from engine.consensus.negotiation.voices import Voice
from engine.consensus.onchain.phase import OnChainPhase
from engine.consensus.tasks import Task, read_task
from engine.core.bus import EventBus
from engine.core.errors import EngineError, VerificationError
from engine.store.database import Store

pytestmark = pytest.mark.chain
ROOT = Path(__file__).parents[4]
TASK = read_task(ROOT / "assets" / "tasks" / "bridge.json")
NOBODY = "http://127.0.0.1:1"


class Says(nn.Module):
    """A model with a fixed word."""

    def __init__(self, values: Sequence[float]) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values, dtype=torch.float64))

    def propose_for(self, task: Task, state: Any) -> tuple[np.ndarray, float]:
        return self.values.detach().numpy(), 0.9


def agents_of(consensus: Any, rows: Sequence[Sequence[float]] | None = None) -> list[Any]:
    made = np.random.default_rng(5).uniform(0.3, 0.7, size=(4, TASK.dims)) if rows is None else rows
    return [
        EthereumNeuralAgent(f"voter {at}", Says(row), consensus.create_agent_identity(f"voter {at}"))
        for at, row in enumerate(made)
    ]


@asynccontextmanager
async def fleet_at(folder: Path, chains: Sequence[str], urls: dict[str, str] | None = None) -> AsyncIterator[Any]:
    accounts = Accounts(Wallet.development())
    folder.mkdir(parents=True, exist_ok=True)
    store = Store.open(folder / "store.db")
    try:
        parts = Parts(store, EventBus(), accounts.wallet, accounts.number_of)
        async with ChainFleet(folder / "fleet", chains, parts, urls) as fleet:
            yield fleet, store, accounts
    finally:
        store.close()


def results(state: CrossChainState) -> list[list[float]]:
    return [chain.result.on_chain.equilibrium.tolist() for chain in state.chains.values()]


# Agreement -----------------------------------------------------------------------------------------------------


async def test_three_chains_hold_one_result_and_an_equivocator_pays_on_each() -> None:
    steps: list[tuple[str, int, str]] = []
    consensus = CrossChainConsensus(
        chains=["ethereum", "polygon", "arbitrum"],
        report=lambda chain, chain_id, step: steps.append((chain, chain_id, step.phase)),
    )
    assert set(consensus.bridges) == {("ethereum", "polygon"), ("ethereum", "arbitrum"), ("polygon", "arbitrum")}
    agents = agents_of(consensus)
    agents[3] = misbehave(agents[3], "equivocating")
    state = await consensus.cross_chain_consensus(TASK, agents)
    assert state.nash_equilibrium is not None and state.result is not None
    assert (list(state.chains), state.failed, state.converged) == (list(CHAINS), {}, True)
    assert len(state.checks) == 3 and all(check.ok for check in state.checks)
    assert [found.chain_id for found in state.result.chains] == [1, 137, 42161]
    assert all(row == results(state)[0] for row in results(state))  # to the last digit of the contract's numbers
    assert state.nash_equilibrium.tolist() == pytest.approx(results(state)[0], abs=1e-6)
    assert {(chain, chain_id) for chain, chain_id, _ in steps} == set(CHAIN_IDS.items())
    slashed = [found.slashed_wei for found in state.result.chains]
    assert [list(wei) for wei in slashed] == [["voter 3"]] * 3 and all(wei["voter 3"] > 0 for wei in slashed)
    async with NashEthereumConsensus(config={"hybrid_mode": False}) as single:
        alone = await single.orchestrate_consensus(TASK, [*agents[:3], misbehave(agents[3], "equivocating")])
    assert alone.nash_equilibrium is not None
    assert state.nash_equilibrium.tolist() == pytest.approx(alone.nash_equilibrium.tolist(), abs=1e-6)


async def test_one_chain_alone(tmp_path: Path) -> None:
    consensus = CrossChainConsensus(["polygon"], folder=tmp_path)
    settled = await consensus.consensus_on_chain("polygon", TASK, agents_of(consensus))
    assert settled.result.on_chain is not None
    assert (settled.attestation.chain_id, settled.attestation.tx) == (137, settled.result.on_chain.tx)
    state = consensus.aggregate_cross_chain({"polygon": settled})
    assert state.tx_hash == settled.attestation.tx


async def test_a_signature_for_one_chain_does_not_hold_on_another(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, ["ethereum", "polygon"]) as (fleet, store, accounts):
        agents = agents_of(_Named(accounts))
        config = ConsensusConfig()
        here = OnChainPhase(fleet.chains["polygon"], store, config)
        opening = await here.open(TASK, agents)
        there = Domain(1, fleet.chains["ethereum"].consensus.address)
        packed = bytes(6 * TASK.dims)
        signed = []
        for agent in agents:
            nonce = opening.nonces[agent.agent_id]
            message = PositionMessage(
                opening.task_hash, agent.signer.address, position_hash(packed), 500_000, 0, nonce, opening.deadline
            )
            signed.append(SignedPosition(message, packed, agent.signer.sign(message, there)))
        assert all(item.problem(there) == "" and item.problem(opening.domain) for item in signed)
        with pytest.raises(ConsensusError, match=r"signature|0 of at least"):
            await here.conclude(opening, signed)


class _Named:
    """Accounts under the face of a consensus."""

    def __init__(self, accounts: Accounts) -> None:
        self.create_agent_identity = accounts.identity


# A chain that fails ----------------------------------------------------------------------------------------------


async def test_a_chain_that_is_down_is_named_and_the_rest_concludes() -> None:
    consensus = CrossChainConsensus(urls={"polygon": NOBODY}, config={"answer_timeout": 1.0})
    agents = agents_of(consensus)
    agents[3] = misbehave(agents[3], "silent")
    state = await consensus.cross_chain_consensus(TASK, agents)
    assert state.result is not None
    assert [(verdict.agent, verdict.reason) for verdict in state.result.verdicts] == [("voter 3", "silent")]
    assert list(state.failed) == ["polygon"]
    assert "polygon does not count" in state.message
    assert list(state.chains) == ["ethereum", "arbitrum"]
    assert results(state)[0] == results(state)[1]


async def test_without_a_majority_nothing_is_asked_and_all_are_named() -> None:
    consensus = CrossChainConsensus(urls={"polygon": NOBODY, "ethereum": NOBODY})
    agents = agents_of(consensus)
    with pytest.raises(ConsensusError, match="1 of 3 can be used") as caught:
        await consensus.cross_chain_consensus(TASK, agents)
    assert set(caught.value.data["chains"]) == {"polygon", "ethereum"}
    assert "polygon" in str(caught.value)


async def test_a_chain_of_another_id_is_refused(tmp_path: Path) -> None:
    async with fleet_at(tmp_path / "a", ["ethereum"]) as (fleet, _, _):
        url = fleet.chains["ethereum"].url
        async with fleet_at(tmp_path / "b", ["polygon", "ethereum"], {"polygon": url}) as (other, _, _):
            assert list(other.chains) == ["ethereum"]
            assert "its id is 1, that of polygon is 137" in other.down["polygon"]


async def test_a_chain_that_never_answers_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain_fleet, "PATIENCE", 2.0)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        urls = {"arbitrum": f"http://127.0.0.1:{deaf.getsockname()[1]}"}
        async with fleet_at(tmp_path, ["ethereum", "arbitrum"], urls) as (fleet, _, _):
            assert list(fleet.chains) == ["ethereum"]
            assert "did not answer within 2 s" in fleet.down["arbitrum"]


async def test_a_round_that_takes_too_long_on_a_chain_is_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with fleet_at(tmp_path, ["ethereum"]) as (fleet, store, accounts):
        voices = [Voice(agent) for agent in agents_of(_Named(accounts))]
        for voice in voices:
            await voice.propose(TASK, None, 1)
        monkeypatch.setattr(cross_chain, "PATIENCE", 0.01)
        with pytest.raises(ConsensusError, match="ethereum is late"):
            await cross_chain.settle(TASK, voices, ConsensusConfig(), fleet, store, "ethereum")


async def test_a_chain_that_dies_on_the_way_is_named(tmp_path: Path) -> None:
    def kill(chain: str, chain_id: int, step: Any) -> None:
        if (chain, step.phase) == ("arbitrum", "create"):
            for child in psutil.Process().children():
                with contextlib.suppress(psutil.Error):
                    if str(tmp_path / "arbitrum") in " ".join(child.cmdline()):
                        child.kill()

    consensus = CrossChainConsensus(folder=tmp_path, report=kill)
    state = await consensus.cross_chain_consensus(TASK, agents_of(consensus))
    assert list(state.failed) == ["arbitrum"]
    assert results(state)[0] == results(state)[1]


async def test_a_chain_that_holds_another_result_is_outvoted(tmp_path: Path) -> None:
    rows = [[0.5] * 5, [0.52] * 5, [0.48] * 5, [0.7] * 5]  # the last is far off, and loses reputation
    consensus = CrossChainConsensus(folder=tmp_path)
    await consensus.consensus_on_chain("polygon", TASK, agents_of(consensus, rows))
    state = await consensus.cross_chain_consensus(TASK, agents_of(consensus, rows))
    assert list(state.failed) == ["polygon"]
    assert "another result" in state.failed["polygon"] and "apart" in state.failed["polygon"]
    ethereum, polygon, arbitrum = results(state)
    assert ethereum == arbitrum != polygon
    assert [(check.first, check.second, check.ok) for check in state.checks] == [
        ("ethereum", "polygon", False),
        ("ethereum", "arbitrum", True),
        ("polygon", "arbitrum", False),
    ]
    assert state.result is not None and [found.chain_id for found in state.result.chains] == [1, 42161]


# Bridges -------------------------------------------------------------------------------------------------------


async def test_a_bridge_believes_nothing_that_the_node_does_not_bear_out(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, ["ethereum"]) as (fleet, store, accounts):
        voices = [Voice(agent) for agent in agents_of(_Named(accounts))]
        for voice in voices:
            await voice.propose(TASK, None, 1)
        settled = await cross_chain.settle(TASK, voices, ConsensusConfig(), fleet, store, "ethereum")
        held, chain = settled.result.on_chain, fleet.chains["ethereum"]
        assert held is not None
        assert await attest("ethereum", chain, TASK, held) == settled.attestation
        for lie, why in (
            (replace(held, tx="0x" + "11" * 32), "is not on it"),
            (replace(held, task_hash=b"\x01" * 32), "finalised no such task"),
            (replace(held, tx=chain.deployment.vault.tx), "finalised no such task"),
        ):
            with pytest.raises(VerificationError, match=why):
                await attest("ethereum", chain, TASK, lie)


def attestation(chain: str, result: tuple[int, ...], mark: str) -> Attestation:
    return Attestation(chain, CHAIN_IDS[chain], "0x", "0x", 1, "0x", result, mark)


def test_bridges_compare() -> None:
    bridge = Bridge("ethereum", "polygon")
    one = attestation("ethereum", (1, 2), "0xaa")
    assert bridge.check(one, attestation("polygon", (1, 2), "0xaa")).ok
    assert not bridge.check(one, attestation("ethereum", (1, 2), "0xaa")).ok  # the same chain twice
    assert "apart" in bridge.check(one, attestation("polygon", (1, 2 + 2**32), "0xbb")).text
    assert "lengths" in bridge.check(one, attestation("polygon", (1,), "0xbb")).text
    assert "different tasks" in bridge.check(one, attestation("polygon", (1, 2), "0xbb")).text
    assert len(between(CHAINS)) == 3


@pytest.mark.parametrize(
    ("chains", "why"),
    [([], "There are no chains"), (["mars"], "no chain 'mars'"), (["polygon", "polygon"], "named twice")],
)
def test_chains_are_known_and_named_once(chains: list[str], why: str) -> None:
    with pytest.raises(ConsensusError, match=why):
        CrossChainConsensus(chains)
    with pytest.raises(ConsensusError, match=why):
        checked_chains(chains)


# Nothing is left ------------------------------------------------------------------------------------------------


async def test_one_fleet_a_folder(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, ["ethereum"]):
        with pytest.raises(ConsensusError, match="Another cross-chain round"):
            async with fleet_at(tmp_path, ["ethereum"]):
                pass


async def test_one_round_at_a_time(tmp_path: Path) -> None:
    begun = asyncio.Event()
    consensus = CrossChainConsensus(["ethereum"], folder=tmp_path, report=lambda chain, chain_id, step: begun.set())
    work = asyncio.ensure_future(consensus.consensus_on_chain("ethereum", TASK, agents_of(consensus)))
    await begun.wait()
    with pytest.raises(ConsensusError, match="Another cross-chain round is running"):
        await consensus.consensus_on_chain("ethereum", TASK, agents_of(consensus))
    assert (await work).attestation.chain == "ethereum"


async def test_a_cancelled_round_ends_its_nodes(tmp_path: Path) -> None:
    begun = asyncio.Event()
    consensus = CrossChainConsensus(folder=tmp_path, report=lambda chain, chain_id, step: begun.set())
    work = asyncio.ensure_future(consensus.cross_chain_consensus(TASK, agents_of(consensus)))
    await asyncio.wait([asyncio.ensure_future(begun.wait()), work], return_when=asyncio.FIRST_COMPLETED)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    ended = (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    assert not [
        child for child in psutil.Process().children() if "anvil" in child.name() and child.status() not in ended
    ]


KILLED = """
import asyncio, sys
from pathlib import Path
from engine.consensus.chains.cross_chain import CrossChainConsensus
from engine.consensus.agents.neural import EthereumNeuralAgent
from engine.consensus.agents.bridge_models import KINDS, model
from engine.consensus.tasks import read_task

def report(chain, chain_id, step):
    if (chain, step.phase, step.state) == ("polygon", "create", "running"):
        print("now", flush=True)

async def main():
    consensus = CrossChainConsensus(folder=Path(sys.argv[1]), report=report)
    agents = [EthereumNeuralAgent(kind, model(kind), consensus.create_agent_identity(kind)) for kind in KINDS]
    await consensus.cross_chain_consensus(read_task(Path(sys.argv[2])), agents)

asyncio.run(main())
"""


async def test_a_killed_program_leaves_no_node_and_others_can_go_on(tmp_path: Path) -> None:
    arguments = [sys.executable, "-c", KILLED, str(tmp_path), str(ROOT / "assets" / "tasks" / "bridge.json")]
    process = subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "now\n"
    nodes = psutil.Process(process.pid).children(recursive=True)
    assert len([node for node in nodes if "anvil" in node.name()]) == 3
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(nodes, timeout=15)
    assert not alive
    consensus = CrossChainConsensus(folder=tmp_path)
    agents = [EthereumNeuralAgent(kind, model(kind), consensus.create_agent_identity(kind)) for kind in KINDS]
    state = await consensus.cross_chain_consensus(TASK, agents)
    # ethereum had finished its round, and rewarded its agents; the two others agree without that
    assert list(state.failed) == ["ethereum"] and "another result" in state.failed["ethereum"]


# The voters ------------------------------------------------------------------------------------------------------


def test_every_outcome_that_is_no_result_is_named() -> None:
    failed: dict[str, Any] = {name: EngineError(f"{name} is ill") for name in CHAINS}
    with pytest.raises(ConsensusError, match="0 of 3 hold the same result"):
        cross_chain.aggregate(failed)


async def test_the_chain_of_a_fleet_is_closed_with_it(tmp_path: Path) -> None:
    async with fleet_at(tmp_path, ["ethereum"]) as (fleet, _, _):
        chain: Chain = fleet.chains["ethereum"]
        assert await chain.alive()
    assert not fleet.chains
