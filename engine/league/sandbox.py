"""The sandbox: compiles admitted modules, links a fresh world a match, runs the referee, reads what it wrote.

Budgets are the instrumented gas and stack units. The epoch watchdog is only a net below them: what it stops is an
infrastructure fault, never a loss.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
from engine.league.native import Links, NativeStore, pointer_of
from engine.league.referee import HEADER_BYTES, SYSTEM, Header, Shape, imports_of, referee_wat

TICK_SECONDS: Final = 0.25
# The dearest operations take some 30 ns a unit of gas; the net hangs well below what gas allows.
SECONDS_PER_GAS: Final = 200e-9
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


@dataclass(slots=True)
class _World:
    """A linked match: the store, and addresses of the instances."""

    store: NativeStore
    system: int
    seats: list[int]
    referee: int


@dataclass(frozen=True, slots=True)
class _Compiled:
    module: Module
    address: int


@lru_cache(maxsize=64)
def referee_module(shape: Shape) -> bytes:
    """Return the assembled referee of a shape."""
    return bytes(wat2wasm(referee_wat(shape)))


class Sandbox:
    """Runs matches; a context manager, because the watchdog is a thread. One a process; threads take turns.

    ``cache_dir`` keeps compiled modules between starts; ``deadline`` is what the watchdog gives a
    match in seconds, beyond the time in which its agents can spend their gas.
    """

    def __init__(
        self, cache_dir: Path | None = None, *, options: EngineOptions | None = None, deadline: float = 120.0
    ) -> None:
        options = options or EngineOptions()
        self.engine = run_engine(options)
        self._engine_address = pointer_of(self.engine)
        self._disk = CodeCache(cache_dir, options.describe()) if cache_dir is not None else None
        self._compiled: OrderedDict[bytes, _Compiled] = OrderedDict()
        self._links: dict[Shape, Links] = {}
        self._turn = threading.Lock()
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
        with self._turn:
            for compiled in self._compiled.values():
                compiled.module.close()
            self._compiled.clear()

    def play(
        self, system: bytes, agents: Sequence[bytes], shape: Shape, *, seed: int, budget: int, max_steps: int
    ) -> RawRun:
        """Play one match in a fresh world. ``seed`` is unsigned 64 bits. Raises SandboxError when it cannot begin."""
        with self._turn, self._world(system, agents, shape, max_steps * budget) as world:
            store = world.store
            memory = store.export(world.referee, "memory")
            trap, _ = store.call(store.export(world.referee, "run"), _signed64(seed), budget, max_steps)
            header = Header.read(store.read(memory, 0, HEADER_BYTES), len(agents))
            # An untraced run counts the same bytes but writes none.
            trace = store.read(memory, HEADER_BYTES, header.end - HEADER_BYTES) if shape.traced else b""
            if trap is None:
                return RawRun(header, trace, None, 0, 0)
            blamed = world.seats[header.party] if header.party < len(agents) else world.system
            cause = store.global_value(store.export(blamed, CAUSE_EXPORT))
            return RawRun(header, trace, trap, cause, store.global_value(store.export(blamed, GAS_EXPORT)))

    def state_after(
        self,
        system: bytes,
        playback: bytes,
        actions: Sequence[bytes],
        *,
        seed: int,
        steps: int,
        max_bytes: int,
        params: tuple[int, ...] = (),
    ) -> bytes:
        """Return the System's state after ``steps`` recorded actions, given as eight bytes each by seat.

        Raises LeagueError when the System stops before, or shows more than ``max_bytes``.
        """
        shape = Shape((False,) * len(actions), has_is_legal=False, traced=False, params=params)
        with self._turn, self._world(system, [playback] * len(actions), shape) as world:
            store = world.store
            for seat, recorded in zip(world.seats, actions, strict=True):
                store.write(store.export(seat, "memory"), recorded)
            trap, _ = store.call(store.export(world.referee, "run"), _signed64(seed), 1, steps)
            head = store.read(store.export(world.referee, "memory"), 0, HEADER_BYTES)
            reached = Header.read(head, len(actions)).records
            if trap is not None or reached != steps:
                raise LeagueError("The System does not follow the trace", f"it stopped at step {reached} of {steps}")
            return _state(world, max_bytes)

    def compile(self, module: bytes) -> Module:
        """Return the compiled module, from memory, from disk, or new. Raises SandboxError."""
        return self._ready(module).module

    @contextmanager
    def _world(self, system: bytes, agents: Sequence[bytes], shape: Shape, gas: int = 0) -> Iterator[_World]:
        """Link a fresh world. ``gas`` is what its agents may spend in all, which the watchdog waits for."""
        links = self._links.get(shape)
        if links is None:
            links = self._links[shape] = _plan(shape)
        # Held until the match ends: what a full cache drops meanwhile may be what this match runs.
        held = [self._ready(module) for module in (system, *agents, referee_module(shape))]
        modules = [compiled.address for compiled in held]
        instances = [links.instance(number) for number in range(len(modules))]
        epochs = self._epochs + int(gas * SECONDS_PER_GAS / TICK_SECONDS)
        with NativeStore(self._engine_address, epochs) as store:
            try:
                for module, instance in zip(modules[:-1], instances[:-1], strict=True):
                    store.instantiate(module, instance)
                links.resolve(store.context)
                store.instantiate(modules[-1], instances[-1], links.externs, links.count)
            except (WasmtimeError, KeyError) as error:
                raise SandboxError("A match could not be set up", str(error).splitlines()[0]) from error
            yield _World(store, instances[0], instances[1:-1], instances[-1])

    def _ready(self, module: bytes) -> _Compiled:
        found = self._compiled.get(module)
        if found is not None:
            self._compiled.move_to_end(module)
            return found
        key = sha256(module).hexdigest()
        built = self._load(key) or self._build(key, module)
        compiled = self._compiled[module] = _Compiled(built, pointer_of(built))
        if len(self._compiled) > _MAX_COMPILED:
            self._compiled.popitem(last=False)
        return compiled

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
            raise SandboxError("An admitted module does not compile", str(error).splitlines()[0]) from error
        if self._disk is not None:
            self._disk.save(key, bytes(compiled.serialize()))
        return compiled

    def _tick(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            self.engine.increment_epoch()


def _plan(shape: Shape) -> Links:
    """Instance 0 is the System, then the seats, last the referee."""
    sources = [(0 if at == SYSTEM else at + 1, name) for at, name in imports_of(shape)]
    return Links(len(shape.mailboxes) + 2, sources)


def _state(world: _World, max_bytes: int) -> bytes:
    store = world.store
    store.call(store.export(world.referee, "refill"))
    trap, where = store.call(store.export(world.system, "state"))
    start, size = where >> 32 & 0xFFFFFFFF, where & 0xFFFFFFFF
    memory: Any = store.export(world.system, "memory")
    if trap is not None or size > max_bytes or start + size > store.memory_size(memory):
        raise LeagueError("The System does not show its state", f"it gave {size} bytes at {start}, trap {trap}")
    return store.read(memory, start, size)


def _signed64(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value
