"""The first state of a chain: its validators and where chance starts, all of the GENESIS_SEED."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

from engine.learning.config import DEPOSIT, LearnConfig
from engine.learning.crypto.keys import refuse_duplicates, seed_bytes, validator_keys

GWEI = 10**9  # base units in the unit that the chain counts stake in


@dataclass(frozen=True, slots=True)
class GenesisValidator:
    """A validator that is active from the first slot. ``amount`` is its stake in 1e9 base units: 32 POL."""

    pubkey: bytes  # 48 bytes
    node_key: bytes  # 32 bytes
    peer_id: str
    amount: int = DEPOSIT // GWEI


@dataclass(frozen=True, slots=True)
class Genesis:
    """What all nodes begin with. ``time`` is 0 on the chain's clock, ``mix`` the first RANDAO mix, 32 bytes each."""

    validators: tuple[GenesisValidator, ...]
    time: int
    mix: bytes
    root: bytes


def genesis(config: LearnConfig) -> Genesis:
    """Return the genesis of a configuration. Raises LearnSettingError for a bad seed or two equal peer ids."""
    keys = [validator_keys(config.genesis_seed, index) for index in range(config.validators)]
    refuse_duplicates(key.peer_id for key in keys)
    validators = tuple(GenesisValidator(key.pubkey, key.node_public, key.peer_id) for key in keys)
    mix = sha256(b"POL-AI/randao/" + seed_bytes(config.genesis_seed)).digest()
    return Genesis(validators, 0, mix, _root(config, validators, mix))


def _root(config: LearnConfig, validators: tuple[GenesisValidator, ...], mix: bytes) -> bytes:
    """Return the hash of all that nodes must agree on at the start; lengths come first, so that no two read alike."""
    digest = sha256(b"POL-AI/genesis/")
    numbers = (config.chain_id, round(config.seconds_per_slot * 1e6), config.slots_per_epoch, config.pow_bits)
    for number in (*numbers, len(validators)):
        digest.update(number.to_bytes(8, "big"))
    digest.update(mix)
    for validator in validators:
        digest.update(validator.pubkey + validator.node_key + validator.amount.to_bytes(8, "big"))
    return digest.digest()
