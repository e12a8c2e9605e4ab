"""The proof of one match of a round: all that is needed to check, without the round, that its root holds this leaf."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from engine.core.merkle import round_root_from_proof
from engine.league.errors import TraceError
from engine.league.standings import RoundLeaf

FORMAT: Final = "nets-leaf"
_FIELDS: Final = {"format", "version", "round", "size", "leaf", "path", "root"}
_LEAF_FIELDS: Final = ("index", "a", "b", "d_a", "d_b", "pre", "post", "evidence")
_MAX_PATH: Final = 32


@dataclass(frozen=True, slots=True)
class LeafProof:
    """Leaf ``leaf.index`` of the ``size`` leaves of a round, with its siblings from the leaf up."""

    round_name: str
    size: int
    leaf: RoundLeaf
    path: tuple[bytes, ...]
    root: bytes

    def check(self, root: bytes | None = None) -> None:
        """Raise TraceError unless the leaf belongs to the round's root (``root``, when given).

        The path must have the depth of a tree of ``size`` leaves: an inner node cannot pass for a leaf.
        """
        if not 0 <= self.leaf.index < self.size or len(self.path) != max(self.size - 1, 0).bit_length():
            raise TraceError("The proof does not hold", "its path does not fit its position", step=self.leaf.index)
        reached = round_root_from_proof(self.leaf.hash(), self.leaf.index, self.path)
        if reached != self.root:
            raise TraceError("The proof does not hold", f"its path leads to {reached.hex()}", step=self.leaf.index)
        if root is not None and root != self.root:
            raise TraceError("The proof is of another round", f"its root is {self.root.hex()}", step=self.leaf.index)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form that ``nashboard trace check`` reads."""
        leaf = dict(zip(_LEAF_FIELDS, self.leaf.as_tuple(), strict=True))
        shown = {name: value.hex() if isinstance(value, bytes) else str(value) for name, value in leaf.items()}
        return {
            "format": FORMAT,
            "version": 1,
            "round": self.round_name,
            "size": self.size,
            "leaf": shown,
            "path": [item.hex() for item in self.path],
            "root": self.root.hex(),
        }

    @classmethod
    def from_json(cls, value: Any) -> LeafProof:
        """Return the proof in a JSON value. Raises TraceError naming the field that is wrong."""
        if not isinstance(value, dict) or set(value) != _FIELDS:
            raise _malformed(f"its fields are not {', '.join(sorted(_FIELDS))}")
        if (value["format"], value["version"]) != (FORMAT, 1):
            raise _malformed("it is of another format or version")
        size, leaf, path = value["size"], value["leaf"], value["path"]
        if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 2**32:
            raise _malformed("size is not a number below 2^32")
        if not isinstance(leaf, dict) or set(leaf) != set(_LEAF_FIELDS):
            raise _malformed(f"the leaf's fields are not {', '.join(_LEAF_FIELDS)}")
        if not isinstance(path, list) or len(path) > _MAX_PATH or not isinstance(value["round"], str):
            raise _malformed("path is not a short list, or round is not text")
        numbers = [_number(leaf[name], name, signed=name in ("d_a", "d_b")) for name in _LEAF_FIELDS[:5]]
        hashes = [_hash(leaf[name], name) for name in _LEAF_FIELDS[5:]]
        made = RoundLeaf(numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], hashes[0], hashes[1], hashes[2])
        siblings = tuple(_hash(item, "path") for item in path)
        return cls(value["round"], size, made, siblings, _hash(value["root"], "root"))


def _malformed(why: str) -> TraceError:
    return TraceError("This is not the proof of a match", why)


def _number(value: Any, name: str, *, signed: bool) -> int:
    low, high = (-(2**63), 2**63) if signed else (0, 2**32)
    if not isinstance(value, str) or not re.fullmatch(r"-?[0-9]{1,20}", value) or not low <= int(value) < high:
        raise _malformed(f"{name} is not a number in its range, in decimal")
    return int(value)


def _hash(value: Any, name: str) -> bytes:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{64}", value):
        raise _malformed(f"{name} is not 32 bytes in lower-case hex")
    return bytes.fromhex(value)
