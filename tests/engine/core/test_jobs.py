import asyncio
import time

import pytest

from engine.core.bus import EventBus
from engine.core.errors import UsageError
from engine.core.events import JobEnded
from engine.core.jobs import Jobs


def recorded():
    bus, seen = EventBus(), []
    bus.subscribe(seen.append)
    return Jobs(bus), seen


async def test_progress_and_result():
    jobs, seen = recorded()

    async def work(job):
        job.progress(1, 2, "half")
        return 42

    assert await jobs.start("answer", work).result() == 42
    assert [event.kind for event in seen] == ["job.started", "job.progressed", "job.ended"]
    assert seen[-1] == JobEnded(1, "done", "")


async def test_cancel_works_within_two_seconds():
    jobs, seen = recorded()

    async def work(job):
        await asyncio.sleep(3600)

    job = jobs.start("sleep", work)
    await asyncio.sleep(0)
    began = time.monotonic()
    job.cancel()
    with pytest.raises(asyncio.CancelledError):
        await job.result()
    assert time.monotonic() - began < 2
    assert seen[-1].outcome == "cancelled"
    assert jobs.get(job.job_id) is None


async def test_an_expected_failure_says_why():
    jobs, seen = recorded()

    async def work(job):
        raise UsageError("Wrong", "because", "Do better")

    with pytest.raises(UsageError):
        await jobs.start("fail", work).result()
    assert seen[-1] == JobEnded(1, "failed", "Wrong: because. Do better.")


@pytest.mark.expects_log
async def test_what_the_disk_refuses_is_no_fault_of_the_program(caplog):
    jobs, seen = recorded()

    async def work(job):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        await jobs.start("write", work).result()
    assert seen[-1] == JobEnded(1, "failed", "[Errno 28] No space left on device")
    assert [record.levelname for record in caplog.records] == ["WARNING"]


async def test_close_ends_all():
    jobs, seen = recorded()

    async def work(job):
        await asyncio.sleep(3600)

    for _ in range(3):
        jobs.start("sleep", work)
    await asyncio.sleep(0)
    await jobs.close()
    assert [event.outcome for event in seen if isinstance(event, JobEnded)] == ["cancelled"] * 3
