"""The container of a bundle: a zip with stored entries, one byte form for one content.

Written and read here rather than by :mod:`zipfile`, so that the bytes depend on no library's version, and so that a
hostile file is refused where it first differs from what this program writes: nothing in it is compressed, hidden,
repeated, out of order or superfluous. Any zip program opens it. Source of the layout: PKWARE APPNOTE 6.3, 4.3.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Final

from engine.league.errors import BundleError

_LOCAL: Final = struct.Struct("<4s5H3I2H")
_CENTRAL: Final = struct.Struct("<4s6H3I5H2I")
_END: Final = struct.Struct("<4s4H2IH")
_LOCAL_MAGIC, _CENTRAL_MAGIC, _END_MAGIC = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION: Final = 20
_MADE_BY_UNIX: Final = 3 << 8 | _VERSION
_DATE: Final = 1 << 5 | 1  # 1 January 1980, the earliest there is
_MODE: Final = 0o100644 << 16


def pack(entries: Sequence[tuple[str, bytes]]) -> bytes:
    """Return the zip with these entries in this order."""
    parts: list[bytes] = []
    central: list[bytes] = []
    offset = 0
    for name, content in entries:
        raw, crc, size = name.encode("ascii"), zlib.crc32(content), len(content)
        common = (_VERSION, 0, 0, 0, _DATE, crc, size, size, len(raw), 0)
        local = _LOCAL.pack(_LOCAL_MAGIC, *common) + raw
        central.append(_CENTRAL.pack(_CENTRAL_MAGIC, _MADE_BY_UNIX, *common, 0, 0, 0, _MODE, offset) + raw)
        parts += [local, content]
        offset += len(local) + size
    directory = b"".join(central)
    end = _END.pack(_END_MAGIC, 0, 0, len(entries), len(entries), len(directory), offset, 0)
    return b"".join((*parts, directory, end))


def unpack(data: bytes, limit_of: Callable[[str], int | None]) -> dict[str, bytes]:
    """Return the entries by name, in order. ``limit_of`` gives the largest size of an entry, None for a foreign name.

    Raises BundleError naming the entry that is wrong.
    """
    if data[:4] != _LOCAL_MAGIC:
        raise _refuse("it is not a bundle: it does not begin like a zip file")
    entries: dict[str, bytes] = {}
    pos = 0
    while data[pos : pos + 4] == _LOCAL_MAGIC:
        name, content, pos = _entry(data, pos, limit_of)
        if name in entries:
            raise _refuse(f"the entry {name} occurs twice")
        entries[name] = content
    tail = _tail(entries)
    if data[pos:] != tail:
        cut = tail.startswith(data[pos:])
        raise _refuse("truncated after the last entry" if cut else "its directory is damaged")
    return entries


def _tail(entries: dict[str, bytes]) -> bytes:
    body = sum(_LOCAL.size + len(name) + len(content) for name, content in entries.items())
    return pack(list(entries.items()))[body:]


def _entry(data: bytes, pos: int, limit_of: Callable[[str], int | None]) -> tuple[str, bytes, int]:
    if len(data) - pos < _LOCAL.size:
        raise _refuse("truncated inside an entry's header")
    _, _, flags, method, time, date, crc, packed, size, name_size, extra = _LOCAL.unpack_from(data, pos)
    start = pos + _LOCAL.size + name_size
    name = _safe_name(data[pos + _LOCAL.size : start])
    limit = limit_of(name)
    if limit is None:
        raise _refuse(f"an entry {name!r} does not belong into a bundle")
    if method or flags or packed != size:
        raise _refuse(f"the entry {name} is compressed or encrypted; a bundle's entries are stored as they are")
    if size > limit:
        raise _refuse(f"the entry {name} claims {size} bytes, at most {limit} are allowed")
    if extra or time or date != _DATE or data[pos + 4 : pos + 6] != _VERSION.to_bytes(2, "little"):
        raise _refuse(f"the header of the entry {name} is damaged")
    content = data[start : start + size]
    if len(content) != size:
        raise _refuse(f"truncated inside the entry {name}")
    if zlib.crc32(content) != crc:
        raise _refuse(f"the entry {name} is damaged: its checksum does not match")
    return name, content, start + size


def _safe_name(raw: bytes) -> str:
    return raw[:100].decode("ascii", "backslashreplace")


def _refuse(why: str) -> BundleError:
    return BundleError("The bundle cannot be read", why)
