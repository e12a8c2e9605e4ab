"""A delta has one form in bytes, and nothing else is read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learning.config import DELTA_LIMIT
from engine.learning.errors import DeltaRefusedError
from engine.learning.results import REJECTIONS
from engine.learning.updates.delta import Delta, DeltaSpec, encode, entries, pack, parse, spec_in

SPEC = DeltaSpec(2, 4.0, (("b", 3, 5), ("a", 4, 1)))
BODY = 2 * (2 * 5 + 3 * 2 + 2 * 1 + 4 * 2)


def refusal(data: bytes, spec: DeltaSpec = SPEC) -> str:
    with pytest.raises(DeltaRefusedError) as caught:
        parse(data, spec)
    assert caught.value.reason in REJECTIONS
    assert len(str(caught.value)) < 300
    return caught.value.reason


def file(header: Any, body: bytes = bytes(BODY), size: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header, separators=(",", ":")).encode()
    return (len(text) if size is None else size).to_bytes(8, "little") + text + body


def listed() -> dict[str, Any]:
    header: dict[str, Any] = json.loads(SPEC.header[8:])
    return header


@given(st.binary(min_size=BODY, max_size=BODY))
def test_bytes_to_numbers_to_bytes_is_the_identity_wherever_they_are_read(body: bytes) -> None:
    data = SPEC.header + body
    if np.isfinite(np.frombuffer(body, "<f2")).all():
        assert pack(parse(data, SPEC)) == data
    else:
        assert refusal(data) == "not_finite"


def test_it_is_what_the_formats_own_package_writes_and_reads(draw: Callable[..., Delta], spec: DeltaSpec) -> None:
    safetensors = pytest.importorskip("safetensors.numpy", reason="needs the learn extra")
    for seed in range(5):
        delta = draw(spec, seed)
        tensors = {
            f"{key}.{part}": t.astype("<f2") for key, pair in delta.items() for part, t in zip("AB", pair, strict=True)
        }
        data = pack(delta)
        assert data == safetensors.save(tensors)
        assert len(data) == spec.size
        read = safetensors.load(data)
        assert read.keys() == tensors.keys()
        assert all(np.array_equal(read[name], tensors[name]) for name in read)
        assert spec_in(data, spec.alpha).shapes == spec.shapes
        assert [item.name for item in entries(data)] == sorted(tensors)


def test_the_numbers_are_those_that_were_packed(draw: Callable[..., Delta], spec: DeltaSpec) -> None:
    delta = draw(spec, 1)
    again = parse(pack(delta), spec)
    assert list(again) == [key for key, _, _ in spec.targets]
    for key, out, inner in spec.targets:
        assert again[key][0].shape == (spec.rank, inner)
        assert again[key][1].shape == (out, spec.rank)
        assert all(np.array_equal(x, y) for x, y in zip(again[key], delta[key], strict=True))


@settings(max_examples=300)
@given(st.data())
def test_any_change_of_a_header_is_refused(data: st.DataObject) -> None:
    good = bytearray(SPEC.header + bytes(BODY))
    place = data.draw(st.integers(0, len(SPEC.header) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda v: v != good[place]))
    good[place] = value
    assert refusal(bytes(good)) in ("malformed", "wrong_shape")


@settings(max_examples=300)
@given(st.binary(max_size=400))
def test_any_bytes_are_refused(data: bytes) -> None:
    assert refusal(data) == "malformed"
    assert refusal(SPEC.header[:9] + data) == "malformed"


def test_every_length_but_one_is_refused() -> None:
    whole = SPEC.header + bytes(BODY)
    parse(whole, SPEC)
    for length in range(len(whole)):
        assert refusal(whole[:length]) == "malformed"
    assert refusal(whole + b"\0") == "malformed"
    assert refusal(whole + whole) == "malformed"


def test_what_differs_is_named() -> None:
    twice = SPEC.header[8:].replace(b'"a.B"', b'"a.A"')
    assert "twice" in _why(file(twice))
    names = listed()
    names["c.A"] = names.pop("a.A")
    assert "'a.A'" in _why(file(names))
    single = {**listed(), "a.A": {**listed()["a.A"], "dtype": "F32"}}
    assert "F32" in _why(file(single))
    swapped = dict(reversed(listed().items()))
    assert "order" in _why(file(swapped))
    holes = listed()
    holes["b.B"]["data_offsets"] = [end + 2 for end in holes["b.B"]["data_offsets"]]
    assert "holes" in _why(file(holes, bytes(BODY + 2)))
    overlapping = listed()
    overlapping["a.B"]["data_offsets"] = [0, 16]
    assert refusal(file(overlapping)) == "malformed"
    assert refusal(file({"__metadata__": {"format": "pt"}, **listed()})) == "malformed"
    assert refusal(file(SPEC.header[8:] + b" " * 8)) == "malformed"
    assert refusal(file(json.dumps(listed()).encode())) == "malformed"


@pytest.mark.parametrize("shape", [(2, 6), (5, 2), (1, 10), (2, 0), (2, 5, 1), (10,), ()])
def test_another_shape_is_a_wrong_shape(shape: tuple[int, ...]) -> None:
    tensors = {name: np.zeros(wanted) for name, wanted in SPEC.shapes.items()}
    assert refusal(encode({**tensors, "b.A": np.zeros(shape)})) == "wrong_shape"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e5])
def test_what_is_no_finite_number_of_fp16_is_refused(bad: float) -> None:
    tensors = {name: np.zeros(wanted) for name, wanted in SPEC.shapes.items()}
    tensors["a.B"][1, 1] = bad
    assert refusal(encode(tensors)) == "not_finite"
    with pytest.raises(DeltaRefusedError) as caught:
        pack({key: (tensors[f"{key}.A"], tensors[f"{key}.B"]) for key in "ab"})
    assert caught.value.reason == "not_finite"


def test_the_limit_is_150_000_bytes() -> None:
    assert refusal(bytes(DELTA_LIMIT + 1)) == "oversize"
    assert refusal(bytes(DELTA_LIMIT)) == "malformed"
    with pytest.raises(DeltaRefusedError) as caught:
        pack({"a": (np.zeros((8, 10_000)), np.zeros((10, 8)))})
    assert caught.value.reason == "oversize"


HOSTILE = {
    "a length beyond the file": b"\xff" * 8 + b"{}",
    "a length of 2^63": (1 << 63).to_bytes(8, "little") + b"{" * 1000,
    "deep nesting": file(b'{"a":' * 20_000 + b"1" + b"}" * 20_000, b""),
    "deep lists": file(b"[" * 140_000, b""),
    "open strings": file(b'{"' + b'\\"' * 70_000, b""),
    "many quotes": file(b'{"' + b'"' * 140_000, b""),
    "spaces": file(b" " * 140_000, b""),
    "a huge number": file(b'{"a.A":{"dtype":"F16","shape":[' + b"9" * 100_000 + b"]}}", b""),
    "a huge shape": file({**listed(), "a.A": {**listed()["a.A"], "shape": [999999999, 999999999]}}),
    "many entries": file(b"{" + b",".join([b'"a":{"dtype":"F16","shape":[],"data_offsets":[0,0]}'] * 2500) + b"}", b""),
    "almost an entry": file(b'{"' + b"a" * 140_000, b""),
    "no bytes": b"",
    "a pickle": b"\x80\x04\x95" + bytes(200),
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_headers_are_refused_without_work(data: bytes) -> None:
    start = time.process_time()
    assert refusal(data) in ("malformed", "wrong_shape")
    assert time.process_time() - start < 1.0  # quadratic work on 150,000 bytes takes many seconds


def test_a_form_is_read_of_own_files_only() -> None:
    data = encode({"a.A": np.zeros((2, 3)), "a.B": np.zeros((4, 2))})
    assert spec_in(data, 4.0) == DeltaSpec(2, 4.0, (("a", 4, 3),))
    for bad in (
        encode({"a.A": np.zeros((2, 3))}),
        encode({"a.A": np.zeros((2, 3)), "a.B": np.zeros((4, 3))}),
        encode({"a.A": np.zeros(3), "a.B": np.zeros((4, 3))}),
        encode({"a.A": np.zeros((2, 3)), "a.B": np.zeros((4, 2)), "b.B": np.zeros((4, 2))}),
        encode({"x": np.zeros((2, 3))}),
        b"",
    ):
        with pytest.raises(DeltaRefusedError):
            spec_in(bad, 4.0)


def _why(data: bytes) -> str:
    with pytest.raises(DeltaRefusedError) as caught:
        parse(data, SPEC)
    return str(caught.value)
