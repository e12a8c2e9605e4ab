"""The compare tab of the Consensus page: several methods on one game, their gaps over each other."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget

from app.pages.base import RUN, SideBySide, side_by_side
from app.pages.consensus_pictures import gap_state
from app.viewmodels.consensus import ConsensusState, ConsensusViewModel
from app.viewmodels.consensus_runs import RunRecord, verdict_of
from app.viewmodels.consensus_setup import SHORT, fitting
from engine.games.games import Game
from widgets.basics import button, column
from widgets.curve_plot import CurvePlot
from widgets.labels import SectionHeader
from widgets.panels import EmptyPanelState
from widgets.table import Column, DataTable, TableState

NO_RUNS = EmptyPanelState("chart", "No runs yet", "Every run is listed here.", (RUN,))
KINDS = {
    "Converged": "ok",
    "Robust agreement": "ok",
    "Not converged": "warn",
    "Incomplete": "warn",
    "Paused": "warn",
    "Failed": "error",
    "Running": "info",
}
METHODS = (Column("Run", kind="check", width=56), Column("Method"), Column("Finds", width=122))
RUNS = (
    Column("Show", kind="check", width=64),
    Column("No.", align="right", kind="number", width=50),
    Column("Method"),
    Column("Status", kind="pill", pill=lambda word: KINDS.get(word, "neutral"), width=150),
    Column("Iterations", align="right", kind="number", width=88, format=lambda v: f"{v:,}"),
    Column("NashConv", align="right", kind="number", width=96, format=lambda v: f"{v:.3g}", exact=repr),
    Column("Seconds", align="right", kind="number", width=78, format=lambda v: f"{v:.3g}", exact=repr),
    Column("Speed", width=70, tooltip="How many times as fast as the baseline"),
    Column("Game", width=112),
    Column("Trace hash", kind="hash", width=132),
)


class CompareTab(QWidget):
    """Methods to run, the overlay, the table of runs."""

    def __init__(self, model: ConsensusViewModel) -> None:
        super().__init__()
        self._model = model
        self._game: Game | None = None
        self._chosen: set[str] = set()
        self.methods = DataTable(METHODS, name="Methods to compare")
        self.methods.setMinimumHeight(240)
        self.methods.setMinimumWidth(360)
        self.run_all = button("Run the ticked", "play", "primary", tooltip="One after the other, on the same game")
        header = SectionHeader("Compare methods", "Each runs on the game as it stands, with the settings of the form")
        header.add_action(self.run_all)
        self.plot = CurvePlot()
        self.plot.setMinimumHeight(300)
        self._top: SideBySide = side_by_side(self.methods, self.plot, stretches=(1, 1), narrow=620)
        self.runs = DataTable(RUNS, name="Runs")
        self.runs.fit_height(2, 8)
        self.pin = button("Pin as baseline", "flag", tooltip="Draw the selected run dashed, and compare with it")
        self.clear = button("Clear", "trash", tooltip="Forget the runs that have ended")
        below = SectionHeader("Runs", "The newest first; tick those to draw, open one to look at it")
        below.add_action(self.pin)
        below.add_action(self.clear)
        body = column(self, spacing=12)
        body.addWidget(header)
        body.addWidget(self._top, 1)
        body.addWidget(below)
        body.addWidget(self.runs)
        self._connect()

    def _connect(self) -> None:
        self.methods.checkToggled.connect(self._tick)
        self.run_all.clicked.connect(self._run)
        self.runs.checkToggled.connect(lambda number, on: self._model.show(int(number), on))
        self.runs.activated.connect(lambda number: self._model.look_at(int(number)))
        self.runs.selectionChanged.connect(lambda keys: self._enable())
        self.pin.clicked.connect(self._pin)
        self.clear.clicked.connect(self._model.clear)

    def show_state(self, state: ConsensusState) -> None:
        """Show methods and runs."""
        if state.game is not self._game:
            self._game = state.game
            self._chosen &= {method.key for method in fitting(state.game)}
            self._show_methods()
        self.run_all.setEnabled(state.ready and not state.busy and bool(self._chosen))
        if not self.isVisible():
            return
        runs = tuple(reversed(state.runs))
        base = next((r for r in runs if r.number == state.baseline), None)
        rows = tuple(_row(run, base) for run in runs)
        self.runs.set_state(TableState(rows, tuple(run.number for run in runs), NO_RUNS))
        drawn = [run for run in state.runs if run.shown]
        names = [f"{r.number} {r.method.title}" + (" (baseline)" if r is base else "") for r in drawn]
        self.plot.set_state(gap_state(drawn, names, dashed=state.baseline))
        self._enable()

    def showEvent(self, event: object) -> None:
        """Catch up with what came while another tab was in front."""
        super().showEvent(event)  # type: ignore[arg-type]
        self.show_state(self._model.state)

    def _show_methods(self) -> None:
        methods = fitting(self._game)
        rows = tuple((m.key in self._chosen, m.title, SHORT[m.finds]) for m in methods)
        self.methods.set_state(TableState(rows, tuple(m.key for m in methods)))

    def _tick(self, key: Any, on: bool) -> None:
        self._chosen = self._chosen | {str(key)} if on else self._chosen - {str(key)}
        self._show_methods()
        self.show_state(self._model.state)

    def _run(self) -> None:
        self._model.compare(tuple(m.key for m in fitting(self._game) if m.key in self._chosen))

    def _pin(self) -> None:
        keys = self.runs.selected_keys()
        if keys:
            number = int(str(keys[0]))
            self._model.pin(None if number == self._model.state.baseline else number)

    def _enable(self) -> None:
        keys = self.runs.selected_keys()
        self.pin.setEnabled(bool(keys))
        unpin = bool(keys) and keys[0] == self._model.state.baseline
        self.pin.setText("Unpin" if unpin else "Pin as baseline")
        self.clear.setEnabled(any(run.ended for run in self._model.state.runs))


def _row(run: RunRecord, base: RunRecord | None) -> tuple[Any, ...]:
    factor = None
    if run is base:
        factor = "baseline"
    elif base is not None and base.ended and run.ended and run.seconds > 0:
        factor = f"{base.seconds / run.seconds:.3g}x"
    return (
        run.shown, run.number, run.method.title, verdict_of(run).word, run.iteration, run.gap, run.seconds, factor,
        run.game.title or "Game", run.trace_hash or None,
    )  # fmt: skip
