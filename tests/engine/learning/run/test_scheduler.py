"""Time and order, without a clock and by one that passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.learning.config import LearnConfig
from engine.learning.errors import TrainingError
from engine.learning.run import scheduler as scheduling
from engine.learning.run.journal import Journal
from engine.learning.run.scheduler import LiveScheduler, SimScheduler, open_scheduler

CONFIG = LearnConfig()


async def value(what: Any, seconds: float = 0.0) -> Any:
    await asyncio.sleep(seconds)
    return what


async def until(scheduler: LiveScheduler, done: Callable[[], bool]) -> None:
    """Let a clock pass until something is so."""
    when = scheduler.now
    while not done():
        when += 1.0
        await scheduler.run_until(when)


async def failing() -> None:
    raise TrainingError("It failed")


@pytest.mark.parametrize("kind", [SimScheduler, LiveScheduler])
async def test_actions_run_in_the_order_of_their_times(kind: type[SimScheduler | LiveScheduler]) -> None:
    scheduler, seen = kind(), []
    if isinstance(scheduler, LiveScheduler):
        scheduler.set_speed(100.0)
    scheduler.at(2.0, seen.append, "c")
    scheduler.at(1.0, seen.append, "a")
    scheduler.at(1.0, seen.append, "b")
    scheduler.at(1.5, lambda: scheduler.at(0.5, seen.append, "late"))
    scheduler.at(4.0, seen.append, "never")
    await scheduler.run_until(4.0)
    assert seen == ["a", "b", "late", "c"]
    assert scheduler.now >= 4.0
    await scheduler.close()


@pytest.mark.parametrize("kind", [SimScheduler, LiveScheduler])
async def test_an_action_in_pieces_lets_the_loop_go_on_and_no_other_action(
    kind: type[SimScheduler | LiveScheduler], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scheduling, "BREATH", -1.0)  # every piece is long enough
    scheduler, seen, turns = kind(), [], []
    if isinstance(scheduler, LiveScheduler):
        scheduler.set_speed(100.0)

    async def window() -> None:
        while True:
            turns.append(len(seen))
            await asyncio.sleep(0)

    def pieces() -> Iterator[None]:
        for number in range(3):
            seen.append((scheduler.now, number))
            yield
        scheduler.at(0.0, seen.append, "planned by it")
        seen.append("end")

    beside = asyncio.create_task(window())
    scheduler.at(1.0, pieces)
    scheduler.at(1.0, seen.append, "other")
    await scheduler.run_until(2.0)
    beside.cancel()
    assert seen == [(1.0, 0), (1.0, 1), (1.0, 2), "end", "other", "planned by it"]
    assert {1, 2, 3} <= set(turns)
    await scheduler.close()


async def test_simulated_time_does_not_pass_while_work_is_done() -> None:
    scheduler, seen = SimScheduler(), []
    scheduler.ask("one", lambda: value(5, 0.01), lambda got: seen.append((scheduler.now, got)), seconds=3.0)
    scheduler.ask("two", lambda: value(7), lambda got: seen.append((scheduler.now, got)), seconds=lambda got: got / 7)
    scheduler.ask("bad", failing, lambda got: seen.append((scheduler.now, type(got))), seconds=9.0)
    scheduler.at(2.0, lambda: seen.append((scheduler.now, "between")))
    await scheduler.run_until(100.0)
    assert seen == [(1.0, 7), (2.0, "between"), (3.0, 5), (9.0, TrainingError)]


async def test_a_name_is_asked_once() -> None:
    for scheduler in (SimScheduler(), LiveScheduler()):
        scheduler.ask("one", lambda: value(1), lambda got: None)
        with pytest.raises(ValueError, match="two questions"):
            scheduler.ask("one", lambda: value(1), lambda got: None)
        await scheduler.close()


@pytest.mark.parametrize("kind", [SimScheduler, LiveScheduler])
async def test_what_is_no_expected_failure_ends_the_run(kind: type[SimScheduler | LiveScheduler]) -> None:
    async def broken() -> None:
        raise ZeroDivisionError

    scheduler = kind()
    scheduler.ask("one", broken, lambda got: None)
    with pytest.raises(ZeroDivisionError):
        await scheduler.run_until(5.0)
    await scheduler.close()


async def test_a_clock_that_passes_works_beside() -> None:
    scheduler, seen, five = LiveScheduler(speed=50.0), [], asyncio.Event()

    async def slow() -> str:
        await five.wait()
        return "slow"

    scheduler.ask("slow", slow, seen.append)
    scheduler.ask("quick", lambda: value("quick"), seen.append)
    scheduler.at(5.0, lambda: (seen.append("five"), five.set()))
    await until(scheduler, lambda: len(seen) == 3)
    assert seen == ["quick", "five", "slow"]
    await scheduler.close()


async def test_a_paused_clock_stands() -> None:
    scheduler, seen = LiveScheduler(speed=100.0), []
    scheduler.at(1.0, seen.append, 1)
    scheduler.pause()
    task = asyncio.create_task(scheduler.run_until(2.0))
    await asyncio.sleep(0.1)
    assert (scheduler.now, seen) == (0.0, [])
    scheduler.set_speed(1000.0)
    scheduler.resume()
    await task
    assert seen == [1]
    await scheduler.close()


async def test_between_two_runs_the_clock_stands() -> None:
    scheduler = LiveScheduler(speed=100.0)
    await scheduler.run_until(1.0)
    before = scheduler.now
    await asyncio.sleep(0.05)
    assert scheduler.now == before
    await scheduler.close()


async def test_close_ends_the_work_that_is_under_way() -> None:
    scheduler = LiveScheduler(speed=1000.0)
    scheduler.ask("endless", lambda: value(1, 3600.0), lambda got: None)
    await scheduler.run_until(1.0)
    await scheduler.close()
    assert len(asyncio.all_tasks()) == 1


async def played(scheduler: SimScheduler | LiveScheduler, stop: float, act: bool) -> list[Any]:
    """Play something whose course hangs on answers, their times and an operator's act."""
    seen: list[Any] = []
    scheduler.on_act = lambda name, given: seen.append((name, given))

    def ask(number: int) -> None:
        scheduler.ask(f"work/{number}", lambda: value(number, 0.003 * (number % 3)), lambda got: told(got), seconds=0.7)

    def told(got: int) -> None:
        seen.append(got)
        if got < 8:
            scheduler.at(scheduler.now + 0.5, ask, got + 2)

    ask(0)
    ask(1)
    for when in range(1, int(stop) + 1):
        await scheduler.run_until(float(when))
        if when == 3 and act:
            scheduler.act("push", (when, b"bytes"))
    await scheduler.close()
    return seen


@pytest.mark.parametrize("live", [False, True])
async def test_a_record_is_played_again_to_the_same_course(live: bool, tmp_path: Path) -> None:
    def fresh(journal: Journal) -> SimScheduler | LiveScheduler:
        return LiveScheduler(journal, 40.0) if live else SimScheduler(journal)

    with Journal.open(tmp_path / "journal", CONFIG) as journal:
        whole = await played(fresh(journal), 30.0, act=True)
    assert sorted(item for item in whole if isinstance(item, int)) == list(range(10))
    with Journal.open(tmp_path / "journal", CONFIG) as journal:
        assert await played(fresh(journal), 30.0, act=False) == whole
        assert journal.unused == 0


async def test_what_was_under_way_is_asked_again(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "journal", CONFIG) as journal:
        first = LiveScheduler(journal, 100.0)
        done: list[str] = []
        first.ask("done", lambda: value("done"), done.append)
        first.ask("cut", lambda: value("never", 3600.0), lambda got: None)
        await until(first, lambda: bool(done))
        first.mark(0, "00")
        await first.close()
    with Journal.open(tmp_path / "journal", CONFIG) as journal:
        second, seen = LiveScheduler(journal, 100.0), []
        second.ask("done", lambda: value("again"), seen.append)
        second.ask("cut", lambda: value("again", 0.01), seen.append)
        await until(second, lambda: len(seen) == 2)
        assert seen == ["done", "again"]
        await second.close()


def test_the_settings_say_which_clock() -> None:
    assert isinstance(open_scheduler(CONFIG), SimScheduler)
    live = open_scheduler(CONFIG.changed(clock="scaled", speed=4.0))
    assert isinstance(live, LiveScheduler)
    assert live._speed == 4.0
    wall = open_scheduler(CONFIG.changed(clock="wall", speed=4.0))
    assert isinstance(wall, LiveScheduler)
    assert wall._speed == 1.0
