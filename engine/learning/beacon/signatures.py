"""Checks of BLS signatures that refuse with a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.learning.beacon.state import BeaconState
from engine.learning.crypto import bls
from engine.learning.errors import BlockRefusedError
from engine.learning.types import signing_root


def holds(state: BeaconState, keys: Sequence[bytes], root: bytes, domain: bytes, signature: Any) -> bool:
    """Return whether a signature is the sum of these keys' over an object's root, on this chain."""
    return bls.fast_aggregate_verify(keys, signing_root(root, domain, state.config.chain_id), bytes(signature))


def demand(
    state: BeaconState, keys: Sequence[bytes], root: bytes, domain: bytes, signature: Any, rule: str, why: str
) -> None:
    """Raise BlockRefusedError where :func:`holds` says no."""
    if not holds(state, keys, root, domain, signature):
        raise BlockRefusedError(rule, why)
