"""Whole rounds through the runtime, with real workers and, where money moves, a real chain."""

import asyncio
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from engine.core.errors import EngineError, UsageError
from engine.core.paths import DataDir, assets_dir
from engine.league.anchored import ShownStep, verify_on_chain
from engine.league.bundle import read_bundle, write_bundle
from engine.league.config import WEI, AgentEntry, RoundConfig, Tier
from engine.league.errors import LeagueError, RejectedModuleError, RoundStoppedError
from engine.league.events import AgentSlashed, MatchesPlayed
from engine.league.proof import StepProof
from engine.league.rounds import RoundControl
from engine.runtime import Runtime

AGENTS = assets_dir() / "agents" / "snake"


def entries(*names: str) -> tuple[AgentEntry, ...]:
    return tuple(AgentEntry(AGENTS / f"{name}.wasm") for name in names)


def config(*names: str, **changes) -> RoundConfig:
    return RoundConfig(**{"name": "test", "matches": 8, "seed": 5, "agents": entries(*names), **changes})


async def opened(path: Path, workers: int = 2) -> Runtime:
    return await Runtime.open(DataDir.open(path), workers=workers)


ALL = ("cautious", "drunkard", "greedy", "looper", "trapper", "wall_follower")


async def test_a_local_round_plays_ranks_and_pays(tmp_path):
    async with await opened(tmp_path) as runtime:
        played = await runtime.league.run_round(config(*ALL))
        assert (played.state, played.done, played.total) == ("played", 48, 48)
        names = [line.agent for line in played.standings]
        assert names[0] == "cautious"
        assert set(names[-2:]) == {"looper", "trapper"}
        causes = {(m.a, m.cause) for m in runtime.league.history.matches(played.round_id) if m.cause}
        by_name = {line.agent: line.seat for line in played.standings}
        assert causes == {(by_name["looper"], "OUT_OF_GAS"), (by_name["trapper"], "TRAP UNREACHABLE")}
        preview = runtime.league.settlement_preview(played.round_id)
        settled = await runtime.league.settle(played.round_id)
        assert settled.state == "settled"
        rows = {row.name: row for row in await runtime.league.stakes()}
        assert {line.agent: line.after for line in preview} == {line.agent: rows[line.agent].credit for line in preview}
        assert sum(row.credit for row in rows.values()) == played.pot_wei
        with pytest.raises(LeagueError, match="settled already"):
            await runtime.league.settle(played.round_id)
        assert runtime.store.ledger.audit("local") == {}


async def test_the_results_hash_is_the_same_for_any_number_of_workers_and_any_order(tmp_path):
    hashes = set()
    for workers, names in ((1, ALL), (3, ALL), (2, ALL[::-1])):
        async with await opened(tmp_path / str(workers), workers) as runtime:
            played = await runtime.league.run_round(config(*names, workers=workers))
            hashes.add(played.results_hash)
        again = RoundConfig.from_toml(_saved(tmp_path, config(*names)))
        assert again == config(*names)
    assert len(hashes) == 1


def _saved(folder: Path, settings: RoundConfig) -> Path:
    path = folder / "LEAGUE.toml"
    path.write_text(settings.to_toml(folder))
    return path


async def test_a_list_of_rounds_reads_none_again_that_stands_still(tmp_path):
    async with await opened(tmp_path) as runtime:
        first = await runtime.league.run_round(config("greedy", "cautious", matches=1))
        await runtime.league.run_round(config("greedy", "cautious", matches=2))
        told = runtime.league.rounds()
        assert [(r.number, r.state, r.agents, r.done) for r in told] == [(2, "played", 2, 4), (1, "played", 2, 2)]
        statements = []
        runtime.store.db.set_trace_callback(statements.append)
        assert all(one is other for one, other in zip(runtime.league.rounds(), told, strict=True))
        assert len(statements) == 1
        runtime.store.db.set_trace_callback(None)
        settled = await runtime.league.settle(first.round_id)
        again = runtime.league.rounds()
        assert [r.state for r in again] == ["played", "settled"] and again[0] is told[0]
        assert again[1].results_hash == settled.results_hash
        assert runtime.league.round(first.round_id[:9]).round_id == first.round_id
        with pytest.raises(UsageError):
            runtime.league.round(first.round_id[:9] + "x")
        with pytest.raises(UsageError):
            runtime.league.round("")


async def test_another_seed_gives_another_result(tmp_path):
    async with await opened(tmp_path) as runtime:
        first = await runtime.league.run_round(config("greedy", "drunkard"))
        second = await runtime.league.run_round(config("greedy", "drunkard", seed=6))
        assert first.results_hash != second.results_hash
        assert (first.number, second.number) == (1, 2)


async def test_stopping_and_resuming_loses_and_repeats_nothing(tmp_path):
    async with await opened(tmp_path, 1) as runtime:
        whole = await runtime.league.run_round(config("greedy", "cautious", matches=200, name="whole"))
        for stop in (RoundControl.stop_now, RoundControl.stop_after_current):
            control, seen = RoundControl(), []

            def on_batch(event, control=control, stop=stop, seen=seen):
                seen.append(event)
                if len(seen) == 2:
                    stop(control)

            subscription = runtime.bus.subscribe(on_batch, MatchesPlayed)
            with pytest.raises(RoundStoppedError):
                await runtime.league.run_round(config("greedy", "cautious", matches=200, name="part"), control=control)
            subscription.close()
            stopped = runtime.league.rounds()[0]
            assert 0 < stopped.done < 400
            resumed = await runtime.league.resume(stopped.round_id)
            assert resumed.results_hash == whole.results_hash
            assert resumed.done == 400


async def test_a_killed_worker_is_told_and_the_round_resumes(tmp_path):
    async with await opened(tmp_path, 1) as runtime:
        seen = []

        def kill_worker(event):
            if not seen:
                seen.append(event)
                os.kill(runtime.league._workers.pids[0], signal.SIGKILL)

        subscription = runtime.bus.subscribe(kill_worker, MatchesPlayed)
        with pytest.raises(LeagueError, match="worker process"):
            await runtime.league.run_round(config("greedy", "cautious", matches=300))
        subscription.close()
        resumed = await runtime.league.resume(runtime.league.rounds()[0].round_id)
        assert resumed.done == 600


async def test_capital_decides_who_may_enter(tmp_path):
    async with await opened(tmp_path) as runtime:
        with pytest.raises(UsageError, match="gold"):
            await runtime.league.run_round(config("greedy", tier=Tier.GOLD))
        first = await runtime.league.run_round(config("greedy", "cautious", stake_wei=WEI // 10, reward_wei=3 * WEI))
        await runtime.league.settle(first.round_id)
        silver = await runtime.league.run_round(config("greedy", "cautious", "drunkard", tier=Tier.SILVER, stake_wei=0))
        assert {line.agent for line in silver.standings} == {"greedy", "cautious"}
        assert silver.ineligible == ("drunkard: its capital is below the silver league's minimum",)
        assert silver.pot_wei == WEI * 3 // 2


@pytest.mark.parametrize(
    ("settings", "error", "names"),
    [
        ({"agents": ()}, UsageError, "needs agents"),
        ({"system": "quake"}, UsageError, "quake"),
        ({"agents": entries("greedy", "greedy")}, UsageError, "twice"),
        ({"agents": (AgentEntry(Path("nowhere.wasm")),)}, RejectedModuleError, "No such file"),
    ],
)
async def test_a_wrong_round_is_refused_before_anything_is_written(tmp_path, settings, error, names):
    async with await opened(tmp_path) as runtime:
        with pytest.raises(error, match=names):
            await runtime.league.run_round(config("greedy", **settings))
        assert runtime.league.rounds() == []
        assert runtime.store.ledger.entries("local") == []


async def test_two_programs_do_not_run_rounds_at_once(tmp_path):
    async with await opened(tmp_path) as one, await opened(tmp_path) as other:
        with one.store.exclusive("league"), pytest.raises(EngineError, match="Another Nashboard"):
            await other.league.run_round(config("greedy"))


async def test_drops_tell_duplicates_apart(tmp_path):
    twin = tmp_path / "twin.wasm"
    shutil.copy(AGENTS / "greedy.wasm", twin)
    bad = tmp_path / "bad.wasm"
    bad.write_bytes(b"not wasm")
    async with await opened(tmp_path / "data") as runtime:
        first = await runtime.league.admit([AGENTS / "greedy.wasm", twin, bad])
        assert [bool(item.agent) for item in first] == [True, True, False]
        assert "the same module" in first[1].note
        assert len(runtime.league.agents()) == 1
        (again,) = await runtime.league.admit([twin])
        assert "in the roster already" in again.note
        runtime.league.remove_agent(first[0].agent.sha256)
        assert runtime.league.agents() == []
        runtime.league.restore_agent(first[0].agent.sha256)
        assert [agent.name for agent in runtime.league.agents()] == ["greedy"]


def altered(path: Path, target: Path, points: int) -> Path:
    bundle = read_bundle(path)
    match = bundle.match.model_copy(update={"scores": [bundle.match.scores[0] + points]})
    write_bundle(target, replace(bundle, match=match))
    return target


async def bundle_of(runtime: Runtime, round_id: str, name: str) -> Path:
    seat = next(entry.seat for entry in runtime.league.history.entries(round_id) if entry.name == name)
    fixtures = [m.fixture for m in runtime.league.history.matches(round_id) if m.a == seat]
    return await runtime.league.bundle(round_id, fixtures[2])


async def test_a_false_claim_handed_in_with_the_round_ends_the_agents_round(tmp_path):
    async with await opened(tmp_path) as runtime:
        honest = await runtime.league.run_round(config("greedy", "cautious"))
        path = await bundle_of(runtime, honest.round_id, "greedy")
        true = await runtime.league.run_round(config("greedy", "cautious", claims=(path,)))
        assert true.disqualified == ()
        assert true.results_hash == honest.results_hash
        false = altered(path, tmp_path / "false.nets", 3)
        slashes = []
        runtime.bus.subscribe(slashes.append, AgentSlashed)
        result = await runtime.league.run_round(config("greedy", "cautious", claims=(false,)))
        (out,) = result.disqualified
        assert out.claimed == out.replayed + 3
        last = result.standings[-1]
        assert (last.agent, last.disqualified, last.rank, last.reward_wei) == ("greedy", True, None, 0)
        assert last.played == 3, "the remaining matches are skipped"
        assert [slash.agent for slash in slashes] == ["greedy"]
        rows = {row.name: row for row in await runtime.league.stakes()}
        assert (rows["greedy"].held, rows["greedy"].slashed) == (WEI // 20, 0)
        await runtime.league.settle(result.round_id)
        rows = {row.name: row for row in await runtime.league.stakes()}
        assert (rows["greedy"].held, rows["greedy"].slashed) == (0, WEI // 20)


@pytest.mark.chain
async def test_ledger_and_contract_agree_to_the_wei_and_every_step_proves(tmp_path):
    async with await opened(tmp_path) as runtime:
        await runtime.devnet.up()
        chain = await runtime.chain()
        result = await runtime.league.run_round(config(*ALL, reward_wei=WEI + 7), anchor=True)
        assert result.state == "anchored"
        posted = await chain.anchor.commitment_of(bytes.fromhex(result.anchored.commitment_id))
        assert posted.root.hex() == result.anchored.root
        assert posted.pot == WEI + 7
        path = await bundle_of(runtime, result.round_id, "wall_follower")
        bundle = read_bundle(path)
        for step in (0, bundle.steps // 2, bundle.steps - 1):
            proof = StepProof.of(bundle, step)
            verdict = await verify_on_chain(runtime.chain, runtime.league.history, ShownStep.of(proof))
            assert verdict.holds
            for wrong in (
                replace(proof, action=(proof.action or 0) + 1),
                replace(proof, observation=proof.observation + b"x"),
                replace(proof, step=(step + 1) % bundle.steps),
                replace(proof, header=proof.header.replace(b"FINISHED", b"LOSS")),
            ):
                assert not (await verify_on_chain(runtime.chain, runtime.league.history, ShownStep.of(wrong))).holds
        outcome = await runtime.league.submit_claim(result.round_id, altered(path, tmp_path / "f.nets", 1))
        assert outcome.slashed is not None
        again = await runtime.league.submit_claim(result.round_id, tmp_path / "f.nets")
        assert again.slashed is None
        honest = await runtime.league.submit_claim(result.round_id, await bundle_of(runtime, result.round_id, "greedy"))
        assert honest.honest
        settled = await runtime.league.settle(result.round_id)
        rows = await runtime.league.stakes(chain)
        assert not [row for row in rows if row.differs]
        assert sum(line.reward_wei for line in settled.standings) <= settled.pot_wei
        with pytest.raises(LeagueError, match="takes no claims"):
            await runtime.league.submit_claim(result.round_id, tmp_path / "f.nets")
        totals = await chain.vault.totals()
        balance = await chain.rpc.number("eth_getBalance", chain.vault.address, "latest")
        assert balance == totals.active + totals.pending + totals.credit
        assert await chain.rpc.number("eth_getBalance", chain.anchor.address, "latest") == 0


@pytest.mark.chain
async def test_anvil_killed_in_mid_round_loses_nothing(tmp_path):
    async with await opened(tmp_path) as runtime:
        status = await runtime.devnet.up()
        await runtime.chain()
        await asyncio.sleep(1.5)  # the state is saved once a second; the contracts are in it then
        killed = []

        def kill(event):
            if not killed:
                killed.append(event)
                os.kill(status.pid, signal.SIGKILL)

        runtime.bus.subscribe(kill, MatchesPlayed)
        with pytest.raises(EngineError):
            await runtime.league.run_round(config(*ALL, matches=60), anchor=True)
        await runtime.devnet.up()
        round_id = runtime.league.rounds()[0].round_id
        result = await runtime.league.resume(round_id)
        assert result.state == "anchored"
        await runtime.league.settle(round_id)
        assert not [row for row in await runtime.league.stakes(await runtime.chain()) if row.differs]


@pytest.mark.chain
async def test_a_round_needs_its_own_chain(tmp_path):
    async with await opened(tmp_path) as runtime:
        with pytest.raises(EngineError, match="No devnet"):
            await runtime.league.run_round(config("greedy"), anchor=True)
        await runtime.devnet.up()
        result = await runtime.league.run_round(config("greedy"), anchor=True)
        await runtime.devnet.down()
        for file in runtime.data.devnet.glob("state*"):
            file.unlink()
        await runtime.devnet.up()
        with pytest.raises(LeagueError, match="another deployment"):
            await runtime.league.settle(result.round_id)
