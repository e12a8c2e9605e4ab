"""What agents sign: the digest equals the general encoder's, and signatures are held to the contract's rules."""

from __future__ import annotations

from dataclasses import replace

import pytest
from eth_account import Account
from eth_account.messages import _hash_eip191_message, encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.consensus.fixed import pack, to_fixed
from engine.consensus.messages import Domain, Key, PositionMessage, SignedPosition, digest, position_hash, recover

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
KEY = Key(b"\x01" * 32)
PACKED = pack(to_fixed([0.25, -3.0]))
HERE = Domain(31337, "0x5FbDB2315678afecb367f032d93F642f64180aa3")

messages = st.builds(
    PositionMessage,
    st.binary(min_size=32, max_size=32),
    st.sampled_from([KEY.address, "0x" + "00" * 20]),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**40 - 1),
)
domains = st.builds(Domain, st.integers(0, 2**64), st.sampled_from([HERE.contract, Domain().contract]))


def message(**changes) -> PositionMessage:
    return replace(PositionMessage(b"\x07" * 32, KEY.address, position_hash(PACKED), 10**6, 1, 0, 2**40 - 1), **changes)


@settings(max_examples=60, deadline=None)
@given(messages, domains, st.binary(min_size=32, max_size=32).filter(lambda b: 0 < int.from_bytes(b, "big") < ORDER))
def test_digest_and_signature_are_those_of_eth_account(message: PositionMessage, domain: Domain, secret: bytes) -> None:
    encoded = encode_typed_data(domain.fields(), message.TYPES, message.message())
    assert digest(message, domain) == bytes(_hash_eip191_message(encoded))
    account = Account.from_key(secret)
    signature = Key(secret).sign(message, domain)
    assert signature == bytes(account.sign_message(encoded).signature)
    assert recover(message, signature, domain) == account.address == Key(secret).address


def test_a_word_holds_only_for_what_was_signed_where_it_was_signed() -> None:
    signed = SignedPosition(message(), PACKED, KEY.sign(message(), HERE))
    assert signed.problem(HERE) == ""
    assert "signature is of" in signed.problem(replace(HERE, chain_id=1))
    assert "signature is of" in signed.problem(replace(HERE, contract="0x" + "11" * 20))
    for change in ({"round": 2}, {"nonce": 1}, {"confidence": 5}, {"deadline": 7}, {"task_hash": b"\x08" * 32}):
        assert "signature is of" in replace(signed, message=message(**change)).problem(HERE)
    assert "not the one" in replace(signed, packed=PACKED[::-1]).problem(HERE)


def test_malleable_and_malformed_signatures_are_refused_as_the_contract_does() -> None:
    signature = KEY.sign(message(), HERE)
    flipped = (ORDER - int.from_bytes(signature[32:64], "big")).to_bytes(32, "big")
    other = bytes([55 - signature[64]])
    for bad in (
        b"",
        signature[:64],
        signature + b"\0",
        signature[:64] + b"\x1d",
        signature[:64] + bytes([signature[64] - 27]),
        signature[:32] + flipped + other,
        b"\0" * 64 + b"\x1b",
        b"\xff" * 64 + b"\x1b",
    ):
        assert "malformed" in SignedPosition(message(), PACKED, bad).problem(HERE), bad.hex()
        with pytest.raises(ValueError):
            recover(message(), bad, HERE)


@pytest.mark.parametrize(
    "change",
    [{"task_hash": b""}, {"position_hash": b"x"}, {"agent": "0x12"}, {"agent": "zz"}, {"nonce": -1}, {"round": 2**32}],
)
def test_fields_that_do_not_fit_are_no_message(change) -> None:
    with pytest.raises((ValueError, OverflowError)):
        digest(message(**change), HERE)


def test_a_key_never_shows_itself() -> None:
    assert "01" * 16 not in repr(KEY) + str(KEY) + repr(vars(KEY))
    assert KEY.address in repr(KEY)
