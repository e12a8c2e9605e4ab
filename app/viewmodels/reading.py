"""How a System's values read: actions by name, observations field by field, as its description says.

A description comes with a file from anywhere: where it makes no sense, the numbers are shown as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

_SENSELESS = (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError)
_PROMOTIONS = ("", "N", "B", "R", "Q")


def action_text(description: Mapping[str, Any], action: int | None) -> str:
    """Return an action's name; ``action`` is unsigned as recorded, the description's values are signed."""
    if action is None:
        return "none"
    signed = action - 2**64 if action >= 2**63 else action
    with suppress(*_SENSELESS):
        kind = description.get("kind")
        if kind == "chess":
            return chess_text(action)
        if kind == "packed":
            return ", ".join(_part_text(part, action) for part in description["parts"])
        for value in description.get("values", ()):
            if value.get("value") == signed:
                name = str(value.get("name", signed))
                return name if name == str(signed) else f"{name} ({signed})"
    return f"{signed}"


def square_name(square: int) -> str:
    """Return a chess square's name, counted from a1 = 0."""
    return "abcdefgh"[square % 8] + str(square // 8 % 8 + 1)


def chess_text(action: int) -> str:
    """Return a chess move in coordinates: e2e4, e7e8=Q."""
    promotion = action >> 12
    if promotion >= len(_PROMOTIONS):
        return f"{action}"
    into = f"={_PROMOTIONS[promotion]}" if promotion else ""
    return f"{square_name(action & 63)}{square_name(action >> 6 & 63)}{into}"


def _part_text(part: Mapping[str, Any], action: int) -> str:
    value = action >> int(part["shift"]) & (1 << int(part["bits"])) - 1
    names = part.get("names")
    shown = names[value] if names and value < len(names) else value
    return f"{part['name']} {shown}"


def packed_value(field: Mapping[str, Any], packed: int) -> int:
    """Return a field of a packed observation as a number: whole bytes, or from bit ``bit`` as many as ``bits``."""
    if "bit" in field:
        return packed >> int(field["bit"]) & (1 << int(field["bits"])) - 1
    start, size = int(field["byte"]), int(field.get("size", 1))
    data = (packed % 2**64).to_bytes(8, "little")[start : start + size]
    return int.from_bytes(data, "big" if field.get("big") else "little", signed=bool(field.get("signed")))


def packed_fields(description: Mapping[str, Any], packed: int) -> list[tuple[str, str]]:
    """Return the named fields of a packed observation."""
    found = []
    with suppress(*_SENSELESS):
        for field in description.get("packed", ()):
            value = packed_value(field, packed)
            found.append((str(field.get("name", "unnamed")), _value_text(field, value)))
    return found


def _value_text(field: Mapping[str, Any], value: int) -> str:
    if field.get("none") == value:
        return "none"
    names, bits = field.get("names"), None if "bit" in field else field.get("bits")
    if names:
        return str(names[value]) if 0 <= value < len(names) else str(value)
    if bits:
        return ", ".join(str(name) for i, name in enumerate(bits) if value >> i & 1) or "none"
    return str(value)
