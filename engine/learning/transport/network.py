"""Latency, jitter, loss and partitions between nodes, all from a seed.

Each message's fate depends on the seed, its ends and its name alone, not on what was sent before: a run that is played
again from its journal meets the same network.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from engine.learning.errors import LearnSettingError

_UNIT = 1.0 / 2**64


class Network:
    """A model of the wires between numbered nodes. Times are seconds of the chain's clock."""

    def __init__(self, *, seed: int = 0, latency: float = 0.08, jitter: float = 0.04, loss_rate: float = 0.0) -> None:
        """A message takes ``latency`` and up to ``jitter`` more; a share ``loss_rate`` of messages gets lost."""
        if latency < 0 or jitter < 0 or not 0 <= loss_rate < 1:
            raise LearnSettingError("The network cannot be simulated", "latency and jitter are >= 0, loss 0 to 1")
        self.latency, self.jitter, self.loss_rate = latency, jitter, loss_rate
        self._key = blake2b(seed.to_bytes(16, "big", signed=True), digest_size=16, person=b"pol-network").digest()
        self._group: dict[int, int] = {}

    @property
    def timeout(self) -> float:
        """Seconds after which a sender stops to wait for an answer: the slowest round trip, and a little more."""
        return 2.0 * (self.latency + self.jitter) + 0.05

    def partition(self, groups: Iterable[Sequence[int]]) -> None:
        """Let only nodes of one group hear each other; nodes in no group make one more; () heals."""
        found: dict[int, int] = {}
        for number, group in enumerate(groups, start=1):
            for node in group:
                if node in found:
                    raise LearnSettingError("The network cannot be split so", f"node {node} is in two groups")
                found[node] = number
        self._group = found

    @property
    def split(self) -> bool:
        """Whether there is a partition."""
        return bool(self._group)

    def group_of(self, node: int) -> int:
        """Return the number of a node's side, 0 where it is in none."""
        return self._group.get(node, 0)

    def connected(self, first: int, second: int) -> bool:
        """Return whether no partition lies between two nodes."""
        return not self._group or self._group.get(first, 0) == self._group.get(second, 0)

    def delay(self, sender: int, receiver: int, what: str) -> float | None:
        """Return how many seconds a message takes, None when it never arrives. ``what`` names it, once and for all."""
        if not self.connected(sender, receiver):
            return None
        message = struct.pack(">qq", sender, receiver) + what.encode()
        drawn = blake2b(message, digest_size=16, key=self._key).digest()
        lost, late = int.from_bytes(drawn[:8], "big"), int.from_bytes(drawn[8:], "big")
        if lost * _UNIT < self.loss_rate:
            return None
        return self.latency + self.jitter * (late * _UNIT)

    def generator(self, *names: object) -> random.Random:
        """Return a generator of a purpose's own, for many draws in a row."""
        name = "\x00".join(map(str, names)).encode()
        return random.Random(int.from_bytes(blake2b(name, digest_size=8, key=self._key).digest(), "big"))

    def round_trip(self, generator: random.Random) -> float | None:
        """Return the seconds of a message and its answer between nodes that hear each other, None when one is lost."""
        if self.loss_rate and generator.random() < 1.0 - (1.0 - self.loss_rate) ** 2:
            return None
        return 2.0 * self.latency + self.jitter * (generator.random() + generator.random())
