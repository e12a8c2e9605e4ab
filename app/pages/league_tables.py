"""The tables of a round: standings, with and without opponents, and matches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QStackedWidget, QWidget

from app.formats import count, ether
from app.links import match_link
from app.viewmodels.rounds import RoundsState
from engine.league.schedule import SOLO
from widgets.basics import column
from widgets.panels import Action, EmptyPanelState
from widgets.table import Column, DataTable, TableState

EMPTY_ROUND = EmptyPanelState("leagues", "No round yet", "Set one up and run it.", (Action("setup", "Set up a round"),))
CAUSES = {"ILLEGAL_ACTION": "illegal move", "OUT_OF_GAS": "out of gas", "STACK": "stack overflow"}

# The cell holds the round's id and the match's number; the number alone is shown and sorted by.
MATCH = Column(
    "Match",
    align="right",
    kind="link",
    format=lambda cell: f"#{cell[1]}",
    link=lambda cell: match_link(*cell) if len(cell) == 2 else "",
    key=lambda cell: cell[1],
    width=80,
)


def _number(title: str, width: int = 72, tooltip: str = "", show: Callable[[Any], str] | None = None) -> Column:
    return Column(title, align="right", kind="number", width=width, tooltip=tooltip, format=show)


def half(value: float) -> str:
    """Return points as chess players write them: 2½."""
    whole, rest = divmod(value, 1)
    return f"{int(whole) or ''}½" if rest == 0.5 else f"{value:g}"


_STANDING = Column(
    "Status", kind="pill", pill=lambda v: "ok" if v == "In" else "error", width=84, tooltip="Out: disqualified"
)
_REWARD = _number("Reward", 108, "What the settlement credits", lambda v: ether(v))
_RATING = Column(
    "Rating",
    align="right",
    kind="number",
    width=106,
    format=lambda cell: f"{cell[0]:.0f} ± {2 * cell[1]:.0f}",
    key=lambda cell: cell[0],
    tooltip="Glicko-2 of this league, with the interval of 95 %",
)
SOLO_COLUMNS = (
    _number("Rank", 64),
    Column("Agent"),
    _number("Played", 76),
    _number("Finished", 88, "Matches that the agent brought to their end"),
    _number("Lost", 64, "Matches lost by a fault: a trap, no gas left, an illegal move"),
    _number("Score", 84),
    _STANDING,
    _REWARD,
)
VERSUS_COLUMNS = (
    _number("Rank", 58),
    Column("Agent"),
    _number("Played", 72),
    _number("Won", 58),
    _number("Drawn", 68),
    _number("Lost", 58),
    _number("Byes", 60, "Matches without opponent: the full score"),
    _number("Points", 74, "1 a match won or without opponent, ½ a drawn one", half),
    _number("Score", 72, "The sum of the match scores: it decides the rank"),
    _RATING,
    _number("Buchholz", 90, "First tie-break: the points of all opponents", half),
    _number("S-B", 68, "Second tie-break, Sonneborn-Berger: the points of the beaten and half of the drawn with", half),
    _STANDING,
    _REWARD,
)


class StandingsTable(QWidget):
    """Who stands where; without opponents there is less to say."""

    linkActivated = Signal(str)
    emptyAction = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.solo = DataTable(SOLO_COLUMNS, name="Standings")
        self.versus = DataTable(VERSUS_COLUMNS, name="Standings of a league with opponents")
        self._versus = False
        body = column(self)
        for table in (self.solo, self.versus):
            table.fit_height(3, 12)
            body.addWidget(table)
            table.linkActivated.connect(self.linkActivated)
            table.emptyAction.connect(self.emptyAction)

    @property
    def shown(self) -> DataTable:
        """The table of the round shown."""
        return self.versus if self._versus else self.solo

    def show_round(self, state: RoundsState) -> None:
        """Show the standings of a round, of one that is being played with the scores of the moment."""
        result = state.result
        self._versus = versus = result is not None and result.format != SOLO
        self.versus.setVisible(versus)
        self.solo.setVisible(not versus)
        lines = _live(state) if result is not None else ()
        rows = tuple(_versus_row(line) if versus else _solo_row(line) for line in lines)
        self.shown.set_state(TableState(rows, tuple(line[0].sha256 for line in lines), EMPTY_ROUND))


def _live(state: RoundsState) -> Sequence[tuple[Any, Any, int]]:
    """Return each standing with its rank and score; a round that is played is ordered by the scores of the moment."""
    result, run = state.result, state.run
    if run.state == "idle" or run.round_id != state.selected or len(run.scores) != len(result.standings):
        return [(line, line.rank, line.score) for line in result.standings]
    lines = sorted(result.standings, key=lambda line: -run.scores[line.seat])
    order = sorted(run.scores, reverse=True)
    return [(line, order.index(run.scores[line.seat]) + 1, run.scores[line.seat]) for line in lines]


def _solo_row(cell: tuple[Any, Any, int]) -> tuple[Any, ...]:
    line, rank, score = cell
    return (rank, line.agent, line.played, line.won, line.lost, score, _standing(line), line.reward_wei)


def _versus_row(cell: tuple[Any, Any, int]) -> tuple[Any, ...]:
    line, rank, score = cell
    rating = (line.rating, line.deviation) if line.rating is not None else None
    breaks = line.tiebreaks
    return (
        rank,
        line.agent,
        line.played,
        line.won,
        line.drawn,
        line.lost,
        line.byes,
        line.points,
        score,
        rating,
        breaks.buchholz,
        breaks.sonneborn_berger,
        _standing(line),
        line.reward_wei,
    )


def _standing(line: Any) -> str:
    return "Out" if line.disqualified else "In"


def outcome_text(match: Any, names: dict[int, str], solo: bool) -> str:
    """Return how a match ended, told apart by word: finished, won, drawn, each fault, VOID, BYE."""
    if match.outcome == "LOSS":
        who = names.get(match.a if match.seat == 0 else match.b, "")
        cause = CAUSES.get(match.cause) or (match.cause or "fault").lower().replace("_", " ")
        return f"Fault: {cause}" if solo else f"{who}: {cause}"
    if match.outcome == "VOID":
        return f"VOID {match.cause or ''}".strip()
    if match.outcome != "FINISHED" or solo:
        return {"FINISHED": "Finished", "BYE": "BYE"}.get(match.outcome, match.outcome)
    if match.score_a == match.score_b:
        return "Drawn"
    return f"{names.get(match.a if match.score_a > match.score_b else match.b, '')} won"


def outcome_kind(text: str) -> str:
    """Return the colour of an outcome; the word and the icon say the same."""
    if text.startswith(("VOID", "INFRA")):
        return "warn"
    if text == "Finished" or text.endswith(" won"):
        return "ok"
    return "neutral" if text in ("Drawn", "BYE") else "error"


_TAIL = (
    _number("Steps", 72),
    _number("Gas", 112, show=count),
    Column("Trace root", kind="hash", width=164),
)
SOLO_MATCHES = (
    MATCH,
    Column("Agent"),
    Column("Outcome", kind="pill", pill=outcome_kind, width=230),
    _number("Score"),
    *_TAIL,
)
VERSUS_MATCHES = (
    MATCH,
    _number("Stage", 68),
    Column("First"),
    Column("Second"),
    Column("Outcome", kind="pill", pill=outcome_kind, width=230),
    Column("Result", align="center", width=84, tooltip="Scores of first and second"),
    *_TAIL,
)


class MatchesTable(QWidget):
    """The matches of a round, or those of one pairing."""

    linkActivated = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.solo = DataTable(SOLO_MATCHES, name="Matches")
        self.versus = DataTable(VERSUS_MATCHES, name="Matches of a league with opponents")
        self._stack = QStackedWidget()
        column(self).addWidget(self._stack)
        self._round = ""
        for table in (self.solo, self.versus):
            self._stack.addWidget(table)
            table.linkActivated.connect(self.linkActivated)
            table.activated.connect(lambda key: self.linkActivated.emit(match_link(self._round, key)))
        self.setMinimumHeight(300)

    @property
    def shown(self) -> DataTable:
        """The table of the round shown."""
        return self.versus if self._stack.currentIndex() else self.solo

    def set_filter(self, text: str) -> None:
        """Show only the rows that contain all words."""
        self.solo.set_filter(text)
        self.versus.set_filter(text)

    def show_round(self, state: RoundsState) -> None:
        """Show the matches of a round."""
        result, self._round = state.result, state.selected
        solo = result is None or result.format == SOLO
        self._stack.setCurrentIndex(0 if solo else 1)
        names = {line.seat: line.agent for line in result.standings} if result is not None else {}
        pair = set(state.pair) if state.pair is not None else None
        matches = [m for m in state.matches if pair is None or {m.a, m.b} == pair]
        rows = tuple(_match_row(state.selected, m, names, solo) for m in matches)
        self.shown.set_state(TableState(rows, tuple(m.fixture for m in matches)))


def _match_row(round_id: str, m: Any, names: dict[int, str], solo: bool) -> tuple[Any, ...]:
    # A bye was not played: there is nothing to open, and no trace.
    match = (round_id, m.fixture) if m.outcome != "BYE" else (round_id, m.fixture, "bye")
    root = m.trace_root.hex() if m.outcome != "BYE" else None
    outcome, first = outcome_text(m, names, solo), names.get(m.a, str(m.a))
    if solo:
        return (match, first, outcome, m.score_a, m.steps, m.gas, root)
    second = names.get(m.b, str(m.b)) if m.b is not None else None
    result = f"{m.score_a} : {m.score_b}" if m.score_b is not None else f"{m.score_a}"
    return (match, m.stage + 1, first, second, outcome, result, m.steps, m.gas, root)
