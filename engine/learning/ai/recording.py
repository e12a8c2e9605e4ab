"""Real deltas that were trained once, for runs that replay training: :mod:`engine.learning.ai.record` makes them.

Layout: a line that says what it is, 8 bytes of header length, a canonical JSON header, then each delta packed: its A
combined with the shared start that it was trained from (most bits are alike), high bytes before low ones, deflated.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.hashing import canonical_json
from engine.learning.ai.shipped import shipped_bytes
from engine.learning.ai.start import shared_start
from engine.learning.brain import Trained
from engine.learning.errors import TrainingError
from engine.learning.updates.delta import Delta, DeltaSpec, encode, parse

MAGIC = b"POL-AI recording 1\n"


@dataclass(frozen=True, slots=True)
class Entry:
    """A recorded delta: merges before it, flavour, trainer; training loss in nano-nats, duration in microseconds."""

    depth: int
    flavour: str
    trainer: int
    loss: int
    micros: int
    at: int
    size: int
    digest: str

    def unpacked(self, body: bytes, spec: DeltaSpec) -> Trained:
        """Return the delta. Raises TrainingError where the bytes are not those that were recorded."""
        delta = unpack(body[self.at : self.at + self.size], spec, seed_of(self.depth))
        if sha256(delta).hexdigest() != self.digest:
            raise _unreadable("a delta has another hash")
        return Trained(delta, self.loss / 1e9, self.micros / 1e6)


class Recording:
    """What was recorded on one checkpoint."""

    def __init__(self, data: bytes) -> None:
        try:
            if not data.startswith(MAGIC):
                raise ValueError("it is no recording")
            start = len(MAGIC) + 8
            size = int.from_bytes(data[len(MAGIC) : start], "big")
            header = json.loads(data[start : start + size])
            self.base = bytes.fromhex(header["base"])
            self.model = str(header["model"])
            self.steps = int(header["steps"])
            self.entries = tuple(Entry(*row) for row in header["entries"])
        except (ValueError, TypeError, KeyError) as error:
            raise _unreadable(str(error)) from error
        self._body = data[start + size :]

    @classmethod
    def shipped(cls, name: str) -> Recording:
        """Return the recording of a preset. Raises TrainingError when it is missing or damaged."""
        return cls(shipped_bytes(f"{name}.recording"))

    @cached_property
    def rounds(self) -> int:
        """How many rounds of honest training follow each other."""
        return 1 + max(entry.depth for entry in self.entries)

    @cached_property
    def _by_key(self) -> dict[tuple[int, str, int], Entry]:
        return {(entry.depth, entry.flavour, entry.trainer): entry for entry in self.entries}

    def find(self, depth: int, flavour: str, trainer: int) -> Entry:
        """Return what a trainer made. A dishonest one does at any depth what it last was recorded to do.

        Raises TrainingError naming what there is.
        """
        if depth < self.rounds:
            for earlier in (depth,) if flavour == "honest" else range(depth, -1, -1):
                entry = self._by_key.get((earlier, flavour, trainer))
                if entry is not None:
                    return entry
        here = sum(1 for entry in self.entries if (entry.depth, entry.flavour) == (depth, flavour))
        why = (
            f"it has {self.rounds} rounds, this would be the {depth + 1}th"
            if depth >= self.rounds
            else f"it has {here} {flavour} trainers in round {depth + 1}, not trainer {trainer}"
        )
        raise TrainingError("The recording of training ends here", why, "Train for real: training real.")

    def _honest(self, depth: int) -> int:
        return sum(1 for entry in self.entries if (entry.depth, entry.flavour) == (depth, "honest"))

    def trained(self, depth: int, flavour: str, trainer: int, turn: int, spec: DeltaSpec) -> Trained:
        """Return a recorded delta.

        ``turn`` counts the tries on one base: with each, honest trainers take the deltas of others, so that a round
        that was refused is not refused for ever, and the bytes differ while the product of B and A stays.
        """
        if turn and flavour == "honest":
            count = self._honest(depth)
            trainer = (trainer + count // 2 * turn) % count if trainer < count else trainer
        found = self.find(depth, flavour, trainer).unpacked(self._body, spec)
        return Trained(turned(found.delta, spec, turn), found.loss, found.seconds) if turn else found


def turned(delta: bytes, spec: DeltaSpec, turn: int) -> bytes:
    """Return a delta with its ranks in another order: B A stays as it is, to the last bit of each factor."""
    order = np.random.Generator(np.random.Philox(key=turn)).permutation(spec.rank)
    parts = parse(delta, spec)
    return encode(_tensors({key: (a[order], b[:, order]) for key, (a, b) in parts.items()}))


def seed_of(depth: int) -> bytes:
    """Return the round seed that a recorded round was trained by."""
    return sha256(f"POL-AI recording round {depth}".encode()).digest()


def pack(delta: bytes, spec: DeltaSpec, seed: bytes) -> bytes:
    """Return a delta made small."""
    bits = np.frombuffer(delta, "<u2", offset=len(spec.header)) ^ _start(spec, seed)
    planes = bits.view(np.uint8).reshape(-1, 2).T
    return zlib.compress(np.ascontiguousarray(planes).tobytes(), 9)


def unpack(data: bytes, spec: DeltaSpec, seed: bytes) -> bytes:
    """Return the delta again. Raises TrainingError."""
    start = _start(spec, seed)
    try:
        planes = np.frombuffer(zlib.decompressobj().decompress(data, 2 * len(start)), np.uint8).reshape(2, -1)
        bits = np.ascontiguousarray(planes.T).view("<u2").reshape(-1) ^ start
    except (zlib.error, ValueError) as error:
        raise _unreadable(str(error)) from error
    return spec.header + bits.tobytes()


def written(model: str, base: bytes, steps: int, entries: list[tuple[Any, ...]]) -> bytes:
    """Return a recording's bytes; entries are (depth, flavour, trainer, Trained, packed delta)."""
    rows, bodies, at = [], [], 0
    for depth, flavour, trainer, trained, packed in entries:
        digest = sha256(trained.delta).hexdigest()
        rows.append([depth, flavour, trainer, round(trained.loss * 1e9), round(trained.seconds * 1e6)])
        rows[-1] += [at, len(packed), digest]
        bodies.append(packed)
        at += len(packed)
    header = canonical_json({"base": base.hex(), "model": model, "steps": steps, "entries": rows})
    return MAGIC + len(header).to_bytes(8, "big") + header + b"".join(bodies)


def _start(spec: DeltaSpec, seed: bytes) -> NDArray[np.uint16]:
    zero: Delta = {
        key: (a, np.zeros((out, spec.rank), np.float32))
        for (key, out, _), a in zip(spec.targets, shared_start(spec, seed).values(), strict=True)
    }
    return np.frombuffer(encode(_tensors(zero)), "<u2", offset=len(spec.header))


def _unreadable(why: str) -> TrainingError:
    return TrainingError("The recording cannot be read", why, "Install the program again.")


def _tensors(delta: Delta) -> dict[str, Any]:
    return {f"{key}.{side}": part for key, pair in delta.items() for side, part in zip("AB", pair, strict=True)}
