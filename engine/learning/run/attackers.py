"""Attackers on the DHT: they write ACKs that are not theirs to write, and must never be counted."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from engine.learning.beacon.state import BeaconState
from engine.learning.crypto.keys import peer_id_of
from engine.learning.ports import Record
from engine.learning.run.behaviour import SPAM
from engine.learning.transport import attacks
from engine.learning.transport.records import ack_key

if TYPE_CHECKING:
    from engine.learning.run.kit import Kit

FEWER = 100  # records of an attacker on a real DHT, where each takes milliseconds


WRITTEN = {
    "sybil_spam": "ACKs by keys of nobody",
    "forge_acks": "forged ACKs",
    "squat_acks": "ACKs that squat on others' keys",
    "replay_acks": "replayed ACKs",
}


class Attackers:
    """Attacks that wait for the next update to be voted on."""

    def __init__(self, kit: Kit) -> None:
        self._kit = kit
        self._armed: list[str] = []
        self._done = 0
        self._last = b""

    def arm(self, kind: str) -> None:
        """Let an attack fall on the next update."""
        if kind in SPAM:
            self._armed.append(kind)

    def strike(self, slot: int, state: BeaconState) -> None:
        """Write, where the block of this slot fixed an update: before any member has judged it."""
        commit = state.commit
        if commit is None or state.round_opened + 1 != slot:
            return
        update_id, before = bytes(commit.update_id), self._last
        for kind in self._armed:
            self._done += 1
            if kind == "replay_acks" and not before:
                continue
            name = f"dht/{kind}/{self._done}"
            self._kit.scheduler.ask(name, self._work(kind, state, update_id, before), self._then(kind, update_id))
        if before or "replay_acks" not in self._armed:
            self._armed.clear()
        else:
            self._armed = ["replay_acks"]
        self._last = update_id

    def _work(self, kind: str, state: BeaconState, update_id: bytes, before: bytes) -> Any:
        dht, now = self._kit.post.dht, self._kit.scheduler.now

        async def write() -> tuple[int, int]:
            tried = taken = 0
            old = (await dht.fetch(0, ack_key(before))).records if kind == "replay_acks" else ()
            for record in self._records(kind, state, update_id, old, now):
                stored = await dht.store(tried % self._kit.config.peer_count, record)
                tried, taken = tried + 1, taken + (not stored.reason and stored.replicas > 0)
            return tried, taken

        return write

    def _records(
        self, kind: str, state: BeaconState, update_id: bytes, old: tuple[Record, ...], now: float
    ) -> Iterable[Record]:
        key, seed = ack_key(update_id), self._kit.config.seed
        real = self._kit.config.transport == "dht"
        liar = attacks.sybil_key(seed, 0)
        victims = [(peer_id_of(pubkey), public) for pubkey, public in self._members(state)]
        if kind == "sybil_spam":
            yield from attacks.sybil_acks(seed, key, FEWER if real else attacks.SYBILS, now)
        elif kind == "forge_acks":
            yield from attacks.forged_acks(key, [peer for peer, _ in victims], liar, now)
            yield from attacks.borrowed_acks(key, victims, liar, now)
        elif kind == "squat_acks":
            yield from attacks.squatting_acks(key, [peer for peer, _ in victims], liar, now)
        else:
            yield from attacks.replayed_acks(old, key)

    def _members(self, state: BeaconState) -> Iterable[tuple[bytes, bytes]]:
        registry = state.registry
        return zip(registry.pubkeys, registry.node_keys, strict=True)

    def _then(self, kind: str, update_id: bytes) -> Any:
        def told(answer: Any) -> None:
            if not isinstance(answer, tuple):
                return
            tried, taken = answer
            before = self._kit.watch.attacks.get(kind, (0, 0))
            self._kit.watch.attacks[kind] = (before[0] + tried, before[1] + taken)
            where = f"on update {update_id.hex()[:16]}"
            text = f"{tried - taken:,} of {tried:,} {WRITTEN[kind]} {where} were refused."
            self._kit.watch.refused("record", kind, -1, text, self._kit.slot)

        return told
