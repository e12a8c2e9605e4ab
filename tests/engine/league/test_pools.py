"""The local worker processes: resized, replaced when they die, and replaced when one cannot play."""

from __future__ import annotations

import os
import resource
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from engine.league.errors import LeagueError
from engine.league.play import PlayBatch, play_batch
from engine.league.pools import LocalPool
from engine.league.schedule import Fixture

GROWS = (
    '(module (memory 1) (func (export "decide") (param i64) (result i64)'
    " (if (i32.eq (memory.grow (i32.const 40)) (i32.const -1)) (then unreachable)) (i64.const 1)))"
)


def starve() -> int:
    """Take this process every chance of more memory; return which one it is."""
    used = int(Path("/proc/self/statm").read_text("ascii").split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (used - (1 << 20), resource.RLIM_INFINITY))
    return os.getpid()


@pytest.fixture
def batch(arena, tmp_path: Path) -> PlayBatch:
    system, agent = arena.system(steps=1), arena.agent(GROWS)
    return PlayBatch(system, {0: agent}, 1_000_000, tmp_path, fixtures=tuple(Fixture(n, 0, None, n) for n in range(3)))


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit data so")
async def test_what_one_process_cannot_play_another_does(batch: PlayBatch, arena) -> None:
    pool = LocalPool()
    try:
        rows = play_batch(batch)
        await pool.play(replace(batch, agents={0: arena.agent(arena.one)}))
        starved = await pool.run(starve)
        with pytest.raises(LeagueError, match=r"HOST_MEMORY|SETUP|no memory"):
            await pool.run(play_batch, batch)
        assert await pool.play(batch) == rows
        assert await pool.run(os.getpid) == starved, "the pool itself goes on"
    finally:
        await pool.close()


async def test_a_dead_worker_is_told_and_replaced(batch: PlayBatch) -> None:
    pool = LocalPool()
    try:
        rows = await pool.play(batch)
        with pytest.raises(LeagueError, match="ended unexpectedly"):
            await pool.run(os._exit, 9)
        assert await pool.play(batch) == rows
        pool.resize(2)
        assert (await pool.play(batch), pool.size) == (rows, 2)
    finally:
        await pool.close()
