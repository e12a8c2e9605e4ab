"""The agents' half of the Consensus page: rounds are started, watched, commanded and kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from app.errors import notice_of
from app.viewmodels.agreement_agents import AgentFacts
from app.viewmodels.agreement_draft import OWN, DraftViewModel
from app.viewmodels.agreement_runs import AgreementRecord
from app.viewmodels.agreement_stored import record_of
from app.viewmodels.agreement_task import shipped
from app.viewmodels.node_wait import NodeWait
from engine.consensus.config import ConsensusConfig
from engine.consensus.events import (
    ConsensusAgentJudged,
    ConsensusChainStep,
    ConsensusEnded,
    ConsensusIterated,
    ConsensusStarted,
)
from engine.consensus.specs import HONEST, RunSpec
from engine.core.errors import EngineError

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.viewmodels.devnet import DevnetState, DevnetViewModel
    from engine.consensus.rounds.run import ConsensusRun
    from engine.runtime import Runtime

_log = logging.getLogger(__name__)
SPEEDS = (1.0, 2.0, 5.0, 10.0, 30.0, 0.0)  # iterations a second; 0 is as fast as it goes
KEPT = 12  # rounds in sight; the store keeps all


class AgreementViewModel(DraftViewModel):
    """Starts rounds, takes their events, and follows the devnet, which hybrid rounds need."""

    def __init__(self, bridge: Bridge, runtime: Runtime, devnet: DevnetViewModel) -> None:
        super().__init__(bridge, runtime)
        self._devnet = devnet
        self._deployed = False
        self.in_sight: Callable[[], bool] = lambda: False
        self._numbers = 0
        self._node = NodeWait(devnet, lambda waiting: self.update(waiting=waiting))
        for kind, take in (
            (ConsensusStarted, AgreementRecord.take_start),
            (ConsensusIterated, AgreementRecord.take_iteration),
            (ConsensusAgentJudged, AgreementRecord.take_judgement),
            (ConsensusChainStep, AgreementRecord.take_step),
        ):
            bridge.subscribe(lambda event, t=take: self._take(event, t), kind)
        bridge.subscribe(lambda event: self.refresh(), ConsensusEnded)

    def begin(self) -> None:
        """Offer the tasks and take the first one; follow the devnet."""
        self._devnet.observe(self._on_devnet)
        self.start(self._begin(), "Reading the tasks")

    def refresh(self) -> None:
        """Read the accounts of the agents and the rounds of the store again."""
        self.start(self._refresh(), "Reading the agents", key="agreement")

    # The run

    def set_speed(self, per_second: float) -> None:
        """Limit the speed; 0 for none."""
        self.update(speed=per_second)
        self._tell(lambda run: run.set_speed(per_second))

    def run(self) -> None:
        """Start a round, with a devnet where one is needed; or go on with one that is paused."""
        if self.state.busy:
            self._tell(lambda run: run.resume())
        elif self.state.ready:
            self._with_node(lambda: self._launch(paused=False))

    def pause(self) -> None:
        """Do no more iterations until told."""
        self._tell(lambda run: run.pause())

    def step(self) -> None:
        """Do one iteration; start a round for it where there is none."""
        if self.state.busy:
            self._tell(lambda run: run.step(1))
        elif self.state.ready:
            self._with_node(lambda: self._launch(paused=True))

    def stop(self) -> None:
        """End the round; it can be resumed from the list."""
        self._node.forget()
        self._tell(lambda run: run.cancel())

    def reset(self) -> None:
        """Stop, and clear the round from sight. Task, agents and settings stay."""
        self.stop()
        self.update(run=None, beat=self.state.beat + 1)

    def inject(self, agent: str, behaviour: str) -> None:
        """Let an agent of the running round misbehave, now; the plot marks it."""
        record = self.state.run
        if record is None or record.ended:
            return
        record.behaviours[agent] = behaviour
        record.mark(f"{agent}: {behaviour.replace('_', ' ')}", "info" if behaviour == HONEST else "warn")
        self._tell(lambda run: run.inject(agent, behaviour))
        self.update(beat=self.state.beat + 1)

    # The rounds

    def open_round(self, run_id: int) -> None:
        """Show a round of the list; while one is under way it stays in sight."""
        if self.state.busy:
            return
        record = next((r for r in self.state.runs if r.run_id == run_id and r.ended), None)
        row = next((row for row in self.state.rows if row.run_id == run_id), None)
        if record is None and row is not None:
            self._numbers += 1
            record = record_of(self._numbers, row)
            self.update(runs=self._room(record))
        if record is not None:
            self.update(run=record, beat=self.state.beat + 1)

    def resume(self, run_id: int) -> None:
        """Go on with a round that was interrupted."""
        row = next((row for row in self.state.rows if row.run_id == run_id), None)
        if row is not None and not self.state.busy:
            spec = RunSpec(row.task, row.agents, row.config, row.on_chain)
            self._with_node(lambda: self._follow_new(spec, resumed=run_id), needed=row.on_chain and not row.task.chains)

    def show(self, run_id: int, shown: bool) -> None:
        """Draw a round's gap beside the one in sight, or do not."""
        for record in self.state.runs:
            if record.run_id == run_id:
                record.shown = shown
        self.update(beat=self.state.beat + 1)

    def pin(self, run_id: int | None) -> None:
        """Make a round the one that others are compared with."""
        self.update(baseline=run_id, beat=self.state.beat + 1)

    def verify(self, task_hash: str = "") -> None:
        """Compute a result again from what the chain recorded, and compare."""
        found = task_hash or (self.state.run.task_hash if self.state.run is not None else "")
        if found and not self.state.verifying:
            self.start(self._verify(found), "Verifying", key="verify")

    def start_node(self) -> None:
        """Start the devnet."""
        self._node.start()

    # Inside

    async def _begin(self) -> None:
        found = await asyncio.to_thread(shipped)
        self._files |= {key: path for key, _, path in found}
        self.update(choices=tuple((key, title) for key, title, _ in found))
        if found:
            await self._open_task(found[0][2], found[0][0], quiet=True)
        else:
            self.choose(f"{OWN}:portfolio_allocation")
        await self._refresh()

    async def _refresh(self) -> None:
        service, devnet = self._runtime.consensus, self._devnet.state
        self.update(rows=tuple(service.runs()))
        if devnet.status.state != "running" or devnet.contracts:  # asking a bare chain would deploy on it
            known = await service.agents()
            self.update(facts={row.name: AgentFacts(row.address, row.stake, row.reputation) for row in known})

    def _on_devnet(self, state: DevnetState) -> None:
        before, now = (self.state.node, self._deployed), state.status.state
        self._deployed = bool(state.contracts)
        self.update(node=now)
        if (now, self._deployed) != before and now in ("running", "stopped", "failed"):
            self.refresh()
        self._node.follow(state)

    def _with_node(self, go: Callable[[], None], *, needed: bool | None = None) -> None:
        """Do something on the devnet, which is started first where it does not run."""
        runs = self.state.node in ("running", "foreign")
        if self.state.needs_node if needed is None else needed and not runs:
            self._node.then(go)
        else:
            go()

    def _launch(self, *, paused: bool) -> None:
        state = self.state
        if state.task is None or state.errors:
            return
        config = ConsensusConfig.of(dict(state.config))
        spec = RunSpec(state.task, tuple(agent.spec() for agent in state.agents.agents), config, config.hybrid_mode)
        self._follow_new(spec, paused=paused)

    def _follow_new(self, spec: RunSpec, *, paused: bool = False, resumed: int = 0) -> None:
        self._numbers += 1
        record = AgreementRecord(
            self._numbers, spec.task, spec.config, tuple(agent.name for agent in spec.agents),
            {agent.name: agent.behaviour for agent in spec.agents},
            {agent.name: agent.config.strategy_type for agent in spec.agents},
            {"task": dict(spec.task.document), "agents": [agent.to_json() for agent in spec.agents],
             "config": asdict(spec.config)},
            spec.uses_chain, resumed,
        )  # fmt: skip
        if paused:
            record.early.append(lambda run: run.step(1))
        self.update(run=record, runs=self._room(record), beat=self.state.beat + 1)
        self.start(self._follow(record, spec, resumed, paused=paused), f"Agreeing on {record.title}", key="agreement")

    def _room(self, record: AgreementRecord) -> tuple[AgreementRecord, ...]:
        """Return the rounds in sight with one more; the oldest go, but not the baseline."""
        runs = self.state.runs
        spare = [known for known in runs if known.ended and known.run_id != self.state.baseline]
        gone = spare[: max(0, len(runs) + 1 - KEPT)]
        return (*(known for known in runs if known not in gone), record)

    async def _follow(self, record: AgreementRecord, spec: RunSpec, resumed: int, *, paused: bool) -> None:
        """Start a round and wait for its end."""
        run: ConsensusRun | None = None
        try:
            service = self._runtime.consensus
            run = await (service.resume(resumed) if resumed else service.start(spec))
            record.run, record.run_id = run, run.run_id
            if paused:
                run.pause()
            run.set_speed(self.state.speed)
            while record.early:
                record.early.pop(0)(run)
            record.finish(await run.result())
        except EngineError as error:
            if run is not None and run.state == "cancelled":
                record.state = "cancelled"
            else:
                record.problem = error
                self._failed(record, str(error))
                _log.warning("%s: %s", record.title, error)
                if not self.in_sight():  # else the page says it, with what can be done
                    self.bridge.notify(notice_of(error, key="agreement"))
        except asyncio.CancelledError:
            record.state = "cancelled"
            raise
        except Exception:
            self._failed(record, "The program has a fault; the log has the details.")
            raise
        finally:
            record.run = None
            self.update(beat=self.state.beat + 1)
        self.refresh()

    def _failed(self, record: AgreementRecord, why: str) -> None:
        record.state, record.failure = "failed", why

    async def _verify(self, task_hash: str) -> None:
        self.update(verifying=True)
        try:
            found = await self._runtime.jobs.run(
                "Verify a consensus", lambda _: self._runtime.consensus.verify(task_hash)
            )
            for record in self.state.runs:
                if record.task_hash == task_hash:
                    record.verification = found
            self.update(verification=found)
        finally:
            self.update(verifying=False, beat=self.state.beat + 1)

    def _take(self, event: Any, take: Callable[[AgreementRecord, Any], None]) -> None:
        """Give an event to the round that it is of; the first one of a round tells its number."""
        record = self.state.run
        if record is not None and not record.run_id and isinstance(event, ConsensusStarted):
            record.run_id = event.run_id
        for known in self.state.runs:
            if known.run_id == event.run_id and not known.ended:
                take(known, event)
                _follow_state(known)
                self.update(beat=self.state.beat + 1)

    def _tell(self, command: Callable[[ConsensusRun], None]) -> None:
        """Command the round; one that is only starting gets it as soon as it is there."""
        record = self.state.run
        if record is None or record.ended:
            return
        if record.run is None:
            record.early.append(command)
            return
        try:
            command(record.run)
        except EngineError as error:
            self.bridge.report(error, "Commanding the round", key="agreement")
        _follow_state(record)
        self.update(beat=self.state.beat + 1)


def _follow_state(record: AgreementRecord) -> None:
    """Take the state of a round that is under way from its handle."""
    if record.run is not None and record.run.state in ("starting", "running", "paused", "on chain"):
        record.state = "running" if record.run.state == "on chain" else record.run.state
