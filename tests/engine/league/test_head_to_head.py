"""Rounds with an opponent: tables, byes, defaults, seasons, who may enter, and equal results on other machines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from engine.core.errors import UsageError
from engine.core.paths import DataDir
from engine.league.bundle import Bundle, read_bundle, write_bundle
from engine.league.config import WEI, AgentEntry, RoundConfig
from engine.league.events import MatchesPlayed
from engine.league.results import RoundResult
from engine.league.rounds import RoundControl
from engine.runtime import Runtime

# Answers always with one number: the duel counts its lowest bit, so 1 beats 0.
AGENT = '(module (func (export "decide") (param i64) (result i64) (i64.const {answer})))'
STRENGTHS = {"ann": 1, "bob": 3, "cid": 5, "dan": 0, "eve": 2, "fay": 4}  # three strong, three weak: strong draw


@pytest.fixture
def duel(arena, tmp_path: Path) -> Path:
    path = tmp_path / "duel.wasm"
    path.write_bytes(arena.system_file(seats=2, steps=10, score_min=0, score_max=5))
    return path


@pytest.fixture
def agents(tmp_path: Path) -> tuple[AgentEntry, ...]:
    entries = []
    for name, answer in STRENGTHS.items():
        path = tmp_path / f"{name}.wasm"
        path.write_bytes(wat2wasm(AGENT.format(answer=answer)))
        entries.append(AgentEntry(path, name))
    return tuple(entries)


def config(duel: Path, agents: tuple[AgentEntry, ...], **changes: object) -> RoundConfig:
    return RoundConfig(**({"name": "cup", "system": str(duel), "matches": 2, "seed": 3, "agents": agents} | changes))  # type: ignore[arg-type]


async def opened(path: Path, workers: int = 1) -> Runtime:
    return await Runtime.open(DataDir.open(path), workers=workers)


async def play(path: Path, settings: RoundConfig) -> RoundResult:
    async with await opened(path) as runtime:
        return await runtime.league.run_round(settings)


def line(result: RoundResult, name: str):
    return next(standing for standing in result.standings if standing.agent == name)


async def test_a_round_robin_has_a_table_that_adds_up(tmp_path, duel, agents):
    async with await opened(tmp_path / "data") as runtime:
        result = await runtime.league.run_round(config(duel, agents))
        assert (result.format, result.stages, result.done, result.total) == ("round_robin", 5, 30, 30)
        cells = runtime.league.crosstable(result.round_id)
    for standing in result.standings:
        assert standing.played == standing.won + standing.drawn + standing.lost == 10
        assert standing.points == standing.won + standing.drawn / 2
        own = [cell for (seat, _), cell in cells.items() if seat == standing.seat]
        assert sum(cell.won + cell.drawn + cell.lost for cell in own) == 10
        assert sum(cell.score for cell in own) == standing.score
    assert {s.agent for s in result.standings[:3]} == {"ann", "bob", "cid"}
    strong, weak = line(result, "ann"), line(result, "dan")
    assert (strong.won, strong.drawn, strong.lost, strong.score) == (6, 4, 0, 50)
    assert (weak.won, weak.drawn, weak.lost, weak.score) == (0, 4, 6, 0)
    assert strong.tiebreaks.sonneborn_berger > weak.tiebreaks.sonneborn_berger
    assert strong.rating > 1500 > weak.rating
    rewards = {s.agent: s.reward_wei for s in result.standings}
    assert rewards["ann"] == rewards["bob"] == rewards["cid"] > rewards["dan"]


@pytest.mark.parametrize("form", ["round_robin", "swiss", "ladder"])
async def test_results_depend_on_the_file_alone(tmp_path, duel, agents, form):
    settings = config(duel, agents[:5], format=form, stages=4, params={})
    hashes = set()
    for number, workers in enumerate((1, 3)):
        async with await opened(tmp_path / f"w{number}", workers) as runtime:
            hashes.add((await runtime.league.run_round(replace(settings, workers=workers))).results_hash)
    file = tmp_path / "elsewhere" / "LEAGUE.toml"
    file.parent.mkdir()
    moved = []
    for entry in reversed(settings.agents):
        copy = file.parent / entry.path.name
        copy.write_bytes(entry.path.read_bytes())
        moved.append(AgentEntry(copy, f"other {entry.name}"))
    file.write_text(replace(settings, agents=tuple(moved)).to_toml(file.parent))
    hashes.add((await play(tmp_path / "third", RoundConfig.from_toml(file))).results_hash)
    assert len(hashes) == 1


async def test_an_odd_number_rests_in_turn_with_full_score(tmp_path, duel, agents):
    result = await play(tmp_path / "data", config(duel, agents[:5], format="swiss", stages=5))
    assert result.done == result.total == 5 * 3 * 2
    assert sum(s.byes for s in result.standings) == 10
    assert {s.byes for s in result.standings} == {2}
    for standing in result.standings:
        assert standing.played + standing.byes == 10
    robin = await play(tmp_path / "robin", config(duel, agents[:5]))
    assert {s.byes for s in robin.standings} == {0}
    assert {s.played for s in robin.standings} == {8}


async def test_a_stopped_swiss_goes_on_to_the_same_result(tmp_path, duel, agents):
    settings = config(duel, agents, format="swiss", matches=40, stages=5)
    whole = await play(tmp_path / "whole", settings)
    async with await opened(tmp_path / "part") as runtime:
        control = RoundControl()

        def stop(event: MatchesPlayed) -> None:
            if event.done > 200:
                control.stop_now()

        subscription = runtime.bus.subscribe(stop, MatchesPlayed)
        with pytest.raises(Exception, match="stopped"):
            await runtime.league.run_round(settings, control=control)
        subscription.close()
        done = runtime.league.rounds()[0].done
        assert 200 < done < 600
        resumed = await runtime.league.resume(runtime.league.rounds()[0].round_id)
        assert (resumed.results_hash, resumed.done) == (whole.results_hash, 600)


async def false_claim(runtime: Runtime, round_id: str, agent: str, folder: Path) -> Path:
    """Return a bundle of the agent's first match in which it claims five more than it scored."""
    entries = runtime.league.history.entries(round_id)
    seat = next(entry.seat for entry in entries if entry.name == agent)
    fixture = next(m.fixture for m in runtime.league.history.matches(round_id) if seat in (m.a, m.b))
    bundle = read_bundle(await runtime.league.bundle(round_id, fixture))
    own = bundle.match.agents.index(entries[seat].sha256)
    scores = [score + 5 * (place == own) for place, score in enumerate(bundle.match.scores)]
    false = replace(
        bundle, match=bundle.match.model_copy(update={"scores": scores}), claim={"agent": entries[seat].sha256}
    )
    path = folder / "false.nets"
    write_bundle(path, false)
    assert isinstance(false, Bundle)
    return path


async def test_opponents_of_the_disqualified_win_by_default(tmp_path, duel, agents):
    async with await opened(tmp_path / "first") as runtime:
        first = await runtime.league.run_round(config(duel, agents[:4]))
        claim = await false_claim(runtime, first.round_id, "bob", tmp_path)
    async with await opened(tmp_path / "second") as runtime:
        result = await runtime.league.run_round(config(duel, agents[:4], claims=(claim,)))
        rows = runtime.league.history.matches(result.round_id)
        out = line(result, "bob")
        assert out.disqualified and out.rank is None and out.reward_wei == 0
        fixture = result.disqualified[0].fixture
        assert all(out.seat not in (row.a, row.b) for row in rows if row.fixture > fixture)
        byes = [row for row in rows if row.outcome == "BYE"]
        assert {row.score_a for row in byes} == {5} and all(row.steps == 0 for row in byes)
        assert len(byes) == 6 - out.played
        for standing in result.standings:
            if not standing.disqualified:
                assert standing.played + standing.byes == 6
        with pytest.raises(UsageError, match="nobody played it"):
            await runtime.league.bundle(result.round_id, byes[0].fixture)


async def test_the_disqualified_sit_out_and_come_back(tmp_path, duel, agents):
    settings = config(duel, agents[:4], suspension=1)
    async with await opened(tmp_path / "data") as runtime:
        first = await runtime.league.run_round(settings)
        outcome = await runtime.league.submit_claim(
            first.round_id, await false_claim(runtime, first.round_id, "bob", tmp_path)
        )
        assert outcome.slashed is not None and outcome.agent == "bob"
        await runtime.league.settle(first.round_id)
        second = await runtime.league.run_round(settings)
        assert second.ineligible == ("bob: disqualified in round 1, may enter round 3",)
        assert len(second.standings) == 3
        third = await runtime.league.run_round(settings)
        assert line(third, "bob").rank is not None
        season = await runtime.league.season("cup")
        bob = next(item for item in season.lines if item.agent == "bob")
        assert bob.ranks[:2] == (None, None) and bob.ranks[2] is not None
        assert (bob.rounds, bob.disqualified) == (2, 1)


async def test_capital_promotes_relegates_and_limits(tmp_path, duel, agents):
    async with await opened(tmp_path / "data") as runtime:
        first = await runtime.league.run_round(config(duel, agents[:3], stake_wei=WEI // 2, reward_wei=4 * WEI))
        await runtime.league.settle(first.round_id)
        season = await runtime.league.season("cup")
        moves = {move.agent: (move.before, move.after, move.up) for move in season.rounds[0].moves}
        assert moves == dict.fromkeys(("ann", "bob", "cid"), ("bronze", "silver", True))
        assert season.rounds[0].winner and season.lines[0].reward_wei > 0
        second = await runtime.league.run_round(config(duel, agents, stake_wei=WEI // 10, capacity=3))
        assert {s.agent for s in second.standings} == {"ann", "bob", "cid"}
        assert second.ineligible == tuple(
            f"{name}: the league takes 3, and others have more capital" for name in ("dan", "eve", "fay")
        ) or set(second.ineligible) == {
            f"{name}: the league takes 3, and others have more capital" for name in ("dan", "eve", "fay")
        }
        ratings = runtime.league.history.ratings(second.round_id)
        assert len(ratings) == 3


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"format": "solo"}, "2 seats"),
        ({"params": {"x": 1}}, "no parameter 'x'"),
        ({"preset": "easy"}, "no preset 'easy'"),
    ],
)
async def test_settings_that_do_not_fit_are_refused(tmp_path, duel, agents, changes, why):
    async with await opened(tmp_path / "data") as runtime:
        with pytest.raises(UsageError, match=why):
            await runtime.league.run_round(config(duel, agents, **changes))
        with pytest.raises(UsageError, match="needs two agents"):
            await runtime.league.run_round(config(duel, agents[:1]))
        assert runtime.league.rounds() == []


async def test_a_dropped_system_is_usable_like_a_shipped_one(tmp_path, duel, agents, arena):
    async with await opened(tmp_path / "data") as runtime:
        broken = tmp_path / "broken.wasm"
        broken.write_bytes(arena.system_file(seats=2).replace(b"\x07to_move", b"\x07to_mock"))
        dropped = await runtime.league.admit([duel, agents[0].path, broken, duel])
        assert [admission.verdict.accepted for admission in dropped] == [True, True, False, True]
        assert dropped[0].system is not None and dropped[0].system.title == "Duel"
        assert "to_move" in dropped[2].verdict.reason
        assert dropped[3].note.startswith("known already")
        assert dropped[1].agent is not None
    duel.unlink()
    async with await opened(tmp_path / "data") as runtime:
        info = next(info for info in await runtime.league.systems() if info.id == "duel")
        assert not info.shipped
        result = await runtime.league.run_round(config(duel, agents, system="duel"))
        assert result.system == info.sha256
        path = await runtime.league.bundle(result.round_id, 0)
        assert (await runtime.league.verify(path)).ok
