"""Gas v1 and stack units, written into the code of a validated module.

Three globals are appended (gas left, stack units left, cause of a stop), six helper functions, and exports of the
globals. The module was validated before, so no instruction of its own can name them; its own exports get a prefix,
so no name can collide. The output depends on nothing but the input.

Gas: entering a function costs its instructions outside loops + 2, each iteration of a loop the loop's own + 1;
``end`` and ``else`` are free. Bulk memory operations cost n >> 3 bytes, table operations one an entry (eight bytes),
``memory.grow`` 8192 a page. Growing goes through a helper that tells what a module may not have, which is -1 on every
machine, from what this one cannot give: that stops the run with a cause of its own, and nobody loses by it.

Stack: 8 + locals + largest operand height while a function is active; a function that computes many values costs a unit
for each 48 bytes of the largest frame that a compiler could give it, for an optimiser keeps values alive across calls,
and a native stack that overflows first would end a match differently elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.league.gate import scan as sc
from engine.league.gate.limits import FRAME_BASE_BYTES, FRAME_BYTES_PER_UNIT, Caps
from engine.league.wasm import opcodes as op
from engine.league.wasm.leb import MalformedModuleError, signed, unsigned
from engine.league.wasm.reader import (
    CODE,
    CORE_VERSION,
    DATA,
    DATA_COUNT,
    ELEMENT,
    EXPORT,
    FUNCTION,
    GLOBAL,
    GLOBAL_EXPORT,
    MAGIC,
    MEMORY,
    TABLE,
    TYPE,
    Body,
    FuncType,
    Limits,
    ParsedModule,
)

GAS_EXPORT: Final = "nb.gas"
STACK_EXPORT: Final = "nb.stack"
CAUSE_EXPORT: Final = "nb.cause"
OWN_PREFIX: Final = "own."
GAS_PER_PAGE: Final = 8192
CAUSE_OUT_OF_GAS: Final = 1
CAUSE_STACK: Final = 2
CAUSE_HOST_MEMORY: Final = 3
_NO_TYPE: Final = b"\x40"
_UNUSED: Final = b"\x00\x00\x0b"


@dataclass(frozen=True, slots=True)
class _Names:
    """Indices of what is appended."""

    gas: bytes
    stack: bytes
    cause: bytes
    out_of_gas: bytes
    overflow: bytes
    helpers: tuple[bytes, ...]  # charge bytes, charge entries, grow memory, grow table


def instrument(module: ParsedModule, caps: Caps, abi_exports: frozenset[str]) -> bytes:
    """Return the instrumented module. Raises MalformedModuleError where a body breaks a limit.

    ``abi_exports`` keep their names. Custom sections are dropped: they can hold anything and change nothing.
    """
    n_functions, n_globals = len(module.functions), module.n_globals
    index = [unsigned(n_globals + i) for i in range(3)] + [unsigned(n_functions + i) for i in range(6)]
    names = _Names(index[0], index[1], index[2], index[3], index[4], tuple(index[5:]))
    types = list(module.types)
    nullary, charge = _type_index(types, b"", b""), _type_index(types, b"\x7f", b"\x7f")
    grow_table = _type_index(types, b"\x70\x7f", b"\x7f")
    bodies = _bodies(module, caps, names, types) + _helpers(names, module, caps)
    functions = [*module.functions, nullary, nullary, charge, charge, charge, grow_table]
    sections = (
        (TYPE, _vector([b"\x60" + _values(kind.params) + _values(kind.results) for kind in types])),
        (FUNCTION, _vector([unsigned(item) for item in functions])),
        (TABLE, _vector([b"\x70" + _limits(item, caps.table_entries) for item in module.tables])),
        (MEMORY, _vector([_limits(item, caps.memory_pages) for item in module.memories])),
        (GLOBAL, _globals(module)),
        (EXPORT, _exports(module, n_globals, abi_exports)),
        (ELEMENT, module.section(ELEMENT)),
        (DATA_COUNT, module.section(DATA_COUNT)),
        (CODE, _vector([unsigned(len(body)) + body for body in bodies])),
        (DATA, module.section(DATA)),
    )
    out = [MAGIC, CORE_VERSION]
    out += [bytes((section,)) + unsigned(len(content)) + content for section, content in sections if content]
    return b"".join(out)


def _vector(items: list[bytes]) -> bytes:
    return unsigned(len(items)) + b"".join(items) if items else b""


def _values(types: bytes) -> bytes:
    return unsigned(len(types)) + types


def _limits(limits: Limits, cap: int) -> bytes:
    return b"\x01" + unsigned(limits.minimum) + unsigned(_maximum(limits, cap))


def _maximum(limits: Limits, cap: int) -> int:
    """A missing or larger maximum becomes the cap: growing beyond it fails on every machine alike."""
    return cap if limits.maximum is None else min(limits.maximum, cap)


def _type_index(types: list[FuncType], params: bytes, results: bytes) -> int:
    wanted = FuncType(params, results)
    if wanted not in types:
        types.append(wanted)
    return types.index(wanted)


def _globals(module: ParsedModule) -> bytes:
    content = module.section(GLOBAL)
    count_length = next((i + 1 for i, byte in enumerate(content) if byte < 0x80), 0)
    gas, units = b"\x7e\x01\x42\x00\x0b", b"\x7f\x01\x41\x00\x0b"
    return unsigned(module.n_globals + 3) + content[count_length:] + gas + units + units


def _exports(module: ParsedModule, n_globals: int, abi_exports: frozenset[str]) -> bytes:
    items = [
        (item.name if item.name in abi_exports else OWN_PREFIX + item.name, item.kind, item.index)
        for item in module.exports
    ]
    for offset, name in enumerate((GAS_EXPORT, STACK_EXPORT, CAUSE_EXPORT)):
        items.append((name, GLOBAL_EXPORT, n_globals + offset))
    encoded = []
    for name, kind, index in items:
        raw = name.encode()
        encoded.append(unsigned(len(raw)) + raw + bytes((kind,)) + unsigned(index))
    return _vector(encoded)


def _bodies(module: ParsedModule, caps: Caps, names: _Names, types: list[FuncType]) -> list[bytes]:
    bodies, weight = [], 0
    for index, body in enumerate(module.bodies):
        result = sc.scan_body(module, index, body, caps)
        kind = module.types[module.functions[index]]
        n_locals = len(kind.params) + sum(count for count, _ in body.locals)
        weight += n_locals * (len(result.costs) - 1)
        if weight > caps.loop_locals:
            reason = f"the loops of functions 0 to {index} carry more than {caps.loop_locals} locals"
            raise MalformedModuleError(reason, body.start)
        units = _stack_units(n_locals, result)
        bodies.append(_body(module, body, result, units, names, _block_type(kind.results, types)))
    return bodies


def _stack_units(n_locals: int, result: sc.Scan) -> int:
    """8 + locals + operand height; more for a function whose values could fill a frame that this does not cover."""
    named = n_locals + result.max_height
    width = 16 if result.vectors else 8
    frame = FRAME_BASE_BYTES + width * (named + result.values + 2 * len(result.costs))
    return max(8 + named, -(-frame // FRAME_BYTES_PER_UNIT))


def _body(module: ParsedModule, body: Body, result: sc.Scan, units: int, names: _Names, block_type: bytes) -> bytes:
    """Wrap the code in a block, so that every way out passes the epilogue that gives the stack units back."""
    out = [
        module.data[body.start : body.code],
        _charge_gas(names, result.costs[0] + 2),
        _take_stack(names, units),
        b"\x02" + block_type,
    ]
    pos = body.code
    for edit in result.edits:
        out.append(module.data[pos : edit.start])
        out.append(_edit(edit, result.costs, names))
        pos = edit.end
    out.append(module.data[pos : result.code_end])
    stack = names.stack
    give_back = b"\x23" + stack + b"\x41" + signed(units) + b"\x6a\x24" + stack
    out += [b"\x0b", give_back, b"\x0b"]
    return b"".join(out)


def _block_type(results: bytes, types: list[FuncType]) -> bytes:
    if not results:
        return _NO_TYPE
    if len(results) == 1:
        return results
    return signed(_type_index(types, b"", results))


def _edit(edit: sc.Edit, costs: list[int], names: _Names) -> bytes:
    if edit.kind == sc.LOOP_CHECK:
        return _charge_gas(names, costs[edit.value] + 1)
    if edit.kind == sc.RETURN:
        return bytes((op.BR,)) + unsigned(edit.value)
    return bytes((op.CALL,)) + names.helpers[edit.kind - sc.CHARGE_BYTES]


def _charge_gas(names: _Names, amount: int) -> bytes:
    """gas -= amount; stop when it is below zero."""
    return _subtract_gas(names, b"\x42" + signed(amount))


def _subtract_gas(names: _Names, amount: bytes) -> bytes:
    """The same for an amount (i64) that code computes."""
    gas = names.gas
    take = b"\x23" + gas + amount + b"\x7d\x24" + gas
    return take + b"\x23" + gas + b"\x42\x00\x53\x04\x40\x10" + names.out_of_gas + b"\x0b"


def _take_stack(names: _Names, units: int) -> bytes:
    stack = names.stack
    take = b"\x23" + stack + b"\x41" + signed(units) + b"\x6b\x24" + stack
    return take + b"\x23" + stack + b"\x41\x00\x48\x04\x40\x10" + names.overflow + b"\x0b"


def _helpers(names: _Names, module: ParsedModule, caps: Caps) -> list[bytes]:
    def charge(scale: bytes) -> bytes:
        return b"\x00" + _charge_local(names, 0, scale) + b"\x20\x00\x0b"

    memory = next((_maximum(item, caps.memory_pages) for item in module.memories), None)
    table = next((_maximum(item, caps.table_entries) for item in module.tables), None)
    per_byte, per_page = b"\x42\x03\x88", b"\x42" + signed(GAS_PER_PAGE) + b"\x7e"
    # A module without the one or the other never calls the helper that would grow it.
    return [
        b"\x00" + _stop(names, CAUSE_OUT_OF_GAS) + b"\x0b",
        b"\x00" + _stop(names, CAUSE_STACK) + b"\x0b",
        charge(per_byte),
        charge(b""),
        _UNUSED if memory is None else _grow(names, memory, (b"", b"\x3f\x00", b"\x40\x00"), per_page),
        _UNUSED if table is None else _grow(names, table, (b"\x20\x00", b"\xfc\x10\x00", b"\xfc\x0f\x00"), b""),
    ]


def _stop(names: _Names, cause: int) -> bytes:
    return b"\x41" + signed(cause) + b"\x24" + names.cause + b"\x00"


def _charge_local(names: _Names, local: int, scale: bytes) -> bytes:
    """Charge a local, taken without sign, times the scale."""
    return _subtract_gas(names, b"\x20" + unsigned(local) + b"\xad" + scale)


def _grow(names: _Names, maximum: int, operations: tuple[bytes, bytes, bytes], scale: bytes) -> bytes:
    """Grow by the last parameter; ``operations`` push what comes before it, push the size, grow."""
    before, size, grow = operations
    count = b"\x20\x01" if before else b"\x20\x00"
    at = count[1:]
    refused = count + b"\x41" + signed(maximum) + size + b"\x6b\x4b\x04\x40\x41\x7f\x0f\x0b"  # more than is left: -1
    failed = b"\x22" + at + b"\x41\x7f\x46\x04\x40" + _stop(names, CAUSE_HOST_MEMORY) + b"\x0b" + count
    return b"\x00" + _charge_local(names, at[0], scale) + refused + before + count + grow + failed + b"\x0b"
