"""How large a submitted module may be. Part of gate version 2: a changed number is a new version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

GATE_VERSION: Final = "2"
MAX_FILE_BYTES: Final = 8 * 1024 * 1024
STACK_UNITS: Final = 16_384
PAGE: Final = 65_536
# A compiler may keep every value of a function in its frame, which the operand height does not show. A unit stands for
# at least this much native stack, so 16,384 of them end before the megabyte that the engine gives does.
FRAME_BYTES_PER_UNIT: Final = 48
FRAME_BASE_BYTES: Final = 128


@dataclass(frozen=True, slots=True)
class Caps:
    """Limits of one kind of module; ``kind`` names it in reasons."""

    kind: str
    memory_pages: int
    body_bytes: int
    code_bytes: int
    data_bytes: int
    functions: int
    locals: int = 512
    operands: int = 512
    nesting: int = 512
    loops: int = 512
    # Compiling a loop costs as much as there are locals: the sum over functions of loops times locals.
    loop_locals: int = 262_144
    branch_targets: int = 4096
    # Operations charged by size: register allocation takes a time that grows with the square of their number.
    charged: int = 1024
    table_entries: int = 65_536
    types: int = 2048
    params: int = 64
    results: int = 16
    globals: int = 2048
    exports: int = 1024
    segments: int = 8192
    name_bytes: int = 512


AGENT: Final = Caps("agent", 64, 64 * 1024, 1024 * 1024, 4 * 1024 * 1024, 8192)
SYSTEM: Final = Caps("system", 256, 128 * 1024, 2 * 1024 * 1024, 8 * 1024 * 1024, 16_384)


def caps_for(kind: str) -> Caps:
    """Return the limits of ``kind``, "agent" or "system"."""
    return {"agent": AGENT, "system": SYSTEM}[kind]
