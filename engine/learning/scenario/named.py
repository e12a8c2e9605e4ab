"""The scenarios that come with the program: one for each row of what the chain must withstand, and then some."""

from __future__ import annotations

from engine.learning.faults import Fault
from engine.learning.scenario.model import Scenario

QUICK = {"round_every": 4, "gate_texts": 64}  # where learning is beside the point: fewer rounds, fewer texts
CALM = ("consistent", "nobody_slashed")

_ORDINARY = (
    Scenario(
        "solo",
        "Solo genesis",
        "One validator begins alone: its committee and its quorum are one, and the chain finalises.",
        {"validators": 1, "slots": 48, "round_every": 4, "gate_texts": 128},
        expects=("finalised=1", "certified=5", "loss_falls", *CALM),
    ),
    Scenario(
        "first_update",
        "A first update",
        "Four validators certify one update and merge it once it is final: the shortest way through every phase.",
        {"validators": 4, "slots": 17, "slots_per_epoch": 4, "round_every": 64, "gate_texts": 64},
        expects=("finalised=2", "certified=1", "merged=1", "loss_falls", "acks_land", "one_head", *CALM),
    ),
    Scenario(
        "committee",
        "Committee of eight",
        "Eight validators and four trainers: every round an update, certified by ACKs, merged when it is final.",
        {"validators": 8, "slots": 40, "round_every": 4},
        expects=("finalised=2", "certified=5", "merged=1", "loss_falls", "acks_land", "one_head", *CALM),
    ),
    Scenario(
        "deposits",
        "A validator joins",
        "A newcomer stakes 32 POL; once that is final it votes, and committee and quorum grow by it.",
        {"validators": 8, "slots": 72, **QUICK},
        deposits=(2,),
        expects=("joined=1", "finalised=4", *CALM),
    ),
    Scenario(
        "thousand",
        "A thousand validators",
        "A thousand validators acknowledge an update in every epoch, forty epochs long.",
        {"validators": 1000, "slots": 320, "round_every": 8, "gate_texts": 64},
        expects=("finalised=36", "certified=30", "merged=25", "one_head", *CALM),
        slow=True,
    ),
    Scenario(
        "real",
        "Real training on a real DHT",
        "Four trainers train a language model, eight libp2p nodes carry deltas and ACKs, and time passes.",
        {
            "validators": 8,
            "slots": 20,
            "training": "real",
            "transport": "dht",
            "clock": "scaled",
            "speed": 0.5,  # 24 seconds a slot: twenty training steps of four trainers share two cores
            "trainers": 4,
        },
        expects=("certified=5", "loss_falls", *CALM),
        slow=True,
    ),
)

_TRAINERS = (
    Scenario(
        "byzantine",
        "Byzantine trainers",
        "Two of eight trainers scale their delta or turn its sign: Multi-Krum with f = 2 chooses neither.",
        {"validators": 4, "slots": 16, "trainers": 8, **QUICK},
        (Fault(0, "trainer_scale", (6,)), Fault(0, "trainer_sign_flip", (7,))),
        expects=("bad_unchosen", "certified=3", "loss_falls", *CALM),
    ),
    Scenario(
        "byzantine_fedavg",
        "FedAvg against scaling",
        "Three of eight scale their delta: the plain mean breaks on them, and only the gate keeps the model.",
        {"validators": 4, "slots": 12, "trainers": 8, "rule": "fedavg", **QUICK},
        (Fault(0, "trainer_scale", (0, 1, 2)), Fault(0, "trainer_sign_flip", (3, 4))),
        expects=("bad_chosen", *CALM),
    ),
    Scenario(
        "byzantine_alie",
        "A little is enough",
        "Two colluders hide within the spread of the honest deltas: Multi-Krum chooses them.",
        {"validators": 4, "slots": 12, "trainers": 8, **QUICK},
        (Fault(0, "trainer_alie", (6, 7)),),
        expects=("bad_chosen", *CALM),
    ),
    Scenario(
        "byzantine_backdoor",
        "Backdoor",
        "Two of eight train a trigger in: the gate does not see it, Multi-Krum leaves them out.",
        {"validators": 4, "slots": 8, "trainers": 8, **QUICK},
        (Fault(0, "trainer_backdoor", (0, 1)),),
        expects=("bad_unchosen", "certified=1", *CALM),
    ),
    Scenario(
        "overfit_public",
        "Overfitting public texts",
        "All trainers learn the public gate's texts by heart: the update passes it, and the model gets worse.",
        {"validators": 4, "slots": 4, "trainers": 4, "rule": "fedavg", "round_every": 4, "gate_pool": "public"},
        (Fault(0, "trainer_overfit", (0, 1, 2, 3)),),
        expects=("certified=1", "loss_rises", *CALM),
    ),
    Scenario(
        "overfit",
        "Overfitting against drawn texts",
        "The same deltas before texts that are drawn only after the update is fixed: they fail the gate.",
        {"validators": 4, "slots": 4, "trainers": 4, "rule": "fedavg", "round_every": 4},
        (Fault(0, "trainer_overfit", (0, 1, 2, 3)),),
        expects=("refused=gate", "no_updates", *CALM),
    ),
    Scenario(
        "silent_trainers",
        "Silent trainers",
        "No trainer publishes: blocks bear the zero update, and nobody is punished for it.",
        {"validators": 4, "slots": 40, **QUICK},
        (Fault(0, "trainer_silent", (0, 1, 2, 3)),),
        expects=("no_updates", "finalised=1", "refused=no_deltas", *CALM),
    ),
    Scenario(
        "bad_deltas",
        "Unusable deltas",
        "Deltas too large, with NaN, of a wrong shape or on an old model are refused before the gate.",
        {"validators": 4, "slots": 8, "trainers": 8, "byzantine": 0, **QUICK},
        (
            Fault(0, "trainer_oversize", (0,)),
            Fault(0, "trainer_nan", (1,)),
            Fault(0, "trainer_shape", (2,)),
            Fault(0, "trainer_stale", (3,)),
        ),
        expects=(
            "raw_refused=oversize",
            "raw_refused=not_finite",
            "raw_refused=wrong_shape",
            "raw_refused=stale_base",
            "bad_unchosen",
            "certified=1",
            *CALM,
        ),
    ),
)

_SPAM = tuple(
    Scenario(
        name,
        title,
        sentence,
        {"validators": 8, "slots": 8, **QUICK},
        (Fault(0, kind),),
        expects=(f"attack_fails={kind}", "acks_land", "certified=1", *CALM),
    )
    for name, title, sentence, kind in (
        ("sybil", "Sybil spam", "10,000 ACKs by keys that cost nothing: none counts, honest ACKs land.", "sybil_spam"),
        ("forgery", "Forged ACKs", "ACKs in others' names under one's own signature: none counts.", "forge_acks"),
        ("squatting", "Squatted ACKs", "Others' ACK keys written first, to last a century: refused.", "squat_acks"),
        ("replay", "Replayed ACKs", "The true ACKs of an earlier update, written again: none counts.", "replay_acks"),
    )
)

_DHT = (
    *_SPAM,
    Scenario(
        "dht_loss",
        "Forty per cent of the DHT lost",
        "40 % of the DHT's peers end at once: at least 99 % of the ACKs can still be read.",
        {"validators": 40, "nodes": 8, "slots": 16, **QUICK},
        (Fault(8, "dht_kill"),),
        expects=("readable=99", "certified=2", *CALM),
    ),
)

_VALIDATORS = (
    Scenario(
        "free_riders",
        "Free riders",
        "Two members acknowledge without evaluating; canaries at rate q catch each with 1 - (1 - q)^k in k rounds.",
        {"validators": 8, "slots": 24, "round_every": 3, "gate_texts": 64, "canary_rate": 0.5},
        (Fault(0, "free_ride", (2, 5)),),
        expects=("slashed=contradicted_ack", "honest_unslashed", "consistent"),
    ),
    Scenario(
        "late_acks",
        "Late ACKs",
        "All ACKs come after their time: the round expires with the zero update, and nobody is punished.",
        {"validators": 8, "slots": 40, **QUICK},
        (Fault(0, "late_acks", tuple(range(8))),),
        expects=("no_updates", "refused=no_quorum", "finalised=1", *CALM),
    ),
    Scenario(
        "conflict_spec",
        "Two updates, quorum ceil(n/2)",
        "An aggregator shows each half of four members another update: with ceil(n/2) both reach the quorum.",
        {"validators": 4, "slots": 12, "quorum": "spec", "byzantine": 0, **QUICK},
        (Fault(4, "conflicting_updates", count=1),),
        expects=("violation", "honest_unslashed", "consistent"),
    ),
    Scenario(
        "conflict_bft",
        "Two updates, quorum floor(2n/3) + 1",
        "The same aggregator against the larger quorum: at most one of the two can reach it.",
        {"validators": 4, "slots": 12, "quorum": "bft", "byzantine": 0, **QUICK},
        (Fault(4, "conflicting_updates", count=1),),
        expects=("no_violation", "honest_unslashed", "consistent"),
    ),
    Scenario(
        "equivocation_proposer",
        "Two blocks for one slot",
        "A proposer signs two blocks for one slot: slashed once, and gone two epochs later.",
        {"validators": 8, "slots": 32, **QUICK},
        (Fault(10, "equivocate_headers", count=1, until=11),),
        expects=("slashed=proposer_equivocation", "slashed_within=3", "gone", "honest_unslashed", "consistent"),
    ),
    Scenario(
        "equivocation_attester",
        "Two votes for one target",
        "An attester votes for two heads in one epoch: slashed once, and gone two epochs later.",
        {"validators": 8, "slots": 32, **QUICK},
        (Fault(10, "equivocate_votes", count=1, until=16),),
        expects=("slashed=double_vote", "slashed_within=3", "gone", "honest_unslashed", "consistent"),
    ),
    Scenario(
        "surround",
        "A vote around an earlier one",
        "An attester votes from an older source than before: its link surrounds the earlier one.",
        {"validators": 8, "slots": 60, **QUICK},
        (Fault(42, "surround_votes", count=1, until=48),),
        expects=("slashed=surround_vote", "slashed_within=3", "gone", "honest_unslashed", "consistent"),
    ),
    Scenario(
        "uncertified",
        "An update nobody certified",
        "A block names an update without a certificate: refused by every node, its proposer slashed.",
        {"validators": 8, "slots": 32, **QUICK},
        (Fault(10, "uncertified_update", count=1, until=11),),
        expects=(
            "block_refused=certificate",
            "slashed=uncertified_update",
            "slashed_within=3",
            "gone",
            "honest_unslashed",
            "consistent",
        ),
    ),
)

_NETWORK = (
    Scenario(
        "partition_50",
        "Partition in halves",
        "Neither half holds two thirds of the stake: nothing becomes final until they hear each other again.",
        {"validators": 8, "nodes": 8, "slots": 88, "round_every": 8, "gate_texts": 64},
        (Fault(32, "partition", (4, 5, 6, 7), until=56),),
        expects=("stalled=33-56", "grew=56-87", "one_head", *CALM),
    ),
    Scenario(
        "partition_70",
        "Partition 70 to 30",
        "The 70 % go on to finalise; the others take over their chain when they hear it.",
        {"validators": 10, "nodes": 10, "slots": 88, "round_every": 8, "gate_texts": 64},
        (Fault(32, "partition", (7, 8, 9), until=64),),
        expects=("grew=40-63", "grew=64-87", "one_head", *CALM),
    ),
    Scenario(
        "partition",
        "Partitions and their end",
        "70 to 30, whole again, in halves, whole again: the 70 % finalise, the halves do not, and nothing conflicts.",
        {"validators": 10, "nodes": 10, "slots": 136, "round_every": 8, "gate_texts": 64},
        (
            Fault(32, "partition", (7, 8, 9), until=64),
            Fault(80, "partition", (5, 6, 7, 8, 9), until=104),
        ),
        expects=("grew=40-63", "stalled=83-104", "grew=104-135", "one_head", *CALM),
    ),
    Scenario(
        "offline_third",
        "Over a third offline",
        "Four of nine validators are gone: finality stalls, and resumes when they are back.",
        {"validators": 9, "slots": 96, "round_every": 8, "gate_texts": 64},
        (Fault(32, "offline", (0, 2, 4, 6), until=64),),
        expects=("stalled=40-64", "grew=64-95", "one_head", *CALM),
    ),
)

SCENARIOS: dict[str, Scenario] = {
    scenario.name: scenario for scenario in (*_ORDINARY, *_TRAINERS, *_DHT, *_VALIDATORS, *_NETWORK)
}
