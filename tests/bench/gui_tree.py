"""The Merkle explorer's tree at every zoom, opening it down to a leaf, and searching it; beside items in a scene."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

SIZES = (100_000, 1 << 17)
FRAME_MS = 8.0
SEARCH_MS = 200.0
SIZE = (1000, 420)
QUERIES = ("agent5", "match 99999", "finished 777", "agent96 match 4", "nowhere")


def rows(note: Callable[[str], None], seconds: float, row: Callable[..., dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Give the rows. A frame: another zoom, then the widget is painted whole."""
    from PySide6.QtWidgets import QApplication

    from widgets.theme import apply_theme

    app = QApplication.instance() or QApplication([])
    assert isinstance(app, QApplication)
    apply_theme(app, "light")
    for size in SIZES if seconds > 1 else (3000, 1 << 12):
        note(f"a tree of {size:,} leaves")
        wall, cpu, asked = _zooming(app, size, seconds)
        first = size == (SIZES[0] if seconds > 1 else 3000)
        peer = ("QGraphicsScene, items", _scene(app, size, seconds)) if first else None
        yield row(f"tree of {size:,} leaves, from the whole to a leaf and back", "ms", wall, cpu=cpu,
                  goal=("p95", FRAME_MS), peer=peer, more=f"{asked} names asked for in a frame at most")  # fmt: skip
    size = SIZES[0] if seconds > 1 else 3000
    yield row(f"search among {size:,} leaves", "ms", _search(size), goal=("worst", SEARCH_MS),
              more=f"{len(QUERIES)} queries")  # fmt: skip


def _zooming(app: Any, size: int, seconds: float) -> tuple[list[float], list[float], int]:
    from widgets.merkle_tree import MerkleTreeState, MerkleTreeView

    asked, most = [0], 0

    def name(level: int, index: int) -> str:
        asked[0] += 1
        return f"{level * size + index:064x}"

    view = MerkleTreeView(MerkleTreeState(size, size // 3, name))
    view.resize(*SIZE)
    view.show()
    app.processEvents()
    spans = _spans(size)
    wall: list[float] = []
    cpu: list[float] = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(wall) < 3:
        asked[0] = 0
        started, worked = time.perf_counter(), time.thread_time()
        view.zoom_to(size // 3, leaves=next(spans))
        view.repaint()
        cpu.append((time.thread_time() - worked) * 1e3)
        wall.append((time.perf_counter() - started) * 1e3)
        most = max(most, asked[0])
    _drop(view)
    return wall, cpu, most


def _spans(size: int) -> Iterator[int]:
    while True:
        for turn in (*range(60), *range(60, 0, -1)):
            yield max(2, round(size / 2 ** (turn / 60 * (size.bit_length() - 2))))


def _scene(app: Any, size: int, seconds: float) -> list[float]:
    """A node an item, an edge an item; the view shows as much as ours."""
    from PySide6.QtCore import QRectF, Qt
    from PySide6.QtWidgets import QGraphicsScene, QGraphicsView

    scene = QGraphicsScene()
    level, count = 0, size
    while True:
        width = float(1 << level)
        for index in range(count):
            x = (index + 0.5) * width
            scene.addEllipse(x - 0.3, -24.0 * level, 0.6, 7)
            if count > 1:
                scene.addLine(x, -24.0 * level, (index // 2 + 0.5) * 2 * width, -24.0 * (level + 1))
        if count == 1:
            break
        level, count = level + 1, (count + 1) // 2
    view = QGraphicsView(scene)
    view.resize(*SIZE)
    view.show()
    app.processEvents()
    spans = _spans(size)
    wall = []
    ends = time.perf_counter() + seconds
    while time.perf_counter() < ends or len(wall) < 3:
        started = time.perf_counter()
        span = next(spans)
        view.fitInView(QRectF(size / 3 - span / 2, -24.0 * level, span, 24.0 * level + 10),
                       Qt.AspectRatioMode.IgnoreAspectRatio)  # fmt: skip
        view.viewport().repaint()
        wall.append((time.perf_counter() - started) * 1e3)
    _drop(view)
    scene.clear()
    return wall


def _search(size: int) -> list[float]:
    from engine.league.trees import FlatTree

    bodies = b"".join(number.to_bytes(4, "big") * 31 for number in range(size))
    counts = [size]
    while counts[-1] > 1:
        counts.append((counts[-1] + 1) // 2)
    levels = tuple(bodies[: 32 * count] for count in counts)
    text = "\n".join(f"match {number}\x1fagent{number % 97}\x1fFINISHED" for number in range(size))
    tree = FlatTree(size, 124, bodies, levels, True, text)
    taken = []
    for query in (*QUERIES, bodies[124 * (size // 2) : 124 * (size // 2) + 32].hex()):
        for _ in range(3):
            started = time.perf_counter()
            tree.search(query, 200)
            taken.append((time.perf_counter() - started) * 1e3)
    return taken


def _drop(widget: Any) -> None:
    from PySide6.QtCore import QCoreApplication, QEvent

    widget.close()
    widget.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
