"""Attacks on a committee's ACKs at full size: none of 10,000 is counted, and every honest one lands."""

from __future__ import annotations

from engine.learning.config import LearnConfig
from engine.learning.transport import attacks
from engine.learning.transport.kademlia import SimDht
from engine.learning.transport.records import ack_key
from tests.engine.learning.transport.writers import KEY, Writer, register


async def test_no_attack_adds_hides_or_displaces_an_ack(committee: list[Writer]) -> None:
    dht = SimDht(LearnConfig(validators=100))
    register(dht, committee)
    liar, honest = committee[0], committee[1:]
    early, late = honest[:20], honest[20:]
    names, publics = [m.peer_id for m in honest], [(m.peer_id, m.secret.public) for m in honest]
    old = ack_key(bytes(32))
    for number, member in enumerate(honest):
        assert (await dht.store(number, member.record(old))).reason == ""
    earlier = (await dht.fetch(0, old)).records
    for number, member in enumerate(early):
        assert (await dht.store(number, member.record())).reason == ""
    waves = [
        attacks.sybil_acks(7, KEY, attacks.SYBILS, 0.0),
        attacks.forged_acks(KEY, names, liar.secret, 0.0),
        attacks.borrowed_acks(KEY, publics, liar.secret, 0.0),
        attacks.squatting_acks(KEY, [*names, liar.peer_id], liar.secret, 0.0),
        attacks.replayed_acks(earlier, KEY),
    ]
    for wave in waves:
        for number, record in enumerate(wave):
            stored = await dht.store(number % 100, record)
            assert stored.replicas == 0 and stored.reason
    for number, member in enumerate(late):  # after everybody squatted
        assert (await dht.store(50 + number % 40, member.record())).reason == ""
    found = await dht.fetch(99, KEY)
    assert [record.subkey for record in found.records] == sorted(names)
    assert {record.author for record in found.records} == {member.secret.public for member in honest}
    assert dht.refused() == {
        "bad_signature": 2 * len(honest),
        "far_expiry": 1,
        "foreign_subkey": 2 * len(honest),
        "unregistered": attacks.SYBILS,
    }
    assert dht.equivocations() == ()
    assert sum(peer.records for peer in dht.peers()) == 20 * 2 * len(honest)
