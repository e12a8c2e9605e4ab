"""What the gate refuses, and that its reason names what is wrong."""

from __future__ import annotations

import os

import pytest

from engine.league.engines import MAX_MEMORY_BYTES, MAX_TABLE_ENTRIES
from engine.league.gate import MAX_FILE_BYTES
from engine.league.gate.limits import AGENT, SYSTEM
from engine.league.match import Outcome
from engine.league.wasm.leb import unsigned

HEADER = b"\0asm\x01\0\0\0"
DECIDE = '(func (export "decide") (param i64) (result i64) {body})'


def module(parts: str = "", body: str = "(i64.const 1)", locals_: str = "") -> str:
    return f"(module {parts} {DECIDE.format(body=locals_ + body)})"


def section(number: int, content: bytes) -> bytes:
    return bytes((number,)) + unsigned(len(content)) + content


def vector(items: list[bytes]) -> bytes:
    return unsigned(len(items)) + b"".join(items)


def raw_module(code: bytes, *, locals_: bytes = b"\0", before_code: bytes = b"") -> bytes:
    """Return a module whose decide has these bytes as its body."""
    body = locals_ + code
    return (
        HEADER
        + section(1, vector([b"\x60\x01\x7e\x01\x7e"]))
        + section(3, vector([b"\0"]))
        + section(7, vector([b"\x06decide\0\0"]))
        + before_code
        + section(10, vector([unsigned(len(body)) + body]))
    )


def many_loops(functions: int) -> bytes:
    """Return a module whose functions each write to 511 locals in 500 loops inside one another: slow to compile."""
    write = b"\x20\x00\x42\x01\x7c\x21" + unsigned(300)
    body = b"\x01" + unsigned(511) + b"\x7e" + (b"\x03\x40" + write) * 500 + b"\x20\x01\xa7\x0d\x00\x0b" * 500
    body += b"\x42\x01\x0b"
    return (
        HEADER
        + section(1, vector([b"\x60\x01\x7e\x01\x7e"]))
        + section(3, vector([b"\0"] * functions))
        + section(7, vector([b"\x06decide\0\0"]))
        + section(10, vector([unsigned(len(body)) + body] * functions))
    )


REJECTED = {
    "WASI import": (module('(import "wasi_snapshot_preview1" "fd_write" (func))'), "wasi_snapshot_preview1.fd_write"),
    "import of the System": (module('(import "s" "step" (func (param i64)))'), "s.step"),
    "imported memory": (module('(import "env" "memory" (memory 1))'), "imports the memory 'env.memory'"),
    "imported global": (module('(import "s" "nb.gas" (global (mut i64)))'), "imports the global 's.nb.gas'"),
    "start function": (module("(func $s) (start $s)"), "start function"),
    "no decide": ('(module (func (export "decode") (param i64) (result i64) (i64.const 1)))', "'decide'"),
    "decide is a global": ('(module (global (export "decide") i64 (i64.const 1)))', "as a global"),
    "wrong parameter": ('(module (func (export "decide") (param i32) (result i64) (i64.const 1)))', "(i32) -> (i64)"),
    "wrong result": ('(module (func (export "decide") (param i64) (result f64) (f64.const 1)))', "(i64) -> (f64)"),
    "no parameter": ('(module (func (export "decide") (result i64) (i64.const 1)))', "() -> (i64)"),
    "two results": (
        '(module (func (export "decide") (param i64) (result i64 i64) (i64.const 1) (i64.const 1)))',
        "(i64) -> (i64, i64)",
    ),
    "half a mailbox": (module('(memory (export "memory") 1) (func (export "nets_obs") (result i32) (i32.const 0))'),
                       "'nets_obs_cap'"),
    "mailbox of the wrong type": (
        module(
            '(memory (export "memory") 1) (func (export "nets_obs") (result i64) (i64.const 0))'
            '(func (export "nets_obs_cap") (result i32) (i32.const 0))'
        ),
        "'nets_obs'",
    ),
    "mailbox without memory": (
        module(
            '(memory 1) (func (export "nets_obs") (result i32) (i32.const 0))'
            '(func (export "nets_obs_cap") (result i32) (i32.const 0))'
        ),
        "'memory'",
    ),
    "65,536 pages": (module("(memory 65536)"), "65536 pages"),
    "65 pages": (module("(memory 65)"), "65 pages, at most 64"),
    "10 M table": (module("(table 10000000 funcref)"), "10000000 entries"),
    "two memories": (module("(memory 1) (memory 1)"), "2 memories"),
    "two tables": (module("(table 1 funcref) (table 1 funcref)"), "2 tables"),
    "shared memory": (module("(memory 1 1 shared)"), "threads"),
    "atomics": (module("(memory 1)", "(drop (i32.atomic.load (i32.const 0))) (i64.const 1)"), "threads"),
    "atomic fence": (module("", "(atomic.fence) (i64.const 1)"), "threads"),
    "relaxed SIMD": (
        module("", "(drop (i8x16.relaxed_swizzle (v128.const i64x2 0 0) (v128.const i64x2 0 0))) (i64.const 1)"),
        "relaxed SIMD",
    ),
    "tail call": (
        module("(func $f (param i64) (result i64) (local.get 0))", "(return_call $f (local.get 0))"),
        "tail call",
    ),
    "exceptions": (module("(tag $e)", "(throw $e)"), "exceptions"),
    "exception block": (module("", "(block $b (try_table (catch_all $b))) (i64.const 1)"), "exceptions"),
    "memory64": (module("(memory i64 1)"), "memory64"),
    "custom page size": (module("(memory 1 (pagesize 1))"), "custom page sizes"),
    "externref table": (module("(table 1 externref)"), "funcref"),
    "externref local": (module("", "(i64.const 1)", "(local externref)"), "externref"),
    "externref null": (module("", "(drop (ref.null extern)) (i64.const 1)"), "null reference"),
    "garbage collection": (module("(type $s (struct (field i32)))"), "0x5f"),
    "function references": (module("(type $f (func))", "(call_ref $f (ref.null $f)) (i64.const 1)"), "reference"),
    "wide arithmetic": (
        module("", "(i64.add128 (i64.const 1) (i64.const 1) (i64.const 1) (i64.const 1)) drop"),
        "wide arithmetic",
    ),
    "the gas global by index": (raw_module(b"\x42\x05\x24\x00\x42\x01\x0b"), "unknown global"),
    "a helper function by index": (raw_module(b"\x41\x05\x10\x06\x1a\x42\x01\x0b"), "unknown function"),
    "49 k locals": (raw_module(b"\x42\x01\x0b", locals_=b"\x01" + unsigned(49_000) + b"\x7e"), "49000 locals"),
    "512 locals and one": (raw_module(b"\x42\x01\x0b", locals_=b"\x01" + unsigned(512) + b"\x7e"), "513 locals"),
    "2^32 locals": (raw_module(b"\x42\x01\x0b", locals_=b"\x02" + (unsigned(2**32 - 1) + b"\x7e") * 2), "locals"),
    "nesting 5,000": (raw_module(b"\x02\x40" * 5000 + b"\x0b" * 5000 + b"\x42\x01\x0b"), "nests deeper"),
    "operand height": (raw_module(b"\x42\x01" * 600 + b"\x7c" * 599 + b"\x0b"), "512 operands"),
    "loops": (raw_module(b"\x03\x40\x0b" * 600 + b"\x42\x01\x0b"), "more than 512 loops"),
    "huge body": (raw_module(b"\x01" * 70_000 + b"\x42\x01\x0b"), "at most 65536"),
    "huge code": (
        module("".join(f"(func {'(nop)' * 60_000})" for _ in range(20))),
        "bytes of code",
    ),
    "20 k br_table": (raw_module(b"\x42\x01\x41\0\x0e" + unsigned(20_000) + b"\0" * 20_001 + b"\x0b"), "branch tables"),
    "100 k br_table": (raw_module(b"\x42\x01\x41\0\x0e" + unsigned(100_000) + b"\0" * 100_001 + b"\x0b"), "at most"),
    "20 k functions": (module("(func)" * 20_000), "20001 functions"),
    "8 MB data": (module(f'(memory 64) (data (i32.const 0) "{"x" * 8_000_000}")'), "bytes of data"),
    "compile bomb: loops that carry locals": (many_loops(2), "of functions 0 to 1 carry more than 262144 locals"),
    "compile bomb: growing memory": (
        module("(memory 1)", "(drop (memory.grow (i32.const 0)))" * 1025 + "(i64.const 1)"),
        "more than 1024 operations that fill, copy, or grow",
    ),
    "compile bomb: branch tables": (
        raw_module((b"\x02\x40\x41\0\x0e\x40" + b"\0" * 65 + b"\x0b") * 64 + b"\x42\x01\x0b"),
        "more than 4096 targets",
    ),
    "compile bomb: 65 parameters": (module(f"(func (param {'i64 ' * 65}))"), "65 parameters, at most 64"),
    "compile bomb: 17 results": (module(f"(type (func (result {'i64 ' * 17})))"), "17 results, at most 16"),
    "a real component": ("(component (core module (func)))", "component"),
    "data outside the memory": (module('(memory 1) (data (i32.const 70000) "x")'), "does not start"),
    "elements outside the table": (module("(table 1 funcref) (func $f) (elem (i32.const 5) $f)"), "does not start"),
    "invalid body": (raw_module(b"\x01\x0b"), "invalid"),
    "empty file": (b"", "empty"),
    "garbage": (b"MZ this is no module at all", "not a WebAssembly file"),
    "text": (b"(module)", "not a WebAssembly file"),
    "three bytes": (b"\0as", "truncated"),
    "future version": (b"\0asm\x02\0\0\0", "version"),
    "component": (b"\0asm\x0d\0\x01\0", "component"),
    "only a header": (HEADER, "'decide'"),
    "unknown section": (HEADER + section(77, b""), "section 77"),
    "sections out of order": (HEADER + section(3, b"\0") + section(1, b"\0"), "out of order"),
    "repeated section": (HEADER + section(1, b"\0") + section(1, b"\0"), "repeated"),
    "name that is not UTF-8": (HEADER + section(7, b"\x01\x02\xff\xfe\0\0"), "UTF-8"),
    "number without an end": (HEADER + b"\x01" + b"\xff" * 12, "number"),
    "list longer than its section": (HEADER + section(1, unsigned(1000)), "ends too early"),
    "list of 2^32": (HEADER + section(1, b"\xff\xff\xff\xff\x0f"), "types, at most"),
}  # fmt: skip


@pytest.mark.parametrize("name", REJECTED)
def test_it_is_rejected_with_the_reason(arena, name) -> None:
    source, reason = REJECTED[name]
    verdict = arena.verdict(source)
    assert not verdict.accepted
    assert reason in verdict.reason
    assert "\n" not in verdict.reason
    assert verdict.module is None


LARGEST = {
    "loops times locals": many_loops(1),
    "operations charged by size": module("(memory 1)", "(drop (memory.grow (i32.const 0)))" * 1024 + "(i64.const 1)"),
    "branch targets": raw_module(
        (b"\x02\x40\x41\0\x0e\x3f" + b"\0" * 64 + b"\x0b") * 64 + b"\x42\x01\x0b",
    ),
    "nesting": raw_module(b"\x02\x40" * 511 + b"\x0b" * 511 + b"\x42\x01\x0b"),
    "operands": raw_module(b"\x42\x01" * 512 + b"\x7e" * 511 + b"\x0b"),
    "body": raw_module(b"\x42\x35\x42\x35\x7c\x1a" * 10_922 + b"\x42\x01\x0b"),
    "memory and table": module("(memory 64) (table 65536 funcref)"),
    "functions": module("(func)" * 8191),
}


@pytest.mark.parametrize("name", LARGEST)
def test_the_largest_that_is_allowed_is_compiled_within_the_childs_limits(arena, name) -> None:
    source = LARGEST[name]
    verdict = arena.verdict(source)
    assert (verdict.accepted, verdict.reason) == (True, "")
    assert arena.play(source).outcome is Outcome.FINISHED


def test_every_truncation_of_a_real_module_is_rejected(arena, sample_files) -> None:
    file = sample_files["greedy"]
    rejected = [not arena.gate.check(file[:size]).accepted for size in range(len(file))]
    # A cut right behind the code section loses nothing but custom sections and data.
    accepted = [size for size, bad in enumerate(rejected) if not bad]
    assert all(arena.gate.check(file[:size]).module is not None for size in accepted)
    assert len(accepted) <= 2


def test_a_file_too_large_is_not_read(arena, tmp_path) -> None:
    path = tmp_path / "huge.wasm"
    with path.open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    verdict = arena.gate.check_file(path)
    assert (verdict.accepted, verdict.sha256, verdict.name) == (False, "", "huge.wasm")
    assert str(MAX_FILE_BYTES) in verdict.reason


def test_bytes_too_large_are_rejected(arena) -> None:
    assert "at most" in arena.gate.check(bytes(MAX_FILE_BYTES + 1)).reason


@pytest.mark.parametrize("kind", ["missing", "folder", "pipe"])
def test_what_is_no_file_is_rejected_without_waiting(arena, tmp_path, kind) -> None:
    path = tmp_path / "agent.wasm"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    verdict = arena.gate.check_file(path)
    assert not verdict.accepted
    assert verdict.reason == (
        "cannot be read: No such file or directory" if kind == "missing" else "not a regular file"
    )


def test_an_agent_is_no_system_and_the_reverse(arena, snake_file) -> None:
    assert "'decide'" in arena.gate.check(snake_file, "agent").reason
    assert "'reset'" in arena.gate.check(arena.wasm(arena.one), "system").reason


def test_the_pool_holds_whatever_the_gate_admits() -> None:
    for caps in (AGENT, SYSTEM):
        assert caps.memory_pages * 65_536 <= MAX_MEMORY_BYTES
        assert caps.table_entries <= MAX_TABLE_ENTRIES


SPECS = {
    "no description": (None, "no custom section"),
    "unknown field": ({"colour": "red"}, "colour"),
    "id with spaces": ({"id": "my game"}, "id"),
    "no seats": ({"seats": 0}, "seats"),
    "nine seats": ({"seats": 9}, "seats"),
    "scores reversed": ({"score_min": 5, "score_max": 4}, "score_min 5 is above"),
    "score beyond 64 bits": ({"score_max": 2**63}, "score_max"),
    "seats as text": ({"seats": "1"}, "seats"),
    "steps without end": ({"max_steps": 10**9}, "max_steps"),
    "other ABI": ({"abi": 2}, "abi"),
}


@pytest.mark.parametrize("name", SPECS)
def test_a_system_with_a_wrong_description_is_rejected(arena, name) -> None:
    fields, reason = SPECS[name]
    bare = arena.wasm(arena.duel.format(seats=1, steps=10, shown=16, in_step="", legal=""))
    verdict = arena.gate.check(bare if fields is None else arena.described(bare, **fields), "system")
    assert not verdict.accepted
    assert reason in verdict.reason


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"{", "not JSON"),
        (b'{"a": 1}', "canonical"),
        (b'{"a":1.5}', "float"),
        (b"[" * 50_000, ""),
        (b"x" * 70_000, "at most"),
    ],
)
def test_a_system_with_an_unreadable_description_is_rejected(arena, payload, reason) -> None:
    bare = arena.wasm(arena.duel.format(seats=1, steps=10, shown=16, in_step="", legal=""))
    content = b"\x0bnets.system" + payload
    verdict = arena.gate.check(bare + b"\0" + unsigned(len(content)) + content, "system")
    assert not verdict.accepted
    assert reason in verdict.reason


def test_a_system_described_twice_is_rejected(arena) -> None:
    twice = arena.described(arena.system_file())
    assert "occurs 2 times" in arena.gate.check(twice, "system").reason


def test_a_system_lacking_an_export_is_rejected(arena) -> None:
    source = arena.duel.format(seats=1, steps=10, shown=16, in_step="", legal="").replace('(export "state")', "")
    assert "'state'" in arena.gate.check(arena.described(arena.wasm(source)), "system").reason
