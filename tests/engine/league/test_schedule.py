"""Formats: everybody meets whom they should, nobody plays twice at once, the same results give the same pairs."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core.errors import UsageError
from engine.league.pairing import swiss
from engine.league.pairing.table import Table, pair
from engine.league.ratings import Rating, rate
from engine.league.schedule import FORMATS, Fixture, Schedule, format_for, match_seed


@dataclass(frozen=True)
class Row:
    a: int
    b: int | None
    score_a: int
    score_b: int | None


def plan(name: str, size: int, *, matches: int = 2, stages: int = 0) -> Schedule:
    return Schedule.of(
        {"format": name, "matches": matches, "seed": 7, "stages": stages}, [f"{seat:06}" for seat in range(size)]
    )


def played(fixtures: list[Fixture], strength: random.Random) -> list[Row]:
    """The lower seat mostly wins."""
    rows = []
    for fixture in fixtures:
        if fixture.b is None:
            rows.append(Row(fixture.a, None, 2, None))
            continue
        first = 2 if (fixture.a < fixture.b) == (strength.random() < 0.8) else 0
        rows.append(Row(fixture.a, fixture.b, first, 2 - first))
    return rows


def season(schedule: Schedule, chance: int = 1) -> list[tuple[list[Fixture], list[Row]]]:
    done: list[tuple[list[Fixture], list[Row]]] = []
    for number in range(schedule.stages):
        fixtures = schedule.stage(number, [rows for _, rows in done], ())
        done.append((fixtures, played(fixtures, random.Random(chance + number))))
    return done


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 21, 40])
@pytest.mark.parametrize("matches", [1, 2, 3])
def test_every_stage_is_sound(name: str, size: int, matches: int) -> None:
    if size == 1 and name != "solo":
        with pytest.raises(UsageError, match="needs two agents"):
            plan(name, size)
        return
    schedule = plan(name, size, matches=matches)
    done = season(schedule)
    everything = [fixture for fixtures, _ in done for fixture in fixtures]
    assert len(everything) == schedule.total
    indices = [fixture.index for fixture in everything]
    assert indices == sorted(set(indices))
    for fixtures, _ in done:
        busy = Counter(seat for f in fixtures for seat in (f.a, f.b) if seat is not None)
        assert set(busy.values()) == {matches}
        assert all(f.bye == (f.b is None and name != "solo") for f in fixtures)
        if name in ("swiss", "ladder"):
            assert set(busy) == set(range(size))
    firsts = Counter(f.a for f in everything if f.b is not None)
    seconds = Counter(f.b for f in everything if f.b is not None)
    if matches == 2:
        assert firsts == seconds


@pytest.mark.parametrize("size", range(2, 24))
def test_in_a_round_robin_all_meet_once_and_sit_first_about_equally_often(size: int) -> None:
    schedule = plan("round_robin", size, matches=1)
    fixtures = [fixture for stage, _ in season(schedule) for fixture in stage]
    met = Counter(pair(f.a, f.b) for f in fixtures if f.b is not None)
    assert set(met.values()) == {1} and len(met) == size * (size - 1) // 2
    firsts = Counter(f.a for f in fixtures)
    assert max(firsts[s] for s in range(size)) - min(firsts[s] for s in range(size)) <= 1


def test_seats_swap_with_the_same_seed() -> None:
    first, second, third, _ = [
        f for f in plan("round_robin", 4, matches=4).stage(0, [], ()) if {f.a, f.b} == {0, 1} or 0 in (f.a, f.b)
    ]
    assert (first.a, first.b, first.seed) == (second.b, second.a, second.seed)
    assert third.seed != first.seed
    assert {f.seed for f in plan("round_robin", 9, matches=1).stage(3, [], ())} == {match_seed(7, 3)}


@pytest.mark.parametrize("size", [4, 5, 8, 16, 31, 64, 100])
def test_swiss_avoids_rematches_byes_repeat_last_and_the_best_wins(size: int) -> None:
    schedule = plan("swiss", size, matches=1)
    done = season(schedule)
    met = Counter(pair(f.a, f.b) for fixtures, _ in done for f in fixtures if f.b is not None)
    assert set(met.values()) == {1}
    byes = Counter(f.a for fixtures, _ in done for f in fixtures if f.bye)
    assert set(byes.values()) <= {1}
    for number, (fixtures, _) in enumerate(done):
        table = Table.of(size, [row for _, rows in done[:number] for row in rows])
        gaps = [abs(table.scores[f.a] - table.scores[f.b]) for f in fixtures if f.b is not None]
        assert sum(gap > 2 for gap in gaps) <= max(2, size // 8)


def test_swiss_plays_a_rematch_only_when_it_must() -> None:
    schedule = plan("swiss", 4, matches=1, stages=5)
    done = season(schedule)
    met = [{pair(f.a, f.b or 0) for f in fixtures} for fixtures, _ in done]
    assert len(set.union(*met[:3])) == 6
    assert all(len(stage) == 2 for stage in met)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.randoms(use_true_random=False), st.integers(0, 12))
def test_swiss_pairs_everybody_whatever_was_played(size: int, chance: random.Random, games: int) -> None:
    rows = [
        Row(*chance.sample(range(size), 2), chance.choice((0, 2)), chance.choice((0, 2)))
        for _ in range(games * size // 2)
    ]
    out = set(chance.sample(range(size), chance.randrange(0, size - 1)))
    table = Table.of(size, rows, out)
    pairs, rests = swiss.pairs(table, swiss.score_order(table))
    seats = [seat for places in pairs for seat in places] + ([rests] if rests is not None else [])
    assert sorted(seats) == [seat for seat in range(size) if seat not in out]
    again = swiss.pairs(Table.of(size, rows, out), swiss.score_order(table))
    assert again == (pairs, rests)


def test_a_ladder_brings_equals_together() -> None:
    schedule = plan("ladder", 16, matches=2, stages=12)
    done = season(schedule)
    late = [abs(f.a - f.b) for fixtures, _ in done[6:] for f in fixtures if f.b is not None]
    early = [abs(f.a - f.b) for fixtures, _ in done[1:3] for f in fixtures if f.b is not None]
    assert sum(late) / len(late) < sum(early) / len(early)
    for (one, _), (two, _) in pairwise(done):
        assert not {pair(f.a, f.b or 0) for f in one} & {pair(f.a, f.b or 0) for f in two}


def test_the_disqualified_are_paired_no_more_but_in_a_round_robin() -> None:
    rows = [[Row(0, 1, 2, 0), Row(2, 3, 2, 0)]]
    for name, expected in (("swiss", {0, 1, 3}), ("ladder", {0, 1, 3}), ("round_robin", {0, 1, 2, 3})):
        fixtures = plan(name, 4, matches=1, stages=3).stage(1, rows, {2})
        assert {seat for f in fixtures for seat in (f.a, f.b) if seat is not None} == expected
        assert sum(f.bye for f in fixtures) == (1 if len(expected) == 3 else 0)


def test_formats_fit_their_systems() -> None:
    assert [format_for("auto", seats) for seats in (1, 2)] == ["solo", "round_robin"]
    assert format_for("swiss", 2) == "swiss"
    for name, seats, why in (
        ("swiss", 1, "one seat|1 seat"),
        ("solo", 2, "2 seats"),
        ("auto", 3, "3 seats"),
        ("cup", 2, "cup"),
    ):
        with pytest.raises(UsageError, match=why):
            format_for(name, seats)
    with pytest.raises(UsageError, match="too long"):
        plan("round_robin", 10_000)


def test_ratings_are_those_of_the_published_example() -> None:
    """Glickman's example counts three games at once; the first alone gives 1563.6, by his formulas."""
    after = rate({"p": Rating(1500, 200), "q": Rating(1400, 30)}, [("p", "q", 1, 0)])
    assert after["p"].rating == pytest.approx(1563.564, abs=0.1)
    assert after["p"].deviation == pytest.approx(175.4, abs=0.1)
    assert after["q"].rating == pytest.approx(1398.1, abs=0.1)
    drawn = rate({}, [("x", "y", 3, 3), ("x", None, 5, None)])
    assert drawn["x"].rating == drawn["y"].rating == pytest.approx(1500)
    assert drawn["x"].deviation < 350


def test_pairings_follow_the_hashes_whatever_the_seats() -> None:
    hashes = [f"{number:02x}" for number in range(7)]
    shuffled = [3, 0, 6, 1, 5, 2, 4]
    for name in FORMATS:
        config = {"format": name, "matches": 2, "seed": 1, "stages": 4}
        plain, other = Schedule.of(config, hashes), Schedule.of(config, [hashes[place] for place in shuffled])
        results: list[list[Row]] = []
        moved: list[list[Row]] = []
        for number in range(plain.stages):
            one, two = plain.stage(number, results, ()), other.stage(number, moved, ())
            names = [(hashes[f.a], None if f.b is None else hashes[f.b], f.seed) for f in one]
            assert names == [
                (hashes[shuffled[f.a]], None if f.b is None else hashes[shuffled[f.b]], f.seed) for f in two
            ]
            results.append([Row(f.a, f.b, 2 * (f.a % 3 == 0), None if f.b is None else 1) for f in one])
            seat = {place: number for number, place in enumerate(shuffled)}
            moved.append(
                [Row(seat[r.a], None if r.b is None else seat[r.b], r.score_a, r.score_b) for r in results[-1]]
            )
