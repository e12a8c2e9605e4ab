"""The Overview page."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.formats import brief_moment, ether
from app.links import round_link
from app.pages.base import ConsolePage, InSight, side_by_side
from app.pages.demo_card import DemoCard
from app.viewmodels.overview import OverviewState, OverviewViewModel, Tile
from widgets.basics import Card, row
from widgets.cards import StatCard, StatCardState
from widgets.labels import SectionHeader
from widgets.panels import Action, Banner, BannerState, EmptyPanelState
from widgets.table import Column, DataTable, TableState

ICONS = {"Devnet": "devnet", "Contracts": "anchor", "Agents": "agent", "Last round": "leagues",
         "Learning chain": "learning"}  # fmt: skip
LATE = 100  # rounds that are told of here; all of them are on the Leagues page
STATE_KINDS = {"settled": "ok", "rejected": "error", "anchored": "info", "played": "info", "playing": "warn"}


class OverviewPage(ConsolePage):
    """Tiles, the guided demo, the rounds of late."""

    resumeRequested = Signal()
    agentsRequested = Signal()

    def __init__(self, model: OverviewViewModel) -> None:
        super().__init__("Overview", "The state of this machine's chain, contracts, agents and rounds")
        self._model = model
        self._recovery = Banner(None)
        self._recovery.actionTriggered.connect(self._on_recovery)
        self._recovery.closed.connect(model.decline)
        self._tiles = {name: StatCard() for name in ICONS}

    def steps(self) -> Iterator[None]:
        """Build card by card, so that the window breathes."""
        self.add(self._recovery)
        tiles = row(spacing=16)
        for tile in self._tiles.values():
            tile.linkActivated.connect(self.linkActivated)
            tiles.addWidget(tile, 1)
        self.add(tiles)
        yield
        self.demo = DemoCard(self._model)
        self.demo.linkActivated.connect(self.linkActivated)
        yield
        self._rounds = _rounds_table()
        yield
        self._best_title, self._best = SectionHeader("Standings of the last round"), _standings_table()
        yield
        self.add(side_by_side(self.demo, self._rounds_card(), stretches=(4, 3), narrow=960), 1)
        yield
        self.keep(self._model.observe(InSight(self, self._show)))

    def _rounds_card(self) -> Card:
        card = Card()
        card.add(SectionHeader("Recent rounds", "Newest first"))
        self._rounds.fit_height(2, 8)
        self._rounds.linkActivated.connect(self.linkActivated)
        self._rounds.activated.connect(lambda key: self.linkActivated.emit(round_link(key)))
        self._rounds.emptyAction.connect(lambda key: self.agentsRequested.emit())
        card.add(self._rounds)
        card.add(self._best_title)
        self._best.fit_height(3, 12)
        card.add(self._best)
        card.body.addStretch(1)
        return card

    def _show(self, state: OverviewState) -> None:
        for tile in (state.devnet, state.contracts, state.agents, state.last_round, state.chain):
            self._tiles[tile.title].set_state(_card(tile))
        self.demo.show_state(state)
        late = state.rounds[:LATE]
        rows = tuple(((r.round_id, r.number), r.name, r.done, r.state.capitalize(), r.created) for r in late)
        self._rounds.set_state(TableState(rows, tuple(r.round_id for r in late), EMPTY_ROUNDS))
        best = tuple((s.rank, s.agent, s.score, s.reward_wei) for s in state.standings)
        self._best.set_state(TableState(best, tuple(s.sha256 for s in state.standings)))
        self._best.setVisible(bool(best))
        self._best_title.setVisible(bool(best))
        offer = state.recovery
        self._recovery.set_state(
            None
            if offer is None
            else BannerState(
                "warn",
                offer.title,
                offer.text,
                "Resume plays what is left; a declined round stays on the Leagues page.",
                (Action("resume", "Resume", "play", primary=True), Action("decline", "Not now")),
                closable=False,
            )
        )

    def _on_recovery(self, key: str) -> None:
        if key == "resume":
            self.resumeRequested.emit()
        else:
            self._model.decline()

    def tables(self) -> dict[str, QWidget]:
        """The rounds."""
        return {"overview.rounds": self._rounds}


EMPTY_ROUNDS = EmptyPanelState(
    "leagues",
    "No round yet",
    "Run the demo, or drop .wasm agents on the window and start a round.",
    (Action("agents", "Add agents", "plus"),),
)


def _card(tile: Tile) -> StatCardState:
    return StatCardState(tile.title, tile.value, "", tile.note, ICONS[tile.title], tile.kind, tile.link)


def _rounds_table() -> DataTable:
    number = Column(
        "Round",
        width=70,
        align="right",
        kind="link",
        format=lambda r: f"#{r[1]}",
        link=lambda r: round_link(r[0]),
        key=lambda r: r[1],
    )
    return DataTable(
        (
            number,
            Column("League"),
            Column("Matches", align="right", kind="number", width=78),
            Column("State", kind="pill", pill=lambda s: STATE_KINDS.get(s.lower(), "neutral"), width=120),
            Column("Started", format=brief_moment, width=84),
        ),
        name="Recent rounds",
    )


def _standings_table() -> DataTable:
    return DataTable(
        (
            Column("Rank", align="right", kind="number", width=64),
            Column("Agent"),
            Column("Score", align="right", kind="number", width=84),
            Column("Reward", align="right", kind="number", format=ether, width=116),
        ),
        name="Standings of the last round",
    )
