"""The library's face as its users see it, on a real Anvil: the quick start, both modes, and what goes wrong."""

from __future__ import annotations

import asyncio
import inspect
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from eth_account import Account
from torch import nn

from engine.chain.errors import RpcError, WrongChainError
from engine.chain.locate import find_anvil
from engine.chain.wallet import Wallet
from engine.consensus import (
    EthereumAgentIdentity,
    EthereumNeuralAgent,
    MultiGPUConsensus,
    NashEthereumConsensus,
    NashEthereumState,
)
from engine.consensus.config import ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.library.nash_ethereum import second_opinion
from engine.consensus.negotiation.byzantine import misbehave
from engine.core.errors import VerificationError

ROOT = Path(__file__).parents[4]
TASK = {
    "type": "portfolio_allocation",
    "parameters": {"total_amount": 1000000, "risk_tolerance": "moderate", "investment_horizon": "5_years"},
}


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an Anvil that has nothing on it but what these tests put there."""
    command = [str(find_anvil()), "--host", "127.0.0.1", "--port", "0"]
    log = tmp_path_factory.mktemp("anvil") / "log.txt"
    with log.open("wb") as out, subprocess.Popen(command, stdout=out, stderr=subprocess.DEVNULL) as process:
        while "Listening on " not in log.read_text():
            assert process.poll() is None
            time.sleep(0.01)
        yield "http://" + log.read_text().split("Listening on ")[1].split()[0]
        process.terminate()


def create_agent_model() -> nn.Module:
    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 5))


def agents_of(consensus: NashEthereumConsensus, count: int = 5) -> list[EthereumNeuralAgent]:
    torch.manual_seed(3)
    return [
        EthereumNeuralAgent(name, create_agent_model(), consensus.create_agent_identity(name))
        for name in (f"agent_{i}" for i in range(count))
    ]


async def test_the_quick_start_as_the_specification_has_it(node: str, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(3)
    # Initialize consensus system
    consensus = NashEthereumConsensus(web3_provider=node, device="cuda")

    # Create agents with Ethereum identities
    for i in range(5):
        agent_id = f"agent_{i}"
        model = create_agent_model()  # Your neural network model
        identity = consensus.create_agent_identity(agent_id)

        agent = EthereumNeuralAgent(agent_id=agent_id, model=model, identity=identity, device="cuda")

        consensus.agents[agent_id] = agent

    # Define task for consensus
    task = {
        "type": "portfolio_allocation",
        "parameters": {"total_amount": 1000000, "risk_tolerance": "moderate", "investment_horizon": "5_years"},
    }

    # Orchestrate consensus
    agents_list = list(consensus.agents.values())
    consensus_state = await consensus.orchestrate_consensus(task, agents_list, hybrid_mode=True)

    print(f"Consensus reached: {consensus_state.converged}")
    print(f"Nash equilibrium: {consensus_state.nash_equilibrium}")
    print(f"Block number: {consensus_state.block_number}")

    said = capsys.readouterr().out
    assert "Consensus reached: True" in said and "Nash equilibrium: tensor(" in said
    state, chain = consensus_state, consensus_state.result.on_chain
    assert torch.isclose(state.nash_equilibrium.sum(), torch.tensor(1.0, dtype=torch.float64), atol=1e-6)
    assert list(state.positions) == [f"agent_{i}" for i in range(5)]
    assert chain.certified and state.gas_used == chain.gas_used > 0 and state.gap < 1e-12
    np.testing.assert_allclose(chain.equilibrium, state.nash_equilibrium.numpy(), atol=1e-9)
    receipt = await consensus.web3.eth.get_transaction_receipt(state.tx_hash)
    assert (receipt["status"], receipt["blockNumber"], receipt["to"]) == (1, state.block_number, chain.contract)
    assert all(identity.stake >= 10**17 and identity.reputation != 0 for identity in (a.identity for a in agents_list))

    # The same agents off chain come to the same equilibrium.
    async with NashEthereumConsensus(web3_provider="http://127.0.0.1:1") as off_chain:
        same = await off_chain.orchestrate_consensus(task, agents_of(off_chain), hybrid_mode=False)
    torch.testing.assert_close(same.nash_equilibrium, state.nash_equilibrium, atol=1e-9, rtol=0)
    assert (same.block_number, same.tx_hash, same.gas_used, same.task_hash) == (None, None, 0, state.task_hash)


def test_the_constructor_and_the_call_are_the_specifications() -> None:
    made = inspect.signature(NashEthereumConsensus)
    plain = {name: p.default for name, p in made.parameters.items() if p.kind is not inspect.Parameter.KEYWORD_ONLY}
    assert plain == {"web3_provider": "http://localhost:8545", "contract_address": None, "device": "cuda"}
    call = inspect.signature(NashEthereumConsensus.orchestrate_consensus)
    assert {name: p.default for name, p in call.parameters.items() if p.default is not inspect.Parameter.empty} == {
        "max_iterations": 100,
        "convergence_threshold": 0.01,
        "hybrid_mode": True,
    }


async def test_rounds_follow_each_other_at_one_contract_with_and_without_a_relayer(node: str, tmp_path: Path) -> None:
    steps = []
    first = NashEthereumConsensus(node, folder=tmp_path / "a", on_step=steps.append)
    agents = agents_of(first, 4)
    one = await first.orchestrate_consensus(TASK, agents)
    contract = one.result.on_chain.contract
    assert {"stake", "register", "create", "submit", "prove", "finalize"} <= {step.phase for step in steps}
    async with NashEthereumConsensus(node, contract, config={"gas_optimization": False, "quorum": 3}) as second:
        two = await second.orchestrate_consensus(TASK, agents)
    assert two.result.on_chain.contract == contract and two.task_hash != one.task_hash
    submits = [next(s for s in made.result.on_chain.steps if s.phase == "submit") for made in (one, two)]
    assert [len(step.txs) for step in submits] == [1, 4] and submits[0].gas < submits[1].gas
    three, four = await asyncio.gather(*(first.orchestrate_consensus(TASK, agents) for _ in range(2)))
    assert three.converged and four.converged and len({s.task_hash for s in (one, two, three, four)}) == 4
    await first.close()
    async with NashEthereumConsensus(node, folder=tmp_path / "a") as later:
        five = await later.orchestrate_consensus(TASK, agents)
    assert five.result.on_chain.contract == contract and five.task_hash not in (one.task_hash, two.task_hash)


async def test_the_guilty_are_slashed_and_the_others_conclude(node: str) -> None:
    async with NashEthereumConsensus(node, config=ConsensusConfig(answer_timeout=3.0)) as consensus:
        agents = agents_of(consensus, 7)
        members = [*agents[:4], misbehave(agents[4], "equivocating"), misbehave(agents[5], "silent")]
        members.append(misbehave(agents[6], "wrong_signature"))
        state = await consensus.orchestrate_consensus(TASK, members)
        reasons = {verdict.agent: verdict.reason for verdict in state.result.verdicts}
        assert reasons == {"agent_4": "equivocation", "agent_5": "silent", "agent_6": "bad signature"}
        assert state.converged and set(state.positions) == {f"agent_{i}" for i in range(4)}
        assert {name: wei > 0 for name, wei in state.result.on_chain.slashed_wei.items()} == {"agent_4": True}
        stakes = [agent.identity.stake for agent in agents]
        assert stakes[4] < min(stakes[:4]) == max(stakes[:4]) == stakes[5] == stakes[6]
        again = await consensus.orchestrate_consensus(TASK, agents[:6])
        assert [verdict.agent for verdict in again.result.verdicts] == ["agent_4"]  # banned


async def test_an_agent_with_an_account_of_its_own_submits_by_itself(node: str) -> None:
    from engine.store.outbox import OutboxTx

    async with NashEthereumConsensus(node) as consensus:
        agents = agents_of(consensus, 2)
        brought = EthereumAgentIdentity.from_account("brought", Account.create())
        agents.append(EthereumNeuralAgent("brought", create_agent_model(), brought))
        assert (await consensus.orchestrate_consensus(TASK, agents)).converged
        task_hash = "0x" + "ab" * 32
        position = await agents[2].generate_position(TASK)
        with pytest.raises(ConsensusError, match="no open task"):
            await agents[2].submit_to_blockchain(position, task_hash, consensus)
        async with consensus._connected(agents) as chain:
            head = await chain.rpc.request("eth_getBlockByNumber", "latest", False)
            deadline = int(head["timestamp"], 16) + 600
            call = chain.consensus.create_task(bytes.fromhex(task_hash[2:]), 5, deadline, 10_000, 10**12, 2)
            store = consensus._open()
            with store.transaction():
                store.outbox.enqueue(OutboxTx("t", chain.book, chain.operator, call.to, call.data, 0, "test"))
            await chain.drain()
        facts = await agents[2].submit_to_blockchain(position, task_hash, consensus)
        assert facts["agent"] == brought.address and facts["gas_used"] > 0 and facts["tx_hash"].startswith("0x")
        assert await agents[2].submit_to_blockchain(position, task_hash, consensus) == facts
        with pytest.raises(ConsensusError, match="AlreadySubmitted"):
            await agents[2].submit_to_blockchain(position.flip(0), task_hash, consensus)


async def test_states_are_told_as_they_come_and_cancelling_leaves_it_usable(node: str) -> None:
    seen: list[NashEthereumState] = []
    reached = asyncio.Event()

    async def on_state(state: NashEthereumState) -> None:
        seen.append(state)
        reached.set()
        await asyncio.sleep(0.01)

    async with NashEthereumConsensus(node, on_state=on_state) as consensus:
        agents = agents_of(consensus, 3)
        running = asyncio.create_task(consensus.orchestrate_consensus(TASK, agents))
        await reached.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        broken, seen[:] = seen[0], []
        state = await consensus.orchestrate_consensus(TASK, agents)
    assert [told.iteration for told in seen] == [*range(1, state.iteration + 1), state.iteration]
    assert not seen[0].converged and seen[-1] is state and state.converged
    assert {told.task_hash for told in seen} == {state.task_hash} and state.task_hash != broken.task_hash
    assert seen[0].positions["agent_0"].shape == (5,) and seen[0].gap < float("inf")


async def test_what_cannot_work_says_so(node: str) -> None:
    for wrong in ("localhost:8545", "", None, 5):
        with pytest.raises(ConsensusError, match="provider"):
            NashEthereumConsensus(wrong)
    with pytest.raises(ConsensusError, match="address"):
        NashEthereumConsensus(node, "0x12")
    with pytest.raises(ConsensusError, match=r"unknown|supported"):
        NashEthereumConsensus(node, device="abacus")
    with pytest.raises(ConsensusError, match="no setting 'coupled'"):
        NashEthereumConsensus(node, config={"coupled": 1.0})
    async with NashEthereumConsensus("http://127.0.0.1:1") as nowhere:
        agents = agents_of(nowhere, 3)
        with pytest.raises(RpcError, match="cannot be reached"):
            await nowhere.orchestrate_consensus(TASK, agents)
        assert (await nowhere.orchestrate_consensus(TASK, agents, hybrid_mode=False)).converged
        with pytest.raises(ConsensusError, match="too few"):
            await nowhere.orchestrate_consensus(TASK, [], hybrid_mode=False)
        with pytest.raises(ConsensusError, match="same name"):
            await nowhere.orchestrate_consensus(TASK, [agents[0]] * 3, hybrid_mode=False)
        with pytest.raises(ConsensusError):
            await nowhere.orchestrate_consensus({"type": "no such"}, agents, hybrid_mode=False)
        with pytest.raises(ConsensusError, match="max_iterations"):
            await nowhere.orchestrate_consensus(TASK, agents, max_iterations=0, hybrid_mode=False)
    async with NashEthereumConsensus(node, "0x" + "11" * 20) as empty:
        with pytest.raises(WrongChainError):
            await empty.orchestrate_consensus(TASK, agents_of(empty, 3))


@pytest.mark.parametrize("agents", [None, 3, "agents", {"a": 1}, ["a"], [None]])
async def test_what_is_no_list_of_agents_is_refused(agents: Any) -> None:
    async with NashEthereumConsensus(device="cpu") as consensus:
        with pytest.raises(ConsensusError, match="agents cannot be used"):
            await consensus.orchestrate_consensus(TASK, agents, hybrid_mode=False)


def test_what_is_no_mapping_of_settings_is_refused() -> None:
    for config in (5, "max_iterations", [1]):
        with pytest.raises(ConsensusError, match="settings cannot be used"):
            NashEthereumConsensus(config=config)  # type: ignore[arg-type]


async def test_settings_have_their_effect_where_the_call_leaves_them() -> None:
    async with NashEthereumConsensus(config={"hybrid_mode": False, "max_iterations": 1}) as consensus:
        agents = agents_of(consensus)
        state = await consensus.orchestrate_consensus(TASK, agents)
        assert state.iteration == 1 and not state.converged and "1 iterations" in state.message
        finer = await consensus.orchestrate_consensus(TASK, agents, 50, 1e-5)
        assert finer.converged and finer.iteration > 1
    on_cpu = NashEthereumConsensus(config={"gpu_acceleration": False}, device="cuda")
    assert on_cpu.device == "cpu" and on_cpu.config.hybrid_mode


def test_names_give_the_same_accounts_everywhere() -> None:
    one, two = NashEthereumConsensus(), NashEthereumConsensus()
    a = one.create_agent_identity("a")
    assert a.address == one.create_agent_identity("a").address == two.create_agent_identity("a").address
    assert a.address != one.create_agent_identity("b").address
    key = bytes(a.account.key).hex()
    assert key not in repr(a) + repr(one) + repr(vars(one)) + repr(vars(one._accounts))
    wallet = Wallet.of_key(b"\x05" * 32)
    other = NashEthereumConsensus(wallet=wallet)
    assert other.create_agent_identity("a").address not in (a.address, wallet.address(0))
    assert other._accounts.wallet.address(0) == wallet.address(0)
    for bad in ("", " ", "x" * 65, "a\nb", None):
        with pytest.raises(ConsensusError):
            one.create_agent_identity(bad)


FORGETFUL = """
import asyncio, gc, tempfile, os
from torch import nn
from engine.consensus import NashEthereumConsensus, EthereumNeuralAgent
task = %r

async def main():
    consensus = NashEthereumConsensus(%r)
    agents = [EthereumNeuralAgent(n, nn.Linear(8, 5), consensus.create_agent_identity(n)) for n in "abc"]
    await consensus.orchestrate_consensus(task, agents)
    assert await consensus.web3.eth.block_number > 0
    folder = consensus._open().path.parent
    assert folder.exists()
    return consensus, agents, folder

consensus, agents, folder = asyncio.run(main())
asyncio.run(consensus.orchestrate_consensus(task, agents))
del consensus
gc.collect()
assert not folder.exists()
"""


def test_who_forgets_to_close_leaves_nothing(node: str) -> None:
    program = [sys.executable, "-W", "error", "-c", FORGETFUL % (TASK, node)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(program, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_a_gpu_all_agents_go_to_the_processor() -> None:
    if torch.cuda.device_count():
        pytest.skip("there is a GPU")
    consensus = MultiGPUConsensus(web3_provider="http://127.0.0.1:1")
    agents = agents_of(consensus, 3)
    consensus.distribute_agents(agents)
    assert consensus.devices == ["cpu"] and [agent.device for agent in agents] == ["cpu"] * 3
    assert MultiGPUConsensus(num_gpus=0).devices == ["cpu"]
    for wrong in (1, -1, "2", True):
        with pytest.raises(ConsensusError, match="GPUs"):
            MultiGPUConsensus(num_gpus=wrong)


async def test_another_solver_gives_a_second_opinion() -> None:
    async with NashEthereumConsensus(config={"hybrid_mode": False}) as consensus:
        state = await consensus.orchestrate_consensus(TASK, agents_of(consensus))
    second_opinion(state, "cpu")
    state.positions["agent_0"] += 1e-4
    with pytest.raises(VerificationError, match="another equilibrium"):
        second_opinion(state, "cpu")
    second_opinion(replace(state, result=None), "cpu")
