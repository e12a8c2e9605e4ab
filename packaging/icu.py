"""Trim the data of Qt's Unicode library: thirty megabytes of languages, of which no window here asks one.

Qt brings names, formats and alphabets of its own; of the library it uses how text is sorted and converted, for which
the root's rules stay. ``libicudata`` is a library without code: one symbol, behind which an archive of named items
lies. The items that are kept move to its beginning, and what follows moves up by whole pages, so that every address
stays as it was linked.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path

PAGE = 0x1000
_LOAD = 1
_DROPPED = re.compile(
    r"\.(cnv|dict)$"  # encodings that only old files have; words of languages that write none apart
    r"|^[^/]+/translit/"
    r"|^[^/]+/((brkitr|coll|curr|lang|rbnf|region|unit|zone)/)?(?!en[_.])[a-z]{2,3}(_\w+)?\.res$"
)


def trim(path: Path) -> int:
    """Rewrite such a library with what is kept and return the bytes won, 0 where it is not built as expected."""
    content = path.read_bytes()
    found = _parts(content)
    if found is None:
        return 0
    first, second, pointing = found
    items = _items(content[PAGE : first[1]])
    if items is None:
        return 0
    kept = content[:PAGE] + items
    kept += bytes(-len(kept) % PAGE)
    moved = len(kept) - second[0] // PAGE * PAGE
    if moved >= 0:
        return 0
    made = bytearray(kept + bytes(second[0] % PAGE) + content[second[0] : second[0] + second[1]])
    for place, (kind, flags, offset, address, physical, size, memory, align) in pointing:
        if offset >= second[0]:
            offset += moved
        elif kind == _LOAD:
            size = memory = len(kept)
        struct.pack_into("<IIQQQQQQ", made, place, kind, flags, offset, address, physical, size, memory, align)
    struct.pack_into("<Q", made, 0x28, 0)  # the table of sections, which nothing reads that runs
    struct.pack_into("<HHH", made, 0x3A, 0, 0, 0)
    path.write_bytes(made)
    return len(content) - len(made)


Header = tuple[int, int, int, int, int, int, int, int]


def _parts(content: bytes) -> tuple[tuple[int, int], tuple[int, int], list[tuple[int, Header]]] | None:
    """Return offset and size of both segments, and the headers with their places; None for another kind of file."""
    if content[:6] != b"\x7fELF\x02\x01" or content[PAGE + 2 : PAGE + 4] != b"\xda\x27":
        return None
    start, size, count = *struct.unpack_from("<Q", content, 0x20), *struct.unpack_from("<HH", content, 0x36)
    pointing: list[tuple[int, Header]] = []
    for number in range(count):
        place = start + number * size
        pointing.append((place, struct.unpack_from("<IIQQQQQQ", content, place)))
    loads = [(header[2], header[5]) for _, header in pointing if header[0] == _LOAD]
    if len(loads) != 2 or loads[0][0] != 0 or loads[1][0] < loads[0][1]:
        return None
    return loads[0], loads[1], pointing


def _items(data: bytes) -> bytes | None:
    """Return an archive of the items that are kept, None for one that is not written as expected.

    It begins with a header that says how long it is; then come the number of items, for each the places of its name
    and of its content behind the header, sorted by name, the names, and the contents.
    """
    (header,) = struct.unpack_from("<H", data)
    if data[12:16] != b"CmnD":
        return None
    table = data[header:]
    (count,) = struct.unpack_from("<I", table)
    entries = [struct.unpack_from("<II", table, 4 + 8 * number) for number in range(count)]
    ends = [entry[1] for entry in entries[1:]] + [len(table)]
    kept: list[tuple[bytes, bytes]] = []
    for (name, begin), end in zip(entries, ends, strict=True):
        text = table[name : table.index(b"\0", name)]
        if not _DROPPED.search(text.decode("ascii")):
            kept.append((text, table[begin:end]))
    return data[:header] + _archive(kept)


def _archive(kept: list[tuple[bytes, bytes]]) -> bytes:
    names, places = b"", []
    for name, _ in kept:
        places.append(4 + 8 * len(kept) + len(names))
        names += name + b"\0"
    at = 4 + 8 * len(kept) + len(names)
    contents = bytes(-at % 16)
    index = struct.pack("<I", len(kept))
    for place, (_, content) in zip(places, kept, strict=True):
        index += struct.pack("<II", place, at + len(contents))
        contents += content + bytes(-len(content) % 16)
    return index + names + contents
