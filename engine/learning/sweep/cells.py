"""A cell of a sweep, and the criterion by which an update counts as broken."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from engine.learning.sweep.spec import SweepSpec

TOOK = 0.25  # of the effect that the backdoored deltas have alone: from there on a backdoor counts as taken
WORDS = {"fedavg": "FedAvg", "krum": "Krum", "multi_krum": "Multi-Krum", "trimmed_mean": "Trimmed mean"}


@dataclass(frozen=True, slots=True)
class Measured:
    """Losses in nano-nats a token: the base's, after the honest alone, after the bad alone, after the aggregate."""

    base: int
    honest: int
    after: int
    trigger_base: int
    trigger_honest: int
    trigger_bad: int
    trigger_after: int


@dataclass(frozen=True, slots=True)
class SweepCell:
    """What a rule makes of an attack by ``byzantine`` of ``trainers``. Losses are nats a token on held-out texts.

    ``broken``: the model is worse than before, or a quarter of the backdoor took. ``refused``: the rule itself declines
    (too_few); the figures are then those that it would give all the same. ``accepted``: the loss gate on drawn texts,
    ``accepted_public`` on the first texts of the pool (measured for overfit alone). ``gain``: of what the honest deltas
    alone achieve; ``took``: of what the backdoored ones alone do. ``chosen_bad``: bad deltas among the ``chosen``.
    """

    attack: str
    rule: str
    fraction: float
    trainers: int
    byzantine: int
    verdict: str  # safe, broken or refused
    broken: bool
    refused: str
    chosen: int
    chosen_bad: int
    accepted: bool
    accepted_public: bool | None
    loss_before: float
    loss_after: float
    trigger_before: float
    trigger_after: float
    gain: float
    took: float
    text: str


@dataclass(frozen=True, slots=True)
class Sweep:
    """A whole sweep; cells in the order of attacks, rules, fractions."""

    spec: SweepSpec
    base: str
    training: str
    cells: tuple[SweepCell, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        cells = [dataclasses.asdict(cell) for cell in self.cells]
        return {"spec": self.spec.model_dump(mode="json"), "base": self.base, "training": self.training, "cells": cells}


def judged(measured: Measured, attack: str) -> tuple[bool, float, float]:
    """Return whether an update is broken, and its gain and took (see :class:`SweepCell`)."""
    reached, possible = measured.base - measured.after, measured.base - measured.honest
    gain = reached / possible if possible > 0 else 0.0
    shift, whole = measured.trigger_honest - measured.trigger_after, measured.trigger_honest - measured.trigger_bad
    took = shift / whole if attack == "backdoor" and whole > 0 else 0.0
    return measured.after > measured.base or took >= TOOK, gain, took


def sentence(cell: SweepCell, why: str) -> str:
    """Return what happened in a cell, for people; ``why`` is the formula where the rule refused."""
    rule = WORDS.get(cell.rule, "Median")
    if cell.byzantine == 0:
        who = f"{rule} of {cell.trainers} honest deltas"
    elif cell.rule in ("krum", "multi_krum"):
        who = f"{rule} takes {cell.chosen_bad} bad among {cell.chosen}"
    else:
        who = f"{rule} of {cell.trainers} deltas, {cell.byzantine} of them bad"
    moved = cell.loss_after / cell.loss_before - 1
    what = f"the held-out loss {'rises' if moved > 0 else 'falls'} by {abs(moved):.2%}"
    if cell.attack == "backdoor" and cell.byzantine:
        what += f", the backdoor takes to {max(cell.took, 0):.0%}"
    gate = "passes the gate" if cell.accepted else "is stopped by the gate"
    if cell.accepted_public is not None and cell.accepted_public != cell.accepted:
        gate += f", {'passes' if cell.accepted_public else 'fails'} one of public texts"
    if cell.refused:
        return f"Refused: {why}. Else {who}: {what}; that {gate}."
    return f"{who}: {what}; the update {gate}."
