"""Live runs: real processes that are watched, paused, stepped, slowed, cancelled and killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import psutil
import pytest

from engine.core.bus import EventBus
from engine.core.errors import EngineError
from engine.core.events import JobEnded, from_json
from engine.core.jobs import Jobs
from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError
from engine.games.events import GameRunEnded, GameRunStarted
from engine.games.games import Game, MatrixGame, as_game
from engine.games.live import GameRuns, LiveRun
from engine.games.live_worker import Frame, RunRequest, choose_curves
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.results import Status
from engine.games.solve import Solving, solve
from engine.games.trace import TraceDigest

LEAN = MatrixGame(np.array([[3.0, 0.0, -3.0], [0.0, 3.0, -4.0], [0.0, 0.0, 1.0]]))
ENDLESS = SolveOptions(epsilon=1e-300, iterations=10_000_000, stride=1)


class Watched:
    """A field of live runs and everything that it told."""

    def __init__(self) -> None:
        self.bus = EventBus()
        self.jobs = Jobs(self.bus)
        self.runs = GameRuns(self.bus, self.jobs)
        self.frames: list[Frame] = []
        self.events: list[GameRunStarted | GameRunEnded] = []
        self.bus.subscribe(self.events.append, GameRunStarted, GameRunEnded)

    async def start(self, game: Game, method: str = "rm", options: SolveOptions = ENDLESS, **more: Any) -> LiveRun:
        return await self.runs.start(RunRequest(game, method, options, **more), self.frames.append)

    async def until(self, told: int) -> None:
        """Wait for so many steps to be told."""
        async with asyncio.timeout(60):
            while sum(len(frame.iterations) for frame in self.frames) < told:
                await asyncio.sleep(0.01)


@asynccontextmanager
async def watched() -> AsyncIterator[Watched]:
    field = Watched()
    try:
        yield field
    finally:
        await field.runs.close()
        await field.jobs.close()


def children() -> list[psutil.Process]:
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # one that ended and waits to be collected has no command line
            found += [child] if "spawn_main" in " ".join(child.cmdline()) else []
    return found


async def test_a_run_tells_every_step_and_gives_what_solve_gives() -> None:
    options = SolveOptions(epsilon=1e-4, stride=1, seed=3)
    async with watched() as field:
        run = await field.start(LEAN, "prm+", options)
        solution = await run.solution()
        assert run.state == "done"
    expected = solve(LEAN, "prm+", options)
    assert solution.status is expected.status is Status.SOLVED
    assert solution.iterations == expected.iterations
    for ours, theirs in zip(solution.equilibria[0].profile, expected.equilibria[0].profile, strict=True):
        assert np.array_equal(ours, theirs)
    steps = list(Solving(LEAN, method_for(LEAN, "prm+"), options))
    told = np.concatenate([frame.iterations for frame in field.frames])
    gaps = np.concatenate([frame.gaps for frame in field.frames])
    curves = np.concatenate([frame.curves for frame in field.frames])
    assert told.tolist() == [step.iteration for step in steps]
    assert gaps.tolist() == [step.gap for step in steps]
    assert run.curves == tuple((player, action) for player in range(2) for action in range(3))
    assert np.array_equal(curves, [np.concatenate(step.profile) for step in steps])
    digest = TraceDigest()
    for step in steps:
        digest.update(step)
    assert run.trace_hash == digest.hexdigest()
    started, ended = field.events
    assert (started.method, started.seed) == ("prm+", 3)  # type: ignore[union-attr]
    assert isinstance(ended, GameRunEnded)
    assert (ended.status, ended.iterations, ended.trace_hash) == ("solved", solution.iterations, run.trace_hash)
    assert from_json(ended.to_json()) == ended


async def test_speed_pauses_and_steps_do_not_change_the_trace() -> None:
    options = SolveOptions(epsilon=1e-300, iterations=40, stride=1)
    hashes = []
    async with watched() as field:
        fast = await field.start(LEAN, "mwu", options)
        await fast.solution()
        hashes.append(fast.trace_hash)
        field.frames.clear()
        slow = await field.start(LEAN, "mwu", options, paused=True)
        slow.step()
        await field.until(1)
        slow.step(4)
        await field.until(5)
        await asyncio.sleep(0.2)
        assert sum(len(frame.iterations) for frame in field.frames) == 5, "it must wait"
        assert slow.state == "paused"
        slow.set_speed(100)
        started = time.monotonic()
        slow.resume()
        await slow.solution()
        assert time.monotonic() - started >= 0.3, "35 steps at 100 a second"
        hashes.append(slow.trace_hash)
        started = time.monotonic()
        paced = await field.start(LEAN, "mwu", options, speed=100.0)
        await paced.solution()
        assert time.monotonic() - started >= 0.39, "40 steps at 100 a second, from the first on"
        hashes.append(paced.trace_hash)
    assert hashes[0] == hashes[1] == hashes[2] != ""


async def test_cancel_gives_the_best_so_far_and_leaves_no_process() -> None:
    async with watched() as field:
        run = await field.start(LEAN, "replicator")
        await field.until(10)
        started = time.monotonic()
        solution = await run.cancel()
        assert time.monotonic() - started < 2
        assert solution.status is Status.CANCELLED
        assert solution.equilibria
        assert solution.iterations >= 10
        assert run.state == "cancelled"
        assert (await run.cancel()).status is Status.CANCELLED, "twice does no harm"
        assert not children()
        run.pause()
        run.step()


async def test_a_run_cancelled_before_its_process_is_there() -> None:
    async with watched() as field:
        run = await field.start(LEAN)
        solution = await run.cancel()
        assert solution.status is Status.CANCELLED
        assert not children()


async def test_a_step_that_takes_too_long_is_not_waited_for() -> None:
    """A stopped process stands for one that computes for minutes."""
    async with watched() as field:
        run = await field.start(LEAN)
        await field.until(1)
        os.kill(children()[0].pid, signal.SIGSTOP)
        started = time.monotonic()
        solution = await run.cancel()
        assert time.monotonic() - started < 3
        assert solution.status is Status.CANCELLED
        assert solution.equilibria, "from the last frame"
        assert not children()


async def test_a_killed_process_is_an_error_that_says_so() -> None:
    async with watched() as field:
        ends: list[JobEnded] = []
        field.bus.subscribe(ends.append, JobEnded)
        run = await field.start(LEAN)
        await field.until(1)
        children()[0].kill()
        with pytest.raises(EngineError, match="The run was lost"):
            await run.solution()
        assert run.state == "failed"
        await asyncio.sleep(0.05)
        assert field.events[-1].to_json()["status"] == "failed"
        assert [end.outcome for end in ends] == ["failed"]


async def test_several_runs_work_at_once_and_close_ends_them_all() -> None:
    async with watched() as field:
        runs = [await field.start(LEAN, method) for method in ("rm", "rm+", "fictitious-play")]
        await field.until(100)
        assert len(field.runs.running) == 3
        await field.runs.close()
        assert {run.state for run in runs} == {"cancelled"}
        assert not field.runs.running
        assert not children()


async def test_a_method_that_does_not_fit_and_a_broken_request_are_refused() -> None:
    async with watched() as field:
        with pytest.raises(GameError, match="howson"):
            await field.start(LEAN, "howson")
        assert not field.events
        run = await field.start(LEAN, "rm", SolveOptions(device="cuda"))
        with pytest.raises(GameError, match="does not run on cuda"):
            await run.solution()


async def test_a_game_larger_than_a_pipe_gets_there() -> None:
    """A million payoffs; the profile is told whole, the curves are the most promising actions."""
    game = MatrixGame(np.random.default_rng(0).random((1000, 1000)))
    async with watched() as field:
        run = await field.start(game, "rm+", SolveOptions(iterations=20, stride=1))
        await run.solution()
    assert len(run.curves) == 24
    profile = field.frames[-1].profile
    assert profile is not None
    assert [len(part) for part in profile] == [1000, 1000]


def test_the_curves_worth_watching() -> None:
    assert choose_curves(as_game(np.eye(2), np.eye(2))) == ((0, 0), (0, 1), (1, 0), (1, 1))
    game = MatrixGame(np.arange(40.0)[:, None] * np.ones((1, 40)))
    assert choose_curves(game)[:12] == tuple((0, row) for row in range(28, 40))
    assert choose_curves(ConsensusGame(np.zeros((100, 64)))) == tuple((agent, 0) for agent in range(24))
