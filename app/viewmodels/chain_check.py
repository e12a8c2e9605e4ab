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


async def check_on_chain(runtime: Runtime, bundle: Bundle, proof: ProofWalk, round_id: str) -> ChainCheck:
    """Call LeagueAnchor.verifyTrace for the step as it is shown, edits included. Raises EngineError."""
    stored, index = _find(runtime, bundle, round_id)
    chain = await runtime.chain()
    siblings = [bytes.fromhex(line.sibling) for line in proof.lines]
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
        siblings,
    )
    block = await chain.block_number()
    name = f"{stored.row.name} #{stored.row.number}"
    return ChainCheck(bool(answer), chain.anchor.address, block, name, index)


def _find(runtime: Runtime, bundle: Bundle, round_id: str) -> tuple[StoredRound, int]:
    """Return the anchored round that holds the match, and its leaf's index."""
    history = runtime.league.history
    ids = [round_id] if round_id else [row.round_id for row in history.rounds()]
    for candidate in ids:
        stored = StoredRound.load(history, candidate)
        for index, match in enumerate(stored.matches):
            if match.commitment == bundle.commitment:
                if runtime.league.round(candidate).anchored is None:
                    raise EngineError("The round of this match is not anchored", "", "Run it with anchoring on.")
                return stored, index
    raise EngineError(
        "The match belongs to no round of this data directory", "its commitment is not among the stored ones"
    )
