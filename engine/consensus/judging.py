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

import numpy as np

from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import from_fixed, millionths, pack, to_fixed
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
    try:
        position = np.asarray(proposal.position, dtype=np.float64)
        confidence = float(proposal.confidence)
    except (AttributeError, TypeError, ValueError, RuntimeError) as error:
        return Fault("failed", f"what it proposes is no position: {error}"[:200])
    given = (position.tobytes(), confidence)
    if last is not None and given == last.given and position.ndim == 1:
        return last
    if position.shape != (task.dims,):
        return Fault("wrong shape", f"{position.shape} instead of {(task.dims,)}")
    if not np.isfinite(position).all() or not np.isfinite(confidence):
        return Fault("not finite", "" if np.isfinite(confidence) else "its confidence is no number")
    if not 0.0 < confidence <= 1.0:
        return Fault("out of range", f"its confidence {confidence:g} is not above 0 and at most 1")
    if task.space != "real":
        if position.min() < -ROUNDING or position.max() > 1.0 + ROUNDING:
            return Fault("out of range", f"a coordinate is outside [0, 1]: {position.min():g} to {position.max():g}")
        position = position.clip(0.0, 1.0)
    if task.space == "simplex":
        if abs(position.sum() - 1.0) > ROUNDING:
            return Fault("out of range", f"its shares add up to {position.sum():g}, not to 1")
        position = position / position.sum()
    try:
        fixed = to_fixed(position)
    except ConsensusError as error:
        return Fault("out of range", error.why)
    return Ideal(from_fixed(fixed), pack(fixed), millionths(confidence), given)


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
