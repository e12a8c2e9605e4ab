"""The order of Tab as the eye reads: Qt's own is that of making, so what is made later would come last.

The order is looked up in the layouts each time that Tab is pressed, for parts of a page come and go. Qt's chain is left
as it is: to set it anew in a window of this size takes longer, and breaks it where a part of the chain is hidden.
"""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QApplication, QLayout, QScrollArea, QTabWidget, QWidget


def go_on(top: QWidget, *, forward: bool) -> bool:
    """Hand the keyboard to what comes next under a widget, or before; after the last comes the first."""
    order = list(stops(top))
    now = QApplication.focusWidget()
    if not order:
        return False
    reason = Qt.FocusReason.TabFocusReason if forward else Qt.FocusReason.BacktabFocusReason
    place = _place(order, now, forward) if now is not None else 0 if forward else -1
    order[place % len(order)].setFocus(reason)
    return True


def stops(top: QWidget) -> Iterator[QWidget]:
    """Yield what Tab stops at under a widget, in the order of its layouts."""
    if not top.isVisible():
        return
    policy = top.focusPolicy() & Qt.FocusPolicy.TabFocus
    if policy == Qt.FocusPolicy.TabFocus and top.isEnabled() and top.focusProxy() is None:
        yield top
    if isinstance(top, QTabWidget):
        yield from stops(top.tabBar())
        if (shown := top.currentWidget()) is not None:
            yield from stops(shown)
    elif isinstance(top, QScrollArea):
        yield from stops(top.widget())
    elif (layout := top.layout()) is not None:
        yield from _inside(layout)


def _inside(layout: QLayout) -> Iterator[QWidget]:
    for index in range(layout.count()):
        item = layout.itemAt(index)
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            yield from stops(widget)
        elif inner is not None:
            yield from _inside(inner)


def _place(order: list[QWidget], now: QWidget, forward: bool) -> int:
    """Return the place of what comes next: after what has the keyboard, or first in it where it is no stop itself."""
    at: QWidget | None = now
    while at is not None:
        if at in order:
            return order.index(at) + (1 if forward else -1)
        inside = [place for place, stop in enumerate(order) if at.isAncestorOf(stop)]
        if inside:
            return inside[0] if forward else inside[0] - 1
        at = at.parentWidget()
    return 0
