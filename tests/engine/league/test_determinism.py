"""The same match gives the same bytes at every optimisation level, on the interpreter, and from the disk cache."""

from __future__ import annotations

import multiprocessing
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.league.engines import EngineOptions
from engine.league.hasher import Hasher
from engine.league.match import MatchRequest, MatchResult, Outcome, run_match
from engine.league.sandbox import Sandbox

sys.path.insert(0, str(Path(__file__).with_name("fuzz")))

from matches import Matches

MATCHES, SLICES = 10_000, 5

CONFIGURATIONS = {
    "speed": EngineOptions(),
    "none": EngineOptions(optimise="none"),
    "size": EngineOptions(optimise="speed_and_size"),
    "pulley": EngineOptions(pulley=True),
}


def requests(arena, snake, sample_files) -> list[MatchRequest]:
    faulty = [
        arena.decide("(call $decide (local.get 0))"),
        arena.decide("(loop $l (br $l)) unreachable"),
        arena.decide("(i64.div_s (i64.const -9223372036854775808) (i64.const -1))"),
        arena.decide("(i64.load (i32.const -1))", "(memory 1)"),
        arena.decide(
            "(i64.and (i64.reinterpret_f64 (f64.sqrt (f64.convert_i64_s (i64.sub (local.get 0) (i64.const 5)))))"
            " (i64.const 7))"
        ),
    ]
    duel = arena.system()
    found = [MatchRequest(duel, (arena.agent(text),), 3, 50_000) for text in faulty]
    found += [
        MatchRequest(snake, (arena.agent(file),), seed, 300_000) for file in sample_files.values() for seed in (0, 9)
    ]
    return found


def play_all(wanted: list[MatchRequest], options: EngineOptions) -> list[MatchResult]:
    with Sandbox(options=options) as sandbox:
        return [run_match(request, sandbox) for request in wanted]


@pytest.mark.parametrize("name", [name for name in CONFIGURATIONS if name != "speed"])
def test_every_engine_gives_the_same_results(arena, snake, sample_files, name) -> None:
    wanted = requests(arena, snake, sample_files)
    assert play_all(wanted, CONFIGURATIONS[name]) == play_all(wanted, CONFIGURATIONS["speed"])


def test_another_process_gives_the_same_results(arena, snake, sample_files) -> None:
    wanted = requests(arena, snake, sample_files)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        elsewhere = pool.apply(play_all, (wanted, EngineOptions()))
        pool.close()
        pool.join()
    assert elsewhere == play_all(wanted, EngineOptions())


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, Sandbox]]:
    """One sandbox for each way to run code, kept, for each compiles everything anew."""
    sandboxes = {name: Sandbox(options=CONFIGURATIONS[name]) for name in ("speed", "none", "pulley")}
    yield sandboxes
    for sandbox in sandboxes.values():
        sandbox.close()


@pytest.fixture(scope="module")
def matches(gate) -> Matches:
    return Matches(gate)


def differences(matches: Matches, engines: dict[str, Sandbox], numbers: range) -> tuple[list, list[MatchResult]]:
    """Play these matches on every engine; return those whose results are not the same, and the results."""
    hasher, wrong, results = Hasher(), [], []
    for number in numbers:
        request = matches.request(number)
        first, *others = (run_match(request, sandbox, hasher) for sandbox in engines.values())
        wrong += [(number, first, other) for other in others if other != first]
        results.append(first)
    return wrong, results


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(SLICES))
def test_ten_thousand_random_matches_are_equal_on_every_engine(matches, engines, part) -> None:
    """Outcome, cause, seat, scores, steps, gas, trace, root and commitment, at both levels and on the interpreter."""
    count = MATCHES // SLICES
    wrong, results = differences(matches, engines, range(part * count, (part + 1) * count))
    assert wrong == []
    causes = Counter(result.cause for result in results)
    assert causes[None] > count // 4
    assert {"OUT_OF_GAS", "ILLEGAL_ACTION", "TRAP MEMORY_OUT_OF_BOUNDS", "TRAP UNREACHABLE"} <= causes.keys()
    assert {result.outcome for result in results} == {Outcome.FINISHED, Outcome.LOSS, Outcome.VOID}
    assert all(result.commitment for result in results)


def test_random_matches_are_equal_on_every_engine(matches, engines) -> None:
    assert differences(matches, engines, range(10**6, 10**6 + 150))[0] == []


def test_the_order_of_matches_does_not_matter(arena, snake, sample_files) -> None:
    wanted = requests(arena, snake, sample_files)
    forward = play_all(wanted, EngineOptions())
    assert play_all(wanted[::-1], EngineOptions())[::-1] == forward


def test_the_seed_decides_the_match(arena, snake, sample_files) -> None:
    agent = sample_files["wall_follower"]
    first, again, other = (arena.play(agent, system=snake, seed=seed).commitment for seed in (5, 5, 6))
    assert first == again != other


def test_the_largest_seed_and_budget_are_taken(arena) -> None:
    result = arena.play(arena.one, seed=2**64 - 1, budget=2**32 - 1)
    assert result.outcome is Outcome.FINISHED
    assert b'"seed":18446744073709551615' in result.header


# What an optimiser keeps in a frame although no local and no operand shows it: each value is computed again after the
# recursive call, so it is kept across. Before the frames were counted, these overflowed the native stack.
KEPT = {
    "products": "(i64.store offset={at} (i32.const 0) (i64.mul (local.get 0) (i64.const {n})))",
    "quotients": "(i64.store offset={at} (i32.const 0) (i64.div_u (local.get 0) (i64.const {n})))",
    "constants": "(i64.store offset={at} (i32.const 0) (i64.const {n}123456789))",
    "addresses": "(i64.store offset={at} (i32.const 0) (i64.load (i32.wrap_i64 (i64.and"
    " (i64.mul (local.get 0) (i64.const {n})) (i64.const 0xffff)))))",
    "floats": "(f64.store offset={at} (i32.const 0) (f64.mul (f64.convert_i64_s (local.get 0)) (f64.const {n})))",
    "vectors": "(v128.store offset={at} (i32.const 0)"
    " (i64x2.add (i64x2.splat (local.get 0)) (v128.const i64x2 {n} 1)))",
    "vector constants": "(v128.store offset={at} (i32.const 0) (v128.const i64x2 {n} 3))",
}


@pytest.mark.parametrize("name", KEPT)
def test_stack_units_end_before_the_native_stack_does(arena, name) -> None:
    """Unbounded recursion with frames of any size is the agent's loss, on every engine, in the same step."""
    results = []
    for count in (5, 40, 500):
        before, after = (
            "".join(KEPT[name].format(at=at + 16 * n, n=2 * n + 3) for n in range(count)) for at in (0, 16_384)
        )
        call = "(drop (call $decide (i64.add (local.get 0) (i64.const 1))))"
        agent = arena.agent(arena.decide(f"{before} {call} {after} (i64.const 1)", "(memory 1)"))
        results.append(MatchRequest(arena.system(), (agent,), 1, 2**32 - 1))
    for options in CONFIGURATIONS.values():
        assert [result.cause for result in play_all(results, options)] == ["STACK"] * 3
