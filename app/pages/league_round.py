"""The round tab of the Leagues page: choice of the round, progress, standings, crosstable, score race, matches."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QProgressBar, QVBoxLayout, QWidget

from app.formats import count, ether, plural
from app.links import tx_link
from app.pages.base import FRAME_MS, InSight, round_choice, search_field, side_by_side
from app.pages.league_tables import MatchesTable, StandingsTable
from app.viewmodels.rounds import RoundsState, RoundsViewModel
from app.viewmodels.setup import FORMAT_TITLES
from engine.league.schedule import SOLO
from widgets.basics import Card, button, column, label, row
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.crosstable import CrossCell, CrossTable, CrossTableState
from widgets.jobs import LINGER_MS
from widgets.labels import PillState, SectionHeader, StatusPill
from widgets.plot import LinePlot, LinePlotState, Series
from widgets.steady_text import SteadyText

STATE_KINDS = {"settled": "ok", "anchored": "info", "played": "info", "playing": "warn", "rejected": "error"}
_OPEN = "Open one to replay it"
RACERS = 8
RACE_WIDTH = 380


class RoundCard(Card):
    """Everything about one round."""

    resumeRequested = Signal(str)
    setupRequested = Signal()
    linkActivated = Signal(str)

    def __init__(self, model: RoundsViewModel) -> None:
        super().__init__()
        self._model = model
        self._choice = round_choice()
        self._choice.setMinimumWidth(220)
        self._pill = StatusPill()
        self._progress = QProgressBar()
        self._progress.setAccessibleName("Progress of the round")
        self._progress.setTextVisible(False)
        self._note = SteadyText("How far the round is", lines=1, tone="muted")
        self._after, self._now = button("Stop after current", "pause"), button("Stop now", "stop")
        self._resume = button("Resume", "play", "primary")
        self._facts, self._terms, self._hashes = KeyValuePanel(), KeyValuePanel(), KeyValuePanel()
        self.standings = StandingsTable()
        self.crosstable = CrossTable()
        self._order: tuple[int, ...] = ()
        self._running = False
        self._lingering = QTimer(self, singleShot=True, interval=LINGER_MS)
        self._lingering.timeout.connect(lambda: self._show_head(self._model.state))
        self._sum = label("", "small", wrap=True)
        self.race = LinePlot()
        self.race.setMinimumHeight(240)
        self.matches = MatchesTable()
        self._all = button("Show all matches", "close", "ghost")
        self._seen: dict[str, tuple[object, ...]] = {}
        self._build()
        # Each part is shown in a turn of its own: all of them together take longer than a frame.
        parts = (self._show_head, self._show_facts, self._show_standings, self._show_matches, self._show_crosstable)
        self._observed = [model.observe(InSight(self, show, rest=FRAME_MS)) for show in (*parts, self._show_race)]

    def unobserve(self) -> None:
        """Stop observing."""
        for end in self._observed:
            end()

    def _build(self) -> None:
        head = row(self._choice, self._pill, None, self._resume, self._after, self._now)
        self._now.ensurePolished()
        head.addStrut(self._now.sizeHint().height())  # as high without the buttons
        self.add(head)
        self.add(self._progress)
        self.add(self._note)
        self.add(side_by_side(self._facts, self._terms, self._hashes, stretches=(2, 2, 3), narrow=640))
        self.add(_titled("Standings", "By score; equal scores by the tie-breaks", self.standings))
        self._cross = _titled(
            "Crosstable", "Won-drawn-lost of the row against the column; open a cell", self.crosstable
        )
        self._cross.layout().addWidget(self._sum)
        self._cross.layout().addStretch(1)
        self._middle = side_by_side(self._cross, self.race, stretches=(3, 2), narrow=1000)
        self.add(self._middle)
        filter_field = search_field("Filter matches", self.matches.set_filter)
        self._matches_header = SectionHeader("Matches", _OPEN)
        for action in (self._all, filter_field):
            self._matches_header.add_action(action)
        self._matches_box = QWidget()
        box = column(self._matches_box, spacing=8)
        box.addWidget(self._matches_header)
        box.addWidget(self.matches, 1)
        self.add(self._matches_box, 1)
        self._choice.activated.connect(lambda i: self._model.select(self._choice.itemData(i)))
        self._resume.clicked.connect(lambda: self.resumeRequested.emit(self._model.state.selected))
        self._after.clicked.connect(self._model.stop_after_current)
        self._now.clicked.connect(self._model.stop_now)
        self._all.clicked.connect(lambda: self._model.show_pair(None))
        self.crosstable.pairActivated.connect(self._open_pair)
        for table in (self.standings, self.matches):
            table.linkActivated.connect(self.linkActivated)
        self.standings.emptyAction.connect(lambda key: self.setupRequested.emit())
        self._hashes.linkActivated.connect(self.linkActivated)

    def _open_pair(self, own: int, other: int) -> None:
        self._model.show_pair((self._order[own], self._order[other]))
        self._matches_box.setFocus()

    def _show_head(self, state: RoundsState) -> None:
        run, result = state.run, state.result
        running = run.state != "idle"
        if self._changed("choice", state.rounds, state.selected):
            self._fill_choice(state)
        interrupted = result is not None and result.state == "playing" and not running
        unsent = result is not None and result.state == "played" and result.book != "local" and not running
        shown = self._lingers(running, stays=not interrupted and not unsent)
        for part in (self._after, self._now, self._progress):
            part.setVisible(shown)
        for part in (self._after, self._now):
            part.setEnabled(run.state == "running")
        self._resume.setVisible(interrupted or unsent)
        self._resume.setText("Resume" if interrupted else "Send to the chain")
        self._note.setVisible(shown or interrupted)
        if running or interrupted:
            self._note.setText(_note(state, interrupted))
        if running:
            self._progress.setRange(0, max(run.total, 0))
            self._progress.setValue(run.done)
        self._pill.setVisible(running or result is not None)
        self._pill.set_state(_pill(state, interrupted))

    def _show_standings(self, state: RoundsState) -> None:
        if self._changed("standings", state.result, state.selected, state.run):
            self.standings.show_round(state)

    def _show_matches(self, state: RoundsState) -> None:
        if self._changed("matches", state.result, state.selected, state.matches, state.pair):
            self.matches.show_round(state)
            self._matches_box.setVisible(state.result is not None)
            self._all.setVisible(state.pair is not None)
            self._matches_header.set_text("Matches", _pair_text(state))

    def _lingers(self, running: bool, *, stays: bool) -> bool:
        """Return whether progress and buttons are to be seen: a moment longer than a round runs.

        Where one round follows another, the whole card would be laid out and painted anew at every end and beginning.
        """
        if running or not stays:
            self._lingering.stop()
        elif self._running:
            self._lingering.start()
        self._running = running
        return running or self._lingering.isActive()

    def _changed(self, part: str, *of: object) -> bool:
        """Whether what a part shows is another object than the last time: most of a state stays while a round runs."""
        before, self._seen[part] = self._seen.get(part), of
        return before is None or any(one is not other for one, other in zip(before, of, strict=True))

    def _fill_choice(self, state: RoundsState) -> None:
        self._choice.set_items(state.rounds, state.selected)
        self._choice.setVisible(bool(state.rounds))

    def _show_facts(self, state: RoundsState) -> None:
        result = state.result
        if not self._changed("facts", result, state.title, state.host, state.matches):
            return
        for panel in (self._facts, self._terms, self._hashes):
            panel.setVisible(result is not None)
        if result is None:
            return
        self._facts.set_state(KeyValueState(tuple(_facts(state))))
        self._terms.set_state(KeyValueState(tuple(_terms(result))))
        anchored = result.anchored
        hashes = [KeyValueRow("Results hash", result.results_hash or "", "hash")]
        if anchored is not None:
            hashes += [
                KeyValueRow("Root on chain", anchored.root, "hash"),
                KeyValueRow("Transaction", anchored.tx or "", "hash", link=tx_link(anchored.tx or "")),
            ]
        else:
            hashes.append(KeyValueRow("Root", "Not on chain", "pill"))
        if state.host:
            hashes.append(KeyValueRow("Host (simulated)", "Dishonest", "pill", status="warn", tooltip=state.host))
        self._hashes.set_state(KeyValueState(tuple(hashes)))

    def _show_crosstable(self, state: RoundsState) -> None:
        if not self._changed("crosstable", state.result, state.matches, state.crosstable):
            return
        self._cross.setVisible(bool(state.crosstable))
        if not state.crosstable:
            return
        standings = state.result.standings
        self._order = tuple(line.seat for line in standings)
        place = {seat: at for at, seat in enumerate(self._order)}
        cells = {
            (place[own], place[other]): CrossCell(cell.won, cell.drawn, cell.lost)
            for (own, other), cell in state.crosstable.items()
        }
        table = CrossTableState(tuple(line.agent for line in standings), cells)
        self.crosstable.set_state(table)
        self._cross.setMinimumWidth(min(self.crosstable.needed(), 700))
        self._middle.set_narrow(self.crosstable.needed() + RACE_WIDTH)
        rest = [
            plural(sum(m.outcome == word for m in state.matches), one, many)
            for word, one, many in (("BYE", "bye", "byes"), ("VOID", "VOID match", "VOID matches"))
            if any(m.outcome == word for m in state.matches)
        ]
        apart = f"; apart from them {' and '.join(rest)}" if rest else ""
        self._sum.setText(f"{plural(table.matches, 'match', 'matches')} stand in the table{apart}.")

    def _show_race(self, state: RoundsState) -> None:
        result = state.result
        if not self._changed("race", result, state.race, state.run.state):
            return
        begun = result is not None and result.state == "playing" and state.run.state != "idle"
        # A round that begins stands at its start: without a plot until the first match, the page would jump.
        race = state.race if len(state.race) > 1 or not begun else ((0, (0,) * len(result.standings)),)
        shown = result is not None and (len(race) > 1 or begun)
        self.race.setVisible(shown)
        if not shown:
            self.race.set_state(LinePlotState("Score race", "matches played", "score"))
            return
        import numpy as np

        last = race[-1][1]
        names = {line.seat: line.agent for line in result.standings}
        seats = sorted(names, key=lambda seat: -last[seat])[:RACERS] if len(last) >= len(names) else []
        x = np.array([done for done, _ in race], dtype=float)
        series = (Series(names[seat], x, np.array([scores[seat] for _, scores in race], dtype=float)) for seat in seats)
        title = "Score race" if len(names) <= RACERS else f"Score race of the first {RACERS}"
        self.race.set_state(LinePlotState(title, "matches played", "score", tuple(series)))


def _pair_text(state: RoundsState) -> str:
    if state.pair is None:
        return _OPEN
    names = {line.seat: line.agent for line in state.result.standings}
    return f"Of {names[state.pair[0]]} and {names[state.pair[1]]} alone"


def _facts(state: RoundsState) -> list[KeyValueRow]:
    result = state.result
    solo = result.format == SOLO
    stage = max((m.stage for m in state.matches), default=0) + 1
    rows = [
        KeyValueRow("System", state.title),
        KeyValueRow("Format", FORMAT_TITLES.get(result.format, result.format)),
    ]
    if result.stages > 1:
        rows.append(KeyValueRow("Stage", f"{stage} of {result.stages}"))
    rows.append(KeyValueRow("Matches", f"{count(result.matches)} {'an agent' if solo else 'a pairing'}"))
    if result.params:
        rows.append(KeyValueRow("Parameters", ", ".join(f"{name} {value}" for name, value in result.params.items())))
    return rows


def _terms(result: Any) -> list[KeyValueRow]:
    return [
        KeyValueRow("Tier", result.tier.capitalize()),
        KeyValueRow("Seed", str(result.seed), "mono"),
        KeyValueRow("Pot", ether(result.pot_wei)),
    ]


def _note(state: RoundsState, interrupted: bool) -> str:
    run, result = state.run, state.result
    if run.state != "idle":
        stopping = "Stopping; what is being played is stored first. " if run.state == "stopping" else ""
        lost = f", {plural(run.failures, 'loss by fault', 'losses by fault')}" if run.failures else ""
        return f"{stopping}{count(run.done)} of {plural(run.total, 'match', 'matches')}, {run.rate:g} a second{lost}"
    return f"{count(result.done)} of {plural(result.total, 'match', 'matches')} played" if interrupted else ""


def _pill(state: RoundsState, interrupted: bool) -> PillState:
    if state.run.state != "idle":
        return PillState("Playing" if state.run.state == "running" else "Stopping", "info")
    if state.result is None:
        return PillState()
    shown = "interrupted" if interrupted else state.result.state
    return PillState(shown.capitalize(), STATE_KINDS.get(state.result.state, "neutral"))


def _titled(title: str, subtitle: str, content: QWidget, *actions: QWidget) -> QWidget:
    holder = QWidget()
    layout: QVBoxLayout = column(holder, spacing=8)
    header = SectionHeader(title, subtitle)
    for action in actions:
        header.add_action(action)
    layout.addWidget(header)
    layout.addWidget(content, 1)
    return holder
