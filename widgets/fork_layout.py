"""Blocks of a chain that forks, laid out while they come: a lane a branch, told by what is known so far."""

from __future__ import annotations

import bisect
from dataclasses import dataclass


@dataclass(slots=True)
class ForkBlock:
    """A block; ``state`` is proposed, orphaned or finalised, ``lane`` 0 the branch that was first."""

    root: str
    parent: str
    slot: int
    state: str
    lane: int = 0


class ForkLayout:
    """All blocks in the order of their slots. A child goes on in its parent's lane, a second one opens another."""

    def __init__(self) -> None:
        self.blocks: list[ForkBlock] = []
        self.of: dict[str, ForkBlock] = {}
        self.lanes = 1
        self.revision = 0
        self._ends: list[int] = [-1]  # the last slot in each lane
        self._gone_on: set[str] = set()  # blocks whose lane a child has taken

    def add(self, root: str, parent: str, slot: int, state: str) -> None:
        """Take a block, or what became of one."""
        known = self.of.get(root)
        if known is not None:
            if known.state != state:
                known.state = state
                self.revision += 1
            return
        made = ForkBlock(root, parent, slot, state, self._lane(parent, slot))
        self.of[root] = made
        bisect.insort(self.blocks, made, key=lambda block: block.slot)
        self._ends[made.lane] = max(self._ends[made.lane], slot)
        self.revision += 1

    def between(self, first: int, last: int) -> list[ForkBlock]:
        """Return the blocks of slots ``first`` to ``last``."""
        left = bisect.bisect_left(self.blocks, first, key=lambda block: block.slot)
        right = bisect.bisect_right(self.blocks, last, key=lambda block: block.slot)
        return self.blocks[left:right]

    def line(self, root: str, first: int) -> set[str]:
        """Return the roots from a block back to slot ``first``, and one more."""
        found: set[str] = set()
        block = self.of.get(root)
        while block is not None and block.root not in found:
            found.add(block.root)
            if block.slot < first:
                break
            block = self.of.get(block.parent)
        return found

    def _lane(self, parent: str, slot: int) -> int:
        above = self.of.get(parent)
        if above is None and not self.blocks:
            return 0
        if above is not None and parent not in self._gone_on and self._ends[above.lane] <= above.slot:
            self._gone_on.add(parent)
            return above.lane
        start = above.slot if above is not None else slot - 1
        for lane in range(1, len(self._ends)):
            if self._ends[lane] < start:
                return lane
        self._ends.append(-1)
        self.lanes = len(self._ends)
        return self.lanes - 1
