"""What an update's id stands for, and how a member of the committee checks it by itself.

manifest = canonical JSON of base root, ids of the raw deltas in the order of their trainers, rule, f, and the hash of
the update's bytes; update id = SHA-256 of it. Whoever holds the raw deltas can aggregate them again and compare.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from engine.core.hashing import canonical_json, parse_json
from engine.learning.brain import AggregateOrder
from engine.learning.config import RULES
from engine.learning.errors import DeltaRefusedError
from engine.learning.updates.aggregate import raw_id
from engine.learning.updates.delta import parse, spec_in
from engine.learning.updates.product import difference

MANIFEST_LIMIT = 16_384  # bytes: 64 trainers take some 4,500
TOLERANCE = 2.0**-8
"""Of the norm: two aggregates rounded to FP16 may differ by 2 * 2^-11 of the nuclear norm, that is sqrt(r) times it."""
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an aggregator says that it did. Hashes are 64 hexadecimal digits."""

    base: str
    raws: tuple[str, ...]
    rule: str
    byzantine: int
    delta: str

    def to_bytes(self) -> bytes:
        """Return the canonical JSON that the update id hashes."""
        fields = {"base": self.base, "bytes": self.delta, "f": self.byzantine, "raws": list(self.raws)}
        return canonical_json({**fields, "rule": self.rule})

    @property
    def update_id(self) -> bytes:
        """The update's name, 32 bytes."""
        return sha256(self.to_bytes()).digest()


def manifest_of(order: AggregateOrder, delta: bytes) -> Manifest:
    """Return the manifest of an order's outcome. It names every raw delta, those that were refused as well."""
    raws = tuple(raw_id(data) for _, data in order.raws)
    return Manifest(order.base.hex(), raws, order.rule, order.byzantine, sha256(delta).hexdigest())


def read_manifest(data: bytes) -> Manifest:
    """Return the manifest in bytes from anybody. Raises DeltaRefusedError (``malformed``) for any but its one form."""
    try:
        if len(data) > MANIFEST_LIMIT:
            raise ValueError(f"{len(data):,} bytes")
        fields = parse_json(data, max_depth=2, strict=True)
        hashes = [fields["base"], fields["bytes"], *fields["raws"]]
        if not all(isinstance(item, str) and _HASH.fullmatch(item) for item in hashes):
            raise ValueError("a hash is not 64 hexadecimal digits")
        if fields["rule"] not in RULES or type(fields["f"]) is not int or not 0 <= fields["f"] <= 31:
            raise ValueError("no such rule")
        made = Manifest(fields["base"], tuple(fields["raws"]), fields["rule"], fields["f"], fields["bytes"])
        if made.to_bytes() != data:
            raise ValueError("it is not canonical")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DeltaRefusedError("malformed", f"its manifest cannot be used: {str(error)[:80]}") from error
    return made


def order_again(
    manifest: Manifest, delta: bytes, raws: Sequence[tuple[int, bytes]], *, base: bytes, clip_norm: float
) -> AggregateOrder:
    """Return the order by which a member repeats an aggregation; ``raws`` are all that it fetched, by trainer.

    Raises DeltaRefusedError: ``wrong_hash``, ``stale_base``, or ``withheld`` where a raw delta is missing.
    """
    if sha256(delta).hexdigest() != manifest.delta:
        raise DeltaRefusedError("wrong_hash", "the update's bytes are not those of its manifest")
    if manifest.base != base.hex():
        raise DeltaRefusedError("stale_base", f"it is for base {manifest.base[:16]}, the chain's is {base.hex()[:16]}")
    held = [(trainer, data, raw_id(data)) for trainer, data in sorted(raws)]
    picked: list[tuple[int, bytes]] = []
    at = 0
    for name in manifest.raws:  # both are in the order of trainers: identical deltas of several find their own
        while at < len(held) and held[at][2] != name:
            at += 1
        if at == len(held):
            raise DeltaRefusedError("withheld", f"the raw delta {name[:16]} is not to be had in its place")
        picked.append(held[at][:2])
        at += 1
    return AggregateOrder(base, tuple(picked), manifest.rule, manifest.byzantine, clip_norm)


def reproduces(announced: bytes, again: bytes | None) -> bool:
    """Return whether an announced update is what aggregating again gave, but for the rounding to FP16."""
    if again is None or announced == again:
        return again is not None
    spec = spec_in(again, 1.0)
    try:
        return difference(parse(announced, spec), parse(again, spec), spec) <= TOLERANCE
    except DeltaRefusedError:
        return False
