"""What is kept of a round of consensus while it runs and afterwards, and how it stands, in words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.viewmodels.consensus_runs import RunMark, Verdict, short
from engine.consensus.config import ConsensusConfig
from engine.consensus.events import (
    ConsensusAgentJudged,
    ConsensusChainStep,
    ConsensusEnded,
    ConsensusIterated,
    ConsensusStarted,
)
from engine.consensus.results import PHASES, REASONS, ConsensusResult
from engine.consensus.tasks import Task
from engine.core.errors import EngineError
from widgets.curve_buffer import CurveBuffer

Floats = NDArray[np.float64]
ENDED = ("done", "cancelled", "failed", "interrupted")
TRAIL = 256  # places of a way that are kept
TRAILED = 64  # agents up to which ways are kept
EQUAL = 2.0**-31  # what rounding to the chain's 32 binary digits can make of two equal numbers
PHASE_TITLES = {
    "stake": "Stake", "register": "Register", "create": "Create", "submit": "Submit", "prove": "Prove",
    "finalize": "Finalise", "reputation": "Reputation", "slash": "Slash",
}  # fmt: skip


class Trails:
    """Where agents have been, at most 256 places each: when it is full, every second one goes."""

    def __init__(self, agents: Sequence[str], dims: int) -> None:
        self._at = {name: index for index, name in enumerate(agents)}
        self._dims = dims
        self._rows: list[Floats] = []
        self._every, self._seen = 1, 0

    def add(self, agents: Sequence[str], positions: Floats) -> None:
        """Keep places (n, d), when it is their turn."""
        self._seen += 1
        if (self._seen - 1) % self._every:
            return
        row = np.full((len(self._at), self._dims), np.nan)
        known = [at for at, name in enumerate(agents) if name in self._at]
        row[[self._at[agents[at]] for at in known]] = positions[known]
        self._rows.append(row)
        if len(self._rows) >= TRAIL:
            self._rows = self._rows[::2]
            self._every *= 2

    def of(self, agent: str) -> Floats:
        """Return an agent's way (k, d)."""
        at = self._at.get(agent)
        if at is None or not self._rows:
            return np.empty((0, self._dims))
        way = np.stack([row[at] for row in self._rows])
        return way[np.isfinite(way).all(axis=1)]


@dataclass(frozen=True, slots=True)
class Judgement:
    """Why an agent's word does not count, and from which iteration on."""

    agent: str
    reason: str
    iteration: int
    detail: str = ""

    @property
    def sentence(self) -> str:
        """The reason for people."""
        why = REASONS.get(self.reason, self.reason)
        return f"{why[:1].upper()}{why[1:]}." + (f" {self.detail.rstrip('.')}." if self.detail else "")


@dataclass(eq=False)
class AgreementRecord:
    """A round from its start on. It grows in place; views are told of every change."""

    number: int
    task: Task
    config: ConsensusConfig
    agents: tuple[str, ...]
    behaviours: dict[str, str] = field(default_factory=dict)
    strategies: dict[str, str] = field(default_factory=dict)
    setup: dict[str, Any] = field(default_factory=dict)
    on_chain: bool = True
    run_id: int = 0
    task_hash: str = ""
    run: Any = None
    state: str = "starting"
    shown: bool = False  # drawn beside the round in sight
    addresses: dict[str, str] = field(default_factory=dict)
    gap: CurveBuffer = field(default_factory=lambda: CurveBuffer(1))
    marks: list[RunMark] = field(default_factory=list)
    judged: dict[str, Judgement] = field(default_factory=dict)
    steps: dict[tuple[int, str], ConsensusChainStep] = field(default_factory=dict)
    iteration: int = 0
    result: ConsensusResult | None = None
    ended_event: ConsensusEnded | None = None
    failure: str = ""
    problem: EngineError | None = None
    early: list[Callable[[Any], Any]] = field(default_factory=list)
    verification: Any = None
    _last: ConsensusIterated | None = None
    _arrays: tuple[ConsensusIterated, Floats, Floats, Floats] | None = None
    _trails: Trails | None = None
    _gone: dict[str, tuple[Sequence[float], Sequence[float]]] = field(default_factory=dict)  # where they stood last

    @property
    def ended(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.state in ENDED

    @property
    def title(self) -> str:
        """The task's title."""
        return self.task.title

    @property
    def order(self) -> tuple[str, ...]:
        """The agents whose positions are known, in the order of their rows: those who are left out come last."""
        counted: tuple[str, ...] = self.result.agents if self.result is not None else ()
        agents = counted or (self._last.agents if self._last is not None else ())
        return (*agents, *(name for name in self._gone if name not in agents))

    def take_start(self, event: ConsensusStarted) -> None:
        """Take what a round is called and who takes part."""
        self.run_id, self.task_hash = event.run_id, event.task_hash
        self.addresses = dict(zip(event.agents, event.addresses, strict=True))
        self.strategies = dict(zip(event.agents, event.strategies, strict=True))
        self.agents = event.agents or self.agents
        if not self.ended and self.state == "starting":
            self.state = "running"

    def take_iteration(self, event: ConsensusIterated) -> None:
        """Take an iteration; its vectors are turned into arrays only where somebody looks."""
        before = self._last
        if before is not None and before.agents != event.agents:
            for at, name in enumerate(before.agents):
                if name not in event.agents:
                    self._gone[name] = before.positions[at], before.ideals[at]
        self._last, self.iteration = event, event.iteration
        if np.isfinite(event.gap) and (not self.gap.count or event.iteration >= self.gap.x[-1]):
            self.gap.append([event.iteration], [event.gap])
        if self.task.dims in (2, 3) and len(self.agents) <= TRAILED:
            if self._trails is None:
                self._trails = Trails(self.agents, self.task.dims)
            self._trails.add(event.agents, np.asarray(event.positions, dtype=float).reshape(-1, self.task.dims))

    def take_judgement(self, event: ConsensusAgentJudged) -> None:
        """Take that an agent's word does not count, and mark the place."""
        found = Judgement(event.agent, event.reason, event.iteration, event.detail)
        if self.judged.get(event.agent) == found:
            return
        known = event.agent in self.judged
        self.judged[event.agent] = found
        if not known:
            at = max(event.iteration, self.iteration, 1)
            told = any(mark.text.startswith(f"{event.agent}: ") for mark in self.marks)  # what was injected says it
            self.marks.append(RunMark(at, "" if told else f"{event.agent}: {event.reason}"))

    def take_step(self, event: ConsensusChainStep) -> None:
        """Take how a phase on a chain goes."""
        self.steps[event.chain_id, event.phase] = event

    def mark(self, text: str, kind: str = "error") -> None:
        """Mark the iteration of this moment."""
        self.marks.append(RunMark(self.iteration, text, kind))

    def finish(self, result: ConsensusResult) -> None:
        """Take the verified end."""
        self.result, self.state = result, "done"
        self.task_hash = "0x" + result.task_hash.hex()
        self.iteration = max(self.iteration, result.iterations)
        for verdict in result.verdicts:
            self.judged.setdefault(
                verdict.agent, Judgement(verdict.agent, verdict.reason, verdict.iteration, verdict.detail)
            )

    def arrays(self) -> tuple[Floats, Floats, Floats] | None:
        """Return positions (n, d), ideals (n, d) and the consensus (d,) as they are now; None before the first.

        Rows are in the order of ``order``.
        """
        found = self._counted()
        gone = [self._gone[name] for name in self.order[len(found[0]) :]] if found is not None else []
        if found is None or not gone:
            return found
        rows = np.array(gone, dtype=float)
        return np.vstack([found[0], rows[:, 0]]), np.vstack([found[1], rows[:, 1]]), found[2]

    def _counted(self) -> tuple[Floats, Floats, Floats] | None:
        """Return the same of those whose word counts."""
        if self.result is not None and self.result.agents:
            return self.result.positions, self.result.ideals, self.result.equilibrium
        if self._last is None:
            return None
        if self._arrays is None or self._arrays[0] is not self._last:
            shape = (-1, self.task.dims)
            positions = np.asarray(self._last.positions, dtype=float).reshape(shape)
            ideals = np.asarray(self._last.ideals, dtype=float).reshape(shape)
            self._arrays = (self._last, positions, ideals, np.asarray(self._last.consensus, dtype=float))
        return self._arrays[1:]

    def way(self, agent: str) -> Floats:
        """Return where an agent has been (k, d); empty where that is not kept."""
        return self._trails.of(agent) if self._trails is not None else np.empty((0, self.task.dims))

    @property
    def trace_hash(self) -> str:
        """The hash of all iterations: the same task, agents, settings and seed give the same at any speed."""
        return self.result.trace if self.result is not None else ""

    @property
    def gap_now(self) -> float | None:
        """The verified gap at the end, the one of the last iteration before."""
        if self.result is not None:
            return self.result.gap
        return self._last.gap if self._last is not None else None

    @property
    def chains(self) -> tuple[int, ...]:
        """The chains on which something happened, in the order in which it did."""
        return tuple(dict.fromkeys(chain for chain, _ in self.steps))

    @property
    def phase(self) -> str:
        """The phase on chain that runs now, "" when none does."""
        running = [step.phase for step in self.steps.values() if step.state == "running"]
        return running[-1] if running else ""

    @property
    def gas(self) -> int:
        """The gas of all phases so far."""
        return sum(step.gas for step in self.steps.values())

    def differences(self) -> Floats | None:
        """Return local minus chain equilibrium (d,), None where there is no chain's."""
        if self.result is None or self.result.on_chain is None:
            return None
        return self.result.equilibrium - self.result.on_chain.equilibrium

    @property
    def equal(self) -> bool | None:
        """Whether the chain holds what was computed here, to its last digit; None where there is no chain's."""
        gaps = self.differences()
        return None if gaps is None else bool((np.abs(gaps) <= EQUAL).all())


def steps_of(record: AgreementRecord, chain: int | None) -> tuple[tuple[str, ConsensusChainStep | None], ...]:
    """Return the phases in order with what happened in each on a chain."""
    return tuple((phase, record.steps.get((chain, phase)) if chain is not None else None) for phase in PHASES)


def verdict_of(record: AgreementRecord | None) -> Verdict:
    """Return how a round stands, with threshold and iteration."""
    if record is None:
        return Verdict("neutral", "Ready", "Choose a task and the agents, then run.")
    at = f"iteration {record.iteration:,}"
    gap = record.gap_now
    now = f"gap {short(gap)}" if gap is not None and np.isfinite(gap) else "no iteration yet"
    if record.state == "failed":
        return Verdict("error", "Failed", f"The round ended at {at}: {now}.")
    if record.result is not None:
        return _ended(record, record.result)
    if record.state in ("cancelled", "interrupted"):
        return Verdict("neutral", "Stopped", f"Stopped at {at}: {now}. The list of runs offers to resume it.")
    if record.state == "starting":
        return Verdict("info", "Starting", "The agents' models are loading.")
    out = f", {len(record.judged)} left out" if record.judged else ""
    if record.phase:
        step = PHASE_TITLES[record.phase].lower()
        return Verdict("info", "On chain", f"{at.capitalize()}, {now}{out}. The chain's part runs: {step}.")
    word, kind = ("Paused", "warn") if record.state == "paused" else ("Running", "info")
    return Verdict(kind, word, f"{at.capitalize()}: {now}{out}.")


def _ended(record: AgreementRecord, result: ConsensusResult) -> Verdict:
    bound = f"epsilon {short(record.config.convergence_threshold)}"
    figures = f"Verified gap {short(result.gap)}, in {result.seconds:.2g} s."
    why = f" {sentence(result.message)}" if result.message else ""
    if not result.converged:
        text = f"{bound.capitalize()} was not reached by iteration {result.iterations:,}.{why}"
        if result.agents:
            text += f" What stands is the exact equilibrium of the last proposals, gap {short(result.gap)}."
        return Verdict("warn", "Not converged", text)
    text = f"Within {bound} at iteration {result.iterations:,}. {figures}"
    chain = result.on_chain
    if chain is None:
        return Verdict("ok", "Converged", f"{text}{why}")
    if not record.equal:
        return Verdict("error", "Differs", f"{text} The chain holds another result than was computed here.{why}")
    several = getattr(result, "chains", ())
    if len(several) > 1:
        gas = sum(held.gas_used for held in several)
        proof = f" Certified on {len(several)} of {len(record.task.chains)} chains, {gas:,} gas in all."
    else:
        proof = f" Certified on chain in block {chain.block:,}, {chain.gas_used:,} gas." if chain.certified else ""
    return Verdict("ok", "Converged", f"{text}{proof}{why}")


def sentence(text: str) -> str:
    """Return a text with a capital and a full stop."""
    text = text.strip()
    return (text[:1].upper() + text[1:]).rstrip(".") + "."
