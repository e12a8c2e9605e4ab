"""Icons: Phosphor glyphs of qtawesome's fonts, painted as paths in the colours of the current theme.

The glyphs are read straight from qtawesome's font file: its own loader opens eleven fonts (230 ms before the first
paint), this opens one. Colours are looked up when painting, so a theme switch recolours every icon by itself.
"""

from __future__ import annotations

import importlib.util
import json
from functools import cache
from pathlib import Path

from PySide6.QtCore import QPointF, QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QIconEngine, QPainter, QPainterPath, QPixmap, QTransform

from widgets.theme import current_tokens

ASSETS = Path(__file__).resolve().parent.parent / "assets" / "icons"

# Meanings, so that one thing looks the same everywhere; the values are Phosphor names.
NAMES = {
    "overview": "squares-four",
    "devnet": "cube",
    "leagues": "trophy",
    "replay": "film-strip",
    "merkle": "tree-structure",
    "stakes": "coin",
    "consensus": "share-network",
    "learning": "brain",
    "logs": "terminal-window",
    "settings": "gear-six",
    "ok": "check-circle",
    "warn": "warning",
    "error": "x-circle",
    "info": "info",
    "neutral": "circle",
    "previous_event": "arrow-fat-line-left",
    "next_event": "arrow-fat-line-right",
    "dice": "dice-five",
    "accent": "circle",
    "play": "play-fill",
    "pause": "pause-fill",
    "stop": "stop-fill",
    "forward": "caret-right",
    "back": "caret-left",
    "forward_ten": "caret-double-right",
    "back_ten": "caret-double-left",
    "first": "skip-back",
    "last": "skip-forward",
    "close": "x",
    "copy": "copy",
    "check": "check",
    "search": "magnifying-glass",
    "filter": "funnel",
    "export": "download-simple",
    "import": "upload-simple",
    "open": "folder-open",
    "file": "file",
    "wasm": "file-plus",
    "bundle": "package",
    "refresh": "arrows-clockwise",
    "undo": "arrow-counter-clockwise",
    "left": "arrow-left",
    "right": "arrow-right",
    "parent": "arrow-up",
    "new_folder": "folder-plus",
    "plus": "plus",
    "minus": "minus",
    "trash": "trash",
    "edit": "pencil-simple",
    "link": "link",
    "external": "arrow-square-out",
    "up": "caret-up",
    "down": "caret-down",
    "collapse": "layout",
    "moon": "moon",
    "sun": "sun",
    "system": "monitor",
    "clock": "clock",
    "running": "spinner-gap",
    "pending": "circle-dashed",
    "shield": "shield-check",
    "slash": "lightning",
    "agent": "robot",
    "user": "user",
    "game": "game-controller",
    "anchor": "anchor",
    "hash": "hash",
    "gas": "gas-pump",
    "block": "stack",
    "wallet": "wallet",
    "flag": "flag",
    "help": "question",
    "command": "command",
    "menu": "list",
    "more": "dots-three",
    "rocket": "rocket-launch",
    "power": "power",
    "chart": "chart-line",
    "table": "table",
    "grid": "grid-four",
    "lock": "lock-simple",
    "scales": "scales",
    "bug": "bug",
    "plug": "planet",
}


@cache
def _charmap() -> tuple[str, dict[str, str]]:
    """Load the glyph font once: its family name and the code point of each glyph name."""
    spec = importlib.util.find_spec("qtawesome")
    if spec is None or not spec.submodule_search_locations:
        return "", {}
    fonts = Path(next(iter(spec.submodule_search_locations))) / "fonts"
    font_files, maps = sorted(fonts.glob("phosphor-*.ttf")), sorted(fonts.glob("phosphor-charmap-*.json"))
    if not font_files or not maps:
        return "", {}
    handle = QFontDatabase.addApplicationFont(str(font_files[-1]))
    families = QFontDatabase.applicationFontFamilies(handle)
    return (families[0] if families else ""), json.loads(maps[-1].read_text(encoding="utf-8"))


@cache
def glyph_path(name: str) -> QPainterPath:
    """The outline of an icon inside the unit square (0, 0)-(1, 1)."""
    family, codes = _charmap()
    code = codes.get(NAMES.get(name, name))
    path = QPainterPath()
    if not family or code is None:
        path.addEllipse(QRectF(0.2, 0.2, 0.6, 0.6))
        return path
    font = QFont(family)
    font.setPixelSize(256)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    path.addText(QPointF(0, 0), font, chr(int(code, 16)))
    # Phosphor draws on a 256 unit square; the box is centred because glyphs carry side bearings of their own.
    box = path.boundingRect()
    unit = QTransform.fromScale(1 / 256, 1 / 256)
    return unit.map(path.translated(128 - box.center().x(), 128 - box.center().y()))


def paint_icon(painter: QPainter, rect: QRectF | QRect, name: str, colour: QColor | str) -> None:
    """Paint an icon centred into a rectangle, in one colour."""
    rect = QRectF(rect)
    side = min(rect.width(), rect.height())
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.translate(rect.center().x() - side / 2, rect.center().y() - side / 2)
    painter.scale(side, side)
    painter.fillPath(glyph_path(name), QColor(colour))
    painter.restore()


class ThemedIconEngine(QIconEngine):
    """Paints a glyph in colours that are looked up in the theme at the moment of painting."""

    def __init__(self, name: str, colour: str, checked: str) -> None:
        super().__init__()
        self._name, self._colour, self._checked = name, colour, checked

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        """Paint for a mode (disabled is faint) and a state (on takes the checked colour)."""
        tokens = current_tokens()
        role = self._checked if state == QIcon.State.On else self._colour
        colour = QColor(tokens.colour(role))
        if mode == QIcon.Mode.Disabled:
            colour = QColor(tokens.faint)
            colour.setAlphaF(0.55)
        paint_icon(painter, QRectF(rect), self._name, colour)

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        """A transparent pixmap of the icon."""
        return self.scaledPixmap(size, mode, state, 1.0)

    def scaledPixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float) -> QPixmap:
        """The same for a device pixel ratio; ``size`` is in logical pixels."""
        device = QSize(max(1, round(size.width() * scale)), max(1, round(size.height() * scale)))
        pixmap = QPixmap(device)
        pixmap.fill(Qt.GlobalColor.transparent)
        painter = QPainter(pixmap)
        self.paint(painter, QRect(0, 0, device.width(), device.height()), mode, state)
        painter.end()
        pixmap.setDevicePixelRatio(scale)
        return pixmap

    def clone(self) -> QIconEngine:
        """A copy of the engine, as QIcon asks for when it detaches."""
        return ThemedIconEngine(self._name, self._colour, self._checked)


def icon(name: str, colour: str = "muted", checked: str | None = None) -> QIcon:
    """An icon by meaning (``NAMES``) or Phosphor name; ``colour`` is a token role or ``#rrggbb``."""
    return QIcon(ThemedIconEngine(name, colour, checked or colour))


def app_icon() -> QIcon:
    """The program's own icon."""
    return QIcon(str(ASSETS / "nashboard.svg"))
