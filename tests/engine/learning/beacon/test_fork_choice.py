"""Which block a node builds on: weight, boost, viability, votes that wait, and views that are pruned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.learning.beacon.committees import committee_of
from engine.learning.beacon.fork_choice import ForkChoice
from engine.learning.beacon.messages import to_bits, vote_of
from engine.learning.errors import BlockRefusedError


def seeing(world: Any, slot: int, *roots: bytes) -> ForkChoice:
    view = ForkChoice(world.tree)
    view.on_tick(slot)
    for root in roots:
        view.on_block(root)
    return view


def fork(world: Any, slot: int) -> list[bytes]:
    """Two blocks of one slot on the head, the lower root first."""
    head = world.head
    return sorted(world.tree.add(world.block(slot, root=head, graffiti=bytes([number]))) for number in (1, 2))


def voters(world: Any, root: bytes, slot: int) -> Any:
    (attestation,) = world.attest(slot, root)
    committee = committee_of(world.tree.state_at(root, slot), slot)
    return committee[to_bits(attestation.aggregation_bits)], attestation.data


def test_the_heavier_child_wins_and_ties_go_to_the_higher_root(chain: Any) -> None:
    world = chain(16)
    low, high = fork(world, 1)
    view = seeing(world, 2, low, high)
    assert view.head() == high
    members, data = voters(world, low, 1)
    view.on_attestation(members[:1], data)
    assert view.head() == low
    view.on_attestation(*voters(world, high, 1))  # one of them has voted already: a tie
    assert view.head() == high


def test_votes_of_a_slot_count_when_it_is_over(chain: Any) -> None:
    world = chain(16)
    low, high = fork(world, 1)
    view = seeing(world, 1, low, high)
    view.on_attestation(*voters(world, low, 1))
    assert view.head() == high
    view.on_tick(2)
    assert view.head() == low


def test_votes_wait_for_their_block(chain: Any) -> None:
    world = chain(16)
    low, high = fork(world, 1)
    view = seeing(world, 2, high)
    view.on_attestation(*voters(world, low, 1))
    assert view.head() == high
    view.on_block(low)
    assert view.head() == low
    _, data = voters(world, low, 1)
    vote = vote_of(data)
    for number in range(1100):  # what never comes is not kept without end
        view.on_attestation(np.array([0]), vote._replace(head=number.to_bytes(32, "big")))
    assert len(view._waiting) == 1024
    view.on_tick(40)
    assert view._waiting == []


def test_only_the_latest_message_counts_and_old_ones_do_not_come_back(chain: Any) -> None:
    world = chain(8)
    low, high = fork(world, 1)
    world.head = low
    late_low = world.extend(9)
    view = seeing(world, 20, low, high, late_low)
    slots = {int(committee_of(world.genesis, slot)[0]): slot for slot in range(1, 8)}
    again = {int(committee_of(world.tree.state_at(late_low, slot), slot)[0]): slot for slot in range(9, 16)}
    member = next(index for index in slots if index in again)
    view.on_attestation(*voters(world, high, slots[member]))
    assert view.head() == late_low or view.head() == high
    view.on_attestation(*voters(world, late_low, again[member]))
    assert view.head() == late_low
    view.on_attestation(*voters(world, high, slots[member]))
    assert view._message_epoch[member] == 1 and view.head() == late_low


def test_votes_that_no_honest_node_gives_count_for_nothing(chain: Any) -> None:
    world = chain(16)
    low, high = fork(world, 1)
    view = seeing(world, 3, low, high)
    members, data = voters(world, low, 1)
    wrong_target, wrong_epoch, old_head = data.copy(), data.copy(), data.copy()
    wrong_target.target.root = b"\x01" * 32
    wrong_epoch.target.epoch = 5
    old_head.slot = 0
    for bad in (wrong_target, wrong_epoch, old_head):
        view.on_attestation(members, bad)
    view.on_attestation(members[:0], data)
    assert view.head() == high and (view._message_block == -1).all()


def test_who_votes_twice_counts_no_more(chain: Any) -> None:
    world = chain(16)
    low, high = fork(world, 1)
    view = seeing(world, 2, low, high)
    members, data = voters(world, low, 1)
    view.on_attestation(members, vote_of(data))
    assert view.head() == low
    view.on_slashing(members)
    assert view.head() == high


def test_a_block_in_time_is_boosted_unless_its_proposer_made_two(chain: Any) -> None:
    world = chain(32)
    low, high = fork(world, 1)
    view = ForkChoice(world.tree)
    view.on_tick(1)
    view.on_block(low, timely=True)
    assert view.head() == low
    view.on_block(high, timely=True)
    assert view.head() == high  # no boost for either: the tie goes to the higher root
    late = ForkChoice(world.tree)
    late.on_tick(1)
    late.on_block(high, timely=False)
    late.on_block(low, timely=False)
    assert late.head() == high
    # a boost of 40% of a committee outweighs one vote of four
    world.head = world.tree.root
    other = world.tree.add(world.block(2))
    view = seeing(world, 2, high)
    members, data = voters(world, high, 1)
    view.on_attestation(members[:1], data)
    view.on_block(other, timely=True)
    assert view.head() == other
    view.on_tick(3)
    assert view.head() == high


def test_blocks_of_the_future_or_without_parent_or_against_finality_are_refused(chain: Any) -> None:
    world = chain(8)
    first = world.extend(1)
    second = world.extend(2)
    view = ForkChoice(world.tree)
    view.on_tick(1)
    with pytest.raises(BlockRefusedError) as error:
        view.on_block(second)
    assert error.value.rule == "future"
    view.on_tick(2)
    with pytest.raises(BlockRefusedError) as error:
        view.on_block(second)
    assert error.value.rule == "unknown_parent"
    view.on_block(first)
    view.on_block(second)
    view.on_block(second)
    world.run(3, 40)
    stray = world.tree.add(world.block(41, root=first))
    for slot in range(3, 42):
        view.on_tick(slot)
        root = world.tree.ancestor(world.head, slot)
        if world.tree.slot(root) == slot:
            view.on_block(root)
    assert view.finalized.epoch == 3
    with pytest.raises(BlockRefusedError) as error:
        view.on_block(stray)
    assert error.value.rule == "finalized"


def test_views_follow_a_chain_and_forget_what_is_final(chain: Any) -> None:
    world = chain(8)
    view, kept = ForkChoice(world.tree), ForkChoice(world.tree)
    world.run(1, 59)
    for slot in range(1, 60):
        root = world.tree.ancestor(world.head, slot)
        for each in (view, kept):
            each.on_tick(slot)
            each.on_block(root, timely=True)
            assert each.head() == root
        view.prune()
    assert view.finalized == kept.finalized and view.finalized.epoch == 5
    assert len(view._blocks) == 60 - 5 * 8 and len(kept._blocks) == 60
    assert view.justified.epoch == 6
    gone = world.tree.prune(view.finalized.root)
    assert len(gone) == 40 and view.head() == world.head
    assert world.head in world.tree and world.tree.root not in world.tree
    with pytest.raises(BlockRefusedError):
        world.tree.state(gone[0])


def test_an_epoch_that_was_enough_justifies_at_its_end(chain: Any) -> None:
    """What a block's votes would justify is taken over when the next epoch begins, though no block says so yet."""
    world = chain(8)
    world.run(1, 23)
    view = ForkChoice(world.tree)
    for slot in range(1, 24):
        view.on_tick(slot)
        view.on_block(world.tree.ancestor(world.head, slot))
    assert world.state().justified.epoch == 0
    view.on_tick(24)
    assert view.justified.epoch == 2
    assert view.head() == world.head
