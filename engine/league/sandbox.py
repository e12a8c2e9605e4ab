"""The sandbox: compiles admitted modules, links a fresh world a match, runs the referee, reads what it wrote.

Budgets are the instrumented gas and stack units. The epoch watchdog is only a net below them: what it stops is an
infrastructure fault, never a loss.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from wasmtime import Module, WasmtimeError, wat2wasm

from engine.league.cache import CodeCache
from engine.league.engines import EngineOptions, run_engine
from engine.league.errors import LeagueError, SandboxError
from engine.league.gate.instrument import CAUSE_EXPORT, GAS_EXPORT
from engine.league.native import NativeStore
from engine.league.referee import HEADER_BYTES, SYSTEM, Header, Shape, imports_of, referee_wat

TICK_SECONDS: Final = 0.25
_MAX_COMPILED: Final = 512


@dataclass(frozen=True, slots=True)
class RawRun:
    """What a run left: the header, the trace's bytes, the trap if one stopped it (None: none), and of the party
    that was running: the cause its instrumentation left (0: none) and the gas it had left."""

    header: Header
    trace: bytes
    trap: int | None
    cause: int
    gas_left: int


@lru_cache(maxsize=64)
def referee_module(shape: Shape) -> bytes:
    """Return the assembled referee of a shape."""
    return bytes(wat2wasm(referee_wat(shape)))


class Sandbox:
    """Runs matches; a context manager, because the watchdog is a thread. One a process, used by one thread at a time.

    ``cache_dir`` keeps compiled modules between starts; ``deadline`` is the net's length in seconds.
    """

    def __init__(
        self, cache_dir: Path | None = None, *, options: EngineOptions | None = None, deadline: float = 120.0
    ) -> None:
        options = options or EngineOptions()
        self.engine = run_engine(options)
        self._disk = CodeCache(cache_dir, options.describe()) if cache_dir is not None else None
        self._compiled: OrderedDict[str, Module] = OrderedDict()
        self._epochs = max(2, int(deadline / TICK_SECONDS) + 1)
        self._stop = threading.Event()
        self._watchdog = threading.Thread(target=self._tick, name="sandbox watchdog", daemon=True)
        self._watchdog.start()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the watchdog and free the compiled code; more than once is harmless."""
        self._stop.set()
        self._watchdog.join()
        for module in self._compiled.values():
            module.close()
        self._compiled.clear()

    def compile(self, module: bytes) -> Module:
        """Return the compiled module, from memory, from disk, or new. Raises SandboxError."""
        key = sha256(module).hexdigest()
        found = self._compiled.get(key)
        if found is not None:
            self._compiled.move_to_end(key)
            return found
        compiled = self._load(key) or self._build(key, module)
        self._compiled[key] = compiled
        if len(self._compiled) > _MAX_COMPILED:
            self._compiled.popitem(last=False)
        return compiled

    def play(
        self, system: bytes, agents: Sequence[bytes], shape: Shape, *, seed: int, budget: int, max_steps: int
    ) -> RawRun:
        """Play one match in a fresh world. ``seed`` is unsigned 64 bits. Raises SandboxError when it cannot begin."""
        modules = [self.compile(agent) for agent in agents]
        system_module, referee = self.compile(system), self.compile(referee_module(shape))
        with NativeStore(self.engine, self._epochs) as store:
            try:
                world = store.instantiate(system_module)
                seats = [store.instantiate(module) for module in modules]
                links = [store.export(world if at == SYSTEM else seats[at], name) for at, name in _imports(shape)]
                judge = store.instantiate(referee, links)
            except (WasmtimeError, KeyError) as error:
                raise SandboxError("A match could not be set up", str(error).splitlines()[0]) from error
            return self._run(store, judge, seats, world, (seed, budget, max_steps), shape.traced)

    def state_after(
        self, system: bytes, playback: bytes, actions: Sequence[bytes], *, seed: int, steps: int, max_bytes: int
    ) -> bytes:
        """Return the System's state after ``steps`` recorded actions, given as eight bytes each by seat.

        Raises LeagueError when the System stops before, or shows more than ``max_bytes``.
        """
        shape = Shape((False,) * len(actions), has_is_legal=False, traced=False)
        modules = self.compile(system), self.compile(playback), self.compile(referee_module(shape))
        with NativeStore(self.engine, self._epochs) as store:
            world = store.instantiate(modules[0])
            seats = [store.instantiate(modules[1]) for _ in actions]
            for seat, recorded in zip(seats, actions, strict=True):
                store.write(store.export(seat, "memory"), recorded)
            links = [store.export(world if at == SYSTEM else seats[at], name) for at, name in _imports(shape)]
            judge = store.instantiate(modules[2], links)
            trap, _ = store.call(store.export(judge, "run"), _signed64(seed), 1, steps)
            reached = Header.read(store.read(store.export(judge, "memory"), 0, HEADER_BYTES), len(seats)).records
            if trap is not None or reached != steps:
                raise LeagueError("The System does not follow the trace", f"it stopped at step {reached} of {steps}")
            store.call(store.export(judge, "refill"))
            trap, where = store.call(store.export(world, "state"))
            start, size = where >> 32 & 0xFFFFFFFF, where & 0xFFFFFFFF
            memory = store.export(world, "memory")
            if trap is not None or size > max_bytes or start + size > store.memory_size(memory):
                raise LeagueError("The System does not show its state", f"it gave {size} bytes at {start}, trap {trap}")
            return store.read(memory, start, size)

    def _run(
        self,
        store: NativeStore,
        judge: Any,
        seats: list[Any],
        world: Any,
        arguments: tuple[int, int, int],
        traced: bool,
    ) -> RawRun:
        seed, budget, max_steps = arguments
        memory = store.export(judge, "memory")
        trap, _ = store.call(store.export(judge, "run"), _signed64(seed), budget, max_steps)
        header = Header.read(store.read(memory, 0, HEADER_BYTES), len(seats))
        # An untraced run counts the same bytes but writes none.
        trace = store.read(memory, HEADER_BYTES, header.end - HEADER_BYTES) if traced else b""
        if trap is None:
            return RawRun(header, trace, None, 0, 0)
        blamed = seats[header.party] if header.party < len(seats) else world
        cause = store.global_value(store.export(blamed, CAUSE_EXPORT))
        return RawRun(header, trace, trap, cause, store.global_value(store.export(blamed, GAS_EXPORT)))

    def _load(self, key: str) -> Module | None:
        payload = self._disk.load(key) if self._disk is not None else None
        if payload is None:
            return None
        try:
            return Module.deserialize(self.engine, payload)
        except WasmtimeError:
            return None  # another build of wasmtime under the same version: compile again

    def _build(self, key: str, module: bytes) -> Module:
        try:
            compiled = Module(self.engine, module)
        except WasmtimeError as error:
            raise SandboxError(
                "A module that the gate admitted does not compile", str(error).splitlines()[0]
            ) from error
        if self._disk is not None:
            self._disk.save(key, bytes(compiled.serialize()))
        return compiled

    def _tick(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            self.engine.increment_epoch()


@lru_cache(maxsize=64)
def _imports(shape: Shape) -> list[tuple[int, str]]:
    return imports_of(shape)


def _signed64(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
