"""The bridge: few flushes, owned tasks, failures told in the fitting way."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from app.bridge import Bridge
from app.errors import Notice, notice_of
from app.viewmodels.base import ViewModel
from app.viewmodels.jobs import JobsViewModel
from engine.core.bus import EventBus
from engine.core.errors import DependencyError, EngineError
from engine.core.events import JobEnded, JobProgressed, JobStarted, LogLine
from engine.core.jobs import Jobs


class Told:
    """Collects what the bridge says."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.crashes: list[BaseException] = []
        self.bus = EventBus()
        self.bridge = Bridge(
            self.bus, notify=self.notices.append, crash=lambda error, where: self.crashes.append(error)
        )


@dataclass(frozen=True)
class Count:
    n: int = 0


async def test_many_changes_are_few_flushes() -> None:
    told = Told()
    model = ViewModel(told.bridge, Count())
    seen: list[int] = []
    model.observe(lambda state: seen.append(state.n))
    end = time.monotonic() + 0.5
    n = 0
    while time.monotonic() < end:
        n += 1
        model.update(n=n)
        await asyncio.sleep(0.001)
    await asyncio.sleep(0.1)
    assert seen[0] == 0
    assert seen[-1] == n
    assert 5 <= len(seen) <= 0.6 * 30 + 3
    await told.bridge.close()


async def test_an_equal_state_is_no_change() -> None:
    told = Told()
    model = ViewModel(told.bridge, Count())
    seen: list[int] = []
    model.observe(lambda state: seen.append(state.n))
    model.update(n=0)
    await asyncio.sleep(0.06)
    assert seen == [0]
    await told.bridge.close()


@pytest.mark.expects_log
async def test_failures_reach_the_operator() -> None:
    told = Told()

    async def refuse() -> None:
        raise EngineError("It failed", "the moon is full", "Try later")

    async def bug() -> None:
        raise ZeroDivisionError("oops")

    told.bridge.spawn(refuse(), "Doing it", key="it")
    told.bridge.spawn(bug(), "Doing that")
    await asyncio.sleep(0.02)
    assert [(n.kind, n.title, n.text, n.next_step, n.key) for n in told.notices] == [
        ("error", "It failed", "The moon is full.", "Try later.", "it")
    ]
    assert [repr(error) for error in told.crashes] == ["ZeroDivisionError('oops')"]
    await told.bridge.close()


async def test_closing_ends_what_runs_and_what_is_heard() -> None:
    told = Told()
    heard: list[LogLine] = []
    told.bridge.subscribe(heard.append, LogLine)
    task = told.bridge.spawn(asyncio.sleep(60), "Waiting")
    await asyncio.sleep(0)
    await told.bridge.close()
    told.bus.publish(LogLine("info", "x", "late"))
    assert task.cancelled()
    assert heard == []
    assert told.bridge.busy == 0


def test_notices_read_well() -> None:
    assert notice_of(DependencyError("Anvil was not found", "tried /a, /b", "run make")).kind == "warn"
    full = notice_of(OSError(28, "No space left on device", "/data/x"))
    assert (full.title, full.text) == ("The disk is full", "/data/x")


async def test_a_job_shows_after_a_second_and_can_be_stopped() -> None:
    told = Told()
    jobs = Jobs(told.bus)
    model = JobsViewModel(told.bridge, jobs)
    job = jobs.start("Long work", lambda context: asyncio.sleep(60))
    short = jobs.start("Short work", lambda context: asyncio.sleep(0.05))
    await asyncio.sleep(0.7)
    assert short.done
    assert model.state.jobs == ()
    await asyncio.sleep(0.9)
    (shown,) = model.state.jobs
    assert (shown.title, shown.cancelling) == ("Long work", False)
    assert shown.elapsed >= 1
    start = time.monotonic()
    model.cancel(shown.job_id)
    assert model.state.jobs[0].cancelling
    with pytest.raises(asyncio.CancelledError):
        await job.result()
    assert time.monotonic() - start < 2
    assert model.state.jobs == ()
    await told.bridge.close()


async def test_a_job_that_counts_quickly_is_shown_at_most_ten_times_a_second(monkeypatch: Any) -> None:
    told, clock = Told(), [100.0]
    monkeypatch.setattr("app.viewmodels.jobs.time", SimpleNamespace(monotonic=lambda: clock[0]))
    model = JobsViewModel(told.bridge, Jobs(told.bus))
    told.bus.publish(JobStarted(1, "Long work", True))
    shown = []
    for done in range(1, 201):  # a hundred a second, from its second second on
        clock[0] = 101.0 + done / 100
        told.bus.publish(JobProgressed(1, done, 200, ""))
        shown += [model.state.jobs[0].done] if model.state.jobs else []
    assert 15 <= len(set(shown)) <= 21
    told.bus.publish(JobEnded(1, "done", ""))
    assert model.state.jobs == ()
    await told.bridge.close()


async def test_every_observer_hears_in_a_turn_of_its_own() -> None:
    told = Told()
    model = ViewModel(told.bridge, Count())
    heard: list[tuple[str, int, int]] = []
    turn = 0

    def count() -> None:
        nonlocal turn, handle
        turn += 1
        handle = asyncio.get_running_loop().call_soon(count)

    handle = asyncio.get_running_loop().call_soon(count)
    for name in "ab":
        model.observe(lambda state, name=name: heard.append((name, state.n, turn)))
    leave = model.observe(lambda state: heard.append(("left", state.n, turn)))
    heard.clear()
    model.update(n=1)
    leave()
    await asyncio.sleep(0.2)
    handle.cancel()
    assert [entry[:2] for entry in heard] == [("a", 1), ("b", 1)]
    assert heard[0][2] < heard[1][2]
    await told.bridge.close()


async def test_what_breaks_one_observer_keeps_no_other_from_its_state() -> None:
    told = Told()
    model = ViewModel(told.bridge, Count())
    seen: list[int] = []

    def broken(state: Count) -> None:
        if state.n:
            raise ZeroDivisionError("oops")

    model.observe(broken)
    model.observe(lambda state: seen.append(state.n))
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: faults.append(context["exception"]))
    for n in (1, 2):
        model.update(n=n)
        await asyncio.sleep(0.2)
    assert seen == [0, 1, 2]
    assert [repr(fault) for fault in faults] == ["ZeroDivisionError('oops')"] * 2
    await told.bridge.close()
