"""A chain that tests drive by hand: validators with keys, votes, ACKs and blocks."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.learning.beacon import proposal
from engine.learning.beacon.committees import ack_committee_of, aggregator_of, committee_of, proposer_of
from engine.learning.beacon.messages import deposit_root, from_bits, unsigned_root
from engine.learning.beacon.state import BeaconState, block_root_of, genesis_state
from engine.learning.beacon.tree import BlockTree
from engine.learning.config import LearnConfig
from engine.learning.crypto import bls
from engine.learning.crypto.keys import validator_keys
from engine.learning.genesis import genesis
from engine.learning.types import (
    DOMAIN_ACK,
    DOMAIN_ATTESTER,
    DOMAIN_DEPOSIT,
    DOMAIN_EXIT,
    DOMAIN_UPDATE,
    AckCertificate,
    AckVote,
    Attestation,
    AttestationData,
    Checkpoint,
    Deposit,
    IndexedAttestation,
    SignedAck,
    SignedBeaconBlock,
    UpdateCommit,
    VoluntaryExit,
    root_of,
    signing_root,
)

MODEL = sha256(b"model").digest()
ROOT = Path(__file__).parents[4]
PEERS = ROOT / "build" / "peers"
PYTHON = next((path for path in (PEERS / "bin/python", PEERS / "Scripts/python.exe") if path.is_file()), None)


@pytest.fixture(scope="session")
def specification() -> Callable[[dict[str, Any]], Any]:
    """Ask the consensus specification: a document goes to it as JSON, its answer comes back."""
    if PYTHON is None:
        pytest.skip("eth-consensus-specs is not installed: make test installs it into build/peers")

    def ask(document: dict[str, Any]) -> Any:
        argv = [str(PYTHON), str(Path(__file__).with_name("spec_worker.py"))]
        quiet = {**os.environ, "PYTHONPATH": ""}
        text = json.dumps(document)
        done = subprocess.run(argv, input=text, env=quiet, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return json.loads(done.stdout)

    return ask


class Chain:
    """A tree and the keys of its validators."""

    def __init__(self, validators: int = 8, deposits: dict[int, bytes] | None = None, **settings: Any) -> None:
        self.config = LearnConfig(validators=validators, **{"pow_bits": 2, **settings})
        self.genesis = genesis_state(genesis(self.config), self.config, MODEL)
        self.tree = BlockTree(self.genesis, deposits=deposits)
        self.head = self.tree.root

    def sign(self, index: int, root: bytes, domain: bytes) -> bytes:
        secret = validator_keys(self.config.genesis_seed, index).secret
        return bls.sign(secret, signing_root(root, domain, self.config.chain_id))

    def signer(self, index: int) -> Callable[[bytes, bytes], bytes]:
        return lambda root, domain: self.sign(index, root, domain)

    def many(self, indices: Iterable[int], root: bytes, domain: bytes) -> bytes:
        return bls.aggregate([self.sign(int(index), root, domain) for index in indices])

    def state(self, slot: int | None = None, root: bytes | None = None) -> BeaconState:
        root = root or self.head
        return self.tree.state(root) if slot is None else self.tree.state_at(root, slot)

    def block(self, slot: int, root: bytes | None = None, **parts: Any) -> SignedBeaconBlock:
        state = self.state(slot, root)
        made = proposal.BlockParts(**parts)
        return proposal.propose(state, slot, made, self.signer(proposer_of(state, slot)))

    def extend(self, slot: int, root: bytes | None = None, **parts: Any) -> bytes:
        self.head = self.tree.add(self.block(slot, root, **parts))
        return self.head

    def data(self, slot: int, head: bytes | None = None) -> AttestationData:
        """What an honest validator attests to in a slot, with that head."""
        head = head or self.head
        state = self.tree.state_at(head, slot)
        epoch = slot // self.config.slots_per_epoch
        start = epoch * self.config.slots_per_epoch
        target = state.block_root_at(start) if start < state.slot else block_root_of(state)
        return AttestationData(
            slot=slot,
            beacon_block_root=head,
            source=Checkpoint(epoch=state.justified.epoch, root=state.justified.root),
            target=Checkpoint(epoch=epoch, root=target),
        )

    def attest(
        self, slot: int, head: bytes | None = None, only: Iterable[int] | None = None
    ) -> tuple[Attestation, ...]:
        head = head or self.tree.ancestor(self.head, slot)
        committee = committee_of(self.tree.state_at(head, slot), slot)
        bits = np.ones(len(committee), bool) if only is None else np.isin(committee, list(only))
        if not bits.any():
            return ()
        data = self.data(slot, head)
        signature = self.many(committee[bits], root_of(data), DOMAIN_ATTESTER)
        return (Attestation(aggregation_bits=from_bits(bits), data=data, signature=signature),)

    def indexed(self, data: AttestationData, indices: list[int]) -> IndexedAttestation:
        signature = self.many(indices, root_of(data), DOMAIN_ATTESTER)
        return IndexedAttestation(attesting_indices=indices, data=data, signature=signature)

    def run(self, first: int, last: int, only: Iterable[int] | None = None) -> BeaconState:
        """Propose and attest in every slot from first to last: everybody, or only some."""
        votes: list[Attestation] = []
        for slot in range(first, last + 1):
            state = self.state(slot)
            if only is None or proposer_of(state, slot) in set(only):
                self.extend(slot, attestations=tuple(votes[-8:]))
            votes.extend(self.attest(slot, only=only))
        return self.state()

    def commit(self, state: BeaconState, update_id: bytes, **changes: Any) -> UpdateCommit:
        """An aggregator's commit for the round that is open in a state."""
        aggregator = changes.pop("aggregator_index", aggregator_of(state, state.round_opened))
        fields = {"round": state.round, "base_root": state.working_root, "update_id": update_id, **changes}
        commit = UpdateCommit(aggregator_index=aggregator, **fields)
        commit.signature = self.sign(aggregator, unsigned_root(commit), DOMAIN_UPDATE)
        return commit

    def vote(self, state: BeaconState, update_id: bytes, **changes: Any) -> AckVote:
        fields = {
            "chain_id": self.config.chain_id,
            "slot": state.round_opened + 1,
            "base_root": state.working_root,
            "update_id": update_id,
            "accept": True,
        }
        return AckVote(**{**fields, **changes})

    def certificate(
        self, state: BeaconState, update_id: bytes, members: Iterable[int] | None = None, **changes: Any
    ) -> AckCertificate:
        vote = self.vote(state, update_id, **changes)
        committee = ack_committee_of(state, state.round_opened + 1)
        bits = np.ones(len(committee), bool) if members is None else np.isin(committee, list(members))
        signature = self.many(committee[bits], root_of(vote), DOMAIN_ACK)
        return AckCertificate(vote=vote, bits=from_bits(bits), signature=signature)

    def ack(self, state: BeaconState, index: int, update_id: bytes) -> SignedAck:
        vote = self.vote(state, update_id)
        return SignedAck(validator_index=index, vote=vote, signature=self.sign(index, root_of(vote), DOMAIN_ACK))

    def deposit(self, key: int, number: int, **changes: Any) -> Deposit:
        keys = validator_keys(self.config.genesis_seed, key)
        fields = {"pubkey": keys.pubkey, "node_key": keys.node_public, "amount": 32 * 10**9, "index": number}
        deposit = Deposit(**{**fields, **changes})
        deposit.signature = self.sign(key, deposit_root(deposit), DOMAIN_DEPOSIT)
        return deposit

    def exit(self, index: int, epoch: int = 0) -> VoluntaryExit:
        wish = VoluntaryExit(epoch=epoch, validator_index=index)
        wish.signature = self.sign(index, unsigned_root(wish), DOMAIN_EXIT)
        return wish

    def to_round(self, update_id: bytes, slot: int | None = None) -> BeaconState:
        """Extend the chain by the block that fixes an update; return the state at the slot that may include it."""
        opened = self.state(slot) if slot is not None else self.state()
        assert opened.round_open
        self.extend(opened.round_opened + 1, commit=self.commit(opened, update_id))
        return self.state(opened.round_opened + 2)


@pytest.fixture
def chain() -> type[Chain]:
    return Chain
