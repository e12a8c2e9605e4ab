"""The guide in a window of its own: the pages of assets/guide, with their links, and search."""

from __future__ import annotations

import re
from pathlib import Path

from PySide6.QtCore import QEvent, Qt, QUrl
from PySide6.QtGui import (
    QColor,
    QImageReader,
    QKeySequence,
    QPalette,
    QResizeEvent,
    QShortcut,
    QTextBlock,
    QTextCharFormat,
    QTextCursor,
    QTextDocument,
    QTextFormat,
    QTextLength,
    QTextTable,
)
from PySide6.QtWidgets import QDialog, QLineEdit, QTextBrowser, QWidget

from engine.core.paths import assets_dir
from widgets.basics import button, column, label, row, tool_button
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

PAGES = (
    ("operator", "For operators"),
    ("agents", "For agent authors"),
    ("architecture", "Architecture"),
    ("features", "Features"),
)


MARGIN = 16


class GuideWindow(QDialog):
    """Shows one page at a time; it stands beside the console, which goes on."""

    def __init__(self, parent: QWidget | None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Guide")
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        area = self.screen().availableGeometry()
        self.resize(min(1060, area.width() - 40), min(760, area.height() - 60))
        self.browser = QTextBrowser()
        self.browser.setAccessibleName("Guide")
        self.browser.setOpenLinks(False)
        self.browser.setSearchPaths([str(assets_dir() / "guide")])
        self.browser.anchorClicked.connect(self.follow)
        self.field = QLineEdit()
        self.field.setPlaceholderText("Find in this page")
        self.field.setAccessibleName("Find in this page")
        self.field.setClearButtonEnabled(True)
        self.field.returnPressed.connect(self.find_next)
        self.note = label("", "muted", wrap=True)
        self._build()
        self.open_page("operator")
        follow(self)

    def _build(self) -> None:
        back, forward = tool_button("left", "Back"), tool_button("forward", "Forward")
        back.clicked.connect(self.browser.backward)
        forward.clicked.connect(self.browser.forward)
        self.browser.backwardAvailable.connect(back.setEnabled)
        self.browser.forwardAvailable.connect(forward.setEnabled)
        back.setEnabled(False)
        forward.setEnabled(False)
        self.browser.historyChanged.connect(self._dress)
        made = [button(title, variant="ghost") for _, title in PAGES]
        for choice, (key, _) in zip(made, PAGES, strict=True):
            choice.setAutoDefault(False)  # Return in the field is for the search
            choice.clicked.connect(lambda _=False, k=key: self.open_page(k))
        layout = column(self, margins=12)
        layout.addLayout(row(back, forward, *made, None, self.field))
        layout.addWidget(self.browser, 1)
        layout.addWidget(self.note)
        QShortcut(QKeySequence(QKeySequence.StandardKey.Find), self, self.field.setFocus)

    def open_page(self, key: str, heading: str = "") -> None:
        """Show a page, from a heading on where one is named."""
        url = QUrl.fromLocalFile(str(assets_dir() / "guide" / f"{key}.md"))
        url.setFragment(heading)
        self._go(url)

    def follow(self, url: QUrl) -> None:
        """Go where a link leads, as far as it is a page that came along."""
        target = self.browser.source().resolved(url)
        path = Path(target.toLocalFile())
        if target.isLocalFile() and path.suffix == ".md" and path.is_file():
            self._go(target)
        else:
            self._say(f"{path.name or url.toString()} comes with the program's source.")

    def find_next(self) -> bool:
        """Select the next place of what is in the field, from the top again after the last; False for none."""
        text = self.field.text()
        found = bool(text) and self.browser.find(text)
        if text and not found:
            self.browser.moveCursor(QTextCursor.MoveOperation.Start)
            found = self.browser.find(text)
        self._say("" if found or not text else f"“{text}” is not on this page.")
        return found

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setVisible(bool(text))

    def _go(self, url: QUrl) -> None:
        self._say("")
        self.browser.setSource(url, QTextDocument.ResourceType.MarkdownResource)
        self._dress()
        if url.hasFragment():
            self.browser.scrollToAnchor(url.fragment())

    def on_theme(self, _tokens: Tokens) -> None:
        """Follow the theme."""
        self._dress()

    def changeEvent(self, event: QEvent) -> None:
        """Follow the theme."""
        super().changeEvent(event)
        if event.type() == QEvent.Type.PaletteChange:
            self._dress()

    def _dress(self) -> None:
        """Give headings the names that links know them by, which Qt reads Markdown without; let wide parts fit."""
        document = self.browser.document()
        document.setDocumentMargin(MARGIN)
        colours = self.browser.palette()
        for frame in document.rootFrame().childFrames():
            if isinstance(frame, QTextTable):
                _fit(frame, colours)
        block = document.begin()
        while block.isValid():
            if block.blockFormat().headingLevel():
                _name(block)
            elif block.blockFormat().hasProperty(QTextFormat.Property.BlockCodeFence):
                _shade(block, colours)
            _link(block)
            block = block.next()
        self._fit_pictures()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Keep the pictures within the window."""
        super().resizeEvent(event)
        self._fit_pictures()

    def _fit_pictures(self) -> None:
        room = self.browser.viewport().width() - 2 * MARGIN
        block = self.browser.document().begin()
        while block.isValid():
            _shrink(block, room)
            block = block.next()


def _shrink(block: QTextBlock, room: int) -> None:
    """Make the pictures of a paragraph as wide as there is room, where they are wider by themselves."""
    part = block.begin()
    while not part.atEnd():
        fragment = part.fragment()
        form = fragment.charFormat().toImageFormat()
        if fragment.isValid() and form.isValid():
            whole = QImageReader(str(assets_dir() / "guide" / form.name())).size()
            if whole.width() > 0:
                wide = max(120, min(room, whole.width()))
                form.setWidth(wide)
                form.setHeight(whole.height() * wide / whole.width())
                cursor = QTextCursor(block)
                cursor.setPosition(fragment.position())
                cursor.setPosition(fragment.position() + fragment.length(), QTextCursor.MoveMode.KeepAnchor)
                cursor.setCharFormat(form)
                return  # the paragraph's parts are made anew by that; the guide has one picture in each
        part += 1


def heading_name(text: str) -> str:
    """Return the name under which a heading is linked to."""
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def _name(block: QTextBlock) -> None:
    cursor = QTextCursor(block)
    cursor.movePosition(QTextCursor.MoveOperation.EndOfBlock, QTextCursor.MoveMode.KeepAnchor)
    form = cursor.charFormat()
    form.setAnchor(True)  # without it, the name is not looked for
    form.setAnchorNames([heading_name(block.text())])
    cursor.mergeCharFormat(form)


def _shade(block: QTextBlock, colours: QPalette) -> None:
    """Set a line of code off, and let it wrap."""
    form = block.blockFormat()
    form.setBackground(colours.brush(QPalette.ColorRole.AlternateBase))
    form.setNonBreakableLines(False)
    QTextCursor(block).setBlockFormat(form)


def _link(block: QTextBlock) -> None:
    """Give links the colour of the theme in force: that of the one in which the page was read stays otherwise."""
    spans, at = [], block.begin()
    while not at.atEnd():
        part = at.fragment()
        if part.charFormat().anchorHref():
            spans.append((part.position(), part.length()))
        at += 1
    form = QTextCharFormat()
    form.setForeground(QColor(current_tokens().accent))  # the palette may still be on its way
    for position, length in spans:
        cursor = QTextCursor(block)
        cursor.setPosition(position)
        cursor.setPosition(position + length, QTextCursor.MoveMode.KeepAnchor)
        cursor.mergeCharFormat(form)


def _fit(table: QTextTable, colours: QPalette) -> None:
    """Let a table have the page's width, and thin lines."""
    form = table.format().toTableFormat()
    form.setWidth(QTextLength(QTextLength.Type.PercentageLength, 99))
    form.setBorderBrush(colours.brush(QPalette.ColorRole.Mid))
    form.setCellPadding(5)
    form.setTopMargin(6)
    form.setBottomMargin(6)
    table.setFormat(form)


def show_guide(parent: QWidget) -> GuideWindow:
    """Show the guide, the one that is open already where there is one."""
    window = parent.findChild(GuideWindow) or GuideWindow(parent)
    window.show()
    window.raise_()
    window.activateWindow()
    return window
