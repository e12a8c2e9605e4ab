"""The Replay page."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.formats import count
from app.links import Place
from app.pages.base import ConsolePage, Tabs, scrolling, side_by_side
from app.pages.replay_rows import match_rows, proof_state, seat_infos, step_rows, verdict_banner
from app.viewmodels.match_reading import LISTED
from app.viewmodels.replay import ReplayState, ReplayViewModel
from widgets.basics import Card, button, column, label
from widgets.board import BoardView, BytesBoard
from widgets.board_state import BoardState, board_state
from widgets.cards import KeyValuePanel, KeyValueState
from widgets.labels import SectionHeader
from widgets.merkle import ProofView
from widgets.panels import Action, Banner, BannerState, EmptyPanel, EmptyPanelState
from widgets.seats_bar import SeatsBar
from widgets.table import Column, DataTable, TableState
from widgets.transport import Mark, Transport, TransportState

NOTHING = EmptyPanelState(
    "replay",
    "No match open",
    "Drop a .nets bundle here, open one, or choose a match of a round.",
    (Action("open", "Open a bundle…", "open", primary=True), Action("rounds", "Go to the rounds", "leagues")),
)


class ReplayPage(ConsolePage):
    """Board, transport, the step's facts, the list of moves, the state in words, the proof of the step."""

    openRequested = Signal()
    saveRequested = Signal()
    exportProofRequested = Signal()
    roundsRequested = Signal()

    def __init__(self, model: ReplayViewModel) -> None:
        super().__init__("Replay", "Every step of a match, and the proof that it was played so")
        self._model = model
        self._open = button("Open…", "open")
        self._save = button("Save bundle…", "export")
        self._verify = button("Verify by playing again", "shield", "primary")
        self._empty = EmptyPanel(NOTHING)
        self._verdict, self._trouble = Banner(None), Banner(None)
        self._seats = SeatsBar()
        self._board = BoardView()
        self._transport = Transport()
        self._match, self._step = KeyValuePanel(), KeyValuePanel()
        self._moves = DataTable(
            (
                Column("Step", align="right", kind="number", width=68),
                Column("Agent"),
                Column("Action"),
                Column("Gas", align="right", kind="number", format=count, width=92),
                Column("Event"),
            ),
            name="Moves",
        )
        self._listed = label("", "muted", wrap=True)
        self._words = label("", "", wrap=True, selectable=True)
        self._state_bytes, self._shown_bytes = BytesBoard(), BytesBoard()
        self._mailbox = label("What the agent was shown in its mailbox", "strong")
        self._proof = ProofView()
        self.tabs = Tabs("About the step")
        self._content = QWidget()
        self._drawn: tuple[object, ...] = ()
        self._read: object = None
        self._build()
        self.keep(model.observe(self._show))

    def _build(self) -> None:
        for widget in (self._open, self._save, self._verify):
            self.header.add_action(widget)
        self.add(self._verdict)
        self.add(self._trouble)
        self.add(self._empty, 1)
        board = Card()
        board.add(self._seats)
        board.add(self._board, 1)
        self._board.setMinimumSize(240, 240)
        self.tabs.setMinimumHeight(300)
        step = _card("Step", "What the agent was shown, and what it did", self._step)
        moves = Card()
        moves.add(self._listed)
        moves.add(self._moves, 1)
        proof = Card()
        proof.add(self._proof, 1)
        tabs = (("Step", step), ("Moves", moves), ("State", self._state_card()), ("Proof", proof),
                ("Match", _card("Match", "", self._match)))  # fmt: skip
        for title, tab in tabs:
            self.tabs.addTab(scrolling(tab), title)
        bar = Card(margins=12)
        bar.add(self._transport)
        layout = column(self._content, spacing=16)
        layout.addWidget(side_by_side(board, self.tabs, stretches=(1, 1), narrow=840), 1)
        layout.addWidget(bar)
        self.add(self._content, 1)
        self._transport.install_on(self)
        self._connect()

    def _state_card(self) -> Card:
        card = Card()
        card.add(SectionHeader("State", "The same as the board, in words and in bytes"))
        self._words.setAccessibleName("State in words")
        card.add(self._words)
        card.add(self._state_bytes, 1)
        card.add(self._mailbox)
        card.add(self._shown_bytes, 1)
        return card

    def _connect(self) -> None:
        model = self._model
        self._open.clicked.connect(self.openRequested)
        self._save.clicked.connect(self.saveRequested)
        self._verify.clicked.connect(model.verify)
        self._empty.actionTriggered.connect(
            lambda key: (self.openRequested if key == "open" else self.roundsRequested).emit()
        )
        self._verdict.actionTriggered.connect(lambda key: model.seek(int(key)))
        self._transport.seekRequested.connect(model.seek)
        self._transport.playToggled.connect(model.play)
        self._transport.speedChanged.connect(model.set_speed)
        self._moves.selectionChanged.connect(self._on_move)
        self._proof.byteEdited.connect(model.edit_leaf)
        self._proof.reverted.connect(model.revert_leaf)
        self._proof.verifyOnChainRequested.connect(model.verify_on_chain)
        self._proof.exportRequested.connect(self.exportProofRequested)
        for widget in (self._proof, self._match, self._step):
            widget.linkActivated.connect(self.linkActivated)

    def _on_move(self, keys: tuple[object, ...]) -> None:
        if keys and isinstance(keys[0], int) and keys[0] != self._model.state.step:
            self._model.seek(keys[0])

    def _show(self, state: ReplayState) -> None:
        facts = state.facts
        self._empty.setVisible(facts is None)
        for widget in (self._content, self._save, self._verify):
            widget.setVisible(facts is not None)
        self._open.setEnabled(not state.opening)
        self._open.setText("Opening…" if state.opening else "Open…")
        if facts is None:
            return
        self._verify.setEnabled(state.verify.state != "running")
        self._verify.setText("Playing again…" if state.verify.state == "running" else "Verify by playing again")
        self._verdict.set_state(verdict_banner(state.verify))
        trouble = BannerState("warn", "There is no board for this step", state.trouble) if state.trouble else None
        self._trouble.set_state(trouble)
        self.header.set_text("Replay", f"{facts.system}: {', '.join(facts.agents)}, seed {facts.seed}")
        marks = tuple(Mark(step, kind, text) for step, kind, text in state.reading.marks)
        self._transport.set_state(TransportState(state.step, facts.steps, state.playing, state.speed, marks, True))
        self._seats.set_seats(seat_infos(state))
        self._match.set_state(KeyValueState(match_rows(state)))
        self._step.set_state(KeyValueState(step_rows(state)))
        self._show_board(state)
        self._show_moves(state)
        self._proof.setVisible(state.proof is not None)
        if state.proof is not None:
            self._proof.set_state(proof_state(state.proof, state.chain))

    def _show_board(self, state: ReplayState) -> None:
        facts, shown = state.facts, state.shown
        assert facts is not None
        drawn = (facts, state.step, state.board)
        if self._drawn == drawn:
            return
        self._drawn = drawn
        caption = f"Step {state.step} of {facts.steps}" if shown is not None else f"The end, after {facts.steps} steps"
        board = board_state(self._model.description, state.board, caption=caption, seats=facts.seats)
        self._board.set_state(board)
        self._words.setText(board.describe())
        self._state_bytes.set_state(board)
        mail = shown is not None and shown.mailbox
        self._mailbox.setVisible(mail)
        self._shown_bytes.setVisible(mail)
        if shown is not None and mail:
            self._shown_bytes.set_state(BoardState(raw=shown.observation, title="Mailbox"))

    def _show_moves(self, state: ReplayState) -> None:
        facts, moves = state.facts, state.reading.moves
        assert facts is not None
        if self._read is not state.reading:
            self._read = state.reading
            twins = len(set(facts.agents)) < len(facts.agents)
            names = [f"{seat}: {name}" if twins else name for seat, name in enumerate(facts.agents)]
            rows = tuple((m.step, names[m.seat], m.action, m.gas, m.event) for m in moves)
            self._moves.set_state(TableState(rows, tuple(m.step for m in moves)))
            self._listed.setText(f"The first {count(LISTED)} of {count(facts.steps)} steps are listed.")
            self._listed.setVisible(facts.steps > len(moves))
        if self._moves.selected_keys() != (state.step,):
            self._moves.select((state.step,) if state.step < len(moves) else ())

    def show_item(self, place: Place) -> None:
        """Open the match of a link, at its step."""
        if place.kind == "match":
            round_id, *numbers = place.name.split("/")
            if not 1 <= len(numbers) <= 2 or not all(number.isdecimal() for number in numbers):
                return
            fixture, *step = numbers
            state = self._model.state
            at = int(step[0]) if step else 0
            if (state.round_id, state.fixture) != (round_id, int(fixture)):
                self._model.open_match(round_id, int(fixture), at)
            elif step:
                self._model.seek(at)

    def save(self) -> None:
        """Save the bundle elsewhere."""
        self.saveRequested.emit()

    def tables(self) -> dict[str, QWidget]:
        """Return the tables whose columns persist."""
        return {"replay.moves": self._moves}


def _card(title: str, subtitle: str, inner: QWidget) -> Card:
    card = Card()
    card.add(SectionHeader(title, subtitle))
    card.add(inner)
    card.body.addStretch(1)
    return card
