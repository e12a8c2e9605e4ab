"""Asking the contract about a step: does it belong to a round whose root stands on chain?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.viewmodels.proof import ProofWalk
from engine.league.bundle import Bundle
from engine.league.errors import LeagueError
from engine.league.inclusion import MatchBinding, ask_step

if TYPE_CHECKING:
    from app.viewmodels.tree_loader import TreeLoader
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


async def check_on_chain(runtime: Runtime, trees: TreeLoader, bundle: Bundle, proof: ProofWalk) -> ChainCheck:
    """Ask the contract about the leaf as it is shown, the operator's edits included. Raises EngineError."""
    found = runtime.league.history.by_commitment(bundle.commitment)
    if found is None:
        raise LeagueError("The match is in no round here", f"no stored match has {bundle.commitment.hex()}")
    played = await trees.round(found[0])
    leaf = played.leaf_of(found[1])
    if leaf is None or not played.anchored or played.book == "local":
        raise LeagueError("The round of this match is not anchored", "", "Run rounds with anchoring on.")
    path = [bytes.fromhex(line.sibling) for line in proof.lines]
    binding = MatchBinding(bundle.header, bundle.trace_root, bundle.steps)
    answer = await ask_step(await runtime.chain(), played, leaf, binding, proof.leaf, path)
    return ChainCheck(answer.holds, answer.contract, answer.block, played.title, leaf)
