"""Ears for what a screen reader is told to say."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from pathlib import Path

import PySide6
import pytest
import shiboken6
from PySide6.QtGui import QAccessible, QAccessibleAnnouncementEvent

INSTALL = "_ZN11QAccessible20installUpdateHandlerEPFvP16QAccessibleEventE"
HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
TYPE_AT = ctypes.sizeof(ctypes.c_void_p)  # the event's type lies behind its table of functions


@pytest.fixture
def heard(qapp) -> Iterator[list[str]]:
    """What a screen reader is told to say: Qt's own way out, listened to in C, for PySide does not offer it."""
    found: list[str] = []

    def hear(event: int) -> None:
        if ctypes.c_int.from_address(event + TYPE_AT).value == QAccessible.Event.Announcement.value:
            found.append(shiboken6.wrapInstance(event, QAccessibleAnnouncementEvent).message())

    library = ctypes.CDLL(str(next((Path(PySide6.__file__).parent / "Qt" / "lib").glob("libQt6Gui.so.6"))))
    install = getattr(library, INSTALL)
    install.restype, install.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
    handler = HANDLER(hear)
    before = install(ctypes.cast(handler, ctypes.c_void_p))
    QAccessible.setActive(True)
    yield found
    QAccessible.setActive(False)
    install(before)
