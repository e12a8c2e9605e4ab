"""The Leagues page: setup, round, season, settlement, disputes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from app.links import Place
from app.pages.base import ConsolePage, Tabs, side_by_side
from app.pages.league_disputes import DisputesCard
from app.pages.league_money import ClaimsCard, SettlementCard
from app.pages.league_roster import RosterCard
from app.pages.league_round import RoundCard
from app.pages.league_season import SeasonCard
from app.pages.league_setup import SetupCard
from app.viewmodels.disputes import DisputesViewModel
from app.viewmodels.roster import RosterState, RosterViewModel
from app.viewmodels.rounds import RoundsState, RoundsViewModel
from app.viewmodels.seasons import SeasonsViewModel
from app.viewmodels.setup import SetupState, SetupViewModel

TABS = ("setup", "round", "season", "settlement", "disputes")
SETUP, ROUND, SEASON, SETTLEMENT, DISPUTES = range(len(TABS))


class LeaguesPage(ConsolePage):
    """Binds the five tabs."""

    runRequested = Signal()
    resumeRequested = Signal(str)
    settleRequested = Signal()
    importRequested = Signal()
    exportRequested = Signal()
    browseRequested = Signal()
    samplesRequested = Signal()
    browseClaimRequested = Signal()
    claimRequested = Signal(object)
    auditRequested = Signal()
    disputeRequested = Signal()
    rejected = Signal(str)

    def __init__(
        self,
        roster: RosterViewModel,
        setup: SetupViewModel,
        rounds: RoundsViewModel,
        seasons: SeasonsViewModel,
        disputes: DisputesViewModel,
    ) -> None:
        super().__init__("Leagues", "Agents compete on a System; the results are hashed, anchored and paid")
        self._rounds, self._seasons, self._disputes = rounds, seasons, disputes
        self._roster_model, self._setup_model = roster, setup
        self.tabs = Tabs("Parts of the league")
        self.add(self.tabs, 1)
        self._running = False

    def steps(self) -> Iterator[None]:
        """Build one tab after another: all at once would hold the window up for a third of a second."""
        self.setup = SetupCard(self._setup_model)
        yield
        self.roster = RosterCard(self._roster_model)
        yield
        self.tabs.addTab(_padded(self.setup, self.roster, stretches=(3, 4)), "Set up")
        yield
        self.round = RoundCard(self._rounds)
        yield
        self.tabs.addTab(_padded(self.round), "Round")
        yield
        self.season = SeasonCard(self._seasons)
        yield
        self.tabs.addTab(_padded(self.season), "Season")
        yield
        self.settlement, self.claims = SettlementCard(self._rounds), ClaimsCard(self._rounds)
        yield
        self.tabs.addTab(_padded(self.settlement, self.claims), "Settlement")
        yield
        self.disputes = DisputesCard(self._disputes)
        yield
        self.tabs.addTab(_padded(self.disputes), "Disputes")
        yield
        self._connect()
        self._observe()

    def _observe(self) -> None:
        cards = (self.roster, self.setup, self.round, self.season, self.settlement, self.claims, self.disputes)
        self.keep(
            *(card.unobserve for card in cards),
            self._rounds.observe(self._follow),
            self._setup_model.observe(self._on_setup),
            self._roster_model.observe(self._on_roster),
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
        self.disputes.auditRequested.connect(self.auditRequested)
        self.disputes.disputeRequested.connect(self.disputeRequested)
        for card in (self.round, self.season):
            card.setupRequested.connect(lambda: self.tabs.setCurrentIndex(SETUP))
        self.settlement.settleRequested.connect(self.settleRequested)
        self.tabs.currentChanged.connect(lambda index: self._seasons.look(index == SEASON))
        for card in (self.roster, self.round, self.season, self.settlement, self.claims, self.disputes):
            card.linkActivated.connect(self.linkActivated)

    def _on_setup(self, state: SetupState) -> None:
        """Samples play the game they were made for."""
        if state.info is not None:
            self._roster_model.set_game(state.info.id)
            self._on_roster(self._roster_model.state)

    def _on_roster(self, state: RosterState) -> None:
        info = self._setup_model.state.info
        foreign = state.foreign(info.id) if info is not None else 0
        self._setup_model.set_agents([agent.sha256 for agent in state.entrants], foreign)

    def _follow(self, state: RoundsState) -> None:
        running = state.run.state != "idle"
        self.setup.set_running(running)
        if running and not self._running:
            self.tabs.setCurrentIndex(ROUND)
        self._running = running

    def show_item(self, place: Place) -> None:
        """Show a round (``round/ID``, or ``disputes/ID`` in another tab), or a tab."""
        if place.kind in TABS[ROUND:]:
            self._rounds.select(place.name)
            self.tabs.setCurrentIndex(TABS.index(place.kind))
        elif place.kind == "tab" and place.name in TABS:
            self.tabs.setCurrentIndex(TABS.index(place.name))

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
            "leagues.standings": self.round.standings.solo,
            "leagues.standings.versus": self.round.standings.versus,
            "leagues.matches": self.round.matches.solo,
            "leagues.matches.versus": self.round.matches.versus,
            "leagues.season.rounds": self.season.rounds,
            "leagues.season.agents": self.season.agents,
            "leagues.settlement": self.settlement.table,
            "leagues.disputes": self.disputes.table,
        }


def _padded(*cards: QWidget, stretches: tuple[int, ...] = (4, 3)) -> QWidget:
    holder = side_by_side(*cards, stretches=stretches, narrow=980)
    holder.setMargins(0, 16, 0, 0)
    return holder
