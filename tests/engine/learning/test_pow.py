"""Proof of work: what is found fits, is found again, and is bound to every field of the header."""

from __future__ import annotations

import asyncio
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learning import pow as work
from engine.learning.types import ExecutionHeader


def header(**changes: Any) -> ExecutionHeader:
    fields: dict[str, Any] = {
        "parent_hash": b"\x01" * 32,
        "number": 3,
        "timestamp": 36,
        "proposer_index": 2,
        "model_root": b"\x02" * 32,
        "extra_data": b"\x01" * 32 + b"\x03" * 32,
    }
    return ExecutionHeader(**(fields | changes))


@pytest.mark.parametrize("bits", [0, 1, 7, 8, 9, 12])
def test_a_mined_header_has_the_bits_and_less_work_does_not(bits: int) -> None:
    mined = work.mine(header(), bits)
    assert work.check(mined, bits)
    assert int.from_bytes(work.hash_of(mined), "big") >> (256 - bits) == 0
    assert int(mined.difficulty_bits) == bits
    for nonce in range(int(mined.nonce)):  # the first that fits
        earlier = mined.copy()
        earlier.nonce = nonce
        assert not work.check(earlier, bits)


def test_the_hash_is_of_the_ssz_bytes() -> None:
    mined = work.mine(header(), 4)
    assert len(mined.encode_bytes()) == 161
    assert mined.encode_bytes()[-8:] == int(mined.nonce).to_bytes(8, "little")
    assert work.hash_of(mined) == sha256(b"POL-AI/pow/" + mined.encode_bytes()).digest()


def test_mining_leaves_the_header_as_it_was() -> None:
    asked = header()
    before = asked.encode_bytes()
    assert work.mine(asked, 6).encode_bytes() == work.mine(asked, 6).encode_bytes()
    assert asked.encode_bytes() == before


def test_a_header_that_claims_another_difficulty_does_not_pass() -> None:
    mined = work.mine(header(), 8)
    assert not work.check(mined, 7)  # it has the zeros, but says otherwise
    assert not work.check(mined, 9)
    claimed = mined.copy()
    claimed.difficulty_bits = 28
    assert not work.check(claimed, 28)


@pytest.mark.parametrize(
    "change",
    [
        {"parent_hash": b"\x09" * 32},
        {"number": 4},
        {"timestamp": 37},
        {"proposer_index": 3},
        {"model_root": b"\x09" * 32},
        {"extra_data": b"\x01" * 32 + b"\x04" * 32},
    ],
    ids=lambda change: next(iter(change)),
)
def test_work_does_not_pass_on_to_a_changed_header(change: dict[str, Any]) -> None:
    mined = work.mine(header(), 16)
    for name, value in change.items():
        setattr(mined, name, value)
    assert not work.check(mined, 16)


@settings(max_examples=40, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_leading_zeros_are_counted_bit_by_bit(digest: bytes) -> None:
    text = "".join(f"{byte:08b}" for byte in digest)
    assert work.leading_zeros(digest) == len(text) - len(text.lstrip("0"))


def test_leading_zeros_of_zero() -> None:
    assert work.leading_zeros(bytes(32)) == 256


@pytest.mark.parametrize("bits", [-1, 29])
def test_a_difficulty_out_of_range_is_refused(bits: int) -> None:
    with pytest.raises(ValueError, match="0 to 28"):
        work.mine(header(), bits)


def test_slices_find_the_same_as_one_go() -> None:
    found = list(work.search(header(), 10, attempts=50))
    assert found[-1] is not None
    assert found[:-1] == [None] * (int(found[-1].nonce) // 50)
    assert found[-1] == work.mine(header(), 10)


async def test_the_loop_goes_on_beside_hard_work_which_can_be_cancelled() -> None:
    looked = 0
    task = asyncio.create_task(work.mine_beside(header(), 28))
    for _ in range(5):
        await asyncio.sleep(0)
        looked += 1
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert looked == 5
    assert await work.mine_beside(header(), 9) == work.mine(header(), 9)
