"""What a model sees: the inputs of a network, read off a System's description.

An observation is one row of bytes: the packed observation (8 bytes, little endian), then the full one; what the full
one lacks reads as zero. Three ways to turn a row into inputs follow from the description, and nothing else does:

``packed``  the fields that ``observation.packed`` names, in their order
``board``   the fields of ``state`` in their order, then the cells; for Systems that show their players a grid
``bytes``   every byte of the full observation, a number each

A field becomes: with ``names``, one input a name, 1 for the one it has and 0 for the others (all 0 for a value without
a name); with a list of ``bits``, one input a bit, 0 or 1; else one number as it stands, followed by one more input
where the description gives a ``none``: 1 and the number 0 where the field has that value. A field that begins at a
``bit`` and has more than 16 of them is no number but one input a bit. A cell has an input for each of the values in
``cells``.

Numbers are not scaled. Scale them while training and divide the first layer's weights by the same, or let the model
begin with an ``nn.BatchNorm1d``, which is folded away.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.league.neural.errors import ModelError
from engine.league.system import SystemSpec

PACKED_BYTES: Final = 8
SCHEMES: Final = ("packed", "board", "bytes")
_MAX_NAMES: Final = 254
_MAX_BYTES: Final = 16_384
_NUMBER_BITS: Final = 16

Rows = NDArray[np.uint8]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Number:
    """A field as one number: ``bits`` bits from bit ``low`` of ``size`` bytes. ``none`` (None: there is none) stands
    for no number."""

    offset: int
    size: int
    low: int
    bits: int
    signed: bool
    big: bool
    none: int | None
    name: str

    @property
    def width(self) -> int:
        """How many inputs it makes."""
        return 1 if self.none is None else 2

    @property
    def end(self) -> int:
        """Where it ends in the row."""
        return self.offset + self.size

    @property
    def order(self) -> list[int]:
        """Where its bytes are in the row, the least significant first."""
        places = list(range(self.offset, self.end))
        return places[::-1] if self.big else places

    def names(self) -> list[str]:
        """Return what the inputs mean."""
        return [self.name] if self.none is None else [self.name, f"{self.name}: none"]

    def encode(self, rows: Rows) -> Ints:
        """Return the inputs of each row."""
        value = np.zeros(len(rows), np.uint64)
        for place, at in enumerate(self.order):
            value |= rows[:, at].astype(np.uint64) << np.uint64(8 * place)
        bare = 64 - self.bits
        value = value << np.uint64(bare - self.low)
        raw = value.view(np.int64) >> np.int64(bare) if self.signed else (value >> np.uint64(bare)).view(np.int64)
        if self.none is None:
            return raw[:, None]
        missing = value >> np.uint64(bare) == np.uint64(self.none)
        return np.stack([np.where(missing, 0, raw), missing.astype(np.int64)], axis=1)


@dataclass(frozen=True, slots=True)
class OneHot:
    """``count`` bytes in a row, each an input for every one of ``values``; or, for a part of one or two bytes, ``mask``
    and how far it is shifted."""

    offset: int
    count: int
    values: tuple[int, ...]
    labels: tuple[str, ...]
    name: str
    low: int = 0
    mask: int = 255

    @property
    def wide(self) -> bool:
        """Whether it reaches into a second byte."""
        return self.mask << self.low > 255

    @property
    def width(self) -> int:
        """How many inputs they make."""
        return self.count * len(self.values)

    @property
    def end(self) -> int:
        """Where they end in the row."""
        return self.offset + self.count + self.wide

    def names(self) -> list[str]:
        """Return what the inputs mean."""
        titles = [self.name] if self.count == 1 else [f"{self.name} {at}" for at in range(self.count)]
        return [f"{title} = {label}" for title in titles for label in self.labels]

    def encode(self, rows: Rows) -> Ints:
        """Return the inputs of each row."""
        value = rows[:, self.offset : self.offset + self.count].astype(np.uint16)
        if self.wide:
            value |= rows[:, self.end - 1 : self.end].astype(np.uint16) << np.uint16(8)
        hot = ((value >> np.uint16(self.low)) & np.uint16(self.mask))[:, :, None] == np.array(self.values, np.uint16)
        inputs: Ints = hot.reshape(len(rows), self.width).astype(np.int64)
        return inputs


@dataclass(frozen=True, slots=True)
class Bits:
    """An input for each bit from bit ``first`` of the row, the least significant of a byte first."""

    first: int
    labels: tuple[str, ...]
    name: str

    @property
    def width(self) -> int:
        """How many inputs it makes."""
        return len(self.labels)

    @property
    def end(self) -> int:
        """Where it ends in the row."""
        return (self.first + len(self.labels) + 7) // 8

    def names(self) -> list[str]:
        """Return what the inputs mean."""
        return [f"{self.name}: {label}" for label in self.labels]

    def encode(self, rows: Rows) -> Ints:
        """Return the inputs of each row."""
        bits = np.unpackbits(rows[:, self.first // 8 : self.end], axis=1, bitorder="little")
        return bits[:, self.first % 8 :][:, : self.width].astype(np.int64)


@dataclass(frozen=True, slots=True)
class Run:
    """``count`` bytes in a row, a number each."""

    offset: int
    count: int

    @property
    def width(self) -> int:
        """How many inputs they make."""
        return self.count

    @property
    def end(self) -> int:
        """Where they end in the row."""
        return self.offset + self.count

    def names(self) -> list[str]:
        """Return what the inputs mean."""
        return [f"byte {self.offset - PACKED_BYTES + at}" for at in range(self.count)]

    def encode(self, rows: Rows) -> Ints:
        """Return the inputs of each row."""
        return rows[:, self.offset : self.end].astype(np.int64)


Item = Number | OneHot | Bits | Run


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """The inputs of a model on one System: ``scheme`` is one of SCHEMES, ``items`` in the order of the inputs."""

    scheme: str
    items: tuple[Item, ...]

    @property
    def inputs(self) -> int:
        """How many inputs there are."""
        return sum(item.width for item in self.items)

    @property
    def reach(self) -> int:
        """How many bytes of a row are looked at."""
        return max(PACKED_BYTES, *(item.end for item in self.items))

    @property
    def mailbox(self) -> bool:
        """Whether it needs the full observation."""
        return self.reach > PACKED_BYTES

    def names(self) -> list[str]:
        """Return what the inputs mean, in order."""
        return [name for item in self.items for name in item.names()]

    def numeric(self) -> NDArray[np.bool_]:
        """Return which inputs are numbers, not 0 or 1."""
        flags = [kind for item in self.items for kind in _numeric(item)]
        return np.array(flags, dtype=np.bool_)

    def encode(self, rows: Rows) -> Ints:
        """Return the inputs of rows made by :func:`rows_of`, one line a row: what the model is trained on."""
        if rows.shape[1] < self.reach:
            rows = np.pad(rows, ((0, 0), (0, self.reach - rows.shape[1])))
        return np.concatenate([item.encode(rows) for item in self.items], axis=1)


def _numeric(item: Item) -> list[bool]:
    if isinstance(item, Run):
        return [True] * item.width
    return [isinstance(item, Number), *[False] * (item.width - 1)]


def rows_of(observations: Iterable[tuple[int, bytes]], length: int) -> Rows:
    """Return (packed, full observation) pairs as rows of ``length`` bytes, padded with zeros or cut."""
    joined = [(packed.to_bytes(8, "little") + full)[:length].ljust(length, b"\0") for packed, full in observations]
    return np.frombuffer(b"".join(joined), np.uint8).reshape(len(joined), length)


def feature_map(spec: SystemSpec, scheme: str, length: int = 0) -> FeatureMap | None:
    """Return the inputs of a scheme, None where the description does not give it.

    ``length`` is how many bytes the full observation has, for ``bytes``.
    """
    if scheme == "packed":
        items = tuple(_fields(spec.observation.get("packed"), 0, PACKED_BYTES, "byte"))
    elif scheme == "board":
        items = _board(spec)
    elif scheme == "bytes":
        items = (Run(PACKED_BYTES, min(length, _MAX_BYTES)),) if length else ()
    else:
        raise ModelError(f"There are no features {scheme!r}", "", f"Choose one of {', '.join(SCHEMES)}.")
    return FeatureMap(scheme, items) if items else None


def _board(spec: SystemSpec) -> tuple[Item, ...]:
    state = spec.state
    if state.get("kind") != "grid" or spec.observation.get("bytes") != "same as state":
        return ()
    try:
        count, offset = int(state["width"]) * int(state["height"]), int(state["cells_offset"])
        values = tuple(int(cell["value"]) & 255 for cell in state["cells"])
        labels = tuple(str(cell["name"]) for cell in state["cells"])
    except (KeyError, TypeError, ValueError):
        return ()
    if (
        not 0 < count <= _MAX_BYTES
        or not 0 <= offset <= _MAX_BYTES
        or not 0 < len(set(values)) == len(values) <= _MAX_NAMES
    ):
        return ()
    cells = OneHot(PACKED_BYTES + offset, count, values, labels, "cell")
    return (*_fields(state.get("fields"), PACKED_BYTES, _MAX_BYTES, "offset"), cells)


def _fields(fields: Any, base: int, room: int, key: str) -> Iterable[Item]:
    """Yield the items of a description's fields; what is not as the description of a field must be is left out."""
    for field in fields if isinstance(fields, list) else []:
        if not isinstance(field, Mapping):
            continue
        if key == "byte" and type(field.get("bit")) is int:
            first, bits = field["bit"], field.get("bits")
        elif type(field.get(key)) is int and type(field.get("size", 1)) is int:
            first, bits = 8 * field[key], 8 * field.get("size", 1)
        else:
            continue
        if type(bits) is int and first >= 0 and 1 <= bits <= 64 and first + bits <= 8 * room:
            yield _field(field, 8 * base + first, bits)


def _field(field: Mapping[str, Any], first: int, bits: int) -> Item:
    name = str(field.get("name", f"bit {first}"))
    names, flags, none = field.get("names"), field.get("bits"), field.get("none")
    offset, low = divmod(first, 8)
    if isinstance(names, list) and 0 < len(names) <= _MAX_NAMES and bits <= 8:
        return OneHot(offset, 1, tuple(range(len(names))), tuple(map(str, names)), name, low, (1 << bits) - 1)
    if isinstance(flags, list) and 0 < len(flags) <= bits:
        return Bits(first, tuple(map(str, flags)), name)
    if "bit" in field and bits > _NUMBER_BITS:
        return Bits(first, tuple(map(str, range(bits))), name)
    absent = none if type(none) is int and 0 <= none < 1 << bits else None
    signed, big = bool(field.get("signed")), bool(field.get("big")) and low == 0
    return Number(offset, (low + bits + 7) // 8, low, bits, signed, big, absent, name)
