from __future__ import annotations

import random
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.consensus.agents.encoding import _features, encode, features
from engine.consensus.errors import ConsensusError
from engine.consensus.tasks import Task, canonical, task_of
from engine.core.hashing import keccak

PORTFOLIO = {
    "type": "portfolio_allocation",
    "parameters": {"total_amount": 1000000, "risk_tolerance": "moderate", "investment_horizon": "5_years"},
}
TEXT = {"type": "content_moderation", "content": "They say the earth is flat, friends! " * 3, "policies": ["violence"]}

PINNED_PORTFOLIO = [1.933773, 3.760437, -0.010066, 0.574897, -0.166111, 1.270841]
PINNED_TEXT = [0.403835, -1.477195, 0.316619, -1.451126]
PINNED_SERIES = [1.926802, 0.552217, -0.46929]


def made(document: dict[str, Any]) -> Task:
    return Task("test", document, ("x",), "box", keccak(canonical(document)))


def test_vectors_are_pinned() -> None:
    """Models are trained on these numbers: when they change, shipped weights are worth nothing."""
    assert features(task_of(PORTFOLIO), 6).tolist() == PINNED_PORTFOLIO
    assert features(task_of(TEXT), 4).tolist() == PINNED_TEXT
    assert features(made({"type": "test", "series": [1, 2.5, 4], "flag": True}), 3).tolist() == PINNED_SERIES


def test_another_process_gives_the_same_numbers() -> None:
    code = (
        "from engine.consensus.agents.encoding import encode; from engine.consensus.tasks import task_of\n"
        f"print(encode(task_of({PORTFOLIO!r}), 6).tolist())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(encode(task_of(PORTFOLIO), 6).tolist())


@pytest.mark.parametrize("width", [1, 2, 3, 64, 1000])
def test_any_width_tells_tasks_apart(width: int) -> None:
    seen = set()
    for amount in (1, 2, 1_000_000, 1_000_001):
        for risk in ("conservative", "moderate", "aggressive"):
            for horizon in ("1_day", "2_days", "5_years"):
                parameters = {"total_amount": amount, "risk_tolerance": risk, "investment_horizon": horizon}
                vector = features(task_of(PORTFOLIO | {"parameters": parameters}), width)
                assert vector.shape == (width,)
                assert np.isfinite(vector).all()
                assert np.abs(vector).max() < 20
                seen.add(tuple(vector))
    assert len(seen) == 36


def test_a_tensor_on_the_processor() -> None:
    vector = encode(task_of(PORTFOLIO), 9)
    assert vector.dtype == torch.float32
    assert vector.shape == (9,)
    vector[:] = 0  # what a caller does to it stays with the caller
    assert encode(task_of(PORTFOLIO), 9).abs().sum() > 0


@pytest.mark.parametrize("width", [0, -1, (1 << 20) + 1])
def test_no_such_width(width: int) -> None:
    with pytest.raises(ConsensusError, match="cannot be encoded"):
        encode(task_of(PORTFOLIO), width)


def test_titles_are_for_people() -> None:
    assert features(task_of(PORTFOLIO | {"title": "Mine"}), 8).tolist() == features(task_of(PORTFOLIO), 8).tolist()


def test_long_texts_count_to_their_last_letter() -> None:
    long = "word " * 20_000
    one, other = (features(task_of(TEXT | {"content": long + end}), 64) for end in ("a", "b"))
    assert (one != other).any()
    alike = features(task_of(TEXT | {"content": "They say the earth is flat, folks! " * 3}), 64)
    apart = features(task_of(TEXT | {"content": "Nobody ever wrote a better recipe for soup. " * 3}), 64)
    text = features(task_of(TEXT), 64)
    assert np.linalg.norm(text - alike) < np.linalg.norm(text - apart)


leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
documents = st.dictionaries(
    st.text(), st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)
)


@given(documents, st.integers(1, 40), st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(document: dict[str, Any], width: int, luck: random.Random) -> None:
    def turned(part: Any) -> Any:
        if isinstance(part, list):
            return [turned(item) for item in part]
        if not isinstance(part, dict):
            return part
        names = list(part)
        luck.shuffle(names)
        return {name: turned(part[name]) for name in names}

    try:
        task = made(document)
    except ConsensusError:  # lone surrogates have no UTF-8
        return
    vector = features(task, width)
    assert np.isfinite(vector).all()
    _features.cache_clear()
    assert vector.tolist() == features(made(turned(document)), width).tolist()


@given(st.integers(-(10**400), 10**400))
def test_numbers_of_any_size_are_read(number: int) -> None:
    assert np.isfinite(features(made({"type": "test", "n": number, "list": [number, 1]}), 4)).all()
