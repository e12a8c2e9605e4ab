"""Deposits of newcomers: keys of the genesis seed beyond the first validators', with their proof of possession."""

from __future__ import annotations

from engine.learning.beacon.messages import deposit_root
from engine.learning.config import DEPOSIT, LearnConfig
from engine.learning.crypto import bls
from engine.learning.crypto.keys import ValidatorKeys, validator_keys
from engine.learning.types import DOMAIN_DEPOSIT, Deposit, signing_root


def deposit_of(config: LearnConfig, keys: ValidatorKeys, index: int) -> Deposit:
    """Return the deposit of 32 POL that binds a validator's two keys; ``index`` counts deposits from 0."""
    deposit = Deposit(pubkey=keys.pubkey, node_key=keys.node_public, amount=DEPOSIT // 10**9, index=index)
    root = signing_root(deposit_root(deposit), DOMAIN_DEPOSIT, config.chain_id)
    deposit.signature = bls.sign(keys.secret, root)
    return deposit


def newcomer(config: LearnConfig, number: int) -> tuple[ValidatorKeys, Deposit]:
    """Return the keys and the deposit of the ``number``-th newcomer, from 0."""
    keys = validator_keys(config.genesis_seed, config.validators + number)
    return keys, deposit_of(config, keys, number)
