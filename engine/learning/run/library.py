"""Updates by their ids: an id fixes manifest and bytes, so that whoever has them can share them."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from engine.learning.beacon.tree import BlockTree
from engine.learning.brain import Brain
from engine.learning.errors import DeltaRefusedError
from engine.learning.updates.manifest import Manifest, read_manifest


@dataclass(frozen=True, slots=True)
class Update:
    """An update with its manifest."""

    manifest: Manifest
    delta: bytes


def pack_update(update: Update) -> bytes:
    """Return an update as the value of a record: length of the manifest (4 bytes), manifest, delta."""
    manifest = update.manifest.to_bytes()
    return len(manifest).to_bytes(4, "big") + manifest + update.delta


def parse_update(value: bytes) -> Update:
    """Return the update in a record's value. Raises DeltaRefusedError."""
    size = int.from_bytes(value[:4], "big")
    if len(value) < 4 or size > len(value) - 4:
        raise DeltaRefusedError("malformed", f"{len(value):,} bytes are too few for the manifest they announce")
    update = Update(read_manifest(value[4 : 4 + size]), value[4 + size :])
    if sha256(update.delta).hexdigest() != update.manifest.delta:
        raise DeltaRefusedError("wrong_hash", "the update's bytes are not those of its manifest")
    return update


class Library:
    """What is known of updates on this machine. What goes in has the id's hash, so nobody can put another in."""

    def __init__(self, tree: BlockTree, brain: Brain) -> None:
        self._tree = tree
        self._brain = brain
        self._updates: dict[bytes, Update] = {}
        self._seen: dict[int, list[bytes]] = {}
        self._merged: set[tuple[bytes, bytes]] = set()

    def add(self, update: Update) -> bytes:
        """Keep an update; blocks that include it can be checked from now on. Returns its id."""
        update_id = update.manifest.update_id
        if update_id not in self._updates:
            self._updates[update_id] = update
            self._tree.deltas[update_id] = sha256(update.delta).digest()
        return update_id

    def get(self, update_id: bytes) -> Update | None:
        """Return an update."""
        return self._updates.get(update_id)

    def saw(self, number: int, delta: bytes) -> None:
        """Keep a round's honest raw delta where colluders can see it."""
        self._seen = {number: [*self._seen.get(number, ()), delta]}

    def seen(self, number: int) -> tuple[bytes, ...]:
        """Return the honest raw deltas of a round so far."""
        return tuple(self._seen.get(number, ()))

    def merge(self, base: bytes, update_id: bytes) -> None:
        """Tell the brain that an update was put on a base, once."""
        if (base, update_id) not in self._merged and update_id in self._updates:
            self._merged.add((base, update_id))
            self._brain.merge(base, self._updates[update_id].delta)
