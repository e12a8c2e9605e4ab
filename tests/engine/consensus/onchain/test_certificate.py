from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import FRACTION, MILLION, from_fixed, to_fixed
from engine.consensus.onchain.certificate import certify, checked, effective_weights, equilibrium_positions
from engine.games.consensus import ConsensusGame
from engine.games.solve import solve

HIGHEST = (1 << 48) - 1
coordinates = st.integers(0, HIGHEST) | st.sampled_from([0, 1, HIGHEST])


@st.composite
def rounds(draw):
    count, dims = draw(st.integers(1, 8)), draw(st.integers(1, 3))
    positions = [[draw(coordinates) for _ in range(dims)] for _ in range(count)]
    confidences = [draw(st.integers(1, MILLION) | st.sampled_from([1, MILLION])) for _ in range(count)]
    weights = [draw(st.integers(1, 1_000)) for _ in range(count)]
    return positions, confidences, weights, draw(st.integers(1, 100 * MILLION) | st.sampled_from([1, 100 * MILLION]))


def exact(column, confidences, weights, kappa):
    """The weighted mean of the equilibrium, solved in fractions."""
    total = sum(weights)
    terms = [Fraction(w * c, c + kappa * total) for c, w in zip(confidences, weights, strict=True)]
    return sum(t * x for t, x in zip(terms, column, strict=True)) / sum(terms)


@given(rounds())
@settings(max_examples=150, deadline=None)
def test_an_aggregate_without_residual_is_always_found(made):
    positions, confidences, weights, kappa = made
    found = certify(positions, confidences, weights, kappa)
    total = found.total_weight
    for column, s in zip(zip(*positions, strict=True), found.aggregate, strict=True):
        y = [((c * x << FRACTION) + kappa * s) // (c + kappa * total) for c, x in zip(confidences, column, strict=True)]
        assert sum(w * value for w, value in zip(found.weights, y, strict=True)) == s


@given(rounds())
@settings(max_examples=150, deadline=None)
def test_the_consensus_is_the_exact_one_but_for_what_floors_take(made):
    positions, confidences, weights, kappa = made
    found = certify(positions, confidences, weights, kappa)
    total = found.total_weight
    slope = sum(Fraction(w * c, c + kappa * total) for c, w in zip(confidences, found.weights, strict=True)) / total
    bound = Fraction(1, 2) + 1 / (slope * (1 << FRACTION))  # the rounding, and W units of S over the slope
    for column, value in zip(zip(*positions, strict=True), found.consensus, strict=True):
        assert min(column) - bound <= value <= max(column) + bound
        assert abs(exact(column, confidences, found.weights, kappa) - value) <= bound


@given(rounds(), st.integers(-(10**6), 10**6))
@settings(max_examples=80, deadline=None)
def test_the_regret_is_never_below_that_of_exact_best_responses(made, shift):
    positions, confidences, weights, kappa = made
    best = certify(positions, confidences, weights, kappa)
    aggregate = [max(0, s + shift) for s in best.aggregate]
    try:
        found = checked(positions, confidences, weights, kappa, aggregate)
    except ConsensusError:
        assert shift > 0  # beyond what positions can add up to
        return
    w, total = found.weights, found.total_weight
    squares = Fraction(0)
    for column, s in zip(zip(*positions, strict=True), aggregate, strict=True):
        y = [Fraction((c * x << 32) + kappa * s, c + kappa * total) for c, x in zip(confidences, column, strict=True)]
        squares += (sum(a * b for a, b in zip(w, y, strict=True)) - s) ** 2
    true = max(Fraction(kappa**2, c + kappa * (total - own)) * squares for c, own in zip(confidences, w, strict=True))
    assert found.regret >= true * Fraction(10**12, 1 << 128)
    assert found.regret >= best.regret


def test_it_is_the_equilibrium_that_the_solver_of_games_finds():
    rng = np.random.default_rng(4)
    ideals = rng.uniform(-3, 3, (7, 5))
    confidences = rng.integers(1, MILLION, 7)
    weights = effective_weights([int(w) for w in rng.integers(1, 1_000, 7)])
    kappa = 40_000
    found = certify(to_fixed(ideals).tolist(), confidences.tolist(), weights, kappa)
    influence = np.tile(kappa / MILLION * np.array(found.weights, dtype=float), (7, 1))
    np.fill_diagonal(influence, 0)
    game = ConsensusGame(ideals, confidences / MILLION, influence)
    solved = np.stack(solve(game).equilibria[0].profile)
    stand = np.array(equilibrium_positions(to_fixed(ideals).tolist(), confidences.tolist(), found, kappa))
    assert np.abs(stand - solved).max() < 1e-8
    mean = np.average(solved, axis=0, weights=found.weights)
    assert np.abs(from_fixed(found.consensus) - mean).max() < 1e-8


def test_nobody_has_more_than_a_third_of_what_came_in():
    assert effective_weights([1_000, 1, 1]) == (334, 1, 1)
    assert effective_weights([100] * 3) == (100,) * 3
    assert effective_weights([1, 1]) == (1, 1)
    assert effective_weights([0, 90, 30]) == (0, 40, 30)


def test_a_point_that_is_none_is_refused():
    positions, confidences, weights, kappa = [[0], [HIGHEST]], [MILLION, MILLION], [100, 100], MILLION
    best = certify(positions, confidences, weights, kappa, eps=10**6)
    with pytest.raises(ConsensusError, match="no equilibrium"):
        checked(positions, confidences, weights, kappa, [best.aggregate[0] + (1 << 60)], eps=10**6)
    with pytest.raises(ConsensusError, match="no equilibrium"):
        checked(positions, confidences, weights, kappa, [0], eps=10**30)
    with pytest.raises(ConsensusError, match="aggregate is none"):
        checked(positions, confidences, weights, kappa, [-1])


@pytest.mark.parametrize(
    ("confidences", "weights", "kappa"), [([0], [1], 1), ([1], [0], 1), ([1], [1], 0), ([MILLION + 1], [1], 1)]
)
def test_what_is_no_game_is_refused(confidences, weights, kappa):
    with pytest.raises(ConsensusError):
        certify([[5]], confidences, weights, kappa)
