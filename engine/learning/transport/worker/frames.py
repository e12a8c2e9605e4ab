"""Messages between the console and the DHT's processes: a header in JSON and bytes, with their lengths before them.

Layout, big-endian: length of the rest (4) | length of the header (4) | header | body.
"""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Sequence
from typing import Any

from engine.learning.errors import TransportError

FRAME_LIMIT = 512 * 1024 * 1024  # bytes: 4,096 records of 128 kB under one key
Header = dict[str, Any]


def encode(header: Header, body: bytes = b"") -> bytes:
    """Return a frame."""
    head = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack(">II", 4 + len(head) + len(body), len(head)) + head + body


def decode(data: bytes) -> tuple[Header, bytes]:
    """Return header and body of a frame without its first length. Raises TransportError for anything else."""
    try:
        (length,) = struct.unpack_from(">I", data)
        header = json.loads(data[4 : 4 + length])
    except (struct.error, ValueError) as error:
        raise TransportError("A message of the DHT's process cannot be read", repr(error)) from error
    if not isinstance(header, dict) or len(data) < 4 + length:
        raise TransportError("A message of the DHT's process cannot be read", "it holds no header")
    return header, data[4 + length :]


async def read(reader: asyncio.StreamReader) -> tuple[Header, bytes] | None:
    """Return the next frame, None at the end. Raises TransportError for one that is too long or no frame."""
    try:
        (length,) = struct.unpack(">I", await reader.readexactly(4))
        if not 4 <= length <= FRAME_LIMIT:
            raise TransportError("A message of the DHT's process cannot be read", f"it claims {length} bytes")
        return decode(await reader.readexactly(length))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


def join(parts: Sequence[bytes]) -> bytes:
    """Return byte strings as one body."""
    return b"".join(struct.pack(">I", len(part)) + part for part in parts)


def split(body: bytes) -> list[bytes]:
    """Return the byte strings in a body. Raises TransportError where it is cut off."""
    parts, at = [], 0
    while at < len(body):
        if len(body) < at + 4:
            raise TransportError("A message of the DHT's process cannot be read", "it is cut off")
        (length,) = struct.unpack_from(">I", body, at)
        parts.append(body[at + 4 : at + 4 + length])
        at += 4 + length
        if at > len(body):
            raise TransportError("A message of the DHT's process cannot be read", "it is cut off")
    return parts
