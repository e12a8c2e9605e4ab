"""The Consensus page: games and the methods that solve them, and agents that agree while the chain checks them."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from PySide6.QtCore import Signal
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QMenu, QWidget

from app.links import Place
from app.pages.agreement import AgreementHalf
from app.pages.base import FRAME_MS, RUN, ConsolePage, InSight, Tabs, runs_when_empty, side_by_side
from app.pages.consensus_compare import CompareTab
from app.pages.consensus_game import GameTab
from app.pages.consensus_live import LiveTab
from app.pages.consensus_result import ResultTab
from app.pages.consensus_run import RunBar
from app.pages.consensus_setup import SetupCard
from app.pages.spoken import SpokenVerdict
from app.viewmodels.agreement import AgreementViewModel
from app.viewmodels.consensus import ConsensusViewModel
from app.viewmodels.consensus_runs import verdict_of
from widgets.basics import Card, button, column
from widgets.segments import SegmentSwitch

TABS = ("live", "game", "equilibria", "compare")
HALVES = ("games", "agents")
SUBTITLES = {
    "games": "Equilibria of games: choose one, watch a method find it, compare methods",
    "agents": "Agents agree on a task through an equilibrium; the chain checks it",
}
EXPORTS = (("csv", "Trace as CSV…"), ("png", "Plots as PNG…"), ("json", "Result as JSON…"), ("nfg", "Game as .nfg…"))


class ConsensusPage(ConsolePage):
    """Two halves under one switch: games, and agents. In each: setup at the left, the run at the right."""

    openRequested = Signal()
    exportRequested = Signal(str)
    halfChanged = Signal(str)

    def __init__(self, model: ConsensusViewModel, agreement: AgreementViewModel) -> None:
        super().__init__("Consensus", SUBTITLES["games"])
        self.model = model
        self.tabs = Tabs("Parts of the run")
        self.switch = SegmentSwitch((("games", "Games", "game"), ("agents", "Agents", "agent")), name="Consensus of")
        self.halves = Tabs("Halves of the page")
        self.halves.tabBar().hide()
        self.agents = AgreementHalf(agreement)
        self._export = button("Export", "export")

    def steps(self) -> Iterator[None]:
        """Build card by card, so that the window breathes."""
        model = self.model
        self.setup = SetupCard(model)
        yield
        self.bar = RunBar(model)
        card = Card()
        card.add(self.bar)
        card.add(self.tabs, 1)
        self.setup.setMinimumWidth(236)
        games = QWidget()
        column(games).addWidget(side_by_side(self.setup, card, stretches=(2, 6), narrow=760))
        yield
        self.add(self.halves, 1)
        self.halves.addTab(games, "Games")  # from here on each part is styled as it comes, not all of them in the end
        yield
        self.live = LiveTab()
        yield
        self.game = GameTab(model)
        self.result = ResultTab()
        yield
        self.compare = CompareTab(model)
        yield
        titles = ("Live", "Game", "Equilibria", "Compare")
        for title, tab in zip(titles, (self.live, self.game, self.result, self.compare), strict=True):
            tab.layout().setContentsMargins(0, 12, 0, 0)
            self.tabs.addTab(tab, title)
            yield
        self.halves.addTab(self.agents, "Agents")
        yield
        yield from self.agents.steps()
        yield
        self._menu()
        self.switch.chosen.connect(self._on_half)
        self.agents.linkActivated.connect(self.linkActivated)
        self.setup.openRequested.connect(self.openRequested)
        self.bar.runRequested.connect(model.run)
        self.live.gap.offer(RUN)
        runs_when_empty(games, model.run)
        spoken = model.observe(SpokenVerdict(self.bar, verdict_of).take)
        self.keep(self.setup.unobserve, *self._observe(), spoken, self.agents.detach)

    def _observe(self) -> Iterator[Callable[[], None]]:
        """Show each part of a state in a turn of its own, those that are drawn ten times a second at most."""
        yield self.model.observe(InSight(self, self.bar.show_state, rest=FRAME_MS))
        for part in self.live.parts():
            yield self.model.observe(InSight(self.live, part, rest=FRAME_MS))
        for tab in (self.game, self.result, self.compare):
            yield self.model.observe(InSight(tab, tab.show_state, rest=FRAME_MS))

    def _menu(self) -> None:
        menu = QMenu(self._export)
        for kind, title in EXPORTS:
            action = QAction(title, menu)
            action.triggered.connect(lambda _=False, k=kind: self.exportRequested.emit(k))
            menu.addAction(action)
        self._export.setMenu(menu)
        self._nfg = menu.actions()[-1]
        self.header.add_action(self.switch)
        self.header.add_action(self._export)

    @property
    def half(self) -> str:
        """games or agents, whichever is shown."""
        return self.switch.current()

    def _on_half(self, key: str) -> None:
        self.halves.setCurrentIndex(HALVES.index(key))
        self.header.set_text("Consensus", SUBTITLES[key])
        self._nfg.setVisible(key == "games")
        self.halfChanged.emit(key)

    def plots(self) -> list[QWidget]:
        """Return what an exported picture shows."""
        if self.half == "agents":
            return self.agents.plots()
        return self.live.grab_plots() if self.tabs.currentIndex() != TABS.index("compare") else [self.compare.plot]

    def show_item(self, place: Place) -> None:
        """Show a tab, ``tab/live`` of the games, ``agents/live`` of the agents; or a round of them, ``round/3``."""
        if place.kind == "tab" and place.name in TABS:
            self.switch.choose("games")
            self.tabs.setCurrentIndex(TABS.index(place.name))
        elif place.kind == "agents":
            self.switch.choose("agents")
            self.agents.show_tab(place.name)
        elif place.kind == "round" and place.name.isdigit():
            self.switch.choose("agents")
            self.agents.open_round(int(place.name))

    def save(self) -> None:
        """Save the result."""
        self.exportRequested.emit("json")

    def tables(self) -> dict[str, QWidget]:
        """All tables of the page."""
        return {
            "consensus.equilibria": self.result.table,
            "consensus.methods": self.compare.methods,
            "consensus.runs": self.compare.runs,
            "consensus.half": self.switch,
            **self.agents.tables(),
        }
