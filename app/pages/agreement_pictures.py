"""What a round of consensus looks like: the states of its plots and pictures."""

from __future__ import annotations

import numpy as np

from app.viewmodels.agreement_runs import AgreementRecord
from engine.consensus.tasks import Task
from widgets.curve_plot import Curve, CurvePlotState, Level
from widgets.label_plot import LabelPlotState
from widgets.plot_base import PlotMark
from widgets.position_plot import PositionsState
from widgets.simplex_view import SimplexPath, SimplexState

GAP = "Gap: the largest relative regret"
MARKS = 8  # marks with words; more would hide each other


def picture_of(task: Task) -> str:
    """Return which picture suits a task: plane, simplex or labels."""
    if task.dims == 2 and task.space != "simplex":
        return "plane"
    return "simplex" if task.dims == 3 and task.space == "simplex" else "labels"


def gap_state(record: AgreementRecord | None) -> CurvePlotState:
    """Return the plot of the gap, with the threshold and the marks of what happened on the way."""
    empty = "Run a round to see its gap"
    if record is None:
        return CurvePlotState(GAP, "iteration", y_log=True, empty=empty)
    level = Level(record.config.convergence_threshold, "threshold", "ok")
    marks = tuple(
        PlotMark(mark.iteration, mark.text if at < MARKS else "", mark.kind) for at, mark in enumerate(record.marks)
    )
    return CurvePlotState(GAP, "iteration", "", (Curve("gap", record.gap),), (level,), marks, y_log=True, empty=empty)


def plane_state(task: Task, record: AgreementRecord | None) -> PositionsState:
    """Return the plane of a task with two labels."""
    arrays = record.arrays() if record is not None else None
    if record is None or arrays is None:
        return PositionsState("Positions", x_label=task.labels[0], y_label=task.labels[1])
    positions, ideals, consensus = arrays
    names = record.order
    trails = tuple(record.way(name) for name in names)
    return PositionsState(
        "Positions", names, ideals, positions, trails, consensus[None, :] if len(consensus) else None,
        out_of(record), task.labels[0], task.labels[1],
    )  # fmt: skip


def simplex_state(task: Task, record: AgreementRecord | None) -> SimplexState:
    """Return the triangle of a task with three shares."""
    corners = (task.labels[0], task.labels[1], task.labels[2])
    arrays = record.arrays() if record is not None else None
    if record is None or arrays is None:
        return SimplexState("Positions", corners)
    positions, _, consensus = arrays
    paths = []
    for at, name in enumerate(record.order):
        way = record.way(name)
        points = np.vstack([way, positions[at]]) if len(way) else positions[at : at + 1]
        paths.append(SimplexPath(name, points, at))
    found = ((float(consensus[0]), float(consensus[1]), float(consensus[2])),) if len(consensus) else ()
    return SimplexState("Positions", corners, tuple(paths), found)


def labels_state(task: Task, record: AgreementRecord | None) -> LabelPlotState:
    """Return the picture by label."""
    unit = task.space != "real"
    arrays = record.arrays() if record is not None else None
    if record is None or arrays is None:
        return LabelPlotState("Positions", task.labels, unit=unit)
    positions, ideals, consensus = arrays
    known = consensus if len(consensus) == task.dims else None
    return LabelPlotState(
        "Positions", task.labels, record.order, positions, ideals, known, out_of(record), unit,
    )  # fmt: skip


def out_of(record: AgreementRecord) -> tuple[int, ...]:
    """Return the rows of agents whose word does not count."""
    return tuple(at for at, name in enumerate(record.order) if name in record.judged)
