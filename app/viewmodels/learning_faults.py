"""The faults as the page offers them: in groups, with targets that suit where none are typed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.learning.faults import FAULTS

if TYPE_CHECKING:
    from app.viewmodels.learning_runs import LearnRecord

NETWORK = ("partition", "heal", "dht_kill", "sybil_spam", "forge_acks", "squat_acks", "replay_acks")
GROUPS = {
    "validators": ("Validators", "validator numbers"),
    "trainers": ("Trainers", "trainer numbers"),
    "network": ("Network", "node or peer numbers"),
    "machine": ("Machine", ""),
}
MOST = 4096
TITLES = {
    "dht_kill": "Kill DHT peers", "worker_kill": "Kill a worker", "forge_acks": "Forge ACKs", "late_acks": "Late ACKs",
    "squat_acks": "Squat ACK keys", "replay_acks": "Replay ACKs", "sybil_spam": "Sybil ACK spam",
    "trainer_alie": "ALIE", "trainer_nan": "NaN", "free_ride": "Free-riding ACKs",
    "equivocate_headers": "Equivocate headers", "equivocate_votes": "Equivocate votes", "partition": "Partition",
    "heal": "Heal",
}  # fmt: skip


def group_of(kind: str) -> str:
    """Return whose fault it is: validators, trainers, network or machine."""
    if kind.startswith("trainer_"):
        return "trainers"
    if kind in NETWORK:
        return "network"
    return "machine" if kind.startswith("worker_") else "validators"


def title_of(kind: str) -> str:
    """Return a fault's name for a button."""
    return TITLES.get(kind) or kind.removeprefix("trainer_").replace("_", " ").capitalize()


def sentence_of(kind: str) -> str:
    """Return what a fault does, as a sentence."""
    text = FAULTS.get(kind, kind)
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def grouped() -> dict[str, list[str]]:
    """Return every fault, by its group."""
    found: dict[str, list[str]] = {group: [] for group in GROUPS}
    for kind in FAULTS:
        found[group_of(kind)].append(kind)
    return found


def read_targets(text: str) -> tuple[int, ...]:
    """Read numbers and ranges: ``1, 3-5``. Raises ValueError with what is wrong."""
    found: list[int] = []
    for part in re.split(r"[,\s]+", text.strip()):
        if not part:
            continue
        match = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part)
        if match is None:
            raise ValueError(f"{part!r} is neither a number nor a range as 3-5.")
        low, high = int(match[1]), int(match[2] or match[1])
        if high < low or high >= MOST:
            raise ValueError(f"{part}: numbers go from 0 to {MOST - 1}, the smaller one first.")
        found.extend(range(low, high + 1))
    return tuple(dict.fromkeys(found))


def default_targets(kind: str, record: LearnRecord) -> tuple[tuple[int, ...], int]:
    """Return targets, or how many the engine is to choose: the next that can show the fault."""
    if kind == "partition":
        nodes = record.started.nodes if record.started is not None else 2
        return tuple(range(max(1, nodes // 2), nodes)), 0
    if kind == "dht_kill":
        peers = len(record.peers.rows) if record.peers is not None else 2
        return tuple(range(peers - max(1, peers * 2 // 5), peers)), 0
    if kind == "heal":
        return (), 0
    return (), 1
