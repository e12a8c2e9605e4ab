"""The beacon chain: duties, finality, blocks and the fork choice, beside Ethereum's executable specification."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.learning.beacon.committees import committee_of, proposer_of
from engine.learning.beacon.ffg import next_finality
from engine.learning.beacon.fork_choice import ForkChoice
from engine.learning.beacon.messages import from_bits, vote_of
from engine.learning.beacon.proposal import BlockParts, propose
from engine.learning.beacon.shuffle import shuffled
from engine.learning.beacon.state import TARGET, BeaconState, block_root_of, genesis_state, state_root
from engine.learning.beacon.transition import advance, apply
from engine.learning.beacon.tree import BlockTree
from engine.learning.config import LearnConfig
from engine.learning.crypto import bls
from engine.learning.crypto.keys import validator_keys
from engine.learning.genesis import genesis
from engine.learning.types import DOMAIN_ATTESTER, Attestation, AttestationData, Checkpoint, root_of, signing_root

PEERS = Path(__file__).parents[2] / "build" / "peers"
PYTHON = next((path for path in (PEERS / "bin/python", PEERS / "Scripts/python.exe") if path.is_file()), None)
SPEC = "eth-consensus-specs"
VIEWS = 16
GOAL_S = 60.0


class Chain:
    """Everybody votes. A committee signs by the sum of its keys: the same signature at the price of one."""

    def __init__(self, validators: int) -> None:
        self.config = LearnConfig(validators=validators)
        self.keys = [validator_keys(self.config.genesis_seed, index) for index in range(validators)]
        self.scalars = [int.from_bytes(bytes(key.secret._key), "big") for key in self.keys]
        self.tree = BlockTree(genesis_state(genesis(self.config), self.config, bytes(32)))
        self.views = [ForkChoice(self.tree) for _ in range(VIEWS)]
        self.votes: tuple[Attestation, ...] = ()
        self.spent = 0.0  # seconds outside of signing

    def step(self, slot: int) -> None:
        """A slot: every view ticks, finds its head, takes a block and the votes of a committee."""
        began = time.perf_counter()
        for view in self.views:
            view.on_tick(slot)
        head = max(view.head() for view in self.views)  # all alike
        state = self.tree.state_at(head, slot)
        proposer = proposer_of(state, slot)
        signed = propose(state, slot, BlockParts(attestations=self.votes), self._signer(proposer))
        root = self.tree.add(signed)
        for view in self.views:
            view.on_block(root, timely=True)
            view.head()
        after = self.tree.state_at(root, slot)
        committee, data = committee_of(after, slot), data_of(after, root)
        vote = vote_of(data)
        for view in self.views:
            view.on_attestation(committee, vote)
            if slot % 8 == 0:
                view.prune()
        if slot % 8 == 0:
            self.tree.prune(self.views[0].finalized.root)
        self.spent += time.perf_counter() - began
        self.votes = (self._attestation(committee, data),) if len(committee) else ()

    def _signer(self, index: int) -> Callable[[bytes, bytes], bytes]:
        def sign(root: bytes, domain: bytes) -> bytes:
            return bls.sign(self.keys[index].secret, signing_root(root, domain, self.config.chain_id))

        return sign

    def _attestation(self, committee: Any, data: AttestationData) -> Attestation:
        total = sum(self.scalars[index] for index in committee) % bls.ORDER
        root = signing_root(root_of(data), DOMAIN_ATTESTER, self.config.chain_id)
        signature = bls.sign(bls.SecretKey(total.to_bytes(32, "big")), root)
        bits = from_bits(np.ones(len(committee), bool))
        return Attestation(aggregation_bits=bits, data=data, signature=signature)


def data_of(state: BeaconState, root: bytes) -> AttestationData:
    """Return what all attest to whose head is the block of the state's slot."""
    target = state.checkpoint_root(state.epoch) if state.slot % 8 else root
    return AttestationData(
        slot=state.slot,
        beacon_block_root=root,
        source=Checkpoint(epoch=state.justified.epoch, root=state.justified.root),
        target=Checkpoint(epoch=state.epoch, root=target),
    )


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return what was measured."""
    count, slots = (1000, 320) if seconds >= 0.5 else (40, 20)
    peer = _specification(count, seconds)
    note(f"a chain of {count:,} validators, {slots} slots, {VIEWS} views")
    chain = Chain(count)
    for slot in range(1, slots):
        chain.step(slot)
    state = chain.tree.state(chain.views[0].head())
    assert slots < 320 or state.finalized.epoch >= slots // 8 - 4
    made = [_duties(count, seconds, peer), _finality(state, seconds, peer)]
    made += [*_state(state, seconds), *_blocks(chain, seconds)]
    name = f"{count:,} validators, {slots} slots, {VIEWS} views, without signing votes"
    return [*made, _row(name, chain.spent, "s", goal=GOAL_S if slots == 320 else None)]


def _duties(count: int, seconds: float, peer: dict[str, float]) -> dict[str, Any]:
    seed = bytes(range(32))
    ours = _median(lambda: shuffled(count, seed), seconds)
    return _row(f"shuffle {count:,} validators", ours, "ms", SPEC, peer.get("shuffle"))


def _finality(state: BeaconState, seconds: float, peer: dict[str, float]) -> dict[str, Any]:
    voted = advance(state, state.slot + 7 - state.slot % 8).copy()
    voted.previous = voted.current = np.full(len(state.registry), TARGET, np.uint8)
    ours = _median(lambda: next_finality(voted), seconds)
    return _row(f"justify and finalise, {len(state.registry):,} votes an epoch", ours, "ms", SPEC, peer.get("justify"))


def _state(state: BeaconState, seconds: float) -> list[dict[str, Any]]:
    return [
        _row("copy a state", _median(state.copy, seconds), "ms"),
        _row("root of a state", _median(lambda: state_root(state), seconds), "ms"),
        _row("an empty slot", _median(lambda: advance(state, state.slot + 1), seconds), "ms"),
        _row("an empty epoch", _median(lambda: advance(state, state.slot + 8), seconds), "ms"),
    ]


def _blocks(chain: Chain, seconds: float) -> list[dict[str, Any]]:
    view = chain.views[0]
    head = view.head()
    state = chain.tree.state(head)
    slot = state.slot + 1
    assert block_root_of(state) == head
    voters = int(sum(len(indices) for indices, _ in chain.tree[head].votes))
    signed = propose(
        state, slot, BlockParts(attestations=chain.votes), chain._signer(proposer_of(advance(state, slot), slot))
    )

    def anew() -> None:
        bls._VERDICTS.clear()
        apply(state, signed)

    def find_head() -> None:
        view._head = None
        view.head()

    name = f"a block with {voters} votes"
    return [
        _row(f"{name}, signatures and all", _median(anew, seconds), "ms"),
        _row(f"{name}, signatures known", _median(lambda: apply(state, signed), seconds), "ms"),
        _row(f"find the head of {len(view._blocks)} blocks", _median(find_head, seconds), "ms"),
    ]


def _specification(count: int, seconds: float) -> dict[str, float]:
    """Return the milliseconds of the specification's own code; nothing where it is not installed."""
    if PYTHON is None:
        return {}
    worker = Path(__file__).with_name("learning_beacon_peer.py")
    done = subprocess.run(
        [str(PYTHON), str(worker), str(count), str(min(seconds, 1.0))],
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    made: dict[str, float] = json.loads(done.stdout)
    return made


def _median(action: Callable[[], Any], seconds: float) -> float:
    """Return the median of an action's times in milliseconds: at least three, until the seconds are over."""
    action()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        action()
        times.append((time.perf_counter() - start) * 1e3)
    return statistics.median(times)


def _row(
    name: str, ours: float, unit: str, peer_name: str = "", peer: float | None = None, goal: float | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "ours": ours,
        "unit": unit,
        "peer_name": peer_name if peer is not None else "",
        "peer": peer,
        "ratio": None if peer is None else peer / ours,
        "goal": goal,
        "met": None if goal is None else ours <= goal,
    }
