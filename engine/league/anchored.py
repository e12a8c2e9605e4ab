"""Steps of a match checked on chain: trace step -> match commitment -> round leaf -> root in the contract."""

from __future__ import annotations

from dataclasses import dataclass

from engine.chain.session import Chain
from engine.core.hashing import HEADER, sha
from engine.league.errors import LeagueError
from engine.league.history import History
from engine.league.proof import StepProof
from engine.league.settlement import StoredRound


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """What the contract says of a step: ``holds``, by which contract, at which block."""

    contract: str
    block: int
    root: str
    holds: bool


async def verify_on_chain(chain: Chain, history: History, proof: StepProof) -> ChainVerdict:
    """Ask the anchor whether the step belongs to the round that holds the proof's match.

    Raises LeagueError when no round on this chain holds the match.
    """
    found = history.by_commitment(proof.commitment)
    if found is None:
        raise LeagueError("The match is in no round here", f"no stored match has {proof.commitment.hex()}")
    round_id, fixture = found
    stored = StoredRound.load(history, round_id)
    if stored.row.book != chain.book or stored.row.root is None:
        raise LeagueError("The round is not on this chain", f"its book is {stored.row.book}")
    index = stored.leaf_index(fixture)
    block = await chain.block_number()
    holds = await chain.anchor.verify_trace(
        stored.commitment_id(chain.operator),
        stored.commitment.leaves[index].as_tuple(),
        stored.commitment.tree.proof(index),
        sha(HEADER, proof.header),
        proof.trace_root,
        proof.steps,
        proof.step,
        proof.observation_hash,
        proof.action_hash,
        proof.path,
    )
    return ChainVerdict(chain.anchor.address, block, stored.row.root, holds)
