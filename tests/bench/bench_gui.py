"""How long the window takes to draw a solver at work, beside pyqtgraph drawing the same data, in the same run.

``nashboard bench gui`` loads this file from the source tree and calls :func:`measure` and :func:`describe`. A frame is
what happens between two looks of the operator: new points come, the plot takes them, the widget is painted. Nothing
here asserts a time: the table says which goals this machine meets.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np

CURVES, POINTS = 20, 100_000
FRESH = 200  # points a curve that come between two frames
FPS = 20  # with all the curves
PLOT_MS = 10.0  # p95 of one plot's frame
SIZE = (1000, 360)
Frame = Callable[[], None]


def measure(note: Callable[[str], None] = lambda _: None, seconds: float = 2.5) -> dict[str, Any]:
    """Return all rows, ready for JSON; each of the measurements takes about ``seconds``."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("DBUS_SESSION_BUS_ADDRESS", "disabled:")
    from PySide6.QtWidgets import QApplication

    from widgets.theme import apply_theme

    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    apply_theme(app, "light")
    rows, points = [], POINTS if seconds > 1 else 5000
    for name, make, goal_fps, goal_ms in (
        (f"{CURVES} curves of {points:,} points", lambda: _curves(points, CURVES), FPS, PLOT_MS),
        (f"NashConv of {points:,} points, logarithmic", lambda: _gap(points), FPS, PLOT_MS),
        (f"live tab of a 3 x 3 game, {points:,} iterations", lambda: _live(points), FPS, None),
        (f"{CURVES} curves of {points:,} points, by pyqtgraph alone", lambda: _peer(points, CURVES), None, None),
    ):
        note(f"measuring: {name}")
        rows.append(_row(name, *_times(app, *make(), seconds), goal_fps, goal_ms))
    return {"size": list(SIZE), "processors": os.cpu_count(), "machine": platform.machine(), "rows": rows}


def _times(app: Any, widget: Any, frame: Frame, seconds: float) -> tuple[list[float], int]:
    """Return how long frames took, in ms, painting included; and the points that the last one handed over."""
    from PySide6.QtCore import QCoreApplication, QEvent

    widget.resize(*SIZE)
    widget.show()
    for _ in range(5):
        app.processEvents()
    frame()
    app.processEvents()
    taken: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(taken) < 3:
        started = time.perf_counter()
        frame()
        app.processEvents()  # paints
        taken.append((time.perf_counter() - started) * 1e3)
    drawn = int(getattr(widget, "points_drawn", 0))
    widget.close()
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return taken, drawn


def _values(points: int, curves: int) -> Any:
    rng = np.random.default_rng(1)
    x = np.arange(points)
    return np.exp(-x[:, None] / (points / 30 * (1 + np.arange(curves)))) + 0.01 * rng.standard_normal((points, curves))


def _growing(points: int, curves: int) -> tuple[Any, Frame]:
    from widgets.curve_buffer import CurveBuffer

    values = _values(points, curves)
    data = CurveBuffer(curves)
    data.append(np.arange(points), values)

    def grow() -> None:
        fresh = values[-FRESH:]
        data.append(np.arange(data.count, data.count + len(fresh)), fresh)

    return data, grow


def _curves(points: int, curves: int) -> tuple[Any, Frame]:
    from widgets.curve_plot import Curve, CurvePlot, CurvePlotState

    data, grow = _growing(points, curves)
    shown = tuple(Curve(f"action {i}", data, i) for i in range(curves))
    plot = CurvePlot(CurvePlotState("Strategies", "iteration", "", shown, y_range=(0, 1)))
    plot.ensure_built()

    def frame() -> None:
        grow()
        plot.refresh()

    return plot, frame


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


def _peer(points: int, curves: int) -> tuple[Any, Frame]:
    """pyqtgraph with its own peak downsampling and clipping, given all points at every frame."""
    import pyqtgraph as pg

    values = _values(points, curves)
    x = np.arange(points, dtype=float)
    widget = pg.PlotWidget()
    widget.setDownsampling(auto=True, mode="peak")
    widget.setClipToView(True)
    items = [widget.plot(pen=pg.mkPen(pg.intColor(i), width=1)) for i in range(curves)]
    at = [0]

    def frame() -> None:
        at[0] += FRESH
        for i, item in enumerate(items):
            item.setData(x + at[0], values[:, i])

    return widget, frame


def _row(name: str, taken: list[float], drawn: int, goal_fps: float | None, goal_ms: float | None) -> dict[str, Any]:
    middle, p95 = median(taken), float(np.percentile(taken, 95))
    met = (goal_fps is None or 1000 / p95 >= goal_fps) and (goal_ms is None or p95 <= goal_ms)
    return {
        "name": name, "median_ms": middle, "p95_ms": p95, "fps": 1000 / middle, "frames": len(taken), "points": drawn,
        "goal_fps": goal_fps, "goal_ms": goal_ms, "met": met,
    }  # fmt: skip


def describe(value: dict[str, Any]) -> str:
    """Return the rows as a text table."""
    head = ("", "median", "p95", "frames/s", "goal", "")
    lines = [head, *(_cells(row) for row in value["rows"])]
    widths = [max(len(line[at]) for line in lines) for at in range(len(head))]
    table = "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:], widths[1:], strict=True))])
        for line in lines
    )
    width, height = value["size"]
    about = f"frames of {width} x {height} pixels, {FRESH} new points a curve in each, {value['processors']} processors"
    return "\n".join(line.rstrip() for line in f"{about}\n\n{table}".splitlines())


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    goals = []
    if row["goal_fps"]:
        goals.append(f"{row['goal_fps']:g} frames/s")
    if row["goal_ms"]:
        goals.append(f"p95 {row['goal_ms']:g} ms")
    mark = ("met" if row["met"] else "missed") if goals else ""
    figures = (f"{row['median_ms']:.1f} ms", f"{row['p95_ms']:.1f} ms", f"{row['fps']:.0f}")
    return (row["name"], *figures, ", ".join(goals), mark)
