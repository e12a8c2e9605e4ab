"""Seasons read again and again while their rounds move."""

from __future__ import annotations

import asyncio

import pytest

from engine.core.errors import UsageError
from engine.core.paths import DataDir, assets_dir
from engine.league.config import AgentEntry, RoundConfig
from engine.league.seasons import Season, Seasons
from engine.runtime import Runtime

SNAKES = assets_dir() / "agents" / "snake"


def of(*names: str, seed: int, name: str = "cup") -> RoundConfig:
    agents = tuple(AgentEntry(SNAKES / f"{agent}.wasm") for agent in names)
    return RoundConfig(name=name, matches=2, seed=seed, agents=agents)


async def anew(runtime: Runtime, name: str = "cup") -> Season:
    """The season, with nothing kept from before."""
    rounds = sorted((r for r in runtime.league.rounds() if r.name == name), key=lambda r: r.number)
    return await Seasons(runtime.league.history).season(name, rounds, runtime.league.round)


async def test_what_is_kept_of_a_season_is_what_the_store_holds(tmp_path):
    async with await Runtime.open(DataDir.open(tmp_path), workers=1) as runtime:
        league, ids = runtime.league, []
        with pytest.raises(UsageError):
            await league.season("cup")
        for seed in range(4):
            agents = ("greedy", "cautious") if seed % 2 else ("greedy", "sweeper", "drunkard")
            ids.append((await league.run_round(of(*agents, seed=seed))).round_id)
            assert await league.season("cup") == await anew(runtime)
        for round_id in ids[:3]:
            await league.settle(round_id)
            assert await league.season("cup") == await anew(runtime)
        with runtime.store.transaction():
            league.history.set_state(ids[3], "rejected")
        season = await league.season("cup")
        assert season == await anew(runtime)
        assert [part.state for part in season.rounds] == ["settled", "settled", "settled", "rejected"]
        greedy = next(line for line in season.lines if line.agent == "greedy")
        assert (greedy.rounds, len(greedy.ranks), None in greedy.ranks) == (3, 4, False)
        assert greedy.reward_wei == sum(
            line.reward_wei for i in ids[:3] for line in league.round(i).standings if line.agent == "greedy"
        )
        drunkard = next(line for line in season.lines if line.agent == "drunkard")
        assert [rank is None for rank in drunkard.ranks] == [False, True, False, True]
        await league.run_round(of("greedy", seed=9, name="other"))
        assert (await league.season("other")).rounds[0].agents == 1
        assert await league.season("cup") == season


async def test_a_season_reads_no_settled_round_twice(tmp_path):
    async with await Runtime.open(DataDir.open(tmp_path), workers=1) as runtime:
        for seed in range(3):
            await runtime.league.settle(
                (await runtime.league.run_round(of("greedy", "wall_follower", seed=seed))).round_id
            )
        await runtime.league.season("cup")
        statements: list[str] = []
        runtime.store.db.set_trace_callback(statements.append)
        season = await runtime.league.season("cup")
        runtime.store.db.set_trace_callback(None)
        assert len(season.rounds) == 3
        assert not [text for text in statements if "matches" in text or "entries" in text]


async def test_others_have_their_turns_while_a_season_is_read(tmp_path):
    async with await Runtime.open(DataDir.open(tmp_path), workers=1) as runtime:
        for seed in range(5):
            await runtime.league.run_round(of("greedy", seed=seed))
        reading, turns = asyncio.ensure_future(runtime.league.season("cup")), 0
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1
        assert len(reading.result().rounds) == 5
        assert turns > 5
