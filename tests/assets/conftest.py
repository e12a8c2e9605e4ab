"""Shared by the tests of the shipped modules."""

from __future__ import annotations

import importlib.util
import struct
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from wasmtime import Engine, Instance, Module, Store

from engine.core.paths import assets_dir
from engine.league.config import DEFAULT_BUDGET
from engine.league.gate import SyncGate
from engine.league.gate.verdict import AgentImage, SystemImage
from engine.league.match import MatchRequest, MatchResult, run_match
from engine.league.sandbox import Sandbox


@pytest.fixture(scope="session")
def build_script() -> ModuleType:
    """assets/build.py as a module; it is a script in a folder that is no package."""
    spec = importlib.util.spec_from_file_location("assets_build_script", assets_dir() / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


class Driver:
    """A System's module through the public interface of wasmtime: no gate, no referee."""

    def __init__(self, module: bytes) -> None:
        engine = Engine()
        self.store = Store(engine)
        self.exports: Any = Instance(self.store, Module(engine, module), []).exports(self.store)

    def call(self, name: str, *arguments: int) -> Any:
        """Call an export; arguments are taken modulo 2**64 into the signed range."""
        return self.exports[name](self.store, *((value + 2**63) % 2**64 - 2**63 for value in arguments))

    def place(self, name: str) -> tuple[int, int]:
        """Where a slice lies: start and end."""
        value = self.call(name)
        start = value >> 32 & 0xFFFFFFFF
        return start, start + (value & 0xFFFFFFFF)

    def slice(self, name: str) -> bytes:
        return bytes(self.exports["memory"].read(self.store, *self.place(name)))

    def write(self, at: int, content: bytes) -> None:
        self.exports["memory"].write(self.store, content, at)

    def packed(self) -> bytes:
        return bytes((self.call("observe") % 2**64).to_bytes(8, "little"))


class Draws:
    """The stream of include/draws.h, written from the description of ChaCha."""

    def __init__(self, seed: int) -> None:
        self.seed, self.words, self.block = seed % 2**64, iter(()), 0

    def word(self) -> int:
        found = next(self.words, None)
        if found is None:
            self.words, self.block = iter(self._keystream()), self.block + 1
            found = next(self.words)
        return found

    def below(self, limit: int) -> int:
        return self.word() * limit >> 32

    def _keystream(self) -> list[int]:
        constant = struct.unpack("<4I", b"expand 32-byte k")
        halves = [self.seed % 2**32, self.seed >> 32]
        start = [*constant, *halves, *[0] * 6, self.block % 2**32, self.block >> 32, 0, 0]
        x = list(start)
        for _ in range(4):
            for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
                self._quarter(x, a, b, c, d)
            for a, b, c, d in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                self._quarter(x, a, b, c, d)
        return [(after + before) % 2**32 for after, before in zip(x, start, strict=True)]

    @staticmethod
    def _quarter(x: list[int], a: int, b: int, c: int, d: int) -> None:
        for to, add, turn, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            x[to] = (x[to] + x[add]) % 2**32
            mixed = x[turn] ^ x[to]
            x[turn] = (mixed << by | mixed >> (32 - by)) % 2**32


class Arena:
    """Builds and admits modules, and lets them play."""

    def __init__(self, script: ModuleType, folder: Path, gate: SyncGate, sandbox: Sandbox) -> None:
        self.script, self.folder, self.gate, self.sandbox = script, folder, gate, sandbox
        self.agents: dict[Path, AgentImage] = {}

    def system(self, name: str) -> SystemImage:
        return self.gate.check_file(assets_dir() / "systems" / f"{name}.wasm", "system").system()

    def agent(self, system: str, name: str) -> AgentImage:
        path = assets_dir() / "agents" / system / f"{name}.wasm"
        if path not in self.agents:
            self.agents[path] = self.gate.check_file(path).agent()
        return self.agents[path]

    def build(self, name: str, source: str) -> AgentImage:
        """Compile and admit an agent that a test brings along."""
        path = self.folder / f"{name}.c"
        path.write_text(source, "utf-8")
        target = self.script.Target(path, self.script.GAME_FLAGS)
        return self.gate.check_file(self.script.compile_target(target, self.folder, self.folder)).agent()

    def play(self, system: SystemImage, agents: tuple[AgentImage, ...], seed: int, traced: bool = True) -> MatchResult:
        return run_match(MatchRequest(system, agents, seed, DEFAULT_BUDGET, traced), self.sandbox)


@pytest.fixture(scope="module")
def arena(build_script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Arena]:
    with SyncGate() as gate, Sandbox() as sandbox:
        made = Arena(build_script, tmp_path_factory.mktemp("arena"), gate, sandbox)
        made.system("snake")  # the gate's child process starts here, not within a test
        yield made


@pytest.fixture(scope="module")
def drive() -> Callable[[str], Driver]:
    """Loads a shipped System by its id."""
    return lambda name: Driver((assets_dir() / "systems" / f"{name}.wasm").read_bytes())


@pytest.fixture(scope="session")
def draws() -> type[Draws]:
    return Draws
