"""What every part of a run has in its hands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.learning.beacon.tree import BlockTree
from engine.learning.config import LearnConfig
from engine.learning.ports import Scheduler
from engine.learning.run.behaviour import Behaviours
from engine.learning.run.desk import Desk, Post
from engine.learning.run.gossip import Gossip
from engine.learning.run.keyring import Keyring
from engine.learning.run.library import Library

if TYPE_CHECKING:
    from engine.learning.run.watch import Watch


@dataclass(frozen=True, slots=True)
class Kit:
    """Settings, time, messages, questions, blocks, keys, faults, updates, and who watches."""

    config: LearnConfig
    scheduler: Scheduler
    gossip: Gossip
    desk: Desk
    post: Post
    tree: BlockTree
    keyring: Keyring
    faults: Behaviours
    library: Library
    watch: Watch

    @property
    def slot(self) -> int:
        """The slot that it is."""
        return int(self.scheduler.now / self.config.seconds_per_slot + 1e-9)  # a slot's own start belongs to it

    def start_of(self, slot: int, part: float = 0.0) -> float:
        """Return when a slot, or a part of it, begins."""
        return (slot + part) * self.config.seconds_per_slot
