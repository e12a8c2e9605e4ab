"""Who is punished, once and for what is proven; and who is not, whatever bad luck looks like."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import numpy as np
import pytest

from engine.learning.beacon import detect
from engine.learning.beacon.committees import ack_committee_of, proposer_of
from engine.learning.beacon.execution import merged_root
from engine.learning.beacon.messages import from_bits
from engine.learning.beacon.messages import headed as seen
from engine.learning.beacon.registry import EXIT_DELAY, FAR
from engine.learning.beacon.slashings import body_root_of
from engine.learning.beacon.transition import advance, apply
from engine.learning.config import quorum_of
from engine.learning.errors import BlockRefusedError
from engine.learning.types import (
    DOMAIN_ACK,
    DOMAIN_PROPOSER,
    DOMAIN_REPORT,
    AckCertificate,
    AckReport,
    AckSlashing,
    AttesterSlashing,
    Checkpoint,
    SignedBeaconBlock,
    SignedBeaconBlockHeader,
    header_of,
    root_of,
)

UPDATE = sha256(b"update").digest()
DELTA = sha256(b"delta").digest()


def headed(signed: SignedBeaconBlock) -> SignedBeaconBlockHeader:
    return SignedBeaconBlockHeader(message=header_of(signed.message), signature=signed.signature)


def twice(world: Any, slot: int) -> Any:
    """Evidence of the proposer of a slot, who signed two blocks."""
    detector = detect.Detector()
    assert detector.on_header(seen(world.block(slot, graffiti=b"one"))) is None
    assert detector.on_header(seen(world.block(slot, graffiti=b"one"))) is None
    found = detector.on_header(seen(headed(world.block(slot, graffiti=b"two"))))
    assert found is not None
    return found


def why(world: Any, evidence: Any, slot: int | None = None) -> str:
    """The sentence by which the chain refuses evidence."""
    state = world.state(slot or world.state().slot + 1).copy()
    with pytest.raises(BlockRefusedError) as error:
        detect._RULES[type(evidence)](state, evidence, verify=True)
    assert not detect.holds(state, evidence)
    return str(error.value.why)


# Proposers -----------------------------------------------------------------------------------------------------


def test_two_headers_are_slashed_once_and_their_author_leaves(chain: Any) -> None:
    world = chain(6)
    world.run(1, 4)
    evidence = twice(world, 5)
    guilty = int(evidence.first.message.proposer_index)
    before = world.state()
    slot = next(slot for slot in range(6, 40) if proposer_of(world.state(slot), slot) != guilty)
    world.extend(slot, proposer_slashings=(evidence,))
    after = world.state()
    assert after.registry.slashed.tolist() == [index == guilty for index in range(6)]
    assert after.registry.exit[guilty] == after.epoch + EXIT_DELAY and before.registry.exit[guilty] == FAR
    assert [(item.validator, item.reason, item.slot) for item in after.slashings] == [
        (guilty, "proposer_equivocation", slot)
    ]
    assert after.slashings[0].evidence == root_of(evidence)
    assert "slashed already" in why(world, evidence)
    gone = advance(after, (after.epoch + EXIT_DELAY) * 8)
    assert guilty not in ack_committee_of(gone, gone.slot)
    assert guilty in ack_committee_of(gone, gone.slot - 1)


def test_evidence_against_proposers_must_hold(chain: Any) -> None:
    world = chain(6)
    world.run(1, 4)
    evidence = twice(world, 5)
    same = evidence.copy()
    same.second = same.first
    assert "one and the same" in why(world, same)
    other = evidence.copy()
    other.second.message.slot = 6
    assert "for slots 5 and 6" in why(world, other)
    forged = evidence.copy()
    forged.second.message.state_root = b"\x01" * 32
    assert "did not sign" in why(world, forged)
    nobody = evidence.copy()
    nobody.first.message.proposer_index = nobody.second.message.proposer_index = 77
    assert "has no stake" in why(world, nobody)
    elsewhere = chain(6, chain_id=5)
    assert "did not sign" in why(elsewhere, evidence)


def test_a_slashed_proposer_may_not_propose(chain: Any) -> None:
    world = chain(3)
    world.run(1, 2)
    evidence = twice(world, 3)
    guilty = int(evidence.first.message.proposer_index)
    world.extend(4 if proposer_of(world.state(4), 4) != guilty else 5, proposer_slashings=(evidence,))
    turn = next(slot for slot in range(6, 16) if proposer_of(world.state(slot), slot) == guilty)
    with pytest.raises(BlockRefusedError, match="was slashed"):
        world.block(turn)


# Voters --------------------------------------------------------------------------------------------------------


def link(world: Any, source: int, target: int, head: bytes = b"\x01" * 32) -> Any:
    data = world.data(1, world.tree.root)
    data.beacon_block_root = head
    data.source = Checkpoint(epoch=source, root=b"\x02" * 32)
    data.target = Checkpoint(epoch=target, root=b"\x03" * 32)
    return data


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        ((0, 2, b"a"), (0, 2, b"b"), "double_vote"),
        ((0, 2, b"a"), (1, 2, b"a"), "double_vote"),
        ((0, 4, b"a"), (1, 3, b"a"), "surround_vote"),
        ((1, 3, b"a"), (0, 4, b"a"), "surround_vote"),
        ((0, 4, b"a"), (1, 4, b"a"), "double_vote"),
        ((0, 2, b"a"), (2, 4, b"a"), ""),
        ((0, 3, b"a"), (1, 4, b"a"), ""),
        ((0, 2, b"a"), (0, 3, b"a"), ""),
        ((0, 2, b"a"), (0, 2, b"a"), ""),
    ],
)
def test_votes_that_exclude_each_other(chain: Any, first: Any, second: Any, reason: str) -> None:
    world = chain(6)
    world.run(1, 3)
    detector = detect.Detector()
    groups = ((first, [0, 2, 3]), (second, [1, 2, 3]))
    made = []
    for (source, target, head), voters in groups:
        indexed = world.indexed(link(world, source, target, head * 32), voters)
        made.append(detector.on_attestation(np.array(voters), indexed))
    assert made[0] == []
    assert bool(made[1]) is bool(reason)
    if not reason:
        return
    (evidence,) = made[1]
    world.extend(4, attester_slashings=(evidence,))
    assert [(item.validator, item.reason) for item in world.state().slashings] == [(2, reason), (3, reason)]
    assert "nobody who can be slashed" in why(world, evidence)


def test_votes_are_compared_over_many_epochs(chain: Any) -> None:
    """Against each pair by the definition: what is found convicts, and every guilty validator is found."""
    world = chain(5)
    rng = np.random.default_rng(3)
    for _ in range(10):
        detector, seen, guilty, found = detect.Detector(), [], set(), set()
        for number in range(12):
            source = int(rng.integers(0, 6))
            data = link(world, source, source + int(rng.integers(0, 5)), bytes([number]) * 32)
            voters = np.flatnonzero(rng.random(5) < 0.4)
            if not len(voters):
                continue
            indexed = world.indexed(data, voters.tolist())
            for other, earlier in seen:
                pair = AttesterSlashing(first=other, second=indexed)
                turned = AttesterSlashing(first=indexed, second=other)
                if any(detect.holds(world.genesis, piece) for piece in (pair, turned)):
                    guilty |= set(voters.tolist()) & earlier
            for evidence in detector.on_attestation(voters, indexed):
                state = world.genesis.copy()
                detect._RULES[AttesterSlashing](state, evidence, verify=True)
                found |= set(np.flatnonzero(state.registry.slashed).tolist())
            seen.append((indexed, set(voters.tolist())))
        assert found == guilty


def test_evidence_against_voters_must_hold(chain: Any) -> None:
    world = chain(6)
    world.run(1, 3)
    one, two = link(world, 0, 2, b"a" * 32), link(world, 0, 2, b"b" * 32)
    good = AttesterSlashing(first=world.indexed(one, [1, 2]), second=world.indexed(two, [2, 3]))
    assert detect.holds(world.state(), good)
    unsorted = good.copy()
    unsorted.first.attesting_indices = [2, 1]
    assert "rising list" in why(world, unsorted)
    beyond = good.copy()
    beyond.first.attesting_indices = [2, 99]
    assert "rising list" in why(world, beyond)
    innocent = AttesterSlashing(first=world.indexed(one, [1, 2]), second=world.indexed(two, [3, 4]))
    assert "nobody who can be slashed signed both" in why(world, innocent)
    framed = good.copy()
    framed.second.attesting_indices = [1, 2, 3]
    assert "is not that of its 3 voters" in why(world, framed)
    fine = AttesterSlashing(first=world.indexed(one, [1]), second=world.indexed(link(world, 2, 3), [1]))
    assert "neither double nor surround" in why(world, fine)


# Updates without a certificate ---------------------------------------------------------------------------------


def test_a_claimed_update_is_refused_and_its_proposer_slashed(chain: Any) -> None:
    world = chain(5)
    world.run(1, 3)
    claimed = world.block(4, claim=UPDATE)
    with pytest.raises(BlockRefusedError) as error:
        world.tree.add(claimed)
    assert error.value.rule == "certificate"
    evidence = detect.uncertified(world.state(4), claimed)
    assert evidence is not None and body_root_of(evidence) == bytes(evidence.header.message.body_root)
    guilty = int(claimed.message.proposer_index)
    slot = next(slot for slot in range(5, 30) if proposer_of(world.state(slot), slot) != guilty)
    world.extend(slot, uncertified_slashings=(evidence,))
    assert [(item.validator, item.reason) for item in world.state().slashings] == [(guilty, "uncertified_update")]
    assert "slashed already" in why(world, evidence)
    assert detect.uncertified(world.state(), claimed) is None


def test_false_certificates_convict(chain: Any) -> None:
    world = chain(6, quorum="bft")
    state = world.to_round(UPDATE)
    good = world.certificate(state, UPDATE)
    short = world.certificate(state, UPDATE, range(quorum_of("bft", 6) - 1))
    false = good.copy()
    false.signature = short.signature
    small = AckCertificate(vote=good.vote, bits=from_bits(np.ones(1, bool)), signature=good.signature)
    guilty = proposer_of(state, 2)
    own = AckCertificate(
        vote=good.vote,
        bits=from_bits(np.ones(1, bool)),
        signature=world.sign(guilty, root_of(good.vote), DOMAIN_ACK),
    )
    other = world.certificate(state, b"\x09" * 32)
    against = world.certificate(state, UPDATE, accept=False)
    early = world.certificate(state, UPDATE, slot=2)
    for certificate in (short, false, small, own, other, against, early):
        claimed = world.block(2, certificate=certificate, claim=UPDATE)
        evidence = detect.uncertified(state, claimed)
        assert evidence is not None
        assert detect.holds(state, evidence)


def test_what_is_refused_for_other_reasons_convicts_nobody(chain: Any) -> None:
    """Late, of another base, of an expired round or not fixed by the chain: refused, and no offence."""
    world = chain(6)
    state = world.to_round(UPDATE)
    for changes in ({"base_root": b"\x01" * 32}, {"slot": 0}, {"chain_id": 5}):
        claimed = world.block(2, certificate=world.certificate(state, UPDATE, **changes), claim=UPDATE)
        with pytest.raises(BlockRefusedError):
            world.tree.add(claimed)
        assert detect.uncertified(world.state(2), claimed) is None
    certificate = world.certificate(state, UPDATE)
    world.extend(2)
    world.extend(3)
    late = world.block(4, certificate=certificate, claim=UPDATE)
    with pytest.raises(BlockRefusedError) as error:
        world.tree.add(late)
    assert error.value.rule in ("commit", "round")
    assert detect.uncertified(world.state(4), late) is None
    empty = world.block(5)
    assert detect.uncertified(world.state(5), empty) is None


def test_a_valid_update_convicts_nobody_and_evidence_may_not_lie(chain: Any) -> None:
    world = chain(6)
    state = world.to_round(UPDATE)
    world.tree.deltas[UPDATE] = DELTA
    good = world.block(2, certificate=world.certificate(state, UPDATE), delta_hash=DELTA)
    assert detect.uncertified(world.state(2), good) is None
    bad = world.block(2, claim=UPDATE)
    evidence = detect.uncertified(world.state(2), bad)
    assert evidence is not None
    world.head = world.tree.add(good)
    # the honest proposer's block shown without its certificate
    stripped = evidence.copy()
    stripped.header = headed(good)
    assert "is not the body" in why(world, stripped)
    stripped.execution, stripped.rest_root = good.message.body.execution, good.message.body.rest.hash_tree_root()
    assert "is not the body" in why(world, stripped)
    whole = stripped.copy()
    whole.certificates = good.message.body.certificates
    assert "is not proven" in why(world, whole)
    signed = evidence.copy()
    signed.header.signature = headed(good).signature
    assert "did not sign" in why(world, signed)
    nothing = evidence.copy()
    plain = world.block(3)
    nothing.header, nothing.execution = headed(plain), plain.message.body.execution
    nothing.rest_root = plain.message.body.rest.hash_tree_root()
    assert "names no update" in why(world, nothing, 4)
    assert "still to come" in why(world, detect.uncertified(world.state(9), world.block(9, claim=UPDATE)), 4)


def test_an_update_certified_on_its_own_side_convicts_nobody_on_the_other(chain: Any) -> None:
    """The sides of a long partition disagree on who is active: each finds the other's certificates odd."""
    world = chain(6)
    fork = world.run(1, 3) and world.head
    evidence = twice(world, 4)
    guilty = int(evidence.first.message.proposer_index)
    # one side slashes a validator, which leaves; on the other side it stays
    slot = next(slot for slot in range(5, 30) if proposer_of(world.state(slot), slot) != guilty)
    world.extend(slot, proposer_slashings=(evidence,))
    while guilty in ack_committee_of(world.state(), world.state().slot + 3):
        slot = world.state().slot + 1
        slot += proposer_of(world.state(slot), slot) == guilty
        world.extend(slot)
    slashed_side = world.head
    opened = world.state()
    while not (opened.round_open and opened.slot == opened.round_opened):
        world.extend(opened.slot + 1)
        opened = world.state()
    state = world.to_round(UPDATE)
    certificate = world.certificate(state, UPDATE)
    world.tree.deltas[UPDATE] = DELTA
    honest = world.block(state.slot, certificate=certificate, delta_hash=DELTA)
    after = apply(world.state(state.slot), honest)
    assert after.working_root == merged_root(state.working_root, DELTA)
    assert len(ack_committee_of(state, state.slot)) == 5
    other = world.tree.add(world.block(slot, root=fork, graffiti=b"other side"))
    there = world.tree.state_at(other, state.slot + 2)
    assert len(ack_committee_of(there, there.slot)) == 6
    assert detect.uncertified(there, honest) is None
    false = certificate.copy()
    false.signature = world.sign(0, b"x" * 32, DOMAIN_ACK)
    lie = world.block(state.slot, certificate=false, claim=UPDATE)
    assert detect.uncertified(there, lie) is None  # this side cannot tell
    assert detect.uncertified(world.tree.state_at(world.head, state.slot), lie) is not None
    bare = world.block(state.slot, claim=UPDATE)
    assert detect.uncertified(there, bare) is not None  # that there is none anybody can tell
    assert slashed_side != other


# ACKs ----------------------------------------------------------------------------------------------------------


def reported(world: Any, state: Any, index: int, members: Any) -> AckSlashing:
    ack = world.ack(state, index, UPDATE)
    report = AckReport(ack_root=root_of(ack), update_id=UPDATE, reason=1)
    committee = ack_committee_of(state, state.slot - 1)
    bits = np.isin(committee, list(members))
    signature = world.many(committee[bits], root_of(report), DOMAIN_REPORT)
    return AckSlashing(ack=ack, report=report, bits=from_bits(bits), signature=signature)


def test_an_ack_is_slashed_when_over_two_thirds_report_it(chain: Any) -> None:
    world = chain(6)
    state = world.to_round(UPDATE)
    assert "4 of 6 report it" in why(world, reported(world, state, 5, range(4)))
    evidence = reported(world, state, 5, range(5))
    world.extend(2, ack_slashings=(evidence,))
    assert [(item.validator, item.reason) for item in world.state().slashings] == [(5, "contradicted_ack")]
    assert "slashed already" in why(world, evidence)


def test_reports_must_hold(chain: Any) -> None:
    world = chain(6)
    state = world.to_round(UPDATE)
    good = reported(world, state, 5, range(5))
    other = good.copy()
    other.report.ack_root = b"\x01" * 32
    assert "of another ACK" in why(world, other)
    framed = good.copy()
    framed.ack.validator_index = 4
    framed.report.ack_root = root_of(framed.ack)
    assert "validator 4 did not sign that ACK" in why(world, framed)
    forged = good.copy()
    forged.bits = from_bits(np.ones(6, bool))
    assert "is not that of the members" in why(world, forged)
    wrong = good.copy()
    wrong.bits = from_bits(np.ones(7, bool))
    assert "do not fit the 6 members" in why(world, wrong)
    future = good.copy()
    future.ack.vote.slot = 99
    future.report.ack_root = root_of(future.ack)
    assert "still to come" in why(world, future)


# Nobody else ---------------------------------------------------------------------------------------------------


def test_what_is_missed_is_no_offence(chain: Any) -> None:
    """Silence, late votes, forks and reorganisations leave no evidence."""
    world = chain(7)
    detector = detect.Detector()
    rng = np.random.default_rng(0)
    votes: list[Any] = []
    for slot in range(1, 60):
        roots = [world.head, world.tree.parent(world.head) or world.head]
        world.head = roots[int(rng.random() < 0.2)]
        if rng.random() < 0.7:
            world.extend(slot, attestations=tuple(votes[-6:]))
            assert detector.on_header(seen(world.tree.block(world.head))) is None
        for attestation in world.attest(slot):
            if rng.random() < 0.8:
                votes.append(attestation)
            committee = world.tree.state_at(world.tree.ancestor(world.head, slot), slot)
            from engine.learning.beacon.committees import committee_of

            assert detector.on_attestation(committee_of(committee, slot), attestation) == []
    assert world.state().slashings == ()


def test_signing_for_another_chain_is_no_evidence(chain: Any) -> None:
    here, there = chain(4), chain(4, chain_id=2)
    first = here.block(1)
    second = there.block(1)
    detector = detect.Detector()
    detector.on_header(seen(first))
    evidence = detector.on_header(seen(second))
    assert evidence is not None and not detect.holds(here.state(2), evidence)
    assert DOMAIN_PROPOSER != DOMAIN_ACK
