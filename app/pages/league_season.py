"""The season tab of the Leagues page: a league over its rounds, and its agents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Signal

from app.formats import ether
from app.links import round_link
from app.pages.league_tables import half
from app.viewmodels.seasons import SeasonsState, SeasonsViewModel
from app.viewmodels.setup import FORMAT_TITLES
from widgets.basics import Card
from widgets.choice import Choice
from widgets.labels import SectionHeader
from widgets.panels import Action, EmptyPanelState
from widgets.table import Column, DataTable, TableState

NO_SEASON = EmptyPanelState(
    "leagues", "No season yet", "The rounds of one league make its season.", (Action("setup", "Set up a round"),)
)
STATES = {"settled": "ok", "anchored": "info", "played": "info", "playing": "warn", "rejected": "error"}
RANKS = 12  # of so many rounds, the last ones, the rank is told

ROUNDS = (
    Column(
        "Round",
        align="right",
        kind="link",
        width=76,
        format=lambda cell: f"#{cell[1]}",
        link=lambda cell: round_link(cell[0]),
        key=lambda cell: cell[1],
    ),
    Column("State", kind="pill", pill=lambda text: STATES.get(text.lower(), "neutral"), width=116),
    Column("System", width=150),
    Column("Format", width=112),
    Column("Agents", align="right", kind="number", width=76),
    Column("Matches", align="right", kind="number", width=84),
    Column("Winner"),
    Column("Promotions", tooltip="Who was promoted or relegated by the settlement"),
)
AGENTS = (
    Column("Agent"),
    Column("Rounds", align="right", kind="number", width=80),
    Column("Wins", align="right", kind="number", width=68, tooltip="Rounds in which it came first"),
    Column("Points", align="right", kind="number", width=84, format=half, tooltip="The sum over all rounds"),
    Column("Rewards", align="right", kind="number", width=120, format=lambda wei: ether(wei, places=6)),
    Column("Rating", align="right", kind="number", width=84, format=lambda value: f"{value:.0f}"),
    Column("Tier", width=90, tooltip="The highest that its capital opens"),
    Column("Out", align="right", kind="number", width=64, tooltip="Rounds in which it was disqualified"),
    Column("Rank by round", tooltip=f"In the last {RANKS} rounds; a dash where it did not take part"),
)


class SeasonCard(Card):
    """The rounds of a league with their winners, and its agents over all of them."""

    linkActivated = Signal(str)
    setupRequested = Signal()

    def __init__(self, model: SeasonsViewModel) -> None:
        super().__init__()
        self._model = model
        self._choice = Choice()
        self._choice.setAccessibleName("League")
        self._choice.setMinimumWidth(180)
        header = SectionHeader("Season", "A league over all its rounds; ratings go on from one to the next")
        header.add_action(self._choice)
        self.rounds = DataTable(ROUNDS, name="Rounds of the season")
        self.agents = DataTable(AGENTS, name="Agents of the season")
        self.add(header)
        self.rounds.fit_height(2, 8)
        self.add(self.rounds)
        self._agents_header = SectionHeader("Agents", "By what they earned, then by points")
        self.add(self._agents_header)
        self.agents.setMinimumHeight(220)
        self.add(self.agents, 1)
        self._choice.activated.connect(lambda at: model.select(self._choice.itemText(at)))
        self.rounds.linkActivated.connect(self.linkActivated)
        self.rounds.emptyAction.connect(lambda key: self.setupRequested.emit())
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _show(self, state: SeasonsState) -> None:
        names = list(state.names)
        if [self._choice.itemText(at) for at in range(self._choice.count())] != names:
            self._choice.clear()
            self._choice.addItems(names)
        self._choice.setCurrentText(state.name)
        self._choice.setVisible(bool(names))
        season = state.season
        rounds = tuple(_round_row(item) for item in reversed(season.rounds)) if season is not None else ()
        self.rounds.set_state(TableState(rounds, tuple(row[0][0] for row in rounds), NO_SEASON))
        for widget in (self._agents_header, self.agents):
            widget.setVisible(season is not None)
        if season is not None:
            lines = tuple(_agent_row(line) for line in season.lines)
            self.agents.set_state(TableState(lines, tuple(line.sha256 for line in season.lines)))


def _round_row(item: Any) -> tuple[Any, ...]:
    return (
        (item.round_id, item.number),
        item.state.capitalize(),
        item.system,
        FORMAT_TITLES.get(item.format, item.format),
        item.agents,
        item.matches,
        item.winner or None,
        moves_text(item.moves) or None,
    )


def moves_text(moves: Sequence[Any]) -> str:
    """Return who was promoted and relegated, with arrows and words."""
    parts = []
    for move in moves:
        word = "▲" if move.up else "▼"
        parts.append(f"{word} {move.agent} to {move.after or 'no tier'}")
    return ", ".join(parts)


def _agent_row(line: Any) -> tuple[Any, ...]:
    ranks = "  ".join("-" if rank is None else str(rank) for rank in line.ranks[-RANKS:])
    return (
        line.agent,
        line.rounds,
        line.wins,
        line.points,
        line.reward_wei,
        line.rating,
        line.tier.capitalize() or None,
        line.disqualified,
        ranks,
    )
