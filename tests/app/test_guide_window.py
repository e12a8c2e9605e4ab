"""The guide's window: every page is there, every link inside it leads to its heading, search finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PySide6.QtCore import QEvent, QPoint, Qt, QUrl
from PySide6.QtGui import QTextBlock
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QAbstractButton, QApplication, QWidget

from app.guide import PAGES, GuideWindow, show_guide
from engine.core.paths import DataDir, assets_dir
from widgets.theme import apply_theme
from widgets.tokens import DARK, LIGHT

GUIDE = assets_dir() / "guide"


@pytest.fixture
def guide(qapp: QApplication) -> Iterator[GuideWindow]:
    window = GuideWindow(None)
    window.show()
    yield window
    window.close()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def first_line(window: GuideWindow) -> str:
    """The text at the top of what is seen."""
    return window.browser.cursorForPosition(QPoint(20, 8)).block().text()


@pytest.mark.parametrize("key", [key for key, _ in PAGES])
def test_every_page_opens_with_its_title_and_its_pictures(guide: GuideWindow, key: str) -> None:
    guide.open_page(key)
    title = (GUIDE / f"{key}.md").read_text("utf-8").splitlines()[0].removeprefix("# ")
    assert guide.browser.document().begin().text() == title
    assert first_line(guide) == title
    assert guide.browser.horizontalScrollBar().maximum() == 0, "something is wider than the window"
    assert (key == "architecture") == ("\ufffc" in guide.browser.toPlainText())


def test_there_is_a_button_for_each_page_of_the_folder(guide: GuideWindow) -> None:
    assert {key for key, _ in PAGES} == {path.stem for path in GUIDE.glob("*.md")}
    for key, title in PAGES:
        choices = [one for one in guide.findChildren(QAbstractButton) if one.text() == title]
        QTest.mouseClick(choices[0], Qt.MouseButton.LeftButton)
        assert guide.browser.source().fileName() == f"{key}.md"


@pytest.mark.parametrize("key", [key for key, _ in PAGES])
def test_every_link_to_a_heading_of_the_guide_leads_there(guide: GuideWindow, key: str) -> None:
    pages = "|".join(name for name, _ in PAGES)
    links = set(re.findall(rf"\]\(((?:(?:{pages})\.md)?#[\w-]+)\)", (GUIDE / f"{key}.md").read_text("utf-8")))
    for link in links:
        guide.open_page(key)
        guide.follow(QUrl(link))
        document = guide.browser.document()
        names = {
            name
            for block in iter_blocks(document.begin())
            for part in block.textFormats()
            for name in part.format.anchorNames()
        }
        assert link.partition("#")[2] in names, link
        assert guide.note.text() == ""


def iter_blocks(block: QTextBlock) -> Iterator[QTextBlock]:
    while block.isValid():
        yield block
        block = block.next()


def test_a_heading_comes_to_the_top_and_back_returns(guide: GuideWindow) -> None:
    guide.open_page("operator", "ports")
    assert first_line(guide) == "Ports"
    guide.follow(QUrl("agents.md#gas"))
    assert (guide.browser.source().fileName(), first_line(guide)) == ("agents.md", "Gas")
    guide.browser.backward()
    assert guide.browser.source().fileName() == "operator.md"


def test_what_did_not_come_along_is_said(guide: GuideWindow) -> None:
    guide.follow(QUrl("../../NOWHERE.md"))
    assert "NOWHERE.md" in guide.note.text()
    assert guide.browser.source().fileName() == "operator.md"


def test_search_goes_round_and_says_what_is_not_there(guide: GuideWindow) -> None:
    guide.field.setText("LearnPortError")
    assert guide.find_next()
    assert guide.browser.textCursor().selectedText() == "LearnPortError"
    first = guide.browser.textCursor().position()
    assert guide.find_next()
    assert guide.browser.textCursor().position() == first
    guide.field.setText("not in any guide at all")
    QTest.keyClick(guide.field, Qt.Key.Key_Return)
    assert "not on this page" in guide.note.text()


def test_everything_that_takes_the_keyboard_has_a_name(guide: GuideWindow) -> None:
    for widget in guide.findChildren(QWidget):
        if widget.focusPolicy() != Qt.FocusPolicy.NoFocus and widget.isVisible():
            text = widget.text() if isinstance(widget, QAbstractButton) else ""
            assert widget.accessibleName() or text, widget


async def test_the_help_menu_opens_it_once(opened: Callable[..., Any], data_dir: DataDir) -> None:
    async with opened(data_dir) as wiring:
        wiring.commands.actions["guide"].trigger()
        window = wiring.window.findChild(GuideWindow)
        assert window is not None
        assert window.isVisible()
        assert show_guide(wiring.window) is window
        window.close()


def test_links_take_the_colour_of_the_theme_in_force(guide: GuideWindow, qapp: QApplication) -> None:
    def inks() -> set[str]:
        found, block = set(), guide.browser.document().begin()
        while block.isValid():
            found |= {run.format.foreground().color().name() for run in block.textFormats() if run.format.anchorHref()}
            block = block.next()
        return found

    try:
        for name, tokens in (("dark", DARK), ("light", LIGHT)):
            apply_theme(qapp, name)
            qapp.processEvents()
            assert inks() == {tokens.accent}
    finally:
        apply_theme(qapp, "light")
