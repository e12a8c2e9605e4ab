"""What a run looks like: the states of the plots and pictures of the Consensus page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from app.viewmodels.consensus_runs import Panel, RunRecord, action_name, positions_of
from engine.games.consensus import ConsensusGame
from engine.games.games import FiniteGame, Floats, Game
from engine.games.results import Status
from widgets.arrow_field import ArrowFieldState
from widgets.curve_plot import Curve, CurvePlotState, Level, thinned
from widgets.plot_base import PlotMark
from widgets.position_plot import PositionsState
from widgets.profile_bars import PlayerBars, ProfileBarsState
from widgets.simplex_view import SimplexPath, SimplexState

ARROWS = 13
TRIANGLES = 3
TRAIL = 48  # runs of points into which a way is cut, each with the extremes of its coordinates
GAP = "NashConv, by best responses, in payoff units"
COLOURS = 8
LEVELS = 8  # ideal points drawn as lines


def picture_of(game: Game | None) -> str:
    """Return which picture suits a game: positions, arrows, simplex, bars, or "" for none."""
    if game is None:
        return ""
    if isinstance(game, ConsensusGame):
        return "positions" if game.points.shape[1] > 1 else ""
    if game.sizes == (2, 2):
        return "arrows"
    if 3 in game.sizes and sum(size == 3 for size in game.sizes) <= TRIANGLES and max(game.sizes) <= 3:
        return "simplex"
    return "bars"


def gap_state(runs: Sequence[RunRecord], names: Sequence[str], *, dashed: int | None = None) -> CurvePlotState:
    """Return the plot of NashConv; the run of number ``dashed`` is the baseline."""
    curves = tuple(
        Curve(name, run.trace, 0, (run.number - 1) % COLOURS if len(runs) > 1 else 0, dashed=run.number == dashed)
        for run, name in zip(runs, names, strict=True)
    )
    marks = tuple(PlotMark(mark.iteration, mark.text, mark.kind) for run in runs for mark in run.marks)
    levels = (_epsilon(runs[0]),) if runs else ()
    return CurvePlotState(GAP, "iteration", "", curves, levels, marks, y_log=True, empty="Run a method to see its gap")


def _epsilon(run: RunRecord) -> Level:
    """Return epsilon in payoff units: exactly where all payoff ranges are equal, else where it is surely reached."""
    ranges = run.game.ranges()
    least = float(ranges.min())
    words = "epsilon" if least == float(ranges.max()) else "surely within epsilon"
    return Level(run.options.epsilon * least, words, "ok")


def panel_state(panel: Panel, run: RunRecord) -> CurvePlotState:
    """Return the plot of a panel."""
    curves = tuple(Curve(c.name, c.data, c.channel, c.colour) for c in panel.curves)
    marks = tuple(PlotMark(mark.iteration, "", mark.kind) for mark in run.marks)
    levels: tuple[Level, ...] = ()
    if isinstance(run.game, ConsensusGame) and len(run.game.points) <= LEVELS and panel.title.startswith("Coordinate"):
        index = int(panel.title.split()[-1]) - 1
        levels = tuple(Level(float(point), "", "neutral") for point in run.game.points[:, index])
    y_range = (0.0, 1.0) if panel.probability else None
    return CurvePlotState(panel.title, "iteration", "", curves, levels, marks, y_range=y_range, empty="No step yet")


def simplex_players(game: Game) -> tuple[int, ...]:
    """Return the players who have a triangle: those with three actions."""
    return tuple(player for player, size in enumerate(game.sizes) if size == 3)


def simplex_state(game: Game, run: RunRecord | None, player: int) -> SimplexState:
    """Return a player's triangle; an empty one where nothing was played yet."""
    points: Any = np.empty((0, 3))
    data, channels = run.path(player) if run is not None else (None, ())
    if data is not None and channels and data.count:
        points = thinned(data, channels, TRAIL)
    known = run.equilibria[:20] if run is not None else ()
    found = tuple(tuple(map(float, item.profile[player])) for item in known)
    path = (SimplexPath(game.players[player], points, player),)
    corners = tuple(action_name(game, player, at) for at in range(3))
    return SimplexState(game.players[player], corners, path, found)  # type: ignore[arg-type]


def arrow_state(game: Game, run: RunRecord | None) -> ArrowFieldState:
    """Return the field of a game of two players with two actions: where replicator dynamics would drift."""
    assert isinstance(game, FiniteGame)
    a, b = (np.asarray(tensor) for tensor in game.to_tensor().tensors)
    mine, yours = _advantage(a), _advantage(b.T)  # of the first action, against the other's probability
    at = (np.arange(ARROWS) + 0.5) / ARROWS
    x, y = np.meshgrid(at, at)
    drift = np.stack([x * (1 - x) * mine(y), y * (1 - y) * yours(x)], axis=2)
    length = np.sqrt((drift**2).sum(axis=2, keepdims=True))
    most = float(length.max()) or 1.0
    arrows = drift / np.maximum(length, 1e-300) * np.sqrt(length / most)
    names = [f"{game.players[i]} plays {game.actions[i][0]}" for i in (0, 1)]
    path = None
    if run is not None:
        (data, first), (_, second) = run.path(0), run.path(1)
        if first and second and data.count:
            path = thinned(data, (first[0], second[0]), TRAIL)
    answers = (_answer(mine, swap=False), _answer(yours, swap=True))
    known = tuple((float(e.profile[0][0]), float(e.profile[1][0])) for e in run.equilibria) if run is not None else ()
    found = tuple(dict.fromkeys((*small_equilibria(a, b), *(_rounded(point) for point in known))))
    players = (game.players[0], game.players[1])
    return ArrowFieldState("Where play drifts", names[0], names[1], arrows, answers, found, path, players)


def _advantage(payoff: Floats) -> Any:
    """Return what a row player's first action gains over its second, as a function of the column's first's share."""
    d1, d2 = float(payoff[0, 0] - payoff[1, 0]), float(payoff[0, 1] - payoff[1, 1])
    return lambda share: d1 * share + d2 * (1 - share)


def _answer(advantage: Any, *, swap: bool) -> tuple[tuple[float, float], ...]:
    """Return a best response as a broken line; none where everything is a best response."""
    start, end = float(advantage(0.0)), float(advantage(1.0))
    if start == end == 0:
        return ()
    first, last = float(start > 0 or (start == 0 and end > 0)), float(end > 0 or (end == 0 and start > 0))
    turn = start / (start - end) if start != end else 0.0
    line = [(first, 0.0), (first, turn), (last, turn), (last, 1.0)] if first != last else [(first, 0.0), (first, 1.0)]
    if start == 0 and end != 0:
        line = [(1 - last, 0.0), (last, 0.0), (last, 1.0)]
    if end == 0 and start != 0:
        line = [(first, 0.0), (first, 1.0), (1 - first, 1.0)]
    return tuple((y, x) if swap else (x, y) for x, y in line)


def small_equilibria(a: Floats, b: Floats) -> tuple[tuple[float, float], ...]:
    """Return the equilibria of a 2 x 2 game that are pure or fully mixed, as both first actions' probabilities."""
    found = [
        (float(1 - i), float(1 - j))
        for i in (0, 1)
        for j in (0, 1)
        if a[i, j] >= a[1 - i, j] and b[i, j] >= b[i, 1 - j]
    ]
    mine, yours = _advantage(a), _advantage(b.T)
    if mine(0.0) * mine(1.0) < 0 and yours(0.0) * yours(1.0) < 0:
        y = mine(0.0) / (mine(0.0) - mine(1.0))
        x = yours(0.0) / (yours(0.0) - yours(1.0))
        found.append((float(x), float(y)))
    return tuple(_rounded(point) for point in found)


def _rounded(point: tuple[float, float]) -> tuple[float, float]:
    return round(point[0], 4), round(point[1], 4)


def positions_state(run: RunRecord | None, game: Game) -> PositionsState:
    """Return the plane of the agents' first two coordinates."""
    assert isinstance(game, ConsensusGame)
    if run is None:
        return PositionsState("Positions", game.players, game.points[:, :2], game.points[:, :2])
    shown = run.game
    assert isinstance(shown, ConsensusGame)
    now = positions_of(run)
    settled = np.stack(run.equilibria[0].profile)[:, :2] if run.equilibria else None
    dimension = shown.points.shape[1]
    words = "" if dimension == 2 else f", the first two of {dimension} coordinates"
    return PositionsState(
        f"Positions{words}",
        shown.players,
        shown.points[:, :2],
        now[:, :2] if now is not None else shown.points[:, :2],
        _trails(run, shown),
        settled if run.solution is not None and run.solution.status in (Status.SOLVED, Status.ROBUST) else None,
        run.faulty,
    )


def _trails(run: RunRecord, game: ConsensusGame) -> tuple[Any, ...]:
    count, dimension = game.points.shape
    at = {curve: channel for channel, curve in enumerate(run.watched, 1)}
    if all((agent, k) in at for agent in range(count) for k in (0, 1)):
        return tuple(thinned(run.trace, (at[agent, 0], at[agent, 1]), TRAIL) for agent in range(count))
    if not run.history.iterations or count > 60:
        return ()
    return tuple(run.history.columns([agent * dimension, agent * dimension + 1]) for agent in range(count))


def bars_state(run: RunRecord, most: int) -> ProfileBarsState:
    """Return the strategies as they are now."""
    game = run.game
    if run.profile is None or not isinstance(game, FiniteGame):
        return ProfileBarsState()
    profile = run.profile
    payoffs = run.equilibria[0].gap.payoffs if run.equilibria else None
    players = tuple(
        PlayerBars(
            game.players[player],
            profile[player],
            game.actions[player],
            f"payoff {payoffs[player]:.4g}" if payoffs is not None else "",
        )
        for player in range(len(game.sizes))
    )
    return ProfileBarsState(players, most)
