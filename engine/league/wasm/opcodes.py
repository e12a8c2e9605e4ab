"""Opcode tables: what follows an opcode, and how many operands it takes and leaves.

Source: WebAssembly core specification 2.0, sections 5.4 (binary instructions) and 3.3 (their types).
Only what the gate admits is listed; anything else is refused by name of its feature.
"""

from __future__ import annotations

from typing import Final, NamedTuple

# What follows the opcode.
NONE, U32, U32X2, MEMARG, S32, S64, F32, F64, SELECT_T, LANE, MEMARG_LANE, BYTES16, REF_TYPE = range(13)
# Control instructions, which the body scanner treats one by one.
CONTROL: Final = 100

UNREACHABLE, NOP, BLOCK, LOOP, IF, ELSE, END = 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x0B
BR, BR_IF, BR_TABLE, RETURN, CALL, CALL_INDIRECT = 0x0C, 0x0D, 0x0E, 0x0F, 0x10, 0x11
REF_NULL, MEMORY_GROW = 0xD0, 0x40
PREFIX_MISC, PREFIX_SIMD = 0xFC, 0xFD
GLOBAL_GET, GLOBAL_SET, LOCAL_GET, LOCAL_TEE = 0x23, 0x24, 0x20, 0x22
I32_CONST, I64_CONST = 0x41, 0x42
I32, I64, F32_TYPE, F64_TYPE, V128, FUNCREF, EXTERNREF = 0x7F, 0x7E, 0x7D, 0x7C, 0x7B, 0x70, 0x6F
VALUE_TYPES: Final = frozenset({I32, I64, F32_TYPE, F64_TYPE, V128, FUNCREF})
TYPE_NAMES: Final = {I32: "i32", I64: "i64", F32_TYPE: "f32", F64_TYPE: "f64", V128: "v128", FUNCREF: "funcref"}


class Op(NamedTuple):
    """Immediates, operands taken, operands left."""

    immediate: int
    pops: int
    pushes: int


def _fill(table: dict[int, Op], first: int, last: int, immediate: int, pops: int, pushes: int) -> None:
    for code in range(first, last + 1):
        table[code] = Op(immediate, pops, pushes)


# First and last opcode, what follows, operands taken, operands left.
_PLAIN_ROWS: Final = (
    (NOP, NOP, NONE, 0, 0),
    (0x1A, 0x1A, NONE, 1, 0),  # drop
    (0x1B, 0x1B, NONE, 3, 1),  # select
    (0x1C, 0x1C, SELECT_T, 3, 1),
    (0x20, 0x20, U32, 0, 1),  # local.get, set, tee
    (0x21, 0x21, U32, 1, 0),
    (0x22, 0x22, U32, 1, 1),
    (0x23, 0x23, U32, 0, 1),  # global.get, set
    (0x24, 0x24, U32, 1, 0),
    (0x25, 0x25, U32, 1, 1),  # table.get, set
    (0x26, 0x26, U32, 2, 0),
    (0x28, 0x35, MEMARG, 1, 1),  # loads
    (0x36, 0x3E, MEMARG, 2, 0),  # stores
    (0x3F, 0x3F, U32, 0, 1),  # memory.size
    (MEMORY_GROW, MEMORY_GROW, U32, 1, 1),
    (0x41, 0x41, S32, 0, 1),  # constants
    (0x42, 0x42, S64, 0, 1),
    (0x43, 0x43, F32, 0, 1),
    (0x44, 0x44, F64, 0, 1),
    (0x45, 0x45, NONE, 1, 1),  # i32.eqz
    (0x46, 0x4F, NONE, 2, 1),
    (0x50, 0x50, NONE, 1, 1),  # i64.eqz
    (0x51, 0x66, NONE, 2, 1),  # comparisons
    (0x67, 0x69, NONE, 1, 1),  # i32
    (0x6A, 0x78, NONE, 2, 1),
    (0x79, 0x7B, NONE, 1, 1),  # i64
    (0x7C, 0x8A, NONE, 2, 1),
    (0x8B, 0x91, NONE, 1, 1),  # f32
    (0x92, 0x98, NONE, 2, 1),
    (0x99, 0x9F, NONE, 1, 1),  # f64
    (0xA0, 0xA6, NONE, 2, 1),
    (0xA7, 0xC4, NONE, 1, 1),  # conversions and sign extension
    (REF_NULL, REF_NULL, REF_TYPE, 0, 1),
    (0xD1, 0xD1, NONE, 1, 1),  # ref.is_null
    (0xD2, 0xD2, U32, 0, 1),  # ref.func
)


def _plain() -> dict[int, Op]:
    table: dict[int, Op] = {}
    for code in (UNREACHABLE, BLOCK, LOOP, IF, ELSE, END, BR, BR_IF, BR_TABLE, RETURN, CALL, CALL_INDIRECT):
        table[code] = Op(CONTROL, 0, 0)
    for row in _PLAIN_ROWS:
        _fill(table, *row)
    return table


def _misc() -> dict[int, Op]:
    table: dict[int, Op] = {}
    rows = (
        (0, 7, NONE, 1, 1),  # saturating conversions
        (8, 8, U32X2, 3, 0),  # memory.init
        (9, 9, U32, 0, 0),  # data.drop
        (10, 10, U32X2, 3, 0),  # memory.copy
        (11, 11, U32, 3, 0),  # memory.fill
        (12, 12, U32X2, 3, 0),  # table.init
        (13, 13, U32, 0, 0),  # elem.drop
        (14, 14, U32X2, 3, 0),  # table.copy
        (15, 15, U32, 2, 1),  # table.grow
        (16, 16, U32, 0, 1),  # table.size
        (17, 17, U32, 3, 0),  # table.fill
    )
    for row in rows:
        _fill(table, *row)
    return table


# Of the SIMD opcodes: those with one operand, with none of the regular shapes, and the unassigned numbers.
_SIMD_UNARY: Final = (
    *range(94, 101), *range(103, 107), 116, 117, 122, *range(124, 130), 131, 132, *range(135, 139), 148,
    160, 161, 163, 164, *range(167, 171), 192, 193, 195, 196, *range(199, 203), 224, 225, 227, 236, 237, 239,
    *range(248, 256), 77, 83, *range(15, 21),
)  # fmt: skip
_SIMD_HOLES: Final = frozenset(
    (154, 162, 165, 166, 175, 176, 178, 179, 180, 187, 194, 197, 198, 207, 208, 210, 211, 212, 226, 238)
)


def _simd() -> dict[int, Op]:
    table: dict[int, Op] = {}
    _fill(table, 14, 255, NONE, 2, 1)  # most take two operands and leave one
    for code in _SIMD_UNARY:
        table[code] = Op(NONE, 1, 1)
    rows = (
        (0, 10, MEMARG, 1, 1),  # loads
        (11, 11, MEMARG, 2, 0),  # v128.store
        (12, 12, BYTES16, 0, 1),  # v128.const
        (13, 13, BYTES16, 2, 1),  # i8x16.shuffle
        (82, 82, NONE, 3, 1),  # v128.bitselect
        (84, 87, MEMARG_LANE, 2, 1),  # load a lane
        (88, 91, MEMARG_LANE, 2, 0),  # store a lane
        (92, 93, MEMARG, 1, 1),  # load and zero the rest
    )
    for row in rows:
        _fill(table, *row)
    for code in (21, 22, 24, 25, 27, 29, 31, 33):  # extract a lane
        table[code] = Op(LANE, 1, 1)
    for code in (23, 26, 28, 30, 32, 34):  # replace a lane
        table[code] = Op(LANE, 2, 1)
    return {code: op for code, op in table.items() if code not in _SIMD_HOLES}


PLAIN: Final = _plain()
MISC: Final = _misc()
SIMD: Final = _simd()
# Bulk operations and how gas counts them: "bytes" n >> 3, "entries" n. The count is the topmost operand of each.
BULK_BYTES: Final = frozenset({8, 10, 11})
BULK_ENTRIES: Final = frozenset({12, 14, 17})
TABLE_GROW, TABLE_SIZE = 15, 16  # charged like the entries, in the call that replaces it


def feature_of(prefix: int, code: int) -> str:
    """Return the name of the feature that an opcode outside the tables belongs to, for the reason shown."""
    if prefix == PREFIX_SIMD:
        return "relaxed SIMD" if code >= 0x100 else "an unassigned SIMD opcode"
    if prefix == PREFIX_MISC:
        return "wide arithmetic" if 0x13 <= code <= 0x16 else "an unknown 0xfc opcode"
    names = {0xFE: "threads", 0xFB: "garbage collection", 0x12: "tail calls", 0x13: "tail calls"}
    if prefix in (0x06, 0x07, 0x08, 0x09, 0x0A, 0x18, 0x19, 0x1F):
        return "exceptions"
    if prefix in (0x14, 0x15, 0xD3, 0xD4, 0xD5, 0xD6):
        return "function references"
    return names.get(prefix, "an unknown instruction")
