"""Leagues and replay in the window, on the real engine, without a chain."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.links import Place, match_link
from engine.core.paths import DataDir
from engine.league.config import RoundConfig
from engine.league.proof import StepProof


async def add_samples(wiring: Any, until: Any) -> None:
    wiring.league.add_samples()
    await until(lambda: len(wiring.roster.state.agents) == 7 and wiring.setup.state.agents == 7)
    await until(lambda: wiring.setup.state.systems)
    await until(lambda: wiring.pages["leagues"].setup._revision == wiring.setup.state.revision)


async def play(wiring: Any, until: Any, *, matches: int = 4, seed: int = 7) -> None:
    wiring.setup.edit({"matches": matches, "seed": seed, "system": "snake", "name": "test"}, True)
    wiring.setup.set_anchor(False)
    before = len(wiring.rounds.state.rounds)
    wiring.league.run()
    await until(lambda: len(wiring.rounds.state.rounds) > before and wiring.rounds.state.run.state == "idle", 60)


async def test_a_drop_of_several_files_gets_its_verdicts(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, drop: Any, samples: Path, tmp_path: Path
) -> None:
    not_wasm, cut, twin, notes = (tmp_path / n for n in ("not.wasm", "cut.wasm", "twin.wasm", "notes.txt"))
    not_wasm.write_bytes(b"hello")
    cut.write_bytes((samples / "greedy.wasm").read_bytes()[:60])
    twin.write_bytes((samples / "greedy.wasm").read_bytes())
    notes.write_text("x")
    async with opened(data_dir) as wiring:
        drop(wiring.window, samples / "greedy.wasm", not_wasm, cut, twin, notes, samples / "trapper.wasm")
        assert wiring.navigator.here.page == "leagues"
        await until(lambda: len(wiring.roster.state.verdicts) == 5)
        verdicts = {v.file: v for v in wiring.roster.state.verdicts}
        assert verdicts["greedy.wasm"].accepted
        assert verdicts["trapper.wasm"].accepted
        assert not verdicts["not.wasm"].accepted
        assert not verdicts["cut.wasm"].accepted
        assert all(len(v.text) > 10 for v in verdicts.values())
        assert "greedy" in verdicts["twin.wasm"].text
        assert sorted(a.name for a in wiring.roster.state.agents) == ["greedy", "trapper"]
        assert any("refused" in t or "cannot be opened" in t for t in wiring.window.notices.texts())
        await until(lambda: wiring.pages["leagues"].roster.table.row_count() == 2)  # the page follows at its next frame


async def test_a_removed_agent_comes_back(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, samples: Path
) -> None:
    async with opened(data_dir, samples / "greedy.wasm") as wiring:
        (agent,) = await until(lambda: wiring.roster.state.agents)
        wiring.roster.remove(agent.sha256)
        assert wiring.roster.state.agents == ()
        assert wiring.roster.state.removed == ((agent,),)
        wiring.commands.all["league.undo"].run()
        assert wiring.roster.state.agents == (agent,)
        await add_samples(wiring, until)
        card = wiring.pages["leagues"].roster
        await until(lambda: card.table.row_count() == 7)
        everybody = wiring.roster.state.agents
        card.table.select([agent.sha256])
        card._remove.click()
        card.table.view().selectAll()
        card._remove.click()  # all that are left, at once
        await until(lambda: card.table.row_count() == 0 and card._undo.isVisible())
        for left in (6, 7):
            card._undo.actionTriggered.emit("undo")
            assert len(wiring.roster.state.agents) == left
        assert wiring.roster.state.agents == everybody
        assert wiring.roster.state.entrants == everybody
        await until(lambda: not card._undo.isVisible())


async def test_bad_values_block_the_run_inline(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await add_samples(wiring, until)
        card = wiring.pages["leagues"].setup
        await until(card._run.isEnabled)
        card.fields["matches"].edit.setText("many")
        await until(lambda: not card._run.isEnabled())
        assert card.fields["matches"].error()
        card.fields["matches"].edit.setText("3")
        await until(lambda: card._run.isEnabled())
        card.fields["tier"].set_value("gold")
        await until(lambda: not card._run.isEnabled())
        assert "10 ETH" in card.fields["stake_wei"].error()
        card.fields["stake_wei"].set_value(10 * 10**18)
        await until(lambda: card._run.isEnabled())


async def test_a_round_is_played_settled_and_replayed(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        await add_samples(wiring, until)
        await play(wiring, until)
        result = wiring.rounds.state.result
        assert (result.done, result.total, result.state) == (28, 28, "played")
        assert sum(line.played for line in result.standings) == 28
        outcomes = {(m.outcome, m.cause) for m in wiring.rounds.state.matches}
        assert len({cause for outcome, cause in outcomes if outcome == "LOSS"}) >= 2
        wiring.console.settings = wiring.console.settings.model_copy(update={"confirm_chain_actions": False})
        preview = {p.address: p.after for p in wiring.rounds.state.payouts}
        wiring.league.settle()
        await until(lambda: wiring.rounds.state.result.state == "settled")
        await until(lambda: any(row.credit for row in wiring.stakes.state.rows))
        credit = {row.address: row.credit for row in wiring.stakes.state.rows}
        assert {address: credit[address] for address in preview} == preview
        match = max(wiring.rounds.state.matches, key=lambda m: m.steps)
        wiring.follow(match_link(result.round_id, match.fixture))
        await until(lambda: wiring.replay.state.facts)
        assert wiring.navigator.here.page == "replay"
        assert wiring.replay.state.facts.commitment == match.commitment.hex()
        assert wiring.replay.state.facts.steps == match.steps
        wiring.commands.all["back"].run()
        assert wiring.navigator.here.page == "leagues"


async def test_replay_moves_and_proves(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await add_samples(wiring, until)
        await play(wiring, until)
        match = max(wiring.rounds.state.matches, key=lambda m: m.steps)
        replay = wiring.replay
        replay.open_match(wiring.rounds.state.selected, match.fixture)
        await until(lambda: replay.state.facts)
        replay.seek(10)
        at_ten = (replay.state.board, replay.state.shown, replay.state.proof)
        for by in (1, 1, 5, -7, 20, -20):
            replay.move(by)
        assert (replay.state.board, replay.state.shown, replay.state.proof) == at_ten
        replay.seek(10**9)
        assert replay.state.step == match.steps
        assert replay.state.shown is None
        replay.seek(-5)
        assert replay.state.step == 0
        start = time.process_time()
        for step in range(0, match.steps, 3):
            replay.seek(step)
            assert replay.state.proof.holds
            assert replay.state.shown.leaf == replay.state.proof.leaf_hash
        assert (time.process_time() - start) / (match.steps / 3) < 0.1
        replay.edit_leaf(9, replay.state.proof.leaf[9] ^ 0x40)
        assert not replay.state.proof.holds
        assert all(line.changed for line in replay.state.proof.lines)
        replay.revert_leaf()
        assert replay.state.proof.holds
        replay.verify()
        await until(lambda: replay.state.verify.state not in ("idle", "running"))
        assert replay.state.verify.state == "ok"


async def test_playback_runs_and_stops(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await add_samples(wiring, until)
        await play(wiring, until, matches=1)
        match = max(wiring.rounds.state.matches, key=lambda m: m.steps)
        replay = wiring.replay
        replay.open_match(wiring.rounds.state.selected, match.fixture)
        await until(lambda: replay.state.facts)
        replay.set_speed(100)
        assert replay.state.speed == 16
        replay.play(True)
        await until(lambda: replay.state.step >= 5)
        replay.play(False)
        step = replay.state.step
        await asyncio.sleep(0.1)
        assert replay.state.step == step
        replay.seek(match.steps - 2)
        replay.play(True)
        await until(lambda: not replay.state.playing)
        assert replay.state.step == match.steps


async def test_bundles_open_from_outside_and_bad_ones_say_why(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, drop: Any, tmp_path: Path
) -> None:
    good, bad, proof = tmp_path / "good.nets", tmp_path / "bad.nets", tmp_path / "proof.json"
    async with opened(data_dir) as wiring:
        await add_samples(wiring, until)
        await play(wiring, until, matches=1)
        wiring.replay.open_match(wiring.rounds.state.selected, wiring.rounds.state.matches[0].fixture)
        await until(lambda: wiring.replay.state.facts)
        wiring.replay.save_bundle(good)
        wiring.replay.export_proof(proof)
        StepProof.from_json(json.loads(proof.read_text())).check()
        data = bytearray(good.read_bytes())
        data[len(data) // 2] ^= 1
        bad.write_bytes(data)
    fresh = DataDir.open(tmp_path / "elsewhere")
    async with opened(fresh, good) as wiring:
        await until(lambda: wiring.replay.state.facts)
        shown = wiring.replay.state.facts
        assert shown.name == "good.nets"


@pytest.mark.expects_log
async def test_a_corrupt_bundle_gives_its_reason(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, drop: Any, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.nets"
    bad.write_bytes(b"PK\x03\x04 not a bundle")
    async with opened(data_dir) as wiring:
        drop(wiring.window, bad)
        await until(lambda: wiring.window.notices.texts())
        assert "bad.nets cannot be read" in wiring.window.notices.texts()[0]
        assert wiring.replay.state.facts is None
        assert wiring.replay.state.opening == ""


@pytest.mark.expects_log
async def test_a_stopped_round_is_resumed(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await add_samples(wiring, until)
        wiring.setup.edit({"matches": 400, "seed": 3, "name": "long"}, True)
        wiring.setup.set_anchor(False)
        wiring.league.run()
        wiring.league.run()
        await until(lambda: wiring.rounds.state.run.done > 0, 60)
        start = time.monotonic()
        wiring.rounds.stop_now()
        await until(lambda: wiring.rounds.state.run.state == "idle")
        assert time.monotonic() - start < 2
        (summary,) = wiring.rounds.state.rounds
        assert summary.state == "playing"
        assert 0 < summary.done < 2800
    async with opened(data_dir) as wiring:
        offer = wiring.overview.state.recovery
        assert offer is not None
        assert "long #1" in offer.title
        wiring.overview.decline()
        assert wiring.overview.state.recovery is None
        assert wiring.rounds.state.rounds[0].state == "playing"
    async with opened(data_dir) as wiring:
        wiring.overview.resume(1)
        await until(lambda: wiring.rounds.state.run.state == "running")
        wiring.rounds.stop_after_current()
        await until(lambda: wiring.rounds.state.run.state == "idle", 60)
        matches = wiring.rounds.state.matches
        assert len({m.fixture for m in matches}) == len(matches) >= summary.done


async def test_a_league_file_goes_round(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, tmp_path: Path
) -> None:
    target = tmp_path / "out" / "LEAGUE.toml"
    target.parent.mkdir()
    async with opened(data_dir) as wiring:
        await add_samples(wiring, until)
        await play(wiring, until, matches=2, seed=99)
        first = wiring.rounds.state.result.results_hash
        wiring.league._save(target)
        config = RoundConfig.from_toml(target)
        assert (config.seed, config.matches, len(config.agents)) == (99, 2, 7)
        assert all(entry.path.is_file() for entry in config.agents)
    async with opened(DataDir.open(tmp_path / "second machine")) as wiring:
        wiring.league._load(target)
        await until(lambda: wiring.setup.state.agents == 7 and wiring.setup.state.systems)
        assert wiring.setup.state.seed == 99
        wiring.setup.set_anchor(False)
        wiring.league.run()
        await until(lambda: wiring.rounds.state.result and wiring.rounds.state.run.state == "idle", 60)
        assert wiring.rounds.state.result.results_hash == first


async def test_links_lead_to_their_page(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await add_samples(wiring, until)
        await play(wiring, until, matches=1)
        round_id = wiring.rounds.state.selected
        wiring.navigator.go(Place("overview"))
        await until(lambda: wiring.overview.state.last_round and wiring.overview.state.last_round.link)
        wiring.window.linkActivated.emit(wiring.overview.state.last_round.link)
        assert wiring.navigator.here == Place("leagues", f"round/{round_id}")
        assert wiring.pages["leagues"].tabs.currentIndex() == 1
        wiring.window.back.click()
        assert wiring.navigator.here == Place("overview")
