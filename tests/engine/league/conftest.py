"""Small modules to play with, written as WAT, and one warm gate and sandbox for all tests of the arena."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from engine.core.hashing import canonical_json
from engine.core.paths import assets_dir
from engine.league.gate import AgentImage, SyncGate, SystemImage, Verdict
from engine.league.match import MatchRequest, MatchResult, run_match
from engine.league.sandbox import Sandbox
from engine.league.wasm.leb import unsigned

# A game of N steps for S seats in turn: the action's low bit scores. The packed observation is the last action, the
# bytes are (step, last action). Actions above 9 are illegal.
DUEL = """
(module
  (memory (export "memory") 1)
  (global $step (mut i64) (i64.const 0)) (global $last (mut i64) (i64.const 0))
  (func (export "reset") (param i64) (i64.store (i32.const 2048) (local.get 0)))
  (func $turn (export "to_move") (result i32)
    (i32.rem_u (i32.wrap_i64 (global.get $step)) (i32.const {seats})))
  (func (export "observe") (result i64) (global.get $last))
  (func $bytes (result i64)
    (i64.store (i32.const 1024) (global.get $step))
    (i64.store (i32.const 1032) (global.get $last))
    (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const {shown})))
  (func (export "observe_bytes") (result i64) (call $bytes))
  (func (export "state") (result i64)
    (drop (call $bytes)) (i64.or (i64.shl (i64.const 1024) (i64.const 32)) (i64.const 32)))
  (func $again (export "step") (param i64)
    (local $at i32)
    (local.set $at (i32.mul (call $turn) (i32.const 8)))
    (i64.store (local.get $at)
      (i64.add (i64.load (local.get $at)) (i64.and (local.get 0) (i64.const 1))))
    (global.set $last (local.get 0))
    (global.set $step (i64.add (global.get $step) (i64.const 1)))
    {in_step})
  {legal}
  (func (export "is_done") (result i32) (i64.ge_u (global.get $step) (i64.const {steps})))
  (func (export "score") (param i32) (result i64) (i64.load (i32.mul (local.get 0) (i32.const 8)))))
"""
LEGAL = '(func (export "is_legal") (param i64) (result i32) (i64.le_u (local.get 0) (i64.const 9)))'
ONE = '(module (func (export "decide") (param i64) (result i64) (i64.const 1)))'


class Arena:
    """Builds modules, passes them through the gate, plays them."""

    one = ONE
    duel = DUEL

    def __init__(self, gate: SyncGate, sandbox: Sandbox) -> None:
        self.gate, self.sandbox = gate, sandbox

    @staticmethod
    def wasm(source: str) -> bytes:
        return bytes(wat2wasm(source))

    @staticmethod
    def described(module: bytes, **fields: object) -> bytes:
        """Append a description to a System's module."""
        spec = {
            "abi": 1, "id": "duel", "version": 1, "title": "Duel", "seats": 1, "max_steps": 100, "score_min": -5,
            "score_max": 1000, "observation": {}, "action": {}, "state": {},
        } | fields  # fmt: skip
        payload = b"\x0bnets.system" + canonical_json(spec)
        return module + b"\0" + unsigned(len(payload)) + payload

    def system_file(
        self,
        *,
        seats: int = 1,
        steps: int = 10,
        legal: bool = True,
        shown: str = "16",
        in_step: str = "",
        **spec: object,
    ) -> bytes:
        source = DUEL.format(seats=seats, steps=steps, shown=shown, in_step=in_step, legal=LEGAL if legal else "")
        return self.described(self.wasm(source), seats=seats, **spec)

    def system(self, **options: object) -> SystemImage:
        return self.gate.check(self.system_file(**options), "system").system()  # type: ignore[arg-type]

    def verdict(self, source: str | bytes) -> Verdict:
        return self.gate.check(source if isinstance(source, bytes) else self.wasm(source))

    def agent(self, source: str | bytes) -> AgentImage:
        return self.verdict(source).agent()

    def decide(self, body: str, module: str = "", locals_: str = "") -> str:
        """Return an agent whose decide has this body."""
        return f'(module {module} (func $decide (export "decide") (param i64) (result i64) {locals_} {body}))'

    def play(
        self,
        *agents: str | bytes | AgentImage,
        system: SystemImage | None = None,
        seed: int = 1,
        budget: int = 100_000,
        traced: bool = True,
    ) -> MatchResult:
        images = tuple(item if isinstance(item, AgentImage) else self.agent(item) for item in agents)
        world = system or self.system(seats=len(images))
        return run_match(MatchRequest(world, images, seed, budget, traced), self.sandbox)


@pytest.fixture(scope="session")
def gate() -> Iterator[SyncGate]:
    with SyncGate() as gate:
        gate.check(b"warm")
        yield gate


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with Sandbox(tmp_path_factory.mktemp("compiled"), deadline=20) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def arena(gate: SyncGate, sandbox: Sandbox) -> Arena:
    return Arena(gate, sandbox)


@pytest.fixture(scope="session")
def snake_file() -> bytes:
    return (assets_dir() / "systems" / "snake.wasm").read_bytes()


@pytest.fixture(scope="session")
def snake(gate: SyncGate, snake_file: bytes) -> SystemImage:
    return gate.check(snake_file, "system", "snake.wasm").system()


@pytest.fixture(scope="session")
def sample_files() -> dict[str, bytes]:
    folder: Path = assets_dir() / "agents" / "snake"
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.wasm"))}
