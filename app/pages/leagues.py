"""The Leagues page: setup, round, settlement, stakes."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from app.links import Place
from app.pages.base import ConsolePage, Tabs, side_by_side
from app.pages.league_money import ClaimsCard, SettlementCard, StakesCard
from app.pages.league_round import RoundCard
from app.pages.league_setup import RosterCard, SetupCard
from app.viewmodels.roster import RosterViewModel
from app.viewmodels.rounds import RoundsState, RoundsViewModel
from app.viewmodels.setup import SetupViewModel
from app.viewmodels.stakes import StakesViewModel

SETUP, ROUND, SETTLEMENT, STAKES = range(4)


class LeaguesPage(ConsolePage):
    """Binds the four tabs."""

    runRequested = Signal()
    resumeRequested = Signal(str)
    settleRequested = Signal()
    importRequested = Signal()
    exportRequested = Signal()
    browseRequested = Signal()
    samplesRequested = Signal()
    browseClaimRequested = Signal()
    claimRequested = Signal(object)
    rejected = Signal(str)

    def __init__(
        self, roster: RosterViewModel, setup: SetupViewModel, rounds: RoundsViewModel, stakes: StakesViewModel
    ) -> None:
        super().__init__("Leagues", "Agents compete on a System; the results are hashed, anchored and paid")
        self._rounds = rounds
        self.roster = RosterCard(roster)
        self.setup = SetupCard(setup)
        self.round = RoundCard(rounds)
        self.settlement = SettlementCard(rounds)
        self.claims = ClaimsCard(rounds)
        self.stakes = StakesCard(stakes)
        self.tabs = Tabs("Parts of the league")
        self.tabs.addTab(_padded(self.roster, self.setup), "Set up")
        self.tabs.addTab(_padded(self.round), "Round")
        self.tabs.addTab(_padded(self.settlement, self.claims), "Settlement")
        self.tabs.addTab(_padded(self.stakes), "Stakes")
        self.add(self.tabs, 1)
        self._running = False
        self._connect()
        cards = (self.roster, self.setup, self.round, self.settlement, self.claims, self.stakes)
        self.keep(
            *(card.unobserve for card in cards),
            rounds.observe(self._follow),
            roster.observe(lambda s: setup.set_agents(len(s.agents))),
        )

    def _connect(self) -> None:
        self.roster.browseRequested.connect(self.browseRequested)
        self.roster.samplesRequested.connect(self.samplesRequested)
        self.roster.rejected.connect(self.rejected)
        self.claims.rejected.connect(self.rejected)
        self.claims.browseRequested.connect(self.browseClaimRequested)
        self.claims.claimsDropped.connect(lambda names: [self.claimRequested.emit(Path(name)) for name in names])
        self.setup.runRequested.connect(self.runRequested)
        self.setup.importRequested.connect(self.importRequested)
        self.setup.exportRequested.connect(self.exportRequested)
        self.round.resumeRequested.connect(self.resumeRequested)
        self.round.setupRequested.connect(lambda: self.tabs.setCurrentIndex(SETUP))
        self.settlement.settleRequested.connect(self.settleRequested)
        for card in (self.roster, self.round, self.settlement, self.claims, self.stakes):
            card.linkActivated.connect(self.linkActivated)

    def _follow(self, state: RoundsState) -> None:
        running = state.run.state != "idle"
        self.setup.set_running(running)
        if running and not self._running:
            self.tabs.setCurrentIndex(ROUND)
        self._running = running

    def show_item(self, place: Place) -> None:
        """Show a round, or a tab."""
        if place.kind == "round":
            self._rounds.select(place.name)
            self.tabs.setCurrentIndex(ROUND)
        elif place.kind == "tab":
            names = ("setup", "round", "settlement", "stakes")
            if place.name in names:
                self.tabs.setCurrentIndex(names.index(place.name))

    def find(self) -> None:
        """Search in the tab shown."""
        current = self.tabs.currentWidget()
        fields = [f for f in current.findChildren(QLineEdit) if f.placeholderText().startswith("Filter")]
        if fields:
            fields[0].setFocus()
            fields[0].selectAll()

    def save(self) -> None:
        """Save the setup as a league file."""
        self.exportRequested.emit()

    def tables(self) -> dict[str, QWidget]:
        """All tables of the page."""
        return {
            "leagues.agents": self.roster.table,
            "leagues.standings": self.round.standings,
            "leagues.matches": self.round.matches,
            "leagues.settlement": self.settlement.table,
            "leagues.stakes": self.stakes.table,
        }


def _padded(*cards: QWidget) -> QWidget:
    holder = side_by_side(*cards, stretches=(4, 3), narrow=980)
    holder.setMargins(0, 16, 0, 0)
    return holder
