"""Ethereum's hexadecimal forms: data with two digits a byte, quantities without leading zeros."""

from __future__ import annotations

import re
from typing import Any

_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")
_QUANTITY = re.compile(r"0x(?:0|[1-9a-fA-F][0-9a-fA-F]{0,15})")


def data_of(value: bytes) -> str:
    """Return data: ``0x`` and two digits a byte."""
    return "0x" + bytes(value).hex()


def quantity_of(value: int) -> str:
    """Return a quantity: ``0x`` and digits without leading zeros."""
    return hex(value)


def read_data(value: Any, name: str, size: int | None = None) -> bytes:
    """Return the bytes of data, of a size where one is given. Raises ValueError that names the value."""
    if not isinstance(value, str) or not _DATA.fullmatch(value):
        raise ValueError(f"{name} is data: 0x and an even number of hexadecimal digits")
    data = bytes.fromhex(value[2:])
    if size is not None and len(data) != size:
        raise ValueError(f"{name} has {size} bytes, got {len(data)}")
    return data


def read_quantity(value: Any, name: str) -> int:
    """Return the number of a quantity of at most 64 bits. Raises ValueError that names the value."""
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise ValueError(f"{name} is a quantity: 0x and hexadecimal digits without leading zeros, at most 16")
    return int(value, 16)
