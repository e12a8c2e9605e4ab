"""What an agent makes of its model's output: a position in the task's space, and how sure it is.

Pure: its one best choice: all on one coordinate (simplex), yes or no at each (box), the point itself (real).
Mixed: a distribution over choices: softmax (simplex), sigmoid (box), the point itself (real).
Adaptive: as mixed, on an output that learning has corrected (:mod:`engine.consensus.agents.learning`).
"""

from __future__ import annotations

import math

import numpy as np

from engine.consensus.errors import ConsensusError
from engine.consensus.participants import Proposal
from engine.consensus.tasks import Task
from engine.games.games import Floats

LEAST_CONFIDENCE = 0.05  # the game needs it above 0
REAL_CONFIDENCE = 0.5  # a point says nothing of how sure it is


def fit(output: Floats, task: Task) -> Floats:
    """Return one number a coordinate (d,): the first d of the output. Raises ConsensusError when it has fewer."""
    flat = np.asarray(output, dtype=np.float64).reshape(-1)
    if flat.size < task.dims:
        raise ConsensusError(
            "The model does not fit the task",
            f"it gives {flat.size} number(s), the task has {task.dims} coordinates",
            "Give the model's last layer at least as many outputs as the task has labels.",
        )
    return flat[: task.dims].copy()


def decide(logits: Floats, task: Task, strategy: str, confidence: float | None = None) -> Proposal:
    """Return the proposal of a strategy, given a model's numbers (d,) and, where it says so, how sure it is.

    Else the confidence is, in a simplex, one minus the entropy of the distribution relative to the largest possible; in
    a box the mean distance of the probabilities from a coin's, doubled; both at least 0.05; for a real point 0.5.
    NaN goes through to the position, for the round to judge.
    """
    shares = distribution(logits, task.space)
    sure = _confidence(shares, task.space) if confidence is None else confidence
    position = choice(shares, task.space) if strategy == "pure" else shares
    return Proposal(position, min(1.0, max(LEAST_CONFIDENCE, sure)) if math.isfinite(sure) else LEAST_CONFIDENCE)


def distribution(logits: Floats, space: str) -> Floats:
    """Return numbers (d,) as a point of a space."""
    if space == "real":
        return logits
    with np.errstate(over="ignore", invalid="ignore"):
        if space == "box":
            return 1.0 / (1.0 + np.exp(-np.clip(logits, -700.0, 700.0)))
        raised = np.exp(logits - logits.max())
        return np.asarray(raised / raised.sum())


def logits_of(position: Floats, space: str) -> Floats:
    """Return numbers (d,) that ``distribution`` takes to a position, kept away from certainty."""
    if space == "real":
        return position
    inside = np.clip(position, 1e-6, 1.0 - 1e-6)
    return np.log(inside) if space == "simplex" else np.log(inside / (1.0 - inside))


def choice(shares: Floats, space: str) -> Floats:
    """Return the one best choice at a point of a space; of equal ones the first. NaN stays NaN."""
    if space == "real" or not np.isfinite(shares).all():
        return shares
    if space == "box":
        return (shares >= 0.5).astype(np.float64)
    picked = np.zeros_like(shares)
    picked[int(np.argmax(shares))] = 1.0
    return picked


def _confidence(shares: Floats, space: str) -> float:
    if space == "real" or (space == "simplex" and shares.size == 1):
        return REAL_CONFIDENCE
    if space == "box":
        return float(np.mean(np.abs(2.0 * shares - 1.0)))
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(shares > 0, shares * np.log(shares), 0.0 * shares).sum()
    return float(1.0 - entropy / math.log(shares.size))
