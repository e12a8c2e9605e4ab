"""Slots, epochs and blocks: a chain that finalises, and the sentence by which each wrong block is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from engine.learning.beacon.committees import aggregator_of, committee_of, duties_of, proposer_of
from engine.learning.beacon.messages import Check, from_bits, header_of_container, to_bits
from engine.learning.beacon.state import block_root_of
from engine.learning.beacon.transition import advance, apply, decode
from engine.learning.errors import BlockRefusedError
from engine.learning.pow import mine
from engine.learning.types import (
    DOMAIN_PROPOSER,
    SignedBeaconBlock,
    header_of,
    root_of,
)


def resign(world: Any, signed: SignedBeaconBlock, change: Callable[[Any], None], *, work: bool = True) -> Any:
    """The block changed, mined anew and signed by its proposer: only the change itself is wrong with it."""
    block = signed.message.copy()
    change(block)
    if work:
        body = block.body
        body.execution = mine(body.execution, world.config.pow_bits)
        block.body = body
    signature = world.sign(int(signed.message.proposer_index), root_of(header_of(block)), DOMAIN_PROPOSER)
    return SignedBeaconBlock(message=block, signature=signature)


def why(world: Any, signed: Any) -> tuple[str, str]:
    with pytest.raises(BlockRefusedError) as error:
        apply(world.tree.state_at(bytes(world.head), int(signed.message.slot)), signed)
    return error.value.rule, error.value.why


@pytest.mark.parametrize("validators", [1, 3, 8, 20])
def test_a_chain_on_which_all_vote_finalises(chain: Any, validators: int) -> None:
    world = chain(validators)
    state = world.run(1, 40)
    assert state.slot == 40 and state.epoch == 5
    assert state.justified.epoch == 4 and state.finalized.epoch == 3
    assert state.finalized.root == world.tree.ancestor(world.head, state.finalized.epoch * 8)
    assert state.block_root_at(39) == world.tree.parent(world.head)
    assert len(world.tree) == 41 and len(world.tree.prune(state.finalized.root)) == state.finalized.epoch * 8
    assert world.tree.ancestor(world.head, 1) == b""


def test_a_third_offline_stalls_finality_until_it_returns(chain: Any) -> None:
    world = chain(9)
    assert world.run(1, 32).finalized.epoch == 2
    stalled = world.run(33, 63, only=range(5))
    assert stalled.finalized.epoch <= 3
    assert world.run(64, 96).finalized.epoch >= 9


def test_the_same_chain_twice_has_the_same_roots(chain: Any) -> None:
    first, second, other = chain(5), chain(5), chain(5, genesis_seed="ab" * 32)
    assert first.run(1, 17).root == second.run(1, 17).root != other.run(1, 17).root
    assert first.head == second.head


def test_a_state_is_never_changed(chain: Any) -> None:
    world = chain(6)
    world.run(1, 10)
    before = world.state()
    root, columns = before.root, [before.current.copy(), before.registry.exit.copy()]
    copied = before.copy()
    after = world.extend(11, attestations=world.attest(10), exits=(world.exit(3),))
    advance(before, 40)
    before._root = None
    assert before.root == root == copied.root != world.tree.state(after).root
    assert (before.current == columns[0]).all() and (before.registry.exit == columns[1]).all()
    with pytest.raises(ValueError, match="read-only"):
        before.current[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        before.registry.balance[0] = 1


def test_slots_pass_alike_in_one_step_or_many(chain: Any) -> None:
    world = chain(4)
    world.run(1, 9)
    at_once = advance(world.state(), 33)
    by_steps = world.state()
    for slot in range(10, 34):
        by_steps = advance(by_steps, slot)
    assert at_once.root == by_steps.root
    assert block_root_of(at_once) == world.head
    with pytest.raises(BlockRefusedError, match="slot 5 is past"):
        advance(at_once, 5)
    assert advance(at_once, 33) is at_once


def test_duties_are_known_one_epoch_ahead(chain: Any) -> None:
    world = chain(8)
    world.run(1, 7)
    early = world.state()
    ahead = [proposer_of(early, slot) for slot in range(8, 16)]
    assert aggregator_of(early, 7) == ahead[1]
    world.run(8, 12)
    assert [proposer_of(world.state(), slot) for slot in range(8, 16)] == ahead
    members = [index for slot in range(8, 16) for index in committee_of(early, slot).tolist()]
    assert sorted(members) == list(range(8))
    few = chain(3).genesis
    assert [len(committee_of(few, slot)) for slot in range(8)] == [1, 0, 1, 0, 0, 1, 0, 0]
    with pytest.raises(BlockRefusedError, match="not known"):
        duties_of(early, 2)


def test_bits_keep_their_length() -> None:
    for count in (1, 7, 8, 9, 1000):
        bits = np.arange(count) % 3 == 0
        assert to_bits(from_bits(bits)).tolist() == bits.tolist()


CHANGES: dict[str, tuple[str, Callable[[Any], None]]] = {}


def change(rule: str) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    def keep(function: Callable[[Any], None]) -> Callable[[Any], None]:
        CHANGES[function.__name__] = (rule, function)
        return function

    return keep


@change("proposer")
def another_proposer(block: Any) -> None:
    block.proposer_index = (int(block.proposer_index) + 1) % 6


@change("parent")
def another_parent(block: Any) -> None:
    block.parent_root = b"\x05" * 32


@change("state_root")
def another_state(block: Any) -> None:
    block.state_root = b"\x05" * 32


@change("execution_parent")
def another_execution_parent(block: Any) -> None:
    block.body.execution.parent_hash = b"\x05" * 32


@change("execution_number")
def another_number(block: Any) -> None:
    block.body.execution.number = 99


@change("execution_time")
def another_time(block: Any) -> None:
    block.body.execution.timestamp = 99


@change("execution_proposer")
def another_miner(block: Any) -> None:
    block.body.execution.proposer_index = 99


@change("extra_data")
def extra_data_without_parent(block: Any) -> None:
    block.body.execution.extra_data = bytes(64)


@change("certificate")
def an_update_without_certificate(block: Any) -> None:
    block.body.execution.extra_data = bytes(block.body.execution.parent_hash) + b"\x07" * 32


@change("model_root")
def another_model(block: Any) -> None:
    block.body.execution.model_root = b"\x05" * 32


@change("randao")
def another_reveal(block: Any) -> None:
    block.body.rest.randao_reveal = b"\x05" * 96


@change("attestation_signature")
def votes_not_signed(block: Any) -> None:
    block.body.rest.attestations[0].signature = b"\xc0" + bytes(95)


@change("attestation")
def votes_of_nobody(block: Any) -> None:
    attestation = block.body.rest.attestations[0]
    block.body.rest.attestations[0].aggregation_bits = from_bits(to_bits(attestation.aggregation_bits) & False)


@change("attestation")
def votes_of_too_many(block: Any) -> None:
    block.body.rest.attestations[0].aggregation_bits = from_bits(np.ones(9, bool))


@change("attestation_slot")
def votes_of_the_future(block: Any) -> None:
    block.body.rest.attestations[0].data.slot = int(block.slot)


@change("attestation_target")
def votes_with_another_target(block: Any) -> None:
    block.body.rest.attestations[0].data.target.epoch = 0


@change("attestation_source")
def votes_with_another_source(block: Any) -> None:
    block.body.rest.attestations[0].data.source.root = b"\x05" * 32


@pytest.mark.parametrize("name", CHANGES)
def test_each_wrong_block_is_refused_by_its_rule(chain: Any, name: str) -> None:
    rule, make = CHANGES[name]
    world = chain(6)
    world.run(1, 12)
    votes = next(votes for slot in (12, 11, 10) if (votes := world.attest(slot)))
    good = world.block(13, attestations=votes)
    assert apply(world.state(13), good).slot == 13
    broken = resign(world, good, make)
    found, text = why(world, broken)
    assert found == rule, text
    assert text[0].islower() and not text.endswith(".") and "\n" not in text
    with pytest.raises(BlockRefusedError) as first:
        world.tree.add(broken)
    with pytest.raises(BlockRefusedError) as second:
        world.tree.add(broken)
    assert first.value.why == second.value.why
    assert first.value.why == text or rule == "parent"  # a tree looks for the parent first


def test_work_not_done_is_refused(chain: Any) -> None:
    world = chain(2, pow_bits=12)
    good = world.block(1)

    def spoil(block: Any) -> None:
        block.body.execution.nonce = int(block.body.execution.nonce) + 1

    rule, text = why(world, resign(world, good, spoil, work=False))
    assert rule == "proof_of_work" and "12 are asked for" in text

    def ease(block: Any) -> None:
        block.body.execution.difficulty_bits = 0

    assert why(world, resign(world, good, ease, work=False)) == ("proof_of_work", "its difficulty is 0 bits, not 12")


def test_who_did_not_sign_or_was_slashed_proposes_nothing(chain: Any) -> None:
    world = chain(4)
    good = world.block(1)
    forged = SignedBeaconBlock(message=good.message, signature=world.sign(0, b"\x01" * 32, DOMAIN_PROPOSER))
    assert why(world, forged)[0] == "signature"
    with pytest.raises(BlockRefusedError, match="did not sign"):
        world.tree.add(forged)
    world.head = world.tree.add(good)  # the good one is not shut out by its forged copy
    state = world.state(2).copy()
    state.registry = state.registry.changed((proposer_of(state, 2),), slashed=True)
    with pytest.raises(BlockRefusedError, match="was slashed"):
        from engine.learning.beacon.proposal import BlockParts, propose

        propose(state, 2, BlockParts(), world.signer(0))


def test_blocks_of_the_past_and_of_the_far_future_are_refused_at_once(chain: Any) -> None:
    world = chain(2)
    world.run(1, 3)
    late = resign(world, world.block(4), lambda block: setattr(block, "slot", 3))
    assert why(world, late)[0] == "slot"
    far = resign(world, world.block(4), lambda block: setattr(block, "slot", 2**60))
    with pytest.raises(BlockRefusedError, match="more than 4,096 slots ahead"):
        world.tree.add(far)
    orphan = resign(world, world.block(5), lambda block: setattr(block, "parent_root", b"\x09" * 32))
    with pytest.raises(BlockRefusedError) as error:
        world.tree.add(orphan)
    assert error.value.rule == "unknown_parent"


def test_bytes_that_are_no_block_are_refused(chain: Any) -> None:
    world = chain(2)
    data = world.block(1).encode_bytes()
    assert decode(data) == world.block(1)
    for bad in (b"", b"\x00", data[:-1], data[:200], b"\xff" * 300, b"\xff" * 5000):
        with pytest.raises(BlockRefusedError) as error:
            decode(bad)
        assert error.value.rule == "malformed"


def test_headers_as_values_have_the_root_of_their_container(chain: Any) -> None:
    signed = chain(3).block(1)
    header = header_of(signed.message)
    assert header_of_container(header).tree_root() == root_of(header) == root_of(signed.message)
    assert isinstance(Check(1, b""), tuple)
