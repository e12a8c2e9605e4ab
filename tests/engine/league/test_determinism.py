"""The same match gives the same bytes at every optimisation level, on the interpreter, and from the disk cache."""

from __future__ import annotations

import multiprocessing

import pytest

from engine.league.engines import EngineOptions
from engine.league.match import MatchRequest, MatchResult, Outcome, run_match
from engine.league.sandbox import Sandbox

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
