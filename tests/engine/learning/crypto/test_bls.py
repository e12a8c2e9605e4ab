"""BLS signatures: against a second library, against hostile points, and what is kept of them."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from py_ecc.bls import G2ProofOfPossession as Peer
from remerkleable.byte_arrays import Bytes32, Bytes48, Bytes96

from engine.learning.crypto import bls
from engine.learning.crypto.memo import Memo
from engine.learning.errors import LearnSettingError

KEYS = [bls.SecretKey(sha256(bytes([number])).digest()[:31].rjust(32, b"\x00")) for number in range(8)]
ROOT = sha256(b"a block").digest()
INFINITY_G1 = b"\xc0" + bytes(47)
INFINITY_G2 = b"\xc0" + bytes(95)
INFINITIES = [INFINITY_G1, INFINITY_G2]


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    bls.forget()
    yield
    bls.forget()


def scalar(key: bls.SecretKey) -> int:
    return int.from_bytes(bytes(key._key), "big")


def outside_the_subgroup() -> bytes:
    """A point of the curve that is not in G1: nearly all of its points are not."""
    from blspy import G1Element

    for number in range(200):
        made = bytearray(sha256(bytes([number])).digest() + bytes(16))
        made[0] = 0x80 | (made[0] & 0x0F)
        try:
            G1Element.from_bytes_unchecked(bytes(made))
        except ValueError:
            continue
        return bytes(made)
    raise AssertionError("no point was found")


def test_a_second_library_signs_and_verifies_the_same() -> None:
    key = KEYS[0]
    signature = bls.sign(key, ROOT)
    assert Peer.SkToPk(scalar(key)) == key.public
    assert Peer.Sign(scalar(key), ROOT) == signature
    assert Peer.PopProve(scalar(key)) == bls.prove(key)
    assert Peer.Verify(key.public, ROOT, signature)


def test_a_second_library_adds_up_and_verifies_the_same() -> None:
    publics = [key.public for key in KEYS[:3]]
    theirs = Peer.Aggregate([Peer.Sign(scalar(key), ROOT) for key in KEYS[:3]])
    assert bls.aggregate([bls.sign(key, ROOT) for key in KEYS[:3]]) == theirs
    assert Peer.FastAggregateVerify(publics, ROOT, theirs)
    bls.forget()
    assert bls.fast_aggregate_verify(publics, ROOT, theirs)


def test_a_signature_is_of_one_key_and_one_message() -> None:
    signature = bls.sign(KEYS[0], ROOT)
    bls.forget()
    assert bls.verify(KEYS[0].public, ROOT, signature)
    assert not bls.verify(KEYS[1].public, ROOT, signature)
    assert not bls.verify(KEYS[0].public, sha256(ROOT).digest(), signature)
    assert not bls.verify(KEYS[0].public, ROOT, bls.sign(KEYS[1], ROOT))


def test_a_sum_stands_for_exactly_its_signers() -> None:
    publics = [key.public for key in KEYS]
    total = bls.aggregate([bls.sign(key, ROOT) for key in KEYS])
    assert bls.fast_aggregate_verify(publics, ROOT, total)
    assert bls.fast_aggregate_verify(publics[::-1], ROOT, total)
    assert not bls.fast_aggregate_verify(publics[:-1], ROOT, total)
    assert not bls.fast_aggregate_verify([*publics, publics[0]], ROOT, total)
    assert not bls.fast_aggregate_verify([], ROOT, total)


def test_keys_that_cancel_out_sign_nothing() -> None:
    from blspy import G1Element

    opposite = bytes(G1Element.from_bytes(KEYS[0].public).negate())
    assert bls.is_public(opposite)
    assert not bls.fast_aggregate_verify([KEYS[0].public, opposite], ROOT, INFINITY_G2)


HOSTILE = [
    b"",
    b"\x00",
    bytes(48),
    bytes(96),
    b"\xff" * 48,
    b"\xff" * 96,
    *INFINITIES,
    b"\xc0" + bytes(46) + b"\x01",
    b"\xa0" * 48,
    b"\xa0" * 96,
]


@pytest.mark.parametrize(
    "point", [*HOSTILE, outside_the_subgroup()], ids=lambda point: f"{point[:3].hex()}-{len(point)}"
)
def test_hostile_points_are_false_and_never_raise(point: bytes) -> None:
    signature = bls.sign(KEYS[0], ROOT)
    for _ in range(2):  # the second answer is the kept one
        assert not bls.verify(point, ROOT, signature)
        assert not bls.verify(KEYS[0].public, ROOT, point)
        assert not bls.fast_aggregate_verify([KEYS[0].public, point], ROOT, signature)
        assert not bls.verify_possession(point, bls.prove(KEYS[0]))
        assert not bls.verify_possession(KEYS[0].public, point)
        assert not bls.is_public(point)
    with pytest.raises(ValueError):
        bls.aggregate([signature, point])


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=100), st.binary(max_size=100), st.binary(max_size=40))
def test_any_bytes_are_answered(public: bytes, signature: bytes, root: bytes) -> None:
    assert bls.verify(public, root, signature) is False


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 95), st.integers(1, 255))
def test_one_changed_byte_breaks_a_signature(at: int, change: int) -> None:
    signature = bytearray(bls.sign(KEYS[0], ROOT))
    signature[at] ^= change
    assert not bls.verify(KEYS[0].public, ROOT, bytes(signature))


def test_two_lists_of_keys_with_the_same_bytes_are_two() -> None:
    """What is kept goes by a hash of all keys together, so keys of another length must not get that far."""
    first, second = KEYS[0].public, KEYS[1].public
    total = bls.aggregate([bls.sign(key, ROOT) for key in KEYS[:2]])
    assert bls.fast_aggregate_verify([first, second], ROOT, total)
    assert not bls.fast_aggregate_verify([first + second], ROOT, total)
    assert not bls.fast_aggregate_verify([first[:20], first[20:] + second], ROOT, total)


def test_bytes_of_containers_are_taken_like_plain_ones() -> None:
    signature = bls.sign(KEYS[0], ROOT)
    bls.forget()
    assert bls.verify(Bytes48(KEYS[0].public), Bytes32(ROOT), Bytes96(signature))
    assert bls.aggregate([Bytes96(signature), signature]) == bls.aggregate([signature, signature])
    assert bls.verify_possession(Bytes48(KEYS[0].public), Bytes96(bls.prove(KEYS[0])))
    assert len(bls._KEYS) == 1


def test_nothing_adds_up_to_no_signature() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bls.aggregate([])


def test_possession_is_proven_of_ones_own_key_only() -> None:
    assert bls.verify_possession(KEYS[0].public, bls.prove(KEYS[0]))
    assert not bls.verify_possession(KEYS[1].public, bls.prove(KEYS[0]))
    # A signature over the key is no proof: the proof has a domain of its own.
    assert not bls.verify_possession(KEYS[0].public, bls.sign(KEYS[0], KEYS[0].public))


@pytest.mark.parametrize(
    "secret",
    [b"", b"\x01", bytes(32), bls.ORDER.to_bytes(32, "big"), b"\xff" * 32, b"\x01" * 33],
    ids=["empty", "short", "zero", "order", "beyond", "long"],
)
def test_bytes_that_are_no_scalar_are_refused_without_being_shown(secret: bytes) -> None:
    with pytest.raises(LearnSettingError) as caught:
        bls.SecretKey(secret)
    assert not secret or secret.hex() not in str(caught.value)


def test_a_secret_is_not_shown_and_not_pickled() -> None:
    secret = bytes(KEYS[0]._key).hex()
    assert len(secret) == 64
    assert secret not in f"{KEYS[0]!r} {KEYS[0]}"
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(KEYS[0])


def test_a_memo_keeps_what_was_asked_for_last() -> None:
    memo: Memo[int, bool] = Memo(2)
    memo.put(1, False)
    memo.put(2, True)
    assert memo.get(1) is False
    memo.put(3, True)
    assert memo.get(2) is None
    assert memo.get(1) is False
    assert len(memo) == 2
