"""What is kept of a run of the learning chain while it goes on and afterwards, and how it stands, in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from app.formats import plural
from app.viewmodels.consensus_runs import Verdict
from engine.core.errors import EngineError
from engine.learning.events import (
    LearnAcks,
    LearnEnded,
    LearnFault,
    LearnFinality,
    LearnHeads,
    LearnLoss,
    LearnPeers,
    LearnPhase,
    LearnRefused,
    LearnServices,
    LearnSlashed,
    LearnSlot,
    LearnStarted,
    LearnState,
    LearnUpdate,
    LearnValidators,
)
from engine.learning.results import LearnResult
from widgets.curve_buffer import CurveBuffer
from widgets.fork_layout import ForkLayout

ENDED = ("done", "cancelled", "failed", "interrupted")
CODES = {"proposed": 1, "missed": 2, "orphaned": 3, "finalised": 4}
RANK = {"finalised": 4, "proposed": 3, "orphaned": 2, "missed": 1}
UPDATE_FLAG, FAULT_FLAG = 1, 2
KEPT = 5000  # refusals that are kept; the newest
MOST_SLOT = 1 << 20


@dataclass(eq=False)
class LearnRecord:
    """A run from its start on. It grows in place; ``revision`` counts the changes of each part of it."""

    number: int
    scenario: str
    title: str
    settings: dict[str, Any] = field(default_factory=dict)
    spec: Any = None
    run_id: int = 0
    run: Any = None
    state: str = "starting"
    resumed: bool = False
    started: LearnStarted | None = None
    phase: LearnPhase | None = None
    finality: LearnFinality | None = None
    ended_event: LearnEnded | None = None
    result: LearnResult | None = None
    failure: str = ""
    problem: EngineError | None = None
    early: list[Callable[[Any], Any]] = field(default_factory=list)
    states: bytearray = field(default_factory=bytearray)
    flags: bytearray = field(default_factory=bytearray)
    slots: dict[int, dict[str, LearnSlot]] = field(default_factory=dict)
    forks: ForkLayout = field(default_factory=ForkLayout)
    heads: LearnHeads | None = None
    updates: dict[tuple[int, str], dict[str, Any]] = field(default_factory=dict)  # by round and id, the newest word
    acks: dict[tuple[int, str], LearnAcks] = field(default_factory=dict)
    losses: dict[int, LearnLoss] = field(default_factory=dict)
    held_out: CurveBuffer = field(default_factory=lambda: CurveBuffer(1))
    trained: CurveBuffer | None = None
    validators: LearnValidators | None = None
    peers: LearnPeers | None = None
    refused: list[LearnRefused] = field(default_factory=list)
    refused_lost: int = 0
    slashed: dict[tuple[int, str, str], LearnSlashed] = field(default_factory=dict)
    faults: list[LearnFault] = field(default_factory=list)
    services: dict[str, str] = field(default_factory=dict)
    revision: dict[str, int] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self.state in ENDED

    @property
    def simulated(self) -> bool:
        """Whether its training is replayed and not done."""
        return (self.started.training if self.started else self.settings.get("training", "replayed")) != "real"

    @property
    def slot(self) -> int:
        """The newest slot that it came to, -1 before the first."""
        return max(len(self.states) - 1, self.phase.slot if self.phase is not None else -1)

    @property
    def epoch(self) -> int:
        """Slots in an epoch."""
        return int(self._setting("slots_per_epoch", 8))

    @property
    def total(self) -> int:
        """Slots that were asked for."""
        return int(self._setting("slots", 0))

    @property
    def finalized(self) -> int:
        """The finalised epoch, -1 before the first."""
        if self.ended_event is not None and self.ended_event.outcome == "done":
            return self.ended_event.finalized_epoch
        return self.finality.finalized_epoch if self.finality is not None else -1

    @property
    def violations(self) -> tuple[int, ...]:
        """The rounds in which two updates both reached the quorum: what safety forbids."""
        reached = [number for (number, _), acks in self.acks.items() if acks.accepts >= acks.quorum]
        return tuple(sorted({number for number in reached if reached.count(number) > 1}))

    def at(self, part: str) -> int:
        """Return how often a part has changed."""
        return self.revision.get(part, 0)

    # Events

    def take(self, event: Any) -> None:
        """Take an event of this run."""
        TAKES[type(event)](self, event)

    def _touch(self, part: str) -> None:
        self.revision[part] = self.revision.get(part, 0) + 1

    def _start(self, event: LearnStarted) -> None:
        self.run_id, self.started = event.run_id, event
        self.settings = dict(event.settings) or self.settings
        self.title = event.title or self.title
        if self.state == "starting":
            self.state = "running"
        self._touch("facts")

    def _phase(self, event: LearnPhase) -> None:
        self.phase = event
        self._touch("phase")

    def _slot(self, event: LearnSlot) -> None:
        if not 0 <= event.slot < MOST_SLOT:
            return
        self._grow(event.slot)
        blocks = self.slots.setdefault(event.slot, {})
        blocks[event.root] = event
        best = max(blocks.values(), key=lambda e: RANK.get(e.state, 0))
        self.states[event.slot] = CODES.get(best.state, 0)
        held = bool(best.update_id) and best.state != "orphaned"
        kept = self.flags[event.slot] & FAULT_FLAG
        self.flags[event.slot] = kept | (UPDATE_FLAG if held else 0)
        if event.root:
            self.forks.add(event.root, event.parent, event.slot, event.state)
        self._touch("slots")

    def _grow(self, slot: int) -> None:
        missing = slot + 1 - len(self.states)
        if missing > 0:
            self.states.extend(b"\0" * missing)
            self.flags.extend(b"\0" * missing)

    def _finality(self, event: LearnFinality) -> None:
        self.finality = event
        self._touch("slots")
        self._touch("facts")

    def _update(self, event: LearnUpdate) -> None:
        number, name = int(event.update["round"]), str(event.update["id"])
        if name:
            self.updates.pop((number, ""), None)  # until it was aggregated it had no name
        self.updates[number, name] = event.update
        self._touch("updates")

    def _acks(self, event: LearnAcks) -> None:
        self.acks[event.round, event.update_id] = event
        self._touch("acks")

    def _loss(self, event: LearnLoss) -> None:
        self.losses[event.round] = event
        last = self.held_out.x[-1] if self.held_out.count else -1
        if event.round > last:
            self.held_out.append([event.round], [event.held_out])
        if event.trainers:
            if self.trained is None:
                self.trained = CurveBuffer(len(event.trainers))
            after = not self.trained.count or event.round > self.trained.x[-1]
            if after and len(event.trainers) == self.trained.channels:
                self.trained.append([event.round], [event.trainers])
        self._touch("losses")

    def _validators(self, event: LearnValidators) -> None:
        self.validators = event
        self._touch("validators")

    def _peers(self, event: LearnPeers) -> None:
        self.peers = event
        self._touch("peers")

    def _heads(self, event: LearnHeads) -> None:
        self.heads = event
        self._touch("heads")

    def _refuse(self, event: LearnRefused) -> None:
        self.refused.append(event)
        if len(self.refused) > KEPT:
            gone = len(self.refused) - KEPT // 2
            self.refused_lost += gone
            del self.refused[:gone]
        self._touch("refused")

    def _slash(self, event: LearnSlashed) -> None:
        self.slashed[event.validator, event.reason, event.evidence] = event
        if 0 <= event.slot < MOST_SLOT:
            self._grow(event.slot)
            self.flags[event.slot] |= FAULT_FLAG
        for part in ("slashed", "slots", "acks"):
            self._touch(part)

    def _fault(self, event: LearnFault) -> None:
        self.faults.append(event)
        self._touch("faults")

    def _state(self, event: LearnState) -> None:
        if not self.ended and event.state in ("running", "paused"):
            self.state = event.state

    def _services(self, event: LearnServices) -> None:
        self.services = dict(event.addresses)
        self._touch("facts")

    def _end(self, event: LearnEnded) -> None:
        self.ended_event = event
        self.state = event.outcome if event.outcome in ENDED else "failed"
        if event.outcome == "failed" and not self.failure:
            self.failure = event.message
        self._touch("facts")

    def _setting(self, name: str, default: Any) -> Any:
        return self.settings.get(name, default)


TAKES: dict[type, Callable[[LearnRecord, Any], None]] = {
    LearnStarted: LearnRecord._start,
    LearnPhase: LearnRecord._phase,
    LearnSlot: LearnRecord._slot,
    LearnFinality: LearnRecord._finality,
    LearnUpdate: LearnRecord._update,
    LearnAcks: LearnRecord._acks,
    LearnLoss: LearnRecord._loss,
    LearnValidators: LearnRecord._validators,
    LearnPeers: LearnRecord._peers,
    LearnHeads: LearnRecord._heads,
    LearnRefused: LearnRecord._refuse,
    LearnSlashed: LearnRecord._slash,
    LearnFault: LearnRecord._fault,
    LearnState: LearnRecord._state,
    LearnServices: LearnRecord._services,
    LearnEnded: LearnRecord._end,
}


def verdict_of(record: LearnRecord | None) -> Verdict:
    """Return how a run stands: slot, finality, updates, slashings."""
    if record is None:
        return Verdict("neutral", "Ready", "Choose a scenario, then run.")
    if record.state == "starting":
        return Verdict("info", "Starting", "Keys, genesis and workers are made ready.")
    figures = figures_of(record)
    if record.state == "failed":
        return Verdict("error", "Failed", f"The run ended at slot {max(0, record.slot):,}. {figures}")
    if record.state in ("cancelled", "interrupted"):
        return Verdict("neutral", "Stopped", f"{figures} The list of runs offers to resume it.")
    if record.state == "done":
        checks = record.ended_event.checks if record.ended_event is not None else ()
        failed = [text for _, ok, text in checks if not ok]
        if failed:
            more = f" {len(failed) - 1} more failed: see Runs." if len(failed) > 1 else ""
            return Verdict("error", "Not as expected", f"{figures} {failed[0]}{more}")
        held = f" All {plural(len(checks), 'expectation')} of the scenario held." if checks else ""
        return Verdict("ok", "As expected" if checks else "Done", f"{figures}{held}")
    word, kind = ("Paused", "warn") if record.state == "paused" else ("Running", "info")
    return Verdict(kind, word, figures)


def figures_of(record: LearnRecord) -> str:
    """Return slot, finality, certified updates and slashings in a sentence."""
    total = f" of {record.total:,}" if record.total else ""
    done = sum(update.get("stage") in ("included", "merged") for update in record.updates.values())
    final = f"epoch {record.finalized:,} is final" if record.finalized > 0 else "nothing is final yet"
    parts = [f"Slot {max(0, record.slot):,}{total}", final, f"{plural(done, 'update')} certified"]
    if record.slashed:
        parts.append(f"{len({key[0] for key in record.slashed})} slashed")
    return f"{', '.join(parts)}."


def training_words(record: LearnRecord | None, settings: dict[str, Any] | None = None) -> str:
    """Return the label that says what the training is."""
    simulated = record.simulated if record is not None else (settings or {}).get("training", "replayed") != "real"
    return "Simulated training: replayed from recorded training" if simulated else "Real training"
