"""The collector: what is new is looked at once, all of it when nothing goes on, and cycles do not pile up."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from app import collector
from app.collector import AGE, CALM, COHORT, NEVER, PATIENCE, SOME, Collector

MUCH = 400_000


class Knot:
    """What only the collector can end."""

    def __init__(self) -> None:
        self.self = self


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = gc.get_threshold()
    gc.set_threshold(before[0], before[1], NEVER)
    gc.collect()
    gc.freeze()
    yield
    gc.set_threshold(*before)
    gc.unfreeze()
    gc.collect()


def older() -> None:
    """Let a pass of the middle generation happen."""
    gc.collect(1)


def test_a_cycle_that_is_new_ends_at_the_next_look() -> None:
    knot = weakref.ref(Knot())
    older()
    Collector(lambda: True).look()
    assert knot() is None


def test_one_that_ends_later_waits_until_nothing_goes_on() -> None:
    jobs = [1]
    seen = Collector(lambda: bool(jobs))
    knot = Knot()
    end = weakref.ref(knot)
    many = [[] for _ in range(SOME)]
    older()
    assert not seen.look()
    del knot
    older()
    assert not seen.look()
    assert end() is not None
    jobs.clear()
    looks = [seen.look() for _ in range(CALM + 1)]
    assert looks == [False] * (CALM - 1) + [True, False]
    assert end() is None
    assert len(many) == SOME


def test_a_cycle_that_ends_within_its_cohort_ends_with_it() -> None:
    seen = Collector(lambda: True)
    few, many = Knot(), Knot()
    ends = weakref.ref(few), weakref.ref(many)
    older()
    seen.look()
    del few
    for _ in range(AGE - 2):
        seen.look()
    assert ends[0]() is not None
    seen.look()
    assert ends[0]() is None
    assert gc.get_freeze_count()
    del many  # it has been left out
    seen.look()
    cohort = [[] for _ in range(COHORT)]
    late = Knot()
    end = weakref.ref(late)
    older()
    del late
    assert not seen.look()
    assert end() is None
    assert ends[1]() is not None
    assert len(cohort) == COHORT


def test_a_pass_over_all_is_put_off_where_the_last_one_found_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "MUCH", SOME)
    seen = Collector(lambda: True)
    kept = [[] for _ in range(SOME)]
    older()
    assert seen.look()
    seen._all = 0
    for _ in range(PATIENCE - 1):
        kept.extend([] for _ in range(SOME))
        older()
        assert not seen.look()
    kept.extend([] for _ in range(SOME + COHORT))
    older()
    assert seen.look()


def test_work_without_end_does_not_keep_cycles_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "MUCH", MUCH)
    seen = Collector(lambda: True)
    knot = Knot()
    end = weakref.ref(knot)
    older()
    seen.look()
    del knot
    many = [[] for _ in range(MUCH)]
    older()
    assert seen.look()
    assert end() is None
    assert len(many) == MUCH


async def test_it_takes_over_and_gives_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collector, "PERIOD", 0.01)
    gc.set_threshold(700, 10, 10)
    task = asyncio.create_task(Collector(lambda: False).run())
    await asyncio.sleep(0.1)
    assert gc.get_threshold()[2] == NEVER
    knot = weakref.ref(Knot())
    older()
    async with asyncio.timeout(60):
        while knot() is not None:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert gc.get_threshold() == (700, 10, 10)
