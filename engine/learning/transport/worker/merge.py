"""Putting together what several nodes hold under one key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from engine.learning.ports import Record
from engine.learning.transport.policy import same
from engine.learning.transport.worker.guard import Guard


def merge(shelves: Iterable[Any], key: str, guard: Guard, loads: Callable[[bytes], Any]) -> list[Record]:
    """Return the valid live records of nodes' dictionaries (hivemind's, or None), one a subkey, sorted by it.

    Where an author gave different nodes different things, the one that more of them hold counts, and both are kept as
    evidence.
    """
    found: dict[str, Counter[Record]] = {}
    for shelf in shelves:
        if shelf is None or not hasattr(shelf.value, "items"):
            continue
        for _, entry in list(shelf.value.items()):
            record = guard.read(entry.value, loads)
            if record is not None and record.key == key and not guard.policy.examine(record, guard.now):
                found.setdefault(record.subkey, Counter())[record] += 1
    records = []
    for subkey in sorted(found):
        best = max(found[subkey], key=lambda record: (found[subkey][record], record.expiry, record.signature))
        for other in found[subkey]:
            if not same(best, other):
                guard.equivocations.add(best, other)
        records.append(best)
    return records
