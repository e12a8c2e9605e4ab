"""A deposit on its way over the contract: the proof of possession that goes in, and the container that comes out."""

from __future__ import annotations

from typing import Any

from engine.chain.learning import STAKE, StakeKeys
from engine.learning.beacon.messages import deposit_root
from engine.learning.crypto import bls
from engine.learning.crypto.keys import ValidatorKeys
from engine.learning.types import DOMAIN_DEPOSIT, Deposit, signing_root

UNIT = 10**9  # base units of POL in the beacon chain's unit of stake


def stake_keys(keys: ValidatorKeys, chain_id: int) -> StakeKeys:
    """Return what a validator's deposit binds, with the proof that its BLS key is possessed."""
    deposit = Deposit(pubkey=keys.pubkey, node_key=keys.node_public, amount=STAKE // UNIT)
    root = signing_root(deposit_root(deposit), DOMAIN_DEPOSIT, chain_id)
    return StakeKeys(keys.pubkey, keys.node_public, bls.sign(keys.secret, root))


def container_of(values: dict[str, Any], first: int) -> Deposit:
    """Return the container of a Deposited event; the deposit of number ``first`` gets index 0."""
    return Deposit(
        pubkey=bytes.fromhex(values["pubkey"][2:]),
        node_key=bytes.fromhex(values["nodeKey"][2:]),
        amount=values["amount"] // UNIT,
        index=values["index"] - first,
        signature=bytes.fromhex(values["proof"][2:]),
    )
