"""What a round of consensus looks like: the states of its plots and pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.viewmodels.agreement_draft import AgreementState
from app.viewmodels.agreement_runs import AgreementRecord
from engine.consensus.tasks import Task
from widgets.curve_plot import Curve, CurvePlotState, Level
from widgets.label_plot import LabelPlotState
from widgets.plot_base import PlotMark
from widgets.position_plot import PositionsState
from widgets.simplex_view import SimplexPath, SimplexState

GAP = "Gap: the largest relative regret, by best responses"
MARKS = 8  # marks with words; more would hide each other


def picture_of(task: Task) -> str:
    """Return which picture suits a task: plane, simplex or labels."""
    if task.dims == 2 and task.space != "simplex":
        return "plane"
    return "simplex" if task.dims == 3 and task.space == "simplex" else "labels"


def beside(state: AgreementState) -> tuple[AgreementRecord, ...]:
    """Return the earlier rounds that are drawn beside the one in sight."""
    return tuple(
        known
        for known in state.runs
        if known is not state.run and known.gap.count and (known.shown or known.run_id == state.baseline)
    )


def gap_state(
    record: AgreementRecord | None, others: Sequence[AgreementRecord] = (), baseline: int | None = None
) -> CurvePlotState:
    """Return the plot of the gap, with the threshold and the marks of what happened on the way.

    ``others`` are drawn beside it, the one of the number ``baseline`` dashed.
    """
    empty = "Run a round to see its gap"
    drawn = (*((record,) if record is not None else ()), *others)
    curves = tuple(
        Curve(_curve_name(one, baseline) if len(drawn) > 1 else "gap", one.gap, 0, at, dashed=one.run_id == baseline)
        for at, one in enumerate(drawn)
    )
    if record is None:
        return CurvePlotState(GAP, "iteration", "", curves, y_log=True, empty=empty)
    level = Level(record.config.convergence_threshold, "threshold", "ok")
    marks = tuple(
        PlotMark(mark.iteration, mark.text if at < MARKS else "", mark.kind) for at, mark in enumerate(record.marks)
    )
    return CurvePlotState(GAP, "iteration", "", curves, (level,), marks, y_log=True, empty=empty)


def _curve_name(record: AgreementRecord, baseline: int | None) -> str:
    return f"{record.run_id} {record.title}" + (" (baseline)" if record.run_id == baseline else "")


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
