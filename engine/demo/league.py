"""The demo's league: agents are admitted, a round is played and anchored, a false claim is caught, rewards are paid."""

from __future__ import annotations

from dataclasses import replace

from engine.core.errors import EngineError, VerificationError
from engine.demo.walk import Found, Walk, samples
from engine.league.bundle import read_bundle, write_bundle
from engine.league.config import AgentEntry, RoundConfig


async def admit(walk: Walk) -> Found:
    """Bring the sample agents through the gate."""
    admissions = await walk.runtime.league.admit(samples())
    walk.facts["agents"] = [admission.verdict.to_json() for admission in admissions]
    accepted = sum(admission.verdict.accepted for admission in admissions)
    return Found(f"{accepted} of {len(admissions)} admitted", ("agents",))


async def play(walk: Walk) -> Found:
    """Play a round of the sample agents and anchor it."""
    entries = tuple(AgentEntry(path) for path in samples())
    config = RoundConfig(name="demo", matches=10, seed=2026, agents=entries)
    result = await walk.runtime.league.run_round(config, anchor=True)
    if result.anchored is None:
        raise EngineError("The round is not anchored", "its transaction is not mined")
    walk.played = result
    walk.facts["round"] = result.to_json()
    winner = result.standings[0]
    text = f"{result.done} matches; {winner.agent} leads with {winner.score}; root {result.anchored.root[:16]}..."
    return Found(text, ("round", result.round_id))


async def catch_claim(walk: Walk) -> Found:
    """Claim five points more than the replay gives, as the dishonest owner of the last finisher would."""
    played, league = walk.round, walk.runtime.league
    seat = [line.seat for line in played.standings if line.won][-1]
    bundle = read_bundle(await league.bundle(played.round_id, walk.fixture_of(seat)))
    match = bundle.match.model_copy(update={"scores": [score + 5 for score in bundle.match.scores]})
    path = walk.runtime.data.bundles / f"{played.round_id[:12]}-false-claim.nets"
    write_bundle(path, replace(bundle, match=match))
    outcome = await league.submit_claim(played.round_id, path)
    walk.facts["claim"] = outcome.to_json()
    if outcome.slashed is None:
        raise VerificationError("A false claim was not slashed", outcome.note)
    text = f"{outcome.agent} claimed {outcome.claimed}, replayed {outcome.replayed}: out, and its penalty is held"
    return Found(text, ("claim", played.round_id))


async def settle(walk: Walk) -> Found:
    """Pay the round out, and compare the ledger with the contract."""
    league, chain = walk.runtime.league, await walk.runtime.chain()
    result = await league.settle(walk.round.round_id)
    rows = await league.stakes(chain)
    walk.facts["settled"] = {
        "standings": result.to_json()["standings"],
        "stakes": [row.to_json() for row in rows],
    }
    wrong = [row.name for row in rows if row.differs]
    if wrong:
        raise VerificationError("Ledger and contract differ", ", ".join(wrong))
    paid = [line for line in result.standings if line.reward_wei > 0]
    first = next((row.address for row in rows if paid and row.name == paid[0].agent), "")
    return Found(f"{len(paid)} agents rewarded; ledger equals contract", ("account", first))
