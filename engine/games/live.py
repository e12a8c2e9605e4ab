"""Live runs: a method works in a process of its own while the loop watches, pauses, steps and cancels it."""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from engine.core.bus import EventBus
from engine.core.errors import EngineError
from engine.core.jobs import Job, JobContext, Jobs
from engine.core.process import use_one_thread
from engine.core.turns import own_turn
from engine.games.events import GameRunEnded, GameRunStarted
from engine.games.live_worker import FRAME_S, Curve, Frame, RunRequest, serve
from engine.games.methods import method_for
from engine.games.results import Equilibrium, Solution, Status
from engine.games.verify import gap_of

CANCEL_S = 1.5  # a step that takes longer is not waited for
_ENDED = ("done", "cancelled", "failed")
OnFrame = Callable[[Frame], None]


class LiveRun:
    """One method at work on one game. Made by :meth:`GameRuns.start`."""

    def __init__(self, run_id: int, request: RunRequest, on_frame: OnFrame) -> None:
        self.run_id = run_id
        self.request = request
        self.state = "starting"
        self.curves: tuple[Curve, ...] = ()
        self.trace_hash = ""
        self.last: Frame | None = None
        self._on_frame = on_frame
        self._connection: Connection | None = None
        self._job: Job[Solution] | None = None
        self._ending = False
        self._patience = CANCEL_S
        self._early: list[tuple[str, Any]] = []  # commands given before the process was there

    def pause(self) -> None:
        """Do no more steps until told."""
        self._tell("pause")

    def resume(self) -> None:
        """Go on."""
        self._tell("resume")

    def step(self, count: int = 1) -> None:
        """Do some single steps, and pause."""
        self._tell("step", count)

    def set_speed(self, steps_per_second: float) -> None:
        """Limit the speed; 0 for none."""
        self._tell("speed", steps_per_second)

    async def cancel(self) -> Solution:
        """Stop, within two seconds, and return the best that is known."""
        if self._job is not None and not self._job.done:
            self._job.cancel()
        return await self.solution()

    async def end(self) -> Solution:
        """Stop without waiting for its last words, and return the best that was told so far."""
        self._patience = 0.0
        return await self.cancel()

    async def solution(self) -> Solution:
        """Wait for the end. Raises EngineError where the run failed."""
        assert self._job is not None
        try:
            return await self._job.result()
        except asyncio.CancelledError:
            if not self._job.done:
                raise  # it is the caller who was cancelled
            return self._stopped()

    # Inside

    def begin(self, jobs: Jobs) -> None:
        """Start the work as a job."""
        self._job = jobs.start(self.request.title or f"Solve by {self.request.method}", self._work)

    async def _work(self, job: JobContext) -> Solution:
        use_one_thread()
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs, os.getpid()), daemon=True)
        process.start()
        theirs.close()
        self._connection = ours
        try:
            # In a thread: a large game fills the pipe before the process reads it.
            await asyncio.to_thread(ours.send, self.request)
            while self._early:
                ours.send(self._early.pop(0))
            self.state = "running"
            return await self._follow(job)
        except asyncio.CancelledError:
            await self._stop()
            raise
        except (EOFError, ConnectionError) as error:
            self.state = "failed"
            why = f"it ended with exit status {process.exitcode}" if process.exitcode else "its process ended"
            raise EngineError("The run was lost", why, "Run it again.") from error
        except Exception:
            self.state = "failed"
            raise
        finally:
            self._connection = None
            await _end(process)
            ours.close()

    async def _follow(self, job: JobContext) -> Solution:
        """Take what the process tells, as often as it is drawn."""
        connection = self._connection
        assert connection is not None
        limit = self.request.options.iterations
        while True:
            while connection.poll():
                solution = self._take(connection.recv())
                if solution is not None:
                    return solution
                if self.last is not None and len(self.last.iterations):
                    job.progress(min(int(self.last.iterations[-1]), limit or 1 << 62), limit, self.last.note)
                await own_turn()  # after a pause several are there: drawn in one go they would hold the window up
            await asyncio.sleep(FRAME_S)

    def _take(self, message: object) -> Solution | None:
        if isinstance(message, Exception):
            self.state = "failed"
            raise message
        if not isinstance(message, Frame):
            assert isinstance(message, tuple)
            self.curves = message
            return None
        self.last, self.trace_hash = message, message.trace_hash
        self.state = message.state
        self._on_frame(message)
        return message.solution

    async def _stop(self) -> None:
        """Ask the process to stop and take its last words; leave it to be ended where it does not answer."""
        connection, self._ending = self._connection, True
        if connection is None:
            self.state = "cancelled"
            return
        deadline = asyncio.get_running_loop().time() + self._patience
        try:
            connection.send(("cancel", None))
            while asyncio.get_running_loop().time() < deadline:
                while connection.poll():
                    if self._take(connection.recv()) is not None:
                        return
                await asyncio.sleep(FRAME_S / 2)
        except (EOFError, OSError, EngineError):
            pass
        self.state = "cancelled"

    def _stopped(self) -> Solution:
        """Return the solution of a run that was cancelled."""
        if self.last is not None and self.last.solution is not None:
            return self.last.solution
        profile = self.last.profile if self.last is not None else None
        found = () if profile is None else (Equilibrium(profile, gap_of(self.request.game, profile)),)
        done = int(self.last.iterations[-1]) if self.last is not None and len(self.last.iterations) else 0
        seconds = self.last.seconds if self.last is not None else 0.0
        options = self.request.options
        return Solution(
            found, self.request.method, Status.CANCELLED, done, seconds, options.epsilon, options.device, "stopped"
        )

    def _tell(self, name: str, value: object = None) -> None:
        if self.state in _ENDED or self._ending:
            return
        if self._connection is None or self.state == "starting":
            self._early.append((name, value))
            return
        try:
            self._connection.send((name, value))
        except OSError:
            return  # it has just ended; its last words are on the way


class GameRuns:
    """Starts live runs and owns them; several may work at once."""

    def __init__(self, bus: EventBus, jobs: Jobs) -> None:
        self._bus = bus
        self._jobs = jobs
        self._ids = itertools.count(1)
        self._watchers: set[asyncio.Task[None]] = set()
        self.running: dict[int, LiveRun] = {}

    async def start(self, request: RunRequest, on_frame: OnFrame = lambda frame: None) -> LiveRun:
        """Start a run; ``on_frame`` is called on the loop. Raises GameError where the method does not fit the game."""
        method_for(request.game, request.method)
        run = LiveRun(next(self._ids), request, on_frame)
        options = request.options
        self._bus.publish(GameRunStarted(run.run_id, request.title, request.method, options.epsilon, options.seed))
        self.running[run.run_id] = run
        run.begin(self._jobs)
        watcher = asyncio.get_running_loop().create_task(self._watch(run), name=f"run {run.run_id}")
        self._watchers.add(watcher)
        watcher.add_done_callback(self._watchers.discard)
        return run

    async def close(self) -> None:
        """End all runs, and wait until their processes are gone."""
        await asyncio.gather(*(run.end() for run in tuple(self.running.values())), return_exceptions=True)
        await asyncio.gather(*self._watchers, return_exceptions=True)

    async def _watch(self, run: LiveRun) -> None:
        try:
            solution = await run.solution()
        except Exception:  # told by the job and to whoever waits for the solution
            self._end(run, "failed", None)
        else:
            self._end(run, solution.status.value, solution)

    def _end(self, run: LiveRun, status: str, solution: Solution | None) -> None:
        self.running.pop(run.run_id, None)
        gap = solution.equilibria[0].gap.nashconv if solution is not None and solution.equilibria else -1.0
        iterations = solution.iterations if solution is not None else 0
        self._bus.publish(GameRunEnded(run.run_id, status, iterations, gap, run.trace_hash))


async def _end(process: Any) -> None:
    """End a process that has said its last words, or has none: by itself it would first take all it imported apart."""
    process.kill()
    await asyncio.to_thread(process.join)
    process.close()
