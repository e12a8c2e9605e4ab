"""A small assembler: writes the instructions and sections that generated agents need, and nothing more.

Code is bytes; every function here returns some, so a body is their sum.
Source: WebAssembly core specification, sections 5.4 and 5.5.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.league.wasm.leb import signed, unsigned
from engine.league.wasm.reader import (
    CODE,
    CORE_VERSION,
    DATA,
    EXPORT,
    FUNC_EXPORT,
    FUNCTION,
    MAGIC,
    MEMORY,
    MEMORY_EXPORT,
    TYPE,
    FuncType,
)

# Value types.
I32, I64, V128 = b"\x7f", b"\x7e", b"\x7b"
# Instructions without immediates.
END, SELECT = b"\x0b", b"\x1b"
I32_EQZ, I32_NE, I32_LT_U = b"\x45", b"\x47", b"\x49"
I32_ADD, I32_MUL, I32_AND, I32_SHL, I32_SHR_U = b"\x6a", b"\x6c", b"\x71", b"\x74", b"\x76"
I64_EQ, I64_LT_S, I64_LT_U, I64_GT_S = b"\x51", b"\x53", b"\x54", b"\x55"
I64_ADD, I64_MUL, I64_REM_U, I64_AND, I64_OR, I64_XOR = b"\x7c", b"\x7e", b"\x82", b"\x83", b"\x84", b"\x85"
I64_SHL, I64_SHR_S, I64_SHR_U = b"\x86", b"\x87", b"\x88"
I32_WRAP_I64, I64_EXTEND_I32_S, I64_EXTEND_I32_U = b"\xa7", b"\xac", b"\xad"
# Loads and stores: opcode and the logarithm of their width.
I32_LOAD, I64_LOAD, I32_LOAD8_U, I64_LOAD8_U = (b"\x28", 2), (b"\x29", 3), (b"\x2d", 0), (b"\x31", 0)
I32_LOAD16_U, I64_LOAD32_S, I64_STORE, I32_STORE16 = (b"\x2f", 1), (b"\x34", 2), (b"\x37", 3), (b"\x3b", 1)
I64_STORE16, I64_STORE32 = (b"\x3d", 1), (b"\x3e", 2)


def _simd(code: int) -> bytes:
    return b"\xfd" + unsigned(code)


V128_LOAD, V128_LOAD8X8_S, V128_LOAD8X8_U, V128_STORE = (_simd(0), 4), (_simd(1), 3), (_simd(2), 3), (_simd(11), 4)
I16X8_MIN_U, I16X8_MUL = _simd(151), _simd(149)
I32X4_ADD, I32X4_DOT = _simd(174), _simd(186)
V128_ZERO: Final = _simd(12) + bytes(16)


def i32_const(value: int) -> bytes:
    """i32.const"""
    return b"\x41" + signed(value)


def i64_const(value: int) -> bytes:
    """i64.const"""
    return b"\x42" + signed(value)


def get(local: int) -> bytes:
    """local.get"""
    return b"\x20" + unsigned(local)


def put(local: int) -> bytes:
    """local.set"""
    return b"\x21" + unsigned(local)


def tee(local: int) -> bytes:
    """local.tee"""
    return b"\x22" + unsigned(local)


def call(function: int) -> bytes:
    """call"""
    return b"\x10" + unsigned(function)


def branch_if(depth: int) -> bytes:
    """br_if"""
    return b"\x0d" + unsigned(depth)


def memory(kind: tuple[bytes, int], offset: int = 0) -> bytes:
    """A load or a store at the address on the stack plus ``offset``."""
    code, width = kind
    return code + unsigned(width) + unsigned(offset)


def lane(index: int) -> bytes:
    """i32x4.extract_lane"""
    return _simd(27) + bytes((index,))


def memory_fill() -> bytes:
    """memory.fill"""
    return b"\xfc" + unsigned(11) + b"\0"


def loop(*parts: bytes) -> bytes:
    """A loop without parameters or results; ``branch_if(0)`` in it goes round once more."""
    return b"\x03\x40" + b"".join(parts) + END


def when(*parts: bytes) -> bytes:
    """What is done when the i32 on the stack is not zero."""
    return b"\x04\x40" + b"".join(parts) + END


def step(local: int, by: int) -> bytes:
    """Add a constant to an i32 local."""
    return get(local) + i32_const(by) + I32_ADD + put(local)


@dataclass(frozen=True, slots=True)
class Function:
    """A function: its type, the types of its locals beside the parameters, its code without the last ``end``."""

    kind: FuncType
    locals: Sequence[bytes]
    code: bytes
    export: str = ""

    def body(self) -> bytes:
        """Return the body as the code section holds it, without its length."""
        return _vector([b"\x01" + kind for kind in self.locals]) + self.code + END


@dataclass(slots=True)
class Assembly:
    """A module in the making: functions in order of their index, one memory exported as ``memory``, data in it."""

    pages: int
    functions: list[Function] = field(default_factory=list)
    data: list[tuple[int, bytes]] = field(default_factory=list)

    def add(self, function: Function) -> int:
        """Append a function and return its index."""
        self.functions.append(function)
        return len(self.functions) - 1

    def build(self) -> bytes:
        """Return the module."""
        types = list(dict.fromkeys(function.kind for function in self.functions))
        exports = [
            _name(item.export) + bytes((FUNC_EXPORT,)) + unsigned(index)
            for index, item in enumerate(self.functions)
            if item.export
        ]
        bodies = [item.body() for item in self.functions]
        limits = b"\x01" + unsigned(self.pages) + unsigned(self.pages)
        sections = (
            (TYPE, _vector([b"\x60" + _sized(kind.params) + _sized(kind.results) for kind in types])),
            (FUNCTION, _vector([unsigned(types.index(item.kind)) for item in self.functions])),
            (MEMORY, _vector([limits])),
            (EXPORT, _vector([_name("memory") + bytes((MEMORY_EXPORT, 0)), *exports])),
            (CODE, _vector([_sized(body) for body in bodies])),
            (DATA, _vector([b"\0" + i32_const(at) + END + _sized(content) for at, content in self.data])),
        )
        parts = [bytes((number,)) + _sized(content) for number, content in sections if content != b"\0"]
        return MAGIC + CORE_VERSION + b"".join(parts)


def _vector(items: list[bytes]) -> bytes:
    return unsigned(len(items)) + b"".join(items)


def _sized(content: bytes) -> bytes:
    return unsigned(len(content)) + content


def _name(text: str) -> bytes:
    return _sized(text.encode())
