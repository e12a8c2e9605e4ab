"""Chess pieces as outlines, drawn for this program: crisp at any size, and independent of the machine's fonts."""

from __future__ import annotations

from functools import cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen, QPolygonF

from widgets.tokens import Tokens

SIZE = 100.0  # the outlines lie in a square of this side
_INK = {"white": ("#fbfcfe", "#1d222b"), "black": ("#272c36", "#0d1015")}
_DETAIL = {"white": "#1d222b", "black": "#e8ecf4"}


def squares(t: Tokens) -> tuple[str, str]:
    """The colours of light and dark squares: both keep their distance from pieces of either colour."""
    return ("#8e9ab3", "#5d6a87") if t.is_dark else ("#edf1f8", "#9db0d6")


def paint_piece(painter: QPainter, rect: QRectF, kind: str, colour: str) -> None:
    """Paint a piece into a square."""
    fill, edge = _INK[colour]
    painter.save()
    painter.translate(rect.topLeft())
    painter.scale(rect.width() / SIZE, rect.height() / SIZE)
    painter.setPen(QPen(QColor(edge), 4.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    painter.setBrush(QColor(fill))
    painter.drawPath(outline(kind))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(_DETAIL[colour]), 3.2, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
    painter.drawPath(_details(kind))
    painter.restore()


@cache
def outline(kind: str) -> QPainterPath:
    """The silhouette of a piece."""
    path = _MAKERS[kind]()
    return path.united(_base()).simplified()


def _base() -> QPainterPath:
    path = QPainterPath()
    path.addRoundedRect(QRectF(22, 82, 56, 10), 3, 3)
    return path


def _polygon(*points: tuple[float, float]) -> QPainterPath:
    path = QPainterPath()
    path.addPolygon(QPolygonF([QPointF(x, y) for x, y in points]))
    path.closeSubpath()
    return path


def _disc(x: float, y: float, rx: float, ry: float = 0.0) -> QPainterPath:
    path = QPainterPath()
    path.addEllipse(QPointF(x, y), rx, ry or rx)
    return path


def _skirt(top: float, half: float, foot: float = 24.0) -> QPainterPath:
    """The body under a collar, widening towards the base."""
    path = QPainterPath(QPointF(50 - half, top))
    path.cubicTo(50 - half, top + 16, 50 - foot, 70, 50 - foot, 84)
    path.lineTo(50 + foot, 84)
    path.cubicTo(50 + foot, 70, 50 + half, top + 16, 50 + half, top)
    path.closeSubpath()
    return path


def _pawn() -> QPainterPath:
    return _skirt(48, 8, 20).united(_disc(50, 49, 15, 4.5)).united(_disc(50, 33, 14.5))


def _rook() -> QPainterPath:
    top = _polygon((27, 45), (27, 20), (37, 20), (37, 28), (45, 28), (45, 20), (55, 20), (55, 28), (63, 28), (63, 20),
                   (73, 20), (73, 36), (65, 45))  # fmt: skip
    top = top.united(_polygon((27, 20), (27, 36), (35, 45), (65, 45), (73, 36), (73, 30), (27, 30)))
    body = _polygon((35, 44), (65, 44), (68, 72), (75, 84), (25, 84), (32, 72))
    return top.united(body)


def _bishop() -> QPainterPath:
    mitre = QPainterPath(QPointF(50, 20))
    mitre.cubicTo(62, 28, 69, 38, 68, 47)
    mitre.cubicTo(67, 54, 62, 58, 58, 60)
    mitre.lineTo(42, 60)
    mitre.cubicTo(38, 58, 33, 54, 32, 47)
    mitre.cubicTo(31, 38, 38, 28, 50, 20)
    return mitre.united(_disc(50, 16, 5.5)).united(_disc(50, 61, 16, 4.5)).united(_skirt(60, 8, 22))


def _queen() -> QPainterPath:
    crown = _polygon((16, 32), (33, 52), (33, 24), (44, 48), (50, 20), (56, 48), (67, 24), (67, 52), (84, 32), (72, 68),
                     (70, 84), (30, 84), (28, 68))  # fmt: skip
    for x, y in ((16, 30), (33, 22), (50, 17), (67, 22), (84, 30)):
        crown = crown.united(_disc(x, y, 5))
    return crown


def _king() -> QPainterPath:
    body = QPainterPath(QPointF(30, 84))
    body.lineTo(28, 68)
    body.cubicTo(14, 54, 14, 38, 30, 36)
    body.cubicTo(40, 35, 47, 42, 50, 48)
    body.cubicTo(53, 42, 60, 35, 70, 36)
    body.cubicTo(86, 38, 86, 54, 72, 68)
    body.lineTo(70, 84)
    body.closeSubpath()
    drop = QPainterPath(QPointF(50, 56))
    drop.cubicTo(40, 44, 40, 30, 50, 27)
    drop.cubicTo(60, 30, 60, 44, 50, 56)
    cross = QPainterPath()
    cross.addRoundedRect(QRectF(46.6, 8, 6.8, 22), 1.5, 1.5)
    arms = QPainterPath()
    arms.addRoundedRect(QRectF(40, 13, 20, 6.8), 1.5, 1.5)
    return body.united(drop).united(cross).united(arms)


def _knight() -> QPainterPath:
    path = QPainterPath(QPointF(32, 84))
    path.cubicTo(31, 70, 46, 63, 48, 50)  # the chest, up to the throat
    path.cubicTo(42, 55, 36, 55, 33, 60)  # the jaw
    path.cubicTo(30, 66, 24, 66, 20, 61)  # the mouth
    path.cubicTo(16, 57, 17, 51, 22, 46)  # the nose
    path.cubicTo(27, 39, 28, 30, 36, 24)  # the forehead
    path.lineTo(36, 12)  # the ear
    path.lineTo(46, 19)
    path.cubicTo(70, 20, 80, 48, 77, 84)  # the mane
    path.closeSubpath()
    return path


@cache
def _details(kind: str) -> QPainterPath:
    """Lines inside the silhouette."""
    path = QPainterPath()
    if kind in ("queen", "king"):
        path.moveTo(31, 70)
        path.quadTo(50, 64, 69, 70)
        path.moveTo(31.5, 77)
        path.quadTo(50, 72, 68.5, 77)
    elif kind == "rook":
        path.moveTo(36, 46)
        path.lineTo(64, 46)
        path.moveTo(33, 72)
        path.lineTo(67, 72)
    elif kind == "bishop":
        path.moveTo(50, 33)
        path.lineTo(50, 49)
        path.moveTo(43, 41)
        path.lineTo(57, 41)
    elif kind == "knight":
        path.addEllipse(QPointF(37, 36), 1.6, 1.6)
        path.moveTo(24, 56)
        path.lineTo(25, 55)
        path.moveTo(52, 26)
        path.cubicTo(66, 32, 70, 54, 69, 76)
    return path


_MAKERS = {"pawn": _pawn, "rook": _rook, "bishop": _bishop, "queen": _queen, "king": _king, "knight": _knight}
