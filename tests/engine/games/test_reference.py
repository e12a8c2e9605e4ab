"""The reference games: what is known of them holds, and every method finds what it is for."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from engine.games.consensus import ConsensusGame
from engine.games.games import BimatrixGame, FiniteGame, MatrixGame, Profile
from engine.games.methods import Finds, Method, method_for_all, methods_for
from engine.games.options import SolveOptions
from engine.games.reference import Reference, references
from engine.games.results import Solution, Status
from engine.games.solve import solve
from engine.games.verify import correlated_gap, gap_of

ALL = {known.key: known for known in references()}
IDS = list(ALL)
TO_ONE = [
    (known, method)
    for known in references()
    for method in methods_for(known.game)
    if method.finds is Finds.ONE and "cpu" in method.devices
]


def distance(first: Profile, second: Profile) -> float:
    return max(float(np.abs(a - b).max()) for a, b in zip(first, second, strict=True))


def nearest(known: Reference, profile: Profile) -> float:
    return min(distance(profile, equilibrium) for equilibrium in known.equilibria)


def solved(known: Reference, method: str, **options: float) -> Solution:
    solution = solve(known.game, method, SolveOptions(**options))  # type: ignore[arg-type]
    assert solution.status is Status.SOLVED, solution.message
    return solution


def test_there_are_the_twelve_games_of_the_design_and_a_consensus() -> None:
    assert len(ALL) == 13
    assert sum(isinstance(known.game, ConsensusGame) for known in ALL.values()) == 1


@pytest.mark.parametrize("key", IDS)
def test_every_known_equilibrium_is_one(key: str) -> None:
    known = ALL[key]
    assert known.equilibria
    assert len(known.equilibria) <= known.count
    for profile in known.equilibria:
        assert gap_of(known.game, profile).relative < 1e-14
    for first, second in itertools.combinations(known.equilibria, 2):
        assert distance(first, second) > 0.01
    assert known.source
    assert known.shows


@pytest.mark.parametrize("key", ["oneill", "stalling"])
def test_the_values_of_zero_sum_games(key: str) -> None:
    known = ALL[key]
    assert gap_of(known.game, known.equilibria[0]).payoffs[0] == pytest.approx(known.facts["value"], abs=1e-15)


def test_the_payoffs_are_those_of_the_sources() -> None:
    nau = ALL["nau"].equilibria[0]
    assert [round(float(strategy[0]), 6) for strategy in nau] == [0.619233, 0.479804, 0.378825]
    # O'Neill: the jokers meet, or different cards without a joker: player 1 wins.
    game = ALL["oneill"].game
    assert isinstance(game, MatrixGame)
    for i, j in itertools.product(range(4), repeat=2):
        wins = (i == j == 0) or (i > 0 and j > 0 and i != j)
        assert game.a[i, j] == (1 if wins else -1)
    mixed = [p for p in ALL["mckelvey"].equilibria if min(map(np.min, p)) > 0]
    assert len(mixed) == 2


@pytest.mark.parametrize(("known", "method"), TO_ONE, ids=[f"{known.key}-{method.key}" for known, method in TO_ONE])
def test_every_method_finds_a_known_equilibrium(known: Reference, method: Method) -> None:
    found = solved(known, method.key, epsilon=1e-8).equilibria[0]
    if known.complete and known.key not in ("winkels", "loopback"):  # those have whole sets of equilibria
        assert nearest(known, found.profile) < 1e-4


@pytest.mark.parametrize("key", [key for key in IDS if key not in ("two-agents",)])
def test_all_equilibria_are_found(key: str) -> None:
    known = ALL[key]
    solution = solve(known.game, method_for_all(known.game).key, SolveOptions(epsilon=1e-8))
    if isinstance(known.game, MatrixGame | BimatrixGame):
        assert solution.status is Status.SOLVED, solution.message
    else:
        assert solution.status in (Status.SOLVED, Status.INCOMPLETE)  # nobody can promise all of three players' games
    assert len(solution.equilibria) == known.count
    for profile in known.equilibria:
        assert min(distance(profile, found.profile) for found in solution.equilibria) < 1e-7


@pytest.mark.parametrize("key", ["battle", "chicken", "unreachable", "stengel", "winkels", "mckelvey", "loopback"])
def test_pure_equilibria_are_found(key: str) -> None:
    known = ALL[key]
    assert isinstance(known.game, FiniteGame)
    pure = set()
    for actions in itertools.product(*map(range, known.game.sizes)):
        profile = tuple(np.eye(size)[action] for size, action in zip(known.game.sizes, actions, strict=True))
        if gap_of(known.game, profile).nashconv == 0:
            pure.add(actions)
    found = solved(known, "pure").equilibria
    assert {tuple(int(strategy.argmax()) for strategy in item.profile) for item in found} == pure
    assert pure


def test_the_best_correlated_equilibrium_of_chicken() -> None:
    known = ALL["chicken"]
    found = solved(known, "correlated").equilibria[0]
    assert isinstance(known.game, FiniteGame)
    assert found.joint is not None
    assert correlated_gap(known.game, found.joint, coarse=False).nashconv < 1e-9
    assert found.gap.payoffs.sum() == pytest.approx(known.facts["best correlated welfare"], abs=1e-9)


def test_the_logit_path_of_loopback_ends_at_its_last_equilibrium() -> None:
    known = ALL["loopback"]
    assert distance(solved(known, "logit").equilibria[0].profile, known.equilibria[-1]) < 1e-4


def test_predictive_regret_matching_does_not_stall() -> None:
    known = ALL["stalling"]
    found = solve(known.game, "prm+", SolveOptions(epsilon=1e-8, iterations=2000))
    assert found.status is Status.SOLVED
    plain = solve(known.game, "rm+", SolveOptions(epsilon=1e-8, iterations=2000))
    assert plain.status is Status.NOT_CONVERGED


def test_two_agents_meet_where_the_closed_form_says() -> None:
    known = ALL["two-agents"]
    assert distance(solved(known, "auto", epsilon=1e-12).equilibria[0].profile, known.equilibria[0]) < 1e-12
