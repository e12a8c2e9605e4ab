"""Typed bindings of the contracts: transactions as calldata for the outbox, views as coroutines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, Protocol

from eth_utils.address import to_checksum_address

from engine.chain.abi import ContractAbi, contract_abi
from engine.core.hashing import keccak

Leaf = tuple[int, int, int, int, int, bytes, bytes, bytes]


class Caller(Protocol):
    """What answers view calls."""

    async def call(self, to: str, data: bytes, *, block: int | None = None) -> bytes:
        """Return what the contract at ``to`` returned. Raises ContractRevertError."""
        ...


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction's receiver and calldata."""

    to: str
    data: bytes


@dataclass(frozen=True, slots=True)
class VaultAccount:
    """An account of the vault; amounts in wei, ``unlock_at`` in seconds since the epoch."""

    active: int
    pending: int
    unlock_at: int
    credit: int
    exposure: int
    slashed: int


@dataclass(frozen=True, slots=True)
class VaultTotals:
    """The vault's sums, in wei."""

    active: int
    pending: int
    credit: int
    exposure: int
    slashed: int


@dataclass(frozen=True, slots=True)
class PostedRound:
    """A commitment as the anchor keeps it. ``status``: 0 none, 1 open, 2 settled, 3 disputed, 4 rejected."""

    poster: str
    settleable_at: int
    n_steps: int
    depth: int
    status: int
    root: bytes
    roster_hash: bytes
    pot: int
    bound: int
    n_agents: int
    n_disqualified: int
    open_disputes: int
    extended: int


@dataclass(frozen=True, slots=True)
class ScoreClaim:
    """What an agent signs: in match ``index`` of the round ``agent`` scored ``score``."""

    league_id: bytes
    index: int
    agent: str
    score: int
    evidence: bytes

    TYPES = {
        "ScoreClaim": [
            {"name": "leagueId", "type": "bytes32"},
            {"name": "index", "type": "uint32"},
            {"name": "agent", "type": "address"},
            {"name": "score", "type": "int64"},
            {"name": "evidence", "type": "bytes32"},
        ]
    }

    def message(self) -> dict[str, Any]:
        """Return the EIP-712 message."""
        return {
            "leagueId": self.league_id,
            "index": self.index,
            "agent": self.agent,
            "score": self.score,
            "evidence": self.evidence,
        }


class BoundContract:
    """A contract's address with its ABI: what the typed bindings are made of."""

    def __init__(self, name: str, address: str, caller: Caller) -> None:
        self.abi: ContractAbi = contract_abi(name)
        self.address = address
        self._caller = caller

    def _send(self, name: str, *arguments: Any) -> Call:
        return Call(self.address, self.abi.encode_call(name, *arguments))

    async def _view(self, name: str, *arguments: Any, block: int | None = None) -> tuple[Any, ...]:
        data = await self._caller.call(self.address, self.abi.encode_call(name, *arguments), block=block)
        return self.abi.decode_result(name, data)


class StakeVault(BoundContract):
    """The vault: stakes, exposures, credits."""

    def __init__(self, address: str, caller: Caller) -> None:
        super().__init__("StakeVault", address, caller)

    def stake(self) -> Call:
        """Deposit the transaction's value as the sender's stake."""
        return self._send("stake")

    def request_unbond(self, amount: int) -> Call:
        """Move active stake to pending."""
        return self._send("requestUnbond", amount)

    def withdraw(self) -> Call:
        """Take pending stake out after the unbonding period."""
        return self._send("withdraw")

    def claim(self) -> Call:
        """Take the credit out."""
        return self._send("claim")

    def grant_slasher(self, contract: str) -> Call:
        """Let a contract slash."""
        return self._send("grantRole", keccak(b"SLASHER_ROLE"), contract)

    async def account_of(self, address: str, *, block: int | None = None) -> VaultAccount:
        """Return an account's holdings."""
        return VaultAccount(*await self._view("accountOf", address, block=block))

    async def treasury(self) -> str:
        """Return whose credit gets what reporters and winners do not."""
        (address,) = await self._view("treasury")
        return str(to_checksum_address(address))

    async def totals(self, *, block: int | None = None) -> VaultTotals:
        """Return the sums over all accounts."""
        return VaultTotals(*await self._view("totals", block=block))


class LeagueAnchor(BoundContract):
    """The anchor: rounds posted, proven against, settled."""

    def __init__(self, address: str, caller: Caller) -> None:
        super().__init__("LeagueAnchor", address, caller)

    def post(
        self,
        system_id: bytes,
        league_id: bytes,
        root: bytes,
        n_steps: int,
        depth: int,
        bound: int,
        agents: Sequence[str],
        scores: Sequence[int],
    ) -> Call:
        """Anchor a round; the transaction's value is the pot."""
        return self._send("post", system_id, league_id, root, n_steps, depth, bound, list(agents), list(scores))

    def prove_score_mismatch(
        self,
        identity: bytes,
        agents: Sequence[str],
        scores: Sequence[int],
        leaf: Leaf,
        proof: Sequence[bytes],
        claim: ScoreClaim,
        signature: bytes,
    ) -> Call:
        """Disqualify the agent that signed ``claim``, which ``leaf`` contradicts; see ``collect_penalty``."""
        return self._send(
            "proveScoreMismatch", identity, list(agents), list(scores), leaf, list(proof), astuple(claim), signature
        )

    def settle(self, identity: bytes, agents: Sequence[str], scores: Sequence[int], order: Sequence[int]) -> Call:
        """Fix the payouts; ``order`` are the seats by descending score."""
        return self._send("settle", identity, list(agents), list(scores), list(order))

    def claim_payout(self, identity: bytes, agents: Sequence[str], scores: Sequence[int], seat: int) -> Call:
        """Credit the payout of a seat in the vault."""
        return self._send("claimPayout", identity, list(agents), list(scores), seat)

    def collect_penalty(self, identity: bytes, agent: str) -> Call:
        """Slash a disqualified agent, once its round is settled."""
        return self._send("collectPenalty", identity, agent)

    def reclaim_pot(self, identity: bytes) -> Call:
        """Credit the pot of a rejected round to its poster."""
        return self._send("reclaimPot", identity)

    def grant_court(self, contract: str) -> Call:
        """Let a contract hold up commitments and reject them."""
        return self._send("grantRole", keccak(b"COURT_ROLE"), contract)

    async def commitment_of(self, identity: bytes, *, block: int | None = None) -> PostedRound:
        """Return a posted round, all zero when there is none."""
        (values,) = await self._view("commitmentOf", identity, block=block)
        return PostedRound(*values)

    async def verify_step(self, identity: bytes, leaf: Leaf, proof: Sequence[bytes]) -> bool:
        """Return whether the leaf is what was posted at its index."""
        (holds,) = await self._view("verifyStep", identity, leaf, list(proof))
        return bool(holds)

    async def verify_trace(
        self,
        identity: bytes,
        leaf: Leaf,
        leaf_proof: Sequence[bytes],
        header_hash: bytes,
        trace_root: bytes,
        n_steps: int,
        step: int,
        observation_hash: bytes,
        action_hash: bytes,
        path: Sequence[bytes],
    ) -> bool:
        """Return whether a step of a match belongs to the posted round."""
        (holds,) = await self._view(
            "verifyTrace",
            identity,
            leaf,
            list(leaf_proof),
            header_hash,
            trace_root,
            n_steps,
            step,
            observation_hash,
            action_hash,
            list(path),
        )
        return bool(holds)

    async def reporter_of(self, identity: bytes, agent: str) -> str:
        """Return who proved the agent's false claim while its penalty waits, the zero address when none does."""
        (reporter,) = await self._view("reporterOf", identity, agent)
        return str(to_checksum_address(reporter))

    async def payout_of(self, identity: bytes, agents: Sequence[str], scores: Sequence[int], seat: int) -> int:
        """Return what a seat earns, in wei."""
        (wei,) = await self._view("payoutOf", identity, list(agents), list(scores), seat)
        return int(wei)
