"""Texts are drawn without preference, the same everywhere, and the gate computes in integers."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.learning.config import GATE_FLOOR
from engine.learning.errors import LearnSettingError
from engine.learning.updates.draw import POOL, SUBSET, explained, gate_texts, member_subset, verdict

ID, MIX = b"\x01" * 32, b"\x02" * 32
HASHES = st.binary(min_size=32, max_size=32)


@given(HASHES, HASHES, st.integers(0, 600), st.integers(600, 5000))
def test_texts_are_drawn_once_each(update_id: bytes, mix: bytes, count: int, pool: int) -> None:
    drawn = gate_texts(update_id, mix, count, pool)
    assert len(set(drawn)) == len(drawn) == count
    assert all(0 <= text < pool for text in drawn)
    assert drawn == gate_texts(update_id, mix, count, pool)
    assert drawn[: count // 2] == gate_texts(update_id, mix, count // 2, pool)


def test_the_draw_is_the_written_one() -> None:
    """Anybody must draw the same: SHA-256 in counter mode, 64 bits big-endian, first numbers of Fisher and Yates."""
    seed = sha256(b"POL-AI gate texts" + ID + MIX).digest()
    block = sha256(seed + bytes(8)).digest()
    order = list(range(POOL))
    for place in range(4):
        other = place + int.from_bytes(block[8 * place : 8 * place + 8], "big") % (POOL - place)
        order[place], order[other] = order[other], order[place]
    assert gate_texts(ID, MIX, 4, POOL) == tuple(order[:4])


def test_everything_can_be_drawn_and_no_more() -> None:
    assert sorted(gate_texts(ID, MIX, POOL, POOL)) == list(range(POOL))
    with pytest.raises(LearnSettingError, match="the pool has 9"):
        gate_texts(ID, MIX, 10, 9)


def test_every_text_comes_up_alike() -> None:
    counts = np.zeros(64)
    for number in range(1000):
        counts[list(gate_texts(number.to_bytes(32, "big"), MIX, 16, 64))] += 1
    # 250 a text, variance 1000 * 1/4 * 3/4, and texts push each other out: chi-square over 63 degrees of freedom
    assert ((counts - 250) ** 2 / 187.5).sum() * 63 / 64 < 120


def test_neither_the_update_nor_the_mix_alone_says_what_is_drawn() -> None:
    base = set(gate_texts(ID, MIX, 512, POOL))
    for other in (gate_texts(ID, ID, 512, POOL), gate_texts(MIX, MIX, 512, POOL)):
        assert len(base & set(other)) < 128  # 64 expected by chance


@given(st.binary(min_size=48, max_size=48), st.integers(0, 40))
def test_members_get_texts_of_their_own_out_of_the_drawn(pubkey: bytes, count: int) -> None:
    drawn = gate_texts(ID, MIX, count, POOL)
    mine = member_subset(ID, pubkey, drawn)
    assert len(set(mine)) == len(mine) == min(SUBSET, count)
    assert set(mine) <= set(drawn)


def test_members_differ() -> None:
    drawn = gate_texts(ID, MIX, 512, POOL)
    assert len({member_subset(ID, bytes([n]) * 48, drawn) for n in range(100)}) == 100


LOSSES = st.lists(st.integers(0, 10**13), min_size=1, max_size=20)


@given(LOSSES, st.data())
def test_the_gate_is_the_inequality_in_integers(before: list[int], data: st.DataObject) -> None:
    after = data.draw(st.lists(st.integers(0, 10**13), min_size=len(before), max_size=len(before)))
    wanted = 1000 * sum(after) < 999 * sum(before) or sum(before) < GATE_FLOOR * len(before)
    assert verdict(before, after) == (wanted, "" if wanted else "gate")
    assert explained(before, after).endswith(".")


def test_the_gates_edges() -> None:
    assert verdict([10**12], [999 * 10**9]) == (False, "gate")
    assert verdict([10**12], [999 * 10**9 - 1]) == (True, "")
    assert verdict([GATE_FLOOR - 1], [10**15]) == (True, "")
    assert verdict([GATE_FLOOR], [GATE_FLOOR]) == (False, "gate")
    assert "skipped" in explained([GATE_FLOOR - 1], [10**15])
    assert ">= 0.999 x" in explained([10**12], [10**12])
    for before, after in (([], []), ([1], []), ([1], [1, 2])):
        with pytest.raises(ValueError):
            verdict(before, after)
