"""The demo's proof: the contract believes a step, and not the same step with another action."""

from __future__ import annotations

from dataclasses import replace

from engine.core.errors import VerificationError
from engine.demo.walk import Found, Walk
from engine.league.anchored import ShownStep, verify_on_chain
from engine.league.proof import StepProof


async def prove(walk: Walk) -> Found:
    """Prove the first step of the match on chain, then offer a tampered one."""
    connect, history = walk.runtime.chain, walk.runtime.league.history
    proof = StepProof.of(walk.bundle, 0)
    good = await verify_on_chain(connect, history, ShownStep.of(proof))
    wrong = replace(proof, action=(proof.action or 0) + 1)
    bad = await verify_on_chain(connect, history, ShownStep.of(wrong))
    walk.facts["proof"] = {"contract": good.contract, "block": good.block, "good": good.holds, "bad": bad.holds}
    if not good.holds or bad.holds:
        raise VerificationError("The contract's verdict is wrong", f"good: {good.holds}, tampered: {bad.holds}")
    text = f"step 0 holds at block {good.block}; with another action it does not"
    return Found(text, ("leaf", walk.round.round_id, str(walk.fixture), "0"))
