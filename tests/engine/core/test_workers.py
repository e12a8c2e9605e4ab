"""Worker processes: killed in the middle of anything, they take nobody along and nobody waits for them."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from engine.core.workers import WorkerEndedError, Workers

LARGE = 4 << 20  # an answer of so many bytes takes many reads of a pipe


def answer(size: int) -> bytes:
    """Return so many bytes."""
    return bytes(size)


def note(path: Path, seconds: float) -> int:
    """Say that work began, by a file, and do it."""
    path.touch()
    time.sleep(seconds)
    return os.getpid()


class OddError(Exception):
    """One that does not come back from a pipe."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("odd")


def odd(number: int) -> None:
    """Fail."""
    raise OddError(number, number)


class Strange:
    """Nothing that goes through a pipe."""

    def __reduce__(self) -> str:
        raise ValueError("stays here")


async def test_orders_go_to_who_has_least_to_do(tmp_path: Path) -> None:
    workers = Workers(2)
    assert (workers.count, workers.pids) == (2, [])
    first = await workers.run(os.getpid)
    assert await workers.run(os.getpid) == first, "one is enough for one after the other"
    both = await asyncio.gather(*(workers.run(note, tmp_path / str(number), 0.2) for number in range(2)))
    assert set(both) == set(workers.pids)
    assert len(set(both)) == 2
    await workers.close()
    assert not any(psutil.pid_exists(pid) for pid in both)


async def test_they_have_one_thread_each() -> None:
    workers = Workers(1)
    assert await workers.run(os.getenv, "OMP_NUM_THREADS") == "1"
    await workers.close()


async def test_a_killed_one_loses_its_orders_alone(tmp_path: Path) -> None:
    workers = Workers(2)
    slow = [asyncio.create_task(workers.run(note, tmp_path / str(number), 2.0)) for number in range(2)]
    while len(list(tmp_path.iterdir())) < 2:
        await asyncio.sleep(0.01)
    killed = workers.kill_one()
    done = await asyncio.gather(*slow, return_exceptions=True)
    assert sorted(isinstance(value, WorkerEndedError) for value in done) == [False, True]
    assert killed not in done
    assert workers.ended == 1
    assert killed not in {await workers.run(os.getpid) for _ in range(3)}
    await workers.close()


async def test_one_that_is_killed_within_its_answer_is_not_waited_for() -> None:
    """The rest of an answer never comes: what reads it must hear of the end, and closing must come to its own."""
    rng = random.Random(5)
    for _ in range(12):
        workers = Workers(1)
        await workers.run(os.getpid)
        asked = asyncio.create_task(workers.run(answer, LARGE))
        await asyncio.sleep(rng.uniform(0, 0.006))
        if rng.random() < 0.5:
            workers.kill_one()
            await asyncio.gather(asked, return_exceptions=True)
            assert await workers.run(answer, 5) == bytes(5)
        await asyncio.wait_for(workers.close(), 60)
        await asyncio.gather(asked, return_exceptions=True)


async def test_what_fails_comes_back_and_the_worker_goes_on() -> None:
    workers = Workers(1)
    pid = await workers.run(os.getpid)
    with pytest.raises(FileNotFoundError):
        await workers.run(os.listdir, "no such folder")
    with pytest.raises(ValueError, match="stays here"):
        await workers.run(repr, Strange())
    with pytest.raises(RuntimeError, match="Odd"):
        await workers.run(odd, 1)
    with pytest.raises(RuntimeError, match="SystemExit"):
        await workers.run(sys.exit, 3)
    assert await workers.run(os.getpid) == pid
    assert workers.ended == 0
    await workers.close()
    with pytest.raises(WorkerEndedError, match="closed"):
        await workers.run(os.getpid)


async def test_dropped_ones_end_their_work_and_others_take_their_place(tmp_path: Path) -> None:
    workers = Workers(1, 2)
    working = asyncio.create_task(workers.run(note, tmp_path / "begun", 0.3))
    while not (tmp_path / "begun").exists():
        await asyncio.sleep(0.01)
    workers.drop()
    fresh = await workers.run(os.getpid)
    assert await working != fresh
    await workers.close()


def test_another_loop_may_ask_the_same_workers() -> None:
    workers = Workers(1)
    first, second = (asyncio.run(workers.run(os.getpid)) for _ in range(2))
    assert first == second
    asyncio.run(workers.close())


def test_a_program_that_closes_nothing_ends_all_the_same() -> None:
    script = """if __name__ == "__main__":
        import asyncio, os
        from engine.core.workers import Workers
        print(asyncio.run(Workers(1).run(os.getpid)))"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert not psutil.pid_exists(int(done.stdout))
    assert done.stderr == ""
