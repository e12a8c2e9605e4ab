"""What the Consensus page is made of, without a window: tables of games, pictures of runs, the form, verdicts."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.pages.consensus_pictures import (
    arrow_state,
    gap_state,
    picture_of,
    positions_state,
    simplex_players,
    simplex_state,
    small_equilibria,
)
from app.viewmodels.consensus_export import export_json, result_of
from app.viewmodels.consensus_games import build, choices, known_of
from app.viewmodels.consensus_runs import ProfileHistory, RunRecord, short, verdict_of
from app.viewmodels.consensus_setup import RunSetup, describe, errors_of, fitted, fitting, start_of, with_fault
from app.viewmodels.consensus_tables import shares_of, table_of, views_of, with_cell
from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError
from engine.games.games import BimatrixGame, Game, MatrixGame, PolymatrixGame, TensorGame
from engine.games.live import Frame
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.results import Equilibrium, Solution, Status
from engine.games.verify import gap_of

CHANCE = np.random.default_rng(5)
SEXES = BimatrixGame(np.array([[3.0, 0], [0, 2]]), np.array([[2.0, 0], [0, 3]]), title="Sexes")
GAMES: list[Game] = [
    MatrixGame(CHANCE.integers(0, 4, (3, 4)).astype(float)),
    BimatrixGame(CHANCE.integers(0, 3, (4, 2)).astype(float), CHANCE.integers(0, 3, (4, 2)).astype(float)),
    TensorGame(tuple(CHANCE.integers(0, 3, (2, 3, 2)).astype(float) for _ in range(3))),
    TensorGame(tuple(CHANCE.integers(0, 3, (2, 2, 2, 2)).astype(float) for _ in range(4))),
    TensorGame((np.array([1.0, 5.0, 2.0]),)),
    PolymatrixGame((2, 3, 2), {(0, 1): CHANCE.random((2, 3)), (1, 0): CHANCE.random((3, 2)),
                               (1, 2): CHANCE.random((3, 2)), (2, 1): CHANCE.random((2, 3))}),
    ConsensusGame(CHANCE.random((5, 2))),
]  # fmt: skip


@pytest.mark.parametrize("game", GAMES, ids=lambda game: f"{game.kind}{len(game.sizes)}")
def test_every_number_of_a_game_can_be_read_and_changed(game: Game) -> None:
    for view in views_of(game):
        table = table_of(game, view.key)
        assert len(table.cells) == len(table.rows)
        for row, column in itertools.product(range(len(table.rows)), range(len(table.columns))):
            if isinstance(game, ConsensusGame) and view.key == ("influence",) and row == column:
                continue  # nobody minds the distance from himself
            old = table.cells[row][column]
            new = tuple(value + 0.5 for value in old)
            changed = with_cell(game, view.key, row, column, new)
            assert table_of(changed, view.key).cells[row][column] == new
            assert table_of(game, view.key).cells[row][column] == old
            back = with_cell(changed, view.key, row, column, old)
            assert [table_of(back, v.key).cells for v in views_of(back)] == [
                table_of(game, v.key).cells for v in views_of(game)
            ]


@pytest.mark.parametrize("game", GAMES[:4], ids=lambda game: f"{game.kind}{len(game.sizes)}")
def test_framed_cells_are_the_equilibria_in_pure_strategies(game: Any) -> None:
    framed = set()
    for view in views_of(game):
        table = table_of(game, view.key)
        fixed = view.key[1:] if view.key[0] == "slice" else ()
        framed |= {(*cell, *fixed) for cell in table.equilibria}
    for choice in itertools.product(*(range(size) for size in game.sizes)):
        profile = tuple(np.eye(size)[at] for size, at in zip(game.sizes, choice, strict=True))
        assert (gap_of(game, profile).nashconv < 1e-12) == (choice in framed)


def test_a_cell_must_make_sense() -> None:
    with pytest.raises(GameError):
        with_cell(GAMES[0], ("all",), 0, 0, (float("nan"),))
    with pytest.raises(GameError):
        with_cell(GAMES[-1], ("influence",), 2, 2, (1.0,))
    with pytest.raises(GameError):
        with_cell(GAMES[-1], ("agents",), 0, 2, (-1.0,))


def test_shares_stand_beside_their_actions() -> None:
    table = table_of(SEXES, ("all",))
    assert shares_of(table, (np.array([0.6, 0.4]), np.array([0.4, 0.6]))) == ((0.6, 0.4), (0.4, 0.6))
    assert shares_of(table, None) == ((), ())
    large = table_of(MatrixGame(np.zeros((20, 9))), ("all",))
    assert large.left_out == (12, 1)
    assert not large.editable


def test_every_game_of_the_catalogue_can_be_chosen_and_described() -> None:
    assert len({choice.key for choice in choices()}) == len(choices())
    for choice in choices():
        game = build(choice.key, choice.defaults())
        assert describe(game)
        assert fitting(game)
        setup = fitted(RunSetup(method="nothing"), game)
        assert not errors_of(setup, game)
        assert picture_of(game) in ("positions", "simplex", "arrows", "bars", "")
    assert not errors_of(RunSetup(), GAMES[0])
    assert "game" in errors_of(RunSetup(), None)


def test_what_is_known_of_a_game_is_said() -> None:
    assert known_of("stengel").startswith("75 equilibria are known (")
    assert known_of("rps").startswith("1 equilibrium is known")
    assert known_of("zero-sum") == known_of("opened") == ""


@pytest.mark.parametrize(
    ("values", "field"),
    [({"epsilon": None}, "epsilon"), ({"seed": None}, "seed"), ({"method": "howson"}, "method"),
     ({"device": "cuda", "method": "pure"}, "device")],
)  # fmt: skip
def test_what_is_wrong_names_its_field(values: dict[str, Any], field: str) -> None:
    assert field in errors_of(RunSetup(**values), SEXES)


def test_faults_are_checked_against_the_game() -> None:
    game = GAMES[-1]
    assert not errors_of(RunSetup(fault="far", fault_agent=5, fault_at=3), game)
    assert "fault_agent" in errors_of(RunSetup(fault="far", fault_agent=6), game)
    assert "fault_at" in errors_of(RunSetup(fault="far", fault_at=0), game)
    assert not errors_of(RunSetup(fault="far", fault_agent=99), SEXES)  # there are no agents to turn faulty


def test_learning_starts_where_the_seed_says() -> None:
    one, same, other = (start_of(RunSetup(method="mwu", seed=seed), SEXES) for seed in (1, 1, 2))
    assert one is not None
    assert same is not None
    assert other is not None
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])
    assert start_of(RunSetup(method="auto"), SEXES) is None
    first = start_of(RunSetup(method="mwu", start="first"), SEXES)
    assert first is not None
    assert [list(part) for part in first] == [[1, 0], [1, 0]]


def test_a_faulty_agent_listens_to_nobody() -> None:
    game = ConsensusGame(np.array([[0.0, 0], [1, 0], [0, 1]]))
    profile = tuple(np.array([0.3, 0.3]) for _ in range(3))
    far, text = with_fault(game, 1, "far", profile)
    assert "faulty" in text
    assert not far.influence[1].any()
    assert far.influence[0, 1] == 1
    assert np.linalg.norm(far.points[1]) > 5
    silent, text = with_fault(game, 1, "nan", profile)
    assert "left out" in text
    assert not silent.influence[:, 1].any()
    assert list(silent.points[1]) == [0.3, 0.3]
    same, _ = with_fault(ConsensusGame(np.zeros((2, 1))), 0, "far", (np.zeros(1), np.zeros(1)))
    assert np.isfinite(same.points).all()


def record_of(game: Game, method: str = "mwu", **options: Any) -> RunRecord:
    return RunRecord(1, game, method_for(game, method), SolveOptions(**options), "A run")


def frame(iterations: list[int], gaps: list[float], curves: Any, profile: Any, **more: Any) -> Frame:
    made = {"note": "", "state": "running", "seconds": 0.5, "steps_per_second": 9.0, "solution": None,
            "trace_hash": "ab", **more}  # fmt: skip
    return Frame(np.array(iterations), np.array(gaps), np.array(curves, dtype=float), profile, **made)


def two(x: float, y: float) -> Any:
    return np.array([x, 1 - x]), np.array([y, 1 - y])


def test_a_run_grows_by_its_frames() -> None:
    run = record_of(SEXES)
    watched = ((0, 0), (0, 1), (1, 0), (1, 1))
    run.take(frame([1, 2], [3.0, 2.0], [[0.1, 0.9, 0.5, 0.5], [0.2, 0.8, 0.5, 0.5]], two(0.2, 0.5)), watched)
    run.take(frame([], [], np.empty((0, 4)), two(0.2, 0.5), state="paused"), watched)
    run.take(frame([3], [1.0], [[0.3, 0.7, 0.4, 0.6]], two(0.3, 0.4), state="paused"), watched)
    assert list(run.trace.x) == [1, 2, 3]
    assert run.iteration == 3
    assert [panel.title for panel in run.panels()] == ["Player 1", "Player 2"]
    assert run.path(1)[1] == (3, 4)
    assert verdict_of(run).word == "Paused"
    assert "Iteration 3: NashConv 1" in verdict_of(run).text
    assert run.trace_hash == "ab"
    state = gap_state([run], ["mwu"])
    assert state.y_log
    assert state.levels[0].y == pytest.approx(3e-6)
    assert arrow_state(SEXES, run).path[-1] == pytest.approx((0.3, 0.4))
    run.join("broken")
    run.take(frame([1], [0.5], [[0.3, 0.7, 0.4, 0.6]], two(0.3, 0.4), trace_hash="cd"), watched)
    assert list(run.trace.x) == [1, 2, 3, 4]
    assert run.marks[0].iteration == 3
    assert run.trace_hash not in ("ab", "cd", "")
    assert run.seconds == 1.0


@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [(Status.SOLVED, "Converged", "ok"), (Status.NOT_CONVERGED, "Not converged", "warn"),
     (Status.INCOMPLETE, "Incomplete", "warn"), (Status.CANCELLED, "Stopped", "neutral"),
     (Status.ROBUST, "Robust agreement", "ok")],
)  # fmt: skip
def test_the_verdict_states_epsilon_and_how_it_ended(status: Status, word: str, kind: str) -> None:
    run = record_of(SEXES)
    profile = two(0.6, 0.4)
    found = (Equilibrium(profile, gap_of(SEXES, profile)),)
    run.finish(Solution(found, "mwu", status, 120, 0.3, 1e-6, message="it took long"))
    assert run.trace._y.nbytes == run.trace.y.nbytes  # no room is held for points that do not come
    verdict = verdict_of(run)
    assert (verdict.word, verdict.kind) == (word, kind)
    assert "psilon 1e-6" in verdict.text
    assert run.ended
    assert verdict_of(None).word == "Ready"
    run.state, run.failure = "failed", "out of memory"
    assert verdict_of(run).text == "out of memory"


def test_profiles_kept_are_thinned_not_lost() -> None:
    history = ProfileHistory()
    for at in range(5000):
        history.add(at, (np.array([at, 0.0]),))
    assert 256 <= len(history.iterations) < 512
    assert history.iterations[0] == 0
    assert list(history.columns([0])[:, 0]) == history.iterations
    assert len(set(np.diff(history.iterations))) == 1


@pytest.mark.parametrize("seed", range(30))
def test_equilibria_of_two_by_two_games_are_marked_right(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.integers(-3, 4, (2, 2)).astype(float), rng.integers(-3, 4, (2, 2)).astype(float)
    game = BimatrixGame(a, b)
    found = small_equilibria(a, b)
    for x, y in found:
        assert gap_of(game, two(x, y)).nashconv < 1e-3
    for i, j in itertools.product((0, 1), repeat=2):
        exact = gap_of(game, two(float(1 - i), float(1 - j))).nashconv == 0
        assert exact == ((float(1 - i), float(1 - j)) in found)
    state = arrow_state(game, None)
    assert np.isfinite(state.arrows).all()
    assert np.abs(state.arrows).max() <= 1 + 1e-9
    for player, line in enumerate(state.answers):
        for x, y in line:  # every point of a best response is one
            profile = two(x, y)
            assert gap_of(game, profile).regrets[player] < 1e-9


def test_triangles_are_empty_before_anything_is_played() -> None:
    game = build("rps", {})
    assert simplex_players(game) == (0, 1)
    bare = [simplex_state(game, None, player) for player in (0, 1)]
    assert [state.title for state in bare] == ["Player 1", "Player 2"]
    assert all(len(state.paths[0].points) == 0 and not state.equilibria for state in bare)
    run = record_of(game)
    watched = tuple((player, index) for player in (0, 1) for index in range(3))
    shares = np.random.default_rng(1).dirichlet(np.ones(3), 300)
    told = frame(list(range(300)), [1.0] * 300, np.hstack([shares, shares]), (shares[-1], shares[-1]))
    run.take(told, watched)
    drawn = simplex_state(game, run, 1).paths[0].points
    assert np.allclose(drawn.sum(axis=1), 1)
    assert np.array_equal(drawn[-1], shares[-1])


def test_positions_show_where_everybody_wants_to_be() -> None:
    game = ConsensusGame(CHANCE.random((4, 3)))
    bare = positions_state(None, game)
    assert np.array_equal(bare.ideals, game.points[:, :2])
    run = record_of(game, "best-response")
    run.take(frame([1], [1.0], np.zeros((1, 0)), tuple(CHANCE.random((4, 3)))), ())
    state = positions_state(run, game)
    assert "first two of 3" in state.title
    assert state.positions.shape == (4, 2)
    assert picture_of(ConsensusGame(np.zeros((3, 1)))) == ""


def test_a_result_is_json_and_large_games_follow_from_their_configuration(tmp_path: Path) -> None:
    run = record_of(MatrixGame(np.zeros((200, 200)), title="Zeros"), "prm+")
    run.setup = {"game": "zero-sum", "seed": 4}
    target = tmp_path / "result.json"
    export_json(target, run)
    value = json.loads(target.read_text())
    assert value["configuration"] == {"game": "zero-sum", "seed": 4}
    assert value["game"] == {"kind": "matrix", "title": "Zeros", "sizes": [200, 200]}
    assert value["solution"] is None
    assert result_of(record_of(SEXES))["game"]["kind"] == "bimatrix"


def test_numbers_are_short() -> None:
    assert [short(v) for v in (1e-6, 0.0488, 0.0, 1234.0, 3e20)] == ["1e-6", "0.0488", "0", "1.23e3", "3e20"]
