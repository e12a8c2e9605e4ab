"""The typed bindings of POL and ProofOfLearning: stakes, checkpoints, evidence and exits of learning chains.

Amounts are base units (1e-18 POL), times seconds since the epoch. What validators sign is EIP-712; see ``digest_of``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any, ClassVar

from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from engine.chain.bindings import BoundContract, Call, Caller
from engine.core.hashing import keccak

STAKE = 32 * 10**18
NONE, STAKED, SLASHED, WITHDRAWN = range(4)  # states of a validator
OFFENCES = ("proposer_equivocation", "double_vote", "surround_vote", "uncertified_update", "contradicted_ack")
Fields = list[dict[str, str]]


def _fields(*pairs: str) -> Fields:
    return [dict(zip(("type", "name"), pair.split(" "), strict=True)) for pair in pairs]


@dataclass(frozen=True, slots=True)
class ChainSpec:
    """The chain that a sender opens. With ``seconds_per_slot`` 0 its clock is not the contract's chain's.

    Only the sender may deposit until ``genesis_validators`` have.
    """

    genesis_root: bytes
    salt: bytes
    genesis_time: int
    slots_per_epoch: int
    seconds_per_slot: int
    genesis_validators: int

    def name(self, opener: str) -> bytes:
        """Return the 32 bytes that name the chain which ``opener`` opens by this."""
        kinds = ["address", "(bytes32,bytes32,uint64,uint32,uint32,uint32)"]
        return keccak(encode(kinds, [opener, astuple(self)]))


@dataclass(frozen=True, slots=True)
class StakeKeys:
    """What a deposit binds: BLS key (48 bytes), Ed25519 key (32), proof of possession (96)."""

    pubkey: bytes
    node_key: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A checkpoint, as the slot's proposer on the contract signs it. ``proposer`` is a validator's number there."""

    chain: bytes
    slot: int
    proposer: int
    root: bytes
    parent_root: bytes
    model_root: bytes
    update_id: bytes
    certificate: bytes

    TYPES: ClassVar[dict[str, Fields]] = {
        "Header": _fields(
            "bytes32 chain",
            "uint64 slot",
            "uint32 proposer",
            "bytes32 root",
            "bytes32 parentRoot",
            "bytes32 modelRoot",
            "bytes32 updateId",
            "bytes32 certificate",
        )
    }


@dataclass(frozen=True, slots=True)
class Finality:
    """A validator's vote that the header of a struct hash is final."""

    header: bytes

    TYPES: ClassVar[dict[str, Fields]] = {"Finality": _fields("bytes32 header")}


@dataclass(frozen=True, slots=True)
class Ack:
    """A validator's word on an update in a slot."""

    chain: bytes
    slot: int
    validator: int
    accept: bool
    base_root: bytes
    update_id: bytes

    TYPES: ClassVar[dict[str, Fields]] = {
        "Ack": _fields(
            "bytes32 chain",
            "uint64 slot",
            "uint32 validator",
            "bool accept",
            "bytes32 baseRoot",
            "bytes32 updateId",
        )
    }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What more than two thirds of a set find; ``offence`` is an index of OFFENCES."""

    chain: bytes
    validator: int
    offence: int
    evidence: bytes

    TYPES: ClassVar[dict[str, Fields]] = {
        "Verdict": _fields("bytes32 chain", "uint32 validator", "uint8 offence", "bytes32 evidence")
    }


Signable = Header | Finality | Ack | Verdict
PERMIT = {"Permit": _fields("address owner", "address spender", "uint256 value", "uint256 nonce", "uint256 deadline")}


def message_of(value: Signable) -> dict[str, Any]:
    """Return the EIP-712 message of what a validator signs."""
    (fields,) = value.TYPES.values()
    return dict(zip((field["name"] for field in fields), astuple(value), strict=True))


def struct_hash(value: Signable) -> bytes:
    """Return the EIP-712 struct hash: what a verdict names as evidence, and the contract keeps of a header."""
    ((name, fields),) = value.TYPES.items()
    kinds = [field["type"] for field in fields]
    line = f"{name}({','.join(' '.join((field['type'], field['name'])) for field in fields)})"
    return keccak(keccak(line.encode()) + encode(kinds, astuple(value)))


def pack_signatures(signatures: Sequence[tuple[int, bytes]]) -> bytes:
    """Return a batch of 65-byte signatures by validator number as the contract reads it: number, r, vs (EIP-2098)."""
    packed = b""
    for number, signature in sorted(signatures):
        r, s, v = signature[:32], int.from_bytes(signature[32:64]), signature[64]
        packed += number.to_bytes(4) + r + (s | (v % 27) << 255).to_bytes(32)
    return packed


@dataclass(frozen=True, slots=True)
class ChainState:
    """A chain as the contract keeps it; ``size`` validators are in the set of ``era``."""

    opener: str
    slots_per_epoch: int
    seconds_per_slot: int
    genesis_validators: int
    genesis_time: int
    head_slot: int
    final_slot: int
    deposits: int
    era: int
    size: int
    genesis_root: bytes
    head: bytes
    final_header: bytes


@dataclass(frozen=True, slots=True)
class Staker:
    """A validator as the contract keeps it, all zero when there is none. ``status`` is one of this module's constants.

    It is in the sets of the eras from ``first_era`` up to ``last_era``, which is 0 while it did not ask to leave.
    """

    account: str
    first_era: int
    last_era: int
    status: int
    stake: int
    left_at: int


class POL(BoundContract):
    """The token that validators stake."""

    def __init__(self, address: str, caller: Caller) -> None:
        super().__init__("POL", address, caller)

    def approve(self, spender: str, amount: int) -> Call:
        """Let ``spender`` take up to ``amount`` of the sender's."""
        return self._send("approve", spender, amount)

    def transfer(self, to: str, amount: int) -> Call:
        """Send tokens."""
        return self._send("transfer", to, amount)

    def drip(self, to: str, amount: int) -> Call:
        """Give test tokens away; only where the token has a faucet, by its role."""
        return self._send("drip", to, amount)

    async def balance_of(self, address: str, *, block: int | None = None) -> int:
        """Return what an account holds."""
        (amount,) = await self._view("balanceOf", address, block=block)
        return int(amount)

    async def allowance(self, owner: str, spender: str) -> int:
        """Return what ``spender`` may still take."""
        (amount,) = await self._view("allowance", owner, spender)
        return int(amount)

    async def nonce_of(self, owner: str) -> int:
        """Return the nonce of the account's next permit."""
        (nonce,) = await self._view("nonces", owner)
        return int(nonce)

    async def has_faucet(self) -> bool:
        """Return whether test tokens can be given away."""
        (held,) = await self._view("hasFaucet")
        return bool(held)


class ProofOfLearning(BoundContract):
    """The staking contract: it holds stakes of 32 POL and slashes by evidence alone."""

    def __init__(self, address: str, caller: Caller) -> None:
        super().__init__("ProofOfLearning", address, caller)

    def open_chain(self, spec: ChainSpec) -> Call:
        """Open a chain; the sender makes its genesis deposits."""
        return self._send("openChain", astuple(spec))

    def deposit(self, chain: bytes, keys: StakeKeys) -> Call:
        """Stake 32 POL of the sender, who allowed the contract to take them."""
        return self._send("deposit", chain, astuple(keys))

    def deposit_with_permit(self, chain: bytes, keys: StakeKeys, deadline: int, signature: bytes) -> Call:
        """Stake 32 POL of the sender by its 65-byte permit."""
        v, r, s = signature[64], signature[:32], signature[32:64]
        return self._send("depositWithPermit", chain, astuple(keys), deadline, v, r, s)

    def deposit_for(self, chain: bytes, account: str, keys: StakeKeys) -> Call:
        """Stake 32 POL of the sender for another account's validator."""
        return self._send("depositFor", chain, account, astuple(keys))

    def propose(self, header: Header, signature: bytes) -> Call:
        """Put a checkpoint forward, signed by the slot's proposer."""
        return self._send("propose", astuple(header), signature)

    def finalize(self, header: Header, signatures: bytes) -> Call:
        """Make a proposed checkpoint final by a batch of Finality votes of more than two thirds of the set."""
        return self._send("finalize", astuple(header), signatures)

    def slash_proposer(self, one: Header, signature: bytes, other: Header, other_signature: bytes) -> Call:
        """Slash who signed two headers for one slot."""
        return self._send("slashProposer", astuple(one), signature, astuple(other), other_signature)

    def slash_uncertified(self, header: Header, signature: bytes, verdict: bytes) -> Call:
        """Slash who signed a header with an update that, by a verdict, no certificate stands for."""
        return self._send("slashUncertified", astuple(header), signature, verdict)

    def slash_ack(self, ack: Ack, signature: bytes, verdict: bytes) -> Call:
        """Slash who signed an ACK that, by a verdict, evaluation contradicts."""
        return self._send("slashAck", astuple(ack), signature, verdict)

    def slash_opposite_acks(self, one: Ack, signature: bytes, other: Ack, other_signature: bytes) -> Call:
        """Slash who said yes and no to one update in one slot."""
        return self._send("slashOppositeAcks", astuple(one), signature, astuple(other), other_signature)

    def slash_reported(self, found: Verdict, signatures: bytes) -> Call:
        """Slash by the validators' verdict on what the beacon chain proved."""
        return self._send("slashReported", astuple(found), signatures)

    def request_exit(self, chain: bytes, validator: int) -> Call:
        """Leave, two eras from now; only the validator's account may."""
        return self._send("requestExit", chain, validator)

    def withdraw(self, chain: bytes, validator: int) -> Call:
        """Take the stake out after the delay; only the validator's account may."""
        return self._send("withdraw", chain, validator)

    def claim_credit(self) -> Call:
        """Take the sender's credit out."""
        return self._send("claimCredit")

    async def chain_of(self, chain: bytes, *, block: int | None = None) -> ChainState:
        """Return a chain. Raises ContractRevertError when nobody opened it."""
        (values,) = await self._view("chainOf", chain, block=block)
        return ChainState(*values)

    async def validator_of(self, chain: bytes, validator: int, *, block: int | None = None) -> Staker:
        """Return a validator, all zero when there is none of that number."""
        (values,) = await self._view("validatorOf", chain, validator, block=block)
        account, *rest = values
        return Staker(str(to_checksum_address(account)), *rest)

    async def in_set(self, chain: bytes, validator: int) -> bool:
        """Return whether the validator may sign in this era."""
        (held,) = await self._view("inSet", chain, validator)
        return bool(held)

    async def proposer_of(self, chain: bytes, slot: int) -> int:
        """Return who may propose a slot above the head's."""
        (number,) = await self._view("proposerOf", chain, slot)
        return int(number)

    async def header_at(self, chain: bytes, slot: int) -> bytes:
        """Return the struct hash of the header proposed for a slot, zeros without one."""
        (digest,) = await self._view("headerAt", chain, slot)
        return bytes(digest)

    async def withdrawable_at(self, chain: bytes, validator: int) -> int:
        """Return the second from which the stake may be withdrawn as things are, 0 while it did not ask to leave."""
        (second,) = await self._view("withdrawableAt", chain, validator)
        return int(second)

    async def credit_of(self, address: str) -> int:
        """Return what an account may claim."""
        (amount,) = await self._view("creditOf", address)
        return int(amount)

    async def totals(self) -> tuple[int, int]:
        """Return the sums of all stakes and of all credits."""
        staked, credit = await self._view("totals")
        return int(staked), int(credit)

    async def digest_of(self, value: Signable) -> bytes:
        """Return the EIP-712 digest of what a validator signs."""
        (digest,) = await self._view(f"digestOf{type(value).__name__}", astuple(value))
        return bytes(digest)
