"""What the chain holds of a posted round: the commitment, and from its transaction the roster and the totals."""

from __future__ import annotations

from dataclasses import dataclass

from engine.chain.abi import contract_abi, decode_call, signature
from engine.chain.bindings import PostedRound
from engine.chain.rpc import hex_data
from engine.chain.session import Chain
from engine.core.hashing import keccak
from engine.league.disputes.checks import Posted, roster_hash
from engine.league.errors import LeagueError

OPEN, SETTLED, DISPUTED, REJECTED = 1, 2, 3, 4


@dataclass(frozen=True, slots=True)
class Anchored:
    """A round as the chain has it. ``addresses`` and ``scores`` are by seat; ``head_time`` is the next block's."""

    identity: bytes
    round: PostedRound
    addresses: tuple[str, ...]
    scores: tuple[int, ...]
    head_time: int

    @property
    def posted(self) -> Posted:
        """The part that the checks need."""
        found = self.round
        return Posted(found.poster, found.root, found.roster_hash, found.n_steps, found.depth, found.bound)

    def require_open(self) -> None:
        """Raise LeagueError when no fraud can be shown any more."""
        if self.round.status not in (OPEN, DISPUTED):
            why = {SETTLED: "it is settled", REJECTED: "it is rejected already"}
            raise LeagueError("The round cannot be disputed", why.get(self.round.status, "it is not on the chain"))

    def require_window(self) -> None:
        """Raise LeagueError when the time for disputes is over."""
        self.require_open()
        if self.head_time >= self.round.settleable_at:
            raise LeagueError(
                "The round cannot be disputed any more",
                f"its challenge window ended {self.head_time - self.round.settleable_at} seconds ago",
                "Only a fraud that proves itself can still be shown, until the settlement.",
            )


async def read_anchored(chain: Chain, identity: bytes) -> Anchored:
    """Read a posted round and the transaction that posted it. Raises LeagueError when there is none."""
    found = await chain.anchor.commitment_of(identity)
    if not found.status:
        raise LeagueError("The round is not on the chain", f"nothing is posted as {identity.hex()}")
    addresses, scores = await _posted_roster(chain, identity)
    if roster_hash(addresses, scores) != found.roster_hash:
        raise LeagueError("The posting transaction cannot be read", "its roster is not the one that the chain keeps")
    return Anchored(identity, found, addresses, scores, await head_time(chain))


async def head_time(chain: Chain) -> int:
    """Return the time that the next block will have, in seconds since the epoch.

    The newest block's is no measure: on a chain that mines on demand it may be hours old.
    """
    head = await chain.rpc.request("eth_getBlockByNumber", "pending", False)
    return int(head["timestamp"], 16)


async def _posted_roster(chain: Chain, identity: bytes) -> tuple[tuple[str, ...], tuple[int, ...]]:
    event = contract_abi("LeagueAnchor").events["CommitmentPosted"]
    wanted = {
        "address": chain.anchor.address,
        "fromBlock": hex(chain.deployment.anchor.block),
        "topics": [hex_data(keccak(signature(event).encode())), hex_data(identity)],
    }
    logs = await chain.rpc.request("eth_getLogs", wanted)
    sent = await chain.rpc.request("eth_getTransactionByHash", logs[-1]["transactionHash"]) if logs else None
    call = decode_call(bytes.fromhex(sent["input"][2:])) if sent else None
    if call is None or call.name != "post":
        raise LeagueError("The posting transaction cannot be read", "it is no plain call of the anchor")
    return tuple(call.arguments["agents"]), tuple(call.arguments["scores"])
