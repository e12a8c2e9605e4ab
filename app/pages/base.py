"""What all pages share: a header, links that lead on, what Ctrl+F, Ctrl+S and Ctrl+O do there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from PySide6.QtCore import QEvent, QObject, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QResizeEvent, QShowEvent
from PySide6.QtWidgets import (
    QBoxLayout,
    QLayoutItem,
    QLineEdit,
    QScrollArea,
    QSizePolicy,
    QTabWidget,
    QVBoxLayout,
    QWidget,
)
from shiboken6 import isValid

from app.links import Place
from engine.core.turns import turns
from widgets.basics import Page
from widgets.choice import LongChoice
from widgets.icons import icon
from widgets.labels import SectionHeader
from widgets.panels import Action
from widgets.plot_base import PlotBase
from widgets.table import DataTable

RUN = Action("run", "Run", "play")
FRAME_MS = 100  # between two pictures of what goes on: eyes follow ten a second


class ConsolePage(Page):
    """A page of the console."""

    linkActivated = Signal(str)

    def __init__(self, title: str, subtitle: str) -> None:
        super().__init__()
        self.header = SectionHeader(title, subtitle, page=True)
        self.add(self.header)
        self._unobserve: list[Callable[[], None]] = []
        # With wrapped texts inside, Qt would make the page as tall as it prefers to be; it is to fill the window and
        # to scroll only where its minimum does not fit.
        self.setWidgetResizable(False)
        self.widget().installEventFilter(self)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Fill the window."""
        super().resizeEvent(event)
        self._fit()

    def showEvent(self, event: QShowEvent) -> None:
        """Fit once the page has its final width: it may have changed while another page was in front."""
        super().showEvent(event)
        QTimer.singleShot(0, self, self._fit)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Fit again when something inside asks for another size."""
        if event.type() == QEvent.Type.LayoutRequest:
            self._fit()
        return super().eventFilter(watched, event)

    def _fit(self) -> None:
        content, room = self.widget(), self.viewport().size()
        layout = content.layout()
        least = (
            layout.minimumHeightForWidth(room.width()) if layout.hasHeightForWidth() else layout.minimumSize().height()
        )
        content.resize(room.width(), max(room.height(), least))

    def steps(self) -> Iterator[None]:
        """Build the rest of the page; between the steps the window may breathe."""
        return iter(())

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


class InSight(QObject):
    """Shows a part's state only while the part is in sight: what it missed, it shows when it is shown again.

    The first state is shown in any case, so that the part is complete. With a ``rest``, what comes sooner after the
    last one is shown when so many milliseconds have gone by.
    """

    def __init__(self, part: QWidget, show: Callable[[Any], None], *, rest: int = 0) -> None:
        super().__init__(part)
        self._part, self._show = part, show
        self._missed: list[Any] = []
        self._begun = False
        self._resting = QTimer(self, singleShot=True, interval=rest)
        self._resting.timeout.connect(self._rested)
        part.installEventFilter(self)

    def __call__(self, state: Any) -> None:
        """Show a state, now or later."""
        if self._begun and (self._resting.isActive() or not self._part.isVisible()):
            self._missed = [state]
            return
        self._begun = True
        self._missed = [state]
        self._catch_up()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Catch up."""
        if event.type() == QEvent.Type.Show:
            self._catch_up()
        return super().eventFilter(watched, event)

    def _rested(self) -> None:
        """Catch up in a turn of its own: several may have rested until now."""
        if self._missed and self._part.isVisible():
            try:
                turns().call(self._catch_up)
            except RuntimeError:  # the loop has ended
                self._missed.clear()

    def _catch_up(self) -> None:
        if self._missed and isValid(self):
            self._show(self._missed.pop())
            if self._resting.interval():
                self._resting.start()


def scrolling(inner: QWidget) -> QScrollArea:
    """Return a tab's content that scrolls by itself where it is taller than its place."""
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QScrollArea.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.viewport().setAutoFillBackground(False)
    holder = QWidget()
    layout = QVBoxLayout(holder)
    layout.setContentsMargins(0, 12, 4, 0)
    layout.addWidget(inner, 1)
    area.setWidget(holder)
    holder.setAutoFillBackground(False)  # setWidget turned it on; a card is to show through
    return area


def runs_when_empty(part: QWidget, run: Callable[[], None]) -> None:
    """Let the button of every empty table and plot in a part do what the page's Run does."""
    for place in (*part.findChildren(DataTable), *part.findChildren(PlotBase)):
        place.emptyAction.connect(lambda key: run() if key == RUN.key else None)


def round_choice() -> LongChoice:
    """Return a choice among the rounds of leagues."""
    choice = LongChoice(text=lambda r: f"{r.name} #{r.number}", key=lambda r: r.round_id)
    choice.setAccessibleName("Round")
    return choice


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


class Tabs(QTabWidget):
    """Tabs that ask only for the room of the one shown, not of the tallest."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setDocumentMode(True)
        self.setAccessibleName(name)
        self._laid_out: tuple[QSize, ...] = ()
        self.currentChanged.connect(self._fit)

    def event(self, event: QEvent) -> bool:
        """Be laid out anew only where something needs other room than before.

        Qt paints all of a tab widget again whenever a text somewhere inside changes, be it a counter.
        """
        if event.type() == QEvent.Type.LayoutRequest:
            needs = (self.size(), self.tabBar().sizeHint(), self.sizeHint(), self.minimumSizeHint())
            if needs == self._laid_out:
                return True
            self._laid_out = needs
        return super().event(event)

    def tabInserted(self, index: int) -> None:
        """Fit again with the new tab."""
        super().tabInserted(index)
        self._fit()

    def hasHeightForWidth(self) -> bool:
        """Say no: with wrapped texts inside, the tabs would insist on the height that they prefer."""
        return False

    def _fit(self) -> None:
        for index in range(self.count()):
            shown = index == self.currentIndex()
            policy = QSizePolicy.Policy.Preferred if shown else QSizePolicy.Policy.Ignored
            self.widget(index).setSizePolicy(policy, policy)
        self.updateGeometry()


class _Box(QBoxLayout):
    """A box that leaves it to its widget to say how tall it must be at a width."""

    def hasHeightForWidth(self) -> bool:
        """Say no."""
        return False


def _height(item: QLayoutItem, width: int, *, least: bool) -> int:
    if not item.hasHeightForWidth() or width <= 0:
        return item.minimumSize().height()
    return item.minimumHeightForWidth(width) if least else item.heightForWidth(width)


class SideBySide(QWidget):
    """Widgets beside each other while there is room, below each other when there is not."""

    def __init__(self, widgets: Sequence[QWidget], stretches: Sequence[int], narrow: int) -> None:
        super().__init__()
        self._narrow = narrow
        self._layout = _Box(QBoxLayout.Direction.LeftToRight, self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(16)
        for index, widget in enumerate(widgets):
            self._layout.addWidget(widget, stretches[index] if index < len(stretches) else 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Turn the layout where the width asks for it."""
        super().resizeEvent(event)
        self._turn()
        if event.size().width() != event.oldSize().width():
            # The page measured this widget at its old width.
            QTimer.singleShot(0, self, self.updateGeometry)

    def minimumSizeHint(self) -> QSize:
        """Ask for the width of the widest alone (the others can go below it), and for the height at this width.

        Below each other, Qt squeezes widgets with wrapped texts under their minimum unless all get what they prefer.
        """
        items = [self._layout.itemAt(i) for i in range(self._layout.count())]
        margins = self._layout.contentsMargins()
        widest = max((item.minimumSize().width() for item in items), default=0)
        if self._layout.direction() == QBoxLayout.Direction.TopToBottom:
            inner = self.width() - margins.left() - margins.right()
            height = sum(_height(item, inner, least=False) for item in items) + self._layout.spacing() * (
                len(items) - 1
            )
        else:
            height = max((_height(item, item.geometry().width(), least=True) for item in items), default=0)
        return QSize(widest, height + margins.top() + margins.bottom())

    def set_narrow(self, narrow: int) -> None:
        """Change the width under which the widgets stand below each other."""
        if narrow != self._narrow:
            self._narrow = narrow
            self._turn()

    def _turn(self) -> None:
        down = self.width() < self._narrow
        wanted = QBoxLayout.Direction.TopToBottom if down else QBoxLayout.Direction.LeftToRight
        if self._layout.direction() != wanted:
            self._layout.setDirection(wanted)
            self.updateGeometry()

    def setMargins(self, left: int, top: int, right: int, bottom: int) -> None:
        """Set the outer margins."""
        self._layout.setContentsMargins(left, top, right, bottom)


def side_by_side(*widgets: QWidget, stretches: tuple[int, ...] = (), narrow: int = 860) -> SideBySide:
    """Return a widget that holds others beside each other, or below each other under ``narrow`` pixels."""
    return SideBySide(widgets, stretches, narrow)
