"""What agents sign: positions, on chain (round 0) and announced off chain (rounds from 1), by EIP-712."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eth_utils.address import to_checksum_address

from engine.core.hashing import keccak

ON_CHAIN = 0  # the round of the position that goes on chain
NOWHERE = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a signature holds: one contract on one chain. Without a chain both are zero."""

    chain_id: int = 0
    contract: str = NOWHERE

    def fields(self) -> dict[str, Any]:
        """Return the EIP-712 domain."""
        return {
            "name": "Nashboard NeuralConsensus",
            "version": "1",
            "chainId": self.chain_id,
            "verifyingContract": self.contract,
        }


@dataclass(frozen=True, slots=True)
class PositionMessage:
    """What is signed. ``confidence`` in millionths, ``deadline`` in seconds since the epoch."""

    task_hash: bytes
    agent: str
    position_hash: bytes
    confidence: int
    round: int
    nonce: int
    deadline: int

    TYPES = {
        "Position": [
            {"name": "taskHash", "type": "bytes32"},
            {"name": "agent", "type": "address"},
            {"name": "positionHash", "type": "bytes32"},
            {"name": "confidence", "type": "uint32"},
            {"name": "round", "type": "uint32"},
            {"name": "nonce", "type": "uint32"},
            {"name": "deadline", "type": "uint40"},
        ]
    }

    def message(self) -> dict[str, Any]:
        """Return the EIP-712 message."""
        return dict(zip((part["name"] for part in self.TYPES["Position"]), self.values(), strict=True))

    def values(self) -> tuple[Any, ...]:
        """Return the fields in the contract's order."""
        return (
            self.task_hash,
            self.agent,
            self.position_hash,
            self.confidence,
            self.round,
            self.nonce,
            self.deadline,
        )


@dataclass(frozen=True, slots=True)
class SignedPosition:
    """A message, the packed position that it is about, and a 65-byte signature."""

    message: PositionMessage
    packed: bytes
    signature: bytes

    def problem(self, domain: Domain) -> str:
        """Return why this is not the word of the agent that it names, "" when it is."""
        if keccak(self.packed) != self.message.position_hash:
            return "the position is not the one that was signed"
        try:
            signer = recover(self.message, self.signature, domain)
        except ValueError as error:
            return f"the signature is malformed: {error}"
        return "" if signer == self.message.agent else f"the signature is of {signer}"


def position_hash(packed: bytes) -> bytes:
    """Return the hash of a packed position."""
    return keccak(packed)


def commitment(packed: bytes, confidence: int, weight: int) -> bytes:
    """Return what the contract keeps of a position: its hash with confidence and weight."""
    return keccak(keccak(packed) + confidence.to_bytes(4, "big") + weight.to_bytes(2, "big"))


def head(agent: str, confidence: int, weight: int) -> bytes:
    """Return what a certificate says of an agent beside its position."""
    number = int(agent, 16) << 96 | confidence << 64 | weight << 48
    return number.to_bytes(32, "big")


def entry(signed: SignedPosition) -> bytes:
    """Return a signed position as an entry of a relayer's batch."""
    r, s, v = signed.signature[:32], signed.signature[32:64], signed.signature[64]
    compact = (int.from_bytes(s, "big") | (v - 27) << 255).to_bytes(32, "big")
    message = signed.message
    agent, confidence, nonce = bytes.fromhex(message.agent[2:]), message.confidence, message.nonce
    return agent + confidence.to_bytes(4, "big") + nonce.to_bytes(4, "big") + r + compact + signed.packed


def recover(message: PositionMessage, signature: bytes, domain: Domain) -> str:
    """Return the address that signed. Raises ValueError for what is no signature."""
    from eth_account import Account
    from eth_account.messages import encode_typed_data
    from eth_keys.exceptions import BadSignature
    from eth_utils.exceptions import ValidationError

    encoded = encode_typed_data(domain.fields(), message.TYPES, message.message())
    try:
        return str(to_checksum_address(Account.recover_message(encoded, signature=signature)))
    except (BadSignature, ValidationError, TypeError) as error:
        raise ValueError(str(error) or type(error).__name__) from error
