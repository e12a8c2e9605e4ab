"""Fuzzed modules never break the gate, and what it accepts computes what the original computes.

A hundred thousand modules take some minutes of two cores; for longer runs, and to look at one seed, see
``python tests/engine/league/fuzz/campaign.py --help``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import wat2wasm

from engine.core.paths import assets_dir
from engine.league.gate import GateLimits
from engine.league.gate.limits import SYSTEM
from engine.league.wasm import opcodes as op
from engine.league.wasm.leb import read_unsigned
from engine.league.wasm.sections import parse_module

FUZZ = Path(__file__).with_name("fuzz")
sys.path.insert(0, str(FUZZ))

from campaign import Fuzzer, Report, build, samples  # noqa: E402
from differential import Differ  # noqa: E402
from mutations import Parts, instructions, mutate  # noqa: E402
from smith import generate  # noqa: E402
from source import Source  # noqa: E402

MODULES, SLICES = 100_000, 10


@pytest.fixture(scope="module")
def fuzzer() -> Iterator[Fuzzer]:
    with Fuzzer() as fuzzer:
        yield fuzzer


@settings(max_examples=100, deadline=None, derandomize=True)
@given(choices=st.binary(min_size=50, max_size=1500))
def test_generated_modules_compute_what_they_computed(fuzzer, choices) -> None:
    report = Report()
    verdict = fuzzer.one("generated", "generated", generate(choices), "agent", report)
    assert report.findings == []
    assert "invalid" not in verdict.reason


@settings(max_examples=150, deadline=None, derandomize=True)
@given(choices=st.binary(max_size=60), number=st.integers(0, 10**6))
def test_changed_samples_never_break_the_gate(fuzzer, choices, number) -> None:
    small = [item for item in samples() if len(item[1]) < 3000]
    title, data, kind = small[number % len(small)]
    report = Report()
    fuzzer.one(title, title, mutate(Source(choices), data), kind, report)
    assert report.findings == []


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(SLICES))
def test_a_hundred_thousand_modules_break_nothing(part) -> None:
    count = MODULES // SLICES
    done = subprocess.run(
        [sys.executable, str(FUZZ / "campaign.py"), "--workers=1", f"--seed={part * count}", f"--count={count}"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=850,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr[-2000:]
    report = json.loads(done.stdout)
    assert report["findings"] == []
    assert report["modules"] == count
    assert report["accepted"] > 0.4 * count
    assert report["endings"]["RETURNED"] > 0.25 * count
    assert report["child_mib"] < GateLimits().memory_bytes >> 21


# The fuzzer itself --------------------------------------------------------------------------------------------------


def test_a_seed_stands_for_the_same_module_everywhere() -> None:
    code = "import sys; from campaign import build; sys.stdout.buffer.write(b''.join(build(n)[1] for n in range(60)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONHASHSEED": "7"},
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"".join(build(number)[1] for number in range(60))


def test_generated_modules_use_every_instruction_that_is_admitted() -> None:
    seen: set[tuple[int, int]] = set()
    for seed in range(1500):
        module = generate(Source.seeded(seed).bits(4096).to_bytes(4096, "little"))
        for body in parse_module(module, SYSTEM).bodies:
            for item in instructions(module[body.start : body.end], body.code - body.start):
                prefix = item.code[0]
                number = read_unsigned(item.code, 1)[0] if prefix in (op.PREFIX_MISC, op.PREFIX_SIMD) else 0
                seen.add((prefix, number))
    wanted = {(code, 0) for code in op.PLAIN}
    wanted |= {(op.PREFIX_MISC, code) for code in op.MISC} | {(op.PREFIX_SIMD, code) for code in op.SIMD}
    assert wanted - seen == set()


def test_a_module_taken_apart_and_joined_is_the_same() -> None:
    for _, data, _ in samples():
        assert Parts.of(data).joined() == data


ORIGINAL = """(module (memory (export "memory") 1) (table 4 funcref) (global $g (mut i64) (i64.const 3))
  (func $f (param i64) (result i64) {f})
  (func (export "decide") (param i64) (result i64) {decide} (call $f (local.get 0))))"""
CHANGES = {
    "result": ("(i64.const 8)", "", "gave 7, the instrumented one 8"),
    "trap": ("unreachable", "", "ended RETURNED, the instrumented one UNREACHABLE"),
    "memory": ("(i64.const 7)", "(i32.store8 (i32.const 65535) (i32.const 1))", "different memory"),
    "global": ("(i64.const 7)", "(global.set $g (i64.const 4))", "different global 0"),
    "table": ("(i64.const 7)", "(drop (table.grow (ref.null func) (i32.const 1)))", "different table"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_difference_is_seen(arena, name) -> None:
    f, decide, wanted = CHANGES[name]
    one = bytes(wat2wasm(ORIGINAL.format(f="(i64.const 7)", decide="")))
    other = bytes(wat2wasm(ORIGINAL.format(f=f, decide=decide)))
    with Differ() as differ:
        assert differ.compare(one, arena.verdict(one).module, "agent").difference == ""
        assert wanted in differ.compare(one, arena.verdict(other).module, "agent").difference


def test_code_that_is_charged_too_little_is_seen(arena) -> None:
    loop = (
        "(local i32) (local.set 1 (i32.const {})) (loop (local.set 1 (i32.sub (local.get 1) (i32.const 1)))"
        " (br_if 0 (local.get 1))) (i64.const 7)"
    )
    one, other = (bytes(wat2wasm(ORIGINAL.format(f=loop.format(n), decide=""))) for n in (50, 40))
    with Differ() as differ:
        assert "of fuel cost only" in differ.compare(one, arena.verdict(other).module, "agent").difference


def test_samples_are_found() -> None:
    titles = {title for title, _, _ in samples()}
    assert {"systems/snake.wasm", "agents/snake/greedy.wasm"} <= titles
    assert len(titles) == len(list(assets_dir().rglob("*.wasm")))
