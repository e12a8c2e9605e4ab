"""The live tab of the agents' half: the gap, where the agents stand, and how far the chain's part is."""

from __future__ import annotations

import time

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.formats import count
from app.pages.agreement_pictures import beside, gap_state, labels_state, picture_of, plane_state, simplex_state
from app.pages.base import SideBySide, side_by_side
from app.viewmodels.agreement_draft import AgreementState
from app.viewmodels.agreement_runs import PHASE_TITLES, AgreementRecord, steps_of
from engine.consensus.results import PHASES
from engine.consensus.tasks import Task
from widgets.basics import column, label, row
from widgets.curve_plot import CurvePlot
from widgets.label_plot import LabelPlot
from widgets.phase_strip import Phase, PhaseStrip
from widgets.position_plot import PositionPlot
from widgets.simplex_view import SimplexView

PICTURE_S = 0.1  # painted pictures, while it runs
KINDS = ("plane", "simplex", "labels")


class Places(QStackedWidget):
    """Where the agents stand: a plane, a triangle, or a picture by label."""

    def __init__(self) -> None:
        super().__init__()
        self.plane, self.simplex, self.labels = PositionPlot(), SimplexView(), LabelPlot()
        for widget in (self.plane, self.simplex, self.labels):
            self.addWidget(widget)
        self.setMinimumHeight(240)

    def show_record(self, task: Task, record: AgreementRecord | None) -> None:
        """Draw."""
        kind = picture_of(task)
        self.setCurrentIndex(KINDS.index(kind))
        if kind == "plane":
            self.plane.set_state(plane_state(task, record))
        elif kind == "simplex":
            self.simplex.set_state(simplex_state(task, record))
        else:
            self.labels.set_state(labels_state(task, record))


class AgreementLive(QWidget):
    """Gap, places, phases."""

    chainRequested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.gap = CurvePlot()
        self.gap.setMinimumHeight(240)
        self.places = Places()
        self.phases = PhaseStrip("Phases on chain")
        self._note = label("", "muted", wrap=True)
        self._gas = label("", "muted")
        self._state: AgreementState | None = None
        self._record: AgreementRecord | None = None
        self._painted = 0.0
        self._late = False
        body = column(self, spacing=12)
        self.top: SideBySide = side_by_side(self.gap, self.places, stretches=(1, 1), narrow=460)
        body.addWidget(self.top, 1)
        self._below = QWidget()
        below = column(self._below, spacing=4)
        below.addLayout(row(label("On chain", "strong"), None, self._gas))
        below.addWidget(self.phases)
        below.addWidget(self._note)
        body.addWidget(self._below)
        self.phases.activated.connect(self.chainRequested)

    def show_state(self, state: AgreementState) -> None:
        """Draw the round."""
        record = state.run
        fresh = record is not self._record
        self._state, self._record = state, record
        if not self.isVisible():
            return
        self.gap.set_state(gap_state(record, beside(state), state.baseline))
        self._draw(fresh=fresh)
        self._show_phases(state, record)

    def showEvent(self, event: object) -> None:
        """Catch up with what came while another tab was in front."""
        super().showEvent(event)  # type: ignore[arg-type]
        if self._state is not None:
            self._painted = 0.0
            self.show_state(self._state)

    def _draw(self, *, fresh: bool) -> None:
        record, state = self._record, self._state
        task = record.task if record is not None else state.task if state is not None else None
        self.places.setVisible(task is not None)
        now = time.monotonic()
        moving = record is not None and record.state == "running" and not record.phase
        if task is None or (moving and not fresh and now - self._painted < PICTURE_S):
            return
        self._painted = now
        self.places.show_record(task, record)

    def _show_phases(self, state: AgreementState, record: AgreementRecord | None) -> None:
        on_chain = record.on_chain if record is not None else state.hybrid
        chains = record.chains if record is not None else ()
        self.phases.setVisible(on_chain)
        self._gas.setText(f"{count(record.gas)} gas" if record is not None and record.gas else "")
        if not on_chain:
            self._note.setText("Off chain: nothing is staked, submitted or certified.")
        elif len(chains) > 1:
            self._note.setText(f"On {len(chains)} chains; shown is chain {chains[-1]}. The Chain tab has all.")
        else:
            self._note.setText("")
        self._note.setVisible(bool(self._note.text()))
        if on_chain:
            self.phases.set_state(phases_of(record, chains[-1] if chains else None))

    def grab_plots(self) -> list[QWidget]:
        """Return the plots that are shown, for pictures."""
        return [widget for widget in (self.gap, self.places, self.phases) if not widget.isHidden()]


def phases_of(record: AgreementRecord | None, chain: int | None) -> tuple[Phase, ...]:
    """Return the phases of a round on one chain."""
    if record is None:
        return tuple(Phase(PHASE_TITLES[name]) for name in PHASES)
    made = []
    for name, step in steps_of(record, chain):
        if step is None:
            made.append(Phase(PHASE_TITLES[name], "skipped" if record.ended else "pending"))
        else:
            made.append(Phase(PHASE_TITLES[name], step.state, f"{count(step.gas)} gas" if step.gas else ""))
    return tuple(made)
