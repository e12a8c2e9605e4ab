"""The Learning chain page: a chain that trains a model, watched and disturbed; and the byzantine sweep."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from app.links import Place
from app.pages.base import ConsolePage, Tabs, runs_when_empty, side_by_side
from app.pages.learning_bar import LearningBar
from app.pages.learning_chain import ChainTab
from app.pages.learning_faults import FaultsTab, ScenariosTab
from app.pages.learning_network import NetworkTab
from app.pages.learning_result import RefusedTab, ResultTab
from app.pages.learning_setup import LearningSetup
from app.pages.learning_sweep import LearningSweep
from app.pages.learning_updates import UpdatesTab
from app.pages.learning_votes import VotesTab
from app.pages.spoken import SpokenVerdict
from app.viewmodels.learning import LearningViewModel
from app.viewmodels.learning_draft import LearningState
from app.viewmodels.learning_runs import verdict_of
from app.viewmodels.learning_sweep import SweepViewModel
from app.viewmodels.learning_tables import slot_words
from widgets.basics import Card, button, column
from widgets.segments import SegmentSwitch
from widgets.slot_timeline import SlotTimeline, SlotTimelineState

TABS = ("chain", "votes", "updates", "network", "refused", "faults", "scenarios", "runs")
TITLES = ("Chain", "Votes", "Updates", "Network", "Refused", "Faults", "Scenarios", "Runs")
HALVES = ("chain", "sweep")
SUBTITLES = {
    "chain": "Validators vote on trained updates; the chain finalises them. Every fault is a button",
    "sweep": "Byzantine trainers: fraction by attack by rule, and what comes of the model",
}
EXPORTS = (("csv", "Table as CSV…"), ("png", "Plots as PNG…"), ("json", "Result as JSON…"))


class LearningPage(ConsolePage):
    """Two halves under one switch: the chain, and the sweep."""

    exportRequested = Signal(str)
    halfChanged = Signal(str)

    def __init__(self, model: LearningViewModel, sweep: SweepViewModel) -> None:
        super().__init__("Learning chain", SUBTITLES["chain"])
        self.model, self._sweep_model = model, sweep
        self.tabs = Tabs("Parts of the chain")
        choices = (("chain", "Chain", "learning"), ("sweep", "Sweep", "grid"))
        self.switch = SegmentSwitch(choices, name="Learning")
        self.halves = Tabs("Halves of the page")
        self.halves.tabBar().hide()
        self._export = button("Export", "export")
        self._number = 0

    def steps(self) -> Iterator[None]:
        """Build card by card, so that the window breathes."""
        model = self.model
        self.setup = LearningSetup(model)
        yield
        self.bar, self.timeline = LearningBar(model), SlotTimeline()
        card = Card()
        card.add(self.bar)
        card.add(self.timeline)
        card.add(self.tabs, 1)
        self.setup.setMinimumWidth(236)
        half = QWidget()
        column(half).addWidget(side_by_side(self.setup, card, stretches=(2, 6), narrow=760), 1)
        yield
        self.add(self.halves, 1)
        self.halves.addTab(half, "Chain")  # from here on each part is styled as it comes, not all of them in the end
        yield
        yield from self._build_parts()
        self.sweep = LearningSweep(self._sweep_model)
        yield
        self.halves.addTab(self.sweep, "Sweep")
        yield
        self._menu()
        self._connect()
        yield
        model.in_sight = self.isVisible
        spoken = SpokenVerdict(self.bar, verdict_of, lambda run: run.state != "done" or run.ended_event is not None)
        # Each in a turn of its own: all together take longer than one should.
        observed = (self.bar.show_state, self._show_timeline, self._show_parts, spoken.take)
        self.keep(self.setup.unobserve, self.sweep.unobserve, *(model.observe(show) for show in observed))

    def _build_parts(self) -> Iterator[None]:
        model = self.model
        self.chain, self.votes = ChainTab(model), VotesTab(model)
        yield
        self.updates, self.network = UpdatesTab(model), NetworkTab(model)
        yield
        self.refused, self.faults, self.scenarios = RefusedTab(), FaultsTab(model), ScenariosTab(model)
        yield
        self.runs = ResultTab(model)
        self.parts = (self.chain, self.votes, self.updates, self.network, self.refused, self.faults, self.scenarios,
                      self.runs)  # fmt: skip
        yield
        for title, part in zip(TITLES, self.parts, strict=True):
            part.layout().setContentsMargins(0, 12, 0, 0)
            self.tabs.addTab(part, title)
            yield

    def _menu(self) -> None:
        menu = QMenu(self._export)
        for kind, title in EXPORTS:
            action = QAction(title, menu)
            action.triggered.connect(lambda _=False, k=kind: self.exportRequested.emit(k))
            menu.addAction(action)
        self._export.setMenu(menu)
        self.header.add_action(self.switch)
        self.header.add_action(self._export)

    def _connect(self) -> None:
        runs_when_empty(self.tabs, self.model.run)
        self.switch.chosen.connect(self._on_half)
        self.timeline.slotSelected.connect(self.model.select_slot)
        self.bar.pageRequested.connect(self.show_tab)
        for part in (self.chain, self.votes, self.updates, self.network, self.refused, self.faults):
            part.linkActivated.connect(self.linkActivated)

    def _show_timeline(self, state: LearningState) -> None:
        record = state.run
        if not self.isVisible():
            pass  # it is drawn when it is shown
        elif record is None:
            self.timeline.set_state(SlotTimelineState())
        else:
            self.timeline.set_state(SlotTimelineState(
                bytes(record.states), bytes(record.flags), record.epoch, record.total, state.slot,
                lambda slot: slot_words(record, slot),
            ))  # fmt: skip

    def _show_parts(self, state: LearningState) -> None:
        for part in self.parts:
            part.show_state(state)
        record = state.run
        number = record.number if record is not None else 0
        fresh = number > self._number and record is not None and not record.ended
        if fresh and self.tabs.currentWidget() in (self.scenarios, self.runs):
            self.show_tab("chain")
        self._number = max(number, self._number)

    def showEvent(self, event: object) -> None:
        """Catch up with what came while another page was in front."""
        super().showEvent(event)  # type: ignore[arg-type]
        if hasattr(self, "parts"):
            self._show_timeline(self.model.state)
            self._show_parts(self.model.state)

    @property
    def half(self) -> str:
        """chain or sweep, whichever is shown."""
        return self.switch.current()

    def _on_half(self, key: str) -> None:
        self.halves.setCurrentIndex(HALVES.index(key))
        self.header.set_text("Learning chain", SUBTITLES[key])
        self.halfChanged.emit(key)

    def show_tab(self, name: str) -> None:
        """Bring a tab to the front."""
        if name in TABS:
            self.switch.choose("chain")
            self.tabs.setCurrentIndex(TABS.index(name))

    def plots(self) -> list[QWidget]:
        """Return what an exported picture shows."""
        if self.half == "sweep":
            return self.sweep.grab_plots()
        return {
            "chain": [self.timeline, self.chain.graph],
            "votes": [self.timeline, self.votes.matrix],
        }.get(TABS[self.tabs.currentIndex()], self.updates.grab_plots())

    def show_item(self, place: Place) -> None:
        """Show a tab, a slot, a validator, an update, a run, or the sweep."""
        if place.kind == "tab":
            self.show_tab(place.name)
        elif place.kind == "sweep":
            self.switch.choose("sweep")
        elif place.kind == "slot" and place.name.isdecimal():
            self.show_tab("chain")
            self.model.select_slot(int(place.name))
        elif place.kind == "validator" and place.name.isdecimal():
            self.show_tab("network")
            self.network.select(int(place.name))
        elif place.kind == "update":
            self.show_tab("updates")
            record = self.model.state.run
            keys = [key for key in record.updates if key[1] == place.name] if record is not None else []
            self.model.select_update(keys[0] if keys else None)
        elif place.kind == "run" and place.name.isdecimal():
            self.show_tab("runs")
            self.model.open_run(int(place.name))

    def find(self) -> None:
        """Search in the tab shown, or among the validators."""
        if self.tabs.currentWidget() not in (self.network, self.refused):
            self.show_tab("network")
        super().find()

    def save(self) -> None:
        """Save the result."""
        self.exportRequested.emit("json")

    def tables(self) -> dict[str, QWidget]:
        """All tables of the page."""
        return {
            "learning.updates": self.updates.table,
            "learning.validators": self.network.validators,
            "learning.nodes": self.network.nodes,
            "learning.peers": self.network.peers,
            "learning.slashed": self.refused.slashed,
            "learning.refused": self.refused.refused,
            "learning.faults": self.faults.table,
            "learning.checks": self.runs.checks,
            "learning.runs": self.runs.runs,
            "learning.half": self.switch,
        }
