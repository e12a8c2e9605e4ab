"""Writes a quantised network as an agent's WebAssembly, byte by byte: no compiler takes part.

The inner loop multiplies 16-bit activations by 8-bit weights, eight at a time, into sums of 32 bits. Nothing depends on
the values, so every decision costs the same gas.
"""

from __future__ import annotations

from typing import Final

from engine.league.gate.limits import AGENT
from engine.league.neural.actions import Actions, Legal
from engine.league.neural.emit_inputs import input_code
from engine.league.neural.errors import ModelError
from engine.league.neural.features import FeatureMap
from engine.league.neural.layout import LANES, MAILBOX, MAILBOX_BYTES, ROW, Layout, Tables, padded
from engine.league.neural.quantise import IntLayer, IntMlp
from engine.league.wasm import assembler as asm
from engine.league.wasm.assembler import Assembly, Function, get, i32_const, i64_const, memory, put, tee
from engine.league.wasm.reader import FuncType

_DECIDE: Final = FuncType(asm.I64, asm.I64)
_TELL: Final = FuncType(b"", asm.I32)
_QUIET: Final = FuncType(b"", b"")
_LOWEST: Final = -(2**63)


def emit_agent(network: IntMlp, features: FeatureMap, actions: Actions) -> bytes:
    """Return the agent's module. Raises ModelError with the figure where an agent may not be as large."""
    sizes = [features.inputs, *(len(layer.bias) for layer in network.layers)]
    layout = Layout.of(features, sizes)
    tables = Tables(layout.tables)
    functions = [
        _layer_function(layer, layout.values[at], layout.values[at + 1], tables, last=at + 1 == len(network.layers))
        for at, layer in enumerate(network.layers)
    ]
    calls = b"".join(asm.call(index) for index in range(len(functions)))
    inputs = input_code(features, network, layout.values[0], tables)
    functions.append(_decide(features, actions, layout, tables, inputs + calls))
    if features.mailbox:
        functions.append(Function(_TELL, (), i32_const(MAILBOX), "nets_obs"))
        functions.append(Function(_TELL, (), i32_const(MAILBOX_BYTES), "nets_obs_cap"))
    _check_bodies(functions)
    return Assembly(tables.pages(), functions, [(layout.tables, tables.content)]).build()


def outputs_address(network: IntMlp, features: FeatureMap) -> int:
    """Return where an agent's memory holds its outputs (32 bits each) after a decision."""
    return Layout.of(features, [features.inputs, *(len(layer.bias) for layer in network.layers)]).outputs


def _check_bodies(functions: list[Function]) -> None:
    for number, function in enumerate(functions):
        size = len(function.body())
        if size > AGENT.body_bytes:
            what = f"layer {number}" if function.kind == _QUIET else "reading the inputs"
            why = f"the code for {what} has {size:,} bytes, at most {AGENT.body_bytes:,} are allowed"
            raise ModelError("The model is too large for an agent", why, "Make it narrower.")


# Locals of a layer's function.
_WEIGHTS, _SCALES, _TARGET, _SUMS, _VALUE = range(5)


def _layer_function(layer: IntLayer, source: int, target: int, tables: Tables, *, last: bool) -> Function:
    """Return the function that computes a layer: one round of its loop an output."""
    outputs, inputs = layer.weight.shape
    weights = tables.weights(layer)
    pairs = zip(layer.bias.tolist(), layer.multiplier.tolist(), strict=True)
    scales = tables.words("i", [number for pair in pairs for number in pair])
    row = padded(inputs)
    store, width = (asm.I64_STORE32, 4) if last else (asm.I64_STORE16, 2)
    code = i32_const(weights) + put(_WEIGHTS) + i32_const(scales) + put(_SCALES) + i32_const(target) + put(_TARGET)
    code += asm.loop(
        _products(source, row),
        _rescale(layer),
        get(_TARGET) + get(_VALUE) + memory(store),
        asm.step(_SCALES, 8) + asm.step(_TARGET, width) + asm.step(_WEIGHTS, row),
        get(_WEIGHTS) + i32_const(weights + outputs * row) + asm.I32_LT_U + asm.branch_if(0),
    )
    return Function(_QUIET, (asm.I32, asm.I32, asm.I32, asm.V128, asm.I64), code)


def _products(source: int, row: int) -> bytes:
    """Leave the sum of products of a row of weights with the activations in _SUMS, spread over four lanes."""
    code = asm.V128_ZERO
    for at in range(0, row, LANES):
        code += get(_WEIGHTS) + memory(asm.V128_LOAD8X8_S, at)
        code += i32_const(0) + memory(asm.V128_LOAD, source + 2 * at) + asm.I32X4_DOT + asm.I32X4_ADD
    return code + put(_SUMS)


def _rescale(layer: IntLayer) -> bytes:
    """Leave the activation in _VALUE: ((sum + bias) * multiplier + half) >> shift, clamped."""
    code = b"".join(get(_SUMS) + asm.lane(index) for index in range(4)) + asm.I32_ADD * 3
    code += get(_SCALES) + memory(asm.I32_LOAD) + asm.I32_ADD + asm.I64_EXTEND_I32_S
    code += get(_SCALES) + memory(asm.I64_LOAD32_S, 4) + asm.I64_MUL
    code += i64_const(1 << layer.shift - 1) + asm.I64_ADD + i64_const(layer.shift) + asm.I64_SHR_S + put(_VALUE)
    for bound, wins in ((layer.high, asm.I64_LT_S), (layer.low, asm.I64_GT_S)):
        code += get(_VALUE) + i64_const(bound) + get(_VALUE) + i64_const(bound) + wins + asm.SELECT + put(_VALUE)
    return code


# Locals of decide; the first is its parameter, those up to _SCRATCH belong to reading the inputs.
_PACKED, _INDEX, _BEST_AT, _BEST, _CANDIDATE = 0, 1, 2, 4, 5


def _decide(features: FeatureMap, actions: Actions, layout: Layout, tables: Tables, network: bytes) -> Function:
    code = i32_const(0) + get(_PACKED) + memory(asm.I64_STORE, ROW) + network
    if features.mailbox:  # a shorter observation may come next, and its end must read as zero
        code += i32_const(MAILBOX) + i32_const(0) + i32_const(features.reach - 8) + asm.memory_fill()
    code += _largest(actions, layout.outputs)
    code += get(_BEST_AT) + i32_const(3) + asm.I32_SHL + memory(asm.I64_LOAD, tables.words("q", actions.values))
    return Function(_DECIDE, (asm.I32, asm.I32, asm.I32, asm.I64, asm.I64), code, "decide")


def _largest(actions: Actions, outputs: int) -> bytes:
    """Leave the index of the largest output in _BEST_AT, the first of equals, among the legal ones."""
    taken = get(_INDEX) + i32_const(2) + asm.I32_SHL + memory(asm.I64_LOAD32_S, outputs) + tee(_CANDIDATE)
    taken += get(_BEST) + asm.I64_GT_S
    if actions.legal is not None:
        taken += legal_bit(actions.legal, get(_INDEX) + asm.I64_EXTEND_I32_U) + asm.I32_AND
    code = i32_const(0) + put(_INDEX) + i32_const(0) + put(_BEST_AT) + i64_const(_LOWEST) + put(_BEST)
    return code + asm.loop(
        taken + asm.when(get(_CANDIDATE) + put(_BEST) + get(_INDEX) + put(_BEST_AT)),
        asm.step(_INDEX, 1),
        get(_INDEX) + i32_const(len(actions.values)) + asm.I32_LT_U + asm.branch_if(0),
    )


def legal_bit(legal: Legal, index: bytes) -> bytes:
    """Leave 1 or 0: whether the action of an index (code that leaves an i64) is legal by the packed observation."""
    if legal.counts:
        value = get(_PACKED) + i64_const(64 - legal.first - legal.bits) + asm.I64_SHL
        return index + value + i64_const(64 - legal.bits) + asm.I64_SHR_U + asm.I64_LT_U
    place = index + i64_const(legal.step) + asm.I64_MUL + i64_const(legal.first) + asm.I64_ADD
    told = get(_PACKED) + place + asm.I64_SHR_U + asm.I32_WRAP_I64 + i32_const(1) + asm.I32_AND
    return told if legal.on else told + asm.I32_EQZ
