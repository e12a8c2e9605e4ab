"""What a board shows, and how it follows from a System's descriptor and the bytes of a state. No Qt here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from widgets.board_parts import (
    MAX_CELLS,
    BarGroup,
    Hand,
    Rounds,
    number,
    read_actions,
    read_groups,
    read_hands,
    read_rounds,
    value_text,
)

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
    """A position: for a grid the cell codes row by row, for other kinds their parts, for all the fields and the bytes.

    ``seats`` names who plays; ``highlights`` are marked cells with what they mark.
    """

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
    checkered: bool = False
    coordinates: str = ""
    highlights: tuple[tuple[int, str], ...] = ()
    seats: tuple[str, ...] = ()
    rounds: Rounds | None = None
    hands: tuple[Hand, ...] = ()
    actions: tuple[str, ...] | None = None
    groups: tuple[BarGroup, ...] = ()
    labels: tuple[str, ...] = ()

    def entry(self, code: int) -> LegendEntry | None:
        """The legend of a code."""
        return next((entry for entry in self.legend if entry.code == code), None)

    def seat_name(self, seat: int) -> str:
        """Who sits there."""
        return self.seats[seat] if 0 <= seat < len(self.seats) else f"seat {seat}" if seat >= 0 else ""

    def cell_name(self, at: int) -> str:
        """What a cell is called: e4 on a chess board, else by column and row."""
        column, row = at % self.width, at // self.width
        if self.coordinates == "chess":
            return f"{chr(ord('a') + column)}{self.height - row}"
        if self.coordinates == "columns":
            return f"column {column + 1}, height {self.height - row}"
        return f"column {column}, row {row}"

    def describe(self) -> str:
        """The position in words, for a screen reader."""
        parts = [self.title] if self.title else []
        if self.caption:
            parts.append(self.caption)
        if self.kind == "grid" and self.width:
            parts.append(f"{self.width} by {self.height} cells")
            parts += self._places()
        for hand in self.hands:
            cards = " and ".join(card or "a hidden card" for card in hand.cards)
            parts.append(f"{self.seat_name(hand.seat)} holds {cards}")
        if self.actions is not None:
            parts.append("actions: " + (", ".join(self.actions) or "none yet"))
        parts += [self._allocation(group) for group in self.groups]
        if self.rounds is not None:
            parts += self.rounds.describe()
        parts += [f"{name} {value}" for name, value in self.fields]
        return ". ".join(parts) + "." if parts else "Empty board."

    def _allocation(self, group: BarGroup) -> str:
        names = [*self.labels, *map(str, range(len(self.labels) + 1, len(group.values) + 1))]
        return f"{group.name}: " + ", ".join(f"{n} {v}" for n, v in zip(names, group.values, strict=False))

    def _places(self) -> list[str]:
        found = []
        for entry in self.legend:
            if entry.role in ("empty", "body"):
                continue
            at = [self.cell_name(i) for i, code in enumerate(self.cells) if code == entry.code]
            if self.coordinates:
                found += [f"{entry.name} at {'; '.join(at) if ',' in at[0] else ', '.join(at)}"] if at else []
            else:
                found += [f"{entry.name} at {place}" for place in at[:4]]
        body = {entry.code for entry in self.legend if entry.role == "body"}
        if body:
            found.append(f"{sum(code in body for code in self.cells)} body cells")
        return found + [f"{name}: {self.cell_name(at)}" for at, name in self.highlights]


def board_state(
    descriptor: Mapping[str, Any],
    raw: bytes,
    *,
    caption: str = "",
    dead: bool | None = None,
    seats: tuple[str, ...] = (),
) -> BoardState:
    """Read a state's bytes as its System's descriptor (the whole JSON object) says; unknown kinds show as bytes.

    ``dead`` None asks the field named "status": a state whose status begins with "hit" is drawn as dead. A descriptor
    comes with a file from anywhere: one that makes no sense costs the picture, never the window.
    """
    plain = BoardState(raw=raw, title=str(descriptor.get("title", "")), caption=caption, seats=seats)
    layout = descriptor.get("state", {})
    try:
        fields = tuple((str(f["name"]), field_text(f, raw)) for f in layout.get("fields", ()) if f["offset"] < len(raw))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
        return plain
    if dead is None:
        dead = any(name == "status" and text.startswith("hit") for name, text in fields)
    plain = replace(plain, fields=fields, dead=dead)
    try:
        return _READERS.get(layout.get("kind"), lambda _layout, state: state)(layout, plain)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, ZeroDivisionError):
        return plain


def _grid(layout: Mapping[str, Any], plain: BoardState) -> BoardState:
    width, height, start = (int(layout.get(name, 0)) for name in ("width", "height", "cells_offset"))
    sound = width > 0 and height > 0 and width * height <= MAX_CELLS and start >= 0
    cells = plain.raw[start : start + width * height] if sound else b""
    if not cells or len(cells) != width * height:
        return plain
    legend = tuple(
        LegendEntry(int(c["value"]), str(c["name"]), *(str(c.get(key, "")) for key in ("role", "glyph", "next")))
        for c in layout.get("cells", ())
    )
    marks = [(number({**mark, "size": 1}, plain.raw), mark) for mark in layout.get("highlights", ())]
    shown = tuple((at, str(m["name"])) for at, m in marks if at != m.get("none") and at < len(cells))
    return replace(
        plain,
        kind="grid",
        width=width,
        height=height,
        cells=tuple(cells),
        legend=legend,
        checkered=bool(layout.get("checkered")),
        coordinates=str(layout.get("coordinates", "")),
        highlights=shown,
    )


def _history(layout: Mapping[str, Any], plain: BoardState) -> BoardState:
    return replace(plain, kind="history", rounds=read_rounds(layout, plain.raw))


def _cards(layout: Mapping[str, Any], plain: BoardState) -> BoardState:
    hands, actions = read_hands(layout["hands"], plain.raw), read_actions(layout["actions"], plain.raw)
    return replace(plain, kind="cards", hands=hands, actions=actions, rounds=_inner(layout, plain))


def _bars(layout: Mapping[str, Any], plain: BoardState) -> BoardState:
    labels = tuple(map(str, layout["labels"]))
    groups = read_groups(layout["groups"], plain.raw)
    return replace(plain, kind="bars", groups=groups, labels=labels, rounds=_inner(layout, plain))


def _inner(layout: Mapping[str, Any], plain: BoardState) -> Rounds | None:
    return read_rounds(layout["history"], plain.raw) if "history" in layout else None


_READERS = {"grid": _grid, "history": _history, "cards": _cards, "bars": _bars}


def field_text(field: Mapping[str, Any], raw: bytes) -> str:
    """One field of a state in words: names, bit names, "none" or the number."""
    return value_text(field, number(field, raw))


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
