"""Derivation of keys against the published vectors of EIP-2333, and what must hold for all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learning.crypto.bls import ORDER, SecretKey
from engine.learning.crypto.eip2333 import derive_child, derive_master, derive_path, hkdf_mod_r
from engine.learning.errors import LearnSettingError

CASES = json.loads((Path(__file__).parents[3] / "vectors" / "eip2333.json").read_text("utf-8"))["cases"]
SEED = bytes(range(32))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["seed"][:8])
def test_the_published_vectors_come_out(case: dict[str, Any]) -> None:
    master = derive_master(bytes.fromhex(case["seed"]))
    assert master == int(case["master"])
    assert derive_child(master, case["index"]) == int(case["child"])
    assert derive_path(f"m/{case['index']}", bytes.fromhex(case["seed"])) == int(case["child"])


def test_a_path_is_walked_step_by_step() -> None:
    key = derive_master(SEED)
    assert derive_path("m", SEED) == key
    for step in (12381, 3600, 7, 0, 0):
        key = derive_child(key, step)
    assert derive_path("m/12381/3600/7/0/0", SEED) == key


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=32, max_size=80), st.integers(0, 2**32 - 1))
def test_every_key_signs(seed: bytes, index: int) -> None:
    master = derive_master(seed)
    child = derive_child(master, index)
    assert 0 < child < ORDER
    assert child != master
    assert len(SecretKey(child.to_bytes(32, "big")).public) == 48


@settings(max_examples=15, deadline=None)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=4, unique=True))
def test_siblings_differ(indices: list[int]) -> None:
    master = derive_master(SEED)
    assert len({derive_child(master, index) for index in indices}) == len(indices)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=64), st.binary(max_size=16))
def test_material_and_info_both_count(material: bytes, info: bytes) -> None:
    key = hkdf_mod_r(material, info)
    assert 0 < key < ORDER
    assert key != hkdf_mod_r(material + b"\x00", info)
    assert key != hkdf_mod_r(material, info + b"\x00")


@pytest.mark.parametrize("seed", [b"", bytes(31)])
def test_a_short_seed_is_refused(seed: bytes) -> None:
    with pytest.raises(LearnSettingError, match="at least 32"):
        derive_master(seed)


@pytest.mark.parametrize(
    "path", ["", "/", "m/", "m//0", "M/0", "m/-1", "m/01", "m/0'", "m/0x1", "m/1/", " m/1", "m/1\n"]
)
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(LearnSettingError, match="no path"):
        derive_path(path, SEED)


def test_an_index_beyond_four_bytes_is_refused() -> None:
    with pytest.raises(LearnSettingError, match="out of range"):
        derive_path("m/4294967296", SEED)
    with pytest.raises(LearnSettingError, match="out of range"):
        derive_child(0, 1)
