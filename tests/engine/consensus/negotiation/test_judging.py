"""Who is left out and why; that honest agents never are; and how little a minority of liars can do."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.consensus.config import ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.messages import Domain, SignedPosition
from engine.consensus.negotiation.byzantine import BEHAVIOURS, misbehave
from engine.consensus.negotiation.equilibrium import WeightedGame, capped
from engine.consensus.negotiation.judging import (
    PART,
    REACH,
    Fault,
    convicts,
    ideal_of,
    ideals_of,
    least_distance,
    outliers,
    word_of,
)
from engine.consensus.negotiation.talks import Negotiation
from engine.consensus.participants import Proposal
from engine.consensus.results import REASONS

CHAIN = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")
QUICK = ConsensusConfig(answer_timeout=0.1)
EXPECTED = {
    "outlier": "outlier",
    "colluding": "outlier",
    "silent": "silent",
    "equivocating": "equivocation",
    "wrong_signature": "bad signature",
    "stale_nonce": "stale nonce",
    "nan": "not finite",
}


def negotiate(task, agents, config=QUICK, **more):
    return asyncio.run(Negotiation(task, task.hash, agents, config, **more).run())


@pytest.mark.parametrize("space", ["simplex", "box", "real"])
@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_each_behaviour_is_noticed_and_the_others_agree_without_it(make_task, make_agent, behaviour, space) -> None:
    task = make_task(3, space)
    ideals = np.random.default_rng(5).dirichlet([60, 60, 60], 6)
    honest = [make_agent(f"a{i}", ideal) for i, ideal in enumerate(ideals)]
    made = negotiate(task, [*honest[:5], misbehave(honest[5], behaviour)], domain=CHAIN)
    assert made.converged and made.agents == ("a0", "a1", "a2", "a3", "a4")
    assert [(verdict.agent, verdict.reason) for verdict in made.verdicts] == [("a5", EXPECTED[behaviour])]
    alone = negotiate(task, honest[:5])
    np.testing.assert_allclose(made.equilibrium, alone.equilibrium, atol=1e-12)
    assert bool(made.evidence) == (behaviour == "equivocating")
    for found in made.evidence:
        assert found.agent == "a5" and found.first.problem(CHAIN) == found.second.problem(CHAIN) == ""
        assert convicts(found.first.message, found.second.message)


def test_behaviours_are_switched_while_a_round_runs(make_task, make_agent) -> None:
    task = make_task(2)
    agents = [misbehave(make_agent(f"a{i}", [i / 4, 0.5], openness=0.3)) for i in range(5)]

    async def before(iteration: int) -> None:
        if iteration == 3:
            agents[2].become("equivocating")

    config = replace(QUICK, convergence_threshold=1e-9)
    made = negotiate(task, agents, config, before=before)
    assert [(v.agent, v.reason, v.iteration) for v in made.verdicts] == [("a2", "equivocation", 3)]
    assert negotiate(task, [misbehave(agent, "honest") for agent in agents], config).verdicts == ()
    with pytest.raises(ConsensusError, match="no behaviour"):
        agents[0].become("evil")
    assert set(EXPECTED.values()) <= set(REASONS) and set(EXPECTED) == set(BEHAVIOURS)


@pytest.mark.parametrize(
    ("proposal", "reason"),
    [
        (Proposal(np.zeros(3)), "wrong shape"),
        (Proposal(np.zeros((1, 2))), "wrong shape"),
        (Proposal(np.zeros(0)), "wrong shape"),
        (Proposal(np.array([0.5, np.inf])), "not finite"),
        (Proposal(np.array([0.5, 0.5]), float("nan")), "not finite"),
        (Proposal(np.array([0.5, 0.5]), 0.0), "out of range"),
        (Proposal(np.array([0.5, 0.5]), 1.5), "out of range"),
        (Proposal(np.array([0.9, 0.9])), "out of range"),
        (Proposal(np.array([1.5, -0.5])), "out of range"),
        (Proposal(np.array([1e300, 1e300])), "out of range"),
        (None, "failed"),
        (Proposal([[1], [1, 2]]), "failed"),
        (Proposal("no"), "failed"),
        (Proposal(np.array([0.5, 0.5]), "much"), "failed"),
    ],
)
def test_proposals_that_are_none(make_task, proposal, reason) -> None:
    assert ideal_of(make_task(2, "simplex"), proposal).reason == reason


def test_numbers_just_outside_of_the_space_are_rounded_into_it(make_task) -> None:
    found = ideal_of(make_task(2, "simplex"), Proposal(np.array([1.0004, -0.0003])))
    assert found.position.tolist() == [1.0, 0.0]
    big = ideal_of(make_task(1, "real"), Proposal(np.array([40_000.0])))
    assert big.reason == "out of range"


def test_models_and_signers_that_fail_are_left_out(make_task, make_agent) -> None:
    class Broken(make_agent):
        async def propose(self, task, state, iteration):
            raise RuntimeError("a layer is missing")

    class Speechless(make_agent):
        def announce(self, message, packed, domain):
            raise OSError("the key is gone")

    class Mute(make_agent):
        def announce(self, message, packed, domain):
            return []

    class Rambling(make_agent):
        def announce(self, message, packed, domain):
            return ["hello", SignedPosition(message, packed, b"x"), SignedPosition(message, None, None)]

    task = make_task(1)
    odd = [Broken("broken", [0]), Speechless("speechless", [0]), Mute("mute", [0]), Rambling("rambling", [0])]
    made = negotiate(task, [make_agent(f"a{i}", [0.5]) for i in range(5)] + odd)
    assert {verdict.agent: verdict.reason for verdict in made.verdicts} == {
        "broken": "failed",
        "speechless": "failed",
        "mute": "bad signature",
        "rambling": "bad signature",
    }
    assert "layer is missing" in made.verdicts[0].detail and made.converged


def test_without_a_quorum_it_says_why(make_task, make_agent) -> None:
    task = make_task(1)
    agents = [make_agent(f"a{i}", [0.5]) for i in range(2)]
    made = negotiate(task, agents + [misbehave(make_agent(f"b{i}", [0.5]), "nan") for i in range(2)])
    assert not made.quorate and not made.converged and made.equilibrium.shape == (0,)
    assert made.message.startswith("No quorum remains: 2 of 4 agents, 3 are needed (b0: ") and made.message.endswith(
        ")."
    )
    late = [make_agent(f"a{i}", [0.5]) for i in range(3)] + [misbehave(make_agent("b", [0.5]), "nan")]
    assert negotiate(task, late).converged
    assert not negotiate(task, late, replace(QUICK, quorum=4)).quorate


def test_nobody_is_convicted_by_what_others_signed_or_by_saying_the_same_twice(make_task, make_agent) -> None:
    task = make_task(1)
    guilty, innocent = make_agent("guilty", [0.1]), make_agent("innocent", [0.2])

    class Framing(make_agent):
        def announce(self, message, packed, domain):
            forged = replace(message, agent=innocent.signer.address)
            other = replace(message, confidence=1)
            elsewhere = replace(message, nonce=6, confidence=1)
            return [
                SignedPosition(elsewhere, packed, self.signer.sign(elsewhere, domain)),
                SignedPosition(forged, packed, self.signer.sign(forged, domain)),
                SignedPosition(other, packed, innocent.signer.sign(other, domain)),
                SignedPosition(message, packed, self.signer.sign(message, domain)),
                SignedPosition(
                    replace(message, deadline=5), packed, self.signer.sign(replace(message, deadline=5), domain)
                ),
                SignedPosition(replace(message, nonce=5), packed, self.signer.sign(replace(message, nonce=5), domain)),
            ]

    made = negotiate(task, [Framing("framing", [0.3]), guilty, innocent], domain=CHAIN)
    assert made.verdicts == () and made.evidence == () and len(made.signed) == 3


spread = st.floats(0.0, 1.0)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 10), st.integers(1, 6), st.sampled_from(["simplex", "box"]), spread, st.integers(0, 2**32))
def test_honest_agents_are_never_accused(make_task, make_agent, n, d, space, spread, seed) -> None:
    random = np.random.default_rng(seed)
    task = make_task(d, space)
    centre = random.dirichlet(np.ones(d)) if space == "simplex" else random.random(d)
    other = random.dirichlet(np.ones(d), n) if space == "simplex" else random.random((n, d))
    ideals = centre + spread * (other - centre)
    agents = [
        make_agent(f"a{i}", ideals[i], random.uniform(1e-6, 1), random.uniform(0, 0.5) * random.integers(0, 2))
        for i in range(n)
    ]
    weights = {f"a{i}": int(random.integers(1, 1001)) for i in range(n)}
    made = negotiate(task, agents, replace(QUICK, answer_timeout=60.0), domain=CHAIN, weights=weights)
    assert not made.evidence and {verdict.reason for verdict in made.verdicts} <= {"outlier"}
    assert made.quorate
    away = np.linalg.norm(ideals - np.median(ideals, axis=0), axis=1)
    if away.max() <= PART * (np.sqrt(2) if space == "simplex" else np.sqrt(d)):
        assert not made.verdicts  # who is within a quarter of the space is nobody's outlier


@settings(max_examples=80, deadline=None)
@given(st.integers(4, 16), st.integers(1, 5), st.sampled_from(["simplex", "box", "real"]), st.integers(0, 2**32))
def test_a_colluding_minority_moves_the_result_by_no_more_than_the_stated_bound(
    make_task, make_agent, n, d, space, seed
) -> None:
    random = np.random.default_rng(seed)
    task = make_task(d, space)
    liars = int(random.integers(1, (n - 1) // 3 + 1))
    draw = (lambda k: random.dirichlet(np.ones(d), k)) if space == "simplex" else (lambda k: random.random((k, d)))
    honest = draw(1) + random.choice([0.01, 0.1, 1.0]) * (draw(n - liars) - draw(1))
    honest = honest.clip(0, 1) if space == "box" else draw(n - liars) if space == "simplex" else honest
    target = draw(1)[0] * (random.choice([1.0, 1e3]) if space == "real" else 1.0)
    ideals = np.concatenate([honest, np.tile(target, (liars, 1))])
    confidences = np.concatenate([random.uniform(0.1, 1, n - liars), np.ones(liars)])
    agents = [make_agent(f"{i}", ideals[i], confidences[i]) for i in range(n)]
    made = negotiate(task, agents)
    names = np.array([int(name) for name in made.agents])
    good = names < n - liars
    game = WeightedGame(made.ideals, made.confidences, made.weights, made.coupling)
    pulls = game.pulls()
    middle = pulls[good] @ made.ideals[good] / pulls[good].sum()  # of the honest who are heard
    box = float(np.linalg.norm(honest.max(axis=0) - honest.min(axis=0)))
    median = np.median(ideals, axis=0)
    reach = max(REACH * box, least_distance(task, median))
    moved = float(np.linalg.norm(made.equilibrium - middle))
    assert moved <= pulls[~good].sum() * (reach + box) + 1e-9
    assert np.linalg.norm(made.equilibrium - median) <= reach + box + 1e-9


def test_far_liars_are_outvoted_and_a_third_is_too_many_to_outvote(make_task) -> None:
    task = make_task(2, "box")
    crowd = np.tile([0.1, 0.1], (7, 1)) + np.random.default_rng(0).normal(0, 0.01, (7, 2))
    far = np.array([[0.95, 0.9]])
    found = outliers(task, np.concatenate([crowd, np.tile(far, (3, 1))]))
    assert list(found) == [7, 8, 9] and found[7].endswith("from the median of all, more than 0.354")
    assert not outliers(task, np.concatenate([crowd, np.tile(far, (4, 1))]))
    assert not outliers(task, np.concatenate([crowd[:2], far]))
    assert not outliers(task, np.concatenate([crowd, [[0.3, 0.3]]]))


def test_no_more_than_a_third_are_outvoted_altogether(make_task, make_agent) -> None:
    class Turning(make_agent):
        async def propose(self, task, state, iteration):
            return Proposal(np.array([0.1 if iteration == 1 else 0.9]))

    task = make_task(1)
    agents = [*(make_agent(f"a{i}", [0.1 + i / 100]) for i in range(4)), Turning("late", [0.1])]
    agents += [make_agent("far", [0.95]), make_agent("farther", [1.0])]
    made = negotiate(task, agents)
    assert [verdict.agent for verdict in made.verdicts] == ["far", "farther"] and made.converged


def test_reputations_are_capped_before_they_count(make_task, make_agent) -> None:
    task = make_task(1)
    agents = [make_agent("rich", [0.5]), *(make_agent(f"a{i}", [0.6]) for i in range(3))]
    made = negotiate(task, agents, weights={"rich": 1000, "a0": 100, "a1": 100, "a2": 100})
    assert made.weights.tolist() == [433.0, 100.0, 100.0, 100.0] == list(map(float, capped([1000, 100, 100, 100])))


def test_the_word_that_was_asked_for_is_the_one_that_counts(make_task, make_agent) -> None:
    from engine.consensus.fixed import pack, to_fixed
    from engine.consensus.messages import PositionMessage, position_hash

    agent = make_agent("a", [0.5])
    packed = pack(to_fixed(np.array([0.5])))
    asked = PositionMessage(b"\1" * 32, agent.signer.address, position_hash(packed), 10**6, 1, 0, 9)

    def said(message, body=packed):
        return SignedPosition(message, body, agent.signer.sign(message, CHAIN))

    right = said(asked)
    assert word_of(SignedPosition(asked, packed, b""), [right, right], CHAIN) is right
    assert word_of(SignedPosition(asked, packed, b""), [said(replace(asked, round=2))], CHAIN).reason == "bad signature"
    assert word_of(SignedPosition(asked, packed, b""), [said(replace(asked, nonce=2))], CHAIN).reason == "stale nonce"
    assert word_of(SignedPosition(asked, packed, b""), [said(asked, b"other!")], CHAIN).reason == "bad signature"
    wrong = [said(asked, b"other!"), said(replace(asked, round=2))]
    assert word_of(SignedPosition(asked, packed, b""), wrong, CHAIN).reason == "bad signature"
    third = replace(asked, agent=make_agent("b", [0.5]).signer.address)
    two = [third, replace(third, confidence=7)]
    shown = [SignedPosition(m, packed, make_agent("b", [0.5]).signer.sign(m, CHAIN)) for m in two]
    assert word_of(SignedPosition(asked, packed, b""), shown, CHAIN).reason == "bad signature"  # another's guilt
    both = word_of(SignedPosition(asked, packed, b""), [right, said(replace(asked, confidence=7))], CHAIN)
    assert both.reason == "equivocation" and both.evidence is not None


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.sampled_from(["simplex", "box", "real"]), st.integers(0, 2**32))
def test_many_proposals_are_judged_as_each_alone(make_task, d, space, seed) -> None:
    random = np.random.default_rng(seed)
    task = make_task(d, space)
    odd = [np.nan, np.inf, -np.inf, -0.5, 1.0005, 2.0, 1e9]
    proposals = []
    for _ in range(8):
        position = random.dirichlet(np.ones(d)) if space == "simplex" else random.random(d)
        if random.random() < 0.4:
            position[random.integers(d)] = random.choice(odd)
        confidence = float(random.choice([0.3, 1.0, 1.0, 1.0, 0.0, np.nan]))
        proposals.append((Proposal(position if random.random() < 0.9 else position[:-1], confidence), None))
    together = ideals_of(task, proposals)
    for (proposal, _), made in zip(proposals, together, strict=True):
        alone = ideal_of(task, proposal)
        assert type(alone) is type(made)
        if isinstance(made, Fault):
            assert made == alone
        else:
            assert made.same(alone) and ideal_of(task, proposal, made) is made
            assert np.abs(made.position - proposal.position).max() <= 2e-3
            assert space != "simplex" or abs(made.position.sum() - 1) < d * 2.0**-32
