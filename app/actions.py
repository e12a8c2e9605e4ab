"""Commands: one list behind menus, shortcuts, the shortcut list and the command palette."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from PySide6.QtCore import QEvent, QModelIndex, QObject, QPersistentModelIndex, QSize, Qt
from PySide6.QtGui import QAction, QColor, QKeyEvent, QKeySequence, QPainter
from PySide6.QtWidgets import (
    QDialog,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QMainWindow,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
    QWidget,
)

from widgets.access import announce
from widgets.icons import icon
from widgets.theme import current_tokens

_KEYS = Qt.ItemDataRole.UserRole + 1


@dataclass(frozen=True, slots=True)
class Command:
    """Something that the operator can do. ``keys`` are shown as the first; ``menu`` '' leaves it to the palette.

    ``apart``: a line sets it off from what stands above it in the menu.
    """

    key: str
    title: str
    run: Callable[[], None]
    menu: str = ""
    keys: tuple[str, ...] = ()
    icon: str = ""
    apart: bool = False


class Commands:
    """Registers commands with a window."""

    def __init__(self, window: QMainWindow) -> None:
        self._window = window
        self.all: dict[str, Command] = {}
        self.actions: dict[str, QAction] = {}

    def add(self, commands: Iterable[Command]) -> None:
        """Make an action of each; menus keep the order in which commands are added."""
        for command in commands:
            action = QAction(command.title, self._window)
            action.setShortcuts([QKeySequence(keys) for keys in command.keys])
            action.setShortcutContext(Qt.ShortcutContext.WindowShortcut)
            if command.icon:
                action.setIcon(icon(command.icon, "muted"))
                action.setIconVisibleInMenu(True)
            action.triggered.connect(lambda _=False, c=command: c.run())
            self._window.addAction(action)
            self.all[command.key] = command
            self.actions[command.key] = action

    def fill_menus(self, titles: Iterable[str]) -> None:
        """Build the menu bar."""
        bar = self._window.menuBar()
        for title in titles:
            menu = bar.addMenu(f"&{title}")
            for key, command in self.all.items():
                if command.menu == title:
                    if command.apart:
                        menu.addSeparator()
                    menu.addAction(self.actions[key])

    def enable(self, key: str, enabled: bool) -> None:
        """Allow or refuse a command."""
        self.actions[key].setEnabled(enabled)

    def shortcuts(self) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return the keys by menu, as the shortcut list shows them."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for command in self.all.values():
            if command.keys:
                native = QKeySequence(command.keys[0]).toString(QKeySequence.SequenceFormat.NativeText)
                sections.setdefault(command.menu or "Elsewhere", []).append((command.title, native))
        return list(sections.items())


def fuzzy_score(query: str, text: str) -> int | None:
    """Return how well the letters of ``query`` run through ``text`` in order (higher is better), None if they do not.

    Letters at the start of words and in a row count more, so 'sd' finds 'Stop Devnet' before 'Second'.
    """
    score, position, previous = 0, 0, -2
    lowered = text.lower()
    for letter in query.lower().replace(" ", ""):
        found = lowered.find(letter, position)
        starts = [
            i
            for i in range(position, len(lowered))
            if lowered[i] == letter and (i == 0 or not lowered[i - 1].isalnum())
        ]
        if starts and found != previous + 1:
            found = starts[0]
        if found < 0:
            return None
        score += 3 if found == previous + 1 else 2 if found == 0 or not lowered[found - 1].isalnum() else 0
        previous, position = found, found + 1
    return score * 100 - len(text)


class _KeysAtTheRight(QStyledItemDelegate):
    """Paints the keys of a command at the end of its line."""

    def paint(
        self, painter: QPainter, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex
    ) -> None:
        """Paint the line, then the keys."""
        super().paint(painter, option, index)
        painter.setPen(QColor(current_tokens().muted))
        side = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
        painter.drawText(option.rect.adjusted(0, 0, -8, 0), int(side), str(index.data(_KEYS) or ""))


class Palette(QDialog):
    """The command palette: type a few letters, Enter runs."""

    def __init__(self, parent: QWidget, commands: Commands) -> None:
        super().__init__(parent, Qt.WindowType.Popup | Qt.WindowType.FramelessWindowHint)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle("Command palette")
        self.setObjectName("palette")
        self._commands = commands
        self._field = QLineEdit()
        self._field.setPlaceholderText("Type a command or a page")
        self._field.setAccessibleName("Command")
        self._field.textChanged.connect(self._fill)
        self._field.returnPressed.connect(self._run)
        self._field.installEventFilter(self)
        self._list = QListWidget()
        self._list.setAccessibleName("Commands")
        self._list.setIconSize(QSize(16, 16))
        self._list.setItemDelegate(_KeysAtTheRight(self._list))
        self._list.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._list.currentTextChanged.connect(self._tell)
        self._list.itemClicked.connect(lambda item: self._run())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 8, 8, 8)
        layout.addWidget(self._field)
        layout.addWidget(self._list)
        self.setFixedSize(520, 380)
        self._fill("")
        corner = parent.mapToGlobal(parent.rect().center())
        self.move(corner.x() - 260, parent.mapToGlobal(parent.rect().topLeft()).y() + 80)

    def showEvent(self, event: QEvent) -> None:
        """Type at once."""
        super().showEvent(event)
        self._field.setFocus()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Let the arrows move through the list while the field has the keyboard."""
        if event.type() == QEvent.Type.KeyPress and isinstance(event, QKeyEvent):
            step = {Qt.Key.Key_Down: 1, Qt.Key.Key_Up: -1, Qt.Key.Key_PageDown: 8, Qt.Key.Key_PageUp: -8}.get(
                event.key()
            )
            if step is not None:
                last = self._list.count() - 1
                self._list.setCurrentRow(max(0, min(last, self._list.currentRow() + step)))
                return True
        return super().eventFilter(watched, event)

    def _tell(self, title: str) -> None:
        """Say which command Enter would run: the keyboard stays in the field."""
        self._field.setAccessibleDescription(title)
        announce(self._list, title)

    def _fill(self, text: str) -> None:
        found = []
        for key, command in self._commands.all.items():
            score = fuzzy_score(text, command.title)
            if score is not None and self._commands.actions[key].isEnabled() and key != "palette":
                found.append((-score if text else 0, command))
        found.sort(key=lambda pair: pair[0])
        self._list.clear()
        for _, command in found:
            item = QListWidgetItem(icon(command.icon or "command", "muted"), command.title)
            item.setData(Qt.ItemDataRole.UserRole, command.key)
            item.setData(_KEYS, command.keys[0] if command.keys else "")
            item.setSizeHint(QSize(0, 30))
            self._list.addItem(item)
        self._list.setCurrentRow(0)

    def _run(self) -> None:
        item = self._list.currentItem()
        self.close()
        if item is not None:
            self._commands.all[item.data(Qt.ItemDataRole.UserRole)].run()
