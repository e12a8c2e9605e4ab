"""Whose word counts: proposals that are none, signatures that are not theirs, two words for one round, and outliers.

An opinion is never a fault. An agent whose position lies far from all others is outvoted: left out, and nothing more.
Who is far is said by robust statistics, as in :mod:`engine.games.solvers.robust`: with n agents, f = floor((n - 1) / 3)
may lie. Let s be the distance from the coordinatewise median within which all but f lie; an agent further than
R = max(REACH s, a part of the space's size) is an outlier. While no more than f lie, the median and s are bounded by
the honest ones (s by the diagonal D of the box around them), so that liars who are heard lie within max(REACH D, part)
of it, and the consensus is within their share of the pull times (that + D) of the honest agents' weighted mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import isfinite

import numpy as np

from engine.consensus.fixed import BYTES, LIMIT, from_fixed, millionths, pack, to_fixed
from engine.consensus.messages import Domain, PositionMessage, SignedPosition, digest
from engine.consensus.participants import Proposal
from engine.consensus.results import Equivocation
from engine.consensus.tasks import Task
from engine.games.games import Floats

REACH = 3.0
PART = 0.25  # of the space's diameter: what is nearer to the median is nobody's outlier
ROUNDING = 1e-3  # how far a position may be outside of the space: models count in short numbers


@dataclass(frozen=True, slots=True)
class Fault:
    """Why an agent's word does not count; ``reason`` is a key of :data:`engine.consensus.results.REASONS`."""

    reason: str
    detail: str = ""
    evidence: Equivocation | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Ideal:
    """A proposal as it is signed: ``position`` (d,) on the contract's grid, ``packed`` the same, and millionths.

    ``given`` is what the agent said.
    """

    position: Floats
    packed: bytes
    confidence: int
    given: tuple[bytes, float]

    def same(self, other: Ideal | None) -> bool:
        """Return whether both would be signed alike."""
        return other is not None and self.packed == other.packed and self.confidence == other.confidence


def ideal_of(task: Task, proposal: Proposal, last: Ideal | None = None) -> Ideal | Fault:
    """Return what an agent proposes, or why it cannot be used; ``last`` itself when nothing changed since."""
    return ideals_of(task, [(proposal, last)])[0]


def ideals_of(task: Task, proposals: Sequence[tuple[Proposal, Ideal | None]]) -> list[Ideal | Fault]:
    """Return the same for many agents at once."""
    found = [_read(task, proposal, last) for proposal, last in proposals]
    fresh = [(row, made) for row, made in enumerate(found) if isinstance(made, tuple)]
    if fresh:
        numbers = np.stack([position for _, (position, _) in fresh])
        for (row, _), made in zip(fresh, _made(task, numbers, [sure for _, (_, sure) in fresh]), strict=True):
            found[row] = made
    return [made for made in found if not isinstance(made, tuple)]


def _read(task: Task, proposal: Proposal, last: Ideal | None) -> tuple[Floats, float] | Ideal | Fault:
    try:
        position = np.asarray(proposal.position, dtype=np.float64)
        confidence = float(proposal.confidence)
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        return Fault("failed", f"what it proposes is no position: {error}"[:200])
    if position.shape != (task.dims,):
        return Fault("wrong shape", f"{position.shape} instead of {(task.dims,)}")
    if last is not None and confidence == last.given[1] and position.tobytes() == last.given[0]:
        return last
    return position, confidence


def _made(task: Task, numbers: Floats, confidences: Sequence[float]) -> list[Ideal | Fault]:
    """Return the ideals of positions (n, d), or what is wrong with them."""
    with np.errstate(invalid="ignore", over="ignore"):
        limits = zip(numbers.min(axis=1), numbers.max(axis=1), numbers.sum(axis=1), confidences, strict=True)
        faults = [_fault(task, *map(float, found)) for found in limits]
    sound = np.array([fault is None for fault in faults])
    inside = numbers[sound]
    if task.space != "real":
        inside = inside.clip(0.0, 1.0)
    if task.space == "simplex":
        inside = inside / inside.sum(axis=1, keepdims=True)
    fixed = to_fixed(inside)
    packed, width = pack(fixed), BYTES * task.dims
    pairs = zip(from_fixed(fixed), (packed[at : at + width] for at in range(0, len(packed), width)), strict=True)
    made: list[Ideal | Fault] = []
    for row, fault in enumerate(faults):
        if fault is not None:
            made.append(fault)
        else:
            given = (numbers[row].tobytes(), confidences[row])
            made.append(Ideal(*next(pairs), millionths(confidences[row]), given))
    return made


def _fault(task: Task, low: float, high: float, total: float, confidence: float) -> Fault | None:
    if not (isfinite(low) and isfinite(high) and isfinite(confidence)):
        return Fault("not finite", "" if isfinite(confidence) else "its confidence is no number")
    if not 0.0 < confidence <= 1.0:
        return Fault("out of range", f"its confidence {confidence:g} is not above 0 and at most 1")
    least, most = (-LIMIT, LIMIT - 1.0) if task.space == "real" else (-ROUNDING, 1.0 + ROUNDING)
    if low < least or high > most:
        return Fault("out of range", f"its coordinates reach from {low:g} to {high:g}, not only {least:g} to {most:g}")
    if task.space == "simplex" and abs(total - 1.0) > ROUNDING:
        return Fault("out of range", f"its shares add up to {total:g}, not to 1")
    return None


def word_of(asked: SignedPosition, told: Sequence[SignedPosition], domain: Domain) -> SignedPosition | Fault:
    """Return the one word of an agent that was asked to sign (``asked`` has no signature yet), from all that it told.

    Two different messages for the round, both with its signature, are an equivocation; anybody can check the evidence.
    """
    expected, valid = asked.message, dict[bytes, SignedPosition]()
    if len(told) == 1 and isinstance(told[0], SignedPosition) and told[0].message is expected:
        problem = told[0].problem(domain, hashed=told[0].packed is asked.packed)
        return Fault("bad signature", problem) if problem else told[0]
    problem = "it sent nothing that is signed"
    for said in told:
        if not isinstance(said, SignedPosition):
            problem = "what it sent is no signed position"
            continue
        try:
            known = said.packed == asked.packed and said.message.position_hash == expected.position_hash
            own = said.message.agent == expected.agent
            found = said.problem(domain, hashed=known) if own else "it signed for somebody else"
            if not found:
                valid[digest(said.message, domain)] = said
        except (ValueError, OverflowError, TypeError, AttributeError) as error:
            found = f"the message is malformed: {error}"
        problem = found or problem
    if not valid:
        return Fault("bad signature", problem)
    for a, b in combinations(valid.values(), 2):
        if convicts(a.message, b.message):
            return Fault("equivocation", f"two positions for round {a.message.round}", Equivocation("", a, b))
    for said in valid.values():
        if said.message == expected:
            return said
    nonce = next(iter(valid.values())).message.nonce
    if nonce != expected.nonce:
        return Fault("stale nonce", f"nonce {nonce} instead of {expected.nonce}")
    return Fault("bad signature", "it signed another message than it was asked to")


def convicts(a: PositionMessage, b: PositionMessage) -> bool:
    """Return whether the contract slashes the agent that signed both: one round, one nonce, and two contents."""
    round_a, round_b = ((m.agent, m.task_hash, m.round, m.nonce) for m in (a, b))
    return round_a == round_b and (a.position_hash, a.confidence) != (b.position_hash, b.confidence)


def outliers(task: Task, positions: Floats) -> dict[int, str]:
    """Return the rows of ``positions`` (n, d) that are outvoted, at most f of them, and why; see the module's head."""
    allowed = (len(positions) - 1) // 3
    if allowed <= 0:
        return {}
    median = np.median(positions, axis=0)
    away = np.linalg.norm(positions - median, axis=1)
    scale = float(np.sort(away)[len(positions) - 1 - allowed])
    limit = max(REACH * scale, least_distance(task, median))
    return {
        int(row): f"{away[row]:.3g} from the median of all, more than {limit:.3g}"
        for row in np.flatnonzero(away > limit)
    }


def least_distance(task: Task, median: Floats) -> float:
    """Return the distance from the median within which nobody is an outlier.

    A space without a size has the median's own length to go by: there it only absorbs rounding.
    """
    if task.space == "simplex":
        return PART * float(np.sqrt(2.0))
    if task.space == "box":
        return PART * float(np.sqrt(task.dims))
    return ROUNDING * (1.0 + float(np.linalg.norm(median)))
