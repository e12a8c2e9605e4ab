"""What every method promises, whichever it is: true gaps, steps in order, the same again, and honest endings."""

from __future__ import annotations

import time

import numpy as np
import pytest

from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError
from engine.games.games import BimatrixGame, FiniteGame, Game, MatrixGame, PolymatrixGame, TensorGame
from engine.games.methods import AUTO, METHODS, Finds, Method, method_for, method_for_all, methods_for
from engine.games.options import SolveOptions
from engine.games.results import Status, Step
from engine.games.solve import Solving, solve
from engine.games.trace import TraceDigest
from engine.games.verify import gap_of

OF_TWO_TABLES = np.random.default_rng(5)
A, B = OF_TWO_TABLES.normal(size=(2, 4, 3))
GAMES: dict[str, Game] = {
    "matrix": MatrixGame(A),
    "bimatrix": BimatrixGame(A, B),
    "tensor": TensorGame(tuple(OF_TWO_TABLES.normal(size=(3, 2, 3, 2)))),
    "polymatrix": PolymatrixGame((2, 3, 2), {(0, 1): A[:2], (1, 0): B[:3, :2], (1, 2): A[:3, :2], (2, 0): B[:2, :2]}),
    "consensus": ConsensusGame(OF_TWO_TABLES.normal(size=(5, 3)), OF_TWO_TABLES.random(5)),
}
# Linear programs of zero-sum polymatrix games alone.
GAMES_OF_THEIR_OWN: dict[str, Game] = {
    "polymatrix-lp": PolymatrixGame((4, 3), {(0, 1): A, (1, 0): -A.T}),
}
PAIRS = [(method, kind) for method in METHODS for kind in method.kinds]
each = pytest.mark.parametrize(("method", "kind"), PAIRS, ids=[f"{kind}-{method.key}" for method, kind in PAIRS])
OPTIONS = SolveOptions(stride=1, iterations=300, seed=11, epsilon=1e-5)


def game_for(method: Method, kind: str) -> Game:
    return GAMES_OF_THEIR_OWN.get(method.key, GAMES[kind])


def steps_of(method: Method, game: Game, options: SolveOptions = OPTIONS) -> tuple[list[Step], Solving]:
    solving = Solving(game, method, options)
    return list(solving), solving


@each
def test_the_gap_of_every_step_is_that_of_its_profile(method: Method, kind: str) -> None:
    game = game_for(method, kind)
    steps, _ = steps_of(method, game)
    assert steps, "there is something to watch"
    for step in steps:
        assert step.gap == pytest.approx(gap_of(game, step.profile).nashconv, rel=1e-6, abs=1e-9)
        assert np.isfinite(step.gap)


@each
def test_iterations_are_told_in_order_and_none_twice(method: Method, kind: str) -> None:
    steps, _ = steps_of(method, game_for(method, kind))
    told = [step.iteration for step in steps]
    assert told == sorted(set(told))
    if method.finds is Finds.LEARNING:
        assert told in (list(range(1, len(told) + 1)), list(range(len(told))))


@each
def test_the_same_again_is_the_same(method: Method, kind: str) -> None:
    digests = []
    for _ in range(2):
        digest = TraceDigest()
        for step in steps_of(method, game_for(method, kind))[0]:
            digest.update(step)
        digests.append(digest.hexdigest())
    assert digests[0] == digests[1]


@each
def test_an_answer_says_no_more_than_its_profiles_hold(method: Method, kind: str) -> None:
    game = game_for(method, kind)
    _, solving = steps_of(method, game)
    solution = solving.solution
    assert solution is not None
    if method.finds is not Finds.LEARNING:
        some = solution.status is Status.INCOMPLETE and method.finds is Finds.ALL and solution.message
        assert solution.solved or some, solution.message
    if solution.status is Status.SOLVED and method.finds is not Finds.CORRELATED:
        for found in solution.equilibria:
            assert gap_of(game, found.profile).relative <= OPTIONS.epsilon
    if solution.status is Status.NOT_CONVERGED:
        assert solution.message, "it says why"


@each
def test_a_stop_in_the_middle_gives_what_there_is(method: Method, kind: str) -> None:
    solving = Solving(game_for(method, kind), method, OPTIONS)
    first = next(solving)
    solution = solving.cancel()
    assert solution.status is Status.CANCELLED
    assert solution.equilibria[0].gap.nashconv == pytest.approx(first.gap, rel=1e-6, abs=1e-9)
    assert list(solving) == []


@each
def test_a_limit_of_time_holds(method: Method, kind: str) -> None:
    solving = Solving(game_for(method, kind), method, SolveOptions(epsilon=1e-300, stride=1, time_limit_s=0.05))
    started = time.process_time()
    solution = solving.drain()
    assert time.process_time() - started < 20, "it must end; compiling may come first"
    assert solution.status is not None


@each
def test_games_are_left_as_they_were(method: Method, kind: str) -> None:
    game = game_for(method, kind)
    before = game.payoffs(game.uniform()) if isinstance(game, FiniteGame) else game.ranges()
    steps_of(method, game)
    after = game.payoffs(game.uniform()) if isinstance(game, FiniteGame) else game.ranges()
    assert np.array_equal(before, after)


@pytest.mark.parametrize("kind", sorted(GAMES))
def test_every_kind_has_an_automatic_method_and_a_title_for_each(kind: str) -> None:
    found = methods_for(GAMES[kind])
    assert found[0].key == AUTO
    assert len({method.key for method in found}) == len(found)
    assert solve(GAMES[kind]).solved


def test_what_does_not_fit_is_refused_with_what_does() -> None:
    with pytest.raises(GameError, match=r"There is no method 'simplx'.*simplex"):
        method_for(GAMES["matrix"], "simplx")
    with pytest.raises(GameError, match="'howson' does not fit"):
        method_for(GAMES["matrix"], "howson")
    with pytest.raises(GameError, match="All equilibria cannot be found"):
        method_for_all(GAMES["polymatrix"])
    assert method_for_all(GAMES["bimatrix"]).key == "vertices"
    assert method_for_all(GAMES["tensor"]).key == "newton-all"


@pytest.mark.parametrize(
    "wrong",
    [
        {"epsilon": 0.0},
        {"epsilon": float("nan")},
        {"epsilon": 2.0},
        {"iterations": -1},
        {"stride": 10**9},
        {"seed": -1},
        {"seed": 1 << 64},
        {"device": "tpu"},
        {"time_limit_s": 0.0},
    ],
)
def test_options_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(GameError):
        SolveOptions(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("method", "status"), [("mwu", Status.SOLVED), ("newton-all", Status.INCOMPLETE)])
def test_a_time_limit_does_not_deny_what_was_verified(method: str, status: Status) -> None:
    rock = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])  # uniform play, where both begin, is its equilibrium
    game = TensorGame((rock, rock.T))
    solution = solve(game, method, SolveOptions(time_limit_s=1e-9))
    assert solution.equilibria[0].gap.relative == 0
    assert solution.status is status
    assert "time limit" in solution.message
    missed = solve(BimatrixGame(A, B), "mwu", SolveOptions(time_limit_s=1e-9))
    assert missed.status is Status.NOT_CONVERGED


def test_the_best_profile_is_told_of_who_gives_up() -> None:
    solution = solve(BimatrixGame(A, B), "lemke-howson", SolveOptions(iterations=1))
    assert solution.status is Status.NOT_CONVERGED
    assert len(solution.equilibria) == 1
    assert solution.equilibria[0].gap.relative > solution.epsilon


@pytest.mark.parametrize("start", [([1.0] * 4,), ([0.2] * 5, [1, 0, 0]), ([1.0] * 4, [1.0] * 3), ([np.nan] * 4,) * 2])
def test_a_start_that_is_no_profile_is_refused(start: tuple[list[float], ...]) -> None:
    game = BimatrixGame(A, B)
    for method in methods_for(game):
        with pytest.raises(GameError):
            solve(game, method.key, SolveOptions(start=tuple(np.array(part) for part in start)))


def test_a_search_for_all_that_is_stopped_keeps_what_it_found() -> None:
    game = BimatrixGame(np.eye(6), np.eye(6))
    solving = Solving(game, method_for(game, "vertices"), SolveOptions(stride=1))
    seen = set()
    for step in solving:
        if step.gap < 1e-12:
            seen.add(tuple(np.concatenate(step.profile).round(9)))
        if len(seen) == 9:
            break
    stopped = solving.cancel()
    assert stopped.status is Status.CANCELLED
    assert {tuple(np.concatenate(found.profile).round(9)) for found in stopped.equilibria} == seen
