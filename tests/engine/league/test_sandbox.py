"""The sandbox's own parts: the watchdog, the cache of compiled code, long traces, and misuse."""

from __future__ import annotations

import pickle
import stat
import time
from pathlib import Path

import pytest
from wasmtime import Module, wat2wasm

from engine.core.errors import UsageError
from engine.league.errors import LeagueError
from engine.league.gate import SystemImage
from engine.league.match import MatchRequest, Outcome, run_match
from engine.league.referee import HEADER_BYTES, RECORD_HEADER, Shape, referee_wat
from engine.league.sandbox import Sandbox
from engine.league.trace import Trace

# Without metering: what the gate would never let through, to reach the nets below it.
UNMETERED = """
(module (memory (export "memory") 1)
  (global (export "nb.gas") (mut i64) (i64.const 0)) (global (export "nb.stack") (mut i32) (i32.const 0))
  (global (export "nb.cause") (mut i32) (i32.const 0))
  (func $decide (export "decide") (param i64) (result i64) {body}))
"""


def unmetered(arena, body: str):
    return type(arena.agent(arena.one))("ab" * 32, "packed", bytes(wat2wasm(UNMETERED.format(body=body))))


def test_the_watchdog_stops_what_metering_missed_and_blames_nobody(arena) -> None:
    agent = unmetered(arena, "(loop $l (br $l)) unreachable")
    with Sandbox(deadline=0.3) as sandbox:
        started = time.monotonic()
        result = run_match(MatchRequest(arena.system(), (agent,), 1, budget=1000), sandbox)
        assert time.monotonic() - started < 5
        assert (result.outcome, result.cause, result.seat) == (Outcome.INFRA, "WATCHDOG", None)
        assert result.detail == "stopped while seat 0 ran"
        assert (result.commitment, result.trace, result.header) == (None, None, None)
        assert (
            run_match(MatchRequest(arena.system(), (arena.agent(arena.one),), 1), sandbox).outcome is Outcome.FINISHED
        )


def test_native_stack_is_never_a_loss(arena) -> None:
    agent = unmetered(arena, "(i64.add (call $decide (local.get 0)) (i64.const 1))")
    result = run_match(MatchRequest(arena.system(), (agent,), 1), arena.sandbox)
    assert (result.outcome, result.cause) == (Outcome.INFRA, "NATIVE_STACK")


def test_a_module_that_cannot_be_set_up_is_our_fault(arena) -> None:
    agent = type(arena.agent(arena.one))("ab" * 32, "packed", bytes(wat2wasm("(module)")))
    result = run_match(MatchRequest(arena.system(), (agent,), 1), arena.sandbox)
    assert (result.outcome, result.cause) == (Outcome.INFRA, "SETUP")
    assert "decide" in result.detail


@pytest.mark.parametrize(
    ("changes", "why"),
    [({"seed": 2**64}, "seed"), ({"seed": -1}, "seed"), ({"budget": 0}, "budget"), ({"budget": 2**32}, "budget")],
)
def test_a_request_out_of_range_is_refused(arena, changes, why) -> None:
    fields = {"system": arena.system(), "agents": (arena.agent(arena.one),), "seed": 1, "budget": 5} | changes
    with pytest.raises(UsageError, match=why):
        MatchRequest(**fields)


def test_the_number_of_agents_must_fit(arena) -> None:
    with pytest.raises(UsageError, match="takes 2 agents: 1 were given"):
        MatchRequest(arena.system(seats=2), (arena.agent(arena.one),), 1)


def test_requests_and_results_travel_between_processes(arena, snake, sample_files) -> None:
    request = MatchRequest(snake, (arena.agent(sample_files["greedy"]),), 4)
    again = pickle.loads(pickle.dumps(request))
    assert again == request
    result = run_match(again, arena.sandbox)
    assert pickle.loads(pickle.dumps(result)) == result


def test_a_trace_larger_than_the_first_page_is_whole(arena) -> None:
    """16 KiB an observation, 64 steps: a megabyte, grown into while playing."""
    source = (
        '(module (memory (export "memory") 1) (func (export "nets_obs") (result i32) (i32.const 0))'
        ' (func (export "nets_obs_cap") (result i32) (i32.const 16384))'
        ' (func (export "decide") (param i64) (result i64) (i64.load (i32.const 0))))'
    )
    system = arena.system(steps=64, shown=str(16_384), legal=False)
    result = arena.play(source, system=system)
    trace = Trace(result.trace, 1)
    assert (result.outcome, len(trace)) == (Outcome.FINISHED, 64)
    assert len(result.trace) == 64 * (RECORD_HEADER + 16_384)
    # The System shows the step, the agent returns it.
    assert [record.action for record in trace] == list(range(64))
    assert [record.observation[:8] for record in trace] == [step.to_bytes(8, "little") for step in range(64)]


@pytest.mark.parametrize("traced", [True, False])
def test_a_trace_without_bound_voids_the_match_alike_traced_or_not(arena, monkeypatch, traced) -> None:
    """The real bound is 256 MiB; a referee with a smaller one is generated here."""
    import engine.league.referee as referee

    monkeypatch.setattr(referee, "MAX_TRACE_BYTES", 40 * 5)
    shape = Shape((False,), True, traced)
    small = bytes(wat2wasm(referee_wat(shape)))
    monkeypatch.setattr("engine.league.sandbox.referee_module", lambda _: small)
    result = arena.play(arena.one, traced=traced)
    assert (result.outcome, result.cause, result.steps) == (Outcome.VOID, "TRACE_TOO_LONG", 5)
    assert HEADER_BYTES % 8 == 0


# The cache ------------------------------------------------------------------------------------------------------


def cached_files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "code").iterdir() if path.name != "key")


def play_with_cache(folder: Path, system: SystemImage, arena) -> Outcome:
    with Sandbox(folder) as sandbox:
        return run_match(MatchRequest(system, (arena.agent(arena.one),), 1), sandbox).outcome


def test_compiled_code_is_kept_private_and_used_again(arena, tmp_path, monkeypatch) -> None:
    system = arena.system()
    assert play_with_cache(tmp_path, system, arena) is Outcome.FINISHED
    files = cached_files(tmp_path)
    assert len(files) == 3
    assert stat.S_IMODE((tmp_path / "code").stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "code").iterdir()} == {0o600}
    monkeypatch.setattr(Module, "__init__", lambda *_: pytest.fail("it was compiled again"))
    assert play_with_cache(tmp_path, system, arena) is Outcome.FINISHED


@pytest.mark.expects_log
@pytest.mark.parametrize("damage", ["flipped", "swapped", "foreign", "empty"])
def test_code_that_this_installation_did_not_write_is_never_loaded(arena, tmp_path, damage, monkeypatch) -> None:
    system = arena.system()
    play_with_cache(tmp_path, system, arena)
    first, second, third = cached_files(tmp_path)
    if damage == "flipped":
        raw = bytearray(first.read_bytes())
        raw[1000] ^= 1
        first.write_bytes(raw)
    elif damage == "swapped":
        first.write_bytes(second.read_bytes())
    elif damage == "foreign":
        (tmp_path / "code" / "key").write_bytes(bytes(32))
    else:
        third.write_bytes(b"")
    loaded = []
    honest = Module.deserialize.__func__
    monkeypatch.setattr(
        Module, "deserialize", classmethod(lambda cls, engine, raw: loaded.append(raw) or honest(cls, engine, raw))
    )
    assert play_with_cache(tmp_path, system, arena) is Outcome.FINISHED
    assert len(loaded) == (0 if damage == "foreign" else 2)


@pytest.mark.expects_log
def test_a_folder_that_others_may_enter_is_not_used(arena, tmp_path) -> None:
    (tmp_path / "code").mkdir(mode=0o755)
    (tmp_path / "code").chmod(0o755)
    assert play_with_cache(tmp_path, arena.system(), arena) is Outcome.FINISHED
    assert cached_files(tmp_path) == []


@pytest.mark.expects_log
def test_a_cache_that_cannot_be_written_does_no_harm(arena, tmp_path) -> None:
    (tmp_path / "code").write_bytes(b"a file where a folder should be")
    assert play_with_cache(tmp_path, arena.system(), arena) is Outcome.FINISHED


def test_state_of_a_system_that_shows_too_much_is_refused(arena) -> None:
    source = arena.duel.format(seats=1, steps=10, shown=16, in_step="", legal="")
    wild = source.replace("(i64.const 32)))\n  (func $again", "(i64.const 0x7fffffff)))\n  (func $again")
    system = arena.gate.check(arena.described(arena.wasm(wild)), "system").system()
    from engine.league.replay import playback_module

    assert wild != source
    with pytest.raises(LeagueError, match="does not show its state"):
        arena.sandbox.state_after(system.module, playback_module(), [b""], seed=1, steps=0, max_bytes=1000)
