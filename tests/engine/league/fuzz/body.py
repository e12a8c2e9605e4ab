"""Function bodies for the generator: expressions of a wanted type, statements that leave the stack as it was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from ops import (
    BY_RESULT,
    DIVISIONS,
    EXTRACT,
    I32,
    I64,
    LANE_LOADS,
    LOADS,
    REF,
    REPLACE,
    STORES,
    TRUNCATIONS,
    V128,
)

from engine.league.wasm.leb import signed, unsigned

if TYPE_CHECKING:
    from smith import Smith

MAX_DEPTH = 6
ONE = {I32: b"\x41\x01\x72", I64: b"\x42\x01\x84"}  # or-ed to a divisor
EMPTY = b"\x40"
Label = tuple[tuple[int, ...], bool]


class Body:
    """One function's code. ``write`` returns local declarations and instructions."""

    def __init__(self, smith: Smith, index: int) -> None:
        self.smith, self.source, self.index = smith, smith.source, index
        self.params, self.results = smith.types[smith.functions[index]]
        extra = tuple(smith.any_type() for _ in range(self.source.below(7)))
        self.locals: list[int] = [*self.params, *extra]
        self.usable = len(self.locals)  # counters of loops come behind these
        self.left = 8 + self.source.below(60)
        self.labels: list[Label] = [(self.results, False)]
        self.out = bytearray()
        self.dead = False

    def write(self) -> bytes:
        """Return the body."""
        while self.left > 0 and not self.source.dry:
            self.statement(0)
        self._leave(self.results)
        self.out.append(0x0B)
        declared = self.locals[len(self.params) :]
        groups = [unsigned(len(list(items))) + bytes((kind,)) for kind, items in groupby(declared)]
        return unsigned(len(groups)) + b"".join(groups) + bytes(self.out)

    # Expressions ----------------------------------------------------------------------------------------------------

    def expression(self, kind: int, depth: int) -> None:
        """Write code that pushes a value of that type."""
        self.left -= 1
        if depth > MAX_DEPTH or self.left <= 0:
            self._leaf(kind)
            return
        write = self.source.weighted(
            ((26, self._leaf), (40, self._operator), (8, self._load), (4, self._select), (5, self._call_for),
             (5, self._block_for), (4, self._tee), (4, self._special))
        )  # fmt: skip
        if write == self._leaf:
            self._leaf(kind)
        else:
            write(kind, depth + 1)  # type: ignore[operator]

    def _leaf(self, kind: int) -> None:
        source, smith = self.source, self.smith
        if source.chance(60) and (found := [at for at in range(self.usable) if self.locals[at] == kind]):
            self.out += b"\x20" + unsigned(source.pick(found))
        elif source.chance(30) and (found := [at for at, item in enumerate(smith.globals) if item[0] == kind]):
            self.out += b"\x23" + unsigned(source.pick(found))
        else:
            self.out += smith.constant(kind)

    def _operator(self, kind: int, depth: int) -> None:
        if kind == REF:
            self._special(kind, depth)
            return
        code, operands = self.source.pick(BY_RESULT[kind])
        if code[0] in TRUNCATIONS and not self.source.chance(8):
            self._leaf(kind)
            return
        for operand in operands:
            self.expression(operand, depth)
        if code[0] in DIVISIONS and not self.source.chance(4):
            self.out += ONE[kind]
        self.out += code

    def address(self, depth: int) -> None:
        """Push an address that mostly lies inside the first page."""
        self.expression(I32, depth)
        if not self.source.chance(2):
            self.out += b"\x41" + signed(0x7FF8) + b"\x71"

    def _memarg(self, align: int) -> bytes:
        offset = self.source.weighted(((8, 0), (4, self.source.below(200)), (1, 65_530)))
        return unsigned(self.source.below(align + 1)) + unsigned(offset)

    def _load(self, kind: int, depth: int) -> None:
        if not self.smith.has_memory or kind == REF:
            self._leaf(kind)
            return
        if kind == V128 and self.source.chance(25):
            code, _, align, lanes = self.source.pick(LANE_LOADS)
            self.address(depth)
            self.expression(V128, depth)
            self.out += code + self._memarg(align) + bytes((self.source.below(lanes),))
            return
        code, _, align, _ = self.source.pick([item for item in LOADS if item[1] == kind])
        self.address(depth)
        self.out += code + self._memarg(align)

    def _select(self, kind: int, depth: int) -> None:
        self.expression(kind, depth)
        self.expression(kind, depth)
        self.expression(I32, depth)
        self.out += b"\x1c\x01" + bytes((kind,)) if kind == REF or self.source.chance(30) else b"\x1b"

    def _call_for(self, kind: int, depth: int) -> None:
        types, functions = self.smith.types, self.smith.functions
        found = [at for at, item in enumerate(functions) if types[item][1] == (kind,)]
        found = [at for at in found if at < self.index] or (found if self.source.chance(10) else [])
        if found:
            self._call(self.source.pick(found), depth)
        else:
            self._leaf(kind)

    def _block_for(self, kind: int, depth: int) -> None:
        if self.source.below(2):
            self.expression(I32, depth)
            self._nested(b"\x04", bytes((kind,)), (), (kind,), depth)
        else:
            self._nested(b"\x02", bytes((kind,)), (), (kind,), depth)

    def _tee(self, kind: int, depth: int) -> None:
        found = [at for at in range(self.usable) if self.locals[at] == kind]
        self.expression(kind, depth)
        if found:
            self.out += b"\x22" + unsigned(self.source.pick(found))

    def _special(self, kind: int, depth: int) -> None:
        """What only some types have: lanes, sizes, growing, entries of the table."""
        source, smith = self.source, self.smith
        lanes = [(code, item[1]) for code, item in EXTRACT.items() if item[0] == kind]
        if kind == I32 and smith.has_memory and source.chance(30):
            self.out += source.pick((b"\x3f\0", b"\x41\x01\x40\0", b"\x41\0\x40\0", b"\x41\x7f\x40\0"))
        elif kind == I32 and smith.entries and source.chance(30):
            self.out += source.pick((b"\xfc\x10\0", b"\xd0\x70\x41\x02\xfc\x0f\0", b"\xd0\x70\x41\x7f\xfc\x0f\0"))
        elif kind == REF and smith.entries:
            self.expression(I32, depth)
            self.out += b"\x41\x07\x71\x25\0"
        elif kind == V128 and source.chance(50):
            self.expression(V128, depth)
            self.expression(V128, depth)
            self.out += b"\xfd\x0d" + bytes(source.below(32) for _ in range(16))
        elif kind == V128:
            code, (lane, count) = source.pick(list(REPLACE.items()))
            self.expression(V128, depth)
            self.expression(lane, depth)
            self.out += bytes((0xFD, code, source.below(count)))
        elif lanes:
            code, count = source.pick(lanes)
            self.expression(V128, depth)
            self.out += bytes((0xFD, code, source.below(count)))
        else:
            self._leaf(kind)

    # Statements -----------------------------------------------------------------------------------------------------

    def statement(self, depth: int) -> None:
        """Write code that leaves the stack as it found it."""
        self.left -= 1
        if depth > MAX_DEPTH:
            self._set(depth)
            return
        choices: tuple[tuple[int, Callable[[int], None]], ...] = (
            (18, self._set), (12, self._store), (7, self._set_global), (4, self._drop), (5, self._block), (7, self._if),
            (8, self._loop), (6, self._branch), (2, self._branch_table), (1, self._return), (8, self._call_any),
            (5, self._call_indirect), (5, self._bulk), (4, self._table), (4, self._several), (1, self._unreachable),
        )  # fmt: skip
        self.source.weighted(choices)(depth + 1)
        if self.dead:
            self.dead = False
            for _ in range(self.source.below(3)):
                self._junk()

    def _pop(self, types: Sequence[int]) -> None:
        for kind in reversed(types):
            found = [at for at in range(self.usable) if self.locals[at] == kind]
            self.out += b"\x21" + unsigned(self.source.pick(found)) if found and self.source.chance(70) else b"\x1a"

    def _push(self, types: Sequence[int], depth: int) -> None:
        for kind in types:
            self.expression(kind, depth)

    def _leave(self, results: Sequence[int]) -> None:
        self._push(results, MAX_DEPTH - 2)

    def _set(self, depth: int) -> None:
        if not self.usable:
            self.out.append(0x01)
            return
        at = self.source.below(self.usable)
        self.expression(self.locals[at], depth)
        self.out += b"\x21" + unsigned(at)

    def _drop(self, depth: int) -> None:
        self.expression(self.smith.any_type(), depth)
        self.out.append(0x1A)

    def _store(self, depth: int) -> None:
        if not self.smith.has_memory:
            self._drop(depth)
            return
        code, kind, align, lanes = self.source.pick(STORES)
        self.address(depth)
        self.expression(kind, depth)
        self.out += code + self._memarg(align) + (bytes((self.source.below(lanes),)) if lanes else b"")

    def _set_global(self, depth: int) -> None:
        found = [at for at, item in enumerate(self.smith.globals) if item[1]]
        if not found:
            self._set(depth)
            return
        at = self.source.pick(found)
        self.expression(self.smith.globals[at][0], depth)
        self.out += b"\x24" + unsigned(at)

    def _nested(self, code: bytes, kind: bytes, params: Sequence[int], results: tuple[int, ...], depth: int) -> None:
        """Write a block, loop or if; its operands are on the stack. An ``if`` gets both arms."""
        self.out += code + kind
        for arm in range(2 if code == b"\x04" else 1):
            if arm:
                self.out.append(0x05)
            self.labels.append((tuple(params) if code == b"\x03" else results, code == b"\x03"))
            self._pop(params)
            for _ in range(self.source.below(4)):
                self.statement(depth)
            if self.source.chance(3):
                # Behind this the results come from nowhere, or half of them do.
                self.out.append(0x00)
                self._push(results[self.source.below(len(results) + 1) :], depth)
            else:
                self._push(results, depth)
            self.labels.pop()
        self.out.append(0x0B)

    def _block(self, depth: int) -> None:
        self._nested(b"\x02", EMPTY, (), (), depth)

    def _if(self, depth: int) -> None:
        self.expression(I32, depth)
        self._nested(b"\x04", EMPTY, (), (), depth)

    def _loop(self, depth: int) -> None:
        """Mostly a loop that counts down; else one that only its condition ends."""
        if self.source.chance(4):
            self.out += b"\x03\x40"
            self.labels.append(((), True))
            self.statement(depth)
            self.expression(I32, depth)
            self.labels.pop()
            self.out += b"\x0d\0\x0b"
            return
        counter = unsigned(len(self.locals))
        self.locals.append(I32)
        self.out += b"\x41" + signed(1 + self.source.below(12)) + b"\x21" + counter + b"\x03\x40"
        self.labels.append(((), True))
        for _ in range(1 + self.source.below(4)):
            self.statement(depth)
        self.labels.pop()
        self.out += b"\x20" + counter + b"\x41\x01\x6b\x22" + counter + b"\x0d\0\x0b"

    def _several(self, depth: int) -> None:
        """A block of any function type, with parameters and several results."""
        smith = self.smith
        index = self.source.below(len(smith.types))
        params, results = smith.types[index]
        code = self.source.pick((b"\x02", b"\x04", b"\x03"))
        self._push(params, depth)
        if code == b"\x04":
            self.expression(I32, depth)
        self._nested(code, signed(index), params, results, depth)
        self._pop(results)

    def _target(self) -> int:
        """Return the depth of a label, rarely that of a loop without a counter."""
        at = self.source.below(len(self.labels))
        if self.labels[-1 - at][1] and not self.source.chance(10):
            return len(self.labels) - 1
        return at

    def _branch(self, depth: int) -> None:
        at = self._target()
        types = self.labels[-1 - at][0]
        self._push(types, depth)
        if self.source.chance(15):
            self.out += b"\x0c" + unsigned(at)
            self.dead = True
        else:
            self.expression(I32, depth)
            self.out += b"\x0d" + unsigned(at)
            self._pop(types)

    def _branch_table(self, depth: int) -> None:
        default = self._target()
        types = self.labels[-1 - default][0]
        alike = [at for at in range(len(self.labels)) if self.labels[-1 - at] == (types, False)] or [default]
        # Inside a block of its own, so that the code behind it is reached when it leads there.
        self.out += b"\x02" + EMPTY
        self.labels.append(((), False))
        self._push(types, depth)
        self.expression(I32, depth)
        self.labels.pop()
        chosen = [self.source.pick(alike) for _ in range(self.source.below(5))]
        inner = types == () and self.source.chance(70)
        table = [unsigned(0 if inner and place % 2 else at + 1) for place, at in enumerate(chosen)]
        self.out += b"\x0e" + unsigned(len(table)) + b"".join(table) + unsigned(0 if inner else default + 1) + b"\x0b"

    def _return(self, depth: int) -> None:
        self._push(self.results, depth)
        self.out.append(0x0F)
        self.dead = True

    def _unreachable(self, depth: int) -> None:
        if self.source.chance(8):
            self.out.append(0x00)
            self.dead = True
        else:
            self.out.append(0x01)

    def _call(self, index: int, depth: int) -> tuple[int, ...]:
        params, results = self.smith.types[self.smith.functions[index]]
        self._push(params, depth)
        self.out += b"\x10" + unsigned(index)
        return results

    def _call_any(self, depth: int) -> None:
        if not self.index and not self.source.chance(10):
            self._set(depth)
            return
        end = len(self.smith.functions) if self.source.chance(4) else self.index
        self._pop(self._call(self.source.below(end), depth))

    def _call_indirect(self, depth: int) -> None:
        """Entry i of the table is mostly function i modulo their number."""
        smith = self.smith
        if not smith.entries or (not self.index and not self.source.chance(10)):
            self._set(depth)
            return
        callee = self.source.below(self.index) if self.index else 0
        kind = smith.functions[callee] if not self.source.chance(5) else self.source.below(len(smith.types))
        params, results = smith.types[kind]
        self._push(params, depth)
        self.out += b"\x41" + signed(callee if callee < smith.entries else 0)
        self.out += b"\x11" + unsigned(kind) + b"\0"
        self._pop(results)

    def _size(self) -> bytes:
        return b"\x41" + signed(self.source.weighted(((6, self.source.below(300)), (1, 70_000), (1, 0), (1, -1))))

    def _bulk(self, depth: int) -> None:
        if not self.smith.has_memory:
            self._set(depth)
            return
        segment = self.source.below(self.smith.n_data)
        kind = self.source.below(4 if self.smith.n_data else 2)
        if kind == 3:
            self.out += b"\xfc\x09" + unsigned(segment)
            return
        self.address(depth)
        if kind == 2:
            self.out += b"\x41\0\x41" + signed(self.source.below(6)) + b"\xfc\x08" + unsigned(segment) + b"\0"
            return
        if kind:
            self.address(depth)
        else:
            self.expression(I32, depth)
        self.out += self._size() + (b"\xfc\x0a\0\0" if kind else b"\xfc\x0b\0")

    def _table(self, depth: int) -> None:
        smith, source = self.smith, self.source
        if not smith.entries:
            self._set(depth)
            return
        at, few = b"\x41" + signed(source.below(smith.entries + 1)), b"\x41" + signed(source.below(4))
        segment = unsigned(source.below(len(smith.elements)))
        kind = source.below(5)
        self.out += at
        if kind == 0:
            self.expression(REF, depth)
            self.out += b"\x26\0"
        elif kind == 1:
            self.expression(REF, depth)
            self.out += few + b"\xfc\x11\0"
        elif kind == 2:
            self.out += at + few + b"\xfc\x0e\0\0"
        elif kind == 3:
            self.out += b"\x41\0" + few + b"\xfc\x0c" + segment + b"\0"
        else:
            self.out += b"\x1a\xfc\x0d" + segment

    def _junk(self) -> None:
        """Code that is never reached, whose operands are not there."""
        source, smith = self.source, self.smith
        pieces = [b"\x1a", b"\x6a\x1a", b"\x1b\x1a", b"\x7c\x42\x01\x7c\x1a", b"\xa0\x1a", b"\xfd\xae\x01\x1a", b"\x0f",
                  b"\x0c\0", b"\x02\x40\x0b", b"\x03\x40\x0c\0\x0b", b"\x04\x40\x05\x0b", b"\xd1\x1a",
                  b"\0"]  # fmt: skip
        if smith.has_memory:
            pieces += [b"\x40\0\x1a", b"\xfc\x0b\0", b"\xfc\x0a\0\0", b"\x37\x03\0", b"\x29\0\0\x1a"]
        if smith.entries:
            pieces += [b"\xfc\x11\0", b"\xfc\x0f\0\x1a", b"\x26\0"]
        callee = source.below(len(smith.functions))
        results = smith.types[smith.functions[callee]][1]
        pieces.append(b"\x10" + unsigned(callee) + b"\x1a" * len(results))
        depth = source.below(len(self.labels))
        pieces.append(b"\x41\0\x0d" + unsigned(depth) + b"\x1a" * len(self.labels[-1 - depth][0]))
        pieces.append(b"\x0e\x01" + unsigned(depth) * 2)
        self.out += source.pick(pieces)
