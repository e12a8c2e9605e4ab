"""The simulated DHT: peers of one process that find, store, keep and lose records as Kademlia has it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from engine.learning.config import LearnConfig
from engine.learning.crypto.memo import Memo
from engine.learning.errors import TransportError
from engine.learning.ports import Fetched, Peer, Record, Stored
from engine.learning.transport.identity import libp2p_id, node_id, peer_key
from engine.learning.transport.kademlia.lookup import Asker, Found, find_nearest
from engine.learning.transport.kademlia.routing import BUCKET, Routing, Target
from engine.learning.transport.kademlia.shelves import Shelves, bits, bits_of
from engine.learning.transport.network import Network
from engine.learning.transport.policy import RecordPolicy

REPUBLISH = 600.0  # seconds of the chain's clock between two repairs of tables and replicas, after a change
REMEMBERED = 60.0  # seconds that a peer trusts the neighbourhood it found last


class SimDht:
    """ports.Dht in memory; the same calls in the same order give the same answers, times and messages."""

    def __init__(self, config: LearnConfig, network: Network | None = None, *, peers: int | None = None) -> None:
        """Let ``peers`` peers (the configuration's by default) know each other."""
        self._count = config.peer_count if peers is None else peers
        self.network = network or network_of(config)
        self._names = [libp2p_id(peer_key(config.genesis_seed, n).public) for n in range(self._count)]
        self._routing = Routing([node_id(name) for name in self._names], self._numpy_generator)
        self.policy = RecordPolicy()
        self._shelves = Shelves()
        self._up = [True] * self._count
        self._now = 0.0
        self._targets: Memo[str, Target] = Memo(256)
        self._remembered: Memo[tuple[int, str], tuple[float, Found]] = Memo(16_384)
        self._asked: dict[tuple[str, int, float], int] = {}
        self._churned = False
        self._republished = 0.0
        self.messages = 0
        self.lookups = 0

    def _numpy_generator(self, number: int) -> np.random.Generator:
        return np.random.Generator(np.random.PCG64(self.network.generator("table", number).getrandbits(64)))

    async def store(self, peer: int, record: Record) -> Stored:
        """Put a record to the k peers nearest to its key. Those that the rules forbid it refuse it, every one."""
        if not self._up[self._checked(peer)]:
            return Stored(0, "unreachable", self.network.timeout)
        asker = self._asker(peer, record.key)
        holders, took = self._reach(asker, record.key, storing=True)
        self.messages += asker.messages
        if not holders:
            return Stored(0, "unreachable", took)
        reason = self.policy.admit(record, self._now)
        if not reason and not self._shelves.holds(record) and not self.policy.spend(record, self._now):
            reason = "quota"
        if reason:
            return Stored(0, reason, took)
        kept = self._shelves.put(record, bits(holders), self._now)
        if not kept:
            self.policy.refused["already_written"] += 1
        return Stored(kept.bit_count(), "" if kept else "already_written", took)

    async def fetch(self, peer: int, key: str) -> Fetched:
        """Ask the k peers nearest to a key for what they hold under it."""
        if not self._up[self._checked(peer)]:
            return Fetched((), self.network.timeout)
        asker = self._asker(peer, key)
        holders, took = self._reach(asker, key, storing=False)
        self.messages += asker.messages
        records = self._shelves.get(key, bits(holders), self._now)
        return Fetched(tuple(records), took, asker.messages)

    def _asker(self, peer: int, key: str) -> Asker:
        again = self._asked.get((key, peer, self._now), 0)
        self._asked[key, peer, self._now] = again + 1
        generator = self.network.generator("lookup", key, peer, self._now, again)
        return Asker(peer, self._routing, self.network, self._up, generator, self._now)

    def _reach(self, asker: Asker, key: str, *, storing: bool) -> tuple[list[int], float]:
        """Return the peers near a key that got a request, and the seconds it took.

        A peer asks the neighbourhood that it found a while ago; where one of it is silent, it looks for it anew. A
        lookup that is to fetch has asked them on its way already.
        """
        known, waited = self._remembered.get((asker.peer, key)), 0.0
        if known is not None and self._now <= known[0] + REMEMBERED:
            holders, waited = asker.ask_all(known[1].peers)
            if len(holders) == len(known[1].peers):
                return holders, waited
        found = self._look_up(asker, key)
        holders, seconds = asker.ask_all(found.peers) if storing else (list(found.peers), 0.0)
        return holders, waited + found.seconds + seconds

    def _look_up(self, asker: Asker, key: str) -> Found:
        self.lookups += 1
        found = find_nearest(asker, self._target(key))
        self._remembered.put((asker.peer, key), (self._now, found))
        return found

    def _reaches(self, peer: int, other: int) -> bool:
        return self._up[other] and self.network.connected(peer, other)

    def _target(self, key: str) -> Target:
        target = self._targets.get(key)
        if target is None:
            target = self._routing.target(node_id(key))
            self._targets.put(key, target)
        return target

    def peers(self) -> tuple[Peer, ...]:
        """Return the peers; the address is that of nothing: ``/memory/<number>``."""
        group = self.network.group_of
        return tuple(
            Peer(n, name, f"/memory/{n}", self._up[n], self._shelves.count(n), group(n))
            for n, name in enumerate(self._names)
        )

    async def kill(self, peer: int) -> None:
        """End a peer: it answers no more, and what it held is lost."""
        if self._up[self._checked(peer)]:
            self._up[peer] = False
            self._shelves.kill(peer)
            self._churned = True

    async def revive(self, peer: int) -> None:
        """Start a peer that was ended, empty: it joins by peers that live, and looks itself and others up."""
        if self._up[self._checked(peer)]:
            return
        self._up[peer] = True
        self._shelves.revive(peer)
        alive = [other for other in range(self._count) if other != peer and self._reaches(peer, other)]
        draw = self.network.generator("join", peer, self._now)
        self._routing.restart(peer, draw.sample(alive, min(3, len(alive))))
        for place in (node_id(self._names[peer]), *(draw.getrandbits(160) for _ in range(8))):
            asker = Asker(peer, self._routing, self.network, self._up, draw, self._now)
            find_nearest(asker, self._routing.target(place))
            self.messages += asker.messages
        self._churned = True

    def partition(self, groups: tuple[tuple[int, ...], ...]) -> None:
        """Let only peers of one group hear each other; () heals."""
        for number in (n for group in groups for n in group):
            self._checked(number)
        self.network.partition(groups)
        self._churned = True

    def register(self, author: bytes, peer_id: str, role: str) -> None:
        """Let a key write."""
        self.policy.register(author, peer_id, role)

    def advance(self, now: float) -> None:
        """Tell the time: expired records go, silent contacts get another chance, replicas are made up for."""
        if now <= self._now:
            return
        self._now = now
        self._asked.clear()
        self._shelves.expire(now)
        self._routing.advance(now)
        if self._churned and now >= self._republished + REPUBLISH:
            self._republished, self._churned = now, False
            self._refresh()
            for key in self._shelves.names():
                self._replicate(key)

    def _refresh(self) -> None:
        """Let every peer ping its contacts: answers of FIND_NODE full of the dead would hide the living."""
        for peer in range(self._count):
            if self._up[peer]:
                contacts = sorted(self._routing.contacts(peer))
                self.messages += 2 * len(contacts)
                self._routing.heard(peer, [other for other in contacts if self._reaches(peer, other)])
                for other in contacts:
                    if not self._reaches(peer, other):
                        self._routing.failed(peer, other, self._now)

    def _replicate(self, key: str) -> None:
        """Let holders put what they hold to those that are nearest to the key now."""
        left = list(self._shelves.holdings(key))
        while left:
            holder = min((bits_of(holders)[0] for _, holders in left if holders), default=None)
            if holder is None:
                return
            asker = self._asker(holder, key)
            found = self._look_up(asker, key)
            taken, _ = asker.ask_all(found.peers)
            self.messages += asker.messages
            mask = bits(taken)
            for record, holders in left:
                if holders >> holder & 1:
                    self._shelves.put(record, mask, self._now)
            left = [(record, holders) for record, holders in left if not holders >> holder & 1]

    def refused(self) -> Mapping[str, int]:
        """Return how many records were refused, by the keys of policy.REFUSALS."""
        return dict(sorted(self.policy.refused.items()))

    def equivocations(self) -> tuple[tuple[Record, Record], ...]:
        """Return pairs of different records that one author wrote under one key."""
        return self._shelves.equivocations.pairs()

    async def close(self) -> None:
        """End everything."""
        self._up = [False] * self._count

    def _checked(self, peer: int) -> int:
        if not 0 <= peer < self._count:
            raise TransportError(f"There is no DHT peer {peer}", f"there are {self._count}, numbered from 0")
        return peer


def network_of(config: LearnConfig) -> Network:
    """Return the network that a configuration describes."""
    return Network(seed=config.seed, latency=config.latency, jitter=config.jitter, loss_rate=config.loss_rate)


__all__ = ["BUCKET", "SimDht", "network_of"]
