"""The iterative lookup: ask the nearest peers known for nearer ones, until none is left to be asked.

Source: Maymounkov and Mazieres 2002, section 2.3. Alpha requests are under way at a time; a round that brings nothing
nearer is followed by one that asks all of the k nearest that were not asked yet.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from engine.learning.transport.kademlia.routing import BUCKET, Routing, Target
from engine.learning.transport.network import Network

ALPHA = 3
ATTEMPTS = 2  # of a request: who is silent then is left out


@dataclass(frozen=True, slots=True)
class Found:
    """The peers nearest to a target that answered, nearest first; the simulated seconds and the messages it took."""

    peers: tuple[int, ...]
    seconds: float
    messages: int
    failures: int = 0


@dataclass(slots=True)
class Asker:
    """Sends requests of one peer, and keeps count. ``up`` tells who lives."""

    peer: int
    routing: Routing
    network: Network
    up: Sequence[bool]
    generator: random.Random
    now: float
    messages: int = 0
    failures: int = 0

    def ask(self, other: int) -> float | None:
        """Send a request, a second time where the first gets lost; return the seconds until the answer, or None."""
        there = self.up[other] and self.network.connected(self.peer, other)
        for attempt in range(ATTEMPTS):
            self.messages += 2
            seconds = self.network.round_trip(self.generator) if there else None
            if seconds is not None:
                return attempt * self.network.timeout + seconds
        self.failures += 1
        self.routing.failed(self.peer, other, self.now)
        return None

    def ask_all(self, others: Sequence[int]) -> tuple[list[int], float]:
        """Ask peers at the same time; return who answered, in the given order, and the seconds of the slowest."""
        answered, slowest = [], 0.0
        for other in others:
            seconds = 0.0 if other == self.peer else self.ask(other)
            if seconds is None:
                slowest = max(slowest, ATTEMPTS * self.network.timeout)
            else:
                answered.append(other)
                slowest = max(slowest, seconds)
        return answered, slowest


def find_nearest(asker: Asker, target: Target, start: frozenset[int] | None = None) -> Found:
    """Return the k peers nearest to a target. ``start``: ranks to begin with in place of the asker's own table."""
    order, ranks, routing = target.order, target.ranks, asker.routing
    heard = set(routing.nearest(asker.peer, target) if start is None else start)
    own = int(ranks[asker.peer])
    heard.add(own)
    answered = {own}
    silent = {int(ranks[peer]) for peer in routing.silent(asker.peer)}
    seconds, improved = 0.0, True
    while True:
        nearest = sorted(heard)[:BUCKET]
        unasked = [rank for rank in nearest if rank not in answered]
        if not unasked:
            break
        batch = [order[rank] for rank in (unasked[:ALPHA] if improved else unasked)]
        replied, slowest = asker.ask_all(batch)
        seconds += slowest
        answered.update(int(ranks[peer]) for peer in replied)
        silent.update(int(ranks[peer]) for peer in batch if peer not in replied)
        for peer in replied:
            heard |= routing.nearest(peer, target)
        heard -= silent
        improved = min(heard) < nearest[0]
    found = tuple(order[rank] for rank in nearest)
    routing.heard(asker.peer, found)
    for peer in found:
        routing.heard(peer, (asker.peer,))
    return Found(found, seconds, asker.messages, asker.failures)
