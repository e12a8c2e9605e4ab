"""The Merkle explorer page."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from app.formats import count
from app.links import Place, match_link
from app.pages.base import ConsolePage, round_choice, scrolling, search_field, side_by_side
from app.pages.merkle_rows import chosen_rows, proof_state, root_rows
from app.viewmodels.merkle import FoundLeaf, MerkleState, MerkleViewModel
from widgets.basics import Card, Pair, button, column, label, row
from widgets.cards import KeyValuePanel, KeyValueState
from widgets.labels import SectionHeader
from widgets.merkle import ProofView
from widgets.merkle_tree import MerkleTreeState, MerkleTreeView
from widgets.panels import Action, EmptyPanel, EmptyPanelState
from widgets.table import Column, DataTable, TableState

NOTHING = EmptyPanelState(
    "merkle",
    "No round yet",
    "A played round is a tree of matches, and every match a tree of steps. Play one to walk through it.",
    (Action("rounds", "Go to the rounds", "leagues"),),
)
TYPING_MS = 120


class MerklePage(ConsolePage):
    """The tree at the left, the proof of the chosen leaf at the right."""

    exportRequested = Signal()
    roundsRequested = Signal()

    def __init__(self, model: MerkleViewModel) -> None:
        super().__init__("Merkle explorer", "From the root of a round down to a single step, hash by hash")
        self._model = model
        self._rounds = round_choice()
        self._rounds.setMinimumWidth(160)
        self._empty = EmptyPanel(NOTHING)
        self._content = QWidget()
        self._up, self._down = button("Back to the round", "up"), button("Into this match", "down", "primary")
        self._replay = button("Replay", "replay")
        self._title = SectionHeader("")
        self._search: QLineEdit = search_field("Leaf, match, agent, outcome or hash", self._on_typed)
        self._found = DataTable(
            (Column("Leaf", align="right", kind="number", width=84, format=count), Column("Found")), name="Found leaves"
        )
        self._hits = label("", "muted")
        self.tree = MerkleTreeView()
        self._facts, self._root = KeyValuePanel(), KeyValuePanel()
        self.proof = ProofView()
        self._typed = QTimer(self)
        self._typed.setSingleShot(True)
        self._typed.setInterval(TYPING_MS)
        self._focus, self._drawn = -1, ("", "")
        self._build()
        self.keep(model.observe(self._show))

    def _build(self) -> None:
        self.header.add_action(self._rounds)
        self.add(self._empty, 1)
        left = Card(spacing=8)
        left.add(self._title)
        left.add(row(self._up, self._down, self._replay, None))
        left.add(self._search)
        left.add(self._hits)
        left.add(self._found)
        left.add(self.tree, 1)
        keys = "Wheel or + and - zoom, drag pans, arrows choose, Enter opens a subtree, Home fits"
        left.add(label(keys, "small", wrap=True))
        left.add(Pair(self._facts, self._root, spacing=24))
        self._search.setMaximumWidth(16_777_215)
        self._found.setFixedHeight(144)
        self.tree.setMinimumHeight(190)
        right = Card()
        right.add(self.proof, 1)
        proof = scrolling(right)
        proof.setMinimumHeight(320)
        proof.widget().layout().setContentsMargins(0, 0, 4, 0)
        layout = column(self._content)
        layout.addWidget(side_by_side(left, proof, stretches=(1, 1), narrow=840), 1)
        self.add(self._content, 1)
        self._connect()

    def _connect(self) -> None:
        model = self._model
        self._rounds.activated.connect(lambda at: model.open_round(self._rounds.itemData(at)))
        self._empty.actionTriggered.connect(lambda _key: self.roundsRequested.emit())
        self._up.clicked.connect(model.up)
        self._down.clicked.connect(model.open_match)
        self._replay.clicked.connect(self._go_replay)
        self._typed.timeout.connect(lambda: model.search(self._search.text()))
        self._found.selectionChanged.connect(self._on_found)
        self.tree.leafClicked.connect(model.choose)
        self.tree.nodeClicked.connect(lambda level, index: model.choose_node(level, index) if level else None)
        self.proof.byteEdited.connect(model.edit_leaf)
        self.proof.reverted.connect(model.revert_leaf)
        self.proof.verifyOnChainRequested.connect(model.verify_on_chain)
        self.proof.innerNodeOffered.connect(model.offer_inner)
        self.proof.exportRequested.connect(self.exportRequested)
        for widget in (self.proof, self._facts, self._root):
            widget.linkActivated.connect(self.linkActivated)

    def _on_typed(self, _text: str) -> None:
        self._typed.start()

    def _on_found(self, keys: tuple[object, ...]) -> None:
        if keys and isinstance(keys[0], int) and keys[0] != self._model.state.chosen:
            self._model.choose(keys[0], focus=True)

    def _go_replay(self) -> None:
        state = self._model.state
        link = match_link(state.round_id, state.fixture)
        self.linkActivated.emit(link if state.step is None else f"{link}/{state.step}")

    def _show(self, state: MerkleState) -> None:
        self._rounds.set_items(state.rounds, state.round_id)
        nothing = not state.rounds and state.facts is None
        self._empty.setVisible(nothing)
        self._content.setVisible(not nothing)
        self._rounds.setVisible(not nothing)
        facts = state.facts
        where = facts.title if facts is not None else ""
        self._title.set_text(
            f"Loading {state.loading}…" if state.loading else where,
            f"{count(facts.size)} leaves, {facts.depth} levels above them" if facts is not None else "",
        )
        in_match = facts is not None and facts.kind == "match"
        self._up.setVisible(in_match)
        self._down.setVisible(not in_match)
        self._down.setEnabled(state.leaf is not None and not state.loading)
        self._replay.setEnabled(state.fixture >= 0)
        self._search.setEnabled(facts is not None)
        self._show_found(state)
        self._show_tree(state)
        self._facts.set_state(KeyValueState(chosen_rows(state)))
        self._root.set_state(KeyValueState(root_rows(state)))
        self.proof.set_state(proof_state(state))

    def _show_found(self, state: MerkleState) -> None:
        asked = bool(state.query.strip())
        self._found.setVisible(asked and bool(state.found))
        self._hits.setVisible(asked)
        self._hits.setText(_hits_text(state.found))
        self._found.set_state(TableState(tuple((f.index, f.text) for f in state.found), _keys(state.found)))
        if state.query != self._search.text() and not self._typed.isActive():
            self._search.blockSignals(True)
            self._search.setText(state.query)
            self._search.blockSignals(False)

    def _show_tree(self, state: MerkleState) -> None:
        tree, facts = self._model.tree, state.facts
        if tree is None or facts is None:
            self.tree.set_state(MerkleTreeState())
            return
        marks = tuple((f.index, "info") for f in state.found)
        drawn = (facts.kind, facts.root)
        if self._drawn != drawn:
            self._drawn = drawn
            self.tree.fit()
        self.tree.set_state(
            MerkleTreeState(
                tree.size,
                None if state.offered else state.chosen,
                lambda level, index: tree.node(level, index).hex(),
                marks,
                positional=tree.positional,
                node=state.node,
            )
        )
        if state.focus != self._focus:
            self._focus = state.focus
            if state.chosen is not None and state.focus:
                self.tree.zoom_to(state.chosen)

    def show_item(self, place: Place) -> None:
        """Open the round, the leaf or the step of a link."""
        round_id, *numbers = place.name.split("/")
        if not all(number.isdecimal() for number in numbers):
            return
        if place.kind == "step" and len(numbers) == 2:
            self._model.open_step(round_id, int(numbers[0]), int(numbers[1]))
        elif place.kind in ("leaf", "round"):
            self._model.open_round(round_id, int(numbers[0]) if numbers else None)

    def showEvent(self, event: object) -> None:
        """Look for new rounds whenever the page comes to the front."""
        super().showEvent(event)  # type: ignore[arg-type]
        self._model.refresh()

    def find(self) -> None:
        """Put the keyboard into the search field."""
        self._search.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._search.selectAll()

    def save(self) -> None:
        """Save the proof of the chosen leaf."""
        self.exportRequested.emit()

    def tables(self) -> dict[str, QWidget]:
        """Return the tables whose columns persist."""
        return {"merkle.found": self._found}


def _keys(found: tuple[FoundLeaf, ...]) -> tuple[int, ...]:
    return tuple(item.index for item in found)


def _hits_text(found: tuple[FoundLeaf, ...]) -> str:
    if not found:
        return "Nothing found"
    return "1 leaf found" if len(found) == 1 else f"{len(found)} leaves found, marked beneath the tree"
