"""What agents sign: positions, on chain (round 0) and announced off chain (rounds from 1), by EIP-712."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eth_utils.address import to_checksum_address

from engine.core.hashing import keccak

ON_CHAIN = 0  # the round of the position that goes on chain
NOWHERE = "0x" + "00" * 20
NEVER = (1 << 40) - 1  # a deadline that does not come
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # of secp256k1: larger s is malleable


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

    def problem(self, domain: Domain, *, hashed: bool = False) -> str:
        """Return why this is not the word of the agent that it names, "" when it is.

        ``hashed``: the caller made the hash of just this packed position itself.
        """
        if not hashed and keccak(self.packed) != self.message.position_hash:
            return "the position is not the one that was signed"
        try:
            signer = _signer(digest(self.message, domain), self.signature)
        except ValueError as error:
            return f"the signature is malformed: {error}"
        named = bytes.fromhex(self.message.agent[2:])
        return "" if signer == named else f"the signature is of {to_checksum_address(signer)}"


class Key:
    """A private key that signs positions, a :class:`engine.consensus.participants.Signer`; it never shows itself."""

    def __init__(self, secret: bytes) -> None:
        from coincurve import PrivateKey

        self._key = PrivateKey(secret)
        self._address = str(to_checksum_address(_address(self._key.public_key.format(compressed=False))))

    def __repr__(self) -> str:
        return f"Key({self._address})"

    @property
    def address(self) -> str:
        """The checksummed address."""
        return self._address

    def sign(self, message: PositionMessage, domain: Domain) -> bytes:
        """Return the 65-byte EIP-712 signature, the same that eth-account makes (RFC 6979)."""
        made = self._key.sign_recoverable(digest(message, domain), hasher=None)
        return bytes(made[:64]) + bytes([made[64] + 27])


@lru_cache(maxsize=4096)
def digest(message: PositionMessage, domain: Domain) -> bytes:
    """Return what is signed, 32 bytes by EIP-712.

    Written out, since the general encoder takes as long as all else in a round of a hundred agents. Raises ValueError
    or OverflowError for fields that do not fit their types.
    """
    agent = bytes.fromhex(message.agent[2:])
    if len(message.task_hash) != 32 or len(message.position_hash) != 32 or len(agent) != 20:
        raise ValueError("a field of the message has a wrong length")
    numbers = (
        word.to_bytes(width, "big").rjust(32, b"\0")
        for word, width in ((message.confidence, 4), (message.round, 4), (message.nonce, 4), (message.deadline, 5))
    )
    fields = (_type_hash(), message.task_hash, agent.rjust(32, b"\0"), message.position_hash, *numbers)
    return keccak(b"\x19\x01" + _separator(domain) + keccak(b"".join(fields)))


@lru_cache(maxsize=1)
def _type_hash() -> bytes:
    parts = ",".join(f"{part['type']} {part['name']}" for part in PositionMessage.TYPES["Position"])
    return keccak(f"Position({parts})".encode())


@lru_cache(maxsize=64)
def _separator(domain: Domain) -> bytes:
    kind = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
    fields = domain.fields()
    contract = bytes.fromhex(domain.contract[2:]).rjust(32, b"\0")
    return keccak(
        keccak(kind)
        + keccak(fields["name"].encode())
        + keccak(fields["version"].encode())
        + domain.chain_id.to_bytes(32, "big")
        + contract
    )


def _signer(digest_: bytes, signature: bytes) -> bytes:
    """Return the 20 bytes of the address that signed; as strict as the contract. Raises ValueError."""
    from coincurve import PublicKey

    if len(signature) != 65:
        raise ValueError(f"it has {len(signature)} bytes, not 65")
    if signature[64] not in (27, 28):
        raise ValueError(f"its last byte is {signature[64]}, not 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise ValueError("its second half is the malleable one")
    key = PublicKey.from_signature_and_message(signature[:64] + bytes([signature[64] - 27]), digest_, hasher=None)
    return _address(key.format(compressed=False))


@lru_cache(maxsize=4096)
def _address(public: bytes) -> bytes:
    return keccak(public[1:])[12:]


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
    return str(to_checksum_address(_signer(digest(message, domain), signature)))
