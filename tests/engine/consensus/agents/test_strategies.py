from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.consensus.agents.strategies import LEAST_CONFIDENCE, REAL_CONFIDENCE, decide, distribution, fit, logits_of
from engine.consensus.errors import ConsensusError
from engine.consensus.tasks import Task

SPACES = ("simplex", "box", "real")
numbers = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=8)


def task(dims: int, space: str) -> Task:
    return Task("test", {"type": "test"}, tuple(f"x{i}" for i in range(dims)), space, b"\0" * 32)


@given(numbers, st.sampled_from(SPACES), st.sampled_from(("pure", "mixed", "adaptive")))
def test_positions_lie_in_the_tasks_space(logits: list[float], space: str, strategy: str) -> None:
    proposal = decide(np.array(logits), task(len(logits), space), strategy)
    assert proposal.position.shape == (len(logits),)
    assert LEAST_CONFIDENCE <= proposal.confidence <= 1.0
    if space == "simplex":
        assert proposal.position.min() >= 0
        assert proposal.position.sum() == pytest.approx(1.0, abs=1e-12)
    if space == "box":
        assert ((proposal.position >= 0) & (proposal.position <= 1)).all()


def test_pure_is_a_choice_and_mixed_a_distribution() -> None:
    logits = np.array([0.3, 2.0, -1.0])
    assert decide(logits, task(3, "simplex"), "pure").position.tolist() == [0, 1, 0]
    assert decide(logits, task(3, "box"), "pure").position.tolist() == [1, 1, 0]
    assert decide(logits, task(3, "real"), "pure").position.tolist() == logits.tolist()
    assert decide(logits, task(3, "simplex"), "mixed").position == pytest.approx(np.exp(logits) / np.exp(logits).sum())
    assert decide(logits, task(3, "box"), "mixed").position == pytest.approx(1 / (1 + np.exp(-logits)))
    assert decide(np.array([1.0, 1.0]), task(2, "simplex"), "pure").position.tolist() == [1, 0]


def test_confidence_says_how_sure_the_distribution_is() -> None:
    for space in ("simplex", "box"):
        unsure, leaning, sure = (
            decide(np.array(logits), task(3, space), "mixed").confidence
            for logits in ([0.0, 0.0, 0.0], [1.0, -1.0, -1.0], [40.0, -40.0, -40.0])
        )
        assert unsure == LEAST_CONFIDENCE < leaning < sure
        assert sure == pytest.approx(1.0)
    half = decide(np.array([0.0, 0.0, -1e9, -1e9]), task(4, "simplex"), "mixed").confidence
    assert half == pytest.approx(0.5)  # one bit of two
    assert decide(np.zeros(2), task(2, "real"), "mixed").confidence == REAL_CONFIDENCE
    assert decide(np.zeros(2), task(2, "real"), "mixed", 0.8).confidence == 0.8
    assert decide(np.zeros(2), task(2, "real"), "mixed", 7.0).confidence == 1.0
    assert decide(np.zeros(2), task(2, "real"), "mixed", float("nan")).confidence == LEAST_CONFIDENCE


@pytest.mark.parametrize("space", SPACES)
@pytest.mark.parametrize("strategy", ["pure", "mixed"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_what_is_not_finite_is_left_for_the_round_to_judge(space: str, strategy: str, bad: float) -> None:
    proposal = decide(np.array([1.0, bad, 0.0]), task(3, space), strategy)
    assert 0 < proposal.confidence <= 1
    if np.isnan(bad):
        assert np.isnan(proposal.position).any()


def test_the_first_outputs_count_and_too_few_are_refused() -> None:
    assert fit(np.arange(6.0).reshape(2, 3), task(4, "box")).tolist() == [0, 1, 2, 3]
    with pytest.raises(ConsensusError, match=r"gives 3 number.* has 4 coordinates"):
        fit(np.zeros(3), task(4, "box"))


@given(st.lists(st.floats(-10, 10), min_size=2, max_size=6), st.sampled_from(SPACES))
def test_logits_lead_back_to_the_position(logits: list[float], space: str) -> None:
    position = distribution(np.array(logits), space)
    assert distribution(logits_of(position, space), space) == pytest.approx(position, abs=1e-5)
