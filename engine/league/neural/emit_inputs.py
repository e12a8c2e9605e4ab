"""Writes the code that turns an observation in memory into the inputs of the first layer, 16 bits each."""

from __future__ import annotations

from typing import Final

from engine.league.neural.features import Bits, FeatureMap, Item, Number, OneHot, Run
from engine.league.neural.layout import LANES, ROW, Tables, padded
from engine.league.neural.quantise import INPUT_LIMIT, IntMlp, input_limits
from engine.league.wasm import assembler as asm
from engine.league.wasm.assembler import get, i32_const, i64_const, memory, put, tee

# Locals of the function that this code is part of.
_AT, _TARGET, _SCRATCH, _NUMBER = 1, 2, 3, 4
_HOT: Final = 255
_NO_VALUE: Final = 255
_WHOLE_BYTE: Final = 255


def input_code(features: FeatureMap, network: IntMlp, target: int, tables: Tables) -> bytes:
    """Return code that fills the inputs at ``target``. Items go in order, for a run writes zeros behind its end."""
    code = i32_const(target) + i32_const(0) + i32_const(2 * padded(features.inputs)) + asm.memory_fill()
    first = 0
    for item in features.items:
        code += _item(item, network, first, target + 2 * first, tables)
        first += item.width
    return code


def _item(item: Item, network: IntMlp, first: int, target: int, tables: Tables) -> bytes:
    if isinstance(item, Number):
        return _number(item, int(network.shift[first]), int(network.gain[first]), target)
    if isinstance(item, OneHot):
        return _one_hot(item, target, tables)
    if isinstance(item, Bits):
        return b"".join(_bit(item.first + bit, target + 2 * bit) for bit in range(item.width))
    gain = network.gain[first : first + item.width]
    return _run(item, input_limits(gain).tolist(), gain.tolist(), target, tables)


def _number(item: Number, shift: int, gain: int, target: int) -> bytes:
    code = b""
    for place, at in enumerate(item.order):
        code += i32_const(0) + memory(asm.I64_LOAD8_U, ROW + at)
        if place:
            code += i64_const(8 * place) + asm.I64_SHL + asm.I64_OR
    bare = 64 - item.bits
    code += i64_const(bare - item.low) + asm.I64_SHL + put(_NUMBER)
    if item.none is not None:
        code += get(_NUMBER) + i64_const(bare) + asm.I64_SHR_U + i64_const(_signed64(item.none)) + asm.I64_EQ
        code += put(_SCRATCH)
        code += i32_const(0) + get(_SCRATCH) + i32_const(_HOT) + asm.I32_MUL + memory(asm.I32_STORE16, target + 2)
        code += i64_const(0) + get(_NUMBER) + get(_SCRATCH) + asm.SELECT + put(_NUMBER)
    code += get(_NUMBER) + i64_const(bare) + (asm.I64_SHR_S if item.signed else asm.I64_SHR_U)
    code += i64_const(shift) + asm.I64_SHR_S + put(_NUMBER)
    limit = INPUT_LIMIT // gain
    for bound, wins in ((limit, asm.I64_LT_S), (-limit, asm.I64_GT_S)):
        code += get(_NUMBER) + i64_const(bound) + get(_NUMBER) + i64_const(bound) + wins + asm.SELECT + put(_NUMBER)
    return code + i32_const(0) + get(_NUMBER) + i64_const(gain) + asm.I64_MUL + memory(asm.I64_STORE16, target)


def _one_hot(item: OneHot, target: int, tables: Tables) -> bytes:
    """One round a byte: a table tells which of the byte's inputs is hot."""
    lookup = bytearray([_NO_VALUE] * 256)
    for index, value in reversed(list(enumerate(item.values))):
        lookup[value] = index
    table = tables.add(bytes(lookup))
    hot = get(_TARGET) + get(_SCRATCH) + i32_const(1) + asm.I32_SHL + asm.I32_ADD + i32_const(_HOT)
    code = i32_const(0) + put(_AT) + i32_const(target) + put(_TARGET)
    read = get(_AT) + memory(asm.I32_LOAD16_U if item.wide else asm.I32_LOAD8_U, ROW + item.offset)
    if item.low or item.mask != _WHOLE_BYTE:
        read += i32_const(item.low) + asm.I32_SHR_U + i32_const(item.mask) + asm.I32_AND
    return code + asm.loop(
        read + memory(asm.I32_LOAD8_U, table) + tee(_SCRATCH),
        i32_const(_NO_VALUE) + asm.I32_NE + asm.when(hot + memory(asm.I32_STORE16)),
        asm.step(_TARGET, 2 * len(item.values)) + asm.step(_AT, 1),
        get(_AT) + i32_const(item.count) + asm.I32_LT_U + asm.branch_if(0),
    )


def _bit(bit: int, target: int) -> bytes:
    """``bit`` counts from the row's first byte."""
    code = i32_const(0) + i32_const(0) + memory(asm.I32_LOAD8_U, ROW + bit // 8) + i32_const(bit % 8) + asm.I32_SHR_U
    return code + i32_const(1) + asm.I32_AND + i32_const(_HOT) + asm.I32_MUL + memory(asm.I32_STORE16, target)


def _run(item: Run, limits: list[int], gains: list[int], target: int, tables: Tables) -> bytes:
    """Eight bytes a round: min(byte, limit) * gain. Behind the end both are zero."""
    rest = [0] * (padded(item.count) - item.count)
    limit, gain = tables.words("h", limits + rest), tables.words("h", gains + rest)
    twice = get(_AT) + i32_const(1) + asm.I32_SHL + tee(_SCRATCH)
    value = get(_AT) + memory(asm.V128_LOAD8X8_U, ROW + item.offset) + get(_SCRATCH) + memory(asm.V128_LOAD, limit)
    value += asm.I16X8_MIN_U + get(_SCRATCH) + memory(asm.V128_LOAD, gain) + asm.I16X8_MUL
    return (
        i32_const(0)
        + put(_AT)
        + asm.loop(
            twice + value + memory(asm.V128_STORE, target),
            asm.step(_AT, LANES) + get(_AT) + i32_const(padded(item.count)) + asm.I32_LT_U + asm.branch_if(0),
        )
    )


def _signed64(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
