"""Who may write what into the DHT."""

from __future__ import annotations

import dataclasses

import pytest

from engine.learning.errors import TransportError
from engine.learning.transport import attacks
from engine.learning.transport.policy import LIMITS, QUOTA, REFUSALS, Equivocations, RecordPolicy, same, sentence
from engine.learning.transport.records import ack_key, delta_key, reveal_key, update_key
from tests.engine.learning.transport.writers import KEY, UPDATE, VALUE, Writer, register, writers


@pytest.fixture
def policy(committee: list[Writer]) -> RecordPolicy:
    made = RecordPolicy()
    register(made, committee)
    register(made, writers(2, "trainer"), "trainer")
    return made


def test_a_validators_own_records_pass(policy: RecordPolicy, committee: list[Writer]) -> None:
    for key in (KEY, reveal_key(UPDATE), update_key(3), update_key(3, UPDATE)):
        assert policy.admit(committee[0].record(key), 0.0) == ""
    assert policy.admit(writers(1, "trainer")[0].record(delta_key(3)), 0.0) == ""
    assert not policy.refused


def test_everything_else_is_denied(policy: RecordPolicy, committee: list[Writer]) -> None:
    member, other = committee[:2]
    trainer, stranger = writers(1, "trainer")[0], writers(1, "nobody")[0]
    record = member.record()
    cases = {
        "unknown_key": [member.record("acks:0123456789abcdef"), member.record("")],
        "oversize": [member.record(value=bytes(LIMITS["ack"] + 1)), stranger.record(value=bytes(10_000))],
        "unregistered": [stranger.record(), dataclasses.replace(record, author=b"")],
        "not_validator": [trainer.record()],
        "not_trainer": [member.record(delta_key(1))],
        "foreign_subkey": [dataclasses.replace(record, subkey=other.peer_id), dataclasses.replace(record, subkey="")],
        "expired": [member.record(expiry=100.0), member.record(expiry=float("nan"))],
        "far_expiry": [member.record(expiry=3713.0), member.record(expiry=float("inf"))],
        "bad_signature": [
            dataclasses.replace(record, value=b"\x00" + VALUE[1:]),
            dataclasses.replace(record, expiry=record.expiry + 1),
            dataclasses.replace(record, key=ack_key(bytes(32))),
        ],
    }
    for reason, bad in cases.items():
        for one in bad:
            assert policy.admit(one, 100.0) == reason
    assert policy.refused == {reason: len(bad) for reason, bad in cases.items()}
    assert set(cases) <= set(REFUSALS)


def test_a_delta_may_have_150000_bytes_and_not_one_more(policy: RecordPolicy) -> None:
    trainer = writers(1, "trainer")[0]
    root = bytes(32)  # of the base, before the delta
    assert policy.admit(trainer.record(delta_key(1), root + bytes(150_000)), 0.0) == ""
    assert policy.admit(trainer.record(delta_key(1), root + bytes(150_001)), 0.0) == "oversize"


def test_attackers_records_are_refused(policy: RecordPolicy, committee: list[Writer]) -> None:
    liar, now = committee[0], 50.0
    victims = [member.peer_id for member in committee[1:4]]
    publics = [(member.peer_id, member.secret.public) for member in committee[1:4]]
    others = [member.record() for member in committee[1:4]]
    assert {policy.admit(r, now) for r in attacks.sybil_acks(1, KEY, 5, now)} == {"unregistered"}
    assert {policy.admit(r, now) for r in attacks.forged_acks(KEY, victims, liar.secret, now)} == {"foreign_subkey"}
    assert {policy.admit(r, now) for r in attacks.borrowed_acks(KEY, publics, liar.secret, now)} == {"bad_signature"}
    assert {policy.admit(r, now) for r in attacks.squatting_acks(KEY, victims, liar.secret, now)} == {"foreign_subkey"}
    assert {policy.admit(r, now) for r in attacks.squatting_acks(KEY, [liar.peer_id], liar.secret, now)} == {
        "far_expiry"
    }
    assert {policy.admit(r, now) for r in attacks.replayed_acks(others, ack_key(bytes(32)))} == {"bad_signature"}


def test_one_name_has_one_key(policy: RecordPolicy, committee: list[Writer]) -> None:
    first, second = committee[:2]
    policy.register(first.secret.public, first.peer_id, "validator")  # again: nothing happens
    for author, peer_id, role in (
        (writers(1, "new")[0].secret.public, first.peer_id, "validator"),
        (first.secret.public, second.peer_id, "validator"),
        (first.secret.public, "f" * 16, "validator"),
        (writers(1, "new")[0].secret.public, "F" * 16, "validator"),
        (writers(1, "new")[0].secret.public, "f" * 15, "validator"),
        (b"short", "f" * 16, "validator"),
        (writers(1, "new")[0].secret.public, "f" * 16, "king"),
    ):
        with pytest.raises(TransportError):
            policy.register(author, peer_id, role)
    assert len(policy.authors()) == len(committee) + 2


def test_no_author_fills_the_memory_of_others(policy: RecordPolicy, committee: list[Writer]) -> None:
    author, other = committee[:2]
    assert all(policy.spend(author.record(expiry=100.0 + number), 0.0) for number in range(QUOTA))
    assert not policy.spend(author.record(), 99.0)
    assert policy.spend(other.record(), 99.0)
    assert policy.spend(author.record(), 100.0)  # one of them is over
    assert not policy.spend(author.record(), 100.5)
    assert policy.refused == {"quota": 2}


def test_sentences_name_the_record_and_the_rule(committee: list[Writer]) -> None:
    text = sentence("foreign_subkey", committee[0].record())
    assert text == f"The record {KEY}:{committee[0].peer_id} was refused: it is written in another's name."
    assert "no validator" not in sentence("expired")
    hostile = dataclasses.replace(committee[0].record(), key="x" * 5_000)
    assert len(sentence("unknown_key", hostile)) < 300


def test_evidence_is_kept_once_and_bounded(committee: list[Writer]) -> None:
    evidence = Equivocations(limit=2)
    for member in committee[:3]:
        for value in (b"\x00", b"\x02"):
            evidence.add(member.record(), member.record(value=value))
    assert len(evidence.pairs()) == 2
    assert all(first.value == VALUE and second.value == b"\x00" for first, second in evidence.pairs())
    assert same(committee[0].record(), committee[0].record(expiry=9.0))
    assert not same(committee[0].record(), committee[1].record())
