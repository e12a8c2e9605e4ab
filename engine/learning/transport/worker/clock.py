"""From the chain's clock to the DHT's, which is the machine's."""

from __future__ import annotations

import time
from dataclasses import dataclass

PAUSE = 86_400.0  # seconds: a run may stand still for a day, and its records must still be there


@dataclass(frozen=True, slots=True)
class DhtClock:
    """``origin`` is the DHT's time at the chain's time 0, ``speed`` the chain's seconds in one of the machine's.

    Hivemind drops a record a day after the chain's clock, had it never been paused, would have ended it: the true end
    is in the record, and nodes sweep by it. All nodes compute the same time, so that they can tell who cheats.
    """

    origin: float
    speed: float

    @classmethod
    def starting(cls, now: float, speed: float) -> DhtClock:
        """Return the clock of nodes that start at a time of the chain."""
        return cls(time.time() - now / speed, speed)

    def expiration(self, expiry: float) -> float:
        """Return hivemind's expiration time of a record that expires at a time of the chain."""
        return self.origin + expiry / self.speed + PAUSE

    def agrees(self, expiration: float, expiry: float) -> bool:
        """Return whether an expiration time is the one that belongs to an expiry."""
        return abs(expiration - self.expiration(expiry)) < 1e-3
