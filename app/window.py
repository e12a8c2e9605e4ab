"""The main window: sidebar, status strip, banners, pages, jobs tray. It knows no engine and no view-model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QByteArray, QSettings, Qt, QTimer, Signal
from PySide6.QtGui import QCloseEvent, QGuiApplication, QResizeEvent
from PySide6.QtWidgets import QApplication, QMainWindow, QStackedWidget, QVBoxLayout, QWidget

from app.errors import Notice
from widgets.access import announce
from widgets.basics import column, label, row, tool_button
from widgets.fence import Fence
from widgets.icons import app_icon
from widgets.jobs import JobsState, JobsTray
from widgets.nav import NavBar, NavItem, NavState, StatusStrip
from widgets.panels import Action, Banner, BannerState
from widgets.tab_order import go_on

BANNERS = 3
GOOD_NEWS_MS = 9000
NARROW = 1160
LEAST = (940, 480)  # what a screen of 1920 by 1080 at 200 % has room for, beside a panel of the desktop
PAGES = (
    ("overview", "Overview"),
    ("devnet", "Devnet"),
    ("consensus", "Consensus"),
    ("leagues", "Leagues"),
    ("stakes", "Stakes"),
    ("replay", "Replay"),
    ("merkle", "Merkle"),
    ("learning", "Learning chain"),
    ("logs", "Logs"),
)


class NoticeStack(QWidget):
    """The newest few notices as banners; good news goes by itself."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = column(self, spacing=8)
        self._layout.setContentsMargins(24, 12, 24, 0)
        self._banners: list[tuple[str, Banner]] = []
        self.hide()

    def show_notice(self, notice: Notice) -> None:
        """Put a notice on top; one of the same key goes."""
        self.dismiss(notice.key)
        while len(self._banners) >= BANNERS:
            self._remove(self._banners[-1][1])
        actions = tuple(Action(str(i), item.label, primary=i == 0) for i, item in enumerate(notice.actions))
        # With a parent from the start: it would be a window of its own for a moment and take the keyboard.
        banner = Banner(BannerState(notice.kind, notice.title, notice.text, notice.next_step, actions), self)
        banner.closed.connect(lambda: self._remove(banner))
        banner.actionTriggered.connect(lambda key: self._act(banner, notice, int(key)))
        self._banners.insert(0, (notice.key, banner))
        self._layout.insertWidget(0, banner)
        self.show()
        if notice.kind in ("ok", "info") and not notice.actions:
            timer = QTimer(banner)
            timer.setSingleShot(True)
            timer.timeout.connect(lambda: self._remove(banner))
            timer.start(GOOD_NEWS_MS)

    def dismiss(self, key: str) -> None:
        """Take the notice of that key away."""
        for known, banner in tuple(self._banners):
            if key and known == key:
                self._remove(banner)

    def clear(self) -> None:
        """Take all notices away."""
        for _, banner in tuple(self._banners):
            self._remove(banner)

    def texts(self) -> list[str]:
        """Return the titles shown, newest first."""
        return [banner.accessibleName() for _, banner in self._banners]

    def _act(self, banner: Banner, notice: Notice, index: int) -> None:
        self._remove(banner)
        notice.actions[index].run()

    def _remove(self, banner: Banner) -> None:
        if any(known is banner for _, known in self._banners):
            self._banners = [item for item in self._banners if item[1] is not banner]
            banner.hide()
            self._layout.removeWidget(banner)
            banner.deleteLater()
            self.setVisible(bool(self._banners))


class MainWindow(QMainWindow):
    """The frame of all pages."""

    closing = Signal()
    navigated = Signal(str)
    linkActivated = Signal(str)
    backRequested = Signal()
    paletteRequested = Signal()

    def __init__(self, data: Path) -> None:
        super().__init__()
        self.setWindowTitle("Nashboard")
        self.setWindowIcon(app_icon())
        self._geometry, damage = _kept_layout(data / "window.ini")
        self._may_close: Callable[[], bool] = lambda: True
        self.nav = NavBar()
        self.strip = StatusStrip()
        self.notices = NoticeStack()
        self.stack = QStackedWidget()
        self.tray = JobsTray()
        self.back = tool_button("left", "Back")
        self.search = tool_button("search", "Command palette (Ctrl+K)")
        self._pages: dict[str, QWidget] = {}
        self._current = "overview"
        self._collapsed = self._geometry.value("collapsed", "false") == "true"
        self._narrow = False
        self._ended = 0
        self._badges: dict[str, tuple[str, str]] = {}
        self._build()
        self._restore()
        if damage:
            self.notices.show_notice(Notice("warn", "The layout was reset", damage, key="layout"))

    def _build(self) -> None:
        content = QWidget()
        layout = QVBoxLayout(content)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        bar = row(self.back, self.strip, None, self.search, spacing=8)
        bar.setContentsMargins(16, 8, 16, 8)
        layout.addLayout(bar)
        layout.addWidget(self.notices)
        layout.addWidget(self.stack, 1)
        layout.addWidget(Fence(self.tray))
        self.tray.hide()
        frame = QWidget()
        across = row(spacing=0)
        across.addWidget(self.nav)
        across.addWidget(content, 1)
        frame.setLayout(across)
        self.setCentralWidget(frame)
        self.setMinimumSize(*LEAST)
        self.nav.navigated.connect(self.navigated)
        self.nav.collapseToggled.connect(self._collapse)
        self.strip.linkActivated.connect(self.linkActivated)
        self.back.clicked.connect(self.backRequested)
        self.search.clicked.connect(self.paletteRequested)
        waiting = QWidget()
        column(waiting, margins=24).addWidget(
            label("Opening the data directory…", "muted"), 0, Qt.AlignmentFlag.AlignTop
        )
        self.stack.addWidget(waiting)
        self._show_nav()

    def add_page(self, key: str, page: QWidget) -> None:
        """Add a page; the first one added replaces the waiting screen."""
        self._pages[key] = page
        self.stack.addWidget(page)

    def page(self, key: str) -> QWidget:
        """Return a page."""
        return self._pages[key]

    def show_page(self, key: str) -> None:
        """Bring a page to the front."""
        self._current = key
        page = self._pages[key]
        self.stack.setCurrentWidget(page)
        self._hand_over(page)
        self.setWindowTitle(f"{dict(PAGES).get(key, key.capitalize())} · Nashboard")
        self._show_nav()

    @staticmethod
    def _hand_over(page: QWidget) -> None:
        """Give a page the keyboard: to what had it there before, or to the page, where Tab leads to its first field."""
        now = QApplication.focusWidget()
        if now is None or not page.isAncestorOf(now):
            last = page.focusWidget()
            able = last is not None and last.isEnabled() and last.isVisibleTo(page)
            (last if able and last is not None else page).setFocus(Qt.FocusReason.OtherFocusReason)

    def set_badge(self, key: str, text: str, kind: str = "neutral") -> None:
        """Mark a page in the sidebar ('' takes the mark away)."""
        if self._badges.get(key) != (text, kind):
            self._badges[key] = (text, kind)
            self._show_nav()

    def set_jobs(self, state: JobsState, ended: int = 0, words: str = "") -> None:
        """Show the running jobs, and say how one ended; without any the tray takes no room."""
        self.tray.set_state(state)
        if ended != self._ended:
            self._ended = ended
            announce(self.tray, words)
        self.tray.setVisible(bool(state.jobs))

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Collapse the sidebar by itself where the window is narrow."""
        super().resizeEvent(event)
        narrow = self.width() < NARROW
        if narrow != self._narrow:
            self._narrow = narrow
            self._show_nav()

    def focusNextPrevChild(self, forward: bool) -> bool:
        """Tab goes on as the eye reads."""
        return go_on(self.centralWidget(), forward=forward) or super().focusNextPrevChild(forward)

    def guard_close(self, may_close: Callable[[], bool]) -> None:
        """Ask ``may_close`` before the window closes."""
        self._may_close = may_close

    def closeEvent(self, event: QCloseEvent) -> None:
        """Keep the geometry and say that the operator wants to leave."""
        if not self._may_close():
            event.ignore()
            return
        self._geometry.setValue("geometry", self.saveGeometry())
        self._geometry.setValue("collapsed", "true" if self._collapsed else "false")
        self._geometry.sync()
        event.accept()
        self.closing.emit()

    def remember(self, key: str, value: str) -> None:
        """Keep a piece of layout (columns, splitters) for the next start."""
        self._geometry.setValue(f"layout/{key}", value)

    def recall(self, key: str) -> str:
        """Return a kept piece of layout, '' when there is none."""
        return str(self._geometry.value(f"layout/{key}", "") or "")

    def reset_layout(self) -> None:
        """Forget geometry, columns and splitters."""
        self._geometry.clear()
        self._collapsed = False
        self._show_nav()
        self._default_geometry()

    def bring_to_front(self) -> None:
        """Show and raise the window."""
        self.setWindowState(self.windowState() & ~Qt.WindowState.WindowMinimized)
        self.show()
        self.raise_()
        self.activateWindow()

    def _show_nav(self) -> None:
        items = []
        for number, (key, title) in enumerate(PAGES, start=1):
            badge, kind = self._badges.get(key, ("", "neutral"))
            items.append(NavItem(key, title, key, badge, kind, f"Ctrl+{number}"))
        items.append(NavItem("settings", "Settings", "settings", shortcut="Ctrl+,", section="bottom"))
        self.nav.set_state(NavState(tuple(items), self._current, self._collapsed or self._narrow))

    def _collapse(self, collapsed: bool) -> None:
        self._collapsed = collapsed
        self._show_nav()

    def _restore(self) -> None:
        saved = self._geometry.value("geometry")
        if not isinstance(saved, QByteArray) or not self.restoreGeometry(saved):
            self._default_geometry()
        # A window that was left on a screen that is gone comes back in the middle of one that is there.
        frame = self.frameGeometry()
        if not any(
            screen.availableGeometry().intersects(frame.adjusted(40, 0, -40, -40)) for screen in QApplication.screens()
        ):
            self._default_geometry()

    def _default_geometry(self) -> None:
        screen = QGuiApplication.primaryScreen()
        area = screen.availableGeometry()
        self.resize(min(1440, area.width()), min(900, area.height()))
        frame = self.frameGeometry()
        frame.moveCenter(area.center())
        self.move(frame.topLeft())


def _kept_layout(path: Path) -> tuple[QSettings, str]:
    """Return the layout of the last time, and what to tell of a file that was none: it is kept under another name."""
    kept = path.with_name("window.corrupt.ini")
    settings = QSettings(str(path), QSettings.Format.IniFormat)
    empty = not path.exists() or not path.stat().st_size
    if settings.status() == QSettings.Status.NoError and (settings.allKeys() or empty):
        return settings, ""
    try:
        path.replace(kept)
    except OSError as error:
        return settings, f"{path.name} cannot be read ({error.strerror})."
    settings.sync()
    return (
        QSettings(str(path), QSettings.Format.IniFormat),
        f"{path.name} could not be read. It was kept as {kept.name}; windows, columns and splitters are as at first.",
    )
