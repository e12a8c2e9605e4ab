"""A reader of core modules: sections and what the gate's policy asks about, every failure with its offset.

Function bodies, elements and data stay raw bytes; bodies are scanned by :mod:`engine.league.gate.scan`.
Source: WebAssembly core specification, section 5.5.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.league.wasm import opcodes
from engine.league.wasm.leb import MalformedModuleError, read_unsigned

MAGIC = b"\0asm"
CORE_VERSION = b"\x01\0\0\0"
COMPONENT_LAYER = b"\x01\0"
(CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, ELEMENT, CODE, DATA, DATA_COUNT, TAG) = range(14)
_ORDER = (TYPE, IMPORT, FUNCTION, TABLE, MEMORY, TAG, GLOBAL, EXPORT, START, ELEMENT, DATA_COUNT, CODE, DATA)
_RANK = {section: rank for rank, section in enumerate(_ORDER)}
SECTION_NAMES = {
    CUSTOM: "custom", TYPE: "type", IMPORT: "import", FUNCTION: "function", TABLE: "table", MEMORY: "memory",
    GLOBAL: "global", EXPORT: "export", START: "start", ELEMENT: "element", CODE: "code", DATA: "data",
    DATA_COUNT: "data count", TAG: "tag",
}  # fmt: skip
FUNC_EXPORT, TABLE_EXPORT, MEMORY_EXPORT, GLOBAL_EXPORT = range(4)
KIND_NAMES = ("function", "table", "memory", "global", "tag")


@dataclass(frozen=True, slots=True)
class FuncType:
    """Value types of parameters and results, one byte each."""

    params: bytes
    results: bytes

    def __str__(self) -> str:
        def names(types: bytes) -> str:
            return ", ".join(opcodes.TYPE_NAMES.get(item, hex(item)) for item in types)

        return f"({names(self.params)}) -> ({names(self.results)})"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a memory (pages) or table (entries)."""

    minimum: int
    maximum: int | None


@dataclass(frozen=True, slots=True)
class Export:
    """One export: kind is 0 function, 1 table, 2 memory, 3 global, 4 tag."""

    name: str
    kind: int
    index: int


@dataclass(frozen=True, slots=True)
class Body:
    """Where a function body lies: ``start`` at its local declarations, ``code`` at its first instruction."""

    start: int
    code: int
    end: int
    locals: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class ParsedModule:
    """A module's parts; ``spans`` gives the content bytes of each section by id."""

    data: bytes
    types: list[FuncType] = field(default_factory=list)
    imports: list[tuple[str, str, int]] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    tables: list[Limits] = field(default_factory=list)
    memories: list[Limits] = field(default_factory=list)
    n_globals: int = 0
    exports: list[Export] = field(default_factory=list)
    has_start: bool = False
    has_vectors: bool = False
    bodies: list[Body] = field(default_factory=list)
    customs: list[tuple[str, int, int]] = field(default_factory=list)
    spans: dict[int, tuple[int, int]] = field(default_factory=dict)

    def section(self, section: int) -> bytes:
        """Return the content of a section, empty when absent."""
        start, end = self.spans.get(section, (0, 0))
        return self.data[start:end]

    def find_export(self, name: str) -> Export | None:
        """Return the export of that name."""
        return next((item for item in self.exports if item.name == name), None)

    def custom(self, name: str) -> bytes | None:
        """Return the content of the custom section of that name. Raises MalformedModuleError when it occurs twice."""
        found = [(start, end) for title, start, end in self.customs if title == name]
        if len(found) > 1:
            raise MalformedModuleError(f"the custom section {name!r} occurs {len(found)} times", found[1][0])
        return self.data[found[0][0] : found[0][1]] if found else None


class Cursor:
    """A position inside a span of the file; no read leaves the span."""

    def __init__(self, data: bytes, pos: int, end: int, where: str) -> None:
        self.data, self.pos, self.end, self.where = data, pos, end, where

    def u32(self) -> int:
        """Read an unsigned number."""
        value, after = read_unsigned(self.data, self.pos)
        self._advance(after)
        return value

    def byte(self) -> int:
        """Read one byte."""
        at = self.pos
        self._advance(at + 1)
        return self.data[at]

    def take(self, size: int) -> bytes:
        """Read ``size`` bytes."""
        at = self.pos
        self._advance(at + size)
        return self.data[at : at + size]

    def name(self) -> str:
        """Read a UTF-8 name."""
        at = self.pos
        raw = self.take(self.u32())
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise MalformedModuleError("a name is not UTF-8", at) from None

    def count(self, limit: int, what: str) -> int:
        """Read the length of a list and hold it against a limit."""
        at = self.pos
        value = self.u32()
        if value > limit:
            raise MalformedModuleError(f"{value} {what}, at most {limit} are allowed", at)
        return value

    def value_type(self) -> int:
        """Read a value type; externref and everything newer is refused."""
        at = self.pos
        code = self.byte()
        if code == opcodes.EXTERNREF:
            raise MalformedModuleError("externref is not allowed, only funcref is", at)
        if code not in opcodes.VALUE_TYPES:
            raise MalformedModuleError(f"the value type {code:#04x} is not allowed", at)
        return code

    def _advance(self, to: int) -> None:
        if to > self.end:
            raise MalformedModuleError(f"the {self.where} ends too early", self.pos)
        self.pos = to


def split_sections(data: bytes) -> tuple[dict[int, tuple[int, int]], list[tuple[str, int, int]]]:
    """Return the spans of the known sections by id, and (name, start, end) of the custom ones.

    1. Check magic and version. 2. Walk the sections; known ones must be unique and in order.
    """
    _check_header(data)
    spans: dict[int, tuple[int, int]] = {}
    customs: list[tuple[str, int, int]] = []
    pos, rank = 8, -1
    while pos < len(data):
        at, section = pos, data[pos]
        size, pos = read_unsigned(data, pos + 1)
        end = pos + size
        title = SECTION_NAMES.get(section)
        if title is None:
            raise MalformedModuleError(f"unknown section {section}", at)
        if end > len(data):
            raise MalformedModuleError(
                f"truncated: the {title} section claims {size} bytes, {len(data) - pos} are left", at
            )
        if section == CUSTOM:
            cursor = Cursor(data, pos, end, "custom section")
            customs.append((cursor.name(), cursor.pos, end))
        else:
            if _RANK[section] <= rank:
                raise MalformedModuleError(f"the {title} section is repeated or out of order", at)
            rank = _RANK[section]
            spans[section] = (pos, end)
        pos = end
    return spans, customs


def _check_header(data: bytes) -> None:
    if not data:
        raise MalformedModuleError("the file is empty", 0)
    if data[:4] != MAGIC[: len(data)]:
        raise MalformedModuleError(r"not a WebAssembly file: it does not begin with \0asm", 0)
    if len(data) < 8:
        raise MalformedModuleError("truncated inside the header", len(data))
    if data[6:8] == COMPONENT_LAYER:
        raise MalformedModuleError("a component, not a core module", 4)
    if data[4:8] != CORE_VERSION:
        raise MalformedModuleError(f"unknown WebAssembly version {data[4:8].hex()}", 4)
