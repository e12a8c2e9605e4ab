"""Validators join by deposits, once these are final, and leave by a wish of theirs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.learning.beacon import operations
from engine.learning.beacon.committees import ack_committee_of, proposer_of
from engine.learning.beacon.execution import Known
from engine.learning.beacon.registry import EXIT_DELAY, FAR
from engine.learning.beacon.transition import advance
from engine.learning.config import quorum_of
from engine.learning.errors import BlockRefusedError
from engine.learning.types import root_of


def rule(world: Any, deposit: Any, known: Known | None = None) -> tuple[str, str]:
    with pytest.raises(BlockRefusedError) as error:
        operations.apply_deposit(world.state().copy(), deposit, known, verify=True)
    return error.value.rule, error.value.why


def test_committee_and_quorum_grow_with_deposits(chain: Any) -> None:
    world = chain(2)
    world.run(1, 9)
    world.extend(10, deposits=tuple(world.deposit(2 + number, number) for number in range(3)))
    state = world.state()
    assert len(state.registry) == 5 and state.deposit_index == 3
    assert ack_committee_of(state, 10).tolist() == [0, 1]
    assert (state.registry.activation[2:] == FAR).all() and state.registry.joined[2:].tolist() == [1, 1, 1]
    assert len(state.previous) == len(state.current) == 5
    world.run(11, 32)
    assert world.state().finalized.epoch == 2  # past the epoch of the deposits
    assert world.state().registry.activation[2:].tolist() == [5, 5, 5]
    world.run(33, 39)
    assert len(ack_committee_of(world.state(), 39)) == 2
    world.run(40, 41)
    committee = ack_committee_of(world.state(), world.state().slot)
    assert committee.tolist() == [0, 1, 2, 3, 4]
    assert quorum_of("spec", len(committee)) == 3
    assert world.run(42, 72).finalized.epoch > 5


def test_a_single_validator_lets_a_second_one_in(chain: Any) -> None:
    world = chain(1)
    world.run(1, 3)
    world.extend(4, deposits=(world.deposit(1, 0),))
    world.run(5, 48)
    assert ack_committee_of(world.state(), 48).tolist() == [0, 1]


def test_no_deposit_is_final_before_its_block(chain: Any) -> None:
    world = chain(4)
    world.run(1, 7)
    world.extend(8, deposits=(world.deposit(9, 0),))
    world.run(9, 80, only=range(2))  # nothing gets final
    assert world.state().registry.activation[4] == FAR


def test_deposits_that_prove_nothing_are_refused(chain: Any) -> None:
    world = chain(3)
    world.extend(1, deposits=(world.deposit(5, 4),))
    assert world.state().deposit_index == 5
    assert rule(world, world.deposit(6, 4))[0] == "deposit_index"
    assert rule(world, world.deposit(6, 5, amount=31 * 10**9)) == (
        "deposit_amount",
        "deposit 5 is 31 POL, a validator stakes 32",
    )
    assert rule(world, world.deposit(0, 5))[0] == "deposit_duplicate"
    assert rule(world, world.deposit(5, 5))[0] == "deposit_duplicate"
    stolen = world.deposit(6, 5, node_key=world.genesis.registry.node_keys[1])
    assert rule(world, stolen) == ("deposit_duplicate", "a validator has the DHT key of deposit 5 already")
    rogue = world.deposit(6, 5)
    rogue.node_key = b"\x09" * 32  # the BLS key did not sign for this one
    assert rule(world, rogue)[0] == "deposit_signature"
    for pubkey in (bytes(48), b"\xc0" + bytes(47), b"\xff" * 48):
        broken = world.deposit(6, 5)
        broken.pubkey = pubkey
        assert rule(world, broken)[0] == "deposit_signature"


def test_a_watched_contract_must_know_the_deposit(chain: Any) -> None:
    world = chain(3)
    deposit = world.deposit(7, 0)
    assert rule(world, deposit, Known(deposits={}))[0] == "deposit_unknown"
    assert rule(world, deposit, Known(deposits={0: root_of(world.deposit(8, 0))}))[0] == "deposit_unknown"
    watched = chain(3, deposits={})
    block = watched.block(1, deposits=(deposit,))
    with pytest.raises(BlockRefusedError, match="no such deposit"):
        watched.tree.add(block)
    watched.tree.deposits[0] = root_of(deposit)
    watched.tree.add(block)


def test_the_registry_is_full_at_its_limit(chain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    world = chain(3)
    monkeypatch.setattr(operations, "MAX_VALIDATORS", 3)
    assert rule(world, world.deposit(7, 0))[0] == "deposit_full"


def test_validators_leave_and_the_last_one_stays(chain: Any) -> None:
    world = chain(2)
    world.run(1, 9)
    world.extend(10, exits=(world.exit(1, epoch=1), world.exit(1), world.exit(0), world.exit(9)))
    state = world.state()
    assert state.registry.exit.tolist() == [FAR, 1 + EXIT_DELAY]
    world.run(11, 24)
    assert ack_committee_of(world.state(), 24).tolist() == [0]
    for index, text in ((1, "is not active"), (0, "is the last one"), (9, "there is no validator 9")):
        with pytest.raises(BlockRefusedError, match=text):
            operations.apply_exit(world.state().copy(), world.exit(index), verify=True)


def test_exits_are_signed_by_their_validator_and_not_too_early(chain: Any) -> None:
    world = chain(4)
    wish = world.exit(2)
    wish.validator_index = 3
    cases = ((wish, "is not signed by it"), (world.exit(1, epoch=3), "counts from epoch 3"))
    for bad, text in cases:
        with pytest.raises(BlockRefusedError, match=text):
            operations.apply_exit(world.state().copy(), bad, verify=True)
    once = world.state().copy()
    operations.apply_exit(once, world.exit(1), verify=True)
    with pytest.raises(BlockRefusedError, match="leaves at epoch 2 already"):
        operations.apply_exit(once, world.exit(1), verify=True)
    assert np.flatnonzero(once.registry.exit != FAR).tolist() == [1]


def test_a_chain_without_validators_says_so(chain: Any) -> None:
    world = chain(2)
    state = world.genesis.copy()
    state.registry = state.registry.changed([0, 1], exit=0)
    later = advance(state, 40)
    assert later.slot == 40
    with pytest.raises(BlockRefusedError, match="nobody can propose"):
        proposer_of(later, 40)
