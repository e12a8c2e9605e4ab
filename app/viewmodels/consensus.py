"""The Consensus page: choose a game, run a method on it, watch, compare."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import Notice
from app.viewmodels.base import ViewModel
from app.viewmodels.consensus_games import OPENED, GameChoice, build, choices
from app.viewmodels.consensus_runs import WATCHED, RunRecord
from app.viewmodels.consensus_setup import RunSetup, errors_of, fitted, with_fault
from app.viewmodels.consensus_tables import with_cell
from engine.core.errors import EngineError
from engine.games.consensus import ConsensusGame
from engine.games.games import Game
from engine.games.live import Frame, LiveRun, RunRequest
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from engine.games.results import Solution, Status

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime

SPEEDS = (1.0, 2.0, 5.0, 10.0, 30.0, 100.0, 1000.0, 0.0)  # steps a second; 0 is as fast as it goes
KEPT = 12  # runs; older ones that are hidden and not pinned go first


@dataclass(frozen=True, slots=True)
class ConsensusState:
    """What the page shows. ``revision`` counts changes of the form from outside, ``beat`` those of the runs.

    ``original`` is the game before it was edited. ``queue`` are the methods that a comparison still has to run.
    """

    choices: tuple[GameChoice, ...] = ()
    choice: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)
    game: Game | None = None
    original: Game | None = None
    opened: str = ""
    building: bool = False
    game_error: str = ""
    setup: RunSetup = field(default_factory=RunSetup)
    errors: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    speed: float = 0.0
    run: RunRecord | None = None
    runs: tuple[RunRecord, ...] = ()
    baseline: int | None = None
    queue: tuple[str, ...] = ()
    beat: int = 0

    @property
    def busy(self) -> bool:
        """Whether a run is under way or paused."""
        return self.run is not None and not self.run.ended

    @property
    def ready(self) -> bool:
        """Whether Run would start one."""
        return self.game is not None and not self.errors and not self.building

    @property
    def edited(self) -> bool:
        """Whether payoffs were changed by hand."""
        return self.game is not self.original


class ConsensusViewModel(ViewModel[ConsensusState]):
    """Builds games, starts runs, takes their frames."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        super().__init__(bridge, ConsensusState())
        self._runtime = runtime
        self._built = 0
        self._numbers = 0

    def begin(self) -> None:
        """Offer the games and make the first one."""
        known = choices()
        self.update(choices=known)
        self.choose(known[0].key)

    # The game

    def choose(self, key: str, parameters: Mapping[str, float] | None = None) -> None:
        """Make another game of the catalogue."""
        choice = next((c for c in self.state.choices if c.key == key), None)
        if choice is None:
            return
        values = {**choice.defaults(), **(parameters or {})}
        self.update(choice=key, parameters=values, opened="", building=True, game_error="")
        self.start(self._build(key, values), "Making the game", key="consensus")

    def set_parameters(self, values: Mapping[str, float | None]) -> None:
        """Make the chosen game anew with other parameters; one that cannot be read blocks."""
        if any(value is None for value in values.values()):
            self._built += 1
            self.update(game_error="A parameter of the game cannot be read.", building=False)
            self._check()
        elif dict(values) != dict(self.state.parameters) or self.state.game_error:
            self.choose(self.state.choice, {name: value or 0 for name, value in values.items()})

    def open_file(self, path: Path) -> None:
        """Open a game file; one that cannot be read is refused with the place of the fault, and the game stays."""
        self.start(self._open(path), f"Opening {path.name}", key="game-file")

    def use(self, game: Game, title: str) -> None:
        """Take a game that came from elsewhere."""
        self._built += 1
        choice = GameChoice(OPENED, title, "Opened", game.title)
        others = tuple(c for c in self.state.choices if c.key != OPENED)
        self.update(choices=(choice, *others), choice=OPENED, parameters={}, opened=title)
        self._take_game(game)

    def edit_cell(self, key: tuple[Any, ...], row: int, column: int, numbers: tuple[float, ...]) -> None:
        """Change payoffs of the game."""
        game = self.state.game
        if game is None:
            return
        try:
            changed = with_cell(game, key, row, column, numbers)
        except EngineError as error:
            self.bridge.report(error, "Editing the game", key="consensus")
            self.update(beat=self.state.beat + 1)
            return
        self.update(game=changed)
        self._check()

    def undo_edits(self) -> None:
        """Take the game as it was before it was edited."""
        self.update(game=self.state.original)
        self._check()

    # The form

    def fill(self, **values: Any) -> None:
        """Set values of the form from outside."""
        self.edit(values)
        self.update(revision=self.state.revision + 1)

    def edit(self, values: Mapping[str, Any]) -> None:
        """Take what was typed into the form; another method has other parameters."""
        if values.get("method", self.state.setup.method) != self.state.setup.method:
            values = {"parameters": {}, "tuned_well": True, **values}
        self.update(setup=replace(self.state.setup, **values))
        self._check()

    def set_speed(self, steps_per_second: float) -> None:
        """Limit the speed of the run; 0 for none."""
        self.update(speed=steps_per_second)
        self._tell(lambda live: live.set_speed(steps_per_second))

    # The run

    def run(self) -> None:
        """Start a run, or go on with one that is paused."""
        if self.state.busy:
            self._tell(lambda live: live.resume())
        elif self.state.ready:
            self._launch(self.state.setup, paused=False)

    def pause(self) -> None:
        """Do no more steps until told."""
        self._tell(lambda live: live.pause())

    def step(self) -> None:
        """Do one iteration; start a run for it where there is none."""
        if not self.state.busy:
            if not self.state.ready:
                return
            self._launch(self.state.setup, paused=True)
        self._tell(lambda live: live.step())

    def stop(self) -> None:
        """End the run; the best so far stays."""
        self.update(queue=())
        self._tell(lambda live: self.start(live.cancel(), "Stopping the run", key="consensus"))

    def reset(self) -> None:
        """Stop, and clear the run from sight. The form and what was edited stay."""
        record = self.state.run
        self.stop()
        runs = tuple(r for r in self.state.runs if r is not record or r.number == self.state.baseline)
        self.update(run=None, runs=runs, beat=self.state.beat + 1)

    def inject(self, agent: int, kind: str) -> None:
        """Make an agent (from 1) of the running consensus game faulty, now."""
        record = self.state.run
        if record is not None and not record.ended and isinstance(record.game, ConsensusGame):
            record.fault = agent - 1, kind
            self._tell(lambda live: self.start(live.cancel(), "Injecting a fault", key="consensus"))

    # Comparing

    def compare(self, methods: tuple[str, ...]) -> None:
        """Run these methods on the game as it stands, one after the other so that their times can be compared."""
        if self.state.ready and not self.state.busy and methods:
            self.update(queue=methods)
            self._next()

    def show(self, number: int, shown: bool) -> None:
        """Draw a run in the comparison, or do not."""
        for record in self.state.runs:
            if record.number == number:
                record.shown = shown
        self.update(beat=self.state.beat + 1)

    def pin(self, number: int | None) -> None:
        """Make a run the one that others are compared with."""
        self.update(baseline=number, beat=self.state.beat + 1)

    def look_at(self, number: int) -> None:
        """Show an earlier run; while one is under way it stays in sight."""
        record = next((r for r in self.state.runs if r.number == number), None)
        if record is not None and not self.state.busy:
            self.update(run=record, beat=self.state.beat + 1)

    def clear(self) -> None:
        """Forget all runs that have ended."""
        kept = tuple(record for record in self.state.runs if not record.ended)
        current = self.state.run if self.state.busy else None
        self.update(runs=kept, run=current, baseline=None, beat=self.state.beat + 1)

    # Inside

    def _tell(self, command: Callable[[LiveRun], None]) -> None:
        """Command the run; one that is only starting gets it as soon as it is there."""
        record = self.state.run
        if record is None or record.ended:
            return
        if record.live is not None:
            command(record.live)
        else:
            record.early.append(command)

    async def _build(self, key: str, values: dict[str, float]) -> None:
        self._built += 1
        mine = self._built
        try:
            # Cancelled, the waiting ends at once; a thread cannot be stopped, and what it makes is dropped.
            game = await self._runtime.jobs.run("Make the game", lambda _: asyncio.to_thread(build, key, values))
        except EngineError as error:
            self._not_made(mine, str(error))
        except asyncio.CancelledError:
            self._not_made(mine, "Making the game was cancelled. Change a parameter, or choose another game.")
            raise
        else:
            if mine == self._built:
                self._take_game(game)

    def _not_made(self, built: int, why: str) -> None:
        """Say why there is no game, where no later one was asked for."""
        if built == self._built:
            self.update(building=False, game_error=why)
            self._check()

    async def _open(self, path: Path) -> None:
        from engine.games.files import read_game

        game = await self._runtime.jobs.run(f"Open {path.name}", lambda _: asyncio.to_thread(read_game, path))
        self.use(game, path.name)
        self.bridge.notify(Notice("ok", f"Opened {path.name}", game.title or "", key="game-file"))

    def _take_game(self, game: Game) -> None:
        state = self.state
        self.update(
            game=game,
            original=game,
            building=False,
            game_error="",
            setup=fitted(state.setup, game),
            revision=state.revision + 1,
            run=state.run if state.busy else None,
        )
        self._check()

    def _check(self) -> None:
        state = self.state
        errors = errors_of(state.setup, state.game)
        if state.game_error:
            errors = {**errors, "game": state.game_error}
        self.update(errors=errors)

    def _launch(self, setup: RunSetup, *, paused: bool) -> None:
        game = self.state.game
        assert game is not None
        self._numbers += 1
        method = method_for(game, setup.method)
        title = f"{game.title or self.state.opened or 'Game'}: {method.title}"
        made = {"game": self.state.choice, "parameters": dict(self.state.parameters), "edited": self.state.edited}
        record = RunRecord(self._numbers, game, method, setup.options(game), title, {**made, **setup.to_json()})
        self.update(run=record, runs=self._room((*self.state.runs, record)), beat=self.state.beat + 1)
        self.start(self._follow(record, setup, paused=paused), title, key="consensus")

    def _room(self, runs: tuple[RunRecord, ...]) -> tuple[RunRecord, ...]:
        spare = [r for r in runs[:-1] if r.ended and r.number != self.state.baseline]
        spare.sort(key=lambda record: (record.shown, record.number))
        gone = {record.number for record in spare[: max(0, len(runs) - KEPT)]}
        return tuple(record for record in runs if record.number not in gone)

    async def _follow(self, record: RunRecord, setup: RunSetup, *, paused: bool) -> None:
        """Run to the end: in one part, in more where an agent turns faulty on the way."""
        options, planned = record.options, None
        if setup.fault != "none" and isinstance(record.game, ConsensusGame):
            planned = (setup.fault_agent or 1) - 1, setup.fault
            options = replace(options, iterations=setup.fault_at or 1)
        try:
            solution = await self._part(record, options, paused=paused)
            while (fault := _due(record, solution, planned)) is not None:
                planned = None
                solution = await self._after_fault(record, *fault)
            record.finish(solution)
        except EngineError as error:
            record.state, record.failure = "failed", str(error)
            raise
        except Exception:
            record.state, record.failure = "failed", "The solver has a fault; the log has the details."
            raise
        except asyncio.CancelledError:
            record.state = "cancelled"
            raise
        finally:
            self.update(beat=self.state.beat + 1)
        self._next()

    async def _after_fault(self, record: RunRecord, agent: int, kind: str) -> Solution:
        """Go on from where the agents are, on the game as the fault changed it."""
        assert isinstance(record.game, ConsensusGame)
        assert record.profile is not None
        record.game, text = with_fault(record.game, agent, kind, record.profile)
        record.join(text)
        record.faulty = (*record.faulty, agent)
        left = max(1, record.options.iterations - record.iteration) if record.options.iterations else 0
        options = replace(record.options, start=record.profile, iterations=left)
        return await self._part(record, options, paused=record.state == "paused")

    async def _part(self, record: RunRecord, options: SolveOptions, *, paused: bool) -> Solution:
        watch = None
        if sum(record.game.sizes) <= WATCHED:
            watch = tuple((player, index) for player, size in enumerate(record.game.sizes) for index in range(size))
        request = RunRequest(record.game, record.method.key, options, record.title, watch, paused, self.state.speed)
        live = await self._runtime.games.start(request, lambda frame: self._on_frame(record, frame))
        record.live = live
        while record.early:
            record.early.pop(0)(live)
        try:
            return await live.solution()
        finally:
            record.live = None

    def _on_frame(self, record: RunRecord, frame: Frame) -> None:
        live = record.live
        record.take(frame, live.curves if live is not None else record.watched)
        self.update(beat=self.state.beat + 1)

    def _next(self) -> None:
        """Go on with a comparison."""
        record = self.state.run
        if not self.state.queue or (record is not None and not record.ended):
            return
        method, *rest = self.state.queue
        self.update(queue=tuple(rest))
        if self.state.ready:
            own = self.state.setup.parameters if method == self.state.setup.method else {}
            self._launch(replace(self.state.setup, method=method, parameters=own), paused=False)


def _due(record: RunRecord, solution: Solution, planned: tuple[int, str] | None) -> tuple[int, str] | None:
    """Return the fault to inject after a part of a run: the one asked for, or the planned one when it came so far."""
    fault, record.fault = record.fault, None
    if record.profile is None:
        return None
    return fault or (planned if solution.status is not Status.CANCELLED else None)
