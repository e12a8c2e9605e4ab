"""What holds for any blocks and votes: proposals are valid, changed blocks are not, and finality is accountable."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.learning.beacon.committees import ack_committee_of, committee_of, duties_of, proposer_of
from engine.learning.beacon.detect import Detector
from engine.learning.beacon.messages import to_bits
from engine.learning.beacon.transition import apply, decode
from engine.learning.errors import BlockRefusedError
from engine.learning.types import AttesterSlashing, VoluntaryExit

UPDATE = sha256(b"update").digest()
DELTA = sha256(b"delta").digest()
FEW = settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def rich(chain_class: type) -> tuple[Any, Any]:
    """A block that carries a bit of everything, and its parent's state."""
    world = chain_class(8, genesis_seed="5a" * 32)
    state = world.to_round(UPDATE)
    world.tree.deltas[UPDATE] = DELTA
    parts = {
        "certificate": world.certificate(state, UPDATE),
        "delta_hash": DELTA,
        "attestations": world.attest(1),
        "deposits": (world.deposit(50, 0),),
        "exits": (world.exit(3),),
        "graffiti": b"all of it",
    }
    return world, world.block(2, **parts)


@pytest.fixture(scope="module")
def chain_class() -> type:
    from tests.engine.learning.beacon.conftest import Chain

    return Chain


def test_every_part_of_a_block_is_guarded(rich: tuple[Any, Any]) -> None:
    world, signed = rich
    state, data, rng = world.state(2), signed.encode_bytes(), random.Random(0)
    assert apply(state, decode(data)).root == bytes(signed.message.state_root)
    for place in range(0, len(data), 3):
        flipped = bytearray(data)
        flipped[place] ^= 1 << rng.randrange(8)
        with pytest.raises(BlockRefusedError) as error:
            apply(state, decode(bytes(flipped)))
        assert error.value.rule and error.value.why


@given(st.data())
@FEW
def test_bytes_cut_out_or_put_in_are_refused(rich: tuple[Any, Any], data: Any) -> None:
    world, signed = rich
    whole = signed.encode_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 200)))
    changed = whole[:start] + data.draw(st.binary(max_size=64)) + whole[end:]
    if changed != whole:
        with pytest.raises(BlockRefusedError):
            apply(world.state(2), decode(changed))


@given(st.randoms(use_true_random=False))
@FEW
def test_whatever_is_on_offer_a_proposal_is_valid(chain: Any, rng: random.Random) -> None:
    world = chain(rng.randrange(2, 9), slots_per_epoch=rng.choice((2, 4, 8)))
    junk: list[Any] = []
    for slot in range(1, rng.randrange(4, 16)):
        state = world.state(slot)
        if not len(duties_of(state, slot // state.config.slots_per_epoch).active):
            break  # all were slashed or left, so nobody can propose any more
        if state.registry.slashed[proposer_of(state, slot)]:
            continue
        members = len(world.genesis.registry)
        junk += world.attest(slot - 1) if slot > 1 else ()
        if rng.random() < 0.3 and junk:
            spoiled = rng.choice(junk).copy()
            spoiled.data.slot = rng.randrange(slot + 2)
            junk.append(spoiled)
        parts: dict[str, Any] = {
            "attestations": tuple(rng.sample(junk, min(len(junk), 6))),
            "graffiti": rng.randbytes(8),
        }
        if rng.random() < 0.4:
            parts["commit"] = world.commit(state, rng.choice((UPDATE, bytes(32))))
        if rng.random() < 0.6:
            world.tree.deltas[UPDATE] = DELTA
            committee = ack_committee_of(state, state.round_opened + 1).tolist()
            voters = rng.sample(committee, rng.randrange(1, len(committee) + 1))
            parts |= {"certificate": world.certificate(state, UPDATE, voters), "delta_hash": DELTA}
        if rng.random() < 0.2:
            parts["exits"] = (world.exit(rng.randrange(members)), VoluntaryExit(validator_index=rng.randrange(99)))
        if rng.random() < 0.2:
            parts["deposits"] = tuple(world.deposit(rng.randrange(12), rng.randrange(5)) for _ in range(3))
        if rng.random() < 0.15:
            guilty = [rng.randrange(members)]
            one, two = world.data(slot), world.data(slot)
            two.beacon_block_root = rng.randbytes(32)
            pair = AttesterSlashing(first=world.indexed(one, guilty), second=world.indexed(two, guilty))
            parts["attester_slashings"] = (pair, pair)
        signed = world.block(slot, **parts)
        assert decode(signed.encode_bytes()) == signed
        world.head = world.tree.add(signed)


@given(st.randoms(use_true_random=False))
@FEW
def test_conflicting_finality_convicts_a_third(chain: Any, rng: random.Random) -> None:
    """Accountable safety: two final blocks on two branches, and at least a third of the stake can be slashed."""
    count = rng.randrange(3, 10)
    world = chain(count, slots_per_epoch=4)
    both = set(rng.sample(range(count), rng.randrange(count + 1)))
    side = [rng.randrange(2) for _ in range(count)]
    fork = rng.randrange(1, 14)
    world.run(1, fork)
    heads = [world.tree.add(world.block(fork + 1 + number, root=world.head)) for number in range(2)]
    detector, guilty = Detector(), set()
    votes: list[list[Any]] = [[], []]
    for slot in range(fork + 2, fork + 28):
        for number, head in enumerate(heads):
            if slot > world.tree.slot(head) and rng.random() < 0.9:
                heads[number] = world.tree.add(world.block(slot, root=head, attestations=tuple(votes[number][-6:])))
            if world.tree.slot(heads[number]) > slot:
                continue
            voters = [index for index in range(count) if index in both or side[index] == number]
            for attestation in world.attest(slot, heads[number], voters):
                votes[number].append(attestation)
                committee = committee_of(world.tree.state_at(heads[number], slot), slot)
                indices = committee[to_bits(attestation.aggregation_bits)]
                for evidence in detector.on_attestation(indices, attestation):
                    first, second = evidence.first.attesting_indices, evidence.second.attesting_indices
                    guilty |= set(map(int, first)) & set(map(int, second))
    final = [world.tree.state(head).finalized for head in heads]
    assert guilty <= both
    lower, higher = sorted(range(2), key=lambda number: final[number].epoch)
    start = final[lower].epoch * 4
    if final[lower].epoch and world.tree.ancestor(final[higher].root, start) != final[lower].root:
        assert 3 * len(guilty) >= count
    if 3 * len(both) < count and final[lower].epoch and final[lower].epoch * 4 > fork:
        raise AssertionError("both sides are final beyond the fork, and less than a third voted twice")


def test_conflicting_finality_does_come_when_all_vote_twice(chain: Any) -> None:
    """So that the property above does not hold for want of cases."""
    world = chain(6, slots_per_epoch=4)
    world.run(1, 2)
    heads = [world.tree.add(world.block(slot, root=world.head)) for slot in (3, 4)]
    detector, guilty, final = Detector(), set(), []
    for head in heads:
        world.head = head
        votes: list[Any] = []
        for slot in range(5, 25):
            world.extend(slot, attestations=tuple(votes[-6:]))
            for attestation in world.attest(slot):
                votes.append(attestation)
                committee = committee_of(world.state(slot), slot)
                for evidence in detector.on_attestation(committee[to_bits(attestation.aggregation_bits)], attestation):
                    guilty |= set(map(int, evidence.first.attesting_indices))
        final.append(world.state().finalized)
    assert all(check.epoch >= 3 for check in final) and final[0].root != final[1].root
    assert len(guilty) >= 2 and np.isin(list(guilty), range(6)).all()
