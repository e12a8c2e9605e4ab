"""Hashes with separated domains, and the one canonical JSON form.

SHA-256 for what machines replay (traces, commitments), Keccak-256 for what the chain checks.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from typing import Any

from sha3 import keccak_256

OBSERVATION = b"\x02"
ACTION = b"\x03"
FAULT = b"\x04"
COMMITMENT = b"\x05"
HEADER = b"\x06"
SOLVER_TRACE = b"\x07"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(r"[\[{\]}]")


def sha(domain: bytes, *parts: bytes) -> bytes:
    """Return SHA-256 over the domain byte and the parts, 32 bytes."""
    digest = sha256(domain)
    for part in parts:
        digest.update(part)
    return digest.digest()


def keccak(data: bytes | bytearray) -> bytes:
    """Return Keccak-256 as the EVM computes it, 32 bytes."""
    digest: bytes = keccak_256(data).digest()
    return digest


def canonical_json(value: Any) -> bytes:
    """Return UTF-8 JSON with sorted keys and no white space. Floats are refused: they print differently elsewhere."""
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def parse_json(data: bytes | str, max_depth: int = 64, *, strict: bool = False) -> Any:
    """Return the value in JSON from outside. Raises ValueError for what is not JSON or nests too deep.

    ``strict`` also refuses a name that comes twice in one object, NaN and Infinity.

    The depth is looked at first: the parser recurses in C, and libraries of the chain raise Python's recursion limit
    so far that a deep enough document would end the process.
    """
    text = data.decode() if isinstance(data, bytes) else data
    if nesting(text) > max_depth:
        raise ValueError(f"it nests deeper than {max_depth} levels")
    if not strict:
        return json.loads(text)
    return json.loads(text, object_pairs_hook=_without_duplicates, parse_constant=_refuse_constant)


def nesting(text: str) -> int:
    """Return how many levels deep lists and objects stand in each other in JSON, without parsing it."""
    deepest = depth = 0
    for bracket in _BRACKET.findall(_STRING.sub("", text)):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"the name {name[:40]!r} comes twice in one object")
            seen.add(name)
    return made


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON")


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError(f"canonical JSON holds no floats, got {value!r}")
    if isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"canonical JSON keys are strings, got {key!r}")
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)
