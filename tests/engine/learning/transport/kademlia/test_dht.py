"""The simulated DHT: what is stored is found, also after losses; what the rules forbid is not."""

from __future__ import annotations

import dataclasses
import random

import pytest

from engine.learning.config import LearnConfig
from engine.learning.errors import TransportError
from engine.learning.transport import open_dht
from engine.learning.transport.kademlia import SimDht
from engine.learning.transport.kademlia.dht import REPUBLISH
from engine.learning.transport.policy import QUOTA
from engine.learning.transport.records import ack_key, delta_key
from tests.engine.learning.transport.writers import KEY, VALUE, Writer, register, writers

K = 20


def make(peers: int, authors: list[Writer], seed: int = 0, **settings: float) -> SimDht:
    dht = SimDht(LearnConfig(validators=peers, seed=seed, **settings))  # type: ignore[arg-type]
    register(dht, authors)
    return dht


async def store_all(dht: SimDht, authors: list[Writer], key: str = KEY, expiry: float = 3600.0) -> None:
    for number, author in enumerate(authors):
        stored = await dht.store(number % len(dht.peers()), author.record(key, expiry=expiry))
        assert stored.reason == ""


async def test_open_dht_gives_the_simulated_one() -> None:
    dht = await open_dht(LearnConfig(validators=5))
    assert len(dht.peers()) == 5
    await dht.close()


async def test_what_is_stored_is_found_by_everybody(committee: list[Writer]) -> None:
    dht = make(60, committee)
    for author in committee:
        stored = await dht.store(3, author.record())
        assert (stored.replicas, stored.reason) == (K, "")
        assert 0 < stored.seconds < 3
    wanted = tuple(sorted((author.record() for author in committee), key=lambda record: record.subkey))
    for peer in range(60):
        fetched = await dht.fetch(peer, KEY)
        assert fetched.records == wanted
        assert fetched.messages > 0 and 0 < fetched.seconds < 3
    assert (await dht.fetch(0, ack_key(bytes(32)))).records == ()
    assert sum(peer.records for peer in dht.peers()) == K * len(committee)


async def test_one_peer_alone_is_a_dht(committee: list[Writer]) -> None:
    dht = make(1, committee)
    assert (await dht.store(0, committee[0].record())).replicas == 1
    assert len((await dht.fetch(0, KEY)).records) == 1


async def test_records_end_with_their_time_and_leave_no_memory(committee: list[Writer]) -> None:
    dht = make(30, committee)
    for slot in range(400):
        now = 12.0 * slot
        dht.advance(now)
        await store_all(dht, committee[:3], f"ack:{slot:016x}", now + 3600.0)
        assert len(dht._shelves) <= 3 * 301
    assert (await dht.fetch(0, f"ack:{99:016x}")).records == ()
    assert len((await dht.fetch(0, f"ack:{100:016x}")).records) == 3
    dht.advance(12.0 * 400 + 3600.0)
    assert len(dht._shelves) == 0
    assert all(peer.records == 0 for peer in dht.peers())


async def test_the_first_word_stays_and_the_second_is_evidence(committee: list[Writer]) -> None:
    dht, author = make(30, committee), committee[0]
    first, second = author.record(), author.record(value=b"\x00" + VALUE[1:])
    assert (await dht.store(0, first)).reason == ""
    assert (await dht.store(0, first)).replicas == K  # said again: nothing new
    assert (await dht.store(1, second)).reason == "already_written"
    assert (await dht.fetch(2, KEY)).records == (first,)
    assert dht.equivocations() == ((first, second),)
    assert dht.refused() == {"already_written": 1}
    longer = author.record(expiry=3605.0)
    assert (await dht.store(0, longer)).reason == ""
    assert (await dht.fetch(2, KEY)).records == (longer,)


async def test_a_member_cannot_flood_the_peers(committee: list[Writer]) -> None:
    dht = make(1, committee)
    for number in range(QUOTA):
        assert (await dht.store(0, committee[0].record(f"ack:{number:016x}"))).reason == ""
    assert (await dht.store(0, committee[0].record())).reason == "quota"
    assert (await dht.store(0, committee[0].record(f"ack:{5:016x}"))).reason == ""  # it is there already
    assert (await dht.store(0, committee[1].record())).reason == ""
    assert (dht.peers()[0].records, dht.refused()) == (QUOTA + 1, {"quota": 1})
    dht.advance(3600.0)
    assert (await dht.store(0, committee[0].record(expiry=7000.0))).reason == ""


async def test_refusals_are_counted_and_nothing_is_kept(committee: list[Writer]) -> None:
    dht, stranger = make(30, committee), writers(1, "stranger")[0]
    bad = [
        (stranger.record(), "unregistered"),
        (committee[0].record(delta_key(1)), "not_trainer"),
        (dataclasses.replace(committee[0].record(), value=b""), "bad_signature"),
        (committee[0].record(expiry=4000.0), "far_expiry"),
        (committee[0].record(value=bytes(200_000)), "oversize"),
    ]
    for record, reason in bad:
        stored = await dht.store(5, record)
        assert (stored.replicas, stored.reason) == (0, reason)
    assert dht.refused() == {reason: 1 for _, reason in sorted(bad, key=lambda pair: pair[1])}
    assert all(peer.records == 0 for peer in dht.peers())


@pytest.mark.parametrize("seed", range(6))
async def test_with_two_fifths_of_the_peers_gone_99_of_100_acks_are_read(seed: int) -> None:
    """Every live peer reads all but one in a hundred, before any repair; the repair brings the replicas back."""
    authors = writers(250)
    dht = make(250, authors, seed=seed, loss_rate=0.05)
    keys = [ack_key(bytes([seed, number]) * 16) for number in range(4)]
    for key in keys:
        await store_all(dht, authors, key)
    draw = random.Random(seed)
    lost = set(draw.sample(range(250), 100))
    for peer in lost:
        await dht.kill(peer)
    alive = [peer for peer in range(250) if peer not in lost]
    for key in keys:
        for reader in draw.sample(alive, 10):
            assert len((await dht.fetch(reader, key)).records) >= 0.99 * len(authors)
    dht.advance(REPUBLISH + 1)
    replicas = [holders.bit_count() for key in keys for _, holders in dht._shelves.holdings(key)]
    assert min(replicas) >= 19
    for peer in draw.sample(alive, 60):  # another two fifths: only because of the repair is nothing lost
        await dht.kill(peer)
    reader = next(peer for peer in alive if dht.peers()[peer].up)
    assert all([len((await dht.fetch(reader, key)).records) >= 0.99 * len(authors) for key in keys])


async def test_a_killed_peer_is_gone_with_all_it_held(committee: list[Writer]) -> None:
    dht = make(3, committee)
    await store_all(dht, committee[:3])
    for peer in range(2):
        await dht.kill(peer)
        await dht.kill(peer)
    assert [peer.up for peer in dht.peers()] == [False, False, True]
    assert [peer.records for peer in dht.peers()] == [0, 0, 3]
    assert (await dht.store(0, committee[5].record())).reason == "unreachable"
    assert (await dht.fetch(0, KEY)).records == ()
    assert len((await dht.fetch(2, KEY)).records) == 3
    await dht.kill(2)
    await dht.revive(0)
    assert (await dht.fetch(0, KEY)).records == ()  # all that knew it were gone at one time


async def test_a_revived_peer_is_found_again_and_takes_its_part(committee: list[Writer]) -> None:
    dht = make(100, committee)
    await store_all(dht, committee)
    holders = [peer.number for peer in dht.peers() if peer.records]
    for peer in holders[:8]:
        await dht.kill(peer)
    dht.advance(REPUBLISH + 1)
    assert all(dht.peers()[peer].records == 0 for peer in holders[:8])
    for peer in holders[:8]:
        await dht.revive(peer)
        await dht.revive(peer)
        assert len((await dht.fetch(peer, KEY)).records) == len(committee)
    dht.advance(2 * REPUBLISH + 2)
    assert all(dht.peers()[peer].records == len(committee) for peer in holders[:8])


async def test_sides_of_a_partition_hear_of_each_other_only_afterwards(committee: list[Writer]) -> None:
    dht = make(80, committee)
    left, right = tuple(range(40)), tuple(range(40, 80))
    dht.partition((left, right))
    await store_all(dht, committee[:10])  # by peers 0 to 9
    for number, author in enumerate(committee[10:20]):
        assert (await dht.store(40 + number, author.record())).reason == ""
    names = {author.peer_id for author in committee[:10]}
    assert {record.subkey for record in (await dht.fetch(20, KEY)).records} == names
    assert len((await dht.fetch(60, KEY)).records) == 10
    assert not names & {record.subkey for record in (await dht.fetch(60, KEY)).records}
    assert [dht.peers()[peer].group for peer in (0, 79)] == [1, 2]
    dht.partition(())
    for peer in (20, 60, 33, 77):
        dht.advance(dht._now + 700.0)
        assert len((await dht.fetch(peer, KEY)).records) == 20


async def test_the_same_calls_give_the_same_answers(committee: list[Writer]) -> None:
    async def play() -> list[object]:
        dht = make(50, committee, seed=3, loss_rate=0.1)
        answers: list[object] = []
        for number, author in enumerate(committee):
            answers.append(await dht.store(number, author.record()))
            if number % 7 == 0:
                await dht.kill(number)
                dht.advance(number * 100.0)
            answers.append(await dht.fetch(49, KEY))
        return [*answers, dht.messages, dht.peers()]

    assert await play() == await play()


async def test_there_is_no_peer_beyond_the_last(committee: list[Writer]) -> None:
    dht = make(4, committee)
    for peer in (-1, 4):
        with pytest.raises(TransportError):
            await dht.fetch(peer, KEY)
        with pytest.raises(TransportError):
            await dht.kill(peer)
        with pytest.raises(TransportError):
            dht.partition(((0, peer),))
    await dht.close()
    assert (await dht.fetch(0, KEY)).records == ()
