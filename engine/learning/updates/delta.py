"""LoRA deltas as bytes: canonical safetensors, of which there is exactly one for a delta.

The form is that of the safetensors format (8 bytes of header length, a JSON header, tensors back to back): names
sorted, all FP16, no metadata, header filled up with spaces to 8 bytes. Since a chain's model fixes names and shapes, it
fixes the header: reading compares bytes and runs no JSON parser on what a stranger sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.learning.config import DELTA_LIMIT
from engine.learning.errors import DeltaRefusedError

Factors = tuple[NDArray[np.float32], NDArray[np.float32]]
Delta = dict[str, Factors]
"""By target: A of shape (rank, in) and B of shape (out, rank); the weights change by alpha / rank * B A."""

_PREFIX = 8
_ENTRY = re.compile(
    rb'"([!#-\[\]-~]{1,80})":\{"dtype":"([A-Z0-9_]{1,8})","shape":\[((?:\d{1,9},){0,3}\d{1,9}|)\],'
    rb'"data_offsets":\[(\d{1,12}),(\d{1,12})\]\}'
)


class Tensor(NamedTuple):
    """A tensor in a file's header; offsets count from the end of the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


@dataclass(frozen=True)
class DeltaSpec:
    """What a model's deltas look like: rank, alpha, and (key, out, in) of each target. Keys are short: ``0.q``."""

    rank: int
    alpha: float
    targets: tuple[tuple[str, int, int], ...]

    @property
    def scale(self) -> float:
        """What B A is multiplied by on the weights."""
        return self.alpha / self.rank

    @cached_property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Shape of each tensor by its name in the file, in the order of the file."""
        made = {}
        for key, out, inner in self.targets:
            made[f"{key}.A"], made[f"{key}.B"] = (self.rank, inner), (out, self.rank)
        return dict(sorted(made.items()))

    @cached_property
    def header(self) -> bytes:
        """The first bytes of every delta of this form, up to the first tensor."""
        return _header(self.shapes)

    @property
    def size(self) -> int:
        """Length in bytes of every delta of this form."""
        return len(self.header) + 2 * sum(rows * columns for rows, columns in self.shapes.values())


def parse(data: bytes, spec: DeltaSpec) -> Delta:
    """Return the delta in bytes from anybody; packing it again gives the same bytes.

    Raises DeltaRefusedError: ``oversize``, ``malformed``, ``wrong_shape`` or ``not_finite``.
    """
    if len(data) > DELTA_LIMIT:
        raise DeltaRefusedError("oversize", f"{len(data):,} bytes, at most {DELTA_LIMIT:,} are taken")
    if not data.startswith(spec.header):
        raise _why_not(data, spec.shapes)
    if len(data) != spec.size:
        raise DeltaRefusedError("malformed", f"{len(data):,} bytes where its header says {spec.size:,}")
    numbers = np.frombuffer(data, "<f2", offset=len(spec.header)).astype(np.float32)
    if not np.isfinite(numbers).all():
        bad = int(np.count_nonzero(~np.isfinite(numbers)))
        raise DeltaRefusedError("not_finite", f"{bad:,} of its {numbers.size:,} numbers are NaN or infinite")
    tensors, at = {}, 0
    for name, shape in spec.shapes.items():
        count = shape[0] * shape[1]
        tensors[name] = numbers[at : at + count].reshape(shape)
        at += count
    return {key: (tensors[f"{key}.A"], tensors[f"{key}.B"]) for key, _, _ in spec.targets}


def pack(delta: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]) -> bytes:
    """Return the canonical bytes of a delta, rounded to FP16.

    Raises DeltaRefusedError: ``not_finite`` where a number does not fit FP16, ``oversize``.
    """
    data = encode(
        {f"{key}.{part}": tensor for key, pair in delta.items() for part, tensor in zip("AB", pair, strict=True)}
    )
    start = _PREFIX + int.from_bytes(data[:_PREFIX], "little")
    if not np.isfinite(np.frombuffer(data, "<f2", offset=start)).all():
        raise DeltaRefusedError("not_finite", "a number of it is NaN, infinite or beyond FP16")
    if len(data) > DELTA_LIMIT:
        raise DeltaRefusedError("oversize", f"{len(data):,} bytes, at most {DELTA_LIMIT:,} are taken")
    return data


def encode(tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Return tensors by name as a safetensors file, FP16 and sorted; nothing is checked."""
    names = sorted(tensors)
    with np.errstate(over="ignore"):
        bodies = [np.ascontiguousarray(tensors[name], "<f2").tobytes() for name in names]
    return _header({name: tensors[name].shape for name in names}) + b"".join(bodies)


def entries(data: bytes) -> tuple[Tensor, ...]:
    """Return what a file's header lists. Raises DeltaRefusedError (``malformed``) for any but the canonical JSON.

    The header is read by a grammar without nesting or repetition, in time linear in its length.
    """
    size = int.from_bytes(data[:_PREFIX], "little")
    if len(data) < _PREFIX or size > len(data) - _PREFIX:
        raise DeltaRefusedError("malformed", f"{len(data):,} bytes are too few for the header it announces")
    text = data[_PREFIX : _PREFIX + size].rstrip(b" ")
    found: list[Tensor] = []
    at = 1
    while match := _ENTRY.match(text, at):
        name, dtype, shape, start, end = (part.decode() for part in match.groups())
        found.append(Tensor(name, dtype, tuple(map(int, shape.split(","))) if shape else (), int(start), int(end)))
        at = match.end() + 1
        if text[match.end() : at] != b",":
            break
    if not found or text[:1] != b"{" or text[at - 1 :] != b"}":
        raise DeltaRefusedError("malformed", "its header is not the canonical JSON of safetensors")
    return tuple(found)


def spec_in(data: bytes, alpha: float) -> DeltaSpec:
    """Return the form of a canonical delta. Raises DeltaRefusedError."""
    shapes = {tensor.name: tensor.shape for tensor in entries(data)}
    keys = [name[:-2] for name in shapes if name.endswith(".A")]
    if any(len(shape) != 2 for shape in shapes.values()) or any(f"{key}.B" not in shapes for key in keys):
        raise DeltaRefusedError("malformed", "its tensors are no pairs of LoRA factors")
    targets = tuple((key, shapes[f"{key}.B"][0], shapes[f"{key}.A"][1]) for key in keys)
    spec = DeltaSpec(next(iter(shapes.values()))[0], alpha, targets)
    if not data.startswith(spec.header):
        raise DeltaRefusedError("malformed", "its tensors are no pairs of LoRA factors of one rank")
    return spec


def _header(shapes: Mapping[str, tuple[int, ...]]) -> bytes:
    parts, at = [], 0
    for name, shape in shapes.items():
        end = at + 2 * int(np.prod(shape))
        sizes = ",".join(map(str, shape))
        parts.append(f'"{name}":{{"dtype":"F16","shape":[{sizes}],"data_offsets":[{at},{end}]}}')
        at = end
    text = ("{" + ",".join(parts) + "}").encode()
    text += b" " * (-len(text) % 8)  # as the format's own writer fills up, so that tensors lie aligned
    return len(text).to_bytes(_PREFIX, "little") + text


def _why_not(data: bytes, wanted: Mapping[str, tuple[int, ...]]) -> DeltaRefusedError:
    """Return the refusal of bytes that do not begin with the header they should have."""
    try:
        found = entries(data)
    except DeltaRefusedError as error:
        return error
    names = [tensor.name for tensor in found]
    if len(set(names)) < len(names):
        return DeltaRefusedError("malformed", f"the tensor {_first_twice(names)!r} comes twice")
    if set(names) != set(wanted):
        odd = sorted(set(names) ^ set(wanted))[0]
        return DeltaRefusedError(
            "malformed", f"the tensor {odd!r} {'is none of' if odd in names else 'misses among'} it"
        )
    for tensor in found:
        if tensor.dtype != "F16":
            return DeltaRefusedError("malformed", f"the tensor {tensor.name!r} is {tensor.dtype}, not F16")
        if tensor.shape != wanted[tensor.name]:
            shape = wanted[tensor.name]
            return DeltaRefusedError("wrong_shape", f"{tensor.name!r} is {tensor.shape}, the model has {shape}")
    return DeltaRefusedError("malformed", "its tensors overlap, leave holes, or are out of order")


def _first_twice(names: Iterable[str]) -> str:
    seen: set[str] = set()
    return next(name for name in names if name in seen or seen.add(name))  # type: ignore[func-returns-value]
