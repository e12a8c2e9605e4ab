"""Sample states of the widgets that show agents who agree: believable rounds, made by a formula."""

from __future__ import annotations

import numpy as np
from PySide6.QtWidgets import QWidget

from widgets.area_field import AreaField, JsonEdit, numbers_of, words_of
from widgets.basics import column, row
from widgets.label_plot import LabelPlot, LabelPlotState
from widgets.phase_strip import Phase, PhaseStrip
from widgets.segments import SegmentSwitch

ASSETS = ("stocks", "bonds", "real estate", "commodities", "cash")
BROKEN = """{
  "type": "custom",
  "labels": ["north" "south"]
}"""


def positions(agents: int, dims: int, seed: int = 4) -> LabelPlotState:
    """Agents on their way from what they want to the consensus."""
    ideals = np.random.default_rng(seed).dirichlet(np.full(dims, 2.0), agents)
    consensus = ideals.mean(axis=0)
    labels = ASSETS if dims == len(ASSETS) else tuple(f"parameter {at}" for at in range(1, dims + 1))
    names = tuple(f"agent {at}" for at in range(1, agents + 1))
    return LabelPlotState("Positions", labels, names, 0.3 * ideals + 0.7 * consensus, ideals, consensus, (1,), True)


def by_label() -> QWidget:
    """Strips for five labels, columns for many."""
    holder = QWidget()
    made = row(LabelPlot(positions(5, 5)), LabelPlot(positions(40, 32)), spacing=24)
    holder.setLayout(made)
    made.setStretch(0, 1)
    made.setStretch(1, 1)
    return holder


def phases() -> QWidget:
    """A round on chain half-way, and the switch between two views."""
    strip = PhaseStrip("Phases on chain")
    strip.set_state((
        Phase("Stake", "done", "281,370 gas"), Phase("Register", "done", "494,191 gas"), Phase("Create", "running"),
        Phase("Submit"), Phase("Prove", "failed", "reverted"), Phase("Slash", "skipped"),
    ))  # fmt: skip
    holder = QWidget()
    body = column(holder, spacing=16)
    switch = SegmentSwitch((("games", "Games", "game"), ("agents", "Agents", "agent")), name="Consensus of")
    body.addLayout(row(switch, None))
    body.addWidget(strip)
    body.addStretch(1)
    return holder


def areas() -> QWidget:
    """Fields of several lines, one of them wrong, and JSON with a fault in its third line."""
    left, holder = QWidget(), QWidget()
    fields = column(left, spacing=8)
    fields.addWidget(AreaField("Policies", "hate_speech, violence", parse=words_of, help="Each is a label"))
    fields.addWidget(AreaField("Prices", "100, 101.5, twelve", parse=numbers_of))
    fields.addStretch(1)
    editor = JsonEdit("Task as JSON")
    editor.set_text(BROKEN)
    editor.set_problem(3, "Expecting ',' delimiter, column 22")
    holder.setLayout(row(left, editor, spacing=16))
    return holder
