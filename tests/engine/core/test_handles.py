"""Of the handles of runs that are over a service keeps the newest; those at work stay, however old."""

from __future__ import annotations

from engine.core.handles import KEPT, Handles


class Run:
    def __init__(self, *, done: bool) -> None:
        self.done = done


def test_the_newest_that_are_over_stay_and_those_at_work() -> None:
    handles = Handles[Run](3)
    old = Run(done=False)
    handles.put(1, old)
    for number in range(2, 100):
        handles.put(number, Run(done=True))
    assert [number for number in range(1, 100) if handles.get(number)] == [1, 96, 97, 98, 99]
    assert handles.working() == [old]
    old.done = True
    handles.put(100, Run(done=False))
    assert handles.get(1) is None and len(handles) == 4


def test_a_run_that_is_resumed_is_the_newest() -> None:
    handles = Handles[Run]()
    again = Run(done=True)
    for number in range(KEPT):
        handles.put(number, Run(done=True))
    handles.put(0, again)
    handles.put(KEPT, Run(done=True))
    handles.put(KEPT + 1, Run(done=True))
    assert handles.get(0) is again and handles.get(1) is None
