"""How fast the arena is, beside the plain way of doing the same, measured in the same run.

``nashboard bench league`` loads this file from the source tree and calls :func:`measure` and :func:`describe`. Nothing
here asserts a time: rates differ between machines, the table says which goals this one meets.
"""

from __future__ import annotations

import asyncio
import os
import random
import struct
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import chess
from wasmtime import Engine, Instance, Module, Store, wat2wasm

from engine.core.merkle import TraceTree
from engine.core.paths import assets_dir
from engine.league.engines import run_engine
from engine.league.gate import AgentImage, SyncGate, SystemImage
from engine.league.hasher import Hasher
from engine.league.match import MatchRequest, run_match
from engine.league.native import Links, NativeStore, pointer_of
from engine.league.play import PlayBatch
from engine.league.pools import LocalPool
from engine.league.referee import SYSTEM, Shape, imports_of
from engine.league.sandbox import Sandbox, referee_module
from engine.league.schedule import Fixture

AGENT = "sweeper"  # survives: every match has all its 300 steps
CHESS_AGENT = "random_mover"
BUDGET = 200_000
BATCHES = 9
Work = Callable[[], int]  # does something and says how many units that was

# Plays matches one after the other without leaving WebAssembly; answers how many steps they had.
DRIVER = """(module
  (import "" "run" (func $run (param i64 i64 i32)))
  (import "" "memory" (memory 0))
  (func (export "play") (param $seed i64) (param $matches i32) (param $budget i64) (param $max i32) (result i64)
    (local $steps i64)
    (loop $next
      (i32.store (i32.const 8) (i32.const 0))
      (call $run (local.get $seed) (local.get $budget) (local.get $max))
      (local.set $steps (i64.add (local.get $steps) (i64.load32_u (i32.const 8))))
      (local.set $seed (i64.add (local.get $seed) (i64.const 1)))
      (local.set $matches (i32.sub (local.get $matches) (i32.const 1)))
      (br_if $next (local.get $matches)))
    (local.get $steps)))"""


class Arena(NamedTuple):
    """What the measurements share."""

    system: SystemImage
    agent: AgentImage
    chess: SystemImage
    mover: AgentImage
    sandbox: Sandbox
    hasher: Hasher


@contextmanager
def arena() -> Iterator[Arena]:
    """The shipped games and agents, admitted by the gate, and a sandbox for them."""
    folder = assets_dir()
    with SyncGate() as gate, Sandbox() as sandbox:
        systems = [
            gate.check_file(folder / "systems" / f"{name}.wasm", "system").system() for name in ("snake", "chess")
        ]
        agent = gate.check_file(folder / "agents" / "snake" / f"{AGENT}.wasm").agent()
        mover = gate.check_file(folder / "agents" / "chess" / f"{CHESS_AGENT}.wasm").agent()
        yield Arena(systems[0], agent, systems[1], mover, sandbox, Hasher())


def rate(work: Work, seconds: float) -> float:
    """Units a second: the median of some batches that share ``seconds``, after one call to warm up."""
    work()
    rates = []
    for _ in range(BATCHES):
        units, start = 0, time.perf_counter()
        while True:
            units += work()
            elapsed = time.perf_counter() - start
            if elapsed >= seconds / BATCHES:
                break
        rates.append(units / elapsed)
    return median(rates)


# What is measured ----------------------------------------------------------------------------------------------


def steps_inside(system: SystemImage, agents: Sequence[AgentImage], matches: int) -> Work:
    """Referee, System and agents with gas and trace, linked as the sandbox links them, ``matches`` matches a call."""
    engine = run_engine()
    store = Store(engine)
    store.set_epoch_deadline(2**40)
    shape = Shape.of(system, tuple(agents), traced=True)
    parties: dict[int, Any] = {SYSTEM: Instance(store, Module(engine, system.module), []).exports(store)}
    for seat, agent in enumerate(agents):
        parties[seat] = Instance(store, Module(engine, agent.module), []).exports(store)
    links = [parties[party][name] for party, name in imports_of(shape)]
    judge = Instance(store, Module(engine, referee_module(shape)), links).exports(store)
    driver = Instance(store, Module(engine, wat2wasm(DRIVER)), [judge["run"], judge["memory"]]).exports(store)
    play: Any = driver["play"]
    seeds = count(0, matches)
    return lambda: int(play(store, next(seeds), matches, BUDGET, system.spec.max_steps))


def plies_of_python_chess() -> Work:
    """Random legal games to their end, by python-chess."""
    chance = random.Random(1)

    def play() -> int:
        board = chess.Board()
        while not board.is_game_over(claim_draw=False) and board.ply() < 200:
            board.push(chance.choice(list(board.legal_moves)))
        return board.ply()

    return play


def steps_outside() -> Work:
    """The same snake and agent, stepped from Python through wasmtime's public interface. No gas, no trace."""
    engine = Engine()
    store = Store(engine)
    system: Any = Instance(store, Module.from_file(engine, assets_dir() / "systems" / "snake.wasm"), []).exports(store)
    agent: Any = Instance(
        store, Module.from_file(engine, assets_dir() / "agents" / "snake" / f"{AGENT}.wasm"), []
    ).exports(store)
    reset, is_done, observe, step = (system[name] for name in ("reset", "is_done", "observe", "step"))
    decide, seeds = agent["decide"], count()

    def play() -> int:
        steps = 0
        reset(store, next(seeds))
        while not is_done(store):
            step(store, decide(store, observe(store)))
            steps += 1
        return steps

    return play


def matches_of(found: Arena, *, traced: bool, hasher: Hasher | None = None) -> Work:
    """A fresh world for each match. Traced ones end with root and commitment."""
    seeds = count()

    def play() -> int:
        request = MatchRequest(found.system, (found.agent,), next(seeds), BUDGET, traced)
        run_match(request, found.sandbox, hasher)
        return 1

    return play


def matches_of_the_reference() -> Work:
    """The public reference's design: the host asks the agent every step, hashes each step, builds the tree at the end.

    Through the same C interface that our matches use, with a fresh store a match; it has neither gas nor seats.
    """
    engine = Engine()
    folder = assets_dir()
    modules = [
        Module.from_file(engine, folder / "systems" / "snake.wasm"),
        Module.from_file(engine, folder / "agents" / "snake" / f"{AGENT}.wasm"),
    ]
    addresses = [pointer_of(module) for module in modules]
    seeds, room = count(), NativeRoom()

    def play() -> int:
        leaves = []
        with NativeStore(pointer_of(engine), 2**40) as store:
            for address, place in zip(addresses, room.places, strict=True):
                store.instantiate(address, place)
            reset, is_done, observe, step = (
                store.export(room.places[0], name) for name in ("reset", "is_done", "observe", "step")
            )
            decide = store.export(room.places[1], "decide")
            store.call(reset, next(seeds))
            while not store.call(is_done)[1] & 0xFFFFFFFF:
                shown = store.call(observe)[1]
                action = store.call(decide, shown)[1]
                obs, act = sha256(struct.pack("<q", shown)).digest(), sha256(struct.pack("<q", action)).digest()
                leaves.append(sha256(struct.pack(">Q", len(leaves)) + obs + act).digest())
                store.call(step, action)
        while len(leaves) > 1:
            leaves += leaves[-1:] * (len(leaves) % 2)
            leaves = [sha256(leaves[i] + leaves[i + 1]).digest() for i in range(0, len(leaves), 2)]
        return len(modules) // 2  # kept here: their addresses are in use

    return play


def matches_in(found: Arena, workers: int, cache: Path, stack: ExitStack) -> Work:
    """Committed matches in worker processes, 64 a task, two tasks a worker in flight, as a round plays them."""
    pool, seeds = LocalPool(), count()
    pool.resize(workers)
    runner = stack.enter_context(asyncio.Runner())
    stack.callback(lambda: runner.run(pool.close()))

    def batch() -> PlayBatch:
        fixtures = tuple(Fixture(number, 0, None, next(seeds)) for number in range(64))
        return PlayBatch(found.system, {0: found.agent}, BUDGET, cache, fixtures=fixtures)

    async def tasks() -> int:
        return sum(map(len, await asyncio.gather(*(pool.play(batch()) for _ in range(4 * workers)))))

    runner.run(tasks())
    return lambda: runner.run(tasks())


def hash_with_hashlib(trace: bytes) -> bytes:
    """Return the root of a trace of packed observations without faults, as fast as hashlib in Python goes."""
    leaves = []
    for at in range(0, len(trace), 40):
        obs = sha256(b"\x02" + trace[at + 32 : at + 40]).digest()
        action = sha256(b"\x03" + trace[at + 24 : at + 32]).digest()
        step = trace[at : at + 4][::-1]
        leaves.append(sha256(b"\x00\x00\x00\x00\x00" + step + obs + action).digest())
    return TraceTree(leaves).root


# The table -----------------------------------------------------------------------------------------------------


class NativeRoom:
    """Room for two instances."""

    def __init__(self) -> None:
        self._links = Links(2, [])
        self.places = [self._links.instance(number) for number in range(2)]


def row(name: str, unit: str, ours: float, peer_name: str, peer: float, **goal: float) -> dict[str, Any]:
    """One line. ``goal_rate`` is held against ours, ``goal_ratio`` against the ratio."""
    line = {"name": name, "unit": unit, "ours": ours, "peer_name": peer_name, "peer": peer, "ratio": ours / peer}
    met = ours >= goal.get("goal_rate", 0) and ours / peer >= goal.get("goal_ratio", 0)
    return {**line, **goal, "met": met}


def measure(note: Callable[[str], None] = lambda _: None, seconds: float = 2.5) -> dict[str, Any]:
    """Return all rows, ready for JSON; each of the measurements takes about ``seconds``."""
    with ExitStack() as stack:
        found = stack.enter_context(arena())
        cache = Path(stack.enter_context(tempfile.TemporaryDirectory()))

        def timed(what: str, work: Work) -> float:
            note(f"measuring: {what}")
            return rate(work, seconds)

        committed_match = run_match(MatchRequest(found.system, (found.agent,), 1, BUDGET), found.sandbox, found.hasher)
        trace, steps = committed_match.trace or b"", committed_match.steps
        assert found.hasher.root(trace) == hash_with_hashlib(trace) == committed_match.trace_root
        many = 1000 if seconds > 1 else 20
        outside = timed("snake stepped from Python", steps_outside())
        inside = timed("snake inside the sandbox", steps_inside(found.system, [found.agent], many))
        plies = timed("chess inside the sandbox", steps_inside(found.chess, [found.mover] * 2, max(1, many // 100)))
        peer_plies = timed("python-chess", plies_of_python_chess())
        reference = timed("the public reference's design", matches_of_the_reference())
        clear = timed("committed matches, hashed in Python", matches_of(found, traced=True))
        committed = timed("committed matches", matches_of(found, traced=True, hasher=found.hasher))
        untraced = timed("untraced matches", matches_of(found, traced=False))
        fast = timed("trace hasher", lambda: len(trace) // 40 * bool(found.hasher.root(trace)))
        slow = timed("hashlib", lambda: len(trace) // 40 * bool(hash_with_hashlib(trace)))
        one = timed("one process", matches_in(found, 1, cache, stack))
        two = timed("two processes", matches_in(found, 2, cache, stack))
    python, design = "Python loop over wasmtime's public API", "host asks the agent each step and hashes, C interface"
    rows = [
        row("snake with trace and gas", "steps/s", inside, python, outside, goal_rate=20e6, goal_ratio=1000),
        row("chess with trace and gas", "plies/s", plies, "python-chess, random games", peer_plies, goal_rate=400_000),
        row("fresh untraced matches", "matches/s", untraced, python, outside / steps, goal_rate=15_000),
        row("fresh committed matches", "matches/s", committed, design, reference, goal_rate=3_500),
        row("fresh committed matches", "matches/s", committed, "the same, hashed by hashlib", clear),
        row("step hashes and Merkle root", "steps/s", fast, "hashlib", slow, goal_rate=1_000_000),
        row("committed matches, two processes", "matches/s", two, "one process", one, goal_ratio=1.8),
    ]
    return {"system": "snake", "agent": AGENT, "steps_a_match": steps, "processors": os.cpu_count(), "rows": rows}


def describe(value: dict[str, Any]) -> str:
    """Return the rows as a text table."""
    head = ("", "ours", "peer", "ratio", "goal", "")
    lines = [head, *(_cells(line) for line in value["rows"])]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    table = "\n".join(
        "  ".join([line[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(line[1:5], widths[1:5], strict=True))])
        + f"  {line[5]}"
        for line in lines
    )
    about = f"{value['system']}, agent {value['agent']}, {value['steps_a_match']} steps a match, medians, "
    about += f"{value['processors']} processors"
    peers = "\n".join(f"peer of “{line['name']}”: {line['peer_name']}" for line in value["rows"])
    return "\n".join(line.rstrip() for line in f"{about}\n\n{table}\n\n{peers}".splitlines())


def _cells(line: dict[str, Any]) -> tuple[str, ...]:
    goal = ""
    if "goal_ratio" in line:
        goal = f"{line['goal_ratio']:,}x"
    if "goal_rate" in line:
        goal = f"{line['goal_rate']:,.0f}"
    mark = ("met" if line["met"] else "missed") if goal else ""
    return (
        f"{line['name']} ({line['unit']})",
        f"{line['ours']:,.0f}",
        f"{line['peer']:,.0f}",
        f"{line['ratio']:,.1f}x",
        goal,
        mark,
    )
