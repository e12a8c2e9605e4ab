"""A Merkle tree of any size, painted by level of detail: only nodes that have room are drawn, the rest is a shape.

The tree has the shape of RFC 6962: levels are paired from the left, a last lone node moves up unchanged. The spacing
of nodes doubles with every level, so at most twice as many nodes are drawn as fit side by side in the lowest level.
"""

from __future__ import annotations

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPolygonF, QWheelEvent
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from widgets.access import Role
from widgets.fonts import mono_font
from widgets.merkle_nodes import MerkleTreeState, level_counts, moved
from widgets.theme import current_tokens, follow
from widgets.tokens import Tokens

ROOM = 13.0  # pixels that a node needs
MARGIN = 28.0
EDGE = 16.0
TOP = 24.0
FOOT = 38.0


__all__ = ["MerkleTreeState", "MerkleTreeView", "level_counts"]


class MerkleTreeView(QWidget):
    """Wheel or +/- zooms, drag pans, Home fits, arrows and clicks choose, Enter or a double click opens a subtree."""

    SPOKEN_AS = Role.Graphic

    leafClicked = Signal(int)
    nodeClicked = Signal(int, int)

    def __init__(self, state: MerkleTreeState | None = None, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._state = MerkleTreeState()
        self._counts: list[int] = []
        self._scale, self._left = 1.0, 0.0  # pixels a leaf, and the leaf at the left edge
        self._fitted = True
        self._drag: QPointF | None = None
        self._moved = False
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setMouseTracking(True)
        self.setMinimumSize(240, 200)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        follow(self)
        self.set_state(state or MerkleTreeState())

    def set_state(self, state: MerkleTreeState) -> None:
        """Show a tree; zoom and place stay while its size does."""
        if state.n_leaves != self._state.n_leaves:
            self._counts = level_counts(state.n_leaves)
            self._fitted = True
        self._state = state
        chosen = f", leaf {state.selected} chosen" if state.selected is not None else ""
        chosen = f", node {state.node[1]} of level {state.node[0]} chosen" if state.node is not None else chosen
        self.setAccessibleName(f"Merkle tree of {state.n_leaves} leaves{chosen}")
        self.update()

    def sizeHint(self) -> QSize:
        """A good half page."""
        return QSize(720, 360)

    def on_theme(self, _tokens: Tokens) -> None:
        """Repaint in the new colours."""
        self.update()

    def fit(self) -> None:
        """Show the whole tree."""
        self._fitted = True
        self.update()

    def zoom_to(self, leaf: int, *, leaves: int = 24) -> None:
        """Show a leaf in the middle with some neighbours."""
        if leaves >= self._state.n_leaves:
            self.fit()
            return
        self._fitted = False
        self._scale = (self.width() - 2 * MARGIN) / max(1, min(leaves, self._state.n_leaves))
        seen, edge = self.width() / self._scale, MARGIN / self._scale
        self._left = max(-edge, min(leaf + 0.5 - seen / 2, self._state.n_leaves + edge - seen))
        self._bound()

    def position(self, level: int, index: int) -> QPointF:
        """Where a node is in the widget: over the middle of that part of its leaves that is in sight.

        So the ancestors of what one looks at stay in sight at any zoom, and nodes beside it wait at the edge.
        """
        self._ensure_fit()
        left = ((index << level) - self._left) * self._scale
        right = (min(self._state.n_leaves, (index + 1) << level) - self._left) * self._scale
        low, high = EDGE, self.width() - EDGE
        if right <= low or left >= high:
            x = low if right <= low else high
        else:
            x = (max(left, low) + min(right, high)) / 2 if right - left > ROOM else (left + right) / 2
        return QPointF(x, TOP + (len(self._counts) - 1 - level) * self._gap())

    def lowest_level(self) -> int:
        """The lowest level whose nodes have room."""
        self._ensure_fit()
        level = 0
        while self._scale * (1 << level) < ROOM and level < len(self._counts) - 1:
            level += 1
        return level

    def node_at(self, at: QPointF) -> tuple[int, int] | None:
        """The drawn node under a point."""
        for level in range(self.lowest_level(), len(self._counts)):
            y = self.position(level, 0).y()
            if abs(y - at.y()) > max(9.0, self._gap() / 2 - 1):
                continue
            index = int((at.x() / self._scale + self._left) // (1 << level))
            if 0 <= index < self._counts[level] and abs(self.position(level, index).x() - at.x()) <= 12:
                return level, index
        return None

    def _gap(self) -> float:
        return max(12.0, (self.height() - TOP - FOOT) / max(1, len(self._counts) - 1))

    def _ensure_fit(self) -> None:
        if self._fitted:
            self._scale = max(1e-9, (self.width() - 2 * MARGIN) / max(1, self._state.n_leaves))
            self._left = -MARGIN / self._scale

    def _bound(self) -> None:
        seen = self.width() / self._scale
        self._left = max(-0.5 * seen, min(self._left, self._state.n_leaves - 0.5 * seen))
        self.update()

    def _zoom(self, factor: float, x: float) -> None:
        self._ensure_fit()
        smallest = (self.width() - 2 * MARGIN) / max(1, self._state.n_leaves)
        wanted = min(120.0, self._scale * factor)
        if wanted <= smallest:
            self.fit()
            return
        self._fitted = False
        under = x / self._scale + self._left
        self._scale = wanted
        self._left = under - x / wanted
        self._bound()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Zoom around the mouse; sideways wheels pan."""
        if event.angleDelta().x():
            self._pan(-event.angleDelta().x() / 2)
        else:
            self._zoom(1.2 ** (event.angleDelta().y() / 120), event.position().x())
        event.accept()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a drag or a click."""
        self._drag, self._moved = event.position(), False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Pan while dragging, name nodes while hovering."""
        if self._drag is not None and event.buttons() & Qt.MouseButton.LeftButton:
            by = self._drag.x() - event.position().x()
            if self._moved or abs(by) > 4:
                self._moved, self._drag = True, event.position()
                self._pan(by)
            return
        node = self.node_at(event.position())
        self.setCursor(Qt.CursorShape.PointingHandCursor if node else Qt.CursorShape.ArrowCursor)
        if node is not None:
            QToolTip.showText(event.globalPosition().toPoint(), self._describe(*node), self)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """A press without a drag is a click."""
        self._drag = None
        node = None if self._moved else self.node_at(event.position())
        if node is not None:
            self._tell(node)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Open the subtree of a node."""
        node = self.node_at(event.position())
        if node is not None:
            self._open(*node)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Zoom, pan, choose."""
        key, middle = event.key(), self.width() / 2
        if key in (Qt.Key.Key_Plus, Qt.Key.Key_Equal):
            self._zoom(1.4, middle)
        elif key == Qt.Key.Key_Minus:
            self._zoom(1 / 1.4, middle)
        elif (node := moved(key, self.chosen(), self._counts)) is not None:
            self._take(node)
        elif key in (Qt.Key.Key_Return, Qt.Key.Key_Enter) and (chosen := self.chosen()) is not None:
            self._open(*chosen)
        elif key == Qt.Key.Key_Home:
            self.fit()
        else:
            super().keyPressEvent(event)

    def chosen(self) -> tuple[int, int] | None:
        """The level and the place of the node that is chosen."""
        leaf = self._state.selected
        return self._state.node or (None if leaf is None else (0, leaf))

    def spoken_value(self) -> str:
        """What is chosen, for screen readers."""
        chosen = self.chosen()
        return "nothing chosen" if chosen is None else self._describe(*chosen)

    def _tell(self, node: tuple[int, int]) -> None:
        self.nodeClicked.emit(*node)
        if node[0] == 0:
            self.leafClicked.emit(node[1])

    def _take(self, node: tuple[int, int]) -> None:
        """Choose a node by the keyboard, and bring it into sight."""
        seen, middle = self.width() / self._scale, ((2 * node[1] + 1) << node[0]) / 2
        if not self._fitted and not self._left <= middle <= self._left + seen:
            self._left = middle - seen / 2
            self._bound()
        self._tell(node)

    def _open(self, level: int, index: int) -> None:
        """Show the subtree of a node, or a leaf with its neighbours."""
        if level == 0:
            self.zoom_to(index)
        else:
            self.zoom_to((index << level) + (1 << level) // 2, leaves=1 << level)

    def _pan(self, pixels: float) -> None:
        self._ensure_fit()
        self._fitted = False
        self._left += pixels / self._scale
        self._bound()

    def _describe(self, level: int, index: int) -> str:
        name = self._state.hash_of(level, index) if self._state.hash_of else ""
        first, last = index << level, min(self._state.n_leaves, (index + 1) << level) - 1
        where = f"leaf {first:,}" if level == 0 else f"level {level}, leaves {first:,} to {last:,}"
        return f"{where}\n{name}" if name else where

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Paint what is in sight."""
        t = current_tokens()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(t.border), 1))
        painter.setBrush(QColor(t.surface))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), t.radius, t.radius)
        if self._counts:
            self._ensure_fit()
            lowest = self.lowest_level()
            self._paint_shapes(painter, lowest, t)
            self._paint_nodes(painter, lowest, t)
            self._paint_marks(painter, t)
            self._paint_path(painter, lowest, t)
            self._paint_chosen_node(painter, t)
            self._paint_labels(painter, lowest, t)
        if self.hasFocus():
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.setPen(QPen(QColor(t.accent), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), t.radius, t.radius)

    def _seen(self, level: int) -> range:
        """The nodes of a level that are drawn: a node at the edge counts when half of it, or of the view, shows."""
        low, high = self._left + EDGE / self._scale, self._left + (self.width() - EDGE) / self._scale
        first = max(0, int(low) >> level)
        last = min(self._counts[level] - 1, max(0, int(high)) >> level)
        size = 1 << level
        if first < last and (first + 1) * size - low < min(size, high - low) / 2:
            first += 1
        if first < last and high - last * size < min(size, high - low, self._state.n_leaves - last * size) / 2:
            last -= 1
        return range(first, last + 1)

    def _is_node(self, level: int, index: int) -> bool:
        """False for a place where a lone node only passes through on its way up."""
        return level == 0 or self._state.positional or 2 * index + 1 < self._counts[level - 1]

    def _paint_shapes(self, painter: QPainter, lowest: int, t: Tokens) -> None:
        if lowest == 0:
            return
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(t.neutral_soft))
        bottom, flare = self.position(0, 0).y() + 6, 0.8 * self._gap()
        for index in self._seen(lowest):
            top = self.position(lowest, index)
            left = ((index << lowest) - self._left) * self._scale + 1
            right = (min(self._state.n_leaves, (index + 1) << lowest) - self._left) * self._scale - 1
            shoulder = min(bottom, top.y() + flare)
            painter.drawPolygon(
                QPolygonF(
                    [
                        top,
                        QPointF(right, shoulder),
                        QPointF(right, bottom),
                        QPointF(left, bottom),
                        QPointF(left, shoulder),
                    ]
                )
            )

    def _paint_nodes(self, painter: QPainter, lowest: int, t: Tokens) -> None:
        edges: list[QLineF] = []
        dots: list[QPointF] = []
        for level in range(lowest, len(self._counts)):
            for index in self._seen(level):
                at = self.position(level, index)
                if level > lowest:
                    children = range(2 * index, min(2 * index + 2, self._counts[level - 1]))
                    edges.extend(QLineF(at, self.position(level - 1, child)) for child in children)
                if self._is_node(level, index):
                    dots.append(at)
        painter.setPen(QPen(QColor(t.border_strong), 1))
        painter.drawLines(edges)
        self._paint_dots(painter, dots, QColor(t.muted), QColor(t.surface), 7)

    def _paint_dots(self, painter: QPainter, dots: list[QPointF], edge: QColor, fill: QColor, size: float) -> None:
        for colour, width in ((edge, size + 2.5), (fill, size)):
            painter.setPen(QPen(colour, width, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawPoints(QPolygonF(dots))

    def _paint_path(self, painter: QPainter, lowest: int, t: Tokens) -> None:
        leaf = self._state.selected
        if leaf is None or not 0 <= leaf < self._state.n_leaves:
            return
        path = [self.position(level, leaf >> level) for level in range(len(self._counts))]
        painter.setPen(QPen(QColor(t.accent), 2.25, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        painter.drawPolyline(QPolygonF(path))
        siblings = []
        for level in range(len(self._counts) - 1):
            other = (leaf >> level) ^ 1
            at = self.position(level, other)
            # Where a level has no room, path and sibling fall together: the path alone says enough.
            if other < self._counts[level] and abs(at.x() - path[level].x()) >= 6:
                painter.setPen(QPen(QColor(t.warn), 1.25, Qt.PenStyle.DotLine))
                painter.drawLine(at, path[level + 1])
                siblings.append((level, at))
        self._paint_dots(painter, path[lowest:], QColor(t.accent), QColor(t.accent), 7)
        self._paint_dots(painter, [*path[1:lowest], path[0]], QColor(t.accent), QColor(t.accent), 2)
        self._paint_dots(painter, path[:1], QColor(t.surface), QColor(t.accent), 8)
        painter.setPen(QPen(QColor(t.surface), 1))
        painter.setBrush(QColor(t.warn))
        for level, at in siblings:  # squares, so that shape tells siblings from the path
            half = 5.0 if level >= lowest else 2.5
            painter.drawRect(QRectF(at.x() - half, at.y() - half, 2 * half, 2 * half))

    def _paint_chosen_node(self, painter: QPainter, t: Tokens) -> None:
        if self._state.node is None or self._state.node[0] >= len(self._counts):
            return
        painter.setBrush(QColor(t.error_soft))
        painter.setPen(QPen(QColor(t.error), 2))
        at = self.position(*self._state.node)
        reach = 8.0
        corners = ((0, -reach), (reach, 0), (0, reach), (-reach, 0))  # a diamond: a shape of its own
        painter.drawPolygon(QPolygonF([at + QPointF(x, y) for x, y in corners]))

    def _paint_marks(self, painter: QPainter, t: Tokens) -> None:
        bottom, drawn = self.position(0, 0).y(), set()
        for leaf, kind in self._state.marks:
            x = (leaf + 0.5 - self._left) * self._scale
            if 0 <= x <= self.width() and (round(x), kind) not in drawn:
                drawn.add((round(x), kind))
                painter.setPen(QPen(QColor(t.kind(kind)[0]), 2))
                painter.drawLine(QPointF(x, bottom + 8), QPointF(x, bottom + 14))

    def _paint_labels(self, painter: QPainter, lowest: int, t: Tokens) -> None:
        painter.setFont(mono_font(7.5))
        painter.setPen(QColor(t.muted))
        if lowest == 0:
            self._paint_leaf_numbers(painter)
        else:
            text = f"{1 << lowest:,} leaves beneath each node: zoom in to see them"
            box = QRectF(0, self.height() - 22.0, self.width(), 16)
            painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), text)
        if self._state.hash_of is None or self._gap() < 13:
            return
        for level in range(lowest, len(self._counts)):
            if self._scale * (1 << level) < 84:
                continue
            for index in self._seen(level):
                if not self._is_node(level, index):
                    continue
                at = self.position(level, index)
                text = self._state.hash_of(level, index).removeprefix("0x")[:8]
                room = QRectF(at.x() + 9, at.y() - 6, painter.fontMetrics().horizontalAdvance(text) + 4, 12)
                if room.right() < self.width() - 4:
                    painter.fillRect(room, QColor(t.surface))  # so that no line runs through a hash
                    painter.drawText(room, int(Qt.AlignmentFlag.AlignCenter), text)

    def _paint_leaf_numbers(self, painter: QPainter) -> None:
        room = painter.fontMetrics().horizontalAdvance(f"{self._state.n_leaves:,}") + 10
        step = next(s for s in (1, 2, 5, 10, 20, 50) if s * self._scale >= room or s == 50)
        bottom = self.position(0, 0).y()
        for index in self._seen(0):
            if index % step == 0:
                box = QRectF(self.position(0, index).x() - 40, bottom + 16, 80, 14)
                painter.drawText(box, int(Qt.AlignmentFlag.AlignCenter), f"{index:,}")
