"""What happens on a learning chain. Hashes are hexadecimal without 0x, times seconds of the chain's clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from engine.core.events import Event


@dataclass(frozen=True, slots=True)
class LearnStarted(Event):
    """A run began. ``training`` is replayed or real, ``settings`` the whole configuration, ``genesis_time`` 0."""

    kind: ClassVar[str] = "learn.started"
    run_id: int
    scenario: str
    title: str
    genesis_root: str
    validators: int
    nodes: int
    trainers: int
    training: str
    transport: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LearnPhase(Event):
    """A phase of a slot begins; ``text`` says in a sentence what happens in it. ``phase`` is one of PHASES."""

    kind: ClassVar[str] = "learn.phase"
    run_id: int
    slot: int
    epoch: int
    phase: str
    time: float
    text: str


@dataclass(frozen=True, slots=True)
class LearnSlot(Event):
    """What became of a slot, and again whenever that changes (orphaned by a reorganisation, finalised)."""

    kind: ClassVar[str] = "learn.slot"
    run_id: int
    slot: int
    state: str  # one of SLOT_STATES
    proposer: int
    root: str  # "" where missed
    parent: str
    update_id: str  # "" for a block without update
    attested: float  # share of stake that attested to it, 0 to 1
    detail: str


@dataclass(frozen=True, slots=True)
class LearnFinality(Event):
    """Justified and finalised checkpoints moved on the branch that most of the stake follows."""

    kind: ClassVar[str] = "learn.finality"
    run_id: int
    slot: int
    justified_epoch: int
    finalized_epoch: int
    finalized_root: str
    participation: float


@dataclass(frozen=True, slots=True)
class LearnUpdate(Event):
    """A round's update got further: the fields of :class:`engine.learning.results.UpdateResult` as a dict."""

    kind: ClassVar[str] = "learn.update"
    run_id: int
    slot: int
    update: dict[str, Any]


@dataclass(frozen=True, slots=True)
class LearnAcks(Event):
    """The committee's votes on an update: one of ``-`` none, ``a`` accept, ``r`` reject, ``f`` forged, a validator."""

    kind: ClassVar[str] = "learn.acks"
    run_id: int
    slot: int
    round: int
    update_id: str
    votes: str
    accepts: int
    quorum: int
    committee: int
    mode: str
    text: str  # the arithmetic: "5 of 8 accept, quorum ceil(8/2) = 4"


@dataclass(frozen=True, slots=True)
class LearnLoss(Event):
    """The model at the head was evaluated on held-out texts; ``trainers`` are training losses of the round."""

    kind: ClassVar[str] = "learn.loss"
    run_id: int
    slot: int
    round: int
    model_root: str
    held_out: float
    trainers: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class LearnValidators(Event):
    """The validators, whenever one of them changes: rows of (index, peer id, stake, status, node, mark).

    Stake is in POL; status one of pending, active, exiting, exited, slashed; mark is the fault it lives with, or "".
    """

    kind: ClassVar[str] = "learn.validators"
    run_id: int
    slot: int
    rows: tuple[tuple[int, str, float, str, int, str], ...]


@dataclass(frozen=True, slots=True)
class LearnPeers(Event):
    """DHT peers: rows of (number, peer id, address, up, records, group of the partition)."""

    kind: ClassVar[str] = "learn.peers"
    run_id: int
    slot: int
    rows: tuple[tuple[int, str, str, bool, int, int], ...]


@dataclass(frozen=True, slots=True)
class LearnHeads(Event):
    """What the nodes hold for their head: rows of (node, root, slot, finalized epoch, group of the partition)."""

    kind: ClassVar[str] = "learn.heads"
    run_id: int
    slot: int
    rows: tuple[tuple[int, str, int, int, int], ...]


@dataclass(frozen=True, slots=True)
class LearnRefused(Event):
    """Something was refused, and the sentence that explains it. ``subject`` is block, delta, record, ack, deposit."""

    kind: ClassVar[str] = "learn.refused"
    run_id: int
    slot: int
    subject: str
    rule: str
    author: int
    text: str


@dataclass(frozen=True, slots=True)
class LearnSlashed(Event):
    """A validator was slashed on chain; again with ``tx`` once the staking contract took it over."""

    kind: ClassVar[str] = "learn.slashed"
    run_id: int
    slot: int
    validator: int
    reason: str
    evidence: str
    tx: str
    text: str


@dataclass(frozen=True, slots=True)
class LearnFault(Event):
    """A fault was put in or taken out (``active`` False)."""

    kind: ClassVar[str] = "learn.fault"
    run_id: int
    slot: int
    fault: str
    targets: tuple[int, ...]
    active: bool
    text: str


@dataclass(frozen=True, slots=True)
class LearnState(Event):
    """The run was started, paused, stepped, resumed or ended by its owner: running, paused, ended."""

    kind: ClassVar[str] = "learn.state"
    run_id: int
    state: str
    slot: int
    phase: str
    speed: float


@dataclass(frozen=True, slots=True)
class LearnServices(Event):
    """The HTTP services of a run were opened (or closed: no addresses): URLs by beacon, engine, eth, dht."""

    kind: ClassVar[str] = "learn.services"
    run_id: int
    addresses: dict[str, str]


@dataclass(frozen=True, slots=True)
class LearnEnded(Event):
    """A run ended; ``outcome`` is done, cancelled or failed, ``checks`` rows of (name, ok, text)."""

    kind: ClassVar[str] = "learn.ended"
    run_id: int
    outcome: str
    slots: int
    trace_hash: str
    finalized_epoch: int
    loss_first: float
    loss_last: float
    slashed: int
    checks: tuple[tuple[str, bool, str], ...]
    seconds: float
    message: str


@dataclass(frozen=True, slots=True)
class SweepProgressed(Event):
    """A cell of a byzantine sweep is done: the fields of :class:`engine.learning.sweep.SweepCell` as a dict."""

    kind: ClassVar[str] = "learn.sweep"
    sweep_id: int
    done: int
    total: int
    cell: dict[str, Any]
