"""Runs a module as submitted and as the gate gave it back, and tells where the two differ.

Both get exports of all that they hold, so that memory, globals and table can be compared. The original runs on a plain
engine without optimisation, with wasmtime's own fuel only as a net: what the instrumented module finished within its
gas, the original finishes within a fixed multiple of that.
"""

from __future__ import annotations

import ctypes
import re
import threading
from ctypes import addressof, byref, c_bool, c_uint64, c_void_p, string_at
from dataclasses import dataclass
from typing import Any

from smith import HEADER, name, section
from wasmtime import Config, Engine, Module, TrapCode
from wasmtime import _ffi as ffi

from engine.league.engines import EngineOptions, run_engine
from engine.league.gate.instrument import CAUSE_EXPORT, GAS_EXPORT, STACK_EXPORT
from engine.league.gate.limits import PAGE, STACK_UNITS, Caps, caps_for
from engine.league.native import Links, NativeStore, pointer_of
from engine.league.wasm.leb import read_unsigned, unsigned
from engine.league.wasm.reader import EXPORT, ParsedModule
from engine.league.wasm.sections import parse_module

GAS = 60_000
# Everything costs at least as much gas as fuel, but for bulk operations: fuel counts each byte, gas one in eight.
FUEL_PER_GAS = 8
BULK = re.compile(rb"\xfc[\x08\x0a\x0b]")
FUEL_OVER_GAS = 200
PATIENCE = 20  # seconds for a call, which takes milliseconds
ENTRIES = 48  # of the table, that are looked at
FUEL = "out of fuel"
_TRAPS = {code.value: code.name for code in TrapCode} | {-1: "ERROR"}
# What no agent may reach: metering stops it before the native stack and the watchdog do, and memory was there.
_NEVER = (TrapCode.STACK_OVERFLOW.name, TrapCode.INTERRUPT.name, "ERROR", "HOST_MEMORY")
_CAUSES = {1: "OUT_OF_GAS", 2: "STACK", 3: "HOST_MEMORY"}
CALLS: dict[str, tuple[tuple[str, tuple[int, ...]], ...]] = {
    "agent": (
        ("decide", (0,)), ("decide", (5,)), ("nets_obs", ()), ("nets_obs_cap", ()), ("decide", (9 - 2**63,)),
    ),
    "system": (
        ("set_param", (0, 3)), ("reset", (7,)), ("to_move", ()), ("observe", ()), ("is_legal", (1,)), ("step", (1,)),
        ("observe_bytes", ()), ("step", (2,)), ("is_done", ()), ("score", (0,)), ("state", ()),
    ),
}  # fmt: skip


def _native(title: str, result: Any, *arguments: Any) -> Any:
    function: Any = ffi.dll[title]
    function.restype, function.argtypes = result, arguments
    return function


_P = c_void_p
_set_fuel = _native("wasmtime_context_set_fuel", _P, _P, c_uint64)
_get_fuel = _native("wasmtime_context_get_fuel", _P, _P, _P)
_limit = _native("wasmtime_store_limiter", None, _P, *[ctypes.c_int64] * 5)
_global_get = _native("wasmtime_global_get", None, _P, _P, _P)
_global_set = _native("wasmtime_global_set", _P, _P, _P, _P)
_table_get = _native("wasmtime_table_get", c_bool, _P, _P, c_uint64, _P)
_table_size = _native("wasmtime_table_size", c_uint64, _P, _P)
_OF = ffi.wasmtime_extern_t.of.offset


@dataclass(frozen=True, slots=True)
class Comparison:
    """``calls`` that both sides ended alike, how the last one ended, the gas of all, and the difference if any."""

    calls: int
    ending: str
    gas: int
    difference: str = ""


def plain_engine() -> Engine:
    """Return the engine for originals. Only computed NaNs are made alike: their bits are not defined otherwise."""
    config = Config()
    config.cranelift_nan_canonicalization = True
    config.cranelift_opt_level = "none"
    config.consume_fuel = True
    config.parallel_compilation = False
    return Engine(config)


def exposed(module: bytes, parsed: ParsedModule) -> bytes:
    """Return the module with memory, table and globals exported under names of our own."""
    items = [name("_memory") + b"\x02\0"] * len(parsed.memories) + [name("_table") + b"\x01\0"] * len(parsed.tables)
    items += [name(f"_global{at}") + b"\x03" + unsigned(at) for at in range(parsed.n_globals)]
    out, pos = [HEADER], len(HEADER)
    while pos < len(module):
        number = module[pos]
        size, start = read_unsigned(module, pos + 1)
        pos = start + size
        content = module[start:pos]
        if number == EXPORT:
            count, after = read_unsigned(content, 0)
            content = unsigned(count + len(items)) + content[after:] + b"".join(items)
        out.append(section(number, content))
    return b"".join(out)


class Side:
    """One of the two, in a store of its own."""

    def __init__(self, engine: Engine, module: bytes, caps: Caps, *, metered_by_fuel: bool) -> None:
        self._module = Module(engine, module)
        self.store = NativeStore(pointer_of(engine), PATIENCE)
        # The original may name a larger maximum, or none: growing beyond the cap must fail for it as well.
        if metered_by_fuel:
            self.refuel(caps.data_bytes + PAGE)  # what segments copy at the start counts
        _limit(self.store._store, caps.memory_pages * PAGE, caps.table_entries, -1, -1, -1)
        self._links = Links(1, [])
        self.store.instantiate(pointer_of(self._module), self._links.instance(0))

    def close(self) -> None:
        self.store.close()
        self._module.close()

    def find(self, title: str) -> Any:
        """Return the export, None when there is none."""
        try:
            return self.store.export(self._links.instance(0), title)
        except KeyError:
            return None

    def set(self, title: str, kind: Any, value: int) -> None:
        item, held = self.find(title), ffi.wasmtime_val_t()
        held.kind, held.of.i64 = kind, value
        assert not _global_set(self.store.context, addressof(item) + _OF, addressof(held))

    def refuel(self, amount: int) -> None:
        assert not _set_fuel(self.store.context, amount)

    def fuel(self) -> int:
        left = c_uint64()
        assert not _get_fuel(self.store.context, byref(left))
        return int(left.value)

    def held(self, parsed: ParsedModule) -> dict[str, object]:
        """Return all that the instance holds; of functions only whether they are there."""
        found: dict[str, object] = {}
        if parsed.memories:
            memory = self.find("_memory")
            found["memory"] = self.store.read(memory, 0, self.store.memory_size(memory))
        if parsed.tables:
            found["table"] = self._entries()
        for at in range(parsed.n_globals):
            item, value = self.find(f"_global{at}"), ffi.wasmtime_val_t()
            _global_get(self.store.context, addressof(item) + _OF, addressof(value))
            found[f"global {at}"] = _plain(value)
        return found

    def _entries(self) -> tuple[object, ...]:
        table = self.find("_table")
        where = addressof(table) + _OF
        size, out = _table_size(self.store.context, where), []
        for at in range(min(size, ENTRIES)):
            value = ffi.wasmtime_val_t()
            assert _table_get(self.store.context, where, at, addressof(value))
            out.append(_plain(value))
        return size, *out


def _plain(value: Any) -> object:
    kind = int(value.kind)
    if kind == int(ffi.WASMTIME_FUNCREF.value):
        return "null" if value.of.funcref.store_id == 0 else "function"
    width = {0: 4, 1: 8, 2: 4, 3: 8}.get(kind, 16)
    return kind, string_at(addressof(value.of), width)


class Differ:
    """Compares modules one after another. A context manager: a thread stops what metering should have stopped."""

    def __init__(self) -> None:
        self._plain, self._run = plain_engine(), run_engine(EngineOptions(optimise="none"))
        self._stop = threading.Event()
        self._watchdog = threading.Thread(target=self._tick, daemon=True)
        self._watchdog.start()

    def __enter__(self) -> Differ:
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._watchdog.join()

    def _tick(self) -> None:
        while not self._stop.wait(1.0):
            self._run.increment_epoch()

    def compare(self, data: bytes, instrumented: bytes, kind: str) -> Comparison:
        """Run both through the calls of their kind, until one call does not return."""
        caps = caps_for(kind)
        parsed = parse_module(data, caps)
        after = Side(self._run, exposed(instrumented, parsed), caps, metered_by_fuel=False)
        before = Side(self._plain, exposed(data, parsed), caps, metered_by_fuel=True)
        try:
            return _compare(before, after, parsed, kind, FUEL_PER_GAS if BULK.search(data) else 1)
        finally:
            before.close()
            after.close()


def _compare(before: Side, after: Side, parsed: ParsedModule, kind: str, rate: int) -> Comparison:
    calls, spent, ending = 0, 0, "RETURNED"
    for title, arguments in CALLS[kind]:
        if before.find(title) is None:
            continue
        gas, ending, result = _metered(after, title, arguments)
        spent += gas
        if ending in ("OUT_OF_GAS", "STACK"):
            return Comparison(calls, ending, spent)  # it stands where the original would go on
        if ending in _NEVER:
            return Comparison(calls, ending, spent, f"{title}: the instrumented module ended {ending}")
        difference = _original(before, title, arguments, gas, (ending, result), rate)
        if difference:
            return Comparison(calls, ending, spent, f"{title}: {difference}")
        calls += 1
        if ending != "RETURNED":
            break
    one, other = before.held(parsed), after.held(parsed)
    different = [title for title in one if one[title] != other[title]]
    return Comparison(calls, ending, spent, f"they hold different {', '.join(different)}" if different else "")


def _metered(side: Side, title: str, arguments: tuple[int, ...]) -> tuple[int, str, int]:
    """Call the instrumented function with fresh budgets; return gas, ending, result."""
    side.set(GAS_EXPORT, ffi.WASMTIME_I64, GAS)
    side.set(STACK_EXPORT, ffi.WASMTIME_I32, STACK_UNITS)
    trap, result = side.store.call(side.find(title), *arguments)
    cause = side.store.global_value(side.find(CAUSE_EXPORT))
    gas = GAS - side.store.global_value(side.find(GAS_EXPORT))
    if trap is None and side.store.global_value(side.find(STACK_EXPORT)) != STACK_UNITS:
        return gas, "kept stack units", result
    return gas, "RETURNED" if trap is None else _CAUSES.get(cause) or _TRAPS.get(trap, FUEL), result


def _original(side: Side, title: str, arguments: tuple[int, ...], gas: int, wanted: tuple[str, int], rate: int) -> str:
    """Call the original function; return how it differs from what the instrumented one did, empty if it does not."""
    fuel = FUEL_PER_GAS * gas + FUEL_OVER_GAS
    side.refuel(fuel)
    trap, result = side.store.call(side.find(title), *arguments)
    ending = "RETURNED" if trap is None else _TRAPS.get(trap, FUEL)
    if ending != wanted[0]:
        return f"the original ended {ending}, the instrumented one {wanted[0]}"
    if ending == "RETURNED" and result != wanted[1]:
        return f"the original gave {result}, the instrumented one {wanted[1]}"
    used = fuel - side.fuel()
    return f"{used} of fuel cost only {gas} of gas" if used > rate * gas else ""
