"""What all pages share: a header, links that lead on, what Ctrl+F, Ctrl+S and Ctrl+O do there."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLineEdit, QWidget

from app.links import Place
from widgets.basics import Page, row
from widgets.icons import icon
from widgets.labels import SectionHeader


class ConsolePage(Page):
    """A page of the console."""

    linkActivated = Signal(str)

    def __init__(self, title: str, subtitle: str) -> None:
        super().__init__()
        self.header = SectionHeader(title, subtitle, page=True)
        self.add(self.header)
        self._unobserve: list[Callable[[], None]] = []

    def keep(self, *handles: Callable[[], None]) -> None:
        """Keep what ends the observation of view-models."""
        self._unobserve.extend(handles)

    def detach(self) -> None:
        """Stop observing."""
        for end in self._unobserve:
            end()
        self._unobserve.clear()

    def show_item(self, place: Place) -> None:
        """Show the item of a link on this page."""

    def find(self) -> None:
        """Put the keyboard into the page's search field."""

    def save(self) -> None:
        """Save what the page is about."""

    def tables(self) -> dict[str, QWidget]:
        """Return the tables whose columns persist, by a stable name."""
        return {}


def search_field(hint: str, on_text: Callable[[str], None]) -> QLineEdit:
    """Return a search field that filters as it is typed into."""
    field = QLineEdit()
    field.setPlaceholderText(hint)
    field.setAccessibleName(hint)
    field.setClearButtonEnabled(True)
    field.addAction(icon("search", "faint"), QLineEdit.ActionPosition.LeadingPosition)
    field.setMaximumWidth(280)
    field.textChanged.connect(on_text)
    return field


def side_by_side(*widgets: QWidget, stretches: tuple[int, ...] = ()) -> QWidget:
    """Return a widget that holds others beside each other."""
    holder = QWidget()
    layout = row(spacing=16)
    for index, widget in enumerate(widgets):
        layout.addWidget(widget, stretches[index] if index < len(stretches) else 1)
    holder.setLayout(layout)
    return holder
