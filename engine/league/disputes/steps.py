"""What brings a case on: a transaction with a key of its own, and time or a block that has to pass."""

from __future__ import annotations

from dataclasses import dataclass

from engine.chain.bindings import Call
from engine.chain.errors import DevnetError
from engine.chain.session import Chain
from engine.league.disputes.posted import head_time


@dataclass(frozen=True, slots=True)
class Step:
    """A transaction of a case. ``key`` is its own in the case; ``loser`` is a verifier that it slashes."""

    key: str
    account: str
    call: Call
    purpose: str
    loser: str | None = None


async def pass_time(chain: Chain, deadline: int) -> None:
    """Let the chain's clock reach ``deadline``. Raises DevnetError where only waiting helps."""
    left = deadline - await head_time(chain)
    if left <= 0:
        return
    if chain.control is None:
        raise DevnetError("The dispute waits for its deadline", f"{left} seconds are left", "Go on after that.")
    await chain.control.warp_to(deadline)


async def pass_block(chain: Chain, number: int) -> None:
    """See to it that the head is above a block: the committee is drawn by that block's hash."""
    if await chain.block_number() > number:
        return
    if chain.control is None:
        raise DevnetError("The committee cannot be drawn yet", "the next block is missing", "Go on in a moment.")
    await chain.control.mine()
