"""The palette and the style sheet, built from tokens. Fusion draws what the sheet does not name."""

from __future__ import annotations

from pathlib import Path
from string import Template

from PySide6.QtGui import QColor, QPalette

from widgets.fonts import BASE_POINTS, mono_family
from widgets.tokens import Tokens

_ICONS = Path(__file__).resolve().parent.parent / "assets" / "icons"
_SHEET = Path(__file__).resolve().parent / "sheet.qss"


def build_palette(t: Tokens) -> QPalette:
    """A complete QPalette, so that native dialogs and unstyled widgets match too."""
    role = QPalette.ColorRole
    palette = QPalette()
    plain = {
        role.Window: t.window,
        role.WindowText: t.text,
        role.Base: t.surface,
        role.AlternateBase: t.sunken,
        role.Text: t.text,
        role.Button: t.surface,
        role.ButtonText: t.text,
        role.BrightText: t.error,
        role.ToolTipBase: t.raised,
        role.ToolTipText: t.text,
        role.Highlight: t.accent,
        role.HighlightedText: t.on_accent,
        role.Link: t.accent,
        role.LinkVisited: t.accent,
        role.PlaceholderText: t.faint,
        role.Light: t.raised,
        role.Midlight: t.hover,
        role.Mid: t.border,
        role.Dark: t.border_strong,
        role.Shadow: t.sunken,
        role.Accent: t.accent,
    }
    for key, value in plain.items():
        palette.setColor(key, QColor(value))
    faint = QColor(t.faint)
    for key in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, key, faint)
    palette.setColor(QPalette.ColorGroup.Disabled, role.Highlight, QColor(t.border))
    return palette


def build_qss(t: Tokens) -> str:
    """The style sheet with the tokens filled in."""
    values = {key: str(value) for key, value in vars(t).items() if key != "series"}
    values |= {
        "icons": _ICONS.as_posix(),
        "mono": mono_family(),
        "pt_small": f"{BASE_POINTS - 0.75:g}pt",
        "pt_caption": f"{BASE_POINTS - 1.25:g}pt",
        "pt_base": f"{BASE_POINTS:g}pt",
        "pt_heading": f"{BASE_POINTS + 1.5:g}pt",
        "pt_title": f"{BASE_POINTS + 6:g}pt",
        "pt_display": f"{BASE_POINTS + 8:g}pt",
    }
    return Template(_SHEET.read_text(encoding="utf-8")).substitute(values)
