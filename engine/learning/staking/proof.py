"""A deposit's proof of possession: what the BLS key signs, and the container that the beacon chain reads.

Source: consensus-specs phase0, deposits. The index is left out of what is signed: the contract gives it.
"""

from __future__ import annotations

from typing import Any

from engine.chain.learning import STAKE, StakeKeys
from engine.learning.crypto import bls
from engine.learning.crypto.keys import ValidatorKeys
from engine.learning.types import DOMAIN_DEPOSIT, Deposit, root_of, signing_root

UNIT = 10**9  # base units of POL in the beacon chain's unit of stake


def deposit_root(pubkey: bytes, node_key: bytes, amount: int = STAKE // UNIT) -> bytes:
    """Return the root of an unsigned deposit: keys of 48 and 32 bytes, amount in 1e9 base units."""
    return root_of(Deposit(pubkey=pubkey, node_key=node_key, amount=amount, index=0))


def stake_keys(keys: ValidatorKeys, chain_id: int) -> StakeKeys:
    """Return what a validator's deposit binds, with the proof that its BLS key is possessed."""
    root = signing_root(deposit_root(keys.pubkey, keys.node_public), DOMAIN_DEPOSIT, chain_id)
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
