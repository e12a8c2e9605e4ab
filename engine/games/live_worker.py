"""The process that works on a watched game: one step after the other, as fast as told, telling what it did."""

from __future__ import annotations

import itertools
import signal
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.core.errors import EngineError
from engine.core.process import die_with_parent
from engine.games.games import FiniteGame, Floats, Game, Profile
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.results import Solution, Step
from engine.games.solve import Solving
from engine.games.trace import TraceDigest

FRAME_S = 1 / 30
LOOK_S = 0.005  # between two looks at the commands: each costs more than a small step
MAX_CURVES = 24
MAX_SAMPLES = 4096  # a frame; more are thinned to the extremes of the gap
MAX_NUMBERS = 4096  # a profile with more is not told whole
Curve = tuple[int, int]


@dataclass(frozen=True, eq=False)
class RunRequest:
    """What to watch. ``watch`` names curves as (player, index) of the profile; None lets the run choose.

    A run that begins ``paused`` waits for its first step or to be resumed. ``speed`` is in steps a second, 0 for as
    fast as possible: told later, the first steps would not keep to it.
    """

    game: Game
    method: str
    options: SolveOptions
    title: str = ""
    watch: tuple[Curve, ...] | None = None
    paused: bool = False
    speed: float = 0.0


@dataclass(frozen=True, eq=False)
class Frame:
    """What happened since the last frame; at most 30 a second.

    ``iterations`` (k,), ``gaps`` (k,) in payoff units and ``curves`` (k, c) are samples of the steps since then: all of
    them up to 4096. ``profile`` is the last one, None where it is longer than 4096 numbers. ``seconds`` is the time
    spent in steps. ``trace_hash`` covers every step so far.
    """

    iterations: NDArray[np.int64]
    gaps: Floats
    curves: Floats
    profile: Profile | None
    note: str
    state: str
    seconds: float
    steps_per_second: float
    solution: Solution | None
    trace_hash: str


def choose_curves(game: Game) -> tuple[Curve, ...]:
    """Return at most 24 coordinates worth watching: all, else the actions that do best against uniform play."""
    if sum(game.sizes) <= MAX_CURVES:
        return tuple((player, index) for player, size in enumerate(game.sizes) for index in range(size))
    if not isinstance(game, FiniteGame):
        return tuple((player, 0) for player in range(min(len(game.sizes), MAX_CURVES)))
    each = max(1, MAX_CURVES // len(game.sizes))
    vectors = game.payoff_vectors(game.uniform())
    best = [np.sort(np.argsort(-vector, kind="stable")[:each]) for vector in vectors]
    return tuple((player, int(index)) for player, chosen in enumerate(best) for index in chosen)[:MAX_CURVES]


def serve(connection: Connection, parent: int) -> None:
    """Take a request from the connection, work on it and tell of it, until told to stop or the connection ends."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        request: RunRequest = connection.recv()
        _Worker(connection, request).work()
    except (EOFError, BrokenPipeError):
        return  # nobody watches any more
    except EngineError as error:
        connection.send(error)
    except Exception:
        connection.send(RuntimeError(f"the solver failed:\n{traceback.format_exc()}"))


@dataclass
class _Samples:
    """What is to be told in the next frame."""

    iterations: list[int] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    curves: list[list[float]] = field(default_factory=list)

    def arrays(self, width: int) -> tuple[NDArray[np.int64], Floats, Floats]:
        iterations = np.array(self.iterations, dtype=np.int64)
        gaps = np.array(self.gaps, dtype=np.float64)
        curves = np.array(self.curves, dtype=np.float64).reshape(len(self.gaps), width)
        if len(gaps) > MAX_SAMPLES:
            kept = _extremes(gaps, MAX_SAMPLES // 2)
            return iterations[kept], gaps[kept], curves[kept]
        return iterations, gaps, curves


def _extremes(values: Floats, buckets: int) -> NDArray[np.intp]:
    edges = np.linspace(0, len(values), buckets + 1).astype(int)
    picked = {int(f(values[a:b])) + a for a, b in itertools.pairwise(edges) for f in (np.argmin, np.argmax)}
    return np.array(sorted(picked | {len(values) - 1}), dtype=np.intp)


class _Worker:
    def __init__(self, connection: Connection, request: RunRequest) -> None:
        self._connection = connection
        self._solving = Solving(request.game, method_for(request.game, request.method), request.options)
        self._curves = choose_curves(request.game) if request.watch is None else request.watch
        self._whole = sum(request.game.sizes) <= MAX_NUMBERS
        self._digest = TraceDigest()
        self._samples = _Samples()
        self._last: Step | None = None
        self._count = 0
        self._owed = 0  # single steps that were asked for
        self._state = "paused" if request.paused else "running"
        self._told = ""
        self._seconds = 0.0
        self._sent = self._looked = time.perf_counter()
        self._period = self._due = 0.0
        self._speed(request.speed)
        self._rate = (self._sent, 0, 0.0)
        self._commands: dict[str, Callable[[Any], None]] = {
            "pause": lambda _: self._set("paused"),
            "resume": lambda _: self._set("running"),
            "step": self._single,
            "speed": self._speed,
            "cancel": lambda _: self._cancel(),
        }

    def work(self) -> None:
        self._connection.send(self._curves)
        while self._solving.solution is None:
            self._obey(self._spare())
            if self._solving.solution is None and self._spare() == 0.0:
                self._step()
            self._tell(FRAME_S)
        if self._state != "cancelled":
            self._state = "done"
        self._tell(0.0, ended=True)

    def _spare(self) -> float:
        """Return how long there is nothing to do but wait for commands."""
        if self._owed:
            return 0.0
        if self._state == "paused":
            return FRAME_S
        return min(max(0.0, self._due - time.perf_counter()), FRAME_S)

    def _obey(self, wait: float) -> None:
        if wait == 0.0 and time.perf_counter() - self._looked < LOOK_S:
            return
        while self._connection.poll(wait):
            name, value = self._connection.recv()
            self._commands[name](value)
            wait = 0.0
        self._looked = time.perf_counter()

    def _step(self) -> None:
        started = time.perf_counter()
        step = next(self._solving, None)
        ended = time.perf_counter()
        self._seconds += ended - started
        if step is None:
            return
        if self._period:
            self._due = max(self._due, ended - self._period) + self._period
        self._owed = max(0, self._owed - 1)
        self._count += 1
        self._digest.update(step)
        self._last = step
        self._samples.iterations.append(step.iteration)
        self._samples.gaps.append(step.gap)
        self._samples.curves.append([float(step.profile[player][index]) for player, index in self._curves])

    def _tell(self, period: float, *, ended: bool = False) -> None:
        now = time.perf_counter()
        if now - self._sent < period or not (self._samples.gaps or ended or self._state != self._told):
            return
        self._sent, self._told = now, self._state
        since, count, rate = self._rate
        if now - since >= 0.5:
            rate = (self._count - count) / (now - since)
            self._rate = (now, self._count, rate)
        iterations, gaps, curves = self._samples.arrays(len(self._curves))
        self._samples = _Samples()
        profile = self._last.profile if self._last is not None and self._whole else None
        note = self._last.note if self._last is not None else ""
        self._connection.send(
            Frame(
                iterations,
                gaps,
                curves,
                profile,
                note,
                self._state,
                self._seconds,
                rate,
                self._solving.solution,
                self._digest.hexdigest(),
            )
        )

    def _set(self, state: str) -> None:
        self._state = state

    def _single(self, count: int) -> None:
        self._state = "paused"
        self._owed += count

    def _speed(self, steps_per_second: float) -> None:
        self._period = 1.0 / steps_per_second if steps_per_second > 0 else 0.0  # seconds from one step to the next
        self._due = 0.0

    def _cancel(self) -> None:
        self._solving.cancel()
        self._state = "cancelled"
