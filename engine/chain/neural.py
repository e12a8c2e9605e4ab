"""The typed binding of NeuralConsensus: agents at risk, tasks, signed positions, certificates, evidence.

Numbers are the contract's: a coordinate is an unsigned 48-bit fixed-point number, confidences and couplings are in
millionths, ``eps`` and regrets in 1e-18, times in seconds since the epoch. A packed position is its coordinates, six
bytes each, big-endian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from engine.chain.bindings import BoundContract, Call, Caller
from engine.core.hashing import keccak

NONE, OPEN, CERTIFIED, FINALIZED, VOID = range(5)  # states of a task
TIERS = ("slots", "accumulator")  # in the order of the contract's enum
REJECTIONS = ("", "not registered", "stale nonce", "bad signature", "already submitted", "bad confidence", "task full")
_OWN = "submitPosition(address,uint256[],uint256,bytes32)"
_SIGNED = "submitPosition(address,uint256[],uint256,bytes32,uint32,uint40,bytes)"

# taskHash, agent, positionHash, confidence, round, nonce, deadline: what an agent signs
Position = tuple[bytes, str, bytes, int, int, int, int]


@dataclass(frozen=True, slots=True)
class NeuralAgent:
    """An agent as the contract keeps it; all zero when it never registered. ``left_at`` is 0 while it takes part."""

    model_hash: bytes
    registered_at: int
    left_at: int
    nonce: int
    reputation: int
    banned: bool

    @property
    def active(self) -> bool:
        """Whether its positions are taken."""
        return self.registered_at != 0 and self.left_at == 0 and not self.banned


@dataclass(frozen=True, slots=True)
class NeuralTask:
    """A task as the contract keeps it. ``status`` is one of this module's constants, ``tier`` an index of TIERS.

    ``count`` is how many positions came; ``accumulator`` chains them in tier accumulator.
    """

    creator: str
    deadline: int
    dims: int
    min_agents: int
    count: int
    status: int
    tier: int
    kappa: int
    eps: int
    accumulator: bytes


class NeuralConsensus(BoundContract):
    """The consensus contract: it keeps a result only with a certificate that it checked itself."""

    def __init__(self, address: str, caller: Caller) -> None:
        super().__init__("NeuralConsensus", address, caller)

    def register(self, model_hash: bytes) -> Call:
        """Take part, with stake in the vault put at risk."""
        return self._send("register", model_hash)

    def deregister(self) -> Call:
        """Take part no longer; the risk stays for the evidence window."""
        return self._send("deregister")

    def release(self) -> Call:
        """Release the risk after the evidence window."""
        return self._send("release")

    def advance_nonce(self) -> Call:
        """Make void what the sender signed with its present nonce and that is not on the chain."""
        return self._send("advanceNonce")

    def create_task(
        self, task_hash: bytes, dims: int, deadline: int, kappa: int, eps: int, min_agents: int, tier: str = "slots"
    ) -> Call:
        """Open a task. Only the operator may; raises ValueError for an unknown tier."""
        return self._send("createTask", task_hash, dims, deadline, kappa, eps, min_agents, TIERS.index(tier))

    def submit_position(self, agent: str, position: Sequence[int], confidence: int, task_hash: bytes) -> Call:
        """Submit the sender's own position; ``agent`` is the sender."""
        return self._send(_OWN, agent, [int(value) for value in position], confidence, task_hash)

    def submit_signed(self, position: Sequence[int], message: Position, signature: bytes) -> Call:
        """Submit somebody's signed position of round 0; ``signature`` has 64 or 65 bytes."""
        task_hash, agent, _, confidence, _, nonce, deadline = message
        values = [int(value) for value in position]
        return self._send(_SIGNED, agent, values, confidence, task_hash, nonce, deadline, signature)

    def submit_positions(self, task_hash: bytes, deadline: int, packed: bytes) -> Call:
        """Submit a batch of signed positions; ``packed`` are entries as the contract's interface describes them."""
        return self._send("submitPositions", task_hash, deadline, packed)

    def prove_equilibrium(
        self, task_hash: bytes, heads: Sequence[bytes], values: bytes, aggregate: Sequence[int]
    ) -> Call:
        """Certify a task's equilibrium by its weighted sum ``aggregate`` (d,), over all that was submitted."""
        return self._send("proveEquilibrium", task_hash, list(heads), values, [int(value) for value in aggregate])

    def finalize(self, task_hash: bytes, consensus: Sequence[int]) -> Call:
        """Make the certified result final. Only the operator or the task's creator may."""
        return self._send("finalizeConsensus", task_hash, [int(value) for value in consensus])

    def void(self, task_hash: bytes) -> Call:
        """End a task to which too few positions came."""
        return self._send("voidTask", task_hash)

    def credit_reputation(self, task_hash: bytes, heads: Sequence[bytes], values: bytes) -> Call:
        """Raise or lower reputations by how near a final result they were."""
        return self._send("creditReputation", task_hash, list(heads), values)

    def prove_equivocation(self, one: Position, signature: bytes, other: Position, other_signature: bytes) -> Call:
        """Slash and ban the agent that signed two different positions for one round."""
        return self._send("proveEquivocation", one, signature, other, other_signature)

    def grant_operator(self, account: str) -> Call:
        """Let an account create and finalise tasks."""
        return self._send("grantRole", keccak(b"OPERATOR_ROLE"), account)

    async def agent_of(self, address: str, *, block: int | None = None) -> NeuralAgent:
        """Return an agent, all zero when it never registered."""
        (values,) = await self._view("agentOf", address, block=block)
        return NeuralAgent(*values)

    async def task_of(self, task_hash: bytes, *, block: int | None = None) -> NeuralTask:
        """Return a task, all zero when there is none."""
        (values,) = await self._view("taskOf", task_hash, block=block)
        return NeuralTask(*values)

    async def compute(self, task_hash: bytes) -> tuple[tuple[int, ...], bool]:
        """Return the certified result (d,) and True, else an empty one and False."""
        return self._result(await self._view("computeNashEquilibrium", task_hash))

    async def result_of(self, task_hash: bytes, *, block: int | None = None) -> tuple[tuple[int, ...], bool]:
        """Return the final result (d,) and True, else an empty one and False."""
        return self._result(await self._view("getConsensusResult", task_hash, block=block))

    async def commitment_of(self, task_hash: bytes, agent: str) -> bytes:
        """Return what is kept of an agent's position in tier slots, zeros when there is none."""
        (kept,) = await self._view("commitmentOf", task_hash, agent)
        return bytes(kept)

    async def excluded(self, task_hash: bytes, agent: str) -> bool:
        """Return whether the agent equivocated in the task, so that its weight is 0 there."""
        (found,) = await self._view("excluded", task_hash, agent)
        return bool(found)

    async def digest_of(self, message: Position) -> bytes:
        """Return the EIP-712 digest of what an agent signs."""
        (digest,) = await self._view("digestOf", message)
        return bytes(digest)

    async def reputation_of(self, address: str) -> int:
        """Return an agent's reputation, its weight in the next task."""
        (reputation,) = await self._view("agentReputation", address)
        return int(reputation)

    async def vault(self) -> str:
        """Return the address of the vault that holds the stakes."""
        (address,) = await self._view("vault")
        return str(to_checksum_address(address))

    async def has_role(self, role: str, account: str) -> bool:
        """Return whether an account holds a role, say OPERATOR_ROLE."""
        (held,) = await self._view("hasRole", keccak(role.encode()), account)
        return bool(held)

    @staticmethod
    def _result(answer: tuple[Any, ...]) -> tuple[tuple[int, ...], bool]:
        values, holds = answer
        return tuple(int(value) for value in values), bool(holds)
