"""The round of learning in the chain: open, commit, certificate, inclusion; merged by finality, undone by a reorg."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from engine.learning.beacon.execution import merged_root, window_of
from engine.learning.beacon.transition import advance
from engine.learning.config import quorum_of
from engine.learning.errors import BlockRefusedError

UPDATE = sha256(b"update").digest()
DELTA = sha256(b"delta").digest()


def include(world: Any, state: Any, **changes: Any) -> Any:
    """The block of the state's slot that includes UPDATE, as an honest proposer makes it."""
    world.tree.deltas[UPDATE] = DELTA
    certificate = changes.pop("certificate", None) or world.certificate(state, UPDATE, **changes)
    return world.block(state.slot, certificate=certificate, delta_hash=DELTA)


def names(signed: Any) -> bytes:
    return bytes(signed.message.body.execution.extra_data)[32:]


@pytest.mark.parametrize("validators", [1, 2, 7])
def test_a_certified_update_is_included(chain: Any, validators: int) -> None:
    world = chain(validators)
    assert world.genesis.round_open and (world.genesis.round, world.genesis.round_opened) == (0, 0)
    state = world.to_round(UPDATE)
    assert state.slot == 2 and bytes(state.commit.update_id) == UPDATE
    block = include(world, state)
    assert bytes(block.message.body.execution.extra_data) == state.execution_hash + UPDATE
    world.head = world.tree.add(block)
    after = world.state()
    assert after.working_root == merged_root(state.working_root, DELTA) == sha256(state.working_root + DELTA).digest()
    assert [item.update_id for item in after.pending] == [UPDATE]
    assert after.base_root == state.working_root and not after.round_open and after.commit is None
    opened = advance(after, 3)
    assert opened.round_open and (opened.round, opened.round_opened) == (1, 3)


def test_finality_merges_and_a_branch_without_the_update_does_not_know_it(chain: Any) -> None:
    world = chain(4)
    state = world.to_round(UPDATE)
    before, parent = state.working_root, world.head
    block = include(world, state)
    world.head = included = world.tree.add(block)
    world.run(3, 33)
    final = world.state()
    assert final.finalized.epoch >= 1
    assert final.base_root == final.working_root == merged_root(before, DELTA)
    assert final.pending == ()
    sibling = world.tree.add(world.block(3, root=parent))
    rolled_back = world.tree.state(sibling)
    assert rolled_back.working_root == rolled_back.base_root == before and rolled_back.pending == ()
    assert world.tree.state(included).pending[0].slot == 2


def test_only_updates_up_to_the_final_block_are_merged(chain: Any) -> None:
    world = chain(4)
    world.run(1, 29)
    state = world.state()
    assert state.round_open
    opened = state if state.round_opened == 29 else advance(state, 30)
    world.run(30, opened.round_opened)
    assert world.state().round_opened == opened.round_opened
    state = world.to_round(UPDATE)
    world.head = world.tree.add(include(world, state))
    slot = state.slot
    world.run(slot + 1, slot + 8)
    waiting = world.state()
    assert waiting.finalized.epoch * 8 < slot
    assert waiting.base_root != waiting.working_root and len(waiting.pending) == 1
    world.run(slot + 9, slot + 24)
    merged = world.state()
    assert merged.finalized.epoch * 8 >= slot
    assert merged.base_root == merged.working_root and merged.pending == ()


@pytest.mark.parametrize("mode", ["spec", "bft", "3"])
@pytest.mark.parametrize("validators", [3, 4, 6])
def test_one_ack_short_of_the_quorum_is_refused(chain: Any, mode: str, validators: int) -> None:
    world = chain(validators, quorum=mode)
    state = world.to_round(UPDATE)
    quorum = quorum_of(mode, validators)
    short = world.certificate(state, UPDATE, range(quorum - 1)) if quorum > 1 else None
    if short is not None:
        honest = include(world, state, certificate=short)
        assert names(honest) == bytes(32)  # an honest proposer leaves it out
        claimed = world.block(state.slot, certificate=short, claim=UPDATE)
        with pytest.raises(BlockRefusedError, match=f"{quorum - 1} of {validators} accept, the quorum is {quorum}"):
            world.tree.add(claimed)
    assert names(include(world, state, members=range(quorum))) == UPDATE


def test_spec_quorums_let_two_halves_of_four_both_pass_and_bft_does_not() -> None:
    assert quorum_of("spec", 4) * 2 <= 4
    for count in range(2, 1001):
        faulty = (count - 1) // 3
        assert 2 * quorum_of("bft", count) - count > faulty


def test_a_round_expires_and_the_next_opens(chain: Any) -> None:
    world = chain(3, round_every=4)
    world.run(1, 2)
    state = world.state()
    assert state.round_open and state.commit is None
    assert not advance(state, 3).round_open
    reopened = advance(state, 4)
    assert reopened.round_open and (reopened.round, reopened.round_opened) == (1, 4)
    assert advance(state, 6).round_open and not advance(state, 7).round_open
    assert advance(state, 8).round == 2


def test_slow_slots_leave_less_time(chain: Any) -> None:
    windows = {
        seconds: window_of(chain(1, seconds_per_slot=seconds).config) for seconds in (1.0, 12.0, 15.0, 15.1, 31.0)
    }
    assert windows == {1.0: 2, 12.0: 2, 15.0: 2, 15.1: 1, 31.0: 0}
    world = chain(3, seconds_per_slot=16.0)
    world.extend(1, commit=world.commit(world.state(), UPDATE))
    assert world.state().commit is not None
    late = world.state(2)
    assert late.commit is None and late.round == 1
    world.extend(2)
    assert world.state().working_root == late.working_root


def test_commits_are_of_the_aggregator_in_the_one_slot_for_it(chain: Any) -> None:
    world = chain(6)
    opened = world.state()
    aggregator = int(world.commit(opened, UPDATE).aggregator_index)
    wrong = {
        "validator 9 aggregated": {"aggregator_index": (aggregator + 1) % 6},
        "is not open": {"round": 7},
        "it is on model": {"base_root": b"\x01" * 32},
        "zero update": {"update_id": bytes(32)},
    }
    for changes in wrong.values():
        changes = {"update_id": UPDATE, **changes}
        commit = world.commit(opened, changes.pop("update_id"), **changes)
        assert not len(world.block(1, commit=commit).message.body.rest.commits)
    unsigned = world.commit(opened, UPDATE)
    unsigned.signature = b"\xc0" + bytes(95)
    assert not len(world.block(1, commit=unsigned).message.body.rest.commits)
    commit = world.commit(opened, UPDATE)
    world.extend(1)
    assert not len(world.block(2, commit=commit).message.body.rest.commits)  # a slot late: the round will expire


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("base_root", {"base_root": b"\x01" * 32}),
        ("chain_id", {"chain_id": 5}),
        ("round", {"slot": 0}),
        ("round", {"slot": 7}),
        ("certificate", {"accept": False}),
    ],
)
def test_certificates_on_anything_else_are_refused(chain: Any, rule: str, changes: dict[str, Any]) -> None:
    world = chain(4)
    state = world.to_round(UPDATE)
    certificate = world.certificate(state, UPDATE, **changes)
    assert names(include(world, state, certificate=certificate)) == bytes(32)
    with pytest.raises(BlockRefusedError) as error:
        world.tree.add(world.block(2, certificate=certificate, claim=UPDATE))
    assert error.value.rule == rule


def test_an_update_that_the_chain_did_not_fix_is_refused(chain: Any) -> None:
    world = chain(4)
    state = world.to_round(UPDATE)
    other = sha256(b"other").digest()
    with pytest.raises(BlockRefusedError, match="round 0 fixed update"):
        world.tree.add(world.block(2, certificate=world.certificate(state, other), claim=other))
    bare = chain(4)
    bare.extend(1)
    certificate = bare.certificate(bare.state(2), UPDATE)
    with pytest.raises(BlockRefusedError) as error:
        bare.tree.add(bare.block(2, certificate=certificate, claim=UPDATE))
    assert error.value.rule == "commit"
    bare.extend(2)
    late = bare.certificate(bare.state(2, root=bare.head), UPDATE)
    with pytest.raises(BlockRefusedError, match="no block fixed"):
        bare.tree.add(bare.block(3, certificate=late, claim=UPDATE))


def test_a_block_waits_for_the_bytes_of_its_update_and_may_name_no_other_model(chain: Any) -> None:
    world = chain(4)
    state = world.to_round(UPDATE)
    block = include(world, state)
    del world.tree.deltas[UPDATE]
    with pytest.raises(BlockRefusedError) as error:
        world.tree.add(block)
    assert error.value.rule == "update_unknown"
    world.tree.deltas[UPDATE] = sha256(b"something else").digest()
    with pytest.raises(BlockRefusedError) as error:
        world.tree.add(block)
    assert error.value.rule == "model_root"
    again = chain(4)
    state = again.to_round(UPDATE)
    block = include(again, state)
    again.tree.deltas.clear()
    with pytest.raises(BlockRefusedError, match="never seen"):
        again.tree.add(block)
    again.tree.deltas[UPDATE] = DELTA
    again.tree.add(block)


def test_a_certificate_beside_no_update_is_refused(chain: Any) -> None:
    from engine.learning.types import DOMAIN_PROPOSER, SignedBeaconBlock, header_of, root_of

    world = chain(3)
    state = world.to_round(UPDATE)
    signed = world.block(2)
    message = signed.message.copy()
    message.body.certificates.append(world.certificate(state, UPDATE))
    signature = world.sign(int(message.proposer_index), root_of(header_of(message)), DOMAIN_PROPOSER)
    with pytest.raises(BlockRefusedError, match="names no update"):
        world.tree.add(SignedBeaconBlock(message=message, signature=signature))
