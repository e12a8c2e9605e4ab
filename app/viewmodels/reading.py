"""How a System's values read: actions by name, observations field by field, as its description says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def action_text(description: Mapping[str, Any], action: int | None) -> str:
    """Return an action's name; ``action`` is unsigned as recorded, the description's values are signed."""
    if action is None:
        return "none"
    signed = action - 2**64 if action >= 2**63 else action
    for value in description.get("values", ()):
        if value.get("value") == signed:
            return f"{value.get('name', signed)} ({signed})"
    return f"{signed}"


def packed_fields(description: Mapping[str, Any], packed: int) -> list[tuple[str, str]]:
    """Return the named fields of a packed observation."""
    data = (packed % 2**64).to_bytes(8, "little")
    found = []
    for field in description.get("packed", ()):
        value = data[field["byte"] % 8]
        found.append((str(field.get("name", f"byte {field['byte']}")), _value_text(field, value)))
    return found


def _value_text(field: Mapping[str, Any], value: int) -> str:
    if field.get("none") == value:
        return "none"
    names, bits = field.get("names"), field.get("bits")
    if names:
        return str(names[value]) if value < len(names) else str(value)
    if bits:
        return ", ".join(str(name) for i, name in enumerate(bits) if value >> i & 1) or "none"
    return str(value)
