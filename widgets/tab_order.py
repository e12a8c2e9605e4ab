"""The order of Tab as the eye reads: Qt's own is that of making, so what is made later would come last."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLayout, QScrollArea, QTabWidget, QWidget


def order_tabs(top: QWidget) -> None:
    """Put the fields and buttons under a widget into the order of its layouts."""
    for one, other in pairwise(dict.fromkeys(_stops(top))):
        QWidget.setTabOrder(one, other)


def _stops(widget: QWidget) -> Iterator[QWidget]:
    policy = widget.focusPolicy() & Qt.FocusPolicy.TabFocus
    if policy == Qt.FocusPolicy.TabFocus and widget.focusProxy() is None:
        yield widget
    if isinstance(widget, QTabWidget):
        yield from _stops(widget.tabBar())
        for index in range(widget.count()):
            yield from _stops(widget.widget(index))
    elif isinstance(widget, QScrollArea):
        yield from _stops(widget.widget())
    elif (layout := widget.layout()) is not None:
        yield from _inside(layout)


def _inside(layout: QLayout) -> Iterator[QWidget]:
    for index in range(layout.count()):
        item = layout.itemAt(index)
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            yield from _stops(widget)
        elif inner is not None:
            yield from _inside(inner)
