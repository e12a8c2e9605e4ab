"""One pass over a validated function body: what gas and stack units cost, and where checks must go."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from engine.league.gate.limits import Caps
from engine.league.wasm import opcodes as op
from engine.league.wasm.leb import MalformedModuleError, read_signed, read_unsigned, skip
from engine.league.wasm.reader import Body, ParsedModule

# Kinds of edits.
LOOP_CHECK, RETURN, CHARGE_BYTES, CHARGE_ENTRIES, GROW_MEMORY, GROW_TABLE = range(6)
_WIDTH: Final = {op.F32: 4, op.F64: 8, op.LANE: 1, op.BYTES16: 16}
_COPIES: Final = (op.LOCAL_GET, op.LOCAL_TEE)
_NUMBERS: Final = {op.U32: 1, op.S32: 1, op.S64: 1, op.U32X2: 2, op.MEMARG: 2}


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the bytes [start, end) of the file: ``value`` is the loop's number or the depth of a return."""

    start: int
    end: int
    kind: int
    value: int


@dataclass(slots=True)
class Scan:
    """What the instrumentation needs of one body. ``costs[0]`` counts the instructions outside loops, ``costs[i]``
    those of loop i without the loops inside it; ``code_end`` is the position of the body's last ``end``. ``values``
    is how many values the body computes, ``vectors`` whether any may be 128 bits wide."""

    costs: list[int]
    edits: list[Edit]
    max_height: int
    code_end: int
    values: int
    vectors: bool


@dataclass(slots=True)
class _Frame:
    opcode: int
    base: int
    params: int
    results: int
    region: int


@dataclass(slots=True)
class _Scanner:
    module: ParsedModule
    caps: Caps
    index: int
    pos: int
    end: int
    height: int = 0
    max_height: int = 0
    targets: int = 0
    charged: int = 0
    values: int = 0
    vectors: bool = False
    costs: list[int] = field(default_factory=lambda: [0])
    edits: list[Edit] = field(default_factory=list)
    frames: list[_Frame] = field(default_factory=list)

    def run(self) -> Scan:
        data, plain = self.module.data, op.PLAIN
        self.frames.append(_Frame(op.BLOCK, 0, 0, 0, 0))
        while self.frames:
            at = self.pos
            if at >= self.end:
                raise MalformedModuleError(f"function {self.index} has no end", at)
            code = data[at]
            self.pos = at + 1
            known = plain.get(code)
            if known is None:
                known = self._prefixed(at, code)
            if known.immediate == op.CONTROL:
                self._control(at, code)
            else:
                self.costs[self.frames[-1].region] += 1
                self._skip_immediate(known.immediate)
                self._apply(known.pops, known.pushes)
                if code not in _COPIES:
                    self.values += known.pushes
                if code == op.MEMORY_GROW:
                    self._charge(at, self.pos, GROW_MEMORY)
        if self.pos != self.end:
            raise MalformedModuleError(f"function {self.index} goes on after its end", self.pos)
        vectors = self.vectors or self.module.has_vectors
        return Scan(self.costs, self.edits, self.max_height, self.end - 1, self.values, vectors)

    def _prefixed(self, at: int, prefix: int) -> op.Op:
        table = {op.PREFIX_MISC: op.MISC, op.PREFIX_SIMD: op.SIMD}.get(prefix)
        code = 0
        self.vectors |= prefix == op.PREFIX_SIMD
        if table is not None:
            code, self.pos = read_unsigned(self.module.data, self.pos)
            if code in table:
                if prefix == op.PREFIX_MISC:
                    self._bulk(at, code)
                return table[code]
        raise MalformedModuleError(
            f"function {self.index} uses {op.feature_of(prefix, code)} (opcode {prefix:#04x} {code:#04x})", at
        )

    def _bulk(self, at: int, code: int) -> None:
        if code == op.TABLE_GROW:
            self._charge(at, skip(self.module.data, self.pos), GROW_TABLE)
        elif code in op.BULK_BYTES:
            self._charge(at, at, CHARGE_BYTES)
        elif code in op.BULK_ENTRIES:
            self._charge(at, at, CHARGE_ENTRIES)

    def _charge(self, at: int, end: int, kind: int) -> None:
        self.edits.append(Edit(at, end, kind, 0))
        self.charged += 1
        if self.charged > self.caps.charged:
            raise MalformedModuleError(
                f"function {self.index} has more than {self.caps.charged} operations that fill, copy, or grow", at
            )

    def _apply(self, pops: int, pushes: int) -> None:
        # Code after a branch may take operands that are not there: its height stops at the block's base.
        height = max(self.height - pops, self.frames[-1].base) + pushes
        self.height = height
        if height > self.max_height:
            self.max_height = height
            if height > self.caps.operands:
                raise MalformedModuleError(
                    f"function {self.index} needs more than {self.caps.operands} operands at once", self.pos
                )

    def _skip_immediate(self, kind: int) -> None:
        if kind == op.NONE:
            return
        data = self.module.data
        if kind in _NUMBERS:
            for _ in range(_NUMBERS[kind]):
                self.pos = skip(data, self.pos)
        elif kind in _WIDTH:
            self.pos += _WIDTH[kind]
        elif kind == op.MEMARG_LANE:
            self.pos = skip(data, skip(data, self.pos)) + 1
        elif kind == op.SELECT_T:
            count, self.pos = read_unsigned(data, self.pos)
            if count != 1 or data[self.pos] not in op.VALUE_TYPES:
                raise MalformedModuleError("a typed select of a type that is not allowed", self.pos)
            self.pos += 1
        elif kind == op.REF_TYPE:
            heap, after = read_signed(data, self.pos)
            if heap != -0x10:
                raise MalformedModuleError(f"function {self.index} uses a null reference that is not funcref", self.pos)
            self.pos = after

    def _control(self, at: int, code: int) -> None:
        if code in (op.BLOCK, op.LOOP, op.IF):
            self._open(code)
        elif code == op.ELSE:
            frame = self.frames[-1]
            self.height = frame.base + frame.params
        elif code == op.END:
            frame = self.frames.pop()
            self.height = frame.base + frame.results
        else:
            self.costs[self.frames[-1].region] += 1
            self._branch_or_call(at, code)

    def _open(self, code: int) -> None:
        parent = self.frames[-1]
        self.costs[parent.region] += 1
        if code == op.IF:
            self._apply(1, 0)
        params, results = self._block_type()
        base = max(self.height - params, parent.base)
        self.values += params + results
        region = parent.region
        if code == op.LOOP:
            region = len(self.costs)
            self.costs.append(0)
            self.edits.append(Edit(self.pos, self.pos, LOOP_CHECK, region))
            if region > self.caps.loops:
                raise MalformedModuleError(f"function {self.index} has more than {self.caps.loops} loops", self.pos)
        self.frames.append(_Frame(code, base, params, results, region))
        if len(self.frames) > self.caps.nesting:
            raise MalformedModuleError(f"function {self.index} nests deeper than {self.caps.nesting}", self.pos)
        self.height = base
        self._apply(0, params)

    def _block_type(self) -> tuple[int, int]:
        at = self.pos
        value, self.pos = read_signed(self.module.data, at)
        if value >= 0:
            if value >= len(self.module.types):
                raise MalformedModuleError(f"a block has the unknown type {value}", at)
            kind = self.module.types[value]
            return len(kind.params), len(kind.results)
        if value == -0x40:
            return 0, 0
        if value + 0x80 not in op.VALUE_TYPES:
            raise MalformedModuleError("a block has a result type that is not allowed", at)
        return 0, 1

    def _branch_or_call(self, at: int, code: int) -> None:
        data = self.module.data
        if code == op.CALL:
            callee, self.pos = read_unsigned(data, self.pos)
            self._call(self.module.functions[callee] if callee < len(self.module.functions) else -1, 0)
        elif code == op.CALL_INDIRECT:
            type_index, self.pos = read_unsigned(data, self.pos)
            self.pos = skip(data, self.pos)
            self._call(type_index, 1)
        elif code == op.BR_IF:
            self.pos = skip(data, self.pos)
            self._apply(1, 0)
        else:
            if code == op.BR:
                self.pos = skip(data, self.pos)
            elif code == op.BR_TABLE:
                self._branch_table()
            elif code == op.RETURN:
                self.edits.append(Edit(at, self.pos, RETURN, len(self.frames) - 1))
            self.height = self.frames[-1].base

    def _call(self, type_index: int, extra: int) -> None:
        if not 0 <= type_index < len(self.module.types):
            raise MalformedModuleError(f"function {self.index} calls something unknown", self.pos)
        kind = self.module.types[type_index]
        self._apply(len(kind.params) + extra, len(kind.results))
        self.values += len(kind.results)

    def _branch_table(self) -> None:
        count, self.pos = read_unsigned(self.module.data, self.pos)
        self.targets += count + 1
        if self.targets > self.caps.branch_targets:
            raise MalformedModuleError(
                f"the branch tables of function {self.index} have more than {self.caps.branch_targets} targets",
                self.pos,
            )
        for _ in range(count + 1):
            self.pos = skip(self.module.data, self.pos)


def scan_body(module: ParsedModule, index: int, body: Body, caps: Caps) -> Scan:
    """Scan function ``index``. Raises MalformedModuleError beyond a limit or on an instruction that is not admitted."""
    params = len(module.types[module.functions[index]].params)
    total = params + sum(count for count, _ in body.locals)
    if total > caps.locals:
        raise MalformedModuleError(
            f"function {index} has {total} locals, at most {caps.locals} are allowed", body.start
        )
    return _Scanner(module, caps, index, body.code, body.end).run()
