"""Fonts: the desktop's own interface font, or Inter where there is none, and a monospace with tabular digits.

A bare machine resolves its interface font to DejaVu or to nothing at all (then all text is boxes), so two families
come with the program as a fallback; a desktop that has a font of its own keeps it.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from PySide6.QtGui import QFont, QFontDatabase, QFontInfo

BASE_POINTS = 9.75
_FOLDER = Path(__file__).resolve().parent.parent / "assets" / "themes" / "fonts"
_STOPGAPS = {"", "sans", "sans serif", "dejavu sans", "bitstream vera sans", "verdana", "liberation sans", "freesans"}
_MONO = ("JetBrains Mono", "SF Mono", "Cascadia Mono", "Menlo", "Consolas")


@cache
def _bundled(pattern: str) -> str:
    """Load the files of a bundled family once; its name, or "" when none could be read."""
    family = ""
    for path in sorted(_FOLDER.glob(pattern)):
        handle = QFontDatabase.addApplicationFont(str(path))
        families = QFontDatabase.applicationFontFamilies(handle) if handle >= 0 else []
        family = family or (families[0] if families else "")
    return family


def base_font() -> QFont:
    """The interface font at the console's own size, with digits of one width so that counters do not jitter."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    if QFontInfo(font).family().lower() in _STOPGAPS and (family := _bundled("Inter-*.otf")):
        font.setFamilies([family, font.family()])
    font.setPointSizeF(BASE_POINTS)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font


@cache
def mono_family() -> str:
    """A good monospace family of this machine, or the bundled one."""
    have = set(QFontDatabase.families())
    found = next((family for family in _MONO if family in have), "")
    return (
        found
        or _bundled("JetBrainsMono-*.ttf")
        or QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont).family()
    )


def mono_font(points: float = BASE_POINTS - 0.75) -> QFont:
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
