"""The proof view: a leaf, its bytes, and the walk hash by hash to the root, with the verdict."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from widgets.access import Role, announce
from widgets.basics import Card, Pair, button, column, label, row
from widgets.byte_grid import ByteGrid
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState
from widgets.fonts import scaled
from widgets.icons import paint_icon
from widgets.labels import SectionHeader
from widgets.table import Column, DataTable, TableState
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

LEAST, NARROW = 388, 470
_SOURCES = {
    "chain": KeyValueRow("Root is", "on chain", "pill", "ok", tooltip="Read from the contract"),
    "local": KeyValueRow("Root is", "local, untrusted", "pill", "warn", tooltip="Computed here; nobody vouches for it"),
    "rejected": KeyValueRow("Root is", "on chain, rejected", "pill", "error", tooltip="A dispute refuted its round"),
    "": KeyValueRow("Root is", "not known", "pill", "neutral"),
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
    """A leaf of a tree and its proof; ``verdict`` is pass, fail or "".

    ``texts`` say how parts read that are not plain numbers. ``can_offer``: there is an inner node to pose as a leaf.
    """

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
    can_offer: bool = False
    texts: tuple[tuple[str, str], ...] = ()


class VerdictBadge(QWidget):
    """PASS or FAIL, large, with an icon."""

    SPOKEN_AS = Role.StaticText

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._verdict = ""
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        follow(self)

    def set_verdict(self, verdict: str) -> None:
        """Show pass, fail or nothing."""
        changed, self._verdict = verdict != self._verdict, verdict
        if changed and verdict:
            announce(self, f"Verdict: {verdict.upper()}", urgent=verdict == "fail")
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
    innerNodeOffered = Signal()
    linkActivated = Signal(str)

    def __init__(self, state: ProofState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._header = SectionHeader("Inclusion proof")
        self._badge = VerdictBadge()
        self._revert = button("Revert", "undo")
        self._verify = button("Verify on chain", "shield", "primary")
        self._export = button("Export proof", "export")
        self._offer = button("Offer an inner node", "bug", tooltip="Try an inner node as if it were a leaf: it fails")
        self._header.add_action(self._badge)
        self._bytes = ByteGrid()
        self._parts = KeyValuePanel()
        self._table = DataTable(_columns(), name="Audit path")
        self._roots = KeyValuePanel()
        self._note = label("", "muted", wrap=True)
        self._build()
        self._revert.clicked.connect(self.reverted)
        self._verify.clicked.connect(self.verifyOnChainRequested)
        self._export.clicked.connect(self.exportRequested)
        self._offer.clicked.connect(self.innerNodeOffered)
        self._bytes.byteEdited.connect(self.byteEdited)
        self._roots.linkActivated.connect(self.linkActivated)
        self.set_state(state or ProofState())

    def _build(self) -> None:
        leaf = Card(margins=16, spacing=8)
        leaf.add(row(label("Leaf", "strong"), None, label("Type hex to change a byte", "small")))
        leaf.add(Pair(self._bytes, self._parts, spacing=32))
        roots = Card(margins=16, spacing=4)
        roots.add(self._roots)
        body = column(self, spacing=12)
        body.addWidget(self._header)
        body.addWidget(Pair(_Buttons(self._verify, self._export), _Buttons(self._offer, self._revert), spacing=8))
        body.addWidget(self._note)
        body.addWidget(roots)
        body.addWidget(leaf)
        body.addWidget(self._table)
        body.addStretch(1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Bring the bytes closer together where there is little room."""
        super().resizeEvent(event)
        self._bytes.set_compact(self.width() < NARROW)

    def minimumSizeHint(self) -> QSize:
        """Ask for the width of the bytes brought together."""
        return QSize(LEAST, super().minimumSizeHint().height())

    def set_state(self, state: ProofState) -> None:
        """Show a proof."""
        subtitle = f"Leaf {state.index:,} of {state.n_leaves:,}, {len(state.rows)} hashes to the root"
        self._header.set_text("Inclusion proof", subtitle if state.n_leaves else "No leaf chosen")
        self._badge.set_verdict(state.verdict)
        self._note.setText(state.note)
        self._note.setVisible(bool(state.note))
        self._bytes.set_state(state.leaf, state.leaf_parts, state.edited)
        self._parts.set_state(KeyValueState(_leaf_rows(state)))
        rows = tuple((r.level, r.side, r.sibling, r.result, "changed" if r.changed else "") for r in state.rows)
        self._table.set_state(TableState(rows, tuple(r.level for r in state.rows)))
        self._table.fit_height(2, 12)
        self._roots.set_state(KeyValueState(_root_rows(state)))
        self._revert.setEnabled(bool(state.edited) or bool(state.note and state.can_offer))
        self._offer.setVisible(state.can_offer)
        self._verify.setEnabled(state.can_verify and state.n_leaves > 0)
        self._export.setEnabled(state.n_leaves > 0)
        self.setAccessibleName(f"{subtitle}. {state.verdict or 'not checked'}, root {state.source or 'unknown'}")


class _Buttons(QWidget):
    """Buttons beside each other that are never squeezed."""

    def __init__(self, *buttons: QWidget) -> None:
        super().__init__()
        self.setLayout(row(*buttons, None))

    def minimumSizeHint(self) -> QSize:
        """All of them."""
        return self.sizeHint()


def _leaf_rows(state: ProofState) -> tuple[KeyValueRow, ...]:
    rows, texts = [], dict(state.texts)
    for name, start, length in state.leaf_parts:
        part = state.leaf[start : start + length]
        if name in texts:
            rows.append(KeyValueRow(name, texts[name]))
        elif length == 1:
            rows.append(KeyValueRow(name, f"0x{part.hex()}", "mono"))
        elif length <= 8:
            rows.append(KeyValueRow(name, f"{int.from_bytes(part, 'big'):,}", "mono"))
        else:
            rows.append(KeyValueRow(name, "0x" + part.hex(), "hash"))
    rows.append(KeyValueRow("leaf hash", state.leaf_hash, "hash"))
    return tuple(rows)


def _root_rows(state: ProofState) -> tuple[KeyValueRow, ...]:
    computed = KeyValueRow("Root of this path", state.computed_root, "hash")
    expected = KeyValueRow("Expected root", state.expected_root, "hash")
    return (computed, expected, _SOURCES.get(state.source, _SOURCES[""]), *state.chain)


def _columns() -> tuple[Column, ...]:
    return (
        Column("Level", "right", "number", width=72),
        Column("Sibling", format=lambda side: f"on the {side}", width=112),
        Column("Sibling hash", kind="hash"),
        Column("Result", kind="hash"),
        Column("", kind="pill", width=120, tooltip="What changed", pill=lambda _word: "error"),
    )
