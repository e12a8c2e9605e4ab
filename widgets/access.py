"""What screen readers hear of widgets that paint themselves: their role, their value, and news as it happens.

Qt knows the roles of its own controls; a painted widget is to it a place where something is drawn. A class says what it
is by ``SPOKEN_AS``, and may say by ``spoken_value()`` what is chosen in it.
"""

from __future__ import annotations

from PySide6.QtCore import QObject
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent, QAccessibleEvent, QAccessibleInterface
from PySide6.QtWidgets import QAccessibleWidget, QApplication, QWidget

Role = QAccessible.Role
_MARK = "nashboard-spoken"


class _Face(QAccessibleWidget):
    """The interface of a widget with a role of its own."""

    def text(self, kind: QAccessible.Text) -> str:
        """Add what is chosen to what Qt knows."""
        widget = self.object()
        value = getattr(widget, "spoken_value", None)
        if kind == QAccessible.Text.Value and value is not None:
            return str(value())
        return str(super().text(kind))


def _make(_key: str, made: QObject) -> QAccessibleInterface | None:
    role = getattr(made, "SPOKEN_AS", None)
    return _Face(made, role) if isinstance(made, QWidget) and role is not None else None


def speak_roles(app: QApplication) -> None:
    """Tell Qt the roles of painted widgets; once for an application."""
    if not app.property(_MARK):
        app.setProperty(_MARK, True)
        QAccessible.installFactory(_make)


def announce(widget: QWidget, text: str, *, urgent: bool = False) -> None:
    """Have a screen reader say something without moving the keyboard; an urgent text interrupts what it says."""
    if not text or not QAccessible.isActive():
        return
    event = QAccessibleAnnouncementEvent(widget, text)
    polite, now = QAccessible.AnnouncementPoliteness.Polite, QAccessible.AnnouncementPoliteness.Assertive
    event.setPoliteness(now if urgent else polite)
    QAccessible.updateAccessibility(event)
    if urgent:
        QAccessible.updateAccessibility(QAccessibleEvent(widget, QAccessible.Event.Alert))
