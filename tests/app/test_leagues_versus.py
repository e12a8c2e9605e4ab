"""Leagues with opponents in the window: setup of every System, crosstable, stages, seasons."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel

from app.links import Place
from app.viewmodels.rounds import RACE_POINTS, race_of, thinned
from engine.core.hashing import canonical_json
from engine.core.paths import DataDir, assets_dir
from engine.league.config import RoundConfig
from engine.league.system import SECTION
from engine.league.wasm.leb import read_unsigned

ASSETS = assets_dir()


async def ready(wiring: Any, until: Any, system: str, samples: int) -> Any:
    """Choose a System, add its samples, and return the setup card once it shows all that."""
    await until(lambda: wiring.setup.state.systems)
    wiring.setup.choose_system(system)
    wiring.league.add_samples()
    await until(lambda: wiring.setup.state.agents == samples and not wiring.roster.state.checking)
    card = wiring.pages["leagues"].setup
    await until(lambda: card._revision == wiring.setup.state.revision)
    wiring.setup.set_anchor(False)
    return card


async def play(wiring: Any, until: Any, **values: Any) -> Any:
    before = len(wiring.rounds.state.rounds)
    wiring.setup.fill(**values)
    wiring.league.run()
    await until(lambda: len(wiring.rounds.state.rounds) > before and wiring.rounds.state.run.state == "idle", 60)
    await until(lambda: wiring.rounds.state.result.state == "played")
    return wiring.rounds.state.result


async def test_every_system_can_be_chosen_with_its_formats_and_parameters(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        await until(lambda: wiring.setup.state.systems)
        card = wiring.pages["leagues"].setup
        shipped = {path.stem for path in (ASSETS / "systems").glob("*.wasm")}
        assert {choice.value for choice in wiring.setup.state.systems} == shipped
        # The card offers "snake" before it was told the Systems: a choice made then would be none.
        await until(lambda: card._revision == wiring.setup.state.revision)
        assert card._system.value() == "snake"
        assert [choice.id for choice in wiring.setup.state.formats] == ["solo"]
        card._system.set_value("matrix")
        await until(lambda: wiring.setup.state.system == "matrix" and card._params.fields)
        assert [choice.id for choice in wiring.setup.state.formats] == ["round_robin", "swiss", "ladder"]
        assert "Two seats" in card._system.combo.accessibleDescription()
        assert card.fields["preset"].value() == "prisoners_dilemma"
        card.fields["preset"].set_value("chicken")
        await until(lambda: wiring.setup.state.params["a_dd"] == -10 and card._params.fields["a_dd"].value() == -10)
        card._params.fields["a_dd"].set_value(-9)
        await until(lambda: card.fields["preset"].value() == "")
        assert wiring.setup.config((), 1).params["a_dd"] == -9
        card._params.fields["a_dd"].edit.setText("99")
        await until(lambda: not wiring.setup.state.typed_well)
        assert card._params.fields["a_dd"].error()
        assert not wiring.setup.state.ready


async def test_stages_show_only_where_a_format_has_them(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        card = await ready(wiring, until, "rps", 7)
        assert card.fields["stages"].isHidden()
        assert "42 matches in 7 stages" in await until(lambda: _summary(wiring, matches=2))
        await until(lambda: card.fields["matches"].value() == 2)
        card.fields["format"].set_value("swiss")
        await until(lambda: not card.fields["stages"].isHidden())
        card.fields["stages"].set_value(3)
        await until(lambda: "24 matches in 3 stages" in wiring.setup.state.summary)
        wiring.setup.fill(capacity=4)
        await until(lambda: "4 agents (3 stay out) play 12 matches" in wiring.setup.state.summary)
        wiring.setup.fill(capacity=0, format="round_robin", matches=100_000)
        await until(lambda: "at most 1000000" in card.fields["matches"].error())


def _summary(wiring: Any, **values: Any) -> str:
    wiring.setup.fill(**values)
    return str(wiring.setup.state.summary)


async def test_samples_of_another_system_stand_aside(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, samples: Path
) -> None:
    async with opened(data_dir) as wiring:
        card = await ready(wiring, until, "kuhn", 5)
        assert all("kuhn" in agent.games for agent in wiring.roster.state.entrants)
        wiring.roster.add([samples / "greedy.wasm"])
        await until(lambda: wiring.setup.state.agents == 6)
        assert "made for another System" in wiring.setup.state.summary
        card._system.set_value("snake")
        await until(lambda: [agent.name for agent in wiring.roster.state.entrants] == ["greedy"])
        table = wiring.pages["leagues"].roster.table
        wiring.navigator.go(Place("leagues", "tab/setup"))
        await until(table.isVisible)
        greedy = wiring.roster.state.entrants[0].sha256
        table.select((greedy,))
        QTest.keyClick(table.view(), Qt.Key.Key_Space)
        await until(lambda: not wiring.roster.state.entrants)
        await until(lambda: not wiring.setup.state.ready)
        row = [r[1] for r in table.visible_rows()].index("greedy")
        box = table.view().visualRect(table.view().model().index(row, 0))
        QTest.mouseClick(table.view().viewport(), Qt.MouseButton.LeftButton, pos=box.center())
        await until(lambda: len(wiring.roster.state.entrants) == 1)
        wiring.pages["leagues"].roster._all.click()
        assert len(wiring.roster.state.entrants) == 6


async def test_a_round_of_two_seats_with_its_crosstable(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        await ready(wiring, until, "rps", 7)
        result = await play(wiring, until, matches=2, seed=5, name="hands")
        page = wiring.pages["leagues"]
        await until(page.round.crosstable.isVisible)
        await until(lambda: page.round.crosstable.state().matches == len(wiring.rounds.state.matches) == 42)
        table = page.round.crosstable.state()
        for place, line in enumerate(result.standings):
            total = table.total(place)
            assert (total.won, total.drawn, total.lost) == (line.won, line.drawn, line.lost)
        assert [row[1] for row in page.round.standings.versus.visible_rows()] == [s.agent for s in result.standings]
        assert page.round.standings.solo.isHidden()
        assert all(row[9][0] > 0 for row in page.round.standings.versus.visible_rows())
        view = page.round.crosstable.view()
        cell = view.model().index(0, 1)
        assert QAccessible.queryAccessibleInterface(view).text(QAccessible.Text.Name).startswith("Crosstable")
        assert "won" in view.model().data(cell, Qt.ItemDataRole.AccessibleTextRole)
        view.setCurrentIndex(cell)
        QTest.keyClick(view, Qt.Key.Key_Return)
        await until(lambda: page.round.matches.versus.row_count() == 2)
        pair = {result.standings[0].agent, result.standings[1].agent}
        assert all({row[2], row[3]} == pair for row in page.round.matches.versus.visible_rows())
        assert page.round._matches_header._subtitle.text().endswith("alone")
        page.round._all.click()
        await until(lambda: page.round.matches.versus.row_count() == 42)
        assert {m.stage for m in wiring.rounds.state.matches} == set(range(7))
        assert wiring.rounds.state.race[-1] == (42, tuple(s.score for s in sorted(result.standings, key=_seat)))
        assert len(page.round.race._state.series) == 7


def _seat(line: Any) -> int:
    return int(line.seat)


async def test_illegal_moves_byes_and_stages_are_told_apart(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        await ready(wiring, until, "chess", 10)
        agents = {agent.name: agent.sha256 for agent in wiring.roster.state.agents}
        keep = {"illegal_mover", "random_mover", "pawn_pusher"}
        wiring.roster.let_play((sha for name, sha in agents.items() if name not in keep), False)
        await until(lambda: wiring.setup.state.agents == 3)
        result = await play(wiring, until, matches=1, format="swiss", stages=3, name="three")
        page = wiring.pages["leagues"].round
        await until(lambda: page.matches.versus.row_count() == 6)
        outcomes = [row[4] for row in page.matches.versus.visible_rows()]
        assert outcomes.count("BYE") == 3
        assert any(text == "illegal_mover: illegal move" for text in outcomes)
        assert sum(line.byes for line in result.standings) == 3
        await until(lambda: "3 byes" in page._sum.text())  # each part is shown in a turn of its own
        facts = {"Swiss", "3 of 3", "Chess"}
        await until(lambda: facts <= {label.text() for label in page._facts.findChildren(QLabel)})


async def test_a_season_sums_up_its_rounds(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await ready(wiring, until, "kuhn", 5)
        wiring.console.settings = wiring.console.settings.model_copy(update={"confirm_chain_actions": False})
        first = await play(wiring, until, matches=2, name="cards", reward_wei=200 * 10**18)
        assert list(wiring.rounds.state.payouts) == wiring.runtime.league.settlement_preview(first.round_id)
        wiring.league.settle()
        await until(lambda: wiring.rounds.state.result.state == "settled" and not wiring.rounds.state.busy)
        second = await play(wiring, until, matches=2, name="cards", seed=9)
        wiring.navigator.go(Place("leagues", "tab/season"))
        page = wiring.pages["leagues"].season
        await until(lambda: page.rounds.row_count() == 2)
        rows = page.rounds.visible_rows()
        assert [row[0] for row in rows] == [(second.round_id, 2), (first.round_id, 1)]
        winner = next(line.agent for line in first.standings if line.rank == 1)
        assert winner in rows[1][6]
        assert "▲" in rows[1][7]
        assert "gold" in rows[1][7]
        season = await wiring.runtime.league.season("cards")
        assert [row[0] for row in page.agents.visible_rows()] == [line.agent for line in season.lines]
        assert all(row[8].count(" ") == 2 for row in page.agents.visible_rows())
        page.rounds.linkActivated.emit(Place("leagues", f"round/{first.round_id}").link)
        await until(lambda: wiring.rounds.state.selected == first.round_id)


async def test_a_dropped_system_can_be_played_and_saved(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, drop: Any, tmp_path: Path
) -> None:
    twin = tmp_path / "twin.wasm"
    twin.write_bytes(retitled((ASSETS / "systems" / "kuhn.wasm").read_bytes(), "Kuhn, mine"))
    target = tmp_path / "LEAGUE.toml"
    async with opened(data_dir) as wiring:
        await ready(wiring, until, "kuhn", 5)
        drop(wiring.window, twin)
        await until(lambda: any(verdict.word == "System added" for verdict in wiring.roster.state.verdicts))
        own = await until(lambda: next((c for c in wiring.setup.state.systems if not c.info.shipped), None))
        assert own.info.id == "kuhn"
        assert own.value == own.info.sha256
        wiring.setup.choose_system(own.value)
        result = await play(wiring, until, matches=2, format="ladder", stages=2, capacity=4, suspension=1)
        assert result.system == own.info.sha256
        assert (result.format, result.stages, len(result.standings)) == ("ladder", 2, 4)
        wiring.league._save(target)
        config = RoundConfig.from_toml(target)
        assert (config.system, config.format, config.stages) == (own.value, "ladder", 2)
        assert (config.capacity, config.suspension, len(config.agents)) == (4, 1, 5)
        wiring.setup.choose_system("snake")
        wiring.league._load(target)
        await until(lambda: wiring.setup.state.system == own.value and len(wiring.roster.state.entrants) == 5)
        assert (wiring.setup.state.format, wiring.setup.state.stages, wiring.setup.state.capacity) == ("ladder", 2, 4)


def retitled(module: bytes, title: str) -> bytes:
    """Return a System's module with another title in its description."""
    name, at = bytes([len(SECTION)]) + SECTION.encode(), 8
    while True:
        size, body = read_unsigned(module, at + 1)
        if module[at] == 0 and module[body:].startswith(name):
            spec = json.loads(module[body + len(name) : body + size])
            payload = name + canonical_json({**spec, "title": title})
            return module[:at] + b"\x00" + leb(len(payload)) + payload + module[body + size :]
        at = body + size


def leb(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 0x7F
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def test_a_race_is_thinned_to_what_a_plot_can_show() -> None:
    class Match:
        a, b, score_a, score_b = 0, 1, 2, 1

    race = race_of([Match()] * 5000, 2)
    assert race[0] == (0, (0, 0))
    assert race[-1] == (5000, (10_000, 5000))
    assert len(race) <= RACE_POINTS + 60
    long = tuple((n, (n,)) for n in range(2 * RACE_POINTS + 1))
    assert thinned(long)[-1] == long[-1]
    assert len(thinned(long)) <= RACE_POINTS + 2
    assert race_of([], 3) == ()


@pytest.mark.chain
async def test_a_dishonest_host_is_audited_disputed_and_slashed(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        card = await ready(wiring, until, "rps", 7)
        agents = [agent.sha256 for agent in wiring.roster.state.agents]
        wiring.roster.let_play(agents[3:], False)
        wiring.console.settings = wiring.console.settings.model_copy(update={"confirm_chain_actions": False})
        await until(card._host.isHidden)
        wiring.setup.set_anchor(True)
        await until(lambda: not card._host.isHidden())
        card._host.set_value("inflate")
        await until(lambda: "Simulation of a dishonest host" in card._host.combo.accessibleDescription())
        wiring.setup.fill(matches=1, name="court")
        wiring.league.run()
        await until(lambda: wiring.rounds.state.result and wiring.rounds.state.result.state == "anchored", 60)
        await until(lambda: wiring.rounds.state.run.state == "idle")
        page = wiring.pages["leagues"]
        wiring.navigator.go(Place("leagues", "tab/disputes"))
        await until(lambda: page.disputes._audit.isEnabled())
        page.disputes._audit.click()
        await until(lambda: wiring.disputes.state.audit, 60)
        assert [fraud.kind for fraud in wiring.disputes.state.audit.frauds] == ["replay"]
        await until(lambda: page.disputes.frauds.row_count() == 1)
        page.disputes._dispute.click()
        await until(lambda: wiring.rounds.state.result.state == "rejected", 60)
        await until(lambda: not wiring.disputes.state.busy)
        (row,) = page.disputes.table.visible_rows()
        assert row[0] == "Replay differs"
        assert row[2] == "Upheld"
        assert row[4] == wiring.disputes.state.disputes[0].bond_wei > 0
        assert row[5].endswith("against")
        assert all(sent[1] == "Mined" and sent[2] for sent in page.disputes.sent.visible_rows())
        await until(lambda: not page.disputes._dispute.isEnabled() and not page.settlement._settle.isEnabled())
        stakes = await until(lambda: wiring.stakes.state.slashes and wiring.stakes.state)
        assert stakes.slashes[0].match == wiring.disputes.state.disputes[0].match
        await until(lambda: wiring.stakes.state.differences == 0 and not wiring.stakes.state.pending)
