"""Which faults are at work, and on whom: what honest code never does is asked for here, by name, and done elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from engine.learning.beacon.committees import committee_of, proposer_of
from engine.learning.beacon.state import BeaconState
from engine.learning.config import INCLUSION_SLOTS, LearnConfig
from engine.learning.errors import BlockRefusedError, LearnSettingError
from engine.learning.faults import FAULTS, Fault

PROPOSERS = ("equivocate_headers", "uncertified_update", "silent_proposer")
AGGREGATORS = ("bad_aggregator", "conflicting_updates")
ATTESTERS = ("equivocate_votes", "surround_votes")
TRAINERS = tuple(kind for kind in FAULTS if kind.startswith("trainer_"))
NETWORK = ("partition", "heal", "dht_kill", "worker_kill")
SPAM = ("sybil_spam", "forge_acks", "squat_acks", "replay_acks")
KILLED_SHARE = 0.4  # of the DHT peers, where a fault says neither which nor how many


@dataclass(slots=True)
class Active:
    """A fault at work."""

    fault: Fault
    targets: tuple[int, ...]


class Behaviours:
    """The faults of a run. ``told(fault, targets, active)`` hears of each that begins or ends."""

    def __init__(self, config: LearnConfig, faults: tuple[Fault, ...] = ()) -> None:
        self._config = config
        self._waiting = sorted(faults, key=lambda fault: fault.slot)
        self._active: list[Active] = []
        self.told: Callable[[Fault, tuple[int, ...], bool], None] = lambda fault, targets, active: None
        self.guilty: set[int] = set()  # validators that were ever given a fault that is slashable
        self.since: dict[int, int] = {}  # from which slot on, by validator
        self.bad_trainers: set[int] = set()  # that were ever given a fault

    def add(self, fault: Fault) -> None:
        """Take in a fault; it begins with its slot, at the next slot where that is past."""
        self._waiting.append(fault)

    def has(self, kind: str, target: int) -> bool:
        """Return whether a validator, trainer, node or peer shows a fault now."""
        return any(active.fault.kind == kind and target in active.targets for active in self._active)

    def any(self, kind: str) -> bool:
        """Return whether a fault is at work."""
        return any(active.fault.kind == kind for active in self._active)

    def targets(self, kind: str) -> tuple[int, ...]:
        """Return whom a fault is at work on."""
        return tuple(sorted({who for active in self._active if active.fault.kind == kind for who in active.targets}))

    def mark(self, validator: int) -> str:
        """Return the faults that a validator lives with, by their names."""
        kinds = {a.fault.kind for a in self._active if a.fault.kind in VALIDATORS and validator in a.targets}
        return ", ".join(sorted(kinds))

    def begin(self, slot: int, state: BeaconState, first: int) -> list[Active]:
        """End faults whose time is over, begin those of this slot, and return the latter.

        ``first`` is the first slot in which a validator can still show one: the next, in the middle of a slot.
        """
        for active in [a for a in self._active if a.fault.until is not None and a.fault.until <= slot]:
            self._active.remove(active)
            self.told(active.fault, active.targets, False)
        due = [fault for fault in self._waiting if fault.slot <= slot]
        self._waiting = [fault for fault in self._waiting if fault.slot > slot]
        begun = []
        for fault in due:
            if fault.until is not None and fault.until <= slot:
                continue
            active = Active(fault, self.resolve(fault, first, state))
            if fault.kind not in ("heal", *SPAM, "worker_kill"):
                self._active.append(active)
            if fault.kind in SLASHABLE:
                self.guilty.update(active.targets)
                self.since.update(dict.fromkeys(active.targets, first))
            if fault.kind in TRAINERS:
                self.bad_trainers.update(active.targets)
            self.told(fault, active.targets, True)
            begun.append(active)
        return begun

    def end(self, kind: str) -> None:
        """End all faults of a kind."""
        for active in [a for a in self._active if a.fault.kind == kind]:
            self._active.remove(active)
            self.told(active.fault, active.targets, False)

    def resolve(self, fault: Fault, slot: int, state: BeaconState) -> tuple[int, ...]:
        """Return whom a fault falls on: its targets, else the first that can show it."""
        if fault.targets:
            return fault.targets
        kind, count = fault.kind, fault.count or 1
        if kind == "conflicting_updates":
            return _pair(slot, state)
        if kind in PROPOSERS or kind in AGGREGATORS or kind in ATTESTERS:
            return tuple(_first(_candidates(kind, slot, state), count))
        if kind in TRAINERS:
            return tuple(range(min(count, self._config.trainers)))
        if kind == "partition":
            nodes = self._config.node_count
            return tuple(range(nodes - (fault.count or nodes // 2), nodes))
        if kind == "dht_kill":
            peers = self._config.peer_count
            return tuple(range(peers - (fault.count or round(KILLED_SHARE * peers)), peers))
        return () if kind in NETWORK or kind in SPAM else tuple(range(min(count, len(state.registry))))


SLASHABLE = (
    "equivocate_headers",
    "equivocate_votes",
    "surround_votes",
    "uncertified_update",
    "free_ride",
    "conflicting_updates",
)
VALIDATORS = (*PROPOSERS, *AGGREGATORS, *ATTESTERS, "free_ride", "late_acks", "offline")


def check_fault(fault: Fault, config: LearnConfig, validators: int) -> None:
    """Refuse a fault whose targets do not exist. Raises LearnSettingError."""
    limit = {
        **dict.fromkeys(VALIDATORS, validators),
        **dict.fromkeys(TRAINERS, config.trainers),
        "partition": config.node_count,
        "dht_kill": config.peer_count,
    }.get(fault.kind, 2**31)
    wrong = [target for target in fault.targets if not 0 <= target < limit]
    if wrong or fault.count < 0 or fault.count > limit:
        which = f"there is no number {wrong[0]}" if wrong else f"it asks for {fault.count}"
        raise LearnSettingError(f"The fault {fault.kind!r} cannot be put in", f"{which}: there are {limit}")


def _candidates(kind: str, slot: int, state: BeaconState) -> list[int]:
    """Return validators in the order in which they can show a fault, from a slot on, as far as duties are known."""
    last = (state.epoch + 2) * state.config.slots_per_epoch
    if kind in ATTESTERS:
        return [int(index) for past in range(slot, last) for index in committee_of(state, past)]
    if kind in PROPOSERS:
        return _proposers(state, range(max(1, slot), last))
    opens = _next_opening(state, slot)
    turns = range(opens + INCLUSION_SLOTS, last, INCLUSION_SLOTS + 1)
    return _proposers(state, turns) or _proposers(state, (last - 1,))


def _pair(slot: int, state: BeaconState) -> tuple[int, ...]:
    """Return the next aggregator and who proposes before it: two commits need two blocks to stand in."""
    opens, last = _next_opening(state, slot), (state.epoch + 2) * state.config.slots_per_epoch - 1
    turns = (opens + INCLUSION_SLOTS, opens + 1) if opens + INCLUSION_SLOTS <= last else (last, last - 1)
    return tuple(_first(_proposers(state, turns), 2))


def _proposers(state: BeaconState, slots: Iterable[int]) -> list[int]:
    """Return who proposes in slots, as far as that is known: nobody where every validator is gone."""
    found = []
    for slot in slots:
        try:
            found.append(proposer_of(state, slot))
        except BlockRefusedError:
            break
    return found


def _next_opening(state: BeaconState, slot: int) -> int:
    """Return the slot at which the next round opens that nobody aggregates yet."""
    if state.round_opened == slot and state.round_open:
        return slot
    earliest = max(slot, state.round_opened + INCLUSION_SLOTS + 1)
    every = state.config.round_every
    return -(-earliest // every) * every


def _first(candidates: list[int], count: int) -> list[int]:
    found: list[int] = []
    for candidate in candidates:
        if candidate not in found:
            found.append(candidate)
    return found[:count]
