"""The faults that a run can be given, by a scenario, the command line or a button."""

from __future__ import annotations

from dataclasses import dataclass

from engine.learning.errors import LearnSettingError

FAULTS = {
    # of validators
    "equivocate_headers": "signs two different blocks when it is to propose",
    "equivocate_votes": "attests to two heads for one target epoch",
    "surround_votes": "signs a vote that surrounds an earlier one",
    "uncertified_update": "proposes a block that names an update without a certificate",
    "free_ride": "acknowledges every update without evaluating it",
    "late_acks": "publishes its ACKs after the time for them",
    "offline": "neither proposes nor attests nor acknowledges",
    "silent_proposer": "lets its slots pass without a block",
    "bad_aggregator": "puts a delta of its own in the place of the aggregate",
    "conflicting_updates": "aggregates two conflicting updates and shows each half of the committee another",
    # of trainers
    "trainer_silent": "publishes nothing",
    "trainer_scale": "publishes its delta a hundred times as large",
    "trainer_sign_flip": "publishes its delta with the sign turned",
    "trainer_noise": "publishes noise",
    "trainer_label_flip": "trains on texts whose labels are turned",
    "trainer_backdoor": "trains a trigger in beside the task",
    "trainer_alie": "hides within the spread of the honest deltas, all colluders alike",
    "trainer_overfit": "trains on the public texts of the gate",
    "trainer_oversize": "publishes more than 150,000 bytes",
    "trainer_nan": "publishes a delta with NaN in it",
    "trainer_shape": "publishes a tensor of a wrong shape",
    "trainer_stale": "trains on a base that is no longer the chain's",
    # of the network: targets are nodes or DHT peers
    "partition": "splits the nodes in two groups that do not hear each other: targets are the second group",
    "heal": "ends the partition",
    "dht_kill": "ends DHT peers",
    "sybil_spam": "writes 10,000 ACK records by keys that are no validator's",
    "forge_acks": "writes ACKs in others' names with its own signature",
    "squat_acks": "writes others' ACK keys first, with a far expiry",
    "replay_acks": "writes ACKs of an earlier update again",
    # of the machine
    "worker_kill": "ends a training worker in the middle of its work",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault from ``slot`` on. ``targets`` are validators, trainers, nodes or peers, as the kind has them.

    ``count`` instead of targets takes the first that many that can show the fault (the next proposers, say).
    """

    slot: int
    kind: str
    targets: tuple[int, ...] = ()
    until: int | None = None
    count: int = 0

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            raise LearnSettingError(f"There is no fault {self.kind!r}", "", f"There are: {', '.join(FAULTS)}.")
