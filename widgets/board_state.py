"""What a board shows, and how it follows from a System's descriptor and the bytes of a state. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_STEPS = {"up": (-1, 0), "right": (0, 1), "down": (1, 0), "left": (0, -1)}


@dataclass(frozen=True)
class LegendEntry:
    """What a cell code means: a name, a role that decides the look, a letter, and where the next segment lies."""

    code: int
    name: str
    role: str
    glyph: str = ""
    next: str = ""


@dataclass(frozen=True)
class BoardState:
    """A position: for a grid the cell codes row by row, for anything else the raw bytes and the fields."""

    kind: str = "bytes"
    width: int = 0
    height: int = 0
    cells: tuple[int, ...] = ()
    legend: tuple[LegendEntry, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    raw: bytes = b""
    title: str = ""
    caption: str = ""
    dead: bool = False

    def entry(self, code: int) -> LegendEntry | None:
        """The legend of a code."""
        return next((entry for entry in self.legend if entry.code == code), None)

    def describe(self) -> str:
        """The position in words, for a screen reader."""
        parts = [self.title] if self.title else []
        if self.caption:
            parts.append(self.caption)
        if self.kind == "grid" and self.width:
            parts.append(f"{self.width} by {self.height} cells")
            parts += self._places()
        parts += [f"{name} {value}" for name, value in self.fields]
        return ". ".join(parts) + "." if parts else "Empty board."

    def _places(self) -> list[str]:
        found = []
        for entry in self.legend:
            if entry.role in ("empty", "body"):
                continue
            at = [i for i, code in enumerate(self.cells) if code == entry.code]
            found += [f"{entry.name} at column {i % self.width}, row {i // self.width}" for i in at[:4]]
        body = {entry.code for entry in self.legend if entry.role == "body"}
        if body:
            found.append(f"{sum(code in body for code in self.cells)} body cells")
        return found


def board_state(
    descriptor: Mapping[str, Any], raw: bytes, *, caption: str = "", dead: bool | None = None
) -> BoardState:
    """Read a state's bytes as its System's descriptor (the whole JSON object) says; unknown kinds show as bytes.

    ``dead`` None asks the field named "status": a state whose status begins with "hit" is drawn as dead.
    """
    layout = descriptor.get("state", {})
    fields = tuple((f["name"], field_text(f, raw)) for f in layout.get("fields", ()) if f["offset"] < len(raw))
    if dead is None:
        dead = any(name == "status" and text.startswith("hit") for name, text in fields)
    common: dict[str, Any] = {"fields": fields, "raw": raw, "title": descriptor.get("title", ""), "caption": caption}
    width, height, start = (int(layout.get(name, 0)) for name in ("width", "height", "cells_offset"))
    cells = raw[start : start + width * height]
    if layout.get("kind") != "grid" or not width or len(cells) != width * height:
        return BoardState(kind="bytes", dead=dead, **common)
    legend = tuple(
        LegendEntry(c["value"], c["name"], c.get("role", ""), c.get("glyph", ""), c.get("next", ""))
        for c in layout.get("cells", ())
    )
    return BoardState("grid", width, height, tuple(cells), legend, dead=dead, **common)


def field_text(field: Mapping[str, Any], raw: bytes) -> str:
    """One field of a state in words: names, bit names, "none" or the number."""
    value = int.from_bytes(raw[field["offset"] : field["offset"] + field.get("size", 1)], "little")
    if value == field.get("none", -1):
        return "none"
    names, bits = field.get("names"), field.get("bits")
    if names and value < len(names):
        return str(names[value])
    if bits:
        return ", ".join(name for bit, name in enumerate(bits) if value >> bit & 1) or "none"
    return str(value)


def body_order(state: BoardState) -> dict[int, float]:
    """How far each body cell is from the head: 0 next to it, 1 at the tail.

    A body cell names the direction of the next segment towards the head; so the walk goes backwards from the head.
    """
    towards: dict[int, list[int]] = {}
    for at, code in enumerate(state.cells):
        entry = state.entry(code)
        if entry is not None and entry.next in _STEPS:
            down, right = _STEPS[entry.next]
            target = (at // state.width + down) * state.width + at % state.width + right
            towards.setdefault(target, []).append(at)
    at = next((i for i, c in enumerate(state.cells) if (e := state.entry(c)) and e.role == "head"), -1)
    walk: list[int] = []
    seen = {at}
    while (before := next((i for i in towards.get(at, ()) if i not in seen), -1)) >= 0:
        walk.append(before)
        seen.add(before)
        at = before
    return {cell: rank / max(1, len(walk) - 1) for rank, cell in enumerate(walk)}
