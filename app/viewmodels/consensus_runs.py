"""What is kept of a run: its curves as they grow, the profiles on the way, how it ended, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.games.consensus import ConsensusGame
from engine.games.games import FiniteGame, Floats, Game, Profile
from engine.games.live import Frame, LiveRun
from engine.games.methods import Method
from engine.games.options import SolveOptions
from engine.games.results import Equilibrium, Solution, Status
from widgets.curve_buffer import CurveBuffer

SNAPSHOTS = 512
WATCHED = 24
TOP = 8
ENDED = ("done", "cancelled", "failed")
Curve = tuple[int, int]


@dataclass(frozen=True)
class RunMark:
    """Something that happened at an iteration."""

    iteration: int
    text: str
    kind: str = "error"


@dataclass(frozen=True)
class Verdict:
    """How a run stands, as a status kind, a word and a sentence."""

    kind: str = "neutral"
    word: str = "Ready"
    text: str = ""


@dataclass(frozen=True, eq=False)
class PanelCurve:
    """One curve of a panel."""

    name: str
    data: CurveBuffer
    channel: int
    colour: int


@dataclass(frozen=True, eq=False)
class Panel:
    """Curves that belong together: a player's actions, a coordinate of all agents."""

    title: str
    curves: tuple[PanelCurve, ...] = ()
    probability: bool = True


class ProfileHistory:
    """Whole profiles on the way, at most 512: when it is full, every second one goes."""

    def __init__(self) -> None:
        self.iterations: list[int] = []
        self._rows: list[NDArray[np.float32]] = []
        self._every, self._seen = 1, 0

    def add(self, iteration: int, profile: Profile) -> None:
        """Keep a profile, when it is its turn."""
        self._seen += 1
        if (self._seen - 1) % self._every:
            return
        self.iterations.append(iteration)
        self._rows.append(np.concatenate(profile).astype(np.float32))
        if len(self._rows) >= SNAPSHOTS:
            self.iterations, self._rows = self.iterations[::2], self._rows[::2]
            self._every *= 2

    def columns(self, chosen: Sequence[int]) -> NDArray[np.float32]:
        """Return some numbers of all profiles kept, (kept, chosen)."""
        return np.stack([row[list(chosen)] for row in self._rows]) if self._rows else np.empty((0, len(chosen)))


@dataclass(eq=False)
class RunRecord:
    """A run of a method on a game, from its start on. It grows in place; views are told of every change."""

    number: int
    game: Game
    method: Method
    options: SolveOptions
    title: str
    setup: dict[str, Any] = field(default_factory=dict)
    live: LiveRun | None = None
    state: str = "starting"
    watched: tuple[Curve, ...] = ()
    trace: CurveBuffer = field(default_factory=lambda: CurveBuffer(1))  # NashConv, then the watched curves
    history: ProfileHistory = field(default_factory=ProfileHistory)
    profile: Profile | None = None
    marks: list[RunMark] = field(default_factory=list)
    faulty: tuple[int, ...] = ()
    iteration: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    note: str = ""
    solution: Solution | None = None
    failure: str = ""
    shown: bool = True
    fault: tuple[int, str] | None = None  # an agent to turn faulty, asked for while it runs
    early: list[Callable[[LiveRun], None]] = field(default_factory=list)  # commands given before it was there
    hashes: list[str] = field(default_factory=list)
    _offset: int = 0
    _spent: float = 0.0
    _current_hash: str = ""

    @property
    def ended(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.state in ENDED

    @property
    def trace_hash(self) -> str:
        """The hash over every step; of a run with an injected fault, over both parts' hashes."""
        parts = [*self.hashes, *([self._current_hash] if self._current_hash else [])]
        return parts[0] if len(parts) == 1 else sha256("".join(parts).encode()).hexdigest() if parts else ""

    @property
    def gap(self) -> float | None:
        """The verified NashConv at the end, the one of the last step before."""
        if self.solution is not None and self.solution.equilibria:
            return self.solution.equilibria[0].gap.nashconv
        return self.trace.last() if self.trace.count else None

    @property
    def equilibria(self) -> tuple[Equilibrium, ...]:
        """What was found and verified."""
        return self.solution.equilibria if self.solution is not None else ()

    def take(self, frame: Frame, watched: tuple[Curve, ...]) -> None:
        """Take what happened since the last frame."""
        if not self.watched:
            self.watched = watched
            self.trace = CurveBuffer(1 + len(watched))
        if len(frame.iterations):
            self.trace.append(frame.iterations + self._offset, np.column_stack([frame.gaps, frame.curves]))
            self.iteration = int(frame.iterations[-1]) + self._offset
        if frame.profile is not None:
            self.profile = frame.profile
            if len(frame.iterations):
                self.history.add(self.iteration, frame.profile)
        self.seconds = self._spent + frame.seconds
        self.rate, self.note, self._current_hash = frame.steps_per_second, frame.note, frame.trace_hash
        self.state = frame.state if not frame.solution else self.state

    def join(self, text: str, kind: str = "error") -> None:
        """Begin another part of the same run: what follows is counted on, and the place is marked."""
        self.hashes.append(self._current_hash)
        self._current_hash = ""
        self._offset, self._spent = self.iteration, self.seconds
        self.marks.append(RunMark(self.iteration, text, kind))

    def finish(self, solution: Solution) -> None:
        """Take the verified answer."""
        self.trace.fit()  # a dozen runs that have ended stay in sight
        self.solution = solution
        self.state = "cancelled" if solution.status is Status.CANCELLED else "done"
        if solution.equilibria:
            self.profile = solution.equilibria[0].profile
        self.iteration = max(self.iteration, self._offset + solution.iterations)
        self.seconds = self._spent + solution.seconds

    def panels(self) -> tuple[Panel, ...]:
        """Return what of the profile is drawn: a panel a player, or a coordinate of consensus games."""
        if isinstance(self.game, ConsensusGame):
            return self._coordinates()
        total = sum(self.game.sizes)
        if total > WATCHED and self.profile is not None and self.history.iterations:
            return self._likeliest()
        return tuple(self._watched_panel(player) for player in range(len(self.game.sizes)))

    def path(self, player: int) -> tuple[CurveBuffer, tuple[int, ...]]:
        """Return where a player's whole strategy is recorded: the buffer and its channels, () when it is not."""
        at = {curve: channel for channel, curve in enumerate(self.watched, 1)}
        wanted = [(player, index) for index in range(self.game.sizes[player])]
        return self.trace, tuple(at[curve] for curve in wanted) if all(c in at for c in wanted) else ()

    # Inside

    def _coordinates(self) -> tuple[Panel, ...]:
        found: dict[int, list[PanelCurve]] = {}
        for channel, (agent, index) in enumerate(self.watched, 1):
            found.setdefault(index, []).append(PanelCurve(self.game.players[agent], self.trace, channel, agent))
        return tuple(
            Panel(f"Coordinate {index + 1}", tuple(curves), probability=False) for index, curves in found.items()
        )

    def _watched_panel(self, player: int) -> Panel:
        curves = tuple(
            PanelCurve(action_name(self.game, player, index), self.trace, channel, index)
            for channel, (who, index) in enumerate(self.watched, 1)
            if who == player
        )
        return Panel(self.game.players[player], curves)

    def _likeliest(self) -> tuple[Panel, ...]:
        """Return the curves of the actions that are likeliest now, from the profiles kept."""
        assert self.profile is not None
        panels, start = [], 0
        for player, strategy in enumerate(self.profile):
            top = np.sort(np.argsort(-strategy, kind="stable")[:TOP])
            data = CurveBuffer(len(top))
            data.append(np.array(self.history.iterations, dtype=float), self.history.columns([start + i for i in top]))
            curves = tuple(PanelCurve(action_name(self.game, player, int(i)), data, k, k) for k, i in enumerate(top))
            title = f"{self.game.players[player]}: the {len(top)} likeliest of {len(strategy):,} actions"
            panels.append(Panel(title, curves, probability=False))
            start += len(strategy)
        return tuple(panels)


def action_name(game: Game, player: int, index: int) -> str:
    """Return the name of an action."""
    return game.actions[player][index] if isinstance(game, FiniteGame) else str(index + 1)


def short(value: float) -> str:
    """Return a number as people write it: 1e-6, 0.001."""
    return f"{value:.3g}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")


def verdict_of(record: RunRecord | None) -> Verdict:
    """Return how a run stands, with epsilon and iteration."""
    if record is None:
        return Verdict("neutral", "Ready", "Choose a game and a method, then run.")
    if record.state == "failed":
        return Verdict("error", "Failed", record.failure)
    at = f"iteration {record.iteration:,}"
    gap = record.gap
    now = f"NashConv {short(gap)}" if gap is not None else "no step yet"
    if record.ended and record.solution is None:
        return Verdict("neutral", "Stopped", f"Stopped at {at}: {now}.")
    if record.solution is None:
        word = {"paused": "Paused", "starting": "Starting"}.get(record.state, "Running")
        rate = f", {record.rate:,.0f} steps a second" if record.rate and record.state == "running" else ""
        phase = f" ({record.note})" if record.note else ""
        return Verdict("info" if word != "Paused" else "warn", word, f"{at.capitalize()}{phase}: {now}{rate}.")
    return _ended(record, record.solution, at)


def _ended(record: RunRecord, solution: Solution, at: str) -> Verdict:
    epsilon = f"epsilon {short(solution.epsilon)}"
    gap = solution.equilibria[0].gap if solution.equilibria else None
    figures = ""
    if gap is not None:
        figures = f" NashConv {short(gap.nashconv)}, {short(gap.relative)} of the payoff range"
        if gap.exploitability is not None:
            figures += f"; exploitability {short(gap.exploitability)}"
        figures += "."
    why = f" {_sentence(solution.message)}" if solution.message else ""
    count = len(solution.equilibria)
    if solution.status is Status.SOLVED:
        many = f"{count} equilibria" if count != 1 else "Equilibrium"
        return Verdict("ok", "Converged", f"{many} within {epsilon} at {at}.{figures}{why}")
    if solution.status is Status.ROBUST:
        return Verdict("ok", "Robust agreement", f"Within {epsilon} at {at}.{why or figures}")
    if solution.status is Status.INCOMPLETE:
        return Verdict("warn", "Incomplete", f"{count} found within {epsilon}, there may be more.{figures}{why}")
    if solution.status is Status.CANCELLED:
        return Verdict("neutral", "Stopped", f"Stopped at {at}; the best so far misses {epsilon} or was not checked."
                       f"{figures}")  # fmt: skip
    return Verdict("warn", "Not converged", f"{epsilon.capitalize()} was not reached by {at}.{figures}{why}")


def _sentence(text: str) -> str:
    text = text.strip()
    return (text[:1].upper() + text[1:]).rstrip(".") + "."


def positions_of(record: RunRecord) -> Floats | None:
    """Return the agents' positions now, (n, d); None in finite games or before the first step."""
    if record.profile is None or not isinstance(record.game, ConsensusGame):
        return None
    return np.stack(record.profile)
