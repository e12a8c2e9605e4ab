"""The dishonest host: what it anchors instead of the truth. Everything follows from the round's seed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

from engine.league.bundle import Bundle
from engine.league.disputes.published import Dishonesty, Publication, SecondRoot
from engine.league.match import match_commitment
from engine.league.referee import FLAG_FAULT
from engine.league.standings import NO_OPPONENT, Played, RoundCommitment, RoundLeaf, commit_round
from engine.league.trace import RECORD, Trace

POINTS = 5  # what a score is raised by, where the bound leaves room
_DOMAIN = b"nashboard/dishonesty"


def chosen_match(
    honest: RoundCommitment, played: Sequence[int], dishonesty: Dishonesty, seed: int, bound: int
) -> int | None:
    """Return the index of the match that the host cheats in, None when its way needs none.

    ``played`` are the indices of the matches with a trace. None too where no match has room for another score: then
    the host has to post the truth.
    """
    if dishonesty in (Dishonesty.HONEST, Dishonesty.INFLATE_TOTAL):
        return None
    raised = [index for index in played if _gain(honest.leaves[index], bound)]
    fit = played if dishonesty is Dishonesty.ALTER else raised
    if not fit:
        return None
    digest = sha256(_DOMAIN + struct.pack(">Q", seed) + dishonesty.value.encode()).digest()
    return fit[int.from_bytes(digest[:8], "big") % len(fit)]


def publication(
    honest: RoundCommitment,
    dishonesty: Dishonesty,
    match: int | None,
    bound: int,
    *,
    altered: bytes = b"",
    sign: Callable[[bytes], bytes] | None = None,
) -> Publication:
    """Return what the host anchors and publishes; ``match`` comes from :func:`chosen_match`.

    ``altered`` is the commitment over the altered trace, for Dishonesty.ALTER; ``sign`` gives the host's signature of
    a root, for Dishonesty.EQUIVOCATE.
    """
    if match is None:
        scores = _raised_total(honest.scores) if dishonesty is Dishonesty.INFLATE_TOTAL else honest.scores
        return Publication(dishonesty, replace(honest, scores=scores))
    if dishonesty is Dishonesty.ALTER:
        return Publication(dishonesty, _with(honest, match, evidence=altered), match)
    leaf = honest.leaves[match]
    false = _with(honest, match, d_a=leaf.d_a + _gain(leaf, bound))
    if dishonesty is Dishonesty.EQUIVOCATE and sign is not None:
        root = false.tree.root
        return Publication(dishonesty, honest, match, second=SecondRoot(root, sign(root)))
    withheld = frozenset({match} if dishonesty is Dishonesty.WITHHOLD else ())
    return Publication(dishonesty, false, match, withheld)


def altered_bundle(bundle: Bundle, seed: int) -> Bundle:
    """Return the bundle with another action in one step, and the trace root and commitment that follow from it.

    A trace without steps stays as it is but for its length.
    """
    if not len(bundle.records):
        commitment = match_commitment(bundle.header, bundle.trace_root, 1)
        return replace(bundle, steps=1, commitment=commitment)
    trace = bytearray(bundle.trace)
    offset = 0
    for record in list(bundle.records)[: seed % len(bundle.records)]:
        offset += RECORD.size + (len(record.observation) + 7 & ~7)
    step, seat, flags, size, gas, packed, action = RECORD.unpack_from(trace, offset)
    RECORD.pack_into(trace, offset, step, seat, flags & ~FLAG_FAULT, size, gas, packed, action ^ 1)
    root = Trace(bytes(trace), len(bundle.agents)).root
    commitment = match_commitment(bundle.header, root, bundle.steps)
    return replace(bundle, trace=bytes(trace), trace_root=root, commitment=commitment)


def _with(
    honest: RoundCommitment, index: int, *, d_a: int | None = None, evidence: bytes | None = None
) -> RoundCommitment:
    """Return the round with another first score or evidence in one match, and standings that follow from it."""
    matches = [_played(leaf) for leaf in honest.leaves]
    old = matches[index]
    matches[index] = replace(
        old,
        score_a=old.score_a if d_a is None else d_a,
        commitment=old.commitment if evidence is None else evidence,
    )
    return commit_round(len(honest.scores), matches)


def _played(leaf: RoundLeaf) -> Played:
    b = None if leaf.b == NO_OPPONENT else leaf.b
    return Played(leaf.a, b, leaf.d_a, None if b is None else leaf.d_b, leaf.evidence)


def _gain(leaf: RoundLeaf, bound: int) -> int:
    """How far the first seat's score may be raised without breaking the posted bound."""
    return max(min(POINTS, bound - leaf.d_a), 0)


def _raised_total(scores: tuple[int, ...]) -> tuple[int, ...]:
    """Give the last of the table what makes it the first."""
    last = min(range(len(scores)), key=lambda seat: scores[seat])
    return tuple(max(scores) + 1 if seat == last else score for seat, score in enumerate(scores))
