"""The model of the wires."""

from __future__ import annotations

import pytest

from engine.learning.errors import LearnSettingError
from engine.learning.transport.network import Network


def test_a_message_has_one_fate_whatever_went_before() -> None:
    first, second = Network(seed=5, loss_rate=0.3), Network(seed=5, loss_rate=0.3)
    names = [(s, r, f"block {n}") for s in range(4) for r in range(4) for n in range(10)]
    fates = {name: first.delay(*name) for name in names}
    assert {name: second.delay(*name) for name in reversed(names)} == fates
    assert {name: Network(seed=6, loss_rate=0.3).delay(*name) for name in names} != fates


def test_delays_lie_between_latency_and_jitter_and_losses_come_at_their_rate() -> None:
    network = Network(seed=1, latency=0.1, jitter=0.05, loss_rate=0.2)
    delays = [network.delay(1, 2, str(n)) for n in range(20_000)]
    heard = [delay for delay in delays if delay is not None]
    assert 0.1 <= min(heard) < 0.1005 and 0.1495 < max(heard) <= 0.15
    assert abs(1 - len(heard) / len(delays) - 0.2) < 0.01
    assert abs(sum(heard) / len(heard) - 0.125) < 0.001
    generator = network.generator("lookup", 1)
    trips = [network.round_trip(generator) for _ in range(20_000)]
    assert abs(trips.count(None) / len(trips) - 0.36) < 0.015  # either way can fail
    assert all(trip is None or 0.2 <= trip <= 0.3 < network.timeout for trip in trips)


def test_generators_are_of_a_purpose() -> None:
    network = Network(seed=1)
    assert network.generator("a", 1).random() == network.generator("a", 1).random()
    assert network.generator("a", 1).random() != network.generator("a", 2).random()
    assert network.generator("a", 12).random() != network.generator("a1", 2).random()


def test_a_partition_is_heard_by_nobody_and_heals() -> None:
    network = Network(seed=1)
    network.partition(((0, 1), (2,)))
    assert network.split
    assert network.delay(0, 1, "x") is not None
    assert network.delay(0, 2, "x") is None
    assert network.delay(0, 9, "x") is None  # who is in no group is in one of its own
    assert network.delay(8, 9, "x") is not None
    assert [network.group_of(node) for node in (0, 2, 9)] == [1, 2, 0]
    network.partition(())
    assert not network.split
    assert network.delay(0, 2, "x") is not None


def test_impossible_networks_are_refused() -> None:
    for settings in ({"latency": -1.0}, {"jitter": -0.1}, {"loss_rate": 1.0}, {"loss_rate": -0.1}):
        with pytest.raises(LearnSettingError):
            Network(**settings)
    with pytest.raises(LearnSettingError):
        Network().partition(((0, 1), (1, 2)))
