"""An update's id stands for what went into it, and members find out when it does not."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.learning.brain import AggregateOrder
from engine.learning.errors import DeltaRefusedError
from engine.learning.updates.aggregate import aggregate
from engine.learning.updates.delta import Delta, DeltaSpec, encode, pack, parse
from engine.learning.updates.manifest import Manifest, manifest_of, order_again, read_manifest, reproduces

Draw = Callable[..., Delta]
BASE = b"\x07" * 32


@pytest.fixture(scope="module")
def raws(draw: Draw, spec: DeltaSpec) -> tuple[tuple[int, bytes], ...]:
    """Deltas of trainers 0 to 6; 2 and 5 publish the same, 4 rubbish."""
    made = {n: pack(draw(spec, n)) for n in range(7)}
    return tuple(sorted({**made, 5: made[2], 4: b"rubbish"}.items()))


@pytest.fixture(scope="module")
def order(raws: tuple[tuple[int, bytes], ...]) -> AggregateOrder:
    return AggregateOrder(BASE, raws, "multi_krum", 1, 10.0)


@pytest.fixture(scope="module")
def delta(order: AggregateOrder, spec: DeltaSpec) -> bytes:
    made = aggregate(order, spec).delta
    assert made is not None
    return made


def test_a_member_repeats_what_the_aggregator_did(order: AggregateOrder, delta: bytes, spec: DeltaSpec) -> None:
    manifest = read_manifest(manifest_of(order, delta).to_bytes())
    assert len(manifest.update_id) == 32
    again = order_again(manifest, delta, order.raws, base=BASE, clip_norm=10.0)
    assert again == order
    assert reproduces(delta, aggregate(again, spec).delta)


def test_deltas_that_came_later_do_not_disturb_it(order: AggregateOrder, delta: bytes, draw: Draw) -> None:
    manifest = manifest_of(order, delta)
    late = pack(draw(DeltaSpec(4, 8.0, (("0.q", 24, 24),)), 99))
    fetched = [*reversed(order.raws), (9, late), (-1, order.raws[2][1])]
    again = order_again(manifest, delta, fetched, base=BASE, clip_norm=10.0)
    assert [data for _, data in again.raws] == [data for _, data in order.raws]


def test_what_is_missing_or_swapped_is_said(order: AggregateOrder, delta: bytes) -> None:
    manifest = manifest_of(order, delta)
    for refused, change in {
        "withheld": {"raws": order.raws[:-1]},
        "wrong_hash": {"delta": delta + b"\0"},
        "stale_base": {"base": bytes(32)},
    }.items():
        arguments = {"delta": delta, "raws": order.raws, "base": BASE, **change}
        with pytest.raises(DeltaRefusedError) as caught:
            order_again(manifest, clip_norm=10.0, **arguments)  # type: ignore[arg-type]
        assert caught.value.reason == refused


def test_every_field_is_in_the_id(order: AggregateOrder, delta: bytes) -> None:
    manifest = manifest_of(order, delta)
    others = [
        Manifest("00" * 32, manifest.raws, manifest.rule, manifest.byzantine, manifest.delta),
        Manifest(manifest.base, manifest.raws[1:], manifest.rule, manifest.byzantine, manifest.delta),
        Manifest(manifest.base, manifest.raws, "krum", manifest.byzantine, manifest.delta),
        Manifest(manifest.base, manifest.raws, manifest.rule, 2, manifest.delta),
        Manifest(manifest.base, manifest.raws, manifest.rule, manifest.byzantine, "00" * 32),
    ]
    assert len({item.update_id for item in [manifest, *others]}) == 6
    assert json.loads(manifest.to_bytes())["rule"] == "multi_krum"


@given(st.binary(max_size=300))
def test_any_bytes_are_no_manifest(data: bytes) -> None:
    with pytest.raises(DeltaRefusedError):
        read_manifest(data)


@pytest.mark.parametrize(
    "change",
    [
        {"f": True},
        {"f": -1},
        {"f": 1.0},
        {"f": 32},
        {"rule": "bulyan"},
        {"rule": []},
        {"base": "AB" * 32},
        {"bytes": 7},
        {"raws": "ab"},
        {"raws": None},
        {"raws": ["ab" * 32] * 300},
        {"more": 1},
    ],
)
def test_hostile_manifests_are_malformed(order: AggregateOrder, delta: bytes, change: dict[str, object]) -> None:
    fields = {**json.loads(manifest_of(order, delta).to_bytes()), **change}
    with pytest.raises(DeltaRefusedError) as caught:
        read_manifest(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())
    assert caught.value.reason == "malformed"


def test_other_spellings_of_a_manifest_are_malformed(order: AggregateOrder, delta: bytes) -> None:
    data = manifest_of(order, delta).to_bytes()
    doubled = data.replace(b'"f":1', b'"f":1,"f":1')
    for bad in (data + b"\n", b" " + data, json.dumps(json.loads(data)).encode(), doubled, b"[" * 10_000, data[:-1]):
        with pytest.raises(DeltaRefusedError):
            read_manifest(bad)


def test_only_rounding_is_forgiven(order: AggregateOrder, delta: bytes, draw: Draw, spec: DeltaSpec) -> None:
    mine = parse(delta, spec)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    turned = pack({key: (turn @ a, b @ turn.T) for key, (a, b) in mine.items()})
    assert turned != delta
    assert reproduces(turned, delta)
    for factor in (1.01, 0.99, -1.0, 0.0):
        assert not reproduces(pack({key: (a, b * factor) for key, (a, b) in mine.items()}), delta)
    nan = encode({name: np.full(shape, np.nan) for name, shape in spec.shapes.items()})
    for other in (pack(draw(spec, 3)), b"", b"rubbish", nan):
        assert not reproduces(other, delta)
    assert not reproduces(delta, None)
