"""The demo's learning chain: one update on its way from trainers through the committee into the model."""

from __future__ import annotations

from engine.core.errors import VerificationError
from engine.demo.walk import Found, Walk, outcome

SCENARIO = "first_update"


async def learn(walk: Walk) -> Found:
    """Run the shortest scenario in which an update is certified, final and merged."""
    from engine.learning.service.specs import LearnSpec

    run = await walk.runtime.learning.start(LearnSpec(SCENARIO))
    result = await outcome(run)
    walk.facts["learning"] = {"run_id": run.run_id, **result.to_json()}
    missed = [check.text for check in result.checks if not check.ok]
    merged = [update for update in result.updates if update.stage == "merged"]
    if missed or not merged:
        raise VerificationError("The learning chain did not do what it must", " ".join(missed))
    update = merged[0]
    text = (
        f"update {update.id[:8]}: {update.acks} of {update.committee} validators accepted it (the quorum is "
        f"{update.quorum}), final in epoch {result.finalized_epoch}; held-out loss {result.loss_first:.4f} to "
        f"{result.loss_last:.4f}, simulated: training replayed from a recording"
    )
    return Found(text, ("learning", str(run.run_id)))
