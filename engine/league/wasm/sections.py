"""Decoding of the sections that the gate's policy depends on, each list held against its limit while it is read."""

from __future__ import annotations

from typing import Protocol

from engine.league.wasm import opcodes
from engine.league.wasm.leb import MalformedModuleError, read_signed, skip
from engine.league.wasm.reader import (
    CODE,
    DATA,
    DATA_COUNT,
    ELEMENT,
    EXPORT,
    FUNCTION,
    GLOBAL,
    IMPORT,
    KIND_NAMES,
    MEMORY,
    START,
    TABLE,
    TAG,
    TYPE,
    Body,
    Cursor,
    Export,
    FuncType,
    Limits,
    ParsedModule,
    split_sections,
)


class SectionCaps(Protocol):
    """The limits that reading itself enforces."""

    @property
    def types(self) -> int: ...  # noqa: D102
    @property
    def params(self) -> int: ...  # noqa: D102
    @property
    def results(self) -> int: ...  # noqa: D102
    @property
    def functions(self) -> int: ...  # noqa: D102
    @property
    def globals(self) -> int: ...  # noqa: D102
    @property
    def exports(self) -> int: ...  # noqa: D102
    @property
    def segments(self) -> int: ...  # noqa: D102
    @property
    def locals(self) -> int: ...  # noqa: D102
    @property
    def body_bytes(self) -> int: ...  # noqa: D102
    @property
    def code_bytes(self) -> int: ...  # noqa: D102
    @property
    def data_bytes(self) -> int: ...  # noqa: D102
    @property
    def name_bytes(self) -> int: ...  # noqa: D102


def parse_module(data: bytes, caps: SectionCaps) -> ParsedModule:
    """Return the parsed module. Raises MalformedModuleError with the reason and offset.

    Bodies are located, not scanned; what only validation can tell (types inside bodies) is left to it.
    """
    spans, customs = split_sections(data)
    module = ParsedModule(data, spans=spans, customs=customs)
    if TAG in spans:
        raise MalformedModuleError("exceptions are not allowed: the module has tags", spans[TAG][0])
    readers = (
        (TYPE, _types), (IMPORT, _imports), (FUNCTION, _functions), (TABLE, _tables), (MEMORY, _memories),
        (GLOBAL, _globals), (EXPORT, _exports), (START, _start), (ELEMENT, _segments), (DATA_COUNT, _data_count),
        (CODE, _code), (DATA, _segments),
    )  # fmt: skip
    for section, read in readers:
        if section in spans:
            start, end = spans[section]
            read(module, Cursor(data, start, end, f"section {section}"), caps)
    if len(module.bodies) != len(module.functions):
        raise MalformedModuleError(
            f"{len(module.functions)} functions are declared, {len(module.bodies)} have a body", len(data)
        )
    return module


def _done(cursor: Cursor, what: str) -> None:
    if cursor.pos != cursor.end:
        raise MalformedModuleError(f"the {what} section has {cursor.end - cursor.pos} bytes too many", cursor.pos)


def _types(module: ParsedModule, cursor: Cursor, caps: SectionCaps) -> None:
    for _ in range(cursor.count(caps.types, "types")):
        at = cursor.pos
        form = cursor.byte()
        if form != 0x60:
            raise MalformedModuleError(f"only function types are allowed, not the type form {form:#04x}", at)
        params = bytes(cursor.value_type() for _ in range(cursor.count(caps.params, "parameters")))
        results = bytes(cursor.value_type() for _ in range(cursor.count(caps.results, "results")))
        module.types.append(FuncType(params, results))
        module.has_vectors |= opcodes.V128 in params + results
    _done(cursor, "type")


def _imports(module: ParsedModule, cursor: Cursor, caps: SectionCaps) -> None:
    # The first one is enough: any import is refused, and its description may use encodings unknown here.
    if cursor.u32():
        title, name = cursor.name(), cursor.name()
        module.imports.append((title, name, cursor.byte()))


def _functions(module: ParsedModule, cursor: Cursor, caps: SectionCaps) -> None:
    for _ in range(cursor.count(caps.functions, "functions")):
        at = cursor.pos
        index = cursor.u32()
        if index >= len(module.types):
            raise MalformedModuleError(f"function {len(module.functions)} has the unknown type {index}", at)
        module.functions.append(index)
    _done(cursor, "function")


def _limits(cursor: Cursor, what: str) -> Limits:
    at = cursor.pos
    flags = cursor.byte()
    if flags > 1:
        names = {2: "threads", 3: "threads", 8: "custom page sizes", 9: "custom page sizes"}
        raise MalformedModuleError(f"the {what} uses {names.get(flags, 'memory64')}, which is not allowed", at)
    minimum = cursor.u32()
    return Limits(minimum, cursor.u32() if flags else None)


def _tables(module: ParsedModule, cursor: Cursor, caps: SectionCaps) -> None:
    for _ in range(cursor.count(1, "tables")):
        at = cursor.pos
        kind = cursor.byte()
        if kind != opcodes.FUNCREF:
            raise MalformedModuleError(f"only tables of funcref are allowed, not of {kind:#04x}", at)
        module.tables.append(_limits(cursor, "table"))
    _done(cursor, "table")


def _memories(module: ParsedModule, cursor: Cursor, caps: SectionCaps) -> None:
    for _ in range(cursor.count(1, "memories")):
        module.memories.append(_limits(cursor, "memory"))
    _done(cursor, "memory")


def _globals(module: ParsedModule, cursor: Cursor, caps: SectionCaps) -> None:
    module.n_globals = cursor.count(caps.globals, "globals")
    for _ in range(module.n_globals):
        module.has_vectors |= cursor.value_type() == opcodes.V128
        cursor.byte()
        _skip_constant(cursor)
    _done(cursor, "global")


def _skip_constant(cursor: Cursor) -> None:
    """Step over a constant expression up to and with its end."""
    data = cursor.data
    while True:
        at = cursor.pos
        code = cursor.byte()
        if code == opcodes.END:
            return
        if code in (0x41, 0x42, 0x23, 0xD2):  # integer constants, global.get, ref.func
            cursor.take(skip(data, cursor.pos) - cursor.pos)
        elif code in (0x43, 0x44):
            cursor.take(4 if code == 0x43 else 8)
        elif code == opcodes.REF_NULL:
            heap, _ = read_signed(data, cursor.pos)
            if heap != -0x10:
                raise MalformedModuleError("only null references to functions are allowed", at)
            cursor.take(skip(data, cursor.pos) - cursor.pos)
        elif code == opcodes.PREFIX_SIMD and cursor.u32() == 12:
            cursor.take(16)
        elif code not in (0x6A, 0x6B, 0x6C, 0x7C, 0x7D, 0x7E):
            raise MalformedModuleError(f"the opcode {code:#04x} is not allowed in a constant expression", at)


def _exports(module: ParsedModule, cursor: Cursor, caps: SectionCaps) -> None:
    for _ in range(cursor.count(caps.exports, "exports")):
        at = cursor.pos
        name, kind, index = cursor.name(), cursor.byte(), cursor.u32()
        if len(name.encode()) > caps.name_bytes:
            raise MalformedModuleError(f"an export's name is longer than {caps.name_bytes} bytes", at)
        if kind >= len(KIND_NAMES):
            raise MalformedModuleError(f"the export {name!r} is of the unknown kind {kind}", at)
        module.exports.append(Export(name, kind, index))
    _done(cursor, "export")


def _start(module: ParsedModule, cursor: Cursor, caps: SectionCaps) -> None:
    module.has_start = True


def _segments(module: ParsedModule, cursor: Cursor, caps: SectionCaps) -> None:
    if cursor.end - cursor.pos > caps.data_bytes:
        raise MalformedModuleError(
            f"a section of {cursor.end - cursor.pos} bytes of data, at most {caps.data_bytes} are allowed", cursor.pos
        )
    cursor.count(caps.segments, "segments")


def _data_count(module: ParsedModule, cursor: Cursor, caps: SectionCaps) -> None:
    cursor.count(caps.segments, "data segments")


def _code(module: ParsedModule, cursor: Cursor, caps: SectionCaps) -> None:
    if cursor.end - cursor.pos > caps.code_bytes:
        raise MalformedModuleError(
            f"{cursor.end - cursor.pos} bytes of code, at most {caps.code_bytes} are allowed", cursor.pos
        )
    for index in range(cursor.count(caps.functions, "function bodies")):
        at = cursor.pos
        size = cursor.u32()
        if size > caps.body_bytes:
            raise MalformedModuleError(
                f"the body of function {index} has {size} bytes, at most {caps.body_bytes} are allowed", at
            )
        start = cursor.pos
        cursor.take(size)
        body = _body(Cursor(module.data, start, start + size, f"body of function {index}"), index, caps)
        module.bodies.append(body)
        module.has_vectors |= any(kind == opcodes.V128 for _, kind in body.locals)
    _done(cursor, "code")


def _body(cursor: Cursor, index: int, caps: SectionCaps) -> Body:
    start, groups, total = cursor.pos, [], 0
    for _ in range(cursor.count(caps.locals, "groups of locals")):
        at = cursor.pos
        count = cursor.u32()
        total += count
        if total > caps.locals:
            raise MalformedModuleError(f"function {index} has {total} locals, at most {caps.locals} are allowed", at)
        groups.append((count, cursor.value_type()))
    return Body(start, cursor.pos, cursor.end, tuple(groups))
