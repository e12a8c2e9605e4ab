"""How fast the arena is, beside the plain way of doing the same, measured in the same run.

``nashboard bench league`` loads this file from the source tree and calls :func:`measure` and :func:`describe`. Nothing
here asserts a time: rates differ between machines, the table says which goals this one meets.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from itertools import count
from statistics import median
from typing import Any, NamedTuple

from wasmtime import Engine, Instance, Module, Store, wat2wasm

from engine.core.merkle import TraceTree
from engine.core.paths import assets_dir
from engine.league.engines import run_engine
from engine.league.gate import AgentImage, SyncGate, SystemImage
from engine.league.hasher import Hasher
from engine.league.match import MatchRequest, run_match
from engine.league.referee import SYSTEM, Shape, imports_of
from engine.league.sandbox import Sandbox, referee_module

AGENT = "sweeper"  # survives: every match has all its 300 steps
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
    sandbox: Sandbox
    hasher: Hasher


@contextmanager
def arena() -> Iterator[Arena]:
    """The shipped snake and agent, admitted by the gate, and a sandbox for them."""
    with SyncGate() as gate, Sandbox() as sandbox:
        system = gate.check_file(assets_dir() / "systems" / "snake.wasm", "system").system()
        agent = gate.check_file(assets_dir() / "agents" / "snake" / f"{AGENT}.wasm").agent()
        yield Arena(system, agent, sandbox, Hasher())


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


def steps_inside(found: Arena, matches: int) -> Work:
    """Referee, System and agent with gas and trace, linked as the sandbox links them, ``matches`` matches a call."""
    engine = run_engine()
    store = Store(engine)
    store.set_epoch_deadline(2**40)
    shape = Shape.of(found.system, (found.agent,), traced=True)
    parties: dict[int, Any] = {
        SYSTEM: Instance(store, Module(engine, found.system.module), []).exports(store),
        0: Instance(store, Module(engine, found.agent.module), []).exports(store),
    }
    links = [parties[party][name] for party, name in imports_of(shape)]
    judge = Instance(store, Module(engine, referee_module(shape)), links).exports(store)
    driver = Instance(store, Module(engine, wat2wasm(DRIVER)), [judge["run"], judge["memory"]]).exports(store)
    play: Any = driver["play"]
    seeds = count(0, matches)
    return lambda: int(play(store, next(seeds), matches, BUDGET, found.system.spec.max_steps))


def steps_outside() -> Work:
    """The same snake and agent, stepped from Python through wasmtime's public interface. No gas, no trace."""
    engine = Engine()
    store = Store(engine)
    system: Any = Instance(store, Module.from_file(engine, assets_dir() / "systems" / "snake.wasm"), []).exports(store)
    agent: Any = Instance(store, Module.from_file(engine, assets_dir() / "agents" / "snake" / f"{AGENT}.wasm"), []).exports(store)
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


def row(name: str, unit: str, ours: float, peer_name: str, peer: float, **goal: float) -> dict[str, Any]:
    """One line. ``goal_rate`` is held against ours, ``goal_ratio`` against the ratio."""
    line = {"name": name, "unit": unit, "ours": ours, "peer_name": peer_name, "peer": peer, "ratio": ours / peer}
    met = ours >= goal.get("goal_rate", 0) and ours / peer >= goal.get("goal_ratio", 0)
    return {**line, **goal, "met": met}


def measure(note: Callable[[str], None] = lambda _: None, seconds: float = 2.5) -> dict[str, Any]:
    """Return all rows, ready for JSON; each of the seven measurements takes about ``seconds``."""
    with arena() as found:

        def timed(what: str, work: Work) -> float:
            note(f"measuring: {what}")
            return rate(work, seconds)

        committed_match = run_match(MatchRequest(found.system, (found.agent,), 1, BUDGET), found.sandbox, found.hasher)
        trace = committed_match.trace or b""
        assert found.hasher.root(trace) == hash_with_hashlib(trace) == committed_match.trace_root
        outside = timed("snake stepped from Python", steps_outside())
        inside = timed("snake inside the sandbox", steps_inside(found, 1000 if seconds > 1 else 20))
        clear = timed("committed matches, hashed in Python", matches_of(found, traced=True))
        committed = timed("committed matches", matches_of(found, traced=True, hasher=found.hasher))
        untraced = timed("untraced matches", matches_of(found, traced=False))
        fast = timed("trace hasher", lambda: len(trace) // 40 * bool(found.hasher.root(trace)))
        slow = timed("hashlib", lambda: len(trace) // 40 * bool(hash_with_hashlib(trace)))
    steps = committed_match.steps
    python = "Python loop over wasmtime's public API"
    rows = [
        row("snake with trace and gas, inside the sandbox", "steps/s", inside, python, outside, goal_ratio=1000),
        row(
            "fresh, traced, hashed, committed matches",
            "matches/s",
            committed,
            "same matches, hashed by hashlib",
            clear,
            goal_rate=2000,
        ),
        row("fresh untraced matches", "matches/s", untraced, python, outside / steps),
        row("step hashes and Merkle root", "steps/s", fast, "hashlib", slow, goal_rate=1_400_000),
    ]
    return {"system": "snake", "agent": AGENT, "steps_a_match": steps, "processes": 1, "rows": rows}


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
    about = f"{value['system']}, agent {value['agent']}, {value['steps_a_match']} steps a match, one core, medians"
    peers = "\n".join(f"peer of “{line['name']}”: {line['peer_name']}" for line in value["rows"])
    return "\n".join(line.rstrip() for line in f"{about}\n\n{table}\n\n{peers}".splitlines())


def _cells(line: dict[str, Any]) -> tuple[str, ...]:
    goal = ""
    if "goal_ratio" in line:
        goal = f"{line['goal_ratio']:,}x"
    if "goal_rate" in line:
        goal = f"{line['goal_rate']:,}"
    mark = ("met" if line["met"] else "missed") if goal else ""
    return (
        f"{line['name']} ({line['unit']})",
        f"{line['ours']:,.0f}",
        f"{line['peer']:,.0f}",
        f"{line['ratio']:,.1f}x",
        goal,
        mark,
    )
