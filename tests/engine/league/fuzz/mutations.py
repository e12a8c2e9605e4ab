"""Changes to modules: to bytes, to sections, and to single instructions, which mostly leave them valid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ops import ALIKE, OPERATORS
from smith import HEADER, name, section, vector
from source import Source

from engine.league.gate.limits import SYSTEM
from engine.league.wasm import opcodes as op
from engine.league.wasm.leb import MalformedModuleError, read_unsigned, signed, skip, unsigned
from engine.league.wasm.sections import parse_module

CODE, EXPORT, FUNCTION, MEMORY, TABLE = 10, 7, 3, 5, 4
_WIDTH = {op.F32: 4, op.F64: 8, op.LANE: 1, op.BYTES16: 16}
_NUMBERS = {op.U32: 1, op.S32: 1, op.S64: 1, op.U32X2: 2, op.MEMARG: 2, op.REF_TYPE: 1}
_BLOCKS = (op.BLOCK, op.LOOP, op.IF)
# What may stand between any two instructions of a function.
NEUTRAL = (
    b"\x01", b"\x42\x05\x1a", b"\x03\x40\x0b", b"\x02\x40\x0b", b"\x41\x00\x04\x40\x05\x0b", b"\x3f\x00\x1a", b"\x00",
    b"\x41\x01\x40\x00\x1a", b"\x41\x00\x41\x00\x41\x09\xfc\x0b\x00", b"\x02\x40\x41\x01\x0d\x00\x0b", b"\x0c\x00",
    b"\x02\x7e\x42\x03\x0c\x00\x0b\x1a", b"\x03\x7f\x41\x03\x0b\x1a", b"\x02\x40\x41\x02\x0e\x01\x00\x00\x0b", b"\x0f",
    b"\xfd\x0c" + bytes(16) + b"\x1a", b"\xd0\x70\x1a", b"\x41\x00\x41\x08\x41\x40\xfc\x0a\x00\x00",
    b"\x41\x00\x28\x02\x00\x1a", b"\x41\x04\x42\x07\x37\x03\x00", b"\xfc\x10\x00\x1a",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Instruction:
    """Where an instruction lies in its body: opcode from ``at``, immediates from ``after``, next one at ``end``."""

    code: bytes
    kind: int
    at: int
    after: int
    end: int


@dataclass
class Parts:
    """A module taken apart: (id, content) of its sections, and the bodies of the code section."""

    sections: list[tuple[int, bytes]] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)  # of the first instruction in each body

    @classmethod
    def of(cls, data: bytes) -> Parts:
        """Take a module apart. Raises MalformedModuleError."""
        parsed = parse_module(data, SYSTEM)
        parts, pos = cls(), len(HEADER)
        while pos < len(data):
            number = data[pos]
            size, start = read_unsigned(data, pos + 1)
            pos = start + size
            parts.sections.append((number, data[start:pos]))
        parts.bodies = [data[body.start : body.end] for body in parsed.bodies]
        parts.starts = [body.code - body.start for body in parsed.bodies]
        return parts

    def joined(self) -> bytes:
        """Put the module together again."""
        code = vector([unsigned(len(body)) + body for body in self.bodies])
        return HEADER + b"".join(section(at, code if at == CODE else content) for at, content in self.sections)


def instructions(body: bytes, start: int) -> list[Instruction]:
    """Return the instructions of a body. Raises MalformedModuleError or IndexError where there are none."""
    found, pos = [], start
    while pos < len(body):
        at, code = pos, body[pos]
        pos += 1
        table, number = op.PLAIN, code
        if code in (op.PREFIX_MISC, op.PREFIX_SIMD):
            number, pos = read_unsigned(body, pos)
            table = op.MISC if code == op.PREFIX_MISC else op.SIMD
        item = table.get(number)
        if item is None:
            raise MalformedModuleError("an unknown instruction", at)
        end = _behind(body, pos, code, item.immediate)
        found.append(Instruction(body[at:pos], item.immediate, at, pos, end))
        pos = end
    return found


def _behind(body: bytes, pos: int, code: int, kind: int) -> int:
    """Return the position behind the immediates."""
    numbers = _NUMBERS.get(kind, 0)
    if kind == op.CONTROL:
        if code == op.BR_TABLE:
            count, pos = read_unsigned(body, pos)
            numbers = count + 1
        elif code in (*_BLOCKS, op.BR, op.BR_IF, op.CALL):
            numbers = 1
        elif code == op.CALL_INDIRECT:
            numbers = 2
    elif kind == op.MEMARG_LANE:
        return skip(body, skip(body, pos)) + 1
    elif kind == op.SELECT_T:
        return pos + 2
    for _ in range(numbers):
        pos = skip(body, pos)
    return pos + _WIDTH.get(kind, 0)


# Instructions -------------------------------------------------------------------------------------------------------


def _instruction(source: Source, parts: Parts) -> None:
    """Change one instruction of one body."""
    at = source.below(len(parts.bodies))
    body = parts.bodies[at]
    found = instructions(body, parts.starts[at])
    if len(found) < 2:
        return
    change = source.weighted(((6, _exchanged), (4, _retargeted), (4, _inserted), (1, _removed), (1, _repeated)))
    # A few tries, for the instruction that is met may have nothing to change.
    for _ in range(8):
        item = found[source.below(len(found) - 1)]
        new = change(source, body, item)
        if new is not None and new != body:
            parts.bodies[at] = new
            return


def _exchanged(source: Source, body: bytes, item: Instruction) -> bytes | None:
    """Another operator of the same type, or another constant."""
    if item.code in OPERATORS:
        new = source.pick(ALIKE[OPERATORS[item.code]])
    elif item.code[0] == op.I32_CONST:
        new = item.code + signed(source.number(32))
    elif item.code[0] == op.I64_CONST:
        new = item.code + signed(source.number(64))
    else:
        return None
    return body[: item.at] + new + body[item.end :]


def _retargeted(source: Source, body: bytes, item: Instruction) -> bytes | None:
    """Another index, depth, offset."""
    if item.kind in (op.U32, op.MEMARG) or item.code[0] in (op.BR, op.BR_IF, op.CALL):
        head = body[item.after : skip(body, item.after)] if item.kind == op.MEMARG else b""
        number = unsigned(source.below(5) if source.chance(80) else source.number(32) & 0xFFFF)
        return body[: item.after] + head + number + body[item.end :]
    if item.code[0] == op.BR_TABLE:
        return body[: item.after] + b"\x02" + bytes(source.below(4) for _ in range(3)) + body[item.end :]
    return None


def _inserted(source: Source, body: bytes, item: Instruction) -> bytes:
    return body[: item.at] + source.pick(NEUTRAL) + body[item.at :]


def _removed(source: Source, body: bytes, item: Instruction) -> bytes:
    return body[: item.at] + body[item.end :]


def _repeated(source: Source, body: bytes, item: Instruction) -> bytes:
    return body[: item.end] + body[item.at : item.end] * (1 + source.below(3)) + body[item.end :]


# Sections -----------------------------------------------------------------------------------------------------------


def _swap_bodies(source: Source, parts: Parts) -> None:
    one, other = (source.below(len(parts.bodies)) for _ in range(2))
    parts.bodies[one], parts.bodies[other] = parts.bodies[other], parts.bodies[one]


def _limits(source: Source, parts: Parts) -> None:
    """Other limits for the memory or the table."""
    wanted, kind = source.pick(((MEMORY, b""), (TABLE, b"\x70")))
    first = source.pick((0, 1, 2, 3, 17, 64, 65, 300, 65_536, 65_537))
    tail = b"" if source.chance(50) else unsigned(first + source.below(200))
    for at, (number, _) in enumerate(parts.sections):
        if number == wanted:
            content = b"\x01" + kind + (b"\x01" if tail else b"\0") + unsigned(first) + tail
            parts.sections[at] = number, content


def _reorder(source: Source, parts: Parts) -> None:
    """Drop, double, or exchange sections."""
    one, other = (source.below(len(parts.sections)) for _ in range(2))
    kind = source.below(3)
    if kind == 0:
        del parts.sections[one]
    elif kind == 1:
        parts.sections.insert(other, parts.sections[one])
    else:
        parts.sections[one], parts.sections[other] = parts.sections[other], parts.sections[one]


def _content(source: Source, parts: Parts) -> None:
    """Other bytes in one section, its length kept right."""
    at = source.below(len(parts.sections))
    number, content = parts.sections[at]
    if number != CODE:
        parts.sections[at] = number, _bytes(source, content)


def _foreign(source: Source, parts: Parts) -> None:
    """A section that was not there, or one more of its kind."""
    new = source.pick(
        (
            (0, name("note") + b"\xff"), (0, name("")), (8, b"\0"), (12, b"\0"), (2, vector([name("s") * 2 + b"\0\0"])),
            (13, b"\x01\0\0"), (4, b"\x01\x70\0\x05"), (5, b"\x01\x01\x01\x02"), (6, b"\x01\x7e\x01\x42\x07\x0b"),
            (9, b"\0"), (11, b"\0"), (7, b"\x01\x01x\0\0"), (14, b""),
        )
    )  # fmt: skip
    parts.sections.insert(source.below(len(parts.sections) + 1), new)


# Bytes --------------------------------------------------------------------------------------------------------------


def _bytes(source: Source, data: bytes) -> bytes:
    """Flip, set, insert, cut, repeat, or exchange some bytes."""
    at, size = source.below(len(data)), 1 + source.below(source.pick((2, 8, 64)))
    piece = data[at : at + size]
    kind = source.below(7)
    if kind == 0:
        return data[:at] + bytes((data[at] ^ (1 << source.below(8)),)) + data[at + 1 :] if data else data
    if kind == 1:
        return data[:at] + bytes((source.bits(1),)) + data[at + 1 :]
    if kind == 2:
        return data[:at] + source.bits(size).to_bytes(size, "little") + data[at:]
    if kind == 3:
        return data[:at] + data[at + size :]
    if kind == 4:
        return data[: at + size] + piece + data[at + size :]
    if kind == 5:
        return data[:at] if source.chance(30) else data[:at] + bytes(reversed(piece)) + data[at + size :]
    return (
        data[:at] + source.pick((b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x00", b"\x7f", b"\x80")) + data[at + 1 :]
    )


_STRUCTURE: tuple[tuple[int, Callable[[Source, Parts], None]], ...] = (
    (20, _instruction), (1, _swap_bodies), (2, _limits), (1, _reorder), (2, _content), (1, _foreign),
)  # fmt: skip


def mutate(source: Source, data: bytes) -> bytes:
    """Return the module with one to three changes."""
    if source.chance(25):
        for _ in range(1 + source.below(3)):
            data = _bytes(source, data) if data else data
        return data
    try:
        parts = Parts.of(data)
        for _ in range(1 + source.below(3)):
            if parts.bodies and parts.sections:
                source.weighted(_STRUCTURE)(source, parts)
    except (MalformedModuleError, IndexError):
        return _bytes(source, data)
    return parts.joined()
