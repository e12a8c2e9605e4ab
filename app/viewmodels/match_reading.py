"""A whole match read once, when it is opened: its moves by name, the steps worth jumping to, the gas of each seat."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from app.viewmodels.chess_moves import ChessGame
from app.viewmodels.reading import action_text, packed_fields, packed_value
from engine.league.bundle import Bundle
from engine.league.trace import Record
from widgets.board_state import board_state

LISTED = 20_000  # steps that the list of moves holds
MARKED = 5_000
Mark = tuple[int, str, str]
# What is worth jumping to when it changes, in the packed observation of one and the same seat.
_EVENTS = re.compile(r"length|score|points|chips|status|lives|wins|\bwon\b|^hand$|^game$", re.IGNORECASE)
_PARTS = re.compile(r"^(hand|game|round)$", re.IGNORECASE)
_ALARMS = re.compile(r"\bcheck", re.IGNORECASE)
_SENSELESS = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)


@dataclass(frozen=True, slots=True)
class MoveRow:
    """A step in the list of moves."""

    step: int
    seat: int
    action: str
    gas: int
    event: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class MatchReading:
    """``gas[seat][n]`` is what the seat used in the first n steps; ``moves`` end after LISTED steps."""

    moves: tuple[MoveRow, ...] = ()
    marks: tuple[Mark, ...] = ()
    gas: tuple[Sequence[int], ...] = ()

    @classmethod
    def of(cls, bundle: Bundle, description: Mapping[str, Any], start: bytes) -> MatchReading:
        """Read a match; ``start`` is the System's state before the first step."""
        actions = _ActionNames(description, start)
        watch = _Watch(description, len(bundle.agents))
        gas = tuple(array("Q", [0]) for _ in bundle.agents)
        moves: list[MoveRow] = []
        marks: list[Mark] = []
        for step, record in enumerate(bundle.records):
            for seat, sums in enumerate(gas):
                sums.append(sums[-1] + (record.gas_used if seat == record.seat else 0))
            found = watch.events(record)
            text, taken = actions.name(record)
            if taken:
                found.append(("info", f"takes a {taken}"))
            if len(moves) < LISTED:
                moves.append(MoveRow(step, record.seat, text, record.gas_used, "; ".join(e for _, e in found)))
            if len(marks) < MARKED:
                marks += [(step, kind, event) for kind, event in found]
        return cls(tuple(moves), tuple(marks), gas)

    def move_text(self, step: int) -> str:
        """The action of a step by name, '' where the list does not reach."""
        return self.moves[step].action if 0 <= step < len(self.moves) else ""


NOT_READ = MatchReading()


class _ActionNames:
    """Names actions in order; chess is told with its pieces."""

    def __init__(self, description: Mapping[str, Any], start: bytes) -> None:
        self._action = description.get("action", {})
        chess = isinstance(self._action, Mapping) and self._action.get("kind") == "chess"
        self._game = ChessGame(board_state(description, start)) if chess else None

    def name(self, record: Record) -> tuple[str, str]:
        """Return the action's name and what it took."""
        if record.fault is not None:
            return "none", ""
        if self._game is None:
            return action_text(self._action, record.action), ""
        move = self._game.play(record.action)
        return move.text, move.taken


class _Watch:
    """Watches the fields of the packed observation that tell of events."""

    def __init__(self, description: Mapping[str, Any], seats: int) -> None:
        self._seats = seats
        self._told: dict[int, tuple[int, int]] = {}
        observation = description.get("observation", {})
        self._fields: list[Mapping[str, Any]] = []
        self._alarms: list[tuple[Mapping[str, Any], int, str]] = []
        self._before: dict[tuple[int, int], int] = {}
        with suppress(*_SENSELESS):
            for field in observation.get("packed", ()):
                packed_value(field, 0)
                bits = () if "bit" in field else field.get("bits") or ()
                self._alarms += [(field, bit, str(name)) for bit, name in enumerate(bits) if _ALARMS.search(str(name))]
                if not bits and _EVENTS.search(str(field.get("name", ""))):
                    self._fields.append(field)

    def events(self, record: Record) -> list[tuple[str, str]]:
        """Return what happened before this step was shown: kind and words."""
        found: list[tuple[str, str]] = []
        for field, bit, name in self._alarms:
            if packed_value(field, record.packed) >> bit & 1:
                found.append(("warn", name))
        for number, field in enumerate(self._fields):
            value, key = packed_value(field, record.packed), (record.seat, number)
            if self._before.get(key, value) != value and not self._told_before(number, record):
                name, text = packed_fields({"packed": [field]}, record.packed)[0]
                found.append(("neutral" if _PARTS.match(name) else "ok", f"{name} {text}"))
            self._before[key] = value
        if record.fault is not None:
            found.append(("error", str(record.cause)))
        return found

    def _told_before(self, number: int, record: Record) -> bool:
        """Whether another seat saw the same change just before; one happening is told once."""
        seat, step = self._told.get(number, (record.seat, 0))
        if seat != record.seat and record.step - step < self._seats:
            return True
        self._told[number] = (record.seat, record.step)
        return False
