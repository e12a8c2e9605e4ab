"""Steps of a match checked on chain: trace step -> match commitment -> round leaf -> root in the contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from engine.chain.session import Chain
from engine.core.hashing import HEADER, sha
from engine.league.accounts import Book
from engine.league.errors import LeagueError
from engine.league.history import History
from engine.league.proof import StepProof
from engine.league.settlement import StoredRound


@dataclass(frozen=True, slots=True)
class ShownStep:
    """A step as it is shown to the contract, true or not: hashes of 32 bytes, ``path`` from the leaf up.

    ``header`` and ``commitment`` are those of the match, ``steps`` its length.
    """

    commitment: bytes
    header: bytes
    trace_root: bytes
    steps: int
    step: int
    observation_hash: bytes
    action_hash: bytes
    path: tuple[bytes, ...]

    @classmethod
    def of(cls, proof: StepProof) -> ShownStep:
        """Return the step as its proof has it."""
        return cls(
            proof.commitment,
            proof.header,
            proof.trace_root,
            proof.steps,
            proof.step,
            proof.observation_hash,
            proof.action_hash,
            proof.path,
        )


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """What the contract says of a step: ``holds``, by which contract, at which block, for which leaf of which round."""

    contract: str
    block: int
    root: str
    holds: bool
    round_name: str
    leaf: int


async def anchored_round(history: History, commitment: bytes) -> tuple[StoredRound, int]:
    """Return the round that holds a match commitment, and the match's leaf in it.

    Raises LeagueError when no round holds it, or the round was played on paper.
    """
    found = history.by_commitment(commitment)
    if found is None:
        raise LeagueError("The match is in no round here", f"no stored match has {commitment.hex()}")
    stored = await StoredRound.read(history, found[0])
    if stored.row.root is None or not Book(stored.row.book).on_chain:
        raise LeagueError("The round of this match is not anchored", "", "Run rounds with anchoring on.")
    return stored, stored.leaf_index(found[1])


async def verify_on_chain(connect: Callable[[], Awaitable[Chain]], history: History, shown: ShownStep) -> ChainVerdict:
    """Ask the anchor whether the step belongs to the round that holds its match.

    Raises LeagueError when no round on the chain that ``connect`` gives holds it.
    """
    stored, leaf = await anchored_round(history, shown.commitment)
    chain = await connect()
    if stored.row.book != chain.book:
        raise LeagueError("The round is not on this chain", f"its book is {stored.row.book}")
    block = await chain.block_number()
    holds = await chain.anchor.verify_trace(
        stored.commitment_id(chain.operator),
        stored.commitment.leaves[leaf].as_tuple(),
        stored.commitment.tree.proof(leaf),
        sha(HEADER, shown.header),
        shown.trace_root,
        shown.steps,
        shown.step,
        shown.observation_hash,
        shown.action_hash,
        shown.path,
    )
    name = f"{stored.row.name} #{stored.row.number}"
    return ChainVerdict(chain.anchor.address, block, stored.row.root or "", holds, name, leaf)
