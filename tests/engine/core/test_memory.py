"""Memory goes back to the system: large blocks when they are freed, what lies between small ones when a job ended."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from engine.core.bus import EventBus
from engine.core.events import JobEnded
from engine.core.memory import GiveBack, give_back

glibc = pytest.mark.skipif(sys.platform != "linux", reason="the C library of Linux")

# Every second of many blocks is freed: what is left keeps the heap's end where it is.
SCATTER = """
import psutil
from engine.core.memory import give_back
rss = lambda: psutil.Process().memory_info().rss >> 20
blocks = [b"x" * 60_000 for _ in range(4_000)]
del blocks[::2]
before = rss()
assert give_back()
print(before - rss())
"""

# A large block that is freed raises glibc's own limit: the next ones lie in the heap, between small ones that stay.
LARGE = """
import sys, psutil
from engine.core.memory import keep_large_apart
assert sys.argv[1] == "0" or keep_large_apart()
rss = lambda: psutil.Process().memory_info().rss >> 20
first = b"x" * (24 << 20)
del first
before, large, small = rss(), [], []
for _ in range(8):
    large.append(b"x" * (8 << 20))
    small.append([b"x" * 60_000 for _ in range(4)])
large.clear()
print(rss() - before)
"""


def figure(code: str, *arguments: str) -> int:
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout)


@glibc
def test_what_lies_between_blocks_in_use_goes_back() -> None:
    assert figure(SCATTER) > 80  # of 114 MiB that are free


@glibc
def test_large_blocks_go_back_when_they_are_freed() -> None:
    assert figure(LARGE, "0") > 30  # as glibc does it: the test would see the difference
    assert figure(LARGE, "1") < 10


async def test_memory_is_given_back_beside_the_loop_when_jobs_ended() -> None:
    bus, threads, done = EventBus(), [], asyncio.Event()
    loop = asyncio.get_running_loop()

    def act() -> None:
        threads.append(threading.current_thread())
        loop.call_soon_threadsafe(done.set)

    memory = GiveBack(bus, period=3600, act=act)
    for number in range(50):
        bus.publish(JobEnded(number, "done", ""))
    await done.wait()
    bus.publish(JobEnded(50, "done", ""))  # soon after: not before the time is over
    await memory.close()
    bus.publish(JobEnded(51, "done", ""))
    await asyncio.sleep(0)
    assert len(threads) == 1 and threads[0] is not threading.main_thread()


def test_giving_back_harms_nothing_anywhere() -> None:
    assert give_back() in (True, False)
