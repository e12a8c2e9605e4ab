"""Asking the contract about a step: does it belong to a round whose root stands on chain?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.viewmodels.proof import ProofWalk
from engine.core.errors import EngineError
from engine.core.hashing import HEADER, sha
from engine.league.bundle import Bundle
from engine.league.settlement import StoredRound

if TYPE_CHECKING:
    from engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class ChainCheck:
    """What the contract said, and where it was asked."""

    answer: bool
    contract: str
    block: int
    round_name: str
    leaf: int
    step: int = -1


async def check_on_chain(runtime: Runtime, bundle: Bundle, proof: ProofWalk) -> ChainCheck:
    """Call LeagueAnchor.verifyTrace for the leaf as it is shown, edits included. Raises EngineError.

    :func:`engine.league.anchored.verify_on_chain` asks for a step as recorded; here the operator may have changed it.
    """
    found = runtime.league.history.by_commitment(bundle.commitment)
    if found is None:
        raise EngineError("The match is in no round here", "no stored match has its commitment")
    stored = StoredRound.load(runtime.league.history, found[0])
    if runtime.league.round(found[0]).anchored is None:
        raise EngineError("The round of this match is not anchored", "", "Run rounds with anchoring on.")
    chain = await runtime.chain()
    index = stored.leaf_index(found[1])
    answer = await chain.anchor.verify_trace(
        stored.commitment_id(chain.operator),
        stored.commitment.leaves[index].as_tuple(),
        stored.commitment.tree.proof(index),
        sha(HEADER, bundle.header),
        bundle.trace_root,
        bundle.steps,
        int.from_bytes(proof.leaf[:8], "big"),
        proof.leaf[8:40],
        proof.leaf[40:72],
        [bytes.fromhex(line.sibling) for line in proof.lines],
    )
    block = await chain.block_number()
    name = f"{stored.row.name} #{stored.row.number}"
    return ChainCheck(bool(answer), chain.anchor.address, block, name, index)
