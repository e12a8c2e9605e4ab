"""Records: their bytes, and what their signatures bind."""

from __future__ import annotations

import dataclasses
import math
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.learning.crypto import ed25519
from engine.learning.errors import TransportError
from engine.learning.ports import Record
from engine.learning.transport import records
from engine.learning.transport.records import is_signed, pack, parse, sign_record

SECRET = ed25519.SecretKey(bytes(range(32)))
UPDATE = sha256(b"u").digest()
SIGNED = sign_record("ack:0123456789abcdef", "0011223344556677", b"\x01value", 3600.5, SECRET)


def test_keys_are_those_of_the_specification() -> None:
    assert records.ack_key(UPDATE) == f"ack:{UPDATE.hex()[:16]}"
    assert records.reveal_key(UPDATE) == f"reveal:{UPDATE.hex()[:16]}"
    assert records.delta_key(7) == "delta:7"
    assert records.update_key(7) == "update:7"
    assert records.update_key(7, UPDATE) == f"update:7:{UPDATE.hex()[:16]}"
    assert records.shown("ack:00", "11") == "ack:00:11"


@pytest.mark.parametrize(
    "key",
    ["delta:0", "delta:12", "update:3", "update:3:0123456789abcdef", "ack:0123456789abcdef", "reveal:0123456789abcdef"],
)
def test_keys_have_kinds(key: str) -> None:
    assert records.kind_of(key) == key.partition(":")[0]


@pytest.mark.parametrize(
    "key",
    [
        "",
        "ack",
        "ack:",
        "ack:0123",
        "ack:0123456789ABCDEF",
        "ack:0123456789abcdef ",
        "ack:0123456789abcdef\n",
        "delta:01",
        "delta:-1",
        "delta:" + "9" * 200,
        "other:0123456789abcdef",
        "ack:0123456789abcdef:0123456789abcdef",
    ],
)
def test_what_is_no_key_has_no_kind(key: str) -> None:
    assert records.kind_of(key) == ""


def test_a_signature_binds_every_field() -> None:
    other = ed25519.SecretKey(bytes(32))
    assert is_signed(SIGNED)
    for change in (
        {"key": "ack:fedcba9876543210"},
        {"subkey": "7766554433221100"},
        {"value": b"\x00value"},
        {"expiry": 3601.0},
        {"author": other.public},
        {"author": b""},
        {"author": SIGNED.author + b"\x00"},
        {"signature": bytes(64)},
        {"signature": b""},
        {"signature": SIGNED.signature + b"\x00"},
        {"expiry": math.nan},
    ):
        assert not is_signed(dataclasses.replace(SIGNED, **change)), change  # type: ignore[arg-type]


def test_no_two_records_sign_the_same_bytes() -> None:
    """Bytes moved from one field into the next change what is signed."""
    assert records.signed_bytes("ab", "c", b"d", 1.0) != records.signed_bytes("a", "bc", b"d", 1.0)
    assert records.signed_bytes("a", "bc", b"d", 1.0) != records.signed_bytes("a", "b", b"cd", 1.0)


@given(
    key=st.text("abc:0123456789", max_size=64),
    subkey=st.text("0123456789abcdef", max_size=16),
    value=st.binary(max_size=300),
    expiry=st.floats(allow_nan=False, allow_infinity=False),
)
def test_wire_form_gives_the_record_back(key: str, subkey: str, value: bytes, expiry: float) -> None:
    record = Record(key, subkey, value, expiry, bytes(range(32)), bytes(range(64)))
    wire = pack(record)
    assert parse(wire) == record
    assert len(wire) - len(value) <= records.ENVELOPE_LIMIT
    assert pack(parse(wire)) == wire


def test_the_parser_takes_no_byte_less_and_none_more() -> None:
    wire = pack(SIGNED)
    assert is_signed(parse(wire))
    for end in range(len(wire)):
        with pytest.raises(TransportError):
            parse(wire[:end])
    with pytest.raises(TransportError):
        parse(wire + b"\x00")


@given(st.binary(max_size=400))
def test_foreign_bytes_are_refused_and_never_crash(data: bytes) -> None:
    with pytest.raises(TransportError):
        parse(data)


@given(st.data())
def test_a_turned_bit_is_refused_or_unsigned(data: st.DataObject) -> None:
    wire = bytearray(pack(SIGNED))
    at = data.draw(st.integers(0, 8 * len(wire) - 1))
    wire[at // 8] ^= 1 << at % 8
    try:
        record = parse(bytes(wire))
    except TransportError:
        return
    assert not is_signed(record)


@pytest.mark.parametrize(
    "change", [{"key": "a" * 65}, {"subkey": "a" * 256}, {"author": b"short"}, {"signature": b"short"}]
)
def test_what_does_not_fit_is_not_packed(change: dict[str, object]) -> None:
    with pytest.raises(TransportError):
        pack(dataclasses.replace(SIGNED, **change))  # type: ignore[arg-type]


@pytest.mark.parametrize("expiry", [math.nan, math.inf, -math.inf])
def test_an_expiry_that_never_comes_is_refused(expiry: float) -> None:
    with pytest.raises(TransportError):
        parse(pack(dataclasses.replace(SIGNED, expiry=expiry)))
