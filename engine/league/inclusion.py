"""Leaves of a round shown to the contract, true or not, and the root that it holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.chain.session import Chain
from engine.core.hashing import HEADER, sha
from engine.league.errors import LeagueError
from engine.league.settlement import commitment_id
from engine.league.trees import MatchTree, leaf_tuple

STATUS: Final = ("none", "open", "settled", "disputed", "rejected")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the contract said: ``holds``, which contract, at which block, and the root that it keeps.

    ``status`` is how the round stands there: none, open, settled, disputed or rejected.
    """

    contract: str
    block: int
    root: bytes
    holds: bool
    status: str = ""


async def root_on_chain(chain: Chain, played: MatchTree) -> Answer:
    """Return the root that the contract keeps for a round; ``holds`` when it is the one computed here.

    Raises LeagueError when the round was played on another chain or on none.
    """
    if played.book != chain.book:
        raise LeagueError("The round is not on this chain", f"its book is {played.book}")
    block = await chain.block_number()
    posted = await chain.anchor.commitment_of(commitment_id(chain.operator, played.league_id))
    status = STATUS[posted.status] if posted.status < len(STATUS) else str(posted.status)
    return Answer(chain.anchor.address, block, posted.root, posted.root == played.tree.root, status)


async def ask_leaf(chain: Chain, played: MatchTree, body: bytes, path: Sequence[bytes]) -> Answer:
    """Ask the contract whether the bytes of a leaf belong to the round. Raises LeagueError."""
    known = await root_on_chain(chain, played)
    identity = commitment_id(chain.operator, played.league_id)
    holds = await chain.anchor.verify_step(identity, leaf_tuple(body), path)
    return replace(known, holds=holds)


@dataclass(frozen=True, slots=True)
class MatchBinding:
    """What binds a match's trace into its leaf: the header that the commitment hashes, the trace root, the steps."""

    header: bytes
    trace_root: bytes
    steps: int


async def ask_step(
    chain: Chain, played: MatchTree, leaf: int, match: MatchBinding, body: bytes, path: Sequence[bytes]
) -> Answer:
    """Ask the contract whether the bytes of a step belong to the match of a leaf of the round. Raises LeagueError."""
    known = await root_on_chain(chain, played)
    holds = await chain.anchor.verify_trace(
        commitment_id(chain.operator, played.league_id),
        leaf_tuple(played.tree.body(leaf)),
        [sibling for _, _, sibling in played.tree.path(leaf)],
        sha(HEADER, match.header),
        match.trace_root,
        match.steps,
        int.from_bytes(body[:8], "big"),
        body[8:40],
        body[40:72],
        path,
    )
    return replace(known, holds=holds)
