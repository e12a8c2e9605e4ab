"""What a state holds beside a grid: rounds played, cards, actions, allocations. Read from bytes; no Qt here."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

MAX_ROWS = 100_000
MAX_CELLS = 16_384
MAX_BARS = 64
# Unicode has the pieces twice, outlined and filled; which is meant says the role, not the glyph.
_PIECES = {"♔♚K": "king", "♕♛Q": "queen", "♖♜R": "rook", "♗♝B": "bishop", "♘♞N": "knight", "♙♟P": "pawn"}
_PAYOFF = re.compile(r"score|payoff|points|reward|gain|won|total", re.IGNORECASE)


def piece_of(glyph: str) -> str:
    """The chess piece of a glyph: king, queen, rook, bishop, knight or pawn; "" for anything else."""
    return next((kind for glyphs, kind in _PIECES.items() if glyph and glyph[0] in glyphs), "")


def number(field: Mapping[str, Any], raw: bytes, base: int = 0) -> int:
    """The integer that a field names, little endian unless it says ``big``."""
    start = base + int(field["offset"])
    order = "big" if field.get("big") else "little"
    return int.from_bytes(raw[start : start + int(field.get("size", 1))], order, signed=bool(field.get("signed")))


def value_text(field: Mapping[str, Any], value: int) -> str:
    """A field's value in words: names, bit names, "none" or the number."""
    if value == field.get("none", -1) and "none" in field:
        return "none"
    names, bits = field.get("names"), field.get("bits")
    if names and 0 <= value < len(names):
        return str(names[value])
    if bits:
        return ", ".join(str(name) for bit, name in enumerate(bits) if value >> bit & 1) or "none"
    return str(value)


@dataclass(frozen=True)
class RoundColumn:
    """A column of the table of rounds: its title, whose it is (-1: nobody's), and how its values read."""

    name: str
    seat: int
    field: Mapping[str, Any]

    @property
    def is_number(self) -> bool:
        """Whether its values are amounts and not names."""
        return not (self.field.get("names") or self.field.get("bits"))


@dataclass(frozen=True)
class Rounds:
    """The rounds of a repeated game, oldest first, as raw values by column."""

    columns: tuple[RoundColumn, ...]
    rows: tuple[tuple[int, ...], ...]

    def text(self, row: int, column: int) -> str:
        """A cell in words."""
        return value_text(self.columns[column].field, self.rows[row][column])

    def totals(self) -> tuple[tuple[int, str, tuple[int, ...]], ...]:
        """For each seat: which, the column that counts, and its running total; a column of totals is taken as it is.

        Of several amounts of a seat the one counts that is named like a score, else its last.
        """
        found = []
        for seat in sorted({column.seat for column in self.columns if column.seat >= 0}):
            amounts = [i for i, c in enumerate(self.columns) if c.seat == seat and c.is_number]
            if amounts:
                at = next((i for i in amounts if _PAYOFF.search(self.columns[i].name)), amounts[-1])
                values = [row[at] for row in self.rows]
                name = self.columns[at].name
                found.append((seat, name, tuple(values if "total" in name.lower() else accumulate(values))))
        return tuple(found)

    def describe(self, last: int = 3) -> list[str]:
        """The last rounds and the totals in words."""
        words = [f"{len(self.rows)} round{'' if len(self.rows) == 1 else 's'} played"]
        for row in range(max(0, len(self.rows) - last), len(self.rows)):
            cells = ", ".join(f"{column.name} {self.text(row, i)}" for i, column in enumerate(self.columns))
            words.append(f"round {row + 1}: {cells}")
        words += [f"total of {name} {values[-1]}" for _, name, values in self.totals() if values]
        return words


@dataclass(frozen=True)
class Hand:
    """The cards of a seat; "" is a card that lies face down or is not dealt."""

    seat: int
    cards: tuple[str, ...]


@dataclass(frozen=True)
class BarGroup:
    """One bar a label: what a seat put where."""

    name: str
    seat: int
    values: tuple[int, ...]


def read_rounds(block: Mapping[str, Any], raw: bytes) -> Rounds:
    """Read the table of rounds; rows that the state has no room for are left out."""
    columns = tuple(RoundColumn(str(c["name"]), int(c.get("seat", -1)), _sound(c)) for c in block["columns"])
    size, start = int(block["row_size"]), int(block["rows_offset"])
    count_field = {"offset": block["count_offset"], "size": block.get("count_size", 1)}
    fits = max(0, len(raw) - start) // size
    rows = range(min(number(count_field, raw), fits, MAX_ROWS))
    return Rounds(columns, tuple(tuple(number(c.field, raw, start + r * size) for c in columns) for r in rows))


def _sound(field: Mapping[str, Any]) -> dict[str, Any]:
    """A column's field with its words as words: they are looked up only when the cell is painted."""
    words = {key: tuple(map(str, field[key])) for key in ("names", "bits") if field.get(key)}
    none = {"none": field["none"]} if isinstance(field.get("none"), int) else {}
    numbers = {key: int(field.get(key, least)) for key, least in (("offset", 0), ("size", 1))}
    return {**words, **none, **numbers, "signed": bool(field.get("signed")), "big": bool(field.get("big"))}


def read_hands(hands: list[Mapping[str, Any]], raw: bytes) -> tuple[Hand, ...]:
    """Read the hands; several cards of a seat become one hand."""
    cards: dict[int, list[str]] = {}
    for field in hands:
        text = value_text(field, number({**field, "size": 1}, raw))
        cards.setdefault(int(field["seat"]), []).append("" if text == "none" else text)
    return tuple(Hand(seat, tuple(held)) for seat, held in sorted(cards.items()))


def read_actions(block: Mapping[str, Any], raw: bytes) -> tuple[str, ...]:
    """Read the actions of a hand, oldest first."""
    start = int(block["offset"])
    count = min(number({"offset": block["count_offset"]}, raw), 256)
    return tuple(value_text(block, value) for value in raw[start : start + count])


def read_groups(groups: list[Mapping[str, Any]], raw: bytes) -> tuple[BarGroup, ...]:
    """Read the allocations."""
    found = []
    for group in groups:
        size = int(group.get("size", 1))
        fields = [{**group, "offset": int(group["offset"]) + i * size} for i in range(min(group["count"], MAX_BARS))]
        values = tuple(number(field, raw) for field in fields)
        found.append(BarGroup(str(group["name"]), int(group.get("seat", -1)), values))
    return tuple(found)
