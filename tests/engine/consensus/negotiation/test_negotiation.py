"""The off-chain phase: where it ends, when it stops, who is waited for."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.consensus.config import ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import millionths
from engine.consensus.messages import Domain
from engine.consensus.negotiation.talks import Negotiation
from engine.consensus.participants import Proposal
from engine.core.hashing import keccak
from engine.games.consensus import ConsensusGame
from engine.games.solvers.agreement_linear import agree

CHAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
QUICK = ConsensusConfig(answer_timeout=0.05)


def negotiate(task, agents, config=QUICK, **more):
    return asyncio.run(Negotiation(task, task.hash, agents, config, **more).run())


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 9), st.integers(1, 5), st.integers(0, 2**32), st.booleans())
def test_it_ends_at_the_equilibrium_of_the_last_proposals(make_task, make_agent, n, d, seed, heavy) -> None:
    random = np.random.default_rng(seed)
    task = make_task(d)
    ideals, confidences = 0.4 + 0.2 * random.random((n, d)), random.uniform(0.01, 1, n)
    agents = [make_agent(f"a{i}", ideals[i], confidences[i], openness=0.2 * random.random()) for i in range(n)]
    weights = {f"a{i}": int(random.integers(1, 300)) for i in range(n)} if heavy else None
    made = negotiate(task, agents, replace(ConsensusConfig(), convergence_threshold=1e-6), weights=weights)
    assert made.converged, made.message
    assert made.agents == tuple(f"a{i}" for i in range(n)) and not made.verdicts
    raw = np.array([100.0] * n if weights is None else list(weights.values()))
    capped = np.minimum(raw, max(1, raw.sum() // 3))
    influence = 0.01 * np.tile(capped, (n, 1)) * (1 - np.eye(n))
    game = ConsensusGame(made.ideals, np.array([millionths(c) for c in confidences]) / 1e6, influence)
    found = agree(game.confidence, game.influence, game.points, game.points).positions
    np.testing.assert_allclose(made.positions, found, atol=1e-12)
    np.testing.assert_allclose(made.equilibrium, capped @ found / capped.sum(), atol=1e-12)
    assert made.gap < 1e-18 and 0 <= made.convergence_rate <= 1


def test_the_gap_falls_and_every_iteration_is_told(make_task, make_agent) -> None:
    task = make_task(2)
    agents = [make_agent(f"a{i}", [i / 4, 1 - i / 4], 0.2 + 0.2 * i) for i in range(5)]
    told = []
    made = negotiate(task, agents, replace(QUICK, convergence_threshold=1e-9), on_iteration=told.append)
    gaps = [iteration.gap for iteration in told]
    assert len(told) == made.iterations >= 4
    assert all(later < 0.9 * earlier for earlier, later in pairwise(gaps))
    assert gaps[-1] <= 1e-9 < gaps[-2]
    np.testing.assert_allclose(told[-1].consensus, made.equilibrium)
    np.testing.assert_allclose(told[-1].positions, made.positions, atol=1e-3)
    assert [iteration.number for iteration in told] == list(range(1, made.iterations + 1))


def test_the_same_seed_agents_and_settings_give_the_same_trace(make_task, make_agent) -> None:
    task = make_task(3)

    def run(shift=0.0, **more):
        ideals = np.random.default_rng(1).random((6, 3)) + shift
        return negotiate(task, [make_agent(f"a{i}", x, 0.5, 0.1) for i, x in enumerate(ideals)], **more)

    first, second = run(), run()
    assert first.trace == second.trace and len(first.trace) == 64
    assert run(domain=CHAIN).trace == first.trace
    assert run(shift=-1e-4).trace != first.trace


def test_max_iterations_end_it_with_a_sentence(make_task, make_agent) -> None:
    class Restless(make_agent):
        async def propose(self, task, state, iteration):
            return Proposal(np.array([iteration % 2, 0.5]))

    task = make_task(2)
    agents = [Restless("restless", [0, 0]), make_agent("calm", [0, 1]), make_agent("cool", [1, 1])]
    made = negotiate(task, agents, replace(QUICK, max_iterations=7))
    assert not made.converged and made.iterations == 7 and made.quorate
    assert "still revise" in made.message and "restless" in made.message
    one = negotiate(task, [make_agent("a", [0, 0]), make_agent("b", [1, 1])], replace(QUICK, max_iterations=1))
    assert not one.converged and one.message
    slow = replace(QUICK, max_iterations=3, convergence_threshold=1e-12)
    assert "gap" in negotiate(task, [make_agent("a", [0, 0]), make_agent("b", [1, 1], 0.1)], slow).message


def test_only_changed_proposals_are_signed_and_the_last_one_for_the_chain(make_task, make_agent) -> None:
    signed = []

    class Noting(make_agent):
        def announce(self, message, packed, domain):
            from engine.consensus.messages import SignedPosition

            signed.append((self.agent_id, message.round, message.nonce, message.deadline))
            return [SignedPosition(message, packed, self.signer.sign(message, domain))]

    task = make_task(1)
    agents = [Noting("still", [0.2]), Noting("open", [0.8], openness=0.5)]
    made = negotiate(task, agents, domain=CHAIN, nonces={"open": 7}, deadline=99)
    assert made.converged
    assert [round_ for name, round_, *_ in signed if name == "still"] == [1, 0]
    assert [round_ for name, round_, *_ in signed if name == "open"][:2] == [1, 2]
    assert {nonce for name, _, nonce, _ in signed if name == "open"} == {7}
    assert {deadline for *_, deadline in signed} == {99}
    assert [word.problem(CHAIN) for word in made.signed] == ["", ""]
    assert all(word.message.round == 0 and word.message.task_hash == task.hash for word in made.signed)
    assert [keccak(word.packed) == word.message.position_hash for word in made.signed] == [True, True]
    assert negotiate(task, agents).signed == ()


def test_silent_agents_cost_one_deadline_and_nobody_is_waited_for_when_cancelled(make_task, make_agent) -> None:
    stubborn, seen = True, []

    class Stubborn(make_agent):
        async def propose(self, task, state, iteration):
            seen.append(iteration)
            while True:
                try:
                    await asyncio.sleep(3600)
                except asyncio.CancelledError:
                    if not stubborn:
                        raise

    async def main() -> None:
        nonlocal stubborn
        task = make_task(1)
        agents = [make_agent(f"a{i}", [i / 8]) for i in range(4)] + [Stubborn(f"s{i}", [0]) for i in range(3)]
        made = await Negotiation(task, task.hash, agents, QUICK).run()
        assert made.converged and made.agents == ("a0", "a1", "a2", "a3") and seen == [1, 1, 1]
        assert [verdict.reason for verdict in made.verdicts] == ["silent"] * 3
        patient = ConsensusConfig(answer_timeout=3600)
        running = asyncio.create_task(Negotiation(task, task.hash, agents, patient).run())
        while len(seen) < 6:
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        left = asyncio.all_tasks() - {asyncio.current_task()}
        assert len(left) == 6  # of both rounds: none was waited for
        stubborn = False
        for task in left:
            task.cancel()

    asyncio.run(main())


def test_before_pauses_each_iteration(make_task, make_agent) -> None:
    seen, gate = [], asyncio.Event()

    async def before(iteration: int) -> None:
        seen.append(iteration)
        if iteration == 2:
            await gate.wait()

    async def main():
        task = make_task(1)
        agents = [make_agent("a", [0.0]), make_agent("b", [1.0])]
        running = asyncio.create_task(Negotiation(task, task.hash, agents, QUICK, before=before).run())
        await asyncio.sleep(0.05)
        assert seen == [1, 2] and not running.done()
        gate.set()
        return await running

    assert asyncio.run(main()).converged


def test_what_cannot_begin_is_refused(make_task, make_agent) -> None:
    task = make_task(1)
    a, b = make_agent("a", [0]), make_agent("b", [0])
    for agents, config in (
        ([], QUICK),
        ([a], QUICK),
        ([a, b], replace(QUICK, quorum=3)),
        ([a, a], QUICK),
        ([a, make_agent("a", [1])], QUICK),
    ):
        with pytest.raises(ConsensusError):
            Negotiation(task, task.hash, agents, config)
    twin = make_agent("twin", [0])
    twin.signer = a.signer
    with pytest.raises(ConsensusError, match="same address"):
        Negotiation(task, task.hash, [a, twin], QUICK)
    with pytest.raises(ConsensusError, match="weight"):
        Negotiation(task, task.hash, [a, b], QUICK, weights={"a": 0})
    with pytest.raises(ConsensusError, match="at most"):
        Negotiation(task, task.hash, [a] * 1025, QUICK)


def test_agents_that_come_ever_closer_have_agreed(make_task, make_agent) -> None:
    class Following(make_agent):
        async def propose(self, task, state, iteration):
            self.ideal = self.ideal if state is None else self.ideal + 0.2 * (state - self.ideal)
            return Proposal(self.ideal)

    task = make_task(2)
    made = negotiate(
        task, [Following(f"a{i}", [i / 3, 1 - i / 3]) for i in range(4)], replace(QUICK, max_iterations=60)
    )
    assert made.converged and made.iterations > 10
    np.testing.assert_allclose(made.equilibrium, [0.5, 0.5], atol=1e-6)


def test_an_agent_that_cannot_even_be_asked_fails_alone(make_task, make_agent) -> None:
    class NotAsync(make_agent):
        def propose(self, task, state, iteration):
            return Proposal(self.ideal)

    class Short(make_agent):
        async def propose(self, task):
            return Proposal(self.ideal)

    task = make_task(1)
    odd = [NotAsync("plain", [0.5]), Short("short", [0.5])]
    made = negotiate(task, odd + [make_agent(f"a{i}", [0.5]) for i in range(3)])
    assert made.converged and [(v.agent, v.reason) for v in made.verdicts] == [("plain", "failed"), ("short", "failed")]


def test_the_off_chain_phase_needs_neither_torch_nor_web3() -> None:
    code = (
        "import sys, engine.consensus.rounds.protocol, engine.consensus.negotiation.byzantine\n"
        "heavy = {'torch', 'web3', 'eth_account', 'coincurve', 'scipy', 'numba'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
