"""Fonts: the system's own interface font, and a monospace with tabular digits for hashes and numbers."""

from __future__ import annotations

from functools import cache

from PySide6.QtGui import QFont, QFontDatabase

BASE_POINTS = 9.75
_MONO = ("JetBrains Mono", "SF Mono", "Cascadia Mono", "Consolas", "Menlo", "Noto Sans Mono", "Ubuntu Mono",
         "Liberation Mono", "DejaVu Sans Mono")  # fmt: skip


def base_font() -> QFont:
    """The interface font: the system's family at the console's own size."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    font.setPointSizeF(BASE_POINTS)
    return font


@cache
def mono_family() -> str:
    """The first good monospace family of this machine."""
    have = set(QFontDatabase.families())
    for family in _MONO:
        if family in have:
            return family
    return QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()


def mono_font(points: float = BASE_POINTS - 0.5) -> QFont:
    """The monospace font for hashes, addresses and logs."""
    font = QFont(mono_family())
    font.setStyleHint(QFont.StyleHint.Monospace)
    font.setPointSizeF(points)
    return font


def scaled(font: QFont, delta: float = 0.0, weight: QFont.Weight | None = None) -> QFont:
    """A copy of a font, some points larger or smaller, perhaps of another weight."""
    copy = QFont(font)
    copy.setPointSizeF(max(6.0, font.pointSizeF() + delta))
    if weight is not None:
        copy.setWeight(weight)
    return copy
