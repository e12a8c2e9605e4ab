"""Casting votes: those of one node that say the same are signed and sent as one. A signature is a piece of work."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from engine.learning.beacon.messages import Bits, from_bits, vote_of
from engine.learning.beacon.registry import Ints
from engine.learning.beacon.state import BeaconState
from engine.learning.crypto import bls
from engine.learning.run.node import Node, Votes
from engine.learning.types import DOMAIN_ATTESTER, Attestation, AttestationData, root_of


def cast(node: Node, state: BeaconState, committee: Ints, voters: list[int], data: AttestationData) -> Iterator[None]:
    """Sign and send votes that say the same."""
    root = root_of(data)
    signed: dict[int, bytes] = {}
    for index in voters:
        keys = node.kit.keyring.keys(state.registry, index)
        if keys is not None:
            signed[index] = node.kit.keyring.signer(keys)(root, DOMAIN_ATTESTER)
            yield
    if not signed:
        return
    bits: Bits = np.isin(committee, list(signed))
    signatures = list(signed.values())
    total = signatures[0] if len(signatures) == 1 else bls.aggregate(signatures)
    yield
    attestation = Attestation(aggregation_bits=from_bits(bits), data=data, signature=total)
    votes = Votes(attestation, vote_of(data), bits)
    node.take_votes(node.number, votes)
    yield
    node.tell("votes", votes)
