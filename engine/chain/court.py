"""The typed binding of LeagueCourt: frauds that prove themselves, demands, replays, votes, verifiers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from engine.chain.bindings import BoundContract, Call, Caller, Leaf

REVEAL, REPLAY = 0, 1  # kinds of disputes
OPEN, UPHELD, DISMISSED, REFUNDED = 1, 2, 3, 4  # their states; 0: there is none


@dataclass(frozen=True, slots=True)
class CourtDispute:
    """A dispute as the court keeps it. ``kind`` and ``state`` are the constants of this module.

    ``deadline`` is in seconds since the epoch, ``bond`` in wei and zero once it is paid out; ``leaf`` is the posted
    leaf's hash (zeros for a demand); ``draw_block`` is not zero while a committee waits to be drawn.
    """

    challenger: str
    deadline: int
    index: int
    kind: int
    state: int
    commitment_id: bytes
    leaf: bytes
    bond: int
    seats: int
    extended: bool
    draw_block: int


@dataclass(frozen=True, slots=True)
class RoundRoot:
    """What a poster signs when it publishes a round: ``root`` is the only one for ``league_id``."""

    league_id: bytes
    root: bytes

    TYPES = {"RoundRoot": [{"name": "leagueId", "type": "bytes32"}, {"name": "root", "type": "bytes32"}]}

    def message(self) -> dict[str, Any]:
        """Return the EIP-712 message."""
        return {"leagueId": self.league_id, "root": self.root}


@dataclass(frozen=True, slots=True)
class ReplayAttestation:
    """What a verifier signs: its replay with the engine ``engine_hash`` gives the leaf whose hash is ``leaf``."""

    dispute_id: int
    commitment_id: bytes
    index: int
    leaf: bytes
    engine_hash: bytes

    TYPES = {
        "ReplayAttestation": [
            {"name": "disputeId", "type": "uint256"},
            {"name": "commitmentId", "type": "bytes32"},
            {"name": "index", "type": "uint32"},
            {"name": "leaf", "type": "bytes32"},
            {"name": "engineHash", "type": "bytes32"},
        ]
    }

    def message(self) -> dict[str, Any]:
        """Return the EIP-712 message."""
        names = [field["name"] for field in self.TYPES["ReplayAttestation"]]
        return dict(zip(names, astuple(self), strict=True))


@dataclass(frozen=True, slots=True)
class Vote:
    """A verifier's signed word, as a proof of a double vote shows it."""

    leaf: bytes
    engine_hash: bytes
    signature: bytes


class LeagueCourt(BoundContract):
    """The court: it rejects rounds that are not true. ``number`` is a dispute's; disputes count from 1."""

    def __init__(self, address: str, caller: Caller) -> None:
        super().__init__("LeagueCourt", address, caller)

    def prove_arithmetic(self, identity: bytes, leaf: Leaf, proof: Sequence[bytes], standings: bytes) -> Call:
        """Prove that ``leaf.post`` is not the packed ``standings`` before the match plus what it gave."""
        return self._send("proveArithmetic", identity, leaf, list(proof), standings)

    def prove_break(
        self, identity: bytes, left: Leaf, left_proof: Sequence[bytes], right: Leaf, right_proof: Sequence[bytes]
    ) -> Call:
        """Prove that a match does not begin where the one before it ended."""
        return self._send("proveBreak", identity, left, list(left_proof), right, list(right_proof))

    def prove_terminal(
        self, identity: bytes, agents: Sequence[str], scores: Sequence[int], leaf: Leaf, proof: Sequence[bytes]
    ) -> Call:
        """Prove that the last match does not leave the posted scores."""
        return self._send("proveTerminal", identity, list(agents), list(scores), leaf, list(proof))

    def prove_genesis(self, identity: bytes, leaf: Leaf, proof: Sequence[bytes]) -> Call:
        """Prove that the first match does not begin at zero."""
        return self._send("proveGenesis", identity, leaf, list(proof))

    def prove_bounds(self, identity: bytes, leaf: Leaf, proof: Sequence[bytes]) -> Call:
        """Prove that a leaf names no seat of the roster or gives more than a match may."""
        return self._send("proveBounds", identity, leaf, list(proof))

    def prove_equivocation(self, identity: bytes, league_id: bytes, other_root: bytes, signature: bytes) -> Call:
        """Prove that the poster signed another root for the round."""
        return self._send("proveEquivocation", identity, league_id, other_root, signature)

    def demand_reveal(self, identity: bytes, index: int) -> Call:
        """Ask the poster to show a match; the transaction's value is the bond."""
        return self._send("demandReveal", identity, index)

    def reveal(
        self, number: int, leaf: Leaf, proof: Sequence[bytes], header: bytes, trace_root: bytes, steps: int
    ) -> Call:
        """Answer a demand; ``header`` is the match's canonical JSON."""
        return self._send("reveal", number, leaf, list(proof), header, trace_root, steps)

    def timeout(self, number: int) -> Call:
        """Reject the round whose poster did not answer a demand in time."""
        return self._send("timeout", number)

    def dispute_replay(self, identity: bytes, leaf: Leaf, proof: Sequence[bytes]) -> Call:
        """Say that a replay gives another leaf than the posted one; the transaction's value is the bond."""
        return self._send("disputeReplay", identity, leaf, list(proof))

    def draw(self, number: int) -> Call:
        """Draw the committee, in a later block than the one that asked for it."""
        return self._send("draw", number)

    def attest(self, number: int, leaf: bytes, engine_hash: bytes, signatures: Sequence[bytes]) -> Call:
        """Count signatures of a :class:`ReplayAttestation`."""
        return self._send("attest", number, leaf, engine_hash, list(signatures))

    def extend(self, number: int) -> Call:
        """Begin the second vote after one without result."""
        return self._send("extend", number)

    def refund(self, number: int) -> Call:
        """End a dispute that nobody won."""
        return self._send("refund", number)

    def register_verifier(self) -> Call:
        """Become a verifier, with stake in the vault reserved."""
        return self._send("registerVerifier")

    def leave_verifiers(self) -> Call:
        """Stop being a verifier."""
        return self._send("leaveVerifiers")

    def prove_double_vote(self, number: int, one: Vote, other: Vote) -> Call:
        """Slash the verifier that signed two leaves for one dispute."""
        return self._send("proveDoubleVote", number, astuple(one), astuple(other))

    async def dispute_of(self, number: int, *, block: int | None = None) -> CourtDispute:
        """Return a dispute, all zero when there is none."""
        (values,) = await self._view("disputeOf", number, block=block)
        return CourtDispute(*values)

    async def dispute_count(self) -> int:
        """Return how many disputes there were; the latest has this number."""
        (count,) = await self._view("disputeCount")
        return int(count)

    async def latest_of(self, identity: bytes, kind: int, index: int) -> int:
        """Return the number of the latest dispute of a kind about a match, 0 when there was none."""
        (number,) = await self._view("latestOf", identity, kind, index)
        return int(number)

    async def bond_for(self, identity: bytes, kind: int) -> int:
        """Return what the next dispute of a kind about a round costs, in wei."""
        (wei,) = await self._view("bondFor", identity, kind)
        return int(wei)

    async def ballot_of(self, number: int, address: str) -> tuple[bool, bytes]:
        """Return whether the verifier sits on the committee, and the leaf it voted for (zeros: none yet)."""
        seated, leaf = await self._view("ballotOf", number, address)
        return bool(seated), bytes(leaf)

    async def votes_for(self, number: int, leaf: bytes) -> int:
        """Return how many of the committee voted for a leaf."""
        (votes,) = await self._view("votesFor", number, leaf)
        return int(votes)

    async def verifier_count(self) -> int:
        """Return how many verifiers there are."""
        (count,) = await self._view("verifierCount")
        return int(count)

    async def verifier_of(self, address: str) -> tuple[bool, int]:
        """Return whether the account is a verifier, and the second until which a committee holds it."""
        registered, held_until = await self._view("verifierOf", address)
        return bool(registered), int(held_until)
