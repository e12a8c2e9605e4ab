"""The theme: which tokens are in force, applied live to the whole application.

The theme object is a child of the QApplication, so it lives exactly as long as the windows that follow it.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QApplication, QStyleFactory, QWidget

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
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system_changed)

    def apply(self, name: str) -> None:
        """Restyle the application: ``light``, ``dark`` or ``system`` (follows the desktop while it runs)."""
        if name not in THEMES:
            raise ValueError(f"unknown theme {name!r}; one of {', '.join(THEMES)}")
        self.name = name
        self._restyle(resolve(name))

    def _on_system_changed(self) -> None:
        if self.name == "system":
            self._restyle(resolve("system"))

    def _restyle(self, tokens: Tokens) -> None:
        app = QApplication.instance()
        if not isinstance(app, QApplication):
            return
        self.tokens = tokens
        app.setPalette(build_palette(tokens))
        app.setStyleSheet(build_qss(tokens))
        for widget in app.topLevelWidgets():
            widget.update()
        self.changed.emit(tokens)


def resolve(name: str) -> Tokens:
    """The tokens behind a theme name; an unknown desktop preference counts as light."""
    if name == "system":
        scheme = QGuiApplication.styleHints().colorScheme()
        return DARK if scheme == Qt.ColorScheme.Dark else LIGHT
    return DARK if name == "dark" else LIGHT


def apply_theme(app: QApplication, name: str) -> Theme:
    """Apply a theme to the application and return the theme object (created on the first call)."""
    theme = _find(app)
    if theme is None:
        app.setStyle(QStyleFactory.create("Fusion"))
        app.setFont(base_font())
        theme = Theme(app)
    theme.apply(name)
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
