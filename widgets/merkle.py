"""The proof view: a leaf, its bytes, and the walk hash by hash to the root, with the verdict."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.basics import Card, button, column, label, row
from widgets.byte_grid import ByteGrid
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.fonts import scaled
from widgets.icons import paint_icon
from widgets.labels import HashLabel, HashState, PillState, SectionHeader, StatusPill
from widgets.table import Column, DataTable, TableState
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

_SOURCES = {
    "chain": PillState("on chain", "ok", "Read from the contract", "anchor"),
    "local": PillState("local, untrusted", "warn", "Computed on this machine; nobody else vouches for it"),
    "": PillState("no root", "neutral"),
}


@dataclass(frozen=True)
class ProofRow:
    """One hash of the audit path: the sibling stands on ``side`` (left or right); ``result`` is node(l, r)."""

    level: int
    side: str
    sibling: str
    result: str
    changed: bool = False


@dataclass(frozen=True)
class ProofState:
    """A leaf of a tree and its proof; ``verdict`` is pass, fail or ""."""

    index: int = 0
    n_leaves: int = 0
    leaf: bytes = b""
    leaf_parts: tuple[tuple[str, int, int], ...] = ()
    leaf_hash: str = ""
    rows: tuple[ProofRow, ...] = ()
    computed_root: str = ""
    expected_root: str = ""
    source: str = "local"
    verdict: str = ""
    edited: tuple[int, ...] = ()
    note: str = ""
    chain: tuple[KeyValueRow, ...] = ()
    can_verify: bool = True


class VerdictBadge(QWidget):
    """PASS or FAIL, large, with an icon."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._verdict = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        follow(self)

    def set_verdict(self, verdict: str) -> None:
        """Show pass, fail or nothing."""
        self._verdict = verdict
        self.setAccessibleName(f"Verdict: {verdict.upper() or 'none'}")
        self.update()

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def sizeHint(self) -> QSize:
        """Room for the icon and the word."""
        return QSize(104, 36)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint the badge."""
        t = current_tokens()
        kind = {"pass": "ok", "fail": "error"}.get(self._verdict, "neutral")
        colour, soft = t.kind(kind)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        solid = kind != "neutral"
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colour if solid else soft))
        painter.drawRoundedRect(QRectF(self.rect()), t.control_radius, t.control_radius)
        ink = t.surface if solid else colour
        paint_icon(painter, QRectF(14, self.height() / 2 - 10, 20, 20), kind, ink)
        painter.setFont(scaled(self.font(), 1.25, self.font().Weight.Bold))
        painter.setPen(QColor(ink))
        flags = int(Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft)
        painter.drawText(QRectF(42, 0, self.width() - 44, self.height()), flags, self._verdict.upper() or "—")


class ProofView(QWidget):
    """The proof of one leaf. Bytes can be edited; the state that comes back shows what they change."""

    byteEdited = Signal(int, int)
    reverted = Signal()
    verifyOnChainRequested = Signal()
    exportRequested = Signal()
    linkActivated = Signal(str)

    def __init__(self, state: ProofState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._header = SectionHeader("Inclusion proof")
        self._badge = VerdictBadge()
        self._revert = button("Revert", "undo")
        self._verify = button("Verify on chain", "shield", "primary")
        self._export = button("Export proof", "export")
        for made in (self._revert, self._export, self._verify, self._badge):
            self._header.add_action(made)
        self._bytes = ByteGrid()
        self._leaf_hash = HashLabel()
        self._table = DataTable(_columns(), name="Audit path")
        self._computed, self._expected = HashLabel(), HashLabel()
        self._source = StatusPill()
        self._note = label("", "muted", wrap=True)
        self._chain = KeyValuePanel()
        self._build()
        self._revert.clicked.connect(self.reverted)
        self._verify.clicked.connect(self.verifyOnChainRequested)
        self._export.clicked.connect(self.exportRequested)
        self._bytes.byteEdited.connect(self.byteEdited)
        self._chain.linkActivated.connect(self.linkActivated)
        self.set_state(state or ProofState())

    def _build(self) -> None:
        leaf = Card(margins=16, spacing=8)
        leaf.add(row(label("Leaf bytes", "strong"), None, label("Type hex to change a byte", "small")))
        leaf.add(self._bytes)
        leaf.add(row(label("Leaf hash", "muted"), 8, self._leaf_hash, None))
        roots = Card(margins=16, spacing=4)
        roots.add(row(label("Root of this path", "muted"), 8, self._computed, None))
        roots.add(row(label("Expected root", "muted"), 8, self._expected, self._source, None))
        roots.add(self._chain)
        body = column(self, spacing=12)
        body.addWidget(self._header)
        body.addWidget(self._note)
        body.addWidget(leaf)
        body.addWidget(self._table, 1)
        body.addWidget(roots)

    def set_state(self, state: ProofState) -> None:
        """Show a proof."""
        subtitle = f"Leaf {state.index:,} of {state.n_leaves:,}, {len(state.rows)} hashes to the root"
        self._header.set_text("Inclusion proof", subtitle if state.n_leaves else "No leaf chosen")
        self._badge.set_verdict(state.verdict)
        self._note.setText(state.note)
        self._note.setVisible(bool(state.note))
        self._bytes.set_state(state.leaf, state.leaf_parts, state.edited)
        self._leaf_hash.set_state(HashState(state.leaf_hash, head=16, tail=12))
        rows = tuple((r.level, r.side, r.sibling, r.result, "changed" if r.changed else "same") for r in state.rows)
        self._table.set_state(TableState(rows, tuple(r.level for r in state.rows)))
        self._table.setMinimumHeight(36 + 34 * min(6, max(2, len(rows))))
        self._computed.set_state(HashState(state.computed_root, head=16, tail=12))
        self._expected.set_state(HashState(state.expected_root, head=16, tail=12))
        self._source.set_state(_SOURCES.get(state.source, _SOURCES[""]))
        self._chain.set_state(KeyValueState(state.chain))
        self._chain.setVisible(bool(state.chain))
        self._revert.setEnabled(bool(state.edited))
        self._verify.setEnabled(state.can_verify and state.n_leaves > 0)
        self._export.setEnabled(state.n_leaves > 0)
        self.setAccessibleName(f"{subtitle}. {state.verdict or 'not checked'}, root {state.source or 'unknown'}")


def _columns() -> tuple[Column, ...]:
    return (
        Column("Level", "right", "number", width=72),
        Column("Sibling", format=lambda side: f"on the {side}", width=112),
        Column("Sibling hash", kind="hash"),
        Column("Result", kind="hash"),
        Column("", kind="pill", width=120, pill=lambda word: "error" if word == "changed" else "neutral"),
    )
