"""The keys of a run's validators and trainers, and where each of them lives."""

from __future__ import annotations

from collections.abc import Callable

from engine.learning.beacon.registry import Registry
from engine.learning.config import LearnConfig
from engine.learning.crypto import bls
from engine.learning.crypto.keys import TrainerKeys, ValidatorKeys, peer_id_of, trainer_keys, validator_keys
from engine.learning.run.safety import Safety
from engine.learning.types import signing_root

JOINERS = 64  # validators beyond the first ones whose keys this machine can hold

Sign = Callable[[bytes, bytes], bytes]


class Keyring:
    """Keys by public key, and one record a validator of what it signed."""

    def __init__(self, config: LearnConfig) -> None:
        self.config = config
        self._keys: dict[bytes, ValidatorKeys] = {}
        self._safety: dict[int, Safety] = {}
        self._by_peer: tuple[Registry | None, dict[str, int]] = (None, {})
        for index in range(config.validators):
            self.add(validator_keys(config.genesis_seed, index))
        self.trainers: tuple[TrainerKeys, ...] = tuple(
            trainer_keys(config.genesis_seed, number) for number in range(config.trainers)
        )
        self.trainer_of: dict[str, int] = {keys.peer_id: keys.trainer for keys in self.trainers}

    def add(self, keys: ValidatorKeys) -> None:
        """Hold one more validator's keys."""
        self._keys[keys.pubkey] = keys

    def adopt(self, pubkey: bytes) -> ValidatorKeys | None:
        """Take over the keys of a newcomer, where they are of this genesis seed."""
        for index in range(self.config.validators, self.config.validators + JOINERS):
            keys = validator_keys(self.config.genesis_seed, index)
            if keys.pubkey == pubkey:
                self.add(keys)
                return keys
        return None

    def keys(self, registry: Registry, index: int) -> ValidatorKeys | None:
        """Return a validator's keys; None for those of a stranger."""
        return self._keys.get(registry.pubkeys[index])

    def signer(self, keys: ValidatorKeys) -> Sign:
        """Return what signs an object's root in a domain with a validator's BLS key."""
        return lambda root, domain: bls.sign(keys.secret, signing_root(root, domain, self.config.chain_id))

    def safety(self, index: int) -> Safety:
        """Return the record of what a validator signed."""
        return self._safety.setdefault(index, Safety())

    def node_of(self, index: int) -> int:
        """Return the beacon node that a validator lives on."""
        return index % self.config.node_count

    def peer_of(self, index: int) -> int:
        """Return the DHT peer that a validator or trainer uses."""
        return index % self.config.peer_count

    def of_peer(self, registry: Registry, peer_id: str) -> int | None:
        """Return the validator that writes under a peer id."""
        known, table = self._by_peer
        if known is not registry:
            table = {peer_id_of(pubkey): index for index, pubkey in enumerate(registry.pubkeys)}
            self._by_peer = (registry, table)
        return table.get(peer_id)
