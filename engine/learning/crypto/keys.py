"""The keys of a chain, all from its GENESIS_SEED: the same seed gives the same keys on every machine."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

from engine.learning.crypto import bls, ed25519
from engine.learning.crypto.eip2333 import derive_path
from engine.learning.errors import LearnSettingError

PEER_ID_SIZE = 8  # bytes


@dataclass(frozen=True, slots=True)
class ValidatorKeys:
    """A validator's BLS key, and the Ed25519 key that signs its records; a deposit binds one to the other."""

    index: int
    secret: bls.SecretKey = field(repr=False)
    pubkey: bytes
    node_key: ed25519.SecretKey = field(repr=False)
    node_public: bytes
    peer_id: str  # sha256(pubkey)[:8], 16 hexadecimal digits


@dataclass(frozen=True, slots=True)
class TrainerKeys:
    """A trainer's Ed25519 key. Trainers have no stake and no BLS key: their peer id is of the Ed25519 key."""

    trainer: int
    node_key: ed25519.SecretKey = field(repr=False)
    node_public: bytes
    peer_id: str


def seed_bytes(genesis_seed: str) -> bytes:
    """Return the 32 bytes of a GENESIS_SEED. Raises LearnSettingError when it is not 64 hexadecimal characters."""
    if len(genesis_seed) != 64 or not all(digit in "0123456789abcdefABCDEF" for digit in genesis_seed):
        strange = f", got {len(genesis_seed)}" if len(genesis_seed) != 64 else ", one of them is something else"
        raise LearnSettingError(
            "GENESIS_SEED cannot be used",
            f"it is 64 hexadecimal characters{strange}",
            "Make one with: openssl rand -hex 32",
        )
    return bytes.fromhex(genesis_seed)


def peer_id_of(pubkey: bytes) -> str:
    """Return the 16 hexadecimal digits that name a key in the DHT. Source: spec/pol-ai.md, peer ID derivation."""
    return sha256(pubkey).digest()[:PEER_ID_SIZE].hex()


@lru_cache(maxsize=8_192)
def validator_keys(genesis_seed: str, index: int) -> ValidatorKeys:
    """Return a validator's keys: BLS at the path ``m/12381/3600/index/0/0``."""
    seed = seed_bytes(genesis_seed)
    secret = bls.SecretKey(derive_path(f"m/12381/3600/{index}/0/0", seed).to_bytes(32, "big"))
    node_key = _node_key(b"validator", seed, index)
    return ValidatorKeys(index, secret, secret.public, node_key, node_key.public, peer_id_of(secret.public))


@lru_cache(maxsize=1_024)
def trainer_keys(genesis_seed: str, trainer: int) -> TrainerKeys:
    """Return a trainer's keys."""
    node_key = _node_key(b"trainer", seed_bytes(genesis_seed), trainer)
    return TrainerKeys(trainer, node_key, node_key.public, peer_id_of(node_key.public))


def refuse_duplicates(peer_ids: Iterable[str]) -> None:
    """Raise LearnSettingError when two peers have one id: each could then write in the other's name."""
    seen: dict[str, int] = {}
    for number, peer_id in enumerate(peer_ids):
        if peer_id in seen:
            raise LearnSettingError(
                "Two validators cannot share a peer id",
                f"numbers {seen[peer_id]} and {number} both have {peer_id}",
                "Use another GENESIS_SEED, or another key for the later one.",
                peer_id=peer_id,
            )
        seen[peer_id] = number


def _node_key(role: bytes, seed: bytes, number: int) -> ed25519.SecretKey:
    return ed25519.SecretKey(sha256(b"POL-AI/ed25519/" + role + b"/" + seed + number.to_bytes(8, "big")).digest())
