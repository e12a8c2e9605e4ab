"""Rounds from end to end: what the chain refuses, what agents learn, and what a failure leaves behind."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from engine.chain.errors import ContractRevertError
from engine.consensus.config import ConsensusConfig
from engine.consensus.messages import Domain
from engine.consensus.negotiation.byzantine import misbehave
from engine.consensus.results import OnChain, Verdict
from engine.consensus.rounds.protocol import reach_consensus

QUICK = ConsensusConfig(answer_timeout=0.2)
CHAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")


class Phase:
    """A chain in memory with the real phase's face: it takes all positions but those of ``refuses``."""

    task_hash, domain, nonces, deadline = b"\x09" * 32, CHAIN, {"a1": 4}, 77

    def __init__(self, *, refuses=(), bars=(), weights=None, fails="") -> None:
        self.verdicts = [Verdict(name, "not accepted", 0) for name in bars]
        self.weights = weights or {}
        self.refuses, self.fails, self.done = refuses, fails, []

    async def open(self, task, participants):
        return self

    async def conclude(self, opening, signed):
        self.done.append(("conclude", [word.problem(CHAIN) for word in signed]))
        if self.fails == "conclude":
            raise ContractRevertError("The contract refused", "GapTooLarge")
        verdicts = tuple(Verdict(name, "not accepted", 0) for name in self.refuses)
        return OnChain(31337, CHAIN.contract, self.task_hash, "0x1", 5, 9, np.zeros(1), True, verdicts=verdicts)

    async def convict(self, evidence):
        self.done.append(("convict", evidence.agent))
        if self.fails == "convict":
            raise ContractRevertError("The contract refused", "NotEquivocation")
        return {evidence.agent: 5}


def run(task, agents, config=QUICK, **more):
    return asyncio.run(reach_consensus(task, agents, config, **more))


def test_what_the_contract_did_not_take_is_not_in_the_result(make_task, make_agent) -> None:
    task, told = make_task(1), []
    agents = [make_agent(f"a{i}", [0.4 + i / 20], 0.5) for i in range(5)]
    phase = Phase(refuses=("a4",), bars=("a0",), weights={"a1": 30})
    made = run(task, agents, phase=phase, on_verdict=told.append)
    assert [verdict.agent for verdict in made.verdicts] == ["a0", "a4"] == [verdict.agent for verdict in told]
    assert made.agents == ("a1", "a2", "a3") and made.converged and made.task_hash == phase.task_hash
    assert phase.done == [("conclude", [""] * 4)] and made.weights.tolist() == [30.0, 76.0, 76.0]
    alone = run(task, agents[1:4], phase=Phase(weights={"a1": 30}))
    np.testing.assert_allclose(made.equilibrium, alone.equilibrium, atol=1e-12)
    assert made.gap < 1e-18


def test_evidence_is_used_even_without_a_quorum_and_trouble_with_it_stops_nobody(make_task, make_agent) -> None:
    task = make_task(1)

    def agents(liars: int):
        honest = [make_agent(f"a{i}", [0.4 + i / 20]) for i in range(3)]
        return honest + [misbehave(make_agent(f"b{i}", [0.5]), "equivocating") for i in range(liars)]

    phase = Phase()
    made = run(task, agents(2), phase=phase)
    assert made.on_chain.slashed_wei == {"b0": 5, "b1": 5} and len(made.evidence) == 2
    assert [what for what, _ in phase.done] == ["convict", "convict", "conclude"]

    lost = Phase()
    made = run(task, agents(4), phase=lost)
    assert {what for what, _ in lost.done} == {"convict"} and made.on_chain is None and not made.converged
    assert made.equilibrium.shape == (0,) and "No quorum" in made.message and made.agents == ()

    made = run(task, agents(1), phase=Phase(fails="convict"))
    assert made.converged and "b0 could not be slashed" in made.message and made.on_chain.slashed_wei == {}


def test_too_many_barred_agents_leave_no_round(make_task, make_agent) -> None:
    agents = [make_agent(f"a{i}", [0.5]) for i in range(5)]
    phase = Phase(bars=("a0", "a1", "a2"))
    made = run(make_task(1), agents, phase=phase)
    assert not phase.done and "2 of 5 agents, 3 are needed" in made.message
    # More than half of all who came must remain, not of those who were let in.
    made = run(make_task(1), [*agents[:4], misbehave(agents[4], "nan")], phase=Phase(bars=("a0", "a1")))
    assert "No quorum" in made.message


def test_agents_learn_the_consensus_or_the_truth_and_failing_to_learn_costs_nothing(
    make_task, make_agent, caplog
) -> None:
    class Dull(make_agent):
        async def learn(self, task, outcome):
            raise RuntimeError("too hard")

    class Slow(make_agent):
        async def learn(self, task, outcome):
            await asyncio.sleep(60)

    task = make_task(1)
    agents = [make_agent("a", [0.4]), Dull("dull", [0.5]), Slow("slow", [0.5]), make_agent("b", [0.6])]
    liar = make_agent("liar", [0.5])
    with caplog.at_level("INFO", "engine"):
        made = run(task, [*agents, misbehave(liar, "nan")], replace(QUICK, answer_timeout=0.1))
    np.testing.assert_allclose(agents[0].learnt[0], made.equilibrium)
    assert made.converged and not liar.learnt
    assert "dull did not learn" in caplog.text and "slow did not learn" in caplog.text
    run(task, agents[::3], truth=np.array([1.0]))
    assert agents[3].learnt[-1].tolist() == [1.0]


def test_a_chain_that_fails_fails_the_round_and_nobody_learns(make_task, make_agent) -> None:
    agents = [make_agent(f"a{i}", [0.5]) for i in range(3)]
    with pytest.raises(ContractRevertError):
        run(make_task(1), agents, phase=Phase(fails="conclude"))
    assert not any(agent.learnt for agent in agents)
