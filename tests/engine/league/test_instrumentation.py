"""Metering changes nothing but the budget: results, gas and stack units against a model, opcode tables against
wasmtime's own validation."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import Engine, Instance, Module, Store, Trap, WasmtimeError

from engine.league.engines import validation_engine
from engine.league.gate.instrument import instrument
from engine.league.gate.limits import AGENT, STACK_UNITS
from engine.league.gate.policy import AGENT_EXPORTS
from engine.league.match import Outcome
from engine.league.wasm import opcodes as op
from engine.league.wasm.leb import signed, unsigned
from engine.league.wasm.sections import parse_module

MASK = 2**64 - 1
LOCALS = 4  # of 64 bits beside the parameter; each loop has a counter of its own beyond these
BINARY = {"add": lambda a, b: a + b, "sub": lambda a, b: a - b, "mul": lambda a, b: a * b, "xor": lambda a, b: a ^ b}


class Returned(Exception):  # noqa: N818
    def __init__(self, value: int) -> None:
        self.value = value


@dataclass
class Machine:
    """Runs the little language below by its definition, counting gas by that of gas v1."""

    functions: list[list]
    gas: int = 0
    memory: bytearray = field(default_factory=lambda: bytearray(65_536))

    def call(self, index: int, argument: int) -> int:
        body = self.functions[index]
        self.gas += cost(body) + 2 + 1  # and the final local.get
        env = [argument, *[0] * LOCALS]
        try:
            self.run(body, env)
        except Returned as early:
            return early.value
        return env[0]

    def run(self, body: list, env: list[int]) -> None:
        for kind, *rest in body:
            if kind == "set":
                env[rest[0]] = self.value(rest[1], env)
            elif kind == "if":
                self.run(rest[1] if self.value(rest[0], env) else rest[2], env)
            elif kind == "loop":
                for _ in range(rest[0]):
                    self.gas += cost(rest[1]) + 7 + 1
                    self.run(rest[1], env)
            elif kind == "call":
                env[rest[1]] = self.call(rest[0], env[rest[1]])
            elif kind == "fill":
                self.gas += rest[0] >> 3
                self.memory[: rest[0]] = bytes([rest[1]]) * rest[0]
            elif kind == "load":
                env[rest[0]] = int.from_bytes(self.memory[rest[1] : rest[1] + 8], "little")
            else:
                raise Returned(self.value(rest[0], env))

    def value(self, expression: tuple, env: list[int]) -> int:
        kind, *rest = expression
        if kind == "const":
            return rest[0] & MASK
        if kind == "get":
            return env[rest[0]]
        return BINARY[kind](self.value(rest[0], env), self.value(rest[1], env)) & MASK


def size(expression: tuple) -> int:
    return 1 if expression[0] in ("const", "get") else 1 + size(expression[1]) + size(expression[2])


def cost(body: list) -> int:
    """Instructions of a body that are in no loop inside it."""
    total = 0
    for kind, *rest in body:
        if kind == "set":
            total += size(rest[1]) + 1
        elif kind == "if":
            total += size(rest[0]) + 3 + cost(rest[1]) + cost(rest[2])
        elif kind == "loop" or kind == "call":
            total += 3
        elif kind == "fill":
            total += 4
        elif kind == "load":
            total += 3
        else:
            total += size(rest[0]) + 1
    return total


def expression_text(expression: tuple) -> str:
    kind, *rest = expression
    if kind == "const":
        return f"i64.const {rest[0]} "
    if kind == "get":
        return f"local.get {rest[0]} "
    return expression_text(rest[0]) + expression_text(rest[1]) + f"i64.{kind} "


def body_text(body: list, counters: itertools.count) -> str:
    out = []
    for kind, *rest in body:
        if kind == "set":
            out.append(f"{expression_text(rest[1])} local.set {rest[0]}")
        elif kind == "if":
            then, other = body_text(rest[1], counters), body_text(rest[2], counters)
            out.append(f"{expression_text(rest[0])} i64.const 0 i64.ne if {then} else {other} end")
        elif kind == "loop":
            at = next(counters)
            inner = body_text(rest[1], counters)
            out.append(
                f"i64.const {rest[0]} local.set {at} loop {inner} local.get {at} i64.const 1 i64.sub local.tee {at}"
                " i64.const 0 i64.ne br_if 0 end"
            )
        elif kind == "call":
            out.append(f"local.get {rest[1]} call {rest[0]} local.set {rest[1]}")
        elif kind == "fill":
            out.append(f"i32.const 0 i32.const {rest[1]} i32.const {rest[0]} memory.fill")
        elif kind == "load":
            out.append(f"i32.const {rest[1]} i64.load local.set {rest[0]}")
        else:
            out.append(f"{expression_text(rest[0])} return")
    return " ".join(out)


def module_text(functions: list[list]) -> str:
    parts = ['(memory (export "memory") 1)']
    for index, body in enumerate(functions):
        counters = itertools.count(LOCALS + 1)
        text = body_text(body, counters)
        declared = "i64 " * (next(counters) - 1)
        export = '(export "decide")' if index == len(functions) - 1 else ""
        parts.append(f"(func {export} (param i64) (result i64) (local {declared}) {text} local.get 0)")
    return f"(module {' '.join(parts)})"


LOCAL = st.integers(0, LOCALS)
EXPRESSION = st.recursive(
    st.tuples(st.just("const"), st.integers(-(2**63), 2**63 - 1)) | st.tuples(st.just("get"), LOCAL),
    lambda inner: st.tuples(st.sampled_from(sorted(BINARY)), inner, inner),
    max_leaves=6,
)


def bodies(index: int) -> st.SearchStrategy:
    simple = [
        st.tuples(st.just("set"), LOCAL, EXPRESSION),
        st.tuples(st.just("fill"), st.integers(0, 5000), st.integers(0, 255)),
        st.tuples(st.just("load"), LOCAL, st.integers(0, 60_000)),
        st.tuples(st.just("return"), EXPRESSION),
    ]
    if index:
        simple.append(st.tuples(st.just("call"), st.integers(0, index - 1), LOCAL))
    return st.recursive(
        st.lists(st.one_of(simple), max_size=5),
        lambda inner: st.lists(
            st.one_of(
                *simple,
                st.tuples(st.just("if"), EXPRESSION, inner, inner),
                st.tuples(st.just("loop"), st.integers(1, 4), inner),
            ),
            max_size=4,
        ),
        max_leaves=8,
    )


PROGRAMS = st.tuples(*(bodies(index) for index in range(3))).map(list)


@settings(max_examples=150, deadline=None)
@given(functions=PROGRAMS)
def test_results_and_gas_are_as_defined(arena, functions) -> None:
    """The action that an instrumented agent takes, and the gas it is charged, equal the model's; so does the
    original's result, run without metering."""
    text = module_text(functions)
    machine = Machine(functions)
    expected = machine.call(len(functions) - 1, 0)
    store = Store()
    exports = Instance(store, Module(store.engine, text), []).exports(store)
    assert exports["decide"](store, 0) & MASK == expected
    result = arena.play(text, system=arena.system(steps=1, legal=False), budget=2**32 - 1)
    assert result.outcome is Outcome.FINISHED
    assert int.from_bytes(result.trace[24:32], "little") == expected
    assert result.gas == (machine.gas,)
    # To the unit: the exact budget suffices, one less does not.
    system = arena.system(steps=1, legal=False)
    assert arena.play(text, system=system, budget=machine.gas).outcome is Outcome.FINISHED
    assert arena.play(text, system=system, budget=machine.gas - 1).cause == "OUT_OF_GAS"


@pytest.mark.parametrize(("extra", "height"), [("", 2), ("(local i64 i64 i64)", 2)])
def test_stack_units_are_as_defined(arena, extra, height) -> None:
    """A frame takes 8 + locals + operand height: recursion of that depth passes, one deeper does not."""
    n_locals = 1 + extra.count("i64")
    frames = (STACK_UNITS - (8 + 1 + 1)) // (8 + n_locals + height)

    def agent(depth: int) -> str:
        return (
            f"(module (func $f (param i64) (result i64) {extra}"
            " (if (result i64) (i64.eqz (local.get 0)) (then (i64.const 1))"
            " (else (call $f (i64.sub (local.get 0) (i64.const 1))))))"
            f' (func (export "decide") (param i64) (result i64) (call $f (i64.const {depth - 1}))))'
        )

    system = arena.system(steps=3)
    assert arena.play(agent(frames), system=system).outcome is Outcome.FINISHED
    assert arena.play(agent(frames + 1), system=system).cause == "STACK"


EXITS = {
    "return in a loop in a block": "(block (loop (block (return (i64.const 7))))) (i64.const 1)",
    "return over operands": "(i64.const 1) (i64.const 2) (return (i64.const 7)) drop",
    "branch to the function": "(block (block (br 2 (i64.const 7)))) (i64.const 1)",
    "conditional branch to the function": "(drop (br_if 0 (i64.const 7) (i32.const 1))) (i64.const 1)",
    "table to the function": "(block (br_table 1 0 1 (i64.const 7) (i32.const 5))) (i64.const 1)",
    "code behind the end": "(return (i64.const 7)) (loop (br 0)) (memory.fill) (return) (memory.grow) drop unreachable",
    "block with parameters": "(i64.const 3) (block (param i64) (result i64) (i64.add (i64.const 4)))",
    "loop with parameters": "(i64.const 7) (loop (param i64) (result i64))",
}


@pytest.mark.parametrize("name", EXITS)
def test_every_way_out_gives_the_stack_back(arena, name) -> None:
    """1,500 calls in one decision: units that are not given back would run out."""
    body = EXITS[name].replace("br_table 1 0 1 (i64.const 7)", "br_table 1 1 1 (i64.const 7)")
    text = (
        f'(module (memory 1) (func $f (result i64) {body}) (func (export "decide") (param i64) (result i64)'
        " (local $n i32) (local.set $n (i32.const 1500))"
        " (loop $l (drop (call $f)) (local.set $n (i32.sub (local.get $n) (i32.const 1)))"
        " (br_if $l (local.get $n))) (call $f)))"
    )
    result = arena.play(text, system=arena.system(steps=2))
    assert result.outcome is Outcome.FINISHED
    assert result.trace[24:32] == (7).to_bytes(8, "little")


def test_several_results_leave_through_the_wrapper(arena) -> None:
    text = (
        "(module (func $two (param i32) (result i64 i64)"
        " (if (local.get 0) (then (return (i64.const 40) (i64.const 2)))) (i64.const 1) (i64.const 1))"
        ' (func (export "decide") (param i64) (result i64) (i64.add (call $two (i32.const 1)))))'
    )
    result = arena.play(text, system=arena.system(steps=1, legal=False))
    assert int.from_bytes(result.trace[24:32], "little") == 42


def test_instrumentation_depends_on_nothing_but_the_file(arena, sample_files, gate) -> None:
    from engine.league.gate import SyncGate

    with SyncGate() as other:
        for file in sample_files.values():
            assert other.check(file).module == gate.check(file).module


def test_custom_sections_do_not_change_what_plays_but_the_identity(arena) -> None:
    plain = arena.wasm(arena.one)
    noted = plain + b"\0\x05\x04note"
    first, second = arena.verdict(plain), arena.verdict(noted)
    assert first.module == second.module
    assert first.sha256 != second.sha256


def test_a_padded_count_of_globals_survives() -> None:
    """Numbers may be written with superfluous bytes; the appended globals must still line up."""
    decide = b"\x00\x23\x00\x0b"
    file = b"".join(
        (
            b"\0asm\x01\0\0\0",
            b"\x01\x06\x01\x60\x01\x7e\x01\x7e",
            b"\x03\x02\x01\x00",
            b"\x06\x08\x81\x80\x00\x7e\x00\x42\x2a\x0b",
            b"\x07\x0a\x01\x06decide\x00\x00",
            b"\x0a\x06\x01\x04" + decide,
        )
    )
    output = instrument(parse_module(file, AGENT), AGENT, AGENT_EXPORTS)
    store = Store()
    exports = Instance(store, Module(store.engine, output), []).exports(store)
    exports["nb.gas"].set_value(store, 100)
    exports["nb.stack"].set_value(store, 100)
    assert exports["decide"](store, 0) == 42
    assert exports["nb.gas"].value(store) == 97
    assert exports["nb.stack"].value(store) == 100
    exports["nb.gas"].set_value(store, 2)
    with pytest.raises(Trap):
        exports["decide"](store, 0)
    assert exports["nb.cause"].value(store) == 1


# The opcode tables ----------------------------------------------------------------------------------------------

TYPES = {op.I32: b"\x41\0", op.I64: b"\x42\0", op.F32_TYPE: b"\x43" + bytes(4), op.F64_TYPE: b"\x44" + bytes(8),
         op.V128: b"\xfd\x0c" + bytes(16), op.FUNCREF: b"\xd0\x70"}  # fmt: skip
IMMEDIATES = {
    op.NONE: b"", op.U32: b"\0", op.U32X2: b"\0\0", op.MEMARG: b"\0\0", op.S32: b"\0", op.S64: b"\0", op.F32: bytes(4),
    op.F64: bytes(8), op.SELECT_T: b"\x01\x7e", op.LANE: b"\0", op.MEMARG_LANE: b"\0\0\0", op.BYTES16: bytes(16),
    op.REF_TYPE: b"\x70",
}  # fmt: skip


def section(number: int, content: bytes) -> bytes:
    return bytes((number,)) + unsigned(len(content)) + content


def validates(engine: Engine, code: bytes) -> bool:
    body = b"\x01\x01\x7e" + code + b"\x0b"
    file = (
        b"\0asm\x01\0\0\0"
        + section(1, b"\x01\x60\0\0")
        + section(3, b"\x01\0")
        + section(4, b"\x01\x70\0\x01")
        + section(5, b"\x01\0\x01")
        + section(6, b"\x01\x7e\x01\x42\0\x0b")
        + section(9, b"\x01\x00\x41\0\x0b\x01\0")
        + section(12, b"\x01")
        + section(10, b"\x01" + unsigned(len(body)) + body)
        + section(11, b"\x01\x00\x41\0\x0b\x01x")
    )
    try:
        Module.validate(engine, file)
    except WasmtimeError:
        return False
    return True


def arity(engine: Engine, instruction: bytes) -> tuple[int, int] | None:
    """Return the fewest operands, and results, with which wasmtime accepts the instruction."""
    for pops in range(4):
        for operands in itertools.product(TYPES.values(), repeat=pops):
            for pushes in range(2):
                if validates(engine, b"".join(operands) + instruction + b"\x1a" * pushes):
                    return pops, pushes
    return None


def opcodes() -> list[tuple[str, bytes, op.Op]]:
    found = [(f"{code:#04x}", bytes((code,)), item) for code, item in op.PLAIN.items() if item.immediate != op.CONTROL]
    found += [(f"0xfc {code}", b"\xfc" + unsigned(code), item) for code, item in op.MISC.items()]
    return found + [(f"0xfd {code}", b"\xfd" + unsigned(code), item) for code, item in op.SIMD.items()]


def test_operands_and_results_of_every_opcode_are_those_of_wasmtime() -> None:
    engine = validation_engine()
    wrong = []
    for name, raw, item in opcodes():
        found = arity(engine, raw + IMMEDIATES[item.immediate])
        if found != (item.pops, item.pushes):
            wrong.append((name, found, (item.pops, item.pushes)))
    assert wrong == []


def test_no_opcode_that_wasmtime_admits_is_missing() -> None:
    """Behind ``unreachable`` any operands are there, so one validation tells whether an opcode is admitted."""
    engine = validation_engine()
    immediates = sorted(set(IMMEDIATES.values()))
    plain = [bytes((code,)) for code in range(256) if code not in op.PLAIN and code not in (0xFC, 0xFD)]
    others = [
        bytes((prefix,)) + unsigned(code)
        for prefix, table in ((0xFC, op.MISC), (0xFD, op.SIMD))
        for code in range(300)
        if code not in table
    ]
    admitted = [raw for raw in plain + others for item in immediates if validates(engine, b"\0" + raw + item + b"\0")]
    assert admitted == []
    assert validates(engine, b"\0" + b"\xfd\xae\x01" + b"\0")


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_numbers_read_back(value) -> None:
    from engine.league.wasm.leb import read_signed

    assert read_signed(signed(value), 0) == (value, len(signed(value)))
