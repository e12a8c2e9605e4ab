"""LEB128 integers (WebAssembly core specification, section 5.2.2)."""

from __future__ import annotations


class MalformedModuleError(ValueError):
    """The binary is not a module that this reader accepts; ``offset`` counts bytes from the file's start."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason, offset)
        self.reason = reason
        self.offset = offset

    def __str__(self) -> str:
        return f"{self.reason} (at byte {self.offset})"


def read_unsigned(data: bytes, pos: int, bits: int = 32) -> tuple[int, int]:
    """Return (value, next position) of the unsigned integer at ``pos``."""
    value = shift = 0
    start = pos
    while True:
        if pos >= len(data):
            raise MalformedModuleError("the file ends inside a number", start)
        byte = data[pos]
        pos += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            break
        if shift >= bits:
            raise MalformedModuleError("a number is too long", start)
    if value >> bits:
        raise MalformedModuleError(f"a number does not fit {bits} bits", start)
    return value, pos


def skip(data: bytes, pos: int) -> int:
    """Return the position after the integer at ``pos``, of whatever kind."""
    start = pos
    while pos < len(data):
        if data[pos] < 0x80:
            return pos + 1
        pos += 1
        if pos - start > 10:
            raise MalformedModuleError("a number is too long", start)
    raise MalformedModuleError("the file ends inside a number", start)


def read_signed(data: bytes, pos: int) -> tuple[int, int]:
    """Return (value, next position) of the signed integer at ``pos``, at most 64 bits."""
    end = skip(data, pos)
    value = 0
    for index in range(end - pos):
        value |= (data[pos + index] & 0x7F) << (7 * index)
    bits = 7 * (end - pos)
    if value >> (bits - 1):
        value -= 1 << bits
    return value, end


def unsigned(value: int) -> bytes:
    """Return the shortest form of a non-negative integer."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """Return the shortest form of a signed integer."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)
