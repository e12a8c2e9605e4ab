"""Everything that a console shows, one after the other, and what is cut off, hidden or nameless in it.

``python -m tests.app.surfaces --data DIR`` walks a console of its own, before and after the demo, and prints what it
found as JSON; with QT_SCALE_FACTOR set it measures a screen of high density.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractItemView,
    QAbstractScrollArea,
    QAbstractSpinBox,
    QApplication,
    QCheckBox,
    QComboBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QListView,
    QMenu,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QScrollArea,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QTableView,
    QTabWidget,
    QTextEdit,
    QWidget,
)

from app.links import Place
from app.window import PAGES
from widgets.choice import Choice

SLACK = 1  # pixels that rounding may take
Role = QAccessible.Role
ROLES: tuple[tuple[type, frozenset[Any]], ...] = (
    (QTabBar, frozenset({Role.PageTabList})),
    (QCheckBox, frozenset({Role.CheckBox})),
    (QComboBox, frozenset({Role.ComboBox})),
    (QLineEdit, frozenset({Role.EditableText})),
    (QPlainTextEdit, frozenset({Role.EditableText, Role.StaticText, Role.Document})),
    (QTextEdit, frozenset({Role.EditableText, Role.StaticText, Role.Document})),
    (QTableView, frozenset({Role.Table})),
    (QListView, frozenset({Role.List})),
    (QProgressBar, frozenset({Role.ProgressBar})),
    (QAbstractSpinBox, frozenset({Role.SpinBox})),
    (QAbstractButton, frozenset({Role.Button, Role.CheckBox, Role.RadioButton, Role.ButtonMenu, Role.PageTab,
                                 Role.Link})),
)  # fmt: skip


# Filling a console -----------------------------------------------------------------------------------------------


async def until(condition: Callable[[], Any], seconds: float = 90.0) -> Any:
    """Wait until ``condition`` gives something true, and return it."""
    async with asyncio.timeout(seconds):
        while not (found := condition()):
            await asyncio.sleep(0.02)
    return found


async def fill(wiring: Any) -> None:
    """Bring something onto every page of a console whose data directory saw the demo."""
    wiring.devnet.up()
    await until(lambda: wiring.devnet.state.status.state == "running" and not wiring.devnet.state.busy)
    consensus = wiring.consensus
    await until(lambda: consensus.state.ready and not consensus.state.building)
    consensus.fill(method="mwu", epsilon=1e-3, iterations=200)
    consensus.run()
    await until(lambda: consensus.state.run is not None and consensus.state.run.ended)
    round_id = wiring.rounds.state.selected
    match = next(m for m in wiring.runtime.league.history.matches(round_id) if m.steps > 4)
    wiring.replay.open_match(round_id, match.fixture, 3)
    wiring.merkle.open_round(round_id, match.fixture)
    await until(lambda: wiring.replay.state.proof is not None and not wiring.replay.state.opening)
    await until(lambda: wiring.merkle.state.facts is not None and not wiring.merkle.state.loading)
    await until(lambda: wiring.agreement.state.task is not None)
    rounds = wiring.agreement.state.rows
    if rounds:
        wiring.agreement.open_round(rounds[0].run_id)
    learning = wiring.learning
    await until(lambda: learning.state.ready)
    learning.fill(validators=4, trainers=3, slots=6, gate_texts=8)
    learning.run()
    await until(lambda: learning.state.run is not None and learning.state.run.ended)


async def walk(wiring: Any) -> AsyncIterator[tuple[str, QWidget]]:
    """Show every page, half and tab, one after the other: its name and the page."""
    for key in ("welcome", *dict(PAGES)):
        wiring.workspaces.show() if key == "welcome" else wiring.navigator.go(Place(key))
        page = wiring.pages[key]
        await settle()
        for half in ("games", "agents") if key == "consensus" else ("chain", "sweep") if key == "learning" else ("",):
            if half:
                page.switch.choose(half)
                await settle()
            async for name in tabs(page, "/".join(part for part in (key, half) if part)):
                yield name, page
        if hasattr(page, "switch"):
            page.switch.choose("games" if key == "consensus" else "chain")


async def tabs(page: QWidget, name: str) -> AsyncIterator[str]:
    """Show each tab in sight, and those in it; yield their names."""
    found = [w for w in page.findChildren(QTabWidget) if w.isVisible() and not w.tabBar().isHidden()]
    if not found:
        yield name
        return
    outer = found[0]
    before = outer.currentIndex()
    for index in range(outer.count()):
        outer.setCurrentIndex(index)
        await settle()
        shown = f"{name}/{outer.tabText(index)}"
        inner = [w for w in outer.currentWidget().findChildren(QTabWidget) if w.isVisible()]
        if inner:
            for at in range(inner[0].count()):
                inner[0].setCurrentIndex(at)
                await settle()
                yield f"{shown}/{inner[0].tabText(at)}"
        else:
            yield shown
    outer.setCurrentIndex(before)


async def settle() -> None:
    """Let layouts, and what layouts ask for, come to rest."""
    for _ in range(6):
        await asyncio.sleep(0.005)
        QApplication.sendPostedEvents()


# Texts that are cut ----------------------------------------------------------------------------------------------


def cut_texts(top: QWidget) -> list[str]:
    """Say which texts and controls under a widget cannot be read whole, or reached by scrolling."""
    found = []
    for widget in [top, *top.findChildren(QWidget)]:
        if widget.isVisible() and _speaks(widget) and not _private(widget):
            troubles = (_too_small(widget), _outside(widget, top))
            found += [f"{describe(widget)}: {trouble}" for trouble in troubles if trouble]
    found += _overlaps(top)
    return found


def describe(widget: QWidget) -> str:
    """Return a widget's class, its parent's, and its words."""
    words = getattr(widget, "text", lambda: "")()
    words = words if isinstance(words, str) and words else widget.accessibleName()
    return f"{type(widget).__name__} in {type(widget.parent()).__name__} {words[:48]!r}"


def _speaks(widget: QWidget) -> bool:
    kinds = (QLabel, QAbstractButton, QComboBox, QLineEdit, QHeaderView, QTabBar, QAbstractSpinBox)
    return isinstance(widget, kinds) or type(widget).__name__ in ("StatusPill", "SteadyText")


def _private(widget: QWidget) -> bool:
    """Parts of Qt's own compound widgets, and scroll buttons of tabs."""
    parent = widget.parent()
    return widget.objectName().startswith("qt_") or isinstance(parent, (QTabBar, QLineEdit, QComboBox))


def _too_small(widget: QWidget) -> str:
    if isinstance(widget, QHeaderView):
        return _header(widget)
    if isinstance(widget, QTabBar):
        short = [widget.tabText(i) for i in range(widget.count()) if _tab_cut(widget, i)]
        return f"cut tabs {short}" if short else ""
    if isinstance(widget, QLabel):
        return _label(widget)
    if isinstance(widget, QComboBox):
        return _choice(widget)
    if isinstance(widget, QLineEdit):
        shown = widget.text() if widget.isReadOnly() or widget.validator() else widget.placeholderText()
        room = widget.rect().width() - 20
        need = widget.fontMetrics().horizontalAdvance(shown)
        return f"needs {need}, has {room}" if need > room + SLACK and not _whole(widget, shown) else ""
    need = widget.sizeHint()
    wide = need.width() > widget.width() + SLACK and not _whole(widget, str(getattr(widget, "text", str)()))
    if type(widget).__name__ == "SteadyText":
        wide = False
    if wide or need.height() > widget.height() + SLACK + 2 * isinstance(widget, QPushButton):
        return f"needs {need.width()}x{need.height()}, has {widget.width()}x{widget.height()}"
    return ""


def _whole(widget: QWidget, text: str) -> bool:
    """Whether the tooltip gives what is cut."""
    return bool(text) and " ".join(text.split()) in " ".join(widget.toolTip().split())


def _tab_cut(bar: QTabBar, index: int) -> bool:
    need = bar.fontMetrics().horizontalAdvance(bar.tabText(index))
    return bar.tabRect(index).width() < need + SLACK


def _label(widget: QLabel) -> str:
    if not widget.text() or widget.pixmap().width() or (widget.toolTip() and _whole(widget, widget.text().strip("…"))):
        return ""
    room = widget.contentsRect()
    if widget.wordWrap():
        need = widget.heightForWidth(widget.width())
        words = max((widget.fontMetrics().horizontalAdvance(w) for w in widget.text().split()), default=0)
        if need > widget.height() + SLACK:
            return f"{widget.width()} wide needs {need} high, has {widget.height()}"
        plain = widget.textFormat() != Qt.TextFormat.RichText
        return f"a word needs {words}, has {room.width()}" if plain and words > room.width() + SLACK else ""
    need_size = widget.sizeHint()
    if widget.toolTip() and "…" in widget.text():
        return ""
    if need_size.width() > widget.width() + SLACK or need_size.height() > widget.height() + SLACK:
        return f"needs {need_size.width()}x{need_size.height()}, has {widget.width()}x{widget.height()}"
    return ""


def _choice(widget: QComboBox) -> str:
    option = QStyleOptionComboBox()
    widget.initStyleOption(option)
    kind, part = QStyle.ComplexControl.CC_ComboBox, QStyle.SubControl.SC_ComboBoxEditField
    room = widget.style().subControlRect(kind, option, part, widget).width()
    need = widget.fontMetrics().horizontalAdvance(widget.currentText())
    need += widget.iconSize().width() + 4 if not widget.itemIcon(widget.currentIndex()).isNull() else 0
    told = isinstance(widget, Choice) and not widget.toolTip()  # which says all of it, and ends in dots
    cut = need > room + SLACK and not told and not _whole(widget, widget.currentText())
    return f"needs {need}, has {room}" if cut else ""


def _header(header: QHeaderView) -> str:
    model = header.model()
    if model is None or header.orientation() != Qt.Orientation.Horizontal:
        return ""
    cut = []
    for section in range(header.count()):
        text = str(model.headerData(section, Qt.Orientation.Horizontal) or "")
        tip = str(model.headerData(section, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole) or "")
        need = max(header.fontMetrics().horizontalAdvance(part) for part in [*text.splitlines(), ""]) + 24
        if text and header.sectionSize(section) < need and text not in tip:
            cut.append(f"{text} needs {need}, has {header.sectionSize(section)}")
    return "; ".join(cut)


def _outside(widget: QWidget, top: QWidget) -> str:
    """Whether a widget lies where no scrolling brings it into sight."""
    place = QRect(QPoint(0, 0), widget.size())
    inner: QWidget = widget
    while inner is not top and (parent := inner.parentWidget()) is not None:
        place.translate(inner.pos())
        inner = parent
        area = inner.parentWidget()
        if isinstance(area, QAbstractScrollArea) and inner is area.viewport():
            bars = ((area.horizontalScrollBar(), place.left(), place.right(), inner.width()),
                    (area.verticalScrollBar(), place.top(), place.bottom(), inner.height()))  # fmt: skip
            for bar, low, high, room in bars:
                least, most = low + bar.value() - bar.maximum(), high + bar.value() - bar.minimum()
                if most < 0 or least > room or (high - low >= room and not isinstance(area, QScrollArea)):
                    return f"is out of reach in {type(area).__name__}"
                across = bar is area.horizontalScrollBar()
                if across and bar.maximum() == 0 and (low < -SLACK or high > room + SLACK):
                    return f"reaches {high} of {room} in {type(area).__name__}, which does not scroll sideways"
            if isinstance(area, QAbstractItemView):
                return ""
            place = place.intersected(inner.rect()) if place.intersects(inner.rect()) else QRect(0, 0, 1, 1)
        elif not inner.rect().adjusted(-SLACK - 1, -SLACK - 1, SLACK + 1, SLACK + 1).contains(place):
            return f"sticks out of {type(inner).__name__}: {place.getRect()} in {inner.size().toTuple()}"
    return ""


def _overlaps(top: QWidget) -> list[str]:
    """Controls and labels of one parent that lie over each other."""
    found = []
    for parent in [top, *top.findChildren(QWidget)]:
        if not parent.isVisible() or parent.layout() is None or isinstance(parent, (QTabBar, QAbstractItemView)):
            continue
        inside = [w for w in parent.children() if isinstance(w, QWidget) and w.isVisible() and not w.isWindow()]
        inside = [w for w in inside if w.width() > 2 and w.height() > 2 and parent.layout().indexOf(w) >= -1]
        for at, one in enumerate(inside):
            for other in inside[at + 1 :]:
                both = one.geometry().intersected(other.geometry())
                if both.width() > 2 and both.height() > 2 and _speaks(one) and _speaks(other):
                    found.append(f"{describe(one)} lies over {describe(other)}")
    return found


# Names -----------------------------------------------------------------------------------------------------------


def informative(widget: QWidget) -> bool:
    """Whether a screen reader would stop at a widget, or should say what it shows."""
    if not widget.isVisible() or _private(widget) or isinstance(widget, QHeaderView):
        return False
    if type(widget).__module__.startswith("pyqtgraph"):
        return False  # what a plot shows is told by the widget around it
    if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.focusProxy() is None:
        return True
    kinds = (QAbstractButton, QComboBox, QLineEdit, QAbstractItemView, QProgressBar, QPlainTextEdit, QTextEdit)
    return isinstance(widget, kinds) or paints_itself(widget)


def paints_itself(widget: QWidget) -> bool:
    """Whether a widget of ours draws what it shows."""
    ours = type(widget).__module__.startswith("widgets.")
    return ours and any("paintEvent" in kind.__dict__ for kind in type(widget).__mro__ if "widgets." in kind.__module__)


def unnamed(top: QWidget) -> list[str]:
    """Say which widgets under one have no name, the name of a class, a wrong role, or a neighbour's name."""
    found = []
    seen: dict[tuple[int, str, Any], QWidget] = {}
    for widget in top.findChildren(QWidget):
        if not informative(widget):
            continue
        face = QAccessible.queryAccessibleInterface(widget)
        name = face.text(QAccessible.Text.Name).strip() if face is not None else ""
        classes = {kind.__name__ for kind in type(widget).__mro__}
        where = f"{type(widget).__name__} in {type(widget.parent()).__name__}"
        if not name or name in classes:
            found.append(f"{where} is called {name!r}")
            continue
        if isinstance(widget, QComboBox) and not widget.accessibleName():  # what Qt says is its current text
            found.append(f"{where} {name!r} is not called anything but its choice")
        role = face.role()
        wanted = next((roles for kind, roles in ROLES if isinstance(widget, kind)), None)
        if wanted is not None and role not in wanted:
            found.append(f"{where} {name!r} has the role {role.name}")
        if wanted is None and role in (Role.NoRole, Role.Client, Role.Window, Role.Border, Role.Pane):
            found.append(f"{where} {name!r} has the role {role.name}")
        if isinstance(widget, QAbstractButton) or wanted is not None:
            twin = seen.setdefault((id(widget.parent()), name, role), widget)
            if twin is not widget:
                found.append(f"{where} and its neighbour are both called {name!r}")
        if isinstance(widget, QAbstractItemView) and isinstance(widget, QTableView):
            found += [f"{where} {name!r} has a column without a title" for _ in _untitled(widget)]
    return found


def _untitled(view: QTableView) -> list[int]:
    model = view.model()
    return [
        column
        for column in range(model.columnCount())
        if not (model.headerData(column, Qt.Orientation.Horizontal)
                or model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.AccessibleTextRole)
                or model.headerData(column, Qt.Orientation.Horizontal, Qt.ItemDataRole.ToolTipRole))
    ]  # fmt: skip


# The order of Tab ------------------------------------------------------------------------------------------------


def stops(page: QWidget) -> list[QWidget]:
    """Return what Tab stops at from a page on until it leaves it, by pressing it."""
    page.setFocus()
    found: list[QWidget] = []
    while len(found) < 300:
        QTest.keyClick(QApplication.focusWidget() or page, Qt.Key.Key_Tab)
        now = QApplication.focusWidget()
        if now is None or now in found or not page.isAncestorOf(now):
            break
        found.append(now)
    return found


def unreached(page: QWidget, order: list[QWidget]) -> list[str]:
    """Say what takes the keyboard but is not among the stops of Tab."""
    tab = Qt.FocusPolicy.TabFocus
    able = [w for w in page.findChildren(QWidget) if w.isVisible() and w.isEnabled() and w.focusProxy() is None]
    able = [w for w in able if w.focusPolicy() & tab == tab and not _private(w) and "pyqtgraph" not in str(type(w))]
    return [f"Tab does not reach {describe(w)}" for w in able if w not in order]


def disorder(page: QWidget) -> list[str]:
    """Say where Tab goes up in a column, or to the left in a line."""
    order = stops(page)
    found = unreached(page, order)
    places = [QRect(w.mapTo(page, QPoint(0, 0)), w.size()) for w in order]
    for at in range(len(order) - 1):
        one, other = places[at], places[at + 1]
        areas = _area(order[at], page), _area(order[at + 1], page)
        if areas[0] is not areas[1]:  # what is scrolled out of sight counts as where it is scrolled
            one, other = (QRect(a.mapTo(page, QPoint(0, 0)), a.size()) if a is not page else place
                          for a, place in zip(areas, (one, other), strict=True))  # fmt: skip
        across = min(one.right(), other.right()) - max(one.left(), other.left())
        along = min(one.bottom(), other.bottom()) - max(one.top(), other.top())
        up = other.bottom() <= one.top() and across > min(one.width(), other.width()) / 2
        back = other.right() <= one.left() and along > min(one.height(), other.height()) / 2
        if up or back:
            found.append(f"{describe(order[at])} goes {'up' if up else 'left'} to {describe(order[at + 1])}")
    return found


def _area(widget: QWidget, page: QWidget) -> QWidget:
    """Return what a widget is scrolled in."""
    inner: QWidget | None = widget.parentWidget()
    while inner is not None and inner is not page and not isinstance(inner, QScrollArea):
        inner = inner.parentWidget()
    return inner or page


def odd_menus(window: QWidget) -> list[str]:
    """Say which entries of menus have no words, or those of a neighbour."""
    found = []
    for menu in window.findChildren(QMenu):
        words = [action.text() for action in menu.actions() if not action.isSeparator()]
        found += [f"{menu.title()!r} has {word!r} twice" for word in set(words) if words.count(word) > 1]
        found += [f"{menu.title()!r} has an entry without words" for word in words if not word.strip()]
    return found


# By itself -------------------------------------------------------------------------------------------------------

SIZES = ((960, 540), (1366, 768))
Found = dict[str, dict[str, list[str]]]


async def _measure(folder: Path) -> Found:
    from app.console import Console
    from engine.core.paths import DataDir

    app = QApplication.instance()
    assert isinstance(app, QApplication)
    console = Console(app, DataDir.open(folder))
    running = asyncio.create_task(console.run([]))
    await asyncio.wait_for(console.wait_ready(), 60)
    wiring = console.wiring
    assert wiring is not None
    try:
        return await _look(wiring)
    finally:
        console.close()
        await running


async def _look(wiring: Any) -> Found:
    window = wiring.window
    found: Found = {"names": {}, "order": {}, "dialogs": {}}
    async for name, _ in walk(wiring):
        found["names"][f"empty {name}"] = unnamed(window)
    wiring.overview.run_demo()
    await until(lambda: wiring.overview.state.demo_state != "running", 300)
    await fill(wiring)
    for width, height in SIZES:
        window.notices.clear()
        window.resize(width, height)
        await settle()
        cut = found[f"{width}x{height}"] = {}
        if window.width() > width or window.height() > height:
            cut["window"] = [f"{window.size().toTuple()} is more than the screen's"]
        async for name, page in walk(wiring):
            cut[name] = cut_texts(window)
            if width == SIZES[-1][0]:
                found["names"][name], found["order"][name] = unnamed(window), disorder(page)
    found["names"]["menus"] = odd_menus(window)
    await _dialogs(wiring, found["dialogs"])
    return found


async def _dialogs(wiring: Any, found: dict[str, list[str]]) -> None:
    from app.dialogs import confirm, crash_dialog

    window = wiring.window
    window.resize(*SIZES[0])
    opened: dict[str, Callable[[], object]] = {
        key: wiring.commands.all[key].run for key in ("settings", "help", "keys", "guide", "palette")
    }
    opened["confirm"] = lambda: confirm(window, "Stop it?", "It stops. " * 12, "Stop", lambda: None, danger=True)
    opened["crash"] = lambda: crash_dialog(window, "Wrong " * 30, "report\n" * 30, Path("crash.txt"), lambda: None)
    for key, show in opened.items():
        show()
        await asyncio.sleep(0.05)
        await settle()
        shown = [w for w in QApplication.topLevelWidgets() if w.isVisible() and w is not window]
        found[key] = [] if shown else ["did not open"]
        for top in shown:
            room = top.screen().availableGeometry()
            if top.width() > room.width() or top.height() > room.height():
                found[key].append(f"{top.size().toTuple()} is more than the screen's {room.size().toTuple()}")
            found[key] += unnamed(top) + cut_texts(top)
            top.close()


def main() -> int:
    """Print what was found as JSON: by kind, then by page and tab."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="a data directory, better an empty one")
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    app = QApplication(sys.argv[:1])
    app.setQuitOnLastWindowClosed(False)
    from app.loop import new_loop

    with asyncio.Runner(loop_factory=new_loop) as runner:
        found = runner.run(_measure(options.data))
    json.dump({k: {n: sorted(set(i)) for n, i in v.items()} for k, v in found.items()}, sys.stdout, indent=1)
    return 0


if __name__ == "__main__":
    sys.exit(main())
