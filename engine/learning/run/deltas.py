"""What dishonest trainers and aggregators put in the place of a delta."""

from __future__ import annotations

from engine.learning.adversary.deltas import FLAVOURS, KINDS, attacked
from engine.learning.run.behaviour import Behaviours
from engine.learning.run.kit import Kit

SPYING = "trainer_alie"  # colluders wait until they have seen the honest deltas of the round


def flavour_of(faults: Behaviours, trainer: int) -> str:
    """Return what a trainer trains: honest, or what its fault makes of it."""
    return next((flavour for kind, flavour in FLAVOURS.items() if faults.has(kind, trainer)), "honest")


def altered(kit: Kit, trainer: int, number: int, delta: bytes, seen: tuple[bytes, ...]) -> bytes:
    """Return what a trainer publishes: its delta, or what its fault makes of it and of the deltas it has seen."""
    for kind in KINDS:
        fault = f"trainer_{kind}"
        if kit.faults.has(fault, trainer):
            colluders = len(kit.faults.targets(fault))
            seed = f"{kit.config.seed}/{number}/{trainer}".encode()
            return attacked(kind, delta, seen=seen, trainers=kit.config.trainers, byzantine=colluders, seed=seed)
    return delta


def spoiled(kit: Kit, delta: bytes, number: int) -> bytes:
    """Return what takes an aggregate's place and makes the model worse: a bad aggregator's, or a canary."""
    return attacked("sign_flip", delta, seed=f"{kit.config.seed}/{number}".encode())
