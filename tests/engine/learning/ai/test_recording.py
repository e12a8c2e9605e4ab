from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learning.ai.model import PRESETS, spec_of
from engine.learning.ai.recording import MAGIC, Recording, pack, seed_of, turned, unpack, written
from engine.learning.ai.shipped import HASHES, ship, shipped_bytes, shipped_folder
from engine.learning.ai.start import shared_start
from engine.learning.ai.weights import read_preset, root_of_weights
from engine.learning.brain import Trained
from engine.learning.errors import TrainingError
from engine.learning.updates.delta import parse
from engine.learning.updates.product import norms, products

SPEC = spec_of(PRESETS["nano"])


@pytest.fixture(scope="module")
def recording() -> Recording:
    return Recording.shipped("nano")


def test_everything_recorded_can_be_read_and_is_small(recording: Recording) -> None:
    assert recording.base == root_of_weights(read_preset(PRESETS["nano"]))
    seen = set()
    for entry in recording.entries:
        made = recording.trained(entry.depth, entry.flavour, entry.trainer, 0, SPEC)
        seen.add(made.delta)
        assert 0 < norms(products([parse(made.delta, SPEC)], SPEC))[0] < 10 or entry.flavour != "honest"
        assert 0 < made.loss < 12 and made.seconds > 0
    assert len(seen) == len(recording.entries)
    assert (shipped_folder() / "nano.recording").stat().st_size <= 6_000_000


def test_what_a_byzantine_comparison_needs_is_there(recording: Recording) -> None:
    for flavour, count in {"honest": 13, "label_flip": 6, "backdoor": 6, "overfit": 6}.items():
        for trainer in range(count):
            assert recording.find(0, flavour, trainer).trainer == trainer
    for depth in range(recording.rounds):
        for trainer in range(4):
            assert recording.find(depth, "honest", trainer).depth == depth
        assert recording.find(depth, "backdoor", 5).depth <= depth


def test_its_end_is_told_with_the_number_of_rounds(recording: Recording) -> None:
    with pytest.raises(TrainingError, match=f"{recording.rounds} rounds"):
        recording.find(recording.rounds, "honest", 0)
    with pytest.raises(TrainingError, match="13 honest trainers in round 1, not trainer 13"):
        recording.find(0, "honest", 13)
    with pytest.raises(TrainingError, match="0 lazy trainers"):
        recording.find(0, "lazy", 0)


@pytest.mark.parametrize("turn", [1, 2, 77])
def test_a_turn_changes_the_bytes_and_no_product(recording: Recording, turn: int) -> None:
    plain = recording.trained(0, "honest", 2, 0, SPEC).delta
    other = turned(plain, SPEC, turn)
    assert plain != other and len(plain) == len(other)
    assert recording.trained(0, "backdoor", 2, turn, SPEC).delta != recording.trained(0, "backdoor", 2, 0, SPEC).delta
    one, two = parse(plain, SPEC), parse(other, SPEC)
    for key in one:
        assert np.abs(one[key][1] @ one[key][0] - two[key][1] @ two[key][0]).max() < 1e-6


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32), st.binary(max_size=8))
def test_packing_loses_nothing(number: int, seed: bytes) -> None:
    delta = SPEC.header + np.random.default_rng(number).bytes(SPEC.size - len(SPEC.header))
    assert unpack(pack(delta, SPEC, seed), SPEC, seed) == delta


def test_damage_is_told(recording: Recording, tmp_path: Path) -> None:
    for name in ("nano.recording", HASHES):
        (tmp_path / name).write_bytes((shipped_folder() / name).read_bytes())
    good = shipped_bytes("nano.recording", tmp_path)
    for bad in (good[:-1], good[:100] + b"x" + good[101:], b""):
        (tmp_path / "nano.recording").write_bytes(bad)
        with pytest.raises(TrainingError, match="another hash"):
            shipped_bytes("nano.recording", tmp_path)
    for hashes in ("", "[]", "{}", "null"):
        (tmp_path / HASHES).write_text(hashes)
        with pytest.raises(TrainingError):
            shipped_bytes("nano.recording", tmp_path)
    for data in (b"", MAGIC, MAGIC + bytes(7), MAGIC + b"\xff" * 8, MAGIC + bytes(7) + b"\x02{}", b"another file"):
        with pytest.raises(TrainingError, match="cannot be read"):
            Recording(data)


def test_a_delta_that_is_not_what_was_recorded_is_refused() -> None:
    seed = seed_of(0)
    delta = SPEC.header + bytes(SPEC.size - len(SPEC.header))
    rows = [(0, "honest", 0, Trained(delta, 1.5, 0.25), pack(delta, SPEC, seed))]
    data = written("nano", b"g" * 32, 20, rows)
    good = Recording(data)
    assert good.trained(0, "honest", 0, 0, SPEC) == Trained(delta, 1.5, 0.25) and good.rounds == 1
    for bad in (data[:-9], data[:-30] + bytes(30)):
        with pytest.raises(TrainingError, match="cannot be read"):
            Recording(bad).trained(0, "honest", 0, 0, SPEC)


def test_shipping_notes_the_hash(tmp_path: Path) -> None:
    ship(tmp_path / "a", b"1")
    ship(tmp_path / "b", b"2")
    ship(tmp_path / "a", b"3")
    assert sorted(json.loads((tmp_path / HASHES).read_text())) == ["a", "b"]
    assert shipped_bytes("a", tmp_path) == b"3" and shipped_bytes("b", tmp_path) == b"2"


def test_the_start_of_a_round_is_shared_and_uniform() -> None:
    one, again, other = shared_start(SPEC, b"s"), shared_start(SPEC, b"s"), shared_start(SPEC, b"t")
    for key, _, inner in SPEC.targets:
        assert (one[key] == again[key]).all() and (one[key] != other[key]).any()
        assert np.abs(one[key]).max() <= 1 / np.sqrt(inner) and one[key].shape == (8, inner)
    numbers = np.concatenate([one[key].ravel() * np.sqrt(inner) for key, _, inner in SPEC.targets])
    assert abs(numbers.mean()) < 0.05 and abs(numbers.std() - 3**-0.5) < 0.02
