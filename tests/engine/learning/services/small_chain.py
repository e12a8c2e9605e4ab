"""A small real chain, built by the chain's own rules, and clients of its services."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import aiohttp
import numpy as np

from engine.learning import pow as work
from engine.learning.beacon.committees import aggregator_of, committee_of, proposer_of
from engine.learning.beacon.execution import Known
from engine.learning.beacon.fork_choice import ForkChoice
from engine.learning.beacon.messages import from_bits, unsigned_root
from engine.learning.beacon.proposal import BlockParts, propose
from engine.learning.beacon.state import genesis_state
from engine.learning.beacon.tree import BlockTree
from engine.learning.config import LearnConfig
from engine.learning.crypto import bls
from engine.learning.crypto.keys import validator_keys
from engine.learning.genesis import genesis
from engine.learning.ports import Peer
from engine.learning.services import Services
from engine.learning.services.node_view import NodeView
from engine.learning.services.view import ChainView
from engine.learning.types import (
    DOMAIN_ACK,
    DOMAIN_ATTESTER,
    DOMAIN_UPDATE,
    AckCertificate,
    AckVote,
    Attestation,
    AttestationData,
    Checkpoint,
    ExecutionHeader,
    UpdateCommit,
    root_of,
    signing_root,
)

MODEL = sha256(b"model").digest()
DELTA = sha256(b"delta").digest()
UPDATE = sha256(b"update").digest()
SECRET = bytes(range(32))
NOW = 1_700_000_000.0
PEERS = (
    Peer(0, validator_keys(LearnConfig().genesis_seed, 0).peer_id, "sim:0", True, 3, 0),
    Peer(1, validator_keys(LearnConfig().genesis_seed, 1).peer_id, "sim:1", False, 0, 0),
)


class Chain:
    """Blocks by all validators together, one a slot; ``view`` is what a node that saw them all says."""

    def __init__(self, **settings: Any) -> None:
        self.config = LearnConfig(**{"validators": 4, "pow_bits": 4, "chain_id": 4242} | settings)
        state = genesis_state(genesis(self.config), self.config, MODEL)
        self.tree = BlockTree(state)
        self.tree.deltas[UPDATE] = DELTA
        self.choice = ForkChoice(self.tree)
        self.slot = 0
        self.certificate: AckCertificate | None = None
        self.view = NodeView(self.config, self.choice, lambda: self.slot, lambda: PEERS, self._pending)

    def extend(self, slots: int, *, update: bool = False) -> None:
        """Add a block a slot, each with the votes on the one before; ``update``: carry a round through to the end."""
        for _ in range(slots):
            self.slot += 1
            head = self.choice.head()
            votes = self._votes(head)
            self.choice.on_tick(self.slot)
            state = self.tree.state_at(head, self.slot)
            commit = self._commit(state) if update and self.slot % 3 == 1 else None
            ready = self.certificate if update else None
            parts = BlockParts(votes, commit, ready, DELTA if ready else b"")
            key = self._key(proposer_of(state, self.slot))
            known = Known(self.tree.deltas)
            signed = propose(self.tree.state(head), self.slot, parts, self._signer(key), known=known)
            self.certificate = None if ready else self.certificate
            self.choice.on_block(self.tree.add(signed), timely=True)
            if commit is not None:
                self.certificate = self._acks(commit)

    def fork(self) -> bytes:
        """Add a second block beside the head, by the same proposer, and return its root."""
        parent = self.tree.parent(self.choice.head())
        key = self._key(proposer_of(self.tree.state_at(parent, self.slot), self.slot))
        parts = BlockParts(graffiti=b"another")
        signed = propose(self.tree.state(parent), self.slot, parts, self._signer(key), known=Known(self.tree.deltas))
        root = self.tree.add(signed)
        self.choice.on_block(root)
        return root

    def sign(self, index: int, root: bytes, domain: bytes) -> bytes:
        return self._signer(self._key(index))(root, domain)

    def _key(self, index: int) -> bls.SecretKey:
        return validator_keys(self.config.genesis_seed, index).secret

    def _signer(self, key: bls.SecretKey) -> Callable[[bytes, bytes], bytes]:
        return lambda root, domain: bls.sign(key, signing_root(root, domain, self.config.chain_id))

    def _votes(self, head: bytes) -> tuple[Attestation, ...]:
        slot = self.slot - 1
        state = self.tree.state_at(head, slot)
        committee = committee_of(state, slot)
        if not len(committee) or not slot:
            return ()
        epoch = slot // self.config.slots_per_epoch
        start = epoch * self.config.slots_per_epoch
        target = head if slot == start else self.tree.ancestor(head, start)
        source = state.justified
        data = AttestationData(
            slot=slot,
            beacon_block_root=head,
            source=Checkpoint(epoch=source.epoch, root=source.root),
            target=Checkpoint(epoch=epoch, root=target),
        )
        signed = bls.aggregate([self.sign(int(index), root_of(data), DOMAIN_ATTESTER) for index in committee])
        return (Attestation(aggregation_bits=from_bits(np.ones(len(committee), bool)), data=data, signature=signed),)

    def _commit(self, state: Any) -> UpdateCommit:
        index = aggregator_of(state, state.round_opened)
        commit = UpdateCommit(round=state.round, aggregator_index=index, base_root=state.working_root, update_id=UPDATE)
        commit.signature = self.sign(index, unsigned_root(commit), DOMAIN_UPDATE)
        return commit

    def _acks(self, commit: UpdateCommit) -> AckCertificate:
        vote = AckVote(
            chain_id=self.config.chain_id,
            slot=self.slot,
            base_root=commit.base_root,
            update_id=commit.update_id,
            accept=True,
        )
        count = self.config.validators
        signed = bls.aggregate([self.sign(index, root_of(vote), DOMAIN_ACK) for index in range(count)])
        return AckCertificate(vote=vote, bits=from_bits(np.ones(count, bool)), signature=signed)

    def _pending(self, root: bytes, slot: int) -> tuple[AckCertificate, bytes] | None:
        return None if self.certificate is None else (self.certificate, DELTA)


class Client:
    """Asks the services over HTTP."""

    def __init__(self, services: Services, session: aiohttp.ClientSession, token: str) -> None:
        self.services = services
        self.session = session
        self.token = token

    async def get(self, name: str, path: str, **headers: str) -> tuple[int, Any]:
        async with self.session.get(self.services.addresses[name] + path, headers=headers) as answer:
            return answer.status, await answer.json()

    async def post(self, name: str, body: Any, **headers: str) -> tuple[int, Any]:
        if name == "engine":
            headers = {"Authorization": f"Bearer {self.token}"} | headers
        given = {"data": io.BytesIO(body)} if isinstance(body, bytes) else {"json": body}
        headers.setdefault("Content-Type", "application/json")
        async with self.session.post(self.services.addresses[name], headers=headers, **given) as answer:
            return answer.status, None if answer.status == 204 else await answer.json()

    async def call(self, name: str, method: str, *params: Any) -> Any:
        """Return a call's result, or its error as (code, message)."""
        status, answer = await self.post(name, {"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
        assert status == 200
        assert answer["id"] == 7
        assert answer["jsonrpc"] == "2.0"
        return (answer["error"]["code"], answer["error"]["message"]) if "error" in answer else answer["result"]


def next_header(view: ChainView, **changes: Any) -> ExecutionHeader:
    """Return the mined header of the block that would follow on the head in the next slot."""
    head, slot = view.head(), view.slot() + 1
    proposal = view.proposal(head.root, slot)
    fields: dict[str, Any] = {
        "parent_hash": head.execution_hash,
        "number": int(head.execution.number) + 1,
        "timestamp": slot * 12,
        "proposer_index": proposal.proposer_index,
        "model_root": proposal.model_root,
        "extra_data": head.execution_hash + proposal.update_id,
    }
    return work.mine(ExecutionHeader(**(fields | changes)), view.config.pow_bits)


async def curl(*arguments: str) -> Any:
    """Return what the real curl is told."""
    command = ["curl", "--silent", "--noproxy", "*", *arguments]
    done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)
