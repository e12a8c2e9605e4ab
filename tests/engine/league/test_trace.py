"""Traces: the records' form, their hashes by an independent computation, and proofs of every step."""

from __future__ import annotations

import struct
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.merkle import trace_root_from_path
from engine.league.errors import TraceError
from engine.league.hasher import Hasher
from engine.league.match import Outcome
from engine.league.trace import CAUSE_NAMES, Trace, first_difference, trace_root


def record(
    step: int, seat: int = 0, flags: int = 0, packed: int = 5, action: int = 1, gas: int = 3, obs: bytes | None = None
) -> bytes:
    shown = packed.to_bytes(8, "little") if obs is None else obs
    head = struct.pack("<IHHIIQQ", step, seat, flags, len(shown), gas, packed, action)
    return head + shown + bytes(-len(shown) % 8)


def h(*parts: bytes) -> bytes:
    return sha256(b"".join(parts)).digest()


def merkle(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, as it is defined there."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return h(b"\x01", merkle(leaves[:k]), merkle(leaves[k:]))


def test_leaves_and_root_are_as_the_page_defines_them() -> None:
    data = record(0) + record(1, seat=1, flags=2, obs=b"hello") + record(2, flags=1, action=2)
    leaves = [
        h(b"\0", (0).to_bytes(8, "big"), h(b"\x02", (5).to_bytes(8, "little")), h(b"\x03", (1).to_bytes(8, "little"))),
        h(b"\0", (1).to_bytes(8, "big"), h(b"\x02", b"hello"), h(b"\x03", (1).to_bytes(8, "little"))),
        h(b"\0", (2).to_bytes(8, "big"), h(b"\x02", (5).to_bytes(8, "little")), h(b"\x04", b"\x02")),
    ]
    trace = Trace(data, 2)
    assert [item.leaf() for item in trace] == leaves
    assert trace.root == merkle(leaves)
    assert (trace[2].cause, trace[2].legal, trace[0].legal) == ("STACK", None, True)


def test_an_empty_trace_has_the_empty_root() -> None:
    assert Trace(b"", 1).root == sha256(b"").digest()
    assert Hasher().root(b"") == sha256(b"").digest()


@given(st.lists(st.binary(max_size=40), max_size=40))
def test_every_step_is_proved_and_no_other_is(shown) -> None:
    data = b"".join(record(step, flags=2, obs=obs) for step, obs in enumerate(shown))
    trace = Trace(data, 1)
    assert trace.root == merkle([item.leaf() for item in trace])
    for step, item in enumerate(trace):
        path = trace.path(step)
        assert trace_root_from_path(item.leaf(), step, len(trace), path) == trace.root
        other = (step + 1) % len(trace)
        if other != step:
            assert trace_root_from_path(item.leaf(), other, len(trace), path) != trace.root


def test_the_fast_hasher_agrees_on_real_traces(arena, snake, sample_files) -> None:
    hasher = Hasher()
    for file in sample_files.values():
        result = arena.play(file, system=snake, seed=21)
        assert hasher.root(result.trace) == trace_root(result.trace, 1) == result.trace_root
        assert hasher.leaves(result.trace) == b"".join(item.leaf() for item in Trace(result.trace, 1))


def test_records_hold_what_happened(arena) -> None:
    result = arena.play(arena.one, arena.decide("(i64.const 44)"), system=arena.system(seats=2, legal=False))
    steps = list(Trace(result.trace, 2))
    assert [item.seat for item in steps] == [0, 1] * 5
    assert [item.action for item in steps] == [1, 44] * 5
    assert [item.packed for item in steps] == [0, *[1, 44] * 4, 1]
    assert {item.gas_used for item in steps} == {3}
    assert result.outcome is Outcome.FINISHED


def test_an_illegal_action_ends_the_trace(arena) -> None:
    result = arena.play(arena.decide("(i64.const 44)"))
    (only,) = Trace(result.trace, 1)
    assert (only.fault, only.cause, only.legal, only.gas_used) == (3, "ILLEGAL_ACTION", False, 3)


def test_a_fault_commits_its_observation(arena, snake, sample_files) -> None:
    result = arena.play(sample_files["trapper"], system=snake)
    steps = list(Trace(result.trace, 1))
    assert [item.fault for item in steps] == [None] * (len(steps) - 1) + [16]
    assert steps[-1].observation == steps[-1].packed.to_bytes(8, "little") != bytes(8)
    assert 0 < steps[-1].gas_used < 100


MALFORMED = {
    "cut header": (record(0)[:20], "cut off"),
    "cut observation": (record(0)[:36], "does not fit"),
    "observation too long": (record(0, flags=2, obs=bytes(16_385)), "does not fit"),
    "wrong number": (record(1), "says step 1"),
    "repeated step": (record(0) + record(0), "says step 0"),
    "seat that is not there": (record(0, seat=2), "seat 2"),
    "unknown flag": (record(0, flags=4), "flags 0x4"),
    "fault that is unknown": (record(0, flags=1, action=99), "code 99"),
    "fault before the end": (record(0, flags=1, action=2) + record(1), "not the last step"),
    "observation that is not the packed one": (record(0, obs=b"notfive!"), "not the packed"),
    "short observation without mailbox": (record(0, obs=b"abc"), "not the packed"),
    "dirty padding": (record(0, flags=2, obs=b"abc")[:-1] + b"x", "padding"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_bytes_that_are_no_trace_are_refused(name) -> None:
    data, reason = MALFORMED[name]
    with pytest.raises(TraceError, match=reason):
        Trace(data, 2)


def test_a_step_outside_is_an_index_error() -> None:
    trace = Trace(record(0), 1)
    for step in (-1, 1):
        with pytest.raises(IndexError):
            trace[step]


def test_the_first_difference_is_found() -> None:
    same = record(0) + record(1)
    assert first_difference(same, same, 1) is None
    assert first_difference(same, record(0) + record(1, action=9), 1) == 1
    assert first_difference(same, record(0, gas=4) + record(1), 1) == 0
    assert first_difference(same, record(0), 1) == 1
    assert first_difference(b"", same, 1) == 0


def test_codes_and_names_are_those_of_the_format() -> None:
    assert set(CAUSE_NAMES) == {1, 2, 3, 4, *range(16, 25)}
    assert all(CAUSE_NAMES[code].startswith("TRAP ") == (code >= 16) for code in CAUSE_NAMES)
