"""When the collector of cycles looks at what: a pass over all that a large run holds is a stall that can be seen."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable

from engine.core.turns import own_turn

PERIOD = 0.5  # seconds between two looks at what is new
COHORT = 15_000  # objects that stayed, after which those are looked at together, some 5 ms, and left out from then on
AGE = 20  # and looks after which they are, however few
YOUNG = 5  # passes over the newest before one over those that survived them
NEVER = 1_000_000  # passes of the middle generation before Python would look at everything by itself
MUCH = 2_000_000  # new objects, perhaps 200 MB, after which all is looked through whatever goes on
LITTLE = 0.01  # of all objects: where a pass finds less, the next one waits for so many times as many
PATIENCE = 4
SOME = 100_000  # and after which it is once nothing goes on
CALM = 10  # looks in a row at which nothing went on


class Collector:
    """Looks through what is new in cohorts, then leaves it out; looks through everything when nothing goes on.

    Python's own full pass goes over all objects whenever a quarter of them is new. A chain of a thousand validators
    makes ten thousand a second that stay: passes of 20, 50, 150 and 400 ms that find next to nothing. Here each object
    is looked at while it is new, and again with its cohort, up to ten seconds later. Cycles that end later
    still wait for the full pass: that comes when no job ran for some seconds, and in any case when so much is new that
    memory might not stay bounded; where it finds next to nothing, that is to be more the next time.
    """

    def __init__(self, busy: Callable[[], bool]) -> None:
        self._busy = busy
        self._all = 0  # objects when everything was last looked through
        self._new = 0  # and since then
        self._calm = 0
        self._looks = 0  # since the last cohort was left out
        self._much = MUCH

    async def run(self) -> None:
        """Take the collector over, until cancelled."""
        before = gc.get_threshold()
        gc.freeze()
        self._all = gc.get_freeze_count()
        gc.set_threshold(before[0], YOUNG, NEVER)
        gc.enable()
        try:
            while True:
                await asyncio.sleep(PERIOD)
                await own_turn()
                self.look()
        finally:
            gc.set_threshold(*before)

    def look(self) -> bool:
        """Look through what is new; return whether everything was looked through."""
        self._calm = 0 if self._busy() else self._calm + 1
        self._looks += 1
        if self._looks >= AGE or self._calm >= CALM or len(gc.get_objects(generation=2)) >= COHORT:
            self._leave_out()
        if self._new < (SOME if self._calm >= CALM else max(self._much, self._all)):
            return False
        gc.unfreeze()
        found = gc.collect()
        gc.freeze()
        self._all, self._new = gc.get_freeze_count(), 0
        self._much = MUCH if found > LITTLE * self._all else PATIENCE * self._much
        return True

    def _leave_out(self) -> None:
        """Look once more at what stayed until now, and never again before the full pass."""
        self._looks = 0
        if gc.get_count()[2]:  # else next to nothing grew older
            gc.collect()
            self._new += len(gc.get_objects())
            gc.freeze()
