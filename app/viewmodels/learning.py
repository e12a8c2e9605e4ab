"""The Learning chain page: runs are started, watched, commanded, disturbed and kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from app.errors import notice_of
from app.viewmodels.learning_draft import FIRST, LearningDraft, ScenarioFacts
from app.viewmodels.learning_faults import default_targets, read_targets
from app.viewmodels.learning_runs import TAKES, LearnRecord
from app.viewmodels.learning_stored import record_of
from app.viewmodels.node_wait import NodeWait
from engine.core.errors import EngineError
from engine.learning.errors import LearnSettingError
from engine.learning.events import LearnEnded

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.viewmodels.devnet import DevnetState, DevnetViewModel
    from engine.learning.service.run import LearnRun
    from engine.learning.service.specs import LearnSpec
    from engine.runtime import Runtime

_log = logging.getLogger(__name__)
KEPT = 8  # runs in sight; the data directory keeps more


class LearningViewModel(LearningDraft):
    """Starts runs, takes their events, and follows the devnet, which mirrored runs need."""

    def __init__(self, bridge: Bridge, runtime: Runtime, devnet: DevnetViewModel) -> None:
        super().__init__(bridge, runtime)
        self._devnet = devnet
        self._numbers = 0
        self._node = NodeWait(devnet, lambda waiting: self.update(waiting=waiting))
        self._declined: set[int] = set()
        self.in_sight: Callable[[], bool] = lambda: False
        bridge.subscribe(self._take, *TAKES)

    def begin(self) -> None:
        """Offer the scenarios and take the first; follow the devnet."""
        self._devnet.observe(self._on_devnet)
        self.start(self._begin(), "Reading the scenarios", key="learning")

    def refresh(self) -> None:
        """Read the kept runs again."""
        self.start(self._refresh(), "Reading the runs of the learning chain", key="learning")

    # The run

    def set_speed(self, slots_per_second: float) -> None:
        """Limit the speed; 0 for none."""
        self.update(speed=slots_per_second)
        self._tell(lambda run: run.set_speed(slots_per_second))

    def run(self) -> None:
        """Start a run, with a devnet where one is needed; or go on with one that is paused."""
        if self.state.busy:
            self._tell(lambda run: run.resume())
        elif self.state.ready:
            self._with_node(lambda: self._launch(None))

    def run_scenario(self, name: str) -> None:
        """Choose a scenario as it comes and run it."""
        if not self.state.busy:
            self.choose(name)
            self.run()

    def pause(self) -> None:
        """Begin no further phase until told."""
        self._tell(lambda run: run.pause())

    def step(self, what: str = "phase") -> None:
        """Do a phase or a slot; start a run for it where there is none."""
        if self.state.busy:
            self._tell(lambda run: run.step(what))
        elif self.state.ready:
            self._with_node(lambda: self._launch(what))

    def stop(self) -> None:
        """End the run; it can be resumed from the list."""
        self._node.forget()
        self._tell(lambda run: run.cancel())

    def reset(self) -> None:
        """Stop, and clear the run from sight. Scenario and settings stay."""
        self.stop()
        self.update(run=None, slot=None, cell=None, update=None, beat=self.state.beat + 1)

    def inject(self, kind: str, text: str = "") -> str:
        """Put a fault in, now; returns what is wrong with the targets, "" where nothing is."""
        record = self.state.run
        if record is None or record.ended:
            return "No run is under way."
        try:
            targets = read_targets(text)
        except ValueError as error:
            return str(error)
        targets, count = (targets, 0) if targets else default_targets(kind, record)
        self._tell(lambda run: run.inject(kind, targets, count=count))
        return ""

    # What is looked at

    def select_slot(self, slot: int | None) -> None:
        """Look at a slot."""
        self.update(slot=slot)

    def select_cell(self, row: int, column: int) -> None:
        """Look at a vote: the row's number and the validator, -1 for the round as a whole."""
        self.update(cell=(row, column))

    def select_update(self, key: tuple[int, str] | None) -> None:
        """Look at an update by its round and id."""
        self.update(update=key)

    # The kept runs

    def open_run(self, run_id: int) -> None:
        """Show a run of the list; while one is under way it stays in sight."""
        if self.state.busy:
            return
        record = next((r for r in self.state.runs if r.run_id == run_id and r.ended), None)
        row = next((row for row in self.state.rows if row.run_id == run_id), None)
        if record is None and row is not None:
            self._numbers += 1
            record = record_of(self._numbers, row, self._title(row.spec.scenario))
            self.update(runs=(*self.state.runs, record)[-KEPT:])
        if record is not None:
            self.update(run=record, slot=None, cell=None, update=None, beat=self.state.beat + 1)

    def resume(self, run_id: int) -> None:
        """Go on with a run that was interrupted."""
        row = next((row for row in self.state.rows if row.run_id == run_id), None)
        if row is not None and not self.state.busy:
            self.update(offer=None)
            self._with_node(lambda: self._follow_new(row.spec, resumed=run_id), needed=row.spec.on_chain)

    def decline(self) -> None:
        """Not now: the run stays in the list."""
        if self.state.offer is not None:
            self._declined.add(self.state.offer.run_id)
        self.update(offer=None)

    def start_node(self) -> None:
        """Start the devnet."""
        self._node.start()

    # Inside

    async def _begin(self) -> None:
        service = self._runtime.learning
        found = await asyncio.to_thread(service.scenarios)
        facts = tuple(ScenarioFacts(one.name, one.title, one.sentence, one.config().model_dump()) for one in found)
        self.update(scenarios=facts, missing=service.missing())
        names = [one.name for one in facts]
        if names:
            self.choose(FIRST if FIRST in names else names[0])
        await self._refresh()

    async def _refresh(self) -> None:
        rows = tuple(await asyncio.to_thread(self._runtime.learning.runs))
        running = self.state.run.run_id if self.state.busy and self.state.run is not None else 0
        waiting = [r for r in rows if r.state == "interrupted" and r.run_id not in {running, *self._declined}]
        outcomes: dict[str, str] = {}
        for row in reversed(rows):
            if row.state in ("done", "failed"):
                good = row.state == "done" and bool((row.result or {}).get("ok", True))
                outcomes[row.spec.scenario] = "ok" if good else "error"
        self.update(rows=rows, outcomes=outcomes, offer=waiting[0] if waiting else None)

    def _title(self, name: str) -> str:
        return next((one.title for one in self.state.scenarios if one.name == name), name)

    def _on_devnet(self, state: DevnetState) -> None:
        now = state.status.state
        self.update(node=now)
        self._node.follow(state)

    def _with_node(self, go: Callable[[], None], *, needed: bool | None = None) -> None:
        """Do something on the devnet, which is started first where it does not run."""
        runs = self.state.node in ("running", "foreign")
        if self.state.needs_node if needed is None else needed and not runs:
            self._node.then(go)
        else:
            go()

    def _launch(self, step: str | None) -> None:
        from engine.learning.service.specs import LearnSpec

        state = self.state
        if state.ready:
            ports = {name: port for name, port in state.ports.items() if port is not None} if state.services else {}
            spec = LearnSpec(
                state.choice, self.overrides(), on_chain=state.on_chain, services=state.services, ports=ports
            )
            self._follow_new(spec, step=step)

    def _follow_new(self, spec: LearnSpec, *, step: str | None = None, resumed: int = 0) -> None:
        self._numbers += 1
        base = next((one.settings for one in self.state.scenarios if one.name == spec.scenario), {})
        settings = {**base, **spec.settings}
        record = LearnRecord(self._numbers, spec.scenario, self._title(spec.scenario), settings, spec)
        record.resumed = bool(resumed)
        if step is not None:
            record.early.append(lambda run: run.step(step))
        runs = (*self.state.runs, record)[-KEPT:]
        self.update(run=record, runs=runs, offer=None, slot=None, cell=None, update=None, beat=self.state.beat + 1)
        self.start(self._follow(record, spec, resumed, paused=step is not None), record.title, key="learning")

    async def _follow(self, record: LearnRecord, spec: LearnSpec, resumed: int, *, paused: bool) -> None:
        """Start a run and wait for its end."""
        run: LearnRun | None = None
        try:
            service = self._runtime.learning
            run = await (service.resume(resumed) if resumed else service.start(spec))
            record.run, record.run_id = run, run.run_id
            if paused:
                run.pause()
            run.set_speed(self.state.speed)
            while record.early:
                record.early.pop(0)(run)
            record.result = await run.result()
            record.state = "done"
        except EngineError as error:
            if run is not None and run.state == "cancelled":
                record.state = "cancelled"
            else:
                record.problem, record.state, record.failure = error, "failed", str(error)
                _log.warning("%s: %s", record.title, error)
                if not self.in_sight():  # else the page says it, with what can be done
                    self.bridge.notify(notice_of(error, key="learning"))
        except asyncio.CancelledError:
            record.state = "cancelled"
            raise
        except Exception:
            record.state, record.failure = "failed", "The program has a fault; the log has the details."
            raise
        finally:
            record.run = None
            self.update(beat=self.state.beat + 1)
        self.refresh()

    def _take(self, event: Any) -> None:
        """Give an event to the run that it is of."""
        for known in self.state.runs:
            if known.run_id and known.run_id == event.run_id and (not known.ended or isinstance(event, LearnEnded)):
                known.take(event)
                self.update(beat=self.state.beat + 1)

    def _tell(self, command: Callable[[LearnRun], None]) -> None:
        """Command the run; one that is only starting gets it as soon as it is there."""
        record = self.state.run
        if record is None or record.ended:
            return
        if record.run is None:
            record.early.append(command)
            return
        try:
            command(record.run)
        except LearnSettingError as error:
            self.bridge.report(error, "Disturbing the run", key="learning")
        except EngineError as error:
            self.bridge.report(error, "Commanding the run", key="learning")
        if record.run is not None and record.run.state in ("running", "paused"):
            record.state = record.run.state
        self.update(beat=self.state.beat + 1)
