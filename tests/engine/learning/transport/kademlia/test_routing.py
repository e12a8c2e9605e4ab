"""Routing tables and lookups against what the whole network knows."""

from __future__ import annotations

import numpy as np
import pytest

from engine.learning.errors import LearnSettingError
from engine.learning.transport.identity import node_id
from engine.learning.transport.kademlia.lookup import Asker, find_nearest
from engine.learning.transport.kademlia.routing import BUCKET, Routing
from engine.learning.transport.network import Network


def make(count: int, seed: int = 0) -> Routing:
    return Routing([node_id(f"{seed}/{n}") for n in range(count)], lambda n: np.random.default_rng([seed, n]))


def asker(routing: Routing, peer: int, up: list[bool], network: Network | None = None) -> Asker:
    network = network or Network(seed=1)
    return Asker(peer, routing, network, up, network.generator("test", peer), 0.0)


def test_buckets_hold_at_most_k_and_all_of_the_near() -> None:
    routing = make(700)
    for peer in (0, 350, 699):
        distances = {other: int(routing.places[peer] ^ routing.places[other]) for other in range(700) if other != peer}
        buckets: dict[int, list[int]] = {}
        for other, distance in distances.items():
            buckets.setdefault(distance.bit_length(), []).append(other)
        known = routing.contacts(peer)
        assert peer not in known
        for members in buckets.values():
            assert len(known & set(members)) == min(BUCKET, len(members))


@pytest.mark.parametrize("count", [1, 2, 5, 20, 21, 64, 1_000])
def test_a_lookup_finds_the_k_nearest_of_all(count: int) -> None:
    routing, up = make(count), [True] * count
    for number in range(40):
        place = node_id(f"ack:{number}")
        found = find_nearest(asker(routing, number % count, up), routing.target(place))
        nearest = sorted(range(count), key=lambda p: int(routing.places[p]) ^ (place >> 96))[:BUCKET]
        assert list(found.peers) == nearest
        assert found.failures == 0
        assert found.messages <= 2 * 45  # some tens of a thousand are asked
        assert (found.seconds > 0) == (count > 1)


def test_lookups_go_around_the_dead_and_learn_who_they_are() -> None:
    routing, up = make(500), [number % 5 < 3 for number in range(500)]  # two of five are gone
    place = node_id("ack:key")
    nearest = sorted((p for p in range(500) if up[p]), key=lambda p: int(routing.places[p]) ^ (place >> 96))[:BUCKET]
    first = find_nearest(asker(routing, 0, up), routing.target(place))
    again = find_nearest(asker(routing, 0, up), routing.target(place))
    assert first.failures > 0 and again.failures < first.failures
    for found in (first, again):  # answers still name the dead in the place of some of the living
        assert all(up[peer] for peer in found.peers)
        assert len(set(found.peers) & set(nearest)) >= BUCKET // 2
    for peer in range(500):
        for contact in routing.contacts(peer):
            if not up[contact]:
                routing.failed(peer, contact, 0.0)
    assert list(find_nearest(asker(routing, 0, up), routing.target(place)).peers) == nearest


def test_silent_contacts_are_left_alone_then_tried_then_forgotten() -> None:
    routing = make(50)
    target = routing.target(node_id("ack:key"))
    contact = target.order[0] if target.order[0] != 7 else target.order[1]
    rank = int(target.ranks[contact])
    for fails, pause in ((1, 60.0), (2, 240.0)):
        assert rank in routing.nearest(7, target)
        routing.failed(7, contact, 1_000.0 * fails)
        assert rank not in routing.nearest(7, target)
        routing.advance(1_000.0 * fails + pause - 1.0)
        assert rank not in routing.nearest(7, target)
        routing.advance(1_000.0 * fails + pause + 30.0)
    routing.failed(7, contact, 9_000.0)
    assert contact not in routing.contacts(7)
    routing.heard(7, [contact])  # it is back: there is room for it
    assert rank in routing.nearest(7, target)


def test_a_table_takes_no_more_than_its_buckets_hold() -> None:
    routing = make(300)
    routing.restart(5, [1, 2, 3])
    routing.heard(5, range(300))
    distances = [int(routing.places[5] ^ routing.places[c]).bit_length() for c in routing.contacts(5)]
    assert 5 not in routing.contacts(5)
    assert max(distances.count(length) for length in distances) == BUCKET


def test_peers_of_one_place_are_refused() -> None:
    with pytest.raises(LearnSettingError):
        Routing([node_id("a"), node_id("a")], lambda n: np.random.default_rng(n))
