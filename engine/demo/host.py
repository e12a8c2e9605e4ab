"""The demo's dishonest host: it anchors a score that nobody played, and loses stake and round."""

from __future__ import annotations

from engine.core.errors import VerificationError
from engine.demo.walk import Found, Walk, samples
from engine.league.config import AgentEntry, RoundConfig, format_eth
from engine.league.disputes.published import Dishonesty


async def cheat(walk: Walk) -> Found:
    """Anchor a small round whose host raises a score, and bring it before the court."""
    league = walk.runtime.league
    entries = tuple(AgentEntry(path) for path in samples())
    config = RoundConfig(name="demo-host", matches=2, seed=2027, agents=entries)
    played = await league.run_round(config, anchor=True, dishonesty=Dishonesty.INFLATE)
    found = await league.disputes.check(played.round_id)
    disputes = await league.disputes.open(played.round_id)
    state = league.round(played.round_id).state
    walk.facts["host"] = {
        "round_id": played.round_id,
        "audit": found.to_json(),
        "disputes": [dispute.to_json() for dispute in disputes],
        "slashed_wei": str(sum(dispute.slashed_wei for dispute in disputes)),
        "state": state,
    }
    if found.clean or state != "rejected":
        raise VerificationError("A dishonest host was not caught", f"the round is {state}")
    (dispute,) = disputes
    against = sum(not ballot.confirms for ballot in dispute.ballots)
    text = (
        f"match {dispute.match}: {against} of {len(dispute.ballots)} verifiers found another score; "
        f"{format_eth(dispute.slashed_wei)} ETH slashed, the round is rejected"
    )
    return Found(text, ("dispute", played.round_id))
