"""The state of the beacon chain after a slot.

Immutable by convention: only a transition changes a state, and only the copy that it just made. Columns and tuples
are replaced, never written into, so that a copy shares everything and costs a microsecond.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.learning.beacon.messages import Check, Header
from engine.learning.beacon.registry import Registry
from engine.learning.config import LearnConfig
from engine.learning.errors import BlockRefusedError
from engine.learning.genesis import Genesis
from engine.learning.pow import hash_of
from engine.learning.types import ZERO, BeaconBlockBody, ExecutionHeader, UpdateCommit, root_of

Flags = NDArray[np.uint8]
SOURCE, TARGET, HEAD = 1, 2, 4  # what an attestation that was included got right
MIXES = 64  # epochs of RANDAO mixes that are kept. Source: phase0 minimal, EPOCHS_PER_HISTORICAL_VECTOR
ROOT_EPOCHS = 8  # epochs of block roots that are kept: 64 slots. Source: phase0 minimal, SLOTS_PER_HISTORICAL_ROOT


class Pending(NamedTuple):
    """An update that is included and not final: it took the model from ``base`` to ``root``."""

    update_id: bytes
    round: int
    slot: int
    base: bytes
    root: bytes


class Slashed(NamedTuple):
    """Who was slashed, for which of OFFENCES, in which slot's block; ``evidence`` is the root of what proves it."""

    validator: int
    reason: str
    slot: int
    evidence: bytes


@dataclass(eq=False)
class BeaconState:
    """Everything that a block is judged by. Roots are 32 bytes, participation one byte of flags a validator.

    ``justification`` holds the four bits of FFG, bit 0 for the current epoch. A round is open from ``round_opened`` on;
    ``commit`` is the update that block ``round_opened + 1`` fixed. ``working_root`` names the model with all updates of
    this branch, ``base_root`` the one that is final, ``pending`` what lies between.
    """

    config: LearnConfig
    genesis_root: bytes
    genesis_time: int
    slot: int
    registry: Registry
    header: Header
    block_roots: tuple[bytes, ...]
    mixes: tuple[bytes, ...]
    justification: int
    previous_justified: Check
    justified: Check
    finalized: Check
    previous: Flags
    current: Flags
    round: int
    round_opened: int
    round_open: bool
    commit: UpdateCommit | None
    working_root: bytes
    base_root: bytes
    pending: tuple[Pending, ...]
    slashings: tuple[Slashed, ...]
    execution_hash: bytes
    execution_number: int
    deposit_index: int
    _root: bytes | None = field(default=None, repr=False)

    def copy(self) -> BeaconState:
        """Return a copy that shares everything."""
        made = object.__new__(BeaconState)
        made.__dict__.update(self.__dict__)
        made._root = None
        return made

    @property
    def epoch(self) -> int:
        """The epoch of the state's slot."""
        return self.slot // self.config.slots_per_epoch

    @property
    def mix(self) -> bytes:
        """The RANDAO mix as it is now, 32 bytes."""
        return self.mixes[self.epoch % MIXES]

    def start_of(self, epoch: int) -> int:
        """Return an epoch's first slot."""
        return epoch * self.config.slots_per_epoch

    def block_root_at(self, slot: int) -> bytes:
        """Return the root of the newest block at or before a past slot.

        Raises BlockRefusedError for a slot that is not past, or longer ago than the ring goes back.
        """
        if not slot < self.slot <= slot + len(self.block_roots):
            raise BlockRefusedError(
                "history",
                f"slot {slot} is none of the {len(self.block_roots)} slots before slot {self.slot} that a state knows",
            )
        return self.block_roots[slot % len(self.block_roots)]

    def checkpoint_root(self, epoch: int) -> bytes:
        """Return the root of the block that stands at an epoch's first slot."""
        return self.block_root_at(self.start_of(epoch))

    @property
    def root(self) -> bytes:
        """The state's root: see :func:`state_root`."""
        if self._root is None:
            self._root = state_root(self)
        return self._root


def genesis_state(genesis: Genesis, config: LearnConfig, model_root: bytes) -> BeaconState:
    """Return the state of slot 0, in which round 0 is open. ``model_root`` names the first model, 32 bytes."""
    execution = ExecutionHeader(timestamp=genesis.time, model_root=model_root)
    registry = Registry.of_genesis(genesis)
    nobody = np.zeros(len(registry), np.uint8)
    nobody.flags.writeable = False
    body = root_of(BeaconBlockBody(execution=execution))
    return BeaconState(
        config=config,
        genesis_root=genesis.root,
        genesis_time=genesis.time,
        slot=0,
        registry=registry,
        header=Header(0, 0, ZERO, ZERO, body),
        block_roots=(ZERO,) * (ROOT_EPOCHS * config.slots_per_epoch),
        mixes=(genesis.mix,) * MIXES,
        justification=0,
        previous_justified=Check(0, ZERO),
        justified=Check(0, ZERO),
        finalized=Check(0, ZERO),
        previous=nobody,
        current=nobody,
        round=0,
        round_opened=0,
        round_open=True,
        commit=None,
        working_root=model_root,
        base_root=model_root,
        pending=(),
        slashings=(),
        execution_hash=hash_of(execution),
        execution_number=0,
        deposit_index=0,
    )


def block_root_of(state: BeaconState) -> bytes:
    """Return the root of the newest block in a state."""
    header = state.header
    return header.tree_root() if header.state != ZERO else header._replace(state=state.root).tree_root()


def state_root(state: BeaconState) -> bytes:
    """Return SHA-256 over the domain, and over every part in a form of fixed length; lists go in as their hash."""
    numbers = (
        state.slot,
        state.genesis_time,
        state.justification,
        state.previous_justified.epoch,
        state.justified.epoch,
        state.finalized.epoch,
        state.round,
        state.round_opened,
        state.round_open,
        state.execution_number,
        state.deposit_index,
    )
    pending = b"".join(
        item.update_id + _number(item.round) + _number(item.slot) + item.base + item.root for item in state.pending
    )
    slashings = b"".join(
        _number(item.validator) + sha256(item.reason.encode()).digest() + _number(item.slot) + item.evidence
        for item in state.slashings
    )
    lists = (b"".join(state.block_roots), b"".join(state.mixes), state.previous.tobytes(), state.current.tobytes())
    parts = [
        b"POL-AI/state/",
        *map(_number, numbers),
        state.genesis_root,
        state.registry.root,
        state.header.tree_root(),
        state.previous_justified.root,
        state.justified.root,
        state.finalized.root,
        ZERO if state.commit is None else root_of(state.commit),
        state.working_root,
        state.base_root,
        state.execution_hash,
        *(sha256(part).digest() for part in (*lists, pending, slashings)),
    ]
    return sha256(b"".join(parts)).digest()


def _number(value: int) -> bytes:
    return int(value).to_bytes(8, "little")
