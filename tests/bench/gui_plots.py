"""Frames of the solver's plots while points come and while one zooms, beside pyqtgraph drawing the same data."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

CURVES, POINTS = 20, 100_000
FRESH = 200  # points a curve that come between two frames
FRAME_MS = 10.0
FPS = 20.0
SIZE = (1000, 360)
Frame = Callable[[], None]


def rows(note: Callable[[str], None], seconds: float, row: Callable[..., dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give the rows. A frame: points come, the plot takes them, the widget is painted."""
    from PySide6.QtWidgets import QApplication

    from widgets.theme import apply_theme

    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    apply_theme(app, "light")
    points = POINTS if seconds > 1 else 5000
    what = f"{CURVES} curves of {points:,} points"
    peer = {zoom: times(app, *_peer(points, zoom=zoom), seconds)[0] for zoom in (False, True)}
    for zoom in (False, True):
        name = f"{what}, {'zooming' if zoom else 'following the end'}, {FRESH} new ones a frame"
        note(name)
        wall, cpu = times(app, *_curves(points, zoom=zoom), seconds)
        yield row(name, "ms", wall, cpu=cpu, goal=("p95", FRAME_MS), peer=("PlotDataItem, peak", peer[zoom]))
    yield row(f"{what}: frames a second", "/s", [1000 / value for value in (np.percentile(wall, 95),)],
              goal=("least", FPS), more="at the 95th percentile of a frame")  # fmt: skip
    wall, cpu = times(app, *_gap(points), seconds)
    yield row(f"NashConv of {points:,} points, logarithmic", "ms", wall, cpu=cpu, goal=("p95", FRAME_MS))
    wall, cpu = times(app, *_live(points), seconds)
    yield row(f"live tab of a 3 x 3 game, {points:,} iterations", "ms", wall, cpu=cpu, goal=("p95", 1000 / FPS))


def times(app: Any, widget: Any, frame: Frame, seconds: float) -> tuple[list[float], list[float]]:
    """Return how long frames took, in ms, painting included: what passed, and the thread's own work."""
    from PySide6.QtCore import QCoreApplication, QEvent

    widget.resize(*SIZE)
    widget.show()
    for _ in range(5):
        app.processEvents()
    for _ in range(3):
        frame()
        app.processEvents()
    wall: list[float] = []
    cpu: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(wall) < 3:
        started, worked = time.perf_counter(), time.thread_time()
        frame()
        app.processEvents()  # paints
        cpu.append((time.thread_time() - worked) * 1e3)
        wall.append((time.perf_counter() - started) * 1e3)
    widget.close()
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return wall, cpu


def _values(points: int, curves: int) -> Any:
    rng = np.random.default_rng(1)
    x = np.arange(points)
    return np.exp(-x[:, None] / (points / 30 * (1 + np.arange(curves)))) + 0.01 * rng.standard_normal((points, curves))


def _spans(points: int) -> Iterator[tuple[float, float]]:
    """Ranges of x that go in and out around a place, as a wheel does."""
    turn = 0
    while True:
        turn += 1
        half = points / 2 ** (1 + 5 * abs((turn % 60) / 30 - 1))
        yield 0.6 * points - half, 0.6 * points + half


def _curves(points: int, *, zoom: bool) -> tuple[Any, Frame]:
    from widgets.curve_buffer import CurveBuffer
    from widgets.curve_plot import Curve, CurvePlot, CurvePlotState

    values, data, spans = _values(points, CURVES), CurveBuffer(CURVES), _spans(points)
    data.append(np.arange(points), values)
    shown = tuple(Curve(f"action {i}", data, i) for i in range(CURVES))
    plot = CurvePlot(CurvePlotState("Strategies", "iteration", "", shown, y_range=(0, 1)))
    box = plot.ensure_built().getPlotItem().vb

    def frame() -> None:
        fresh = values[-FRESH:]
        data.append(np.arange(data.count, data.count + len(fresh)), fresh)
        plot.refresh()
        if zoom:
            box.setXRange(*next(spans), padding=0)

    return plot, frame


def _peer(points: int, *, zoom: bool) -> tuple[Any, Frame]:
    """pyqtgraph with its own peak downsampling and clipping, given all points at every frame."""
    import pyqtgraph as pg

    values, spans = _values(points, CURVES), _spans(points)
    x = np.arange(points, dtype=float)
    widget = pg.PlotWidget()
    widget.setDownsampling(auto=True, mode="peak")
    widget.setClipToView(True)
    items = [widget.plot(pen=pg.mkPen(pg.intColor(i), width=1)) for i in range(CURVES)]
    at = [0]

    def frame() -> None:
        at[0] += FRESH
        for i, item in enumerate(items):
            item.setData(x + at[0], values[:, i])
        if zoom:
            low, high = next(spans)
            widget.setXRange(low + at[0], high + at[0], padding=0)

    return widget, frame


def _gap(points: int) -> tuple[Any, Frame]:
    from widgets.curve_buffer import CurveBuffer
    from widgets.curve_plot import Curve, CurvePlot, CurvePlotState, Level

    values = np.maximum(0.0, np.exp(-np.arange(points) / (points / 12)) * (0.7 + _values(points, 1)[:, 0]))
    data = CurveBuffer(1)
    data.append(np.arange(points), values)
    levels = (Level(1e-6, "epsilon"),)
    plot = CurvePlot(CurvePlotState("NashConv", "iteration", "", (Curve("prm+", data),), levels, y_log=True))
    plot.ensure_built()

    def frame() -> None:
        data.append(np.arange(data.count, data.count + FRESH), values[-FRESH:])
        plot.refresh()

    return plot, frame


def _live(points: int) -> tuple[Any, Frame]:
    """The tab as the operator sees it: gap, two triangles, both players' strategies."""
    from app.pages.consensus_live import LiveTab
    from app.viewmodels.consensus import ConsensusState
    from app.viewmodels.consensus_games import build
    from app.viewmodels.consensus_runs import RunRecord
    from engine.games.live import Frame as Told
    from engine.games.methods import method_for
    from engine.games.options import SolveOptions

    game = build("rps", {})
    run = RunRecord(1, game, method_for(game, "mwu"), SolveOptions(), "A run")
    watched = tuple((player, index) for player in (0, 1) for index in range(3))
    rng = np.random.default_rng(2)

    def told(start: int, count: int) -> Told:
        at = np.arange(start, start + count)
        angle = at[:, None] / 700 + np.array([0, 2.1, 4.2])
        shares = (1 + 0.8 * np.exp(-at[:, None] / points) * np.cos(angle)) / 3
        shares = shares / shares.sum(axis=1, keepdims=True)
        gaps = np.abs(rng.standard_normal(count)) / (1 + at)
        profile = (shares[-1], shares[-1])
        return Told(at, gaps, np.hstack([shares, shares]), profile, "", "running", 1.0, 900.0, None, "ab")

    run.take(told(0, points), watched)
    tab = LiveTab()
    tab.resize(*SIZE)
    tab.show()
    for plot in (tab.gap, *tab.panels):
        plot.ensure_built()

    def frame() -> None:
        run.take(told(run.trace.count, FRESH), watched)
        tab.show_state(ConsensusState(game=game, run=run, runs=(run,), beat=run.trace.count))

    return tab, frame
