"""Where a neural agent keeps things in its memory.

From the bottom: the packed observation right before the mailbox, so that both are one row as features see it; the
inputs and every layer's activations, 16 bits each; the outputs, 32 bits each; then the tables, which never change.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from engine.league.gate.limits import AGENT, PAGE
from engine.league.neural.errors import ModelError
from engine.league.neural.features import PACKED_BYTES, FeatureMap
from engine.league.neural.quantise import IntLayer
from engine.league.referee import MAX_OBSERVATION

LANES: Final = 8  # inputs that one instruction multiplies
MAILBOX: Final = 64
ROW: Final = MAILBOX - PACKED_BYTES
MAILBOX_BYTES: Final = MAX_OBSERVATION
_SLACK: Final = 16  # a vector may reach behind what it is for


def padded(count: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // LANES) * LANES


@dataclass(frozen=True, slots=True)
class Layout:
    """Addresses: ``values[k]`` are the inputs of layer k, the last ones the outputs."""

    values: tuple[int, ...]
    tables: int

    @property
    def outputs(self) -> int:
        """Where the outputs are, 32 bits each."""
        return self.values[-1]

    @classmethod
    def of(cls, features: FeatureMap, sizes: Sequence[int]) -> Layout:
        """Return the layout for layers of these sizes, inputs first."""
        at = MAILBOX + (MAILBOX_BYTES if features.mailbox else 0) + _SLACK
        values = []
        for size in sizes:
            values.append(at)
            at += 4 * padded(size) + _SLACK
        return cls(tuple(values), at)


class Tables:
    """The constants of an agent, gathered behind everything else; each begins at a multiple of 16."""

    def __init__(self, start: int) -> None:
        self._start = start
        self._content = bytearray()
        self._known: dict[bytes, int] = {}

    @property
    def content(self) -> bytes:
        """All tables."""
        return bytes(self._content)

    def add(self, table: bytes) -> int:
        """Return the address of a table, one for equal ones."""
        known = self._known.get(table)
        if known is None:
            known = self._known[table] = self._start + len(self._content)
            self._content += table + bytes(-len(table) % 16)
        return known

    def words(self, code: str, values: Sequence[int]) -> int:
        """Return the address of a table of numbers in the form of :mod:`struct`."""
        return self.add(struct.pack(f"<{len(values)}{code}", *values))

    def weights(self, layer: IntLayer) -> int:
        """Return the address of a layer's weights, output by output, each padded to whole vectors."""
        outputs, inputs = layer.weight.shape
        table = np.zeros((outputs, padded(inputs)), np.int8)
        table[:, :inputs] = layer.weight
        return self.add(table.tobytes())

    def pages(self) -> int:
        """Return how many pages of memory hold everything. Raises ModelError when an agent may not have as many."""
        end = self._start + len(self._content) + _SLACK
        pages = -(-end // PAGE)
        if pages > AGENT.memory_pages or len(self._content) + 64 > AGENT.data_bytes:
            limit = AGENT.memory_pages * PAGE
            why = f"it takes {end:,} bytes of memory, an agent has {limit:,}, at most {AGENT.data_bytes:,} of tables"
            raise ModelError("The model is too large for an agent", why, "Make its layers narrower.")
        return pages
