"""The theme: which tokens are in force, applied live to the whole application.

The theme object is a child of the QApplication, so it lives exactly as long as the windows that follow it.
"""

from __future__ import annotations

import weakref

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QStyleFactory, QWidget
from shiboken6 import isValid

from widgets.access import speak_roles
from widgets.fonts import base_font
from widgets.style import build_palette, build_qss
from widgets.tokens import DARK, LIGHT, Tokens

THEMES = ("system", "light", "dark")
_OBJECT_NAME = "nashboard-theme"


class Theme(QObject):
    """Holds the chosen theme; ``changed`` carries the new tokens after the application is restyled."""

    changed = Signal(object)

    def __init__(self, app: QApplication) -> None:
        super().__init__(app)
        self.setObjectName(_OBJECT_NAME)
        self.name = "light"
        self.tokens = LIGHT
        self._window: weakref.ref[QWidget] | None = None
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system_changed)

    def apply(self, name: str) -> None:
        """Restyle the application: ``light``, ``dark`` or ``system`` (follows the desktop while it runs)."""
        if name not in THEMES:
            raise ValueError(f"unknown theme {name!r}; one of {', '.join(THEMES)}")
        self.name = name
        self._restyle(resolve(name))

    def dress(self, window: QWidget | None) -> None:
        """Let a window have the style sheet, with the dialogs that belong to it, instead of the whole application.

        With a sheet on the application, Qt styles a widget and all inside it anew each time that it is put into
        another; a page is built from the inside out, so that most of the time of building it would go there.
        """
        self._window = None if window is None else weakref.ref(window)

    def _on_system_changed(self, scheme: Qt.ColorScheme) -> None:
        if self.name == "system":
            self._restyle(DARK if scheme == Qt.ColorScheme.Dark else LIGHT)

    def _restyle(self, tokens: Tokens) -> None:
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            return
        self.tokens = tokens
        app.setPalette(build_palette(tokens))
        sheet = build_qss(tokens)
        window = self._window() if self._window is not None else None
        if window is not None and isValid(window):
            window.setStyleSheet(sheet)
        else:
            window = None
        if window is None or app.styleSheet():
            app.setStyleSheet(sheet)
        for widget in app.topLevelWidgets():
            widget.update()
        self.changed.emit(tokens)


def resolve(name: str) -> Tokens:
    """The tokens behind a theme name; an unknown desktop preference counts as light."""
    if name == "system":
        scheme = QGuiApplication.styleHints().colorScheme()
        return DARK if scheme == Qt.ColorScheme.Dark else LIGHT
    return DARK if name == "dark" else LIGHT


def apply_theme(app: QApplication, name: str, window: QWidget | None = None) -> Theme:
    """Apply a theme to the application and return the theme object (created on the first call).

    ``window`` gets the style sheet alone, if it is given: see :meth:`Theme.dress`.
    """
    theme = begin_theme(app)
    theme.dress(window)
    theme.apply(name)
    return theme


def begin_theme(app: QApplication) -> Theme:
    """Return the theme object, made on the first call: what is built before that would never hear of a switch."""
    theme = _find(app)
    if theme is None:
        app.setStyle(QStyleFactory.create("Fusion"))
        app.setFont(base_font())
        speak_roles(app)
        theme = Theme(app)
    return theme


def current_theme() -> Theme | None:
    """The theme of the running application, or None before the first ``apply_theme``."""
    app = QApplication.instance()
    return _find(app) if isinstance(app, QApplication) else None


def current_tokens() -> Tokens:
    """The tokens in force; light before the first ``apply_theme``."""
    theme = current_theme()
    return theme.tokens if theme is not None else LIGHT


def follow(widget: QWidget, slot_name: str = "on_theme") -> None:
    """Call ``widget.<slot_name>(tokens)`` now and after every switch, for as long as the widget lives.

    A bound method of a QObject is disconnected by Qt when the object dies, so nothing is leaked.
    """
    slot = getattr(widget, slot_name)
    theme = current_theme()
    if theme is not None:
        theme.changed.connect(slot)
    slot(current_tokens())


def _find(app: QApplication) -> Theme | None:
    return app.findChild(Theme, _OBJECT_NAME, Qt.FindChildOption.FindDirectChildrenOnly)
