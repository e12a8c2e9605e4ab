"""JSON from outside, and the one canonical form."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.hashing import canonical_json, parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(VALUES)
def test_canonical_json_reads_back(value: object) -> None:
    text = canonical_json(value)
    assert parse_json(text) == value
    assert canonical_json(parse_json(text)) == text


@pytest.mark.parametrize("value", [0.5, [1.0], {"a": 0.0}, {1: 2}])
def test_canonical_json_refuses_what_prints_differently_elsewhere(value: object) -> None:
    with pytest.raises(TypeError):
        canonical_json(value)


@pytest.mark.parametrize("data", [b"", b"[", b"\xff", b"{'a': 1}", b'{"a": 1} x'])
def test_what_is_no_json_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        parse_json(data)


def test_depth_counts_brackets_outside_of_strings_only() -> None:
    assert parse_json("[" * 64 + "]" * 64)
    with pytest.raises(ValueError, match="deeper than 64"):
        parse_json("[" * 65 + "]" * 65)
    assert parse_json(json.dumps({"text": '[[[[[["{\\'})) == {"text": '[[[[[["{\\'}
    assert len(parse_json("[" + "[]," * 200 + "[]]")) == 201


def test_a_deep_document_does_not_end_the_process() -> None:
    """With the recursion limit that libraries of the chain set, the plain parser overruns the C stack here."""
    code = (
        "import sys; sys.setrecursionlimit(100_000)\n"
        "from engine.core.hashing import parse_json\n"
        "try: parse_json(b'[' * 1_000_000)\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "deeper" in done.stdout


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "'a' comes twice"),
        ('[{"x": {"y": 1, "y": 1}}]', "'y' comes twice"),
        ("[NaN]", "NaN is no number"),
        ('{"a": -Infinity}', "-Infinity is no number"),
    ],
)
def test_strict_json_refuses_what_json_does_not_know(text: str, why: str) -> None:
    parse_json(text)
    with pytest.raises(ValueError, match=why):
        parse_json(text, strict=True)


def test_strict_json_is_quick_with_many_names() -> None:
    names = ",".join(f'"{number}": 1' for number in range(200_000))
    assert len(parse_json(f"{{{names}}}", strict=True)) == 200_000
    with pytest.raises(ValueError, match="'199999' comes twice"):
        parse_json(f'{{{names}, "199999": 1}}', strict=True)
