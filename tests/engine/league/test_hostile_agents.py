"""What hostile agents do in a match, and that the right seat pays for it; what merely looks odd plays on."""

from __future__ import annotations

import pytest

from engine.league.match import Outcome

I64_MIN = "(i64.const -9223372036854775808)"
MEMORY = '(memory (export "memory") 1)'
MAILBOX = '(func (export "nets_obs") (result i32) {at}) (func (export "nets_obs_cap") (result i32) {cap})'
TABLE = "(type $v (func)) (type $l (func (param i64) (result i64))) (table 4 funcref) (elem (i32.const 0) $nothing)"
NOTHING = "(func $nothing)"


def mailbox(at: str, cap: str, body: str = "(i64.const 1)", extra: str = "") -> str:
    return (
        f"(module {MEMORY} {MAILBOX.format(at=at, cap=cap)} {extra}"
        f'(func (export "decide") (param i64) (result i64) {body}))'
    )


LOSSES = {
    "infinite loop": ("(loop $l (br $l)) unreachable", "", "OUT_OF_GAS"),
    "grow forever": ("(loop $l (drop (memory.grow (i32.const 1))) (br $l)) unreachable", MEMORY, "OUT_OF_GAS"),
    "a fill of 16 MiB in slices": (
        "(loop $l (memory.fill (i32.const 0) (i32.const 7) (i32.const 65536)) (br $l)) unreachable",
        MEMORY,
        "OUT_OF_GAS",
    ),
    "a fill of 16 MiB at once": (
        "(memory.fill (i32.const 0) (i32.const 7) (i32.const 16777216)) (i64.const 1)",
        MEMORY,
        "OUT_OF_GAS",
    ),
    "copying for ever": (
        "(loop $l (memory.copy (i32.const 0) (i32.const 9) (i32.const 60000)) (br $l)) unreachable",
        MEMORY,
        "OUT_OF_GAS",
    ),
    "table growth": (
        "(loop $l (drop (table.grow (ref.null func) (i32.const 60000))) (br $l)) unreachable",
        "(table 1 funcref)",
        "OUT_OF_GAS",
    ),
    "table fill": (
        "(loop $l (table.fill (i32.const 0) (ref.null func) (i32.const 60000)) (br $l)) unreachable",
        "(table 60000 funcref)",
        "OUT_OF_GAS",
    ),
    "branching tree of calls": (
        "(call $decide (local.get 0)) drop (call $f40) (i64.const 1)",
        "".join(f"(func $f{i + 1} call $f{i} call $f{i})" for i in range(40)) + "(func $f0)",
        "STACK",
    ),
    "exponential calls": (
        "(call $f40) (i64.const 1)",
        "".join(f"(func $f{i + 1} call $f{i} call $f{i})" for i in range(40)) + "(func $f0)",
        "OUT_OF_GAS",
    ),
    "unbounded recursion": ("(call $decide (local.get 0))", "", "STACK"),
    "indirect recursion": (
        "(call_indirect (type $l) (local.get 0) (i32.const 0))",
        "(type $l (func (param i64) (result i64))) (table 1 funcref) (elem (i32.const 0) $decide)",
        "STACK",
    ),
    "unreachable": ("unreachable", "", "TRAP UNREACHABLE"),
    "division by zero": ("(i64.div_s (i64.const 1) (i64.const 0))", "", "TRAP DIVISION_BY_ZERO"),
    "remainder by zero": ("(i64.rem_u (i64.const 1) (i64.const 0))", "", "TRAP DIVISION_BY_ZERO"),
    "INT_MIN / -1": (f"(i64.div_s {I64_MIN} (i64.const -1))", "", "TRAP INTEGER_OVERFLOW"),
    "float to integer of NaN": ("(i64.trunc_f64_s (f64.const nan))", "", "TRAP BAD_CONVERSION"),
    "float to integer too large": ("(i64.trunc_f64_s (f64.const 1e30))", "", "TRAP INTEGER_OVERFLOW"),
    "load out of bounds": ("(i64.load (i32.const -1))", MEMORY, "TRAP MEMORY_OUT_OF_BOUNDS"),
    "store behind the end": (
        "(i64.store (i32.const 65529) (i64.const 1)) (i64.const 1)",
        MEMORY,
        "TRAP MEMORY_OUT_OF_BOUNDS",
    ),
    "wrong signature": ("(call_indirect (type $l) (local.get 0) (i32.const 0))", TABLE + NOTHING, "TRAP BAD_SIGNATURE"),
    "null call": ("(call_indirect (type $v) (i32.const 1)) (i64.const 1)", TABLE + NOTHING, "TRAP NULL_INDIRECT_CALL"),
    "call outside the table": (
        "(call_indirect (type $v) (i32.const 99)) (i64.const 1)",
        TABLE + NOTHING,
        "TRAP TABLE_OUT_OF_BOUNDS",
    ),
    "illegal action": ("(i64.const 10)", "", "ILLEGAL_ACTION"),
    "illegal negative action": ("(i64.const -1)", "", "ILLEGAL_ACTION"),
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_faulty_decision_loses_with_its_cause(arena, name) -> None:
    body, module, cause = LOSSES[name]
    result = arena.play(arena.decide(body, module))
    assert (result.outcome, result.cause, result.seat) == (Outcome.LOSS, cause, 0)
    assert result.scores == (-5,)
    assert result.steps == 1
    assert 0 < result.gas[0] <= 100_000 or cause == "TRAP UNREACHABLE"


LOOP = "(loop $l (br $l)) unreachable"
MAILBOX_LOSSES = {
    "pointer out of range": (mailbox("(i32.const 65530)", "(i32.const 64)"), "BAD_OBSERVATION_BUFFER"),
    "pointer far out of range": (mailbox("(i32.const -1)", "(i32.const -1)"), "BAD_OBSERVATION_BUFFER"),
    "no capacity and pointer -1": (mailbox("(i32.const -1)", "(i32.const 0)"), "BAD_OBSERVATION_BUFFER"),
    "capacity too small": (mailbox("(i32.const 0)", "(i32.const 15)"), "BAD_OBSERVATION_BUFFER"),
    "loop in nets_obs": (mailbox(LOOP, "(i32.const 64)"), "OUT_OF_GAS"),
    "loop in nets_obs_cap": (mailbox("(i32.const 0)", LOOP), "OUT_OF_GAS"),
    "recursion in nets_obs": (
        mailbox("(call $r)", "(i32.const 64)", extra="(func $r (result i32) (call $r))"),
        "STACK",
    ),
    "trap in nets_obs": (mailbox("unreachable", "(i32.const 64)"), "TRAP UNREACHABLE"),
}


@pytest.mark.parametrize("name", MAILBOX_LOSSES)
def test_a_faulty_mailbox_loses_with_its_cause(arena, name) -> None:
    source, cause = MAILBOX_LOSSES[name]
    result = arena.play(source)
    assert (result.outcome, result.cause, result.seat, result.steps) == (Outcome.LOSS, cause, 0, 1)


PLAYS = {
    "exports its own __fuel": (
        '(module (global (export "__fuel") (mut i64) (i64.const 5))'
        ' (global (export "nb.gas") (mut i64) (i64.const 5)) (func (export "nb.stack"))'
        ' (func (export "decide") (param i64) (result i64) (global.set 0 (i64.const -9)) (i64.const 1)))'
    ),
    "computes with NaN": (
        '(module (func (export "decide") (param i64) (result i64)'
        " (i64.and (i64.reinterpret_f64 (f64.div (f64.const 0) (f64.const 0))) (i64.const 0))"
        " (i64.or (i64.const 1))))"
    ),
    "SIMD": (
        '(module (func (export "decide") (param i64) (result i64)'
        " (i64x2.extract_lane 1 (i64x2.add (v128.const i64x2 0 -3) (i64x2.splat (i64.const 4))))))"
    ),
    "a state of its own": (
        '(module (global $n (mut i64) (i64.const 0)) (func (export "decide") (param i64) (result i64)'
        " (global.set $n (i64.add (global.get $n) (i64.const 1))) (i64.and (global.get $n) (i64.const 1))))"
    ),
    "a mailbox without room left over": mailbox(
        "(i32.const 65520)", "(i32.const 16)", "(i64.and (i64.load (i32.const 65520)) (i64.const 1))"
    ),
    "a mailbox of the wrong memory's size": mailbox("(i32.const 0)", "(i32.const -1)"),
}


@pytest.mark.parametrize("name", PLAYS)
def test_what_only_looks_odd_plays_to_the_end(arena, name) -> None:
    result = arena.play(PLAYS[name])
    assert (result.outcome, result.cause, result.steps) == (Outcome.FINISHED, None, 10)
    assert result.scores[0] in (5, 10)


def test_the_largest_action_arrives_whole(arena) -> None:
    result = arena.play(arena.decide("(i64.const -1)"), system=arena.system(legal=False))
    assert result.outcome is Outcome.FINISHED
    assert result.scores == (10,)
    assert result.trace[24:32] == b"\xff" * 8


def test_nan_payloads_are_canonical(arena) -> None:
    """The bits of a computed NaN are visible to an agent, so they must be the same everywhere."""
    body = (
        "(i64.xor (i64.reinterpret_f64 (f64.add (f64.reinterpret_i64 (i64.const 0x7ff8dead00000001))"
        " (f64.const 1))) (i64.const 0x7ff8000000000001))"
    )
    result = arena.play(arena.decide(body))
    assert result.outcome is Outcome.FINISHED
    assert result.scores == (10,)


def test_state_never_outlives_a_match(arena) -> None:
    agent = arena.agent(
        '(module (memory (export "memory") 2) (func (export "decide") (param i64) (result i64)'
        " (i64.load (i32.const 70000)) (i64.store (i32.const 70000) (i64.const 9)) (i64.and (i64.const 1))))"
    )
    system = arena.system(steps=1)
    assert [arena.play(agent, system=system).scores for _ in range(40)] == [(0,)] * 40


def burner(loops: int) -> str:
    return (
        '(module (func (export "decide") (param i64) (result i64) (local $i i32)'
        f" (local.set $i (i32.const {loops}))"
        " (loop $l (local.set $i (i32.sub (local.get $i) (i32.const 1))) (br_if $l (local.get $i)))"
        " (i64.const 1)))"
    )


def test_nobody_burns_another_seats_budget(arena) -> None:
    """Seat 0 spends nearly all of its budget in every turn; seat 1 loops for ever and is the one who loses."""
    looper = arena.decide(LOOP)
    result = arena.play(burner(14_000), looper, budget=100_000)
    assert (result.outcome, result.cause, result.seat) == (Outcome.LOSS, "OUT_OF_GAS", 1)
    assert result.scores == (1000, -5)
    assert 90_000 < result.gas[0] < 100_000
    both_burn = arena.play(burner(14_000), burner(14_000), budget=100_000)
    assert both_burn.outcome is Outcome.FINISHED
    assert both_burn.steps == 10
    assert both_burn.gas[0] == 5 * result.gas[0]


def test_seat_zero_is_blamed_for_its_own_fault(arena) -> None:
    result = arena.play(arena.decide("unreachable"), arena.one)
    assert (result.outcome, result.seat, result.scores) == (Outcome.LOSS, 0, (-5, 1000))


def test_an_illegal_action_is_charged_to_the_seat_that_took_it(arena) -> None:
    result = arena.play(arena.one, arena.decide("(i64.const 77)"))
    assert (result.outcome, result.cause, result.seat, result.steps) == (Outcome.LOSS, "ILLEGAL_ACTION", 1, 2)


def test_the_budget_is_exact(arena) -> None:
    """One instruction outside loops and 2 for the entry: a budget of 3 suffices, 2 does not."""
    assert arena.play(arena.one, budget=3).outcome is Outcome.FINISHED
    short = arena.play(arena.one, budget=2)
    assert (short.outcome, short.cause, short.gas) == (Outcome.LOSS, "OUT_OF_GAS", (2,))


SYSTEM_FAULTS = {
    "traps": ({"in_step": "unreachable"}, "TRAP UNREACHABLE"),
    "never returns": ({"in_step": "(loop $l (br $l))"}, "OUT_OF_GAS"),
    "recurses": ({"in_step": "(call $again (i64.const 1))"}, "STACK"),
    "scores too much": ({"score_max": 3}, "BAD_SCORE"),
}


@pytest.mark.parametrize("name", SYSTEM_FAULTS)
def test_a_faulty_system_blames_no_agent(arena, name) -> None:
    options, cause = SYSTEM_FAULTS[name]
    result = arena.play(arena.one, system=arena.system(**options))
    assert (result.outcome, result.cause, result.seat, result.scores) == (Outcome.VOID, cause, None, (0,))
    assert result.commitment is not None


@pytest.mark.parametrize(
    "slice_", ["16385", "0x7fffffff", "(i64.const 0)", "-1"], ids=["16 KiB + 1", "2 GiB", "outside", "negative"]
)
def test_a_system_that_shows_too_much_voids_the_match(arena, slice_) -> None:
    shown = "0xffff0010" if slice_.startswith("(") else slice_
    result = arena.play(mailbox("(i32.const 0)", "(i32.const 64)"), system=arena.system(shown=shown))
    assert (result.outcome, result.cause) == (Outcome.VOID, "BAD_OBSERVATION")


def test_a_system_that_names_no_seat_voids_the_match(arena) -> None:
    file = arena.described(arena.wasm(arena.duel.format(seats=3, steps=10, shown=16, in_step="", legal="")), seats=2)
    system = arena.gate.check(file, "system").system()
    result = arena.play(arena.one, arena.one, system=system)
    assert (result.outcome, result.cause, result.steps) == (Outcome.VOID, "BAD_SEAT", 2)


def test_the_referee_ends_the_match_at_max_steps(arena) -> None:
    result = arena.play(arena.one, system=arena.system(steps=1000, max_steps=7))
    assert (result.outcome, result.steps, result.scores) == (Outcome.FINISHED, 7, (7,))


def test_the_samples_lose_by_their_faults(arena, snake, sample_files) -> None:
    causes = {name: arena.play(file, system=snake, budget=1_000_000).cause for name, file in sample_files.items()}
    assert causes["trapper"] == "TRAP UNREACHABLE"
    assert causes["looper"] == "OUT_OF_GAS"
    assert {cause for name, cause in causes.items() if name not in ("trapper", "looper")} == {None}


def test_traced_and_untraced_matches_agree(arena, snake, sample_files) -> None:
    for file in sample_files.values():
        traced = arena.play(file, system=snake, seed=11)
        plain = arena.play(file, system=snake, seed=11, traced=False)
        assert (plain.outcome, plain.cause, plain.scores, plain.steps, plain.gas) == (
            traced.outcome, traced.cause, traced.scores, traced.steps, traced.gas,
        )  # fmt: skip
        assert plain.trace is None
        assert plain.commitment is None
