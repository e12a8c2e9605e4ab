"""The Replay page."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QWidget

from app.formats import count
from app.links import Place, address_link
from app.pages.base import ConsolePage, Tabs, scrolling, side_by_side
from app.viewmodels.replay import ReplayState, ReplayViewModel, VerifyState
from widgets.basics import Card, button, column
from widgets.board import BoardView
from widgets.board_state import board_state
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.labels import SectionHeader
from widgets.merkle import ProofRow, ProofState, ProofView
from widgets.panels import Action, Banner, BannerState, EmptyPanel, EmptyPanelState
from widgets.transport import Mark, Transport, TransportState

NOTHING = EmptyPanelState(
    "replay",
    "No match open",
    "Drop a .nets bundle here, open one, or choose a match of a round.",
    (Action("open", "Open a bundle…", "open", primary=True), Action("rounds", "Go to the rounds", "leagues")),
)


class ReplayPage(ConsolePage):
    """Board, transport, the step's facts, the proof of the step."""

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
        self._verdict = Banner(None)
        self._board = BoardView()
        self._transport = Transport()
        self._match = KeyValuePanel()
        self._step = KeyValuePanel()
        self._proof = ProofView()
        self.tabs = Tabs("About the step")
        self._content = QWidget()
        self._drawn: tuple[object, bytes] = (None, b"")
        self._build()
        self.keep(model.observe(self._show))

    def _build(self) -> None:
        for widget in (self._open, self._save, self._verify):
            self.header.add_action(widget)
        self.add(self._verdict)
        self.add(self._empty, 1)
        board = Card()
        board.add(self._board, 1)
        self._board.setMinimumSize(240, 240)
        self.tabs.setMinimumHeight(300)
        facts = Card()
        facts.add(SectionHeader("Match"))
        facts.add(self._match)
        facts.body.addStretch(1)
        step = Card()
        step.add(SectionHeader("Step", "What the agent was shown, and what it did"))
        step.add(self._step)
        step.body.addStretch(1)
        proof = Card()
        proof.add(self._proof, 1)
        for title, tab in (("Step", step), ("Proof", proof), ("Match", facts)):
            self.tabs.addTab(scrolling(tab), title)
        bar = Card(margins=12)
        bar.add(self._transport)
        layout = column(self._content, spacing=16)
        layout.addWidget(side_by_side(board, self.tabs, stretches=(2, 3), narrow=760), 1)
        layout.addWidget(bar)
        self.add(self._content, 1)
        self._transport.install_on(self)
        self._connect()

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
        self._proof.byteEdited.connect(model.edit_leaf)
        self._proof.reverted.connect(model.revert_leaf)
        self._proof.verifyOnChainRequested.connect(model.verify_on_chain)
        self._proof.exportRequested.connect(self.exportProofRequested)
        for widget in (self._proof, self._match, self._step):
            widget.linkActivated.connect(self.linkActivated)

    def _show(self, state: ReplayState) -> None:
        facts = state.facts
        self._empty.setVisible(facts is None)
        self._content.setVisible(facts is not None)
        self._save.setVisible(facts is not None)
        self._verify.setVisible(facts is not None)
        self._open.setEnabled(not state.opening)
        self._open.setText("Opening…" if state.opening else "Open…")
        if facts is None:
            return
        self._verify.setEnabled(state.verify.state != "running")
        self._verify.setText("Playing again…" if state.verify.state == "running" else "Verify by playing again")
        self._verdict.set_state(_verdict(state.verify))
        self.header.set_text("Replay", f"{facts.system}: {', '.join(facts.agents)}, seed {facts.seed}")
        marks = tuple(Mark(step, kind, text) for step, kind, text in state.marks)
        self._transport.set_state(TransportState(state.step, facts.steps, state.playing, state.speed, marks, True))
        if self._drawn != (facts, state.board):
            self._drawn = (facts, state.board)
            self._board.set_state(board_state(self._model.description, state.board))
        self._show_match(state)
        self._show_step(state)
        self._show_proof(state)

    def _show_match(self, state: ReplayState) -> None:
        facts = state.facts
        assert facts is not None
        end = facts.outcome if facts.cause is None else f"{facts.outcome}: {facts.cause}, seat {facts.seat}"
        kind = {"FINISHED": "ok", "VOID": "warn"}.get(facts.outcome, "error")
        rows = (
            KeyValueRow("File", facts.name),
            KeyValueRow("Ended", end, "pill", kind),
            KeyValueRow("Score", ", ".join(map(str, facts.scores)), "mono"),
            KeyValueRow("Steps", count(facts.steps), "mono"),
            KeyValueRow("Gas a decision", count(facts.budget), "mono"),
            KeyValueRow("Trace root", facts.trace_root, "hash"),
            KeyValueRow("Commitment", facts.commitment, "hash"),
        )
        self._match.set_state(KeyValueState(rows))

    def _show_step(self, state: ReplayState) -> None:
        shown, facts = state.shown, state.facts
        assert facts is not None
        if shown is None:
            text = f"After the last of {count(facts.steps)} steps; the score is {', '.join(map(str, facts.scores))}"
            self._step.set_state(KeyValueState((KeyValueRow("End", text),)))
            return
        legality = {True: ("Legal", "ok"), False: ("Illegal", "error"), None: ("Not asked", "neutral")}[shown.legal]
        rows = [
            KeyValueRow("Agent", facts.agents[shown.seat]),
            KeyValueRow("Action", shown.action, "mono"),
            KeyValueRow("Legality", legality[0], "pill", legality[1]),
            KeyValueRow("Gas used", f"{count(shown.gas)} of {count(facts.budget)}", "mono"),
            KeyValueRow("Leaf hash", shown.leaf, "hash"),
            KeyValueRow("Observation", f"0x{shown.packed % 2**64:016x}", "mono"),
        ]
        if shown.cause is not None:
            rows.insert(1, KeyValueRow("Fault", shown.cause, "pill", "error"))
        rows += [KeyValueRow(f"   {name}", value, "mono") for name, value in shown.fields]
        if len(shown.observation) > 8:
            rows.append(KeyValueRow("Mailbox", f"{len(shown.observation)} bytes shown", "mono"))
        self._step.set_state(KeyValueState(tuple(rows)))

    def _show_proof(self, state: ReplayState) -> None:
        proof, check = state.proof, state.chain
        self._proof.setVisible(proof is not None)
        if proof is None:
            return
        chain: tuple[KeyValueRow, ...] = ()
        if check is not None:
            chain = (
                KeyValueRow("Contract says", str(check.answer).lower(), "pill", "ok" if check.answer else "error"),
                KeyValueRow("Contract", check.contract, "hash", link=address_link(check.contract)),
                KeyValueRow("Block", count(check.block), "mono"),
                KeyValueRow("Round", f"{check.round_name}, leaf {check.leaf}"),
            )  # fmt: skip
        self._proof.set_state(
            ProofState(
                index=proof.index,
                n_leaves=proof.size,
                leaf=proof.leaf,
                leaf_parts=_PARTS,
                leaf_hash=proof.leaf_hash,
                rows=tuple(ProofRow(r.level, r.side, r.sibling, r.result, r.changed) for r in proof.lines),
                computed_root=proof.computed,
                expected_root=proof.expected,
                source="chain" if check is not None and check.answer else "local",
                verdict="pass" if proof.holds else "fail",
                edited=proof.edited,
                note="",
                chain=chain,
            )
        )

    def show_item(self, place: Place) -> None:
        """Open the match of a link."""
        if place.kind == "match":
            round_id, _, fixture = place.name.partition("/")
            state = self._model.state
            if (state.round_id, state.fixture) != (round_id, int(fixture)):
                self._model.open_match(round_id, int(fixture))

    def save(self) -> None:
        """Save the bundle elsewhere."""
        self.saveRequested.emit()


_PARTS = (("step", 0, 8), ("observation hash", 8, 32), ("action hash", 40, 32))


def _verdict(verify: VerifyState) -> BannerState | None:
    if verify.state == "ok":
        return BannerState("ok", "The match verifies", verify.text)
    if verify.state == "failed":
        actions = () if verify.step is None else (Action(str(verify.step), f"Go to step {verify.step}", primary=True),)
        return BannerState("error", "The match does not verify", verify.text, "", actions)
    return None
