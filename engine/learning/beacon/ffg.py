"""Casper FFG: justification and finalisation at an epoch's end.

Source: V. Buterin, V. Griffith: Casper the Friendly Finality Gadget (2017), as consensus-specs phase0 has it
(``weigh_justification_and_finalization``); votes are kept as flags, which says the same as the specification's list.
"""

from __future__ import annotations

from typing import NamedTuple

from engine.learning.beacon.messages import Check
from engine.learning.beacon.state import TARGET, BeaconState, Flags


class Finality(NamedTuple):
    """What FFG knows. ``bits``: bit i is set when the epoch i before the current one is justified, four of them."""

    bits: int
    previous_justified: Check
    justified: Check
    finalized: Check


def weigh(
    known: Finality, previous: Check, current: Check, total: int, previous_stake: int, current_stake: int
) -> Finality:
    """Return what FFG knows at the end of the epoch ``current``.

    ``previous_stake`` and ``current_stake`` voted for the two checkpoints as targets, of ``total``, in the same unit.
    """
    bits, justified, finalized = known.bits << 1 & 0b1111, known.justified, known.finalized
    # 1. two thirds of the stake justify a checkpoint
    if previous_stake * 3 >= total * 2:
        justified, bits = previous, bits | 0b0010
    if current_stake * 3 >= total * 2:
        justified, bits = current, bits | 0b0001
    # 2. a justified checkpoint is final once all from it to a source of its are justified, by 4, 3, 3 and 2 in a row
    older, newer, epoch = known.previous_justified, known.justified, current.epoch
    if bits & 0b1110 == 0b1110 and older.epoch + 3 == epoch:
        finalized = older
    if bits & 0b0110 == 0b0110 and older.epoch + 2 == epoch:
        finalized = older
    if bits & 0b0111 == 0b0111 and newer.epoch + 2 == epoch:
        finalized = newer
    if bits & 0b0011 == 0b0011 and newer.epoch + 1 == epoch:
        finalized = newer
    return Finality(bits, newer, justified, finalized)


def finality_of(state: BeaconState) -> Finality:
    """Return what a state knows."""
    return Finality(state.justification, state.previous_justified, state.justified, state.finalized)


def target_stake(state: BeaconState, flags: Flags) -> int:
    """Return the stake, in 1e9 base units, that voted for the right target and was not slashed."""
    registry = state.registry
    return int(registry.balance[(flags & TARGET != 0) & ~registry.slashed].sum())


def next_finality(state: BeaconState) -> Finality:
    """Return what FFG would know if the state's epoch ended with the votes that it holds."""
    epoch = state.epoch
    if epoch <= 1:  # the first two epochs justify nothing
        return finality_of(state)
    return weigh(
        finality_of(state),
        Check(epoch - 1, state.checkpoint_root(epoch - 1)),
        Check(epoch, state.checkpoint_root(epoch)) if state.slot > state.start_of(epoch) else Check(epoch, b""),
        state.registry.total_active(epoch),
        target_stake(state, state.previous),
        target_stake(state, state.current) if state.slot > state.start_of(epoch) else 0,
    )


def participation_of(state: BeaconState) -> float:
    """Return the share of stake, 0 to 1, that voted for the right target in the epoch before the state's."""
    epoch = max(0, state.epoch - 1)
    return target_stake(state, state.previous) / state.registry.total_active(epoch)
