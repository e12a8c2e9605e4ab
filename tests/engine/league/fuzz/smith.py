"""A generator of valid modules that do things: every choice comes from a Source, code is written type by type.

Nearly all of what comes out passes the gate as an agent. Loops mostly count down, addresses mostly lie in memory and
divisors are mostly odd, so that code runs on instead of stopping at once; the rest of the time it is left to chance.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from body import Body
from ops import F32, F64, I32, I64, REF, V128
from source import Source

from engine.league.wasm.leb import signed, unsigned

PAGE = 65_536
HEADER = b"\0asm\x01\0\0\0"
# What module authors may call things; some are names that the gate itself uses.
NAMES = ("f", "__fuel", "nb.gas", "nb.stack", "own.decide", "memory2", "_start", "", "é", "decide ", "table")
FuncType = tuple[tuple[int, ...], tuple[int, ...]]
DECIDE: FuncType = ((I64,), (I64,))
GIVES_I32: FuncType = ((), (I32,))
F32_BITS = (0, 0x80000000, 0x3FC00000, 0x7F800000, 0xFF800000, 0x7FC00000, 0x7FA00001, 1, 0x4F000000, 0xCF000001)
F64_BITS = (0, 1 << 63, 0x3FF8 << 48, 0x7FF0 << 48, 0xFFF0 << 48, 0x7FF8 << 48, (0x7FF4 << 48) + 1, 1, 0x43E0 << 48,
            0x41EF << 48)  # fmt: skip


def section(number: int, content: bytes) -> bytes:
    return bytes((number,)) + unsigned(len(content)) + content


def vector(items: list[bytes]) -> bytes:
    return unsigned(len(items)) + b"".join(items)


def name(text: str) -> bytes:
    raw = text.encode()
    return unsigned(len(raw)) + raw


@dataclass
class Smith:
    """A module under construction."""

    source: Source
    types: list[FuncType] = field(default_factory=lambda: [DECIDE, GIVES_I32])
    functions: list[int] = field(default_factory=list)
    globals: list[tuple[int, bool, bytes]] = field(default_factory=list)
    has_memory: bool = True
    pages: int = 1
    entries: int = 0
    elements: list[list[int]] = field(default_factory=list)
    n_data: int = 0

    def module(self) -> bytes:
        """Return a module's bytes."""
        self._declare()
        source = self.source
        parts = [
            section(1, vector([b"\x60" + vector_of(params) + vector_of(results) for params, results in self.types])),
            section(3, vector([unsigned(item) for item in self.functions])),
        ]
        if self.entries:
            parts.append(section(4, vector([b"\x70" + self._limits(self.entries, 70_000)])))
        if self.has_memory:
            parts.append(section(5, vector([self._limits(self.pages, 300)])))
        if self.globals:
            parts.append(section(6, vector([bytes((kind, mutable)) + init for kind, mutable, init in self.globals])))
        parts.append(section(7, self._exports()))
        if source.chance(1):
            parts.append(section(8, b"\0"))
        elements, data = self._elements(), self._data()
        parts.append(section(9, vector(elements)))
        if self.has_memory:
            parts.append(section(12, unsigned(self.n_data)))
        parts.append(
            section(10, vector([self._sized(Body(self, index).write()) for index in range(len(self.functions))]))
        )
        if self.has_memory:
            parts.append(section(11, vector(data)))
        if source.chance(5):
            parts.insert(source.below(len(parts)), section(0, name("note") + b"anything"))
        return HEADER + b"".join(parts)

    def constant(self, kind: int) -> bytes:
        """Return an instruction that pushes a constant of that type."""
        source = self.source
        if kind == I32:
            return b"\x41" + signed(source.number(32))
        if kind == I64:
            return b"\x42" + signed(source.number(64))
        if kind == F32:
            bits = source.pick(F32_BITS) if source.chance(70) else source.bits(4)
            return b"\x43" + bits.to_bytes(4, "little")
        if kind == F64:
            bits = source.pick(F64_BITS) if source.chance(70) else source.bits(8)
            return b"\x44" + bits.to_bytes(8, "little")
        if kind == V128:
            return b"\xfd\x0c" + source.bits(16).to_bytes(16, "little")
        assert kind == REF
        return b"\xd2" + unsigned(source.below(len(self.functions))) if source.chance(60) else b"\xd0\x70"

    def any_type(self) -> int:
        """Return a value type, integers more often."""
        return self.source.weighted(((6, I64), (6, I32), (3, F64), (2, F32), (3, V128), (1, REF)))

    def type_index(self, wanted: FuncType) -> int:
        """Return the index of a function type, new or not."""
        if wanted not in self.types:
            self.types.append(wanted)
        return self.types.index(wanted)

    def _declare(self) -> None:
        source = self.source
        for _ in range(source.below(5)):
            params = tuple(self.any_type() for _ in range(source.below(4)))
            self.types.append((params, tuple(self.any_type() for _ in range(source.below(4)))))
        self.functions = [source.below(len(self.types)) for _ in range(source.below(5))]
        self.functions += [1, 0] if source.chance(30) else [0]
        self.has_memory, self.pages = source.below(10) < 9, source.weighted(((8, 1), (2, 2), (1, 3), (1, 0)))
        self.entries = source.weighted(((3, 0), (4, 8), (2, 3), (1, 40)))
        for _ in range(source.below(6)):
            kind = self.any_type()
            self.globals.append((kind, source.below(5) < 4, self.constant(kind) + b"\x0b"))

    def _limits(self, minimum: int, top: int) -> bytes:
        """Limits that begin there; the maximum is absent, tight, or far off."""
        kind = self.source.below(3)
        if kind == 0:
            return b"\0" + unsigned(minimum)
        return b"\x01" + unsigned(minimum) + unsigned(minimum + self.source.below(3) if kind == 1 else top)

    def _exports(self) -> bytes:
        source, last = self.source, len(self.functions) - 1
        items = [name("decide") + b"\0" + unsigned(last)]
        if self.has_memory:
            items.append(name("memory" if source.chance(80) else "heap") + b"\x02\0")
            if source.chance(30) and 1 in self.functions and items[-1].startswith(name("memory")):
                at = unsigned(self.functions.index(1))
                items += [name("nets_obs") + b"\0" + at, name("nets_obs_cap") + b"\0" + at]
        for text in NAMES:
            if source.chance(6):
                items.append(name(text) + b"\0" + unsigned(source.below(last + 1)))
        return vector(items)

    def _elements(self) -> list[bytes]:
        """Segments of every form; the last one declares all functions, so that ref.func may name any."""
        source, count = self.source, len(self.functions)
        out = []
        for _ in range(source.below(3) if self.entries else 0):
            chosen = [source.below(count) for _ in range(source.below(4))]
            form, at = source.below(4), b"\x41" + signed(source.below(max(1, self.entries - 4))) + b"\x0b"
            plain = vector([unsigned(item) for item in chosen])
            coded = vector([b"\xd2" + unsigned(item) + b"\x0b" for item in chosen])
            out.append((b"\0" + at + plain, b"\x01\0" + plain, b"\x04" + at + coded, b"\x05\x70" + coded)[form])
            self.elements.append(chosen)
        if self.entries:
            everything = [unsigned(item % count) for item in range(self.entries)]
            out.append(b"\0\x41\0\x0b" + vector(everything[: self.entries - source.below(3)]))
            self.elements.append([])
        out.append(b"\x03\0" + vector([unsigned(item) for item in range(count)]))
        return out

    def _data(self) -> list[bytes]:
        source = self.source
        out = []
        for _ in range(source.below(4) if self.has_memory else 0):
            content = source.bits(size := source.below(24)).to_bytes(size, "little")
            at = b"\x41" + signed(source.below(max(1, self.pages * PAGE - 32)) if self.pages else 0) + b"\x0b"
            head = source.pick((b"\0" + at, b"\x01", b"\x02\0" + at))
            out.append(head + unsigned(len(content)) + content)
        self.n_data = len(out)
        return out

    @staticmethod
    def _sized(body: bytes) -> bytes:
        return unsigned(len(body)) + body


def vector_of(types: tuple[int, ...]) -> bytes:
    return unsigned(len(types)) + bytes(types)


def generate(data: bytes) -> bytes:
    """Return the module that these choices make."""
    return Smith(Source(data)).module()
