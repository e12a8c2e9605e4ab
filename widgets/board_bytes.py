"""The fallback of all boards: fields in words and the bytes of the state."""

from __future__ import annotations

from PySide6.QtWidgets import QPlainTextEdit, QWidget

from widgets.basics import column
from widgets.board_state import BoardState
from widgets.cards import KeyValuePanel, KeyValueRow, KeyValueState

SHOWN = 64 * 1024


class BytesBoard(QWidget):
    """Fields in words and a hex dump of the state."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._fields = KeyValuePanel()
        self._dump = QPlainTextEdit()
        self._dump.setProperty("mono", True)
        self._dump.setReadOnly(True)
        self._dump.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self._dump.setAccessibleName("State bytes")
        self._dump.setTabChangesFocus(True)
        self._dump.setMinimumHeight(120)
        body = column(self, spacing=12)
        body.addWidget(self._fields)
        body.addWidget(self._dump, 1)

    def set_state(self, state: BoardState) -> None:
        """Show a state."""
        self._fields.set_state(KeyValueState(tuple(KeyValueRow(name, text) for name, text in state.fields)))
        self._dump.setPlainText(hex_dump(state.raw))
        self.setAccessibleDescription(state.describe())


def hex_dump(raw: bytes) -> str:
    """Sixteen bytes a line: offset, hex in two groups of eight, and the printable characters."""
    lines = []
    for at in range(0, min(len(raw), SHOWN), 16):
        part = raw[at : at + 16]
        left, right = part[:8].hex(" "), part[8:].hex(" ")
        shown = "".join(chr(b) if 32 <= b < 127 else "·" for b in part)
        lines.append(f"{at:06x}  {left:<23}  {right:<23}  {shown}")
    if len(raw) > SHOWN:
        lines.append(f"and {len(raw) - SHOWN:,} more bytes")
    return "\n".join(lines) or "no bytes"
