"""The demo's consensus: agents agree on a portfolio, and one that tells its peers different things is slashed."""

from __future__ import annotations

from engine.core.errors import VerificationError
from engine.core.paths import assets_dir
from engine.demo.walk import Found, Walk, outcome
from engine.league.config import format_eth


async def agree(walk: Walk) -> Found:
    """Let agents agree, one of them telling some peers another position than the others."""
    from engine.consensus.agents.agent_file import default_agents
    from engine.consensus.config import ConsensusConfig
    from engine.consensus.specs import AgentSpec, RunSpec
    from engine.consensus.tasks import read_task

    consensus = walk.runtime.consensus
    task = read_task(assets_dir() / "tasks" / "portfolio.json")
    # One who was slashed is banned for good: each demo on the same data directory needs another.
    guilty = AgentSpec(f"two-faced {len(consensus.runs()) + 1}", behaviour="equivocating")
    run = await consensus.start(RunSpec(task, (*default_agents(task), guilty), ConsensusConfig()))
    result = await outcome(run)
    found = await consensus.verify("0x" + result.task_hash.hex())
    walk.facts["consensus"] = {**result.to_json(), "verification": found.to_json()}
    chain = result.on_chain
    if chain is None or not (result.converged and chain.certified and found.ok):
        raise VerificationError("The consensus is not certified", result.message)
    slashed = chain.slashed_wei.get(guilty.name, 0)
    if not slashed or set(chain.slashed_wei) != {guilty.name}:
        raise VerificationError("Not the one who signed twice was slashed", ", ".join(chain.slashed_wei))
    text = (
        f"{len(result.agents)} agents agreed in {result.iterations} iterations, certified in block {chain.block}; "
        f"{guilty.name} signed twice: {format_eth(slashed)} ETH slashed"
    )
    return Found(text, ("consensus", str(run.run_id)))
