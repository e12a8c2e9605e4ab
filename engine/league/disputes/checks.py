"""Frauds that prove themselves: what is wrong with a published round by its own numbers, without playing a match.

Each check is the contract's, so that what is found here is what the contract accepts as a proof.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from engine.core.hashing import keccak
from engine.league.disputes.published import Published
from engine.league.standings import NO_OPPONENT, RoundLeaf, standings_hash


class FraudKind(StrEnum):
    """What is wrong with a round. The last three need more than the published numbers."""

    GENESIS = "genesis"
    BOUNDS = "bounds"
    ARITHMETIC = "arithmetic"
    BREAK = "break"
    TERMINAL = "terminal"
    EQUIVOCATION = "equivocation"
    WITHHELD = "withheld"
    REPLAY = "replay"

    @property
    def proves_itself(self) -> bool:
        """Whether the chain decides on it at once, without judges and without a bond."""
        return self not in (FraudKind.WITHHELD, FraudKind.REPLAY)


@dataclass(frozen=True, slots=True)
class Fraud:
    """Something wrong: in the match ``index`` (its leaf), or None for the round as a whole.

    ``detail`` says it to a person. ``pre`` are the standings before the match, where the proof needs them.
    """

    kind: FraudKind
    index: int | None
    detail: str
    pre: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Posted:
    """What the chain holds of a round: the root, the roster's hash, the number of matches, the bound of a score."""

    poster: str
    root: bytes
    roster_hash: bytes
    size: int
    depth: int
    bound: int


def roster_hash(addresses: Sequence[str], scores: Sequence[int]) -> bytes:
    """Return the hash that the contract keeps of agents and scores."""
    words = [bytes.fromhex(address[2:]).rjust(32, b"\0") for address in addresses]
    words += [score.to_bytes(32, "big", signed=True) for score in scores]
    return keccak(b"".join(words))


def self_proving(published: Published, posted: Posted) -> Iterator[Fraud]:
    """Yield every fraud that shows in the published numbers, in the order of the matches."""
    if published.second is not None and published.second.root != posted.root:
        yield Fraud(FraudKind.EQUIVOCATION, None, "the host signed another root for the same round")
    scores: list[int] | None = [0] * len(published.scores)
    before: RoundLeaf | None = None
    for index, leaf in enumerate(published.leaves):
        if leaf is None:
            scores, before = None, None
            continue
        yield from _of_leaf(leaf, scores, before, len(published.scores), posted.bound)
        scores, before = _after(leaf, scores), leaf
        assert leaf.index == index
    yield from _of_end(published, before)


def _of_leaf(
    leaf: RoundLeaf, scores: list[int] | None, before: RoundLeaf | None, roster: int, bound: int
) -> Iterator[Fraud]:
    if leaf.index == 0 and leaf.pre != standings_hash([0] * roster):
        yield Fraud(FraudKind.GENESIS, 0, "the round does not begin with zeros")
    if not within_bounds(leaf, roster, bound):
        yield Fraud(FraudKind.BOUNDS, leaf.index, f"match {leaf.index} gives more than {bound}, or names no seat")
    if before is not None and before.post != leaf.pre:
        yield Fraud(FraudKind.BREAK, before.index, f"match {leaf.index} does not begin where the one before ended")
    if scores is not None and leaf.pre == standings_hash(scores):
        after = _after(leaf, scores)
        if after is None or standings_hash(after) != leaf.post:
            text = f"the standings after match {leaf.index} are not those before it and its scores"
            yield Fraud(FraudKind.ARITHMETIC, leaf.index, text, tuple(scores))


def _of_end(published: Published, last: RoundLeaf | None) -> Iterator[Fraud]:
    if last is not None and last.post != standings_hash(published.scores):
        yield Fraud(FraudKind.TERMINAL, last.index, "the posted totals are not those after the last match")


def within_bounds(leaf: RoundLeaf, roster: int, bound: int) -> bool:
    """Return whether the seats exist and the scores keep the posted bound, as the contract has it."""
    if leaf.a >= roster or abs(leaf.d_a) > bound or abs(leaf.d_b) > bound:
        return False
    return leaf.d_b == 0 if leaf.b == NO_OPPONENT else leaf.b < roster and leaf.a != leaf.b


def _after(leaf: RoundLeaf, scores: list[int] | None) -> list[int] | None:
    """Return the standings after the match, None where none can follow: a seat that is none, a sum beyond 64 bits."""
    if scores is None:
        return None
    after = list(scores)
    for seat, points in ((leaf.a, leaf.d_a), *([(leaf.b, leaf.d_b)] if leaf.b != NO_OPPONENT else [])):
        if seat >= len(after) or not -(2**63) <= after[seat] + points < 2**63:
            return None
        after[seat] += points
    return after
