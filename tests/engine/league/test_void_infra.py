"""What is the System's fault, and what is ours: neither is ever a loss."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from wasmtime import wat2wasm

from engine.league.engines import MAX_TRACE_BYTES
from engine.league.errors import LeagueError
from engine.league.gate.limits import AGENT
from engine.league.match import MatchRequest, Outcome, run_match
from engine.league.play import TRIES, PlayBatch, play_batch
from engine.league.referee import RECORD_HEADER
from engine.league.sandbox import Sandbox
from engine.league.schedule import Fixture

LOOP = "(loop $forever (br $forever))"
FAULTS = {
    "traps": ("unreachable", "TRAP UNREACHABLE"),
    "divides by zero": ("(drop (i32.div_u (i32.const 1) (i32.const 0)))", "TRAP DIVISION_BY_ZERO"),
    "leaves its memory": ("(drop (i32.load (i32.const -1)))", "TRAP MEMORY_OUT_OF_BOUNDS"),
    "never returns": (LOOP, "OUT_OF_GAS"),
    "recurses": ("(call $endless)", "STACK"),
}
# Where each function's body begins in the little System of the arena.
HEADS = {
    "reset": '(func (export "reset") (param i64)',
    "to_move": '(func $turn (export "to_move") (result i32)',
    "observe": '(func (export "observe") (result i64)',
    "observe_bytes": '(func (export "observe_bytes") (result i64)',
    "is_legal": '(func (export "is_legal") (param i64) (result i32)',
    "step": '(func $again (export "step") (param i64)\n    (local $at i32)',
    "is_done": '(func (export "is_done") (result i32)',
    "score": '(func (export "score") (param i32) (result i64)',
}
LEGAL = '(func (export "is_legal") (param i64) (result i32) (i32.const 1))'
MAILBOX = (
    '(module (memory (export "memory") 1) (func (export "nets_obs") (result i32) (i32.const 0))'
    ' (func (export "nets_obs_cap") (result i32) (i32.const 16384))'
    ' (func (export "decide") (param i64) (result i64) (i64.const 1)))'
)


def system(arena, changes: dict[str, str], *, seats: int = 1, steps: int = 10, shown: str = "16", **spec: object):
    """Return a System with code put in at the beginning of some of its functions."""
    source = arena.duel.format(seats=seats, steps=steps, shown=shown, in_step="", legal=LEGAL)
    for name, code in changes.items():
        assert HEADS[name] in source
        source = source.replace(HEADS[name], f"{HEADS[name]} {code}")
    source = source.replace("(global $step", "(func $endless (call $endless)) (global $step", 1)
    return arena.gate.check(arena.described(arena.wasm(source), seats=seats, **spec), "system").system()


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_any_of_the_systems_functions_voids_the_match(arena, name, fault) -> None:
    code, cause = FAULTS[fault]
    world = system(arena, {name: code})
    results = [arena.play(MAILBOX, system=world, traced=traced) for traced in (True, False)]
    for result in results:
        assert (result.outcome, result.cause, result.seat, result.scores) == (Outcome.VOID, cause, None, (0,))
        assert result.steps == {"step": 1, "is_legal": 1, "score": 10}.get(name, 0)
    assert results[0].commitment is not None
    assert b'"outcome":"VOID"' in results[0].header


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_while_parameters_are_set_voids_the_match(arena, fault) -> None:
    code, cause = FAULTS[fault]
    source = arena.duel.format(seats=1, steps=10, shown="16", in_step="", legal="")
    extra = f'(func $endless (call $endless)) (func (export "set_param") (param i32 i64) {code}) (global $step'
    params = [{"name": "stake", "title": "Stake", "min": 0, "max": 9, "default": 3}]
    described = arena.described(arena.wasm(source.replace("(global $step", extra, 1)), params=params)
    result = arena.play(arena.one, system=arena.gate.check(described, "system").system())
    assert (result.outcome, result.cause, result.seat, result.steps) == (Outcome.VOID, cause, None, 0)
    assert b'"params":{"stake":3}' in result.header


def test_a_fault_late_in_the_match_voids_it_with_the_trace_so_far(arena) -> None:
    late = "(if (i64.eq (global.get $step) (i64.const 6)) (then unreachable))"
    result = arena.play(arena.one, arena.one, system=system(arena, {"step": late}, seats=2))
    assert (result.outcome, result.cause, result.seat) == (Outcome.VOID, "TRAP UNREACHABLE", None)
    assert (result.steps, result.scores) == (7, (0, 0))
    assert len(result.trace) == 7 * (RECORD_HEADER + 8)


def test_a_system_gets_its_gas_anew_every_turn(arena) -> None:
    """Some 40 million gas in each of ten turns: eight times its budget in all."""
    spend = (
        "(local $i i32) (local.set $i (i32.const 5000000))"
        " (loop $l (local.set $i (i32.sub (local.get $i) (i32.const 1))) (br_if $l (local.get $i)))"
    )
    source = arena.duel.format(seats=1, steps=10, shown="16", in_step="(call $spend)", legal="")
    source = source.replace("(global $step", f"(func $spend {spend}) (global $step", 1)
    world = arena.gate.check(arena.described(arena.wasm(source)), "system").system()
    assert arena.play(arena.one, system=world).outcome is Outcome.FINISHED


@pytest.mark.parametrize("seat", [2, 255, -1, -(2**31)])
def test_a_seat_that_does_not_exist_voids_the_match(arena, seat) -> None:
    world = system(arena, {"to_move": f"(return (i32.const {seat}))"}, seats=2)
    result = arena.play(arena.one, arena.one, system=world)
    assert (result.outcome, result.cause, result.seat, result.steps) == (Outcome.VOID, "BAD_SEAT", None, 0)


@pytest.mark.parametrize(
    "slice_", ["0x0000fff800000010", "0xffffffff00000010", "0x0001000100000000", "0x0000000000004001", "-1"]
)
def test_an_observation_outside_the_systems_memory_voids_the_match(arena, slice_) -> None:
    result = arena.play(MAILBOX, system=system(arena, {"observe_bytes": f"(return (i64.const {slice_}))"}))
    assert (result.outcome, result.cause, result.seat, result.steps) == (Outcome.VOID, "BAD_OBSERVATION", None, 0)


@pytest.mark.parametrize("slice_", ["0x0000fff000000010", "0x0001000000000000", "0"])
def test_an_observation_up_to_the_end_of_the_memory_is_fine(arena, slice_) -> None:
    result = arena.play(MAILBOX, system=system(arena, {"observe_bytes": f"(return (i64.const {slice_}))"}))
    assert result.outcome is Outcome.FINISHED


@pytest.mark.parametrize(("seat", "score"), [(0, 1001), (1, 1001), (0, -6), (1, -(2**63)), (1, 2**63 - 1)])
def test_a_score_out_of_range_voids_the_match(arena, seat, score) -> None:
    wild = f"(if (i32.eq (local.get 0) (i32.const {seat})) (then (return (i64.const {score}))))"
    result = arena.play(arena.one, arena.one, system=system(arena, {"score": wild}, seats=2))
    assert (result.outcome, result.cause, result.seat, result.scores) == (Outcome.VOID, "BAD_SCORE", None, (0, 0))
    assert result.commitment is not None


def test_the_extreme_scores_count(arena) -> None:
    ends = "(return (select (i64.const -5) (i64.const 1000) (local.get 0)))"
    result = arena.play(arena.one, arena.one, system=system(arena, {"score": ends}, seats=2))
    assert (result.outcome, result.scores) == (Outcome.FINISHED, (1000, -5))


def test_a_trace_that_grows_beyond_its_bound_voids_the_match(arena) -> None:
    world = system(arena, {}, steps=20_000, shown="16384", max_steps=20_000, score_max=20_000)
    result = arena.play(MAILBOX, system=world, traced=False)
    assert (result.outcome, result.cause, result.seat) == (Outcome.VOID, "TRACE_TOO_LONG", None)
    assert result.steps == MAX_TRACE_BYTES // (RECORD_HEADER + 16_384)


def test_a_void_match_is_a_row_that_blames_nobody(arena, tmp_path) -> None:
    agents = {3: arena.agent(arena.one), 4: arena.agent(MAILBOX)}
    batch = PlayBatch(system(arena, {"step": "unreachable"}, seats=2), agents, 100_000, tmp_path)
    (row,) = play_batch(batch.of([Fixture(0, 4, 3, 99)]))
    assert (row.outcome, row.cause, row.seat, row.score_a, row.score_b) == ("VOID", "TRAP UNREACHABLE", None, 0, 0)
    assert len(row.commitment) == 32


# Ours ---------------------------------------------------------------------------------------------------------------


def unmetered(arena, module: str):
    """Return the image of a System that never went through the gate: nothing limits it."""
    held = arena.system()
    globals_ = " ".join(
        f'(global (export "nb.{name}") (mut {kind}) ({kind}.const 0))'
        for name, kind in (("gas", "i64"), ("stack", "i32"), ("cause", "i32"))
    )
    return type(held)(
        held.sha256, held.spec, bytes(wat2wasm(module.replace("(module", f"(module {globals_}", 1))), True
    )


def test_the_watchdog_stops_a_system_that_metering_missed(arena) -> None:
    source = arena.duel.format(seats=1, steps=10, shown="16", in_step=LOOP, legal=LEGAL)
    request = MatchRequest(unmetered(arena, source), (arena.agent(arena.one),), 1, 1000)
    with Sandbox(deadline=0.3) as sandbox:
        result = run_match(request, sandbox)
    assert (result.outcome, result.cause, result.seat) == (Outcome.INFRA, "WATCHDOG", None)
    assert result.detail == "stopped while the System ran"
    assert (result.scores, result.commitment, result.trace) == ((0,), None, None)


def test_native_stack_of_the_system_is_ours_as_well(arena) -> None:
    source = arena.duel.format(seats=1, steps=10, shown="16", in_step="(call $again (i64.const 1))", legal=LEGAL)
    result = run_match(MatchRequest(unmetered(arena, source), (arena.agent(arena.one),), 1), arena.sandbox)
    assert (result.outcome, result.cause, result.seat) == (Outcome.INFRA, "NATIVE_STACK", None)


def test_what_cannot_be_played_here_is_tried_again_and_then_told(arena, tmp_path) -> None:
    broken = type(arena.agent(arena.one))("ab" * 32, "packed", bytes(wat2wasm("(module)")))
    batch = PlayBatch(arena.system(), {0: broken}, 1000, tmp_path)
    with pytest.raises(LeagueError, match=f"in {TRIES} tries: SETUP") as caught:
        play_batch(batch.of([Fixture(0, 0, None, 1)]))
    assert "Nobody is blamed" in caught.value.next_step


# A sandbox that runs while this process may take no more memory, for as many of its matches as it is told.
STARVED = """
import json, resource, sys
from pathlib import Path
from engine.core.hashing import canonical_json
from engine.league import play
from engine.league.errors import LeagueError
from engine.league.gate import AgentImage, SyncGate
from engine.league.hasher import Hasher
from engine.league.match import MatchRequest, run_match
from engine.league.referee import Shape
from engine.league.sandbox import Sandbox, referee_module

class Starved(Sandbox):
    hungry = 0
    def play(self, *args, **options):
        if not self.hungry:
            return super().play(*args, **options)
        self.hungry -= 1
        used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (used - (1 << 20), resource.RLIM_INFINITY))
        try:
            return super().play(*args, **options)
        finally:
            resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

def main(system_file, agent_files):
    with SyncGate() as gate:
        system = gate.check(Path(system_file).read_bytes(), "system").system()
        agents = [gate.check(Path(file).read_bytes()).agent() for file in agent_files]
    found = []
    with Starved() as sandbox:
        for agent in agents:
            request = MatchRequest(system, (agent,), 1, 1_000_000)
            for module in (system.module, agent.module, referee_module(Shape.of(system, (agent,), True))):
                sandbox.compile(module)
            if not found:
                run_match(request, sandbox)  # leaves a first page behind, so that it is growing that fails
            sandbox.hungry = 1
            starved = run_match(request, sandbox)
            sandbox.hungry = 3
            try:
                play._play(request, sandbox, Hasher())
                told = ""
            except LeagueError as error:
                told = str(error)
            sandbox.hungry = 2
            again = play._play(request, sandbox, Hasher())
            fed = run_match(request, sandbox)
            found.append([fed.outcome, starved.outcome, starved.cause, starved.seat, starved.scores, told,
                          again == fed])
    print(json.dumps(found))

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit data so")
def test_want_of_memory_is_never_a_loss(arena, tmp_path) -> None:
    """An agent that stops when it gets no memory plays where there is some, and blames nobody where there is none."""
    most = AGENT.memory_pages - 1
    agents = {
        "grows": arena.decide(
            f"(if (i32.eq (memory.grow (i32.const {most})) (i32.const -1)) (then unreachable)) (i64.const 1)",
            "(memory 1)",
        ),
        "begins large": arena.decide("(i64.const 1)", '(memory 64) (data (i32.const 4000000) "x")'),
    }
    script, world = tmp_path / "starved.py", tmp_path / "system.wasm"
    script.write_text(STARVED)
    world.write_bytes(arena.system_file(steps=1))
    for name, source in agents.items():
        (tmp_path / f"{name}.wasm").write_bytes(arena.wasm(source))
    done = subprocess.run(
        [sys.executable, str(script), str(world), *(str(tmp_path / f"{name}.wasm") for name in agents)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for (fed, starved, cause, seat, scores, told, again), expected in zip(
        json.loads(done.stdout), ("HOST_MEMORY", "SETUP"), strict=True
    ):
        assert (fed, starved, cause, seat, scores) == ("FINISHED", "INFRA", expected, None, [0])
        assert f"in {TRIES} tries: {expected}" in told
        assert again


def test_growing_beyond_the_limit_fails_alike_everywhere(arena) -> None:
    """What a module may not have is -1, and no fault; what it may have, it gets, up to the last page and entry."""
    pages = AGENT.memory_pages - 1
    body = (
        f"(if (i32.ne (memory.grow (i32.const {pages + 1})) (i32.const -1)) (then unreachable))"
        f"(if (i32.ne (memory.grow (i32.const {pages})) (i32.const 1)) (then unreachable))"
        "(if (i32.ne (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))"
        f"(if (i32.ne (memory.grow (i32.const 0)) (i32.const {pages + 1})) (then unreachable))"
        "(if (i32.ne (table.grow (ref.null func) (i32.const 65536)) (i32.const -1)) (then unreachable))"
        f"(if (i32.ne (table.grow (ref.func $decide) (i32.const 6)) (i32.const 1)) (then unreachable))"
        "(if (i32.ne (table.grow (ref.null func) (i32.const 1)) (i32.const -1)) (then unreachable))"
        "(if (ref.is_null (table.get (i32.const 6))) (then unreachable)) (i64.const 1)"
    )
    agent = arena.decide(body, "(memory 1) (table 1 7 funcref) (elem declare func $decide)")
    result = arena.play(agent, system=arena.system(steps=1), budget=2_000_000)
    assert (result.outcome, result.cause) == (Outcome.FINISHED, None)


def test_more_modules_than_are_kept_compiled(arena, monkeypatch) -> None:
    """A league has more agents than compiled modules are kept; what a match runs must not be dropped under it."""
    monkeypatch.setattr("engine.league.sandbox._MAX_COMPILED", 2)
    world = arena.system(seats=2)
    agents = [arena.agent(arena.decide(f"(i64.const {number % 2})", f"(memory {number})")) for number in range(12)]
    with Sandbox() as sandbox:
        for one, other in zip(agents * 3, agents[5:] + agents * 2, strict=False):
            result = run_match(MatchRequest(world, (one, other), 1), sandbox)
            assert result.outcome is Outcome.FINISHED
