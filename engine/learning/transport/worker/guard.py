"""Our rules inside a hivemind node: a record validator for what comes in, and a storage where the first word stays.

The classes derive from hivemind's and are made when a node starts: importing this module does not import hivemind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from engine.learning.errors import TransportError
from engine.learning.ports import Record
from engine.learning.transport.policy import Equivocations, RecordPolicy, same
from engine.learning.transport.records import ENVELOPE_LIMIT, MANIFEST_LIMIT, VALUE_LIMIT, parse
from engine.learning.transport.worker.clock import DhtClock

WIRE_LIMIT = VALUE_LIMIT + MANIFEST_LIMIT + ENVELOPE_LIMIT


class Guard:
    """What a node admits. ``now`` is the chain's time as it was told last."""

    def __init__(self, policy: RecordPolicy, clock: DhtClock) -> None:
        self.policy = policy
        self.clock = clock
        self.now = 0.0
        self.equivocations = Equivocations()
        self.refused: Counter[str] = Counter()

    def read(self, value: bytes, loads: Callable[[bytes], Any]) -> Record | None:
        """Return the record in a value of hivemind, None where there is none."""
        if len(value) > WIRE_LIMIT + 16:
            return None
        try:
            wire = loads(value)
            return parse(wire) if isinstance(wire, bytes) else None
        except (TransportError, ValueError, TypeError):
            return None
        except Exception:  # msgpack has errors of its own, which hostile bytes can raise
            return None

    def reason(self, record: Record | None, key: bytes, expiration: float, key_of: Callable[[str], bytes]) -> str:
        """Return why a node may not take a record, or "".

        What has just expired passes here: hivemind would drop a whole answer for it. The storage refuses it.
        """
        if record is None:
            return "malformed"
        if key_of(record.key) != key:
            return "bad_signature"
        if not self.clock.agrees(expiration, record.expiry):
            return "far_expiry"
        return self.policy.examine(record, min(self.now, record.expiry - 1e-3))


def validator_of(guard: Guard) -> Any:
    """Return hivemind's record validator that applies a guard's rules."""
    from hivemind.dht.protocol import DHTProtocol
    from hivemind.dht.routing import DHTID
    from hivemind.dht.validation import DHTRecord, RecordValidatorBase

    loads = DHTProtocol.serializer.loads

    class PolicyValidator(RecordValidatorBase):  # type: ignore[misc]
        """Default deny: no regular values, no names but the author's own, no records that the policy refuses."""

        def validate(self, record: DHTRecord) -> bool:
            found = guard.read(record.value, loads)
            reason = guard.reason(found, record.key, record.expiration_time, _digest)
            if not reason and found is not None:
                try:
                    reason = "" if loads(record.subkey) == found.subkey else "foreign_subkey"
                except Exception:  # msgpack has errors of its own, which hostile bytes can raise
                    reason = "malformed"
            if reason:
                guard.refused[reason] += 1
            return not reason

    def _digest(key: str) -> bytes:
        return bytes(DHTID.generate(source=key).to_bytes())

    return PolicyValidator()


def storage_of(guard: Guard) -> Any:
    """Return a storage for a node in which an author's first record under a key stays until it expires."""
    from hivemind.dht.protocol import DHTProtocol
    from hivemind.dht.storage import DHTLocalStorage, DictionaryDHTValue

    loads = DHTProtocol.serializer.loads

    class WriteOnce(DHTLocalStorage):  # type: ignore[misc]
        def store_subkey(self, key: Any, subkey: Any, value: bytes, expiration_time: float) -> bool:
            record = guard.read(value, loads)
            if record is None or record.expiry <= guard.now:
                return False
            held = self.get(key)
            there = held.value.get(subkey) if held is not None and isinstance(held.value, DictionaryDHTValue) else None
            first = guard.read(there.value, loads) if there is not None else None
            if first is not None and first.expiry > guard.now:
                if not same(first, record):
                    guard.equivocations.add(first, record)
                    guard.refused["already_written"] += 1
                    return False
                if first.expiry >= record.expiry:
                    return True
            elif not guard.policy.spend(record, guard.now):
                guard.refused["quota"] += 1
                return False
            return bool(super().store_subkey(key, subkey, value, expiration_time))

        def sweep(self) -> int:
            """Drop what the chain's clock has ended; return how many records are left."""
            left = 0
            for key, held in list(self.items()):
                for subkey, entry in list(held.value.items()):
                    record = guard.read(entry.value, loads)
                    if record is None or record.expiry <= guard.now:
                        del held.value[subkey]
                left += len(held.value)
                if not held.value:
                    del self[key]
            return left

    return WriteOnce()


def no_cache() -> Any:
    """Return a cache that takes nothing in: a cached set of ACKs would hide the later ones."""
    from hivemind.dht.storage import DHTLocalStorage

    class NoCache(DHTLocalStorage):  # type: ignore[misc]
        def store(self, *_: Any, **__: Any) -> bool:
            return False

        store_subkey = store

    return NoCache(maxsize=1)
