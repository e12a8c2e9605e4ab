"""Who proposes, who attests and who acknowledges in a slot.

Source: consensus-specs phase0 (``get_seed``, ``compute_committee``, ``compute_proposer_index``), with one committee a
slot. What an epoch's duties follow from is fixed one epoch ahead: its seed is the RANDAO mix of two epochs before, and
nobody joins or leaves sooner than two epochs after the block that says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

from engine.learning.beacon.registry import Ints, Registry
from engine.learning.beacon.shuffle import shuffled, shuffled_index
from engine.learning.beacon.state import MIXES, BeaconState
from engine.learning.config import INCLUSION_SLOTS
from engine.learning.errors import BlockRefusedError

PROPOSER_SEED = b"\x00\x00\x00\x00"
ATTESTER_SEED = b"\x01\x00\x00\x00"
SEED_LOOKAHEAD = 1  # epochs. Source: phase0, MIN_SEED_LOOKAHEAD
FULL_BALANCE = 32 * 10**9  # at which a validator is never passed over as proposer


@dataclass(eq=False)
class Duties:
    """An epoch's duties: ``active`` in index order, ``order`` the same shuffled and cut into the slots' committees."""

    active: Ints
    order: Ints
    slots: int
    first: int  # slot
    seed: bytes  # of the proposers
    registry: Registry
    _proposers: dict[int, int] = field(default_factory=dict)

    def committee(self, slot: int) -> Ints:
        """Return the attesters of a slot, in the order of their bits.

        Where there are fewer validators than slots some committees are empty. Then bounds are rounded up and not, as
        in phase0, down: who votes early in an epoch is counted in it, and a chain of one finalises two epochs sooner.
        """
        part, count = slot - self.first, len(self.order)
        up = self.slots - 1 if count < self.slots else 0
        return self.order[(count * part + up) // self.slots : (count * (part + 1) + up) // self.slots]

    def proposer(self, slot: int) -> int:
        """Return who proposes in a slot."""
        found = self._proposers.get(slot)
        if found is None:
            seed = sha256(self.seed + slot.to_bytes(8, "little")).digest()
            found = self._proposers[slot] = proposer_among(self.registry.balance, self.active, seed)
        return found


def proposer_among(balances: Ints, indices: Ints, seed: bytes) -> int:
    """Return the proposer: candidates in shuffled order, each taken with chance balance / 32 POL.

    Raises BlockRefusedError where there is nobody. Source: phase0, ``compute_proposer_index``.
    """
    if not len(indices):
        raise BlockRefusedError("no_validators", "no validator is active, so nobody can propose")
    attempt, count = 0, len(indices)
    while True:
        candidate = int(indices[shuffled_index(attempt % count, count, seed)])
        chance = sha256(seed + (attempt // 32).to_bytes(8, "little")).digest()[attempt % 32]
        if int(balances[candidate]) * 255 >= FULL_BALANCE * chance:
            return candidate
        attempt += 1


def seed_of(state: BeaconState, epoch: int, domain: bytes) -> bytes:
    """Return the seed of an epoch's duties. Source: phase0, ``get_seed``."""
    mix = state.mixes[(epoch + MIXES - SEED_LOOKAHEAD - 1) % MIXES]
    return sha256(domain + epoch.to_bytes(8, "little") + mix).digest()


def duties_of(state: BeaconState, epoch: int) -> Duties:
    """Return the duties of a recent epoch, this one or the next. Raises BlockRefusedError for any other."""
    if not max(0, state.epoch - MIXES // 2) <= epoch <= state.epoch + SEED_LOOKAHEAD:
        raise BlockRefusedError("duties", f"in epoch {state.epoch} the duties of epoch {epoch} are not known")
    return _duties(
        state.registry,
        epoch,
        seed_of(state, epoch, ATTESTER_SEED),
        seed_of(state, epoch, PROPOSER_SEED),
        state.config.slots_per_epoch,
    )


@lru_cache(maxsize=128)
def _duties(registry: Registry, epoch: int, seed: bytes, proposer_seed: bytes, slots: int) -> Duties:
    active = registry.active(epoch)
    order = active[shuffled(len(active), seed)]
    order.flags.writeable = False
    return Duties(active, order, slots, epoch * slots, proposer_seed, registry)


def proposer_of(state: BeaconState, slot: int) -> int:
    """Return who proposes in a slot of this epoch or the next. Raises BlockRefusedError for other slots."""
    return duties_of(state, slot // state.config.slots_per_epoch).proposer(slot)


def committee_of(state: BeaconState, slot: int) -> Ints:
    """Return who attests in a slot, in the order of an attestation's bits."""
    return duties_of(state, slot // state.config.slots_per_epoch).committee(slot)


def ack_committee_of(state: BeaconState, slot: int) -> Ints:
    """Return who acknowledges updates in a slot: all that are active, in index order."""
    return state.registry.active(slot // state.config.slots_per_epoch)


def aggregator_of(state: BeaconState, opened: int) -> int:
    """Return who aggregates the round that opened in a slot: the proposer of the last slot that may include it."""
    return proposer_of(state, opened + INCLUSION_SLOTS)
