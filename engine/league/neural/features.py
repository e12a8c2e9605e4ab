"""What a model sees: the inputs of a network, read off a System's description.

An observation is one row of bytes: the packed observation (8 bytes, little endian), then the full one; what the full
one lacks reads as zero. Three ways to turn a row into inputs follow from the description, and nothing else does:

``packed``  the fields that ``observation.packed`` names, in their order
``board``   the fields of ``state`` in their order, then the cells; for Systems that show their players a grid
``bytes``   every byte of the full observation, a number each

A field becomes: with ``names``, one input a name, 1 for the one it has and 0 for the others (all 0 for a value without
a name); with ``bits``, one input a bit, 0 or 1; else one number as it stands, followed by one more input where the
description gives a ``none``: 1 and the number 0 where the field has that value. A cell has an input for each of the
values in ``cells``. Numbers are not scaled: let the model begin with ``nn.BatchNorm1d``, which is folded away.
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

Rows = NDArray[np.uint8]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Number:
    """A field as one number; ``none`` is the value (None: there is none) that stands for no number."""

    offset: int
    size: int
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

    def names(self) -> list[str]:
        """Return what the inputs mean."""
        return [self.name] if self.none is None else [self.name, f"{self.name}: none"]

    def encode(self, rows: Rows) -> Ints:
        """Return the inputs of each row."""
        order = range(self.size - 1, -1, -1) if self.big else range(self.size)
        value = np.zeros(len(rows), np.uint64)
        for place, at in enumerate(order):
            value |= rows[:, self.offset + at].astype(np.uint64) << np.uint64(8 * place)
        bare = np.uint64(64 - 8 * self.size)
        raw = (value << bare).view(np.int64) >> np.int64(bare) if self.signed else value.view(np.int64)
        if self.none is None:
            return raw[:, None]
        missing = value == np.uint64(self.none)
        return np.stack([np.where(missing, 0, raw), missing.astype(np.int64)], axis=1)


@dataclass(frozen=True, slots=True)
class OneHot:
    """``count`` bytes in a row, each an input for every one of ``values``."""

    offset: int
    count: int
    values: tuple[int, ...]
    labels: tuple[str, ...]
    name: str

    @property
    def width(self) -> int:
        """How many inputs they make."""
        return self.count * len(self.values)

    @property
    def end(self) -> int:
        """Where they end in the row."""
        return self.offset + self.count

    def names(self) -> list[str]:
        """Return what the inputs mean."""
        titles = [self.name] if self.count == 1 else [f"{self.name} {at}" for at in range(self.count)]
        return [f"{title} = {label}" for title in titles for label in self.labels]

    def encode(self, rows: Rows) -> Ints:
        """Return the inputs of each row."""
        hot = rows[:, self.offset : self.end, None] == np.array(self.values, np.uint8)
        inputs: Ints = hot.reshape(len(rows), self.width).astype(np.int64)
        return inputs


@dataclass(frozen=True, slots=True)
class Bits:
    """A byte or more, least significant first, an input for each of the low ``len(labels)`` bits."""

    offset: int
    labels: tuple[str, ...]
    name: str

    @property
    def width(self) -> int:
        """How many inputs it makes."""
        return len(self.labels)

    @property
    def end(self) -> int:
        """Where it ends in the row."""
        return self.offset + (len(self.labels) + 7) // 8

    def names(self) -> list[str]:
        """Return what the inputs mean."""
        return [f"{self.name}: {label}" for label in self.labels]

    def encode(self, rows: Rows) -> Ints:
        """Return the inputs of each row."""
        bits = np.unpackbits(rows[:, self.offset : self.end], axis=1, bitorder="little")
        return bits[:, : self.width].astype(np.int64)


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
        at, size = (field.get(key), field.get("size", 1)) if isinstance(field, Mapping) else (None, 1)
        if type(at) is not int or type(size) is not int or at < 0 or not 1 <= size <= 8 or at + size > room:
            continue
        yield _field(field, base + at, size)


def _field(field: Mapping[str, Any], offset: int, size: int) -> Item:
    name = str(field.get("name", f"byte {offset}"))
    names, bits, none = field.get("names"), field.get("bits"), field.get("none")
    if isinstance(names, list) and names and len(names) <= _MAX_NAMES and size == 1:
        return OneHot(offset, 1, tuple(range(len(names))), tuple(map(str, names)), name)
    if isinstance(bits, list) and 0 < len(bits) <= 8 * size:
        return Bits(offset, tuple(map(str, bits)), name)
    absent = none if type(none) is int and 0 <= none < 256**size else None
    return Number(offset, size, bool(field.get("signed")), bool(field.get("big")), absent, name)
