"""The Consensus page: a game, a method at work on it, what it found, and how others do."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from app.links import Place
from app.pages.base import ConsolePage, Tabs, side_by_side
from app.pages.consensus_compare import CompareTab
from app.pages.consensus_game import GameTab
from app.pages.consensus_live import LiveTab
from app.pages.consensus_result import ResultTab
from app.pages.consensus_run import RunBar
from app.pages.consensus_setup import SetupCard
from app.viewmodels.consensus import ConsensusState, ConsensusViewModel
from widgets.basics import Card, button

TABS = ("live", "game", "equilibria", "compare")
EXPORTS = (("csv", "Trace as CSV…"), ("png", "Plots as PNG…"), ("json", "Result as JSON…"), ("nfg", "Game as .nfg…"))


class ConsensusPage(ConsolePage):
    """Setup at the left, the run at the right."""

    openRequested = Signal()
    exportRequested = Signal(str)

    def __init__(self, model: ConsensusViewModel) -> None:
        super().__init__("Consensus", "Equilibria of games: choose one, watch a method find it, compare methods")
        self.model = model
        self.tabs = Tabs("Parts of the run")
        self._export = button("Export", "export")

    def steps(self) -> Iterator[None]:
        """Build card by card, so that the window breathes."""
        model = self.model
        self.setup = SetupCard(model)
        yield
        self.bar = RunBar(model)
        self.live = LiveTab()
        yield
        self.game = GameTab(model)
        self.result = ResultTab()
        yield
        self.compare = CompareTab(model)
        titles = ("Live", "Game", "Equilibria", "Compare")
        for title, tab in zip(titles, (self.live, self.game, self.result, self.compare), strict=True):
            tab.layout().setContentsMargins(0, 12, 0, 0)
            self.tabs.addTab(tab, title)
        yield
        card = Card()
        card.add(self.bar)
        card.add(self.tabs, 1)
        self.setup.setMinimumWidth(236)
        self.add(side_by_side(self.setup, card, stretches=(2, 6), narrow=760), 1)
        self._menu()
        self.setup.openRequested.connect(self.openRequested)
        self.bar.runRequested.connect(model.run)
        self.keep(self.setup.unobserve, model.observe(self._show))

    def _menu(self) -> None:
        menu = QMenu(self._export)
        for kind, title in EXPORTS:
            action = QAction(title, menu)
            action.triggered.connect(lambda _=False, k=kind: self.exportRequested.emit(k))
            menu.addAction(action)
        self._export.setMenu(menu)
        self.header.add_action(self._export)

    def _show(self, state: ConsensusState) -> None:
        self.bar.show_state(state)
        for tab in (self.live, self.game, self.result, self.compare):
            tab.show_state(state)

    def plots(self) -> list[QWidget]:
        """Return what an exported picture shows."""
        return self.live.grab_plots() if self.tabs.currentIndex() != TABS.index("compare") else [self.compare.plot]

    def show_item(self, place: Place) -> None:
        """Show a tab."""
        if place.kind == "tab" and place.name in TABS:
            self.tabs.setCurrentIndex(TABS.index(place.name))

    def save(self) -> None:
        """Save the result."""
        self.exportRequested.emit("json")

    def tables(self) -> dict[str, QWidget]:
        """All tables of the page."""
        return {
            "consensus.equilibria": self.result.table,
            "consensus.methods": self.compare.methods,
            "consensus.runs": self.compare.runs,
        }
