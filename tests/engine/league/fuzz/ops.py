"""Operators by what they take and leave, for generating and for exchanging instructions.

The engine's tables know only how many; these know the types, and are checked by what wasmtime accepts of the result.
Source: WebAssembly core specification 2.0, sections 5.4 and 3.3.
"""

from __future__ import annotations

from collections import defaultdict

from engine.league.wasm import opcodes as op

I32, I64, F32, F64, V128, REF = op.I32, op.I64, op.F32_TYPE, op.F64_TYPE, op.V128, op.FUNCREF
TYPES = (I32, I64, F32, F64, V128, REF)
Signature = tuple[tuple[int, ...], int]

# First and last opcode, operands, result.
_ROWS = (
    (0x45, 0x45, (I32,), I32), (0x46, 0x4F, (I32, I32), I32), (0x50, 0x50, (I64,), I32), (0x51, 0x5A, (I64, I64), I32),
    (0x5B, 0x60, (F32, F32), I32), (0x61, 0x66, (F64, F64), I32), (0x67, 0x69, (I32,), I32),
    (0x6A, 0x78, (I32, I32), I32), (0x79, 0x7B, (I64,), I64), (0x7C, 0x8A, (I64, I64), I64), (0x8B, 0x91, (F32,), F32),
    (0x92, 0x98, (F32, F32), F32), (0x99, 0x9F, (F64,), F64), (0xA0, 0xA6, (F64, F64), F64), (0xA7, 0xA7, (I64,), I32),
    (0xA8, 0xA9, (F32,), I32), (0xAA, 0xAB, (F64,), I32), (0xAC, 0xAD, (I32,), I64), (0xAE, 0xAF, (F32,), I64),
    (0xB0, 0xB1, (F64,), I64), (0xB2, 0xB3, (I32,), F32), (0xB4, 0xB5, (I64,), F32), (0xB6, 0xB6, (F64,), F32),
    (0xB7, 0xB8, (I32,), F64), (0xB9, 0xBA, (I64,), F64), (0xBB, 0xBB, (F32,), F64), (0xBC, 0xBC, (F32,), I32),
    (0xBD, 0xBD, (F64,), I64), (0xBE, 0xBE, (I32,), F32), (0xBF, 0xBF, (I64,), F64), (0xC0, 0xC1, (I32,), I32),
    (0xC2, 0xC4, (I64,), I64), (0xD1, 0xD1, (REF,), I32),
)  # fmt: skip
_SATURATING = ((F32, I32), (F64, I32), (F32, I64), (F64, I64))
_SHIFTS = (107, 108, 109, 139, 140, 141, 171, 172, 173, 203, 204, 205)
_TO_I32 = (83, 99, 100, 131, 132, 163, 164, 195, 196)
_SPLATS = (I32, I32, I32, I64, F32, F64)
# Opcode: (type of the lane, number of lanes).
EXTRACT = {21: (I32, 16), 22: (I32, 16), 24: (I32, 8), 25: (I32, 8), 27: (I32, 4), 29: (I64, 2), 31: (F32, 4),
           33: (F64, 2)}  # fmt: skip
REPLACE = {23: (I32, 16), 26: (I32, 8), 28: (I32, 4), 30: (I64, 2), 32: (F32, 4), 34: (F64, 2)}
# These stop on some operands; the generator mostly guards or avoids them.
DIVISIONS = frozenset({0x6D, 0x6E, 0x6F, 0x70, 0x7F, 0x80, 0x81, 0x82})
TRUNCATIONS = frozenset(range(0xA8, 0xAC)) | frozenset(range(0xAE, 0xB2))

# Loads and stores: (bytes of the opcode, type, largest alignment, number of lanes or 0).
LOADS = [
    (bytes((code,)), kind, align, 0)
    for code, kind, align in zip(
        range(0x28, 0x36),
        (I32, I64, F32, F64, I32, I32, I32, I32, I64, I64, I64, I64, I64, I64),
        (2, 3, 2, 3, 0, 0, 1, 1, 0, 0, 1, 1, 2, 2),
        strict=True,
    )
] + [
    (bytes((0xFD, code)), V128, align, 0)
    for code, align in zip((*range(11), 92, 93), (4, 3, 3, 3, 3, 3, 3, 0, 1, 2, 3, 2, 3), strict=True)
]
STORES = [
    (bytes((code,)), kind, align, 0)
    for code, kind, align in zip(
        range(0x36, 0x3F), (I32, I64, F32, F64, I32, I32, I64, I64, I64), (2, 3, 2, 3, 0, 1, 0, 1, 2), strict=True
    )
] + [(b"\xfd\x0b", V128, 4, 0)]
STORES += [(bytes((0xFD, 88 + width)), V128, width, 16 >> width) for width in range(4)]
LANE_LOADS = [(bytes((0xFD, 84 + width)), V128, width, 16 >> width) for width in range(4)]


def _simd(code: int) -> bytes:
    low, high = code & 0x7F, code >> 7
    return bytes((0xFD, low | 0x80, high)) if high else bytes((0xFD, low))


def _vector_signature(code: int, item: op.Op) -> Signature:
    if code in range(15, 21):
        return (_SPLATS[code - 15],), V128
    if code in _TO_I32:
        return (V128,), I32
    if code in _SHIFTS:
        return (V128, I32), V128
    return (V128,) * item.pops, V128


def _operators() -> dict[bytes, Signature]:
    found: dict[bytes, Signature] = {}
    for first, last, operands, result in _ROWS:
        for code in range(first, last + 1):
            found[bytes((code,))] = operands, result
    for code in range(8):
        operand, result = _SATURATING[code >> 1]
        found[bytes((0xFC, code))] = (operand,), result
    for code, item in op.SIMD.items():
        if item.immediate == op.NONE:
            found[_simd(code)] = _vector_signature(code, item)
    return found


# Every operator without immediates: its bytes, and what it takes and leaves.
OPERATORS = _operators()


def _by_result() -> dict[int, list[tuple[bytes, tuple[int, ...]]]]:
    table: dict[int, list[tuple[bytes, tuple[int, ...]]]] = defaultdict(list)
    for code, (operands, result) in OPERATORS.items():
        table[result].append((code, operands))
    return dict(table)


def _alike() -> dict[Signature, list[bytes]]:
    table: dict[Signature, list[bytes]] = defaultdict(list)
    for code, signature in OPERATORS.items():
        table[signature].append(code)
    return dict(table)


BY_RESULT = _by_result()
ALIKE = _alike()
