"""What a run gives, in the form of ``nashboard learn run --json``, and the words for what is refused or punished."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

PHASES = ("propose", "train", "vote", "aggregate", "finalise")  # of a slot, in this order
SLOT_STATES = ("proposed", "missed", "orphaned", "finalised")
STAGES = (
    "training",
    "published",
    "aggregated",
    "committed",
    "voting",
    "certified",
    "included",
    "merged",
    "rolled_back",
    "rejected",
    "expired",
)
OFFENCES = {
    "proposer_equivocation": "signed two headers for one slot",
    "double_vote": "signed two attestations for one target epoch",
    "surround_vote": "signed an attestation that surrounds another of its own",
    "uncertified_update": "proposed a block that names an update without a valid quorum of ACKs",
    "contradicted_ack": "acknowledged an update that evaluation contradicts",
}
REJECTIONS = {
    "oversize": "the delta is larger than 150,000 bytes",
    "malformed": "the bytes are not a canonical safetensors file of the expected names",
    "wrong_shape": "a tensor has not the shape that the model asks for",
    "not_finite": "a tensor holds NaN or infinity",
    "wrong_hash": "the bytes do not have the hash that was announced",
    "stale_base": "it was trained on a base that is not the chain's",
    "bad_signature": "the signature is not its author's",
    "not_trainer": "its author is no trainer of this chain",
    "duplicate": "this trainer already has a delta in this round",
    "clipped": "its norm was cut to the limit",
    "outlier": "the rule did not choose it: it lies too far from the others",
    "too_few": "n < 2f + 3: the rule cannot bear f bad deltas among so few",
    "gate": "the loss did not fall below 0.999 times what it was",
    "not_reproducible": "aggregating the same deltas gives another result than the aggregator's",
    "withheld": "a raw delta or the update could not be fetched in time",
    "no_quorum": "too few members of the committee acknowledged it in time",
    "no_deltas": "no trainer published a usable delta in time",
    "canary": "it was a canary: an update made to be refused",
}


@dataclass(frozen=True, slots=True)
class RawDelta:
    """A trainer's delta in a round. ``score`` is Krum's, None where the rule has none; ``reason``: why not chosen."""

    trainer: int
    raw_id: str
    size: int
    norm: float
    score: float | None
    chosen: bool
    reason: str  # "" or a key of REJECTIONS
    detail: str = ""


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """A round's update. Losses are nats a token on the drawn texts; 0 and "" where it did not come so far."""

    id: str
    round: int
    opened_slot: int
    slot: int  # that included it, -1 while none did
    stage: str
    acks: int
    committee: int
    quorum: int
    loss_before: float
    loss_after: float
    accepted: bool
    reason: str  # "" or a key of REJECTIONS
    explanation: str  # one sentence for the operator
    rule: str
    byzantine: int
    raws: tuple[RawDelta, ...]


@dataclass(frozen=True, slots=True)
class SlashingResult:
    """A punished validator. ``evidence`` is the root of what proves it, ``tx`` its mirror on the staking contract."""

    validator: int
    reason: str  # a key of OFFENCES
    slot: int
    evidence: str
    tx: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One expectation of a scenario, with the numbers that decided it."""

    name: str
    ok: bool
    text: str


@dataclass(frozen=True, slots=True)
class LearnResult:
    """A run's outcome; the same configuration gives the same ``trace_hash`` wherever nothing real takes part."""

    scenario: str
    genesis_root: str
    trace_hash: str
    slots: int
    validators: int
    finalized_epoch: int
    head_root: str
    model_root: str
    loss_first: float  # of the first and the last base on held-out texts
    loss_last: float
    updates: tuple[UpdateResult, ...]
    slashings: tuple[SlashingResult, ...]
    checks: tuple[Check, ...]
    training: str  # "replayed" or "real"
    transport: str
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether every expectation of the scenario held."""
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**dataclasses.asdict(self), "ok": self.ok}
