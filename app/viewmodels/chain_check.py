"""Asking the contract about a step: does it belong to a round whose root stands on chain?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.viewmodels.proof import ProofWalk
from engine.league.anchored import ShownStep, verify_on_chain
from engine.league.bundle import Bundle

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
    """Call LeagueAnchor.verifyTrace for the leaf as it is shown, the operator's edits included. Raises EngineError."""
    shown = ShownStep(
        bundle.commitment,
        bundle.header,
        bundle.trace_root,
        bundle.steps,
        int.from_bytes(proof.leaf[:8], "big"),
        proof.leaf[8:40],
        proof.leaf[40:72],
        tuple(bytes.fromhex(line.sibling) for line in proof.lines),
    )
    verdict = await verify_on_chain(runtime.chain, runtime.league.history, shown)
    return ChainCheck(verdict.holds, verdict.contract, verdict.block, verdict.round_name, verdict.leaf)
