"""The fast hasher against the clear one: hashlib and the reference tree."""

from __future__ import annotations

import gc
import random
import struct
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import DependencyError
from engine.core.merkle import TraceTree
from engine.core.paths import assets_dir
from engine.league.errors import SandboxError, TraceError
from engine.league.hasher import Hasher
from engine.league.trace import CAUSE_NAMES, Trace

FAULT, MAILBOX = 1, 2
HEADER = struct.Struct("<IHHIIQQ")
MASK = 2**64 - 1
# Lengths at which a message gains a block, with domain byte and padding: 55 and 119 bytes fill one and two.
EDGES = [0, 1, 7, 8, 9, 53, 54, 55, 56, 62, 63, 64, 65, 116, 117, 118, 119, 120, 126, 127, 128, 181, 182, 183, 16384]


def record(
    step: int, action: int, *, packed: int = 0, obs: bytes | None = None, fault: bool = False, gas: int = 9
) -> bytes:
    flags = FAULT * fault | MAILBOX * (obs is not None)
    shown = packed.to_bytes(8, "little") if obs is None else obs
    return HEADER.pack(step, 0, flags, len(shown), gas, packed, action) + shown + bytes(-len(shown) % 8)


def leaf(step: int, shown: bytes, action: int, fault: bool) -> bytes:
    """The leaf as the format says it, written out."""
    obs = sha256(b"\x02" + shown).digest()
    done = b"\x04" + bytes([action]) if fault else b"\x03" + action.to_bytes(8, "little")
    return sha256(b"\x00" + step.to_bytes(8, "big") + obs + sha256(done).digest()).digest()


@pytest.fixture(scope="module")
def hasher() -> Hasher:
    return Hasher()


def check(hasher: Hasher, steps: list[tuple[int, int, bytes | None]], fault: int | None = None) -> None:
    """Compare both hashers on (packed, action, mailbox bytes); ``fault`` is the code of the last step."""
    records, leaves = [], []
    for number, (packed, action, obs) in enumerate(steps):
        faulty = fault is not None and number == len(steps) - 1
        action = fault if faulty and fault is not None else action
        records.append(record(number, action, packed=packed, obs=obs, fault=faulty))
        leaves.append(leaf(number, packed.to_bytes(8, "little") if obs is None else obs, action, faulty))
    trace = b"".join(records)
    root = TraceTree(leaves).root
    assert hasher.root(trace) == root
    assert hasher.leaves(trace) == b"".join(leaves)
    assert hasher.hash(trace) == (root, b"".join(leaves))
    assert Trace(trace, 1).root == root


U64 = st.integers(0, MASK) | st.sampled_from([*range(-3, 70), 2**63, MASK - 1]).map(lambda n: n & MASK)
STEP = st.tuples(U64, U64, st.none() | st.binary(max_size=300))


@given(st.lists(STEP, max_size=40), st.none() | st.sampled_from(sorted(CAUSE_NAMES)))
@settings(max_examples=150, deadline=None)
def test_any_trace_hashes_as_the_reference(
    hasher: Hasher, steps: list[tuple[int, int, bytes | None]], fault: int | None
) -> None:
    check(hasher, steps, fault)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 33, 255, 256, 257, 300, 1023, 2000])
@pytest.mark.parametrize("kind", ["packed", "mailbox", "mixed"])
def test_every_shape_of_tree(hasher: Hasher, size: int, kind: str) -> None:
    draw = random.Random(f"{size} {kind}")
    steps = []
    for _ in range(size):
        bytes_shown = kind == "mailbox" or (kind == "mixed" and draw.random() < 0.5)
        length = 116 if kind == "mailbox" else draw.choice(EDGES[:-1])
        obs = draw.randbytes(length) if bytes_shown else None
        action = draw.getrandbits(64) if draw.random() < 0.05 else draw.randrange(-1, 4) & MASK
        steps.append((draw.getrandbits(64), action, obs))
    check(hasher, steps, draw.choice([None, *CAUSE_NAMES]) if size else None)


@pytest.mark.parametrize("length", EDGES)
def test_every_length_at_which_padding_changes(hasher: Hasher, length: int) -> None:
    obs = random.Random(length).randbytes(length)
    check(hasher, [(1, 2, obs)])
    check(hasher, [(1, 2, obs), (3, 4, None), (5, 6, obs[: length // 2]), (7, 8, obs), (9, 10, b"")])


@pytest.mark.parametrize("action", [0, 62, 63, 64, 255, 256, 2**32, 2**63, MASK - 1, MASK])
def test_actions_in_the_table_and_beside_it(hasher: Hasher, action: int) -> None:
    check(hasher, [(5, action, None)])
    check(hasher, [(5, 1, None), (5, action, None), (5, 2, b"board"), (5, 3, None), (5, action, None)])


@pytest.mark.parametrize("code", sorted(CAUSE_NAMES))
def test_every_fault(hasher: Hasher, code: int) -> None:
    check(hasher, [(5, 1, None)] * 4, code)
    check(hasher, [(5, 1, b"seen")], code)


def test_the_empty_trace_has_the_empty_hash(hasher: Hasher) -> None:
    assert hasher.root(b"") == sha256(b"").digest()
    assert hasher.leaves(b"") == b""


def test_gas_and_seat_are_not_hashed(hasher: Hasher) -> None:
    assert hasher.root(record(0, 1, gas=5)) == hasher.root(record(0, 1, gas=6))


GOOD = record(0, 1, packed=77) + record(1, 2, obs=b"abc")
MALFORMED = {
    "header is cut off": GOOD[:60],
    "header is cut off ": GOOD + b"\0" * 31,
    "longer than 16384": record(0, 1, obs=bytes(16385)),
    "observation is cut off": GOOD[:-1],
    "observation is cut off ": HEADER.pack(0, 0, 2, 16384, 0, 0, 0),
    "longer than 16384 ": HEADER.pack(0, 0, 2, 2**32 - 1, 0, 0, 0),
    "padding": GOOD[:-1] + b"\x01",
    "unknown flags": HEADER.pack(0, 0, 4, 8, 0, 0, 0) + bytes(8),
    "unknown flags ": HEADER.pack(0, 0, 0x8000, 8, 0, 0, 0) + bytes(8),
    "unknown code": record(0, 0, fault=True),
    "unknown code ": record(0, 5, fault=True),
    "unknown code  ": record(0, 2**32 + 1, fault=True),
    "packed observation": HEADER.pack(0, 0, 0, 8, 0, 1, 0) + bytes(8),
    "packed observation ": HEADER.pack(0, 0, 0, 0, 0, 0, 0),
    "numbered": record(1, 1),
    "numbered ": record(0, 1) + record(2, 1),
    "numbered  ": record(0, 1) * 2,
    "not the last": record(0, 1, fault=True) + record(1, 1),
}


@pytest.mark.parametrize("why", MALFORMED)
def test_what_is_no_trace_is_refused_with_the_reason(hasher: Hasher, why: str) -> None:
    for call in (hasher.root, hasher.leaves):
        with pytest.raises(TraceError, match=why.strip()) as caught:
            call(MALFORMED[why])
        assert caught.value.exit_code == 3
    with pytest.raises(TraceError):
        Trace(MALFORMED[why], 1)
    assert hasher.root(GOOD) == Trace(GOOD, 1).root


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_flipped_bit_is_refused_or_changes_nothing_but_itself(hasher: Hasher, data: st.DataObject) -> None:
    """Whatever the fast hasher accepts, the clear one accepts too, with the same root."""
    trace = bytearray(b"".join(record(n, n, packed=n * 7919, obs=[None, b"12345"][n % 2]) for n in range(6)))
    bit = data.draw(st.integers(0, len(trace) * 8 - 1))
    trace[bit // 8] ^= 1 << bit % 8
    try:
        root = hasher.root(bytes(trace))
    except TraceError:
        with pytest.raises(TraceError):
            Trace(bytes(trace), 1)
        return
    assert root == Trace(bytes(trace), 2**16).root


def test_growth_keeps_what_was_said_before_right(hasher: Hasher) -> None:
    fresh = Hasher()
    small = b"".join(record(n, n % 4) for n in range(10))
    before = fresh.root(small)
    big = b"".join(record(n, n % 4, obs=bytes([n % 251]) * 2000) for n in range(2000))
    assert fresh.root(big) == Trace(big, 1).root
    assert fresh.root(small) == before == Trace(small, 1).root


def test_two_hashers_do_not_disturb_each_other() -> None:
    one, other = Hasher(), Hasher()
    a, b = record(0, 1), record(0, 2)
    roots = one.root(a), other.root(b)
    del one
    gc.collect()
    assert roots == (Trace(a, 1).root, Trace(b, 1).root)
    assert other.root(a) == roots[0]


def test_a_trace_beyond_the_memory_is_refused(hasher: Hasher) -> None:
    with pytest.raises(SandboxError, match="no room"):
        hasher.root(bytes(2**30 + 1))  # zero pages that nobody touches
    assert hasher.root(GOOD) == Trace(GOOD, 1).root


def test_a_missing_module_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match=r"missing.*Install Nashboard again"):
        Hasher(tmp_path / "trace_hasher.wasm")


def test_another_module_is_refused(tmp_path: Path) -> None:
    changed = bytearray((assets_dir() / "hasher" / "trace_hasher.wasm").read_bytes())
    changed[-1] ^= 1
    path = tmp_path / "trace_hasher.wasm"
    path.write_bytes(changed)
    with pytest.raises(DependencyError, match="not the one of this version"):
        Hasher(path)
