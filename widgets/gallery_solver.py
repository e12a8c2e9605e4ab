"""Sample states of the solver's pictures for the gallery: believable runs, made by a formula."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QWidget

from widgets.arrow_field import ArrowField, ArrowFieldState
from widgets.basics import column, row
from widgets.curve_buffer import CurveBuffer
from widgets.curve_plot import Curve, CurvePlot, CurvePlotState, Level
from widgets.payoff_image import PayoffImage, PayoffImageState, reduced
from widgets.payoff_table import PayoffTable, PayoffTableState
from widgets.plot_base import PlotMark
from widgets.position_plot import PositionPlot, PositionsState
from widgets.profile_bars import PlayerBars, ProfileBars, ProfileBarsState
from widgets.simplex_view import SimplexPath, SimplexState, SimplexView

POINTS = 20_000
HANDS = ("rock", "paper", "scissors")


def gaps() -> QWidget:
    """Three methods on a logarithmic axis; one of them reaches zero."""
    rng = np.random.default_rng(3)
    x = np.arange(1, POINTS + 1)
    curves = []
    for name, rate in (("prm+", 900.0), ("rm+", 4000.0), ("fictitious play", 0.0)):
        buffer = CurveBuffer(1)
        gap = np.exp(-x / rate) if rate else 1 / np.sqrt(x)
        gap = gap * (1 + 0.3 * rng.random(POINTS))
        buffer.append(x, np.where(gap < 1e-14, 0.0, gap))
        curves.append(Curve(name, buffer, dashed=not rate))
    made = CurvePlot(
        CurvePlotState(
            "NashConv",
            "iteration",
            curves=tuple(curves),
            levels=(Level(1e-6, "epsilon"),),
            marks=(PlotMark(6000, "fault", "error"),),
            y_log=True,
        )
    )
    made.ensure_built()
    return made


def spiral(turns: float = 6.0) -> np.ndarray:
    """A way that closes in on the middle of the triangle."""
    at = np.linspace(0, 1, 500)
    angle, far = turns * 2 * np.pi * at, 0.19 * (1 - at)
    first, second = far * np.cos(angle), far * np.sin(angle)
    return np.stack([1 / 3 + first, 1 / 3 + second, 1 / 3 - first - second], axis=1)


def simplex() -> QWidget:
    """Two ways to the middle."""
    ways = (SimplexPath("Player 1", spiral(), 0), SimplexPath("Player 2", spiral(-2.5), 1))
    return SimplexView(SimplexState("Strategies", HANDS, ways, ((1 / 3, 1 / 3, 1 / 3),)))


def field() -> QWidget:
    """Battle of the sexes."""
    grid = (np.arange(11) + 0.5) / 11
    x, y = np.meshgrid(grid, grid)
    arrows = np.stack([x * (1 - x) * (5 * y - 2), y * (1 - y) * (5 * x - 3)], axis=2)
    arrows = np.sign(arrows) * np.sqrt(np.abs(arrows))
    answers = (((0, 0), (0, 0.4), (1, 0.4), (1, 1)), ((0, 0), (0.6, 0), (0.6, 1), (1, 1)))
    found = ((0.0, 0.0), (1.0, 1.0), (0.6, 0.4))
    at = np.linspace(0, 1, 60)[:, None]
    path = np.concatenate([[0.35, 0.75] + at * [0.25, 0.05], [0.6, 0.8] + at * [0.38, 0.18]])
    state = ArrowFieldState("Directions", "Player 1 opera", "Player 2 opera", arrows, answers, found, path)
    return ArrowField(state)


def positions() -> QWidget:
    """Five agents, one of them faulty."""
    rng = np.random.default_rng(5)
    ideals = rng.random((5, 2)) * [3, 2]
    settled = 0.35 * ideals + 0.65 * ideals.mean(axis=0)
    settled[4] = ideals[4] = [4.5, 2.4]
    shares = 1 - np.exp(-np.linspace(0, 4, 30))
    trails = tuple(ideals[i] + shares[:, None] * (settled[i] - ideals[i]) for i in range(5))
    names = tuple(f"Agent {i + 1}" for i in range(5))
    now = np.stack([trail[-1] for trail in trails])
    return PositionPlot(PositionsState("Positions", names, ideals, now, trails, settled, (4,)))


def payoffs(highlight: bool = True) -> QWidget:
    """Battle of the sexes, with what is played."""
    cells = (((3.0, 2.0), (0.0, 0.0)), ((0.0, 0.0), (2.0, 3.0)))
    best = frozenset({(0, 0, 0), (0, 0, 1), (1, 1, 0), (1, 1, 1)})
    return PayoffTable(
        PayoffTableState(
            "Player 1",
            "Player 2",
            ("opera", "football"),
            ("opera", "football"),
            cells,
            (0.6, 0.4) if highlight else (),
            (0.4, 0.6) if highlight else (),
            best,
            frozenset({(0, 0), (1, 1)}),
            numbers=("Player 1", "Player 2"),
        )
    )


def tables() -> QWidget:
    """A small table and a larger one of a zero-sum game."""
    rng = np.random.default_rng(2)
    names = tuple(f"action {i}" for i in range(1, 7))
    numbers = rng.integers(-9, 10, (6, 6))
    cells = tuple(tuple((float(v),) for v in line) for line in numbers)
    large = PayoffTable(PayoffTableState("Player 1", "Player 2", names, names, cells, numbers=("Player 1",)))
    holder = QWidget()
    body = column(holder, spacing=16)
    body.addWidget(payoffs())
    body.addWidget(large)
    body.addStretch(1)
    return holder


def bars() -> QWidget:
    """A small and a large strategy."""
    rng = np.random.default_rng(1)
    many = rng.random(1000) ** 9
    many[rng.random(1000) < 0.6] = 0
    small = PlayerBars("Player 1", np.array([0.6, 0.4, 0.0]), HANDS, "payoff 1.2")
    return ProfileBars(ProfileBarsState((small, PlayerBars("Player 2", many / many.sum(), (), "payoff -0.013"))))


def payoff_picture() -> QWidget:
    """The payoffs of a large game."""
    at = np.arange(600)
    values = np.cos((at[:, None] - 1.3 * at) / 40) + 0.4 * np.random.default_rng(4).standard_normal((600, 600))
    return PayoffImage(PayoffImageState("Payoffs of Player 1", reduced(values), "Player 1", "Player 2"))


def pictures() -> QWidget:
    """Triangle, field and plane beside each other."""
    holder = QWidget()
    made = row(simplex(), field(), positions(), spacing=24)
    holder.setLayout(made)
    for at in range(3):
        made.setStretch(at, 1)
    return holder
