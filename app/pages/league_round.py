"""The round tab of the Leagues page: choice of the round, progress, standings, matches."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QProgressBar, QSplitter, QVBoxLayout, QWidget

from app.formats import count, ether, plural
from app.links import match_link, tx_link
from app.pages.base import search_field, side_by_side
from app.viewmodels.rounds import RoundsState, RoundsViewModel
from widgets.basics import Card, button, column, label, row
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.labels import PillState, SectionHeader, StatusPill
from widgets.panels import Action, EmptyPanelState
from widgets.table import Column, DataTable, TableState

STATE_KINDS = {"settled": "ok", "anchored": "info", "played": "info", "playing": "warn"}
EMPTY_ROUND = EmptyPanelState("leagues", "No round yet", "Set one up and run it.", (Action("setup", "Set up a round"),))


# The cell holds the round's id and the match's number; the number alone is shown and sorted by.
MATCH = Column(
    "Match",
    align="right",
    kind="link",
    format=lambda cell: f"#{cell[1]}",
    link=lambda cell: match_link(*cell),
    key=lambda cell: cell[1],
    width=80,
)


def outcome_kind(text: str) -> str:
    """Return the colour of an outcome; the word and the icon say the same."""
    return "ok" if text == "FINISHED" else "warn" if text in ("VOID", "INFRA") else "error"


class RoundCard(Card):
    """Everything about one round."""

    resumeRequested = Signal(str)
    setupRequested = Signal()
    linkActivated = Signal(str)

    def __init__(self, model: RoundsViewModel) -> None:
        super().__init__()
        self._model = model
        self._choice = QComboBox()
        self._choice.setAccessibleName("Round")
        self._choice.setMinimumWidth(220)
        self._pill = StatusPill()
        self._progress = QProgressBar()
        self._progress.setAccessibleName("Progress of the round")
        self._progress.setTextVisible(False)
        self._note = label("", "muted")
        self._after, self._now = button("Stop after current", "pause"), button("Stop now", "stop")
        self._resume = button("Resume", "play", "primary")
        self._facts, self._hashes = KeyValuePanel(), KeyValuePanel()
        self.standings = DataTable(
            (
                Column("Rank", align="right", kind="number", width=64),
                Column("Agent"),
                Column("Score", align="right", kind="number", width=84),
                Column("Played", align="right", kind="number", width=76),
                Column("Finished", align="right", kind="number", width=84),
                Column("Lost", align="right", kind="number", width=64),
                Column("Standing", kind="pill", pill=lambda v: "ok" if v == "In" else "error", width=140),
                Column("Reward", align="right", kind="number", format=lambda v: ether(v), width=116),
            ),
            name="Standings",
        )
        self.matches = DataTable(
            (
                MATCH,
                Column("Agent"),
                Column("Outcome", kind="pill", pill=outcome_kind, width=170),
                Column("Score", align="right", kind="number", width=72),
                Column("Steps", align="right", kind="number", width=72),
                Column("Gas", align="right", kind="number", format=count, width=104),
                Column("Trace root", kind="hash", width=164),
            ),
            name="Matches",
        )  # fmt: skip
        self._build()
        self.unobserve: Callable[[], None] = model.observe(self._show)

    def _build(self) -> None:
        self.add(row(self._choice, self._pill, None, self._resume, self._after, self._now))
        self.add(self._progress)
        self.add(self._note)
        self.add(side_by_side(self._facts, self._hashes, narrow=640))
        split = QSplitter(Qt.Orientation.Vertical)
        split.setChildrenCollapsible(False)
        split.addWidget(_titled("Standings", "By total score; equal scores share the rank", self.standings, None))
        filter_field = search_field("Filter matches", self.matches.set_filter)
        split.addWidget(_titled("Matches", "Open one to replay it", self.matches, filter_field))
        split.setMinimumHeight(380)
        self.add(split, 1)
        self._choice.activated.connect(lambda i: self._model.select(self._choice.itemData(i)))
        self._resume.clicked.connect(lambda: self.resumeRequested.emit(self._model.state.selected))
        self._after.clicked.connect(self._model.stop_after_current)
        self._now.clicked.connect(self._model.stop_now)
        for table in (self.standings, self.matches):
            table.linkActivated.connect(self.linkActivated)
            table.emptyAction.connect(lambda key: self.setupRequested.emit())
        self._hashes.linkActivated.connect(self.linkActivated)
        self.matches.activated.connect(lambda key: self.linkActivated.emit(match_link(self._model.state.selected, key)))

    def _show(self, state: RoundsState) -> None:
        run, result = state.run, state.result
        running = run.state != "idle"
        self._fill_choice(state)
        self._after.setVisible(running)
        self._now.setVisible(running)
        self._after.setEnabled(run.state == "running")
        self._progress.setVisible(running)
        self._progress.setRange(0, max(run.total, 0))
        self._progress.setValue(run.done)
        interrupted = result is not None and result.state == "playing" and not running
        unsent = result is not None and result.state == "played" and result.book != "local" and not running
        self._resume.setVisible(interrupted or unsent)
        self._resume.setText("Resume" if interrupted else "Send to the chain")
        if running:
            stopping = "Stopping; what is being played is stored first. " if run.state == "stopping" else ""
            lost = f", {plural(run.failures, 'loss by fault', 'losses by fault')}" if run.failures else ""
            self._note.setText(
                f"{stopping}{count(run.done)} of {plural(run.total, 'match', 'matches')}, {run.rate:g} a second{lost}"
            )
            self._pill.set_state(PillState("Playing" if run.state == "running" else "Stopping", "info"))
        elif result is not None:
            shown = "interrupted" if interrupted else result.state
            self._pill.set_state(PillState(shown.capitalize(), STATE_KINDS.get(result.state, "neutral")))
            self._note.setText(f"{count(result.done)} of {plural(result.total, 'match', 'matches')} played")
        self._note.setVisible(running or interrupted)
        self._pill.setVisible(running or result is not None)
        self._show_facts(state)
        self._show_tables(state)

    def _fill_choice(self, state: RoundsState) -> None:
        items = [(f"{r.name} #{r.number}", r.round_id) for r in state.rounds]
        known = [(self._choice.itemText(i), self._choice.itemData(i)) for i in range(self._choice.count())]
        if items != known:
            self._choice.clear()
            for text, round_id in items:
                self._choice.addItem(text, round_id)
        self._choice.setCurrentIndex(max(self._choice.findData(state.selected), 0) if items else -1)
        self._choice.setVisible(bool(items))

    def _show_facts(self, state: RoundsState) -> None:
        result = state.result
        self._facts.setVisible(result is not None)
        self._hashes.setVisible(result is not None)
        if result is None:
            return
        facts = (
            KeyValueRow("Tier", result.tier.capitalize()),
            KeyValueRow("Seed", str(result.seed), "mono"),
            KeyValueRow("Matches", f"{count(result.matches)} an agent"),
            KeyValueRow("Pot", ether(result.pot_wei)),
        )
        anchored = result.anchored
        hashes = [KeyValueRow("Results hash", result.results_hash or "", "hash")]
        if anchored is not None:
            hashes += [
                KeyValueRow("Root on chain", anchored.root, "hash"),
                KeyValueRow("Transaction", anchored.tx or "", "hash", link=tx_link(anchored.tx or "")),
            ]
        else:
            hashes.append(KeyValueRow("Root", "Not on chain", "pill"))
        self._facts.set_state(KeyValueState(facts))
        self._hashes.set_state(KeyValueState(tuple(hashes)))

    def _show_tables(self, state: RoundsState) -> None:
        result, run = state.result, state.run
        if run.state != "idle" and run.scores:
            ranked = sorted(zip(run.agents, run.scores, strict=False), key=lambda pair: -pair[1])
            rows = tuple(
                (place, name, score, None, None, None, "In", None) for place, (name, score) in enumerate(ranked, 1)
            )
            self.standings.set_state(TableState(rows, tuple(name for name, _ in ranked), EMPTY_ROUND))
        elif result is not None:
            rows = tuple(
                (
                    s.rank,
                    s.agent,
                    s.score,
                    s.played,
                    s.won,
                    s.lost,
                    "Disqualified" if s.disqualified else "In",
                    s.reward_wei,
                )
                for s in result.standings
            )
            self.standings.set_state(TableState(rows, tuple(s.sha256 for s in result.standings), EMPTY_ROUND))
        else:
            self.standings.set_state(TableState((), (), EMPTY_ROUND))
        names = {s.seat: s.agent for s in result.standings} if result is not None else {}
        matches = tuple(
            (
                (state.selected, m.fixture),
                names.get(m.a, str(m.a)),
                m.outcome if m.outcome != "LOSS" else f"LOSS {m.cause}",
                m.score_a,
                m.steps,
                m.gas,
                m.trace_root.hex(),
            )
            for m in state.matches
        )
        self.matches.set_state(TableState(matches, tuple(m.fixture for m in state.matches)))


def _titled(title: str, subtitle: str, table: QWidget, action: QWidget | None) -> QWidget:
    holder = QWidget()
    layout: QVBoxLayout = column(holder, spacing=8)
    header = SectionHeader(title, subtitle)
    if action is not None:
        header.add_action(action)
    layout.addWidget(header)
    layout.addWidget(table, 1)
    return holder
