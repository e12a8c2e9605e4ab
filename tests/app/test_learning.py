"""The Learning chain page on a real engine: chains are run, stepped, disturbed, stopped and resumed by real clicks."""

from __future__ import annotations

import asyncio
import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QWidget

from app.links import Place, update_link, validator_link
from app.pages.learning import TABS
from engine.core.paths import DataDir
from engine.learning.faults import FAULTS
from engine.learning.results import PHASES
from widgets.slot_timeline import STATES

Opened = Callable[..., Any]
SMALL = {
    "validators": 4,
    "trainers": 5,
    "slots": 6,
    "gate_texts": 4,
    "reveal": False,
    "canary_rate": 0.0,
    "round_every": 1,
}


async def shown(wiring: Any, until: Any, scenario: str = "committee", tab: str = "chain", **settings: Any) -> Any:
    """Show the page with a scenario, small unless said, and return it."""
    model = wiring.learning
    await until(lambda: model.state.scenarios)
    model.choose(scenario)
    model.fill(**{**SMALL, **settings})
    wiring.navigator.go(Place("learning", f"tab/{tab}"))
    page = wiring.pages["learning"]
    await until(lambda: page.isVisible() and page.setup._revision == model.state.revision)
    return page


def click(widget: Any) -> None:
    assert widget.isEnabled()
    assert widget.isVisible()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def type_into(field: QLineEdit, text: str) -> None:
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)


async def ended(wiring: Any, until: Any) -> Any:
    model = wiring.learning
    await until(lambda: model.state.run is not None and model.state.run.ended, 120)
    return model.state.run


async def test_a_chain_by_keys_phase_by_phase_with_a_fault(
    opened: Opened, data_dir: DataDir, until: Any, command: Any, tmp_path: Path
) -> None:
    async with opened(data_dir) as wiring:
        page, model = await shown(wiring, until), wiring.learning
        await until(page.bar.run.isEnabled)
        await command(wiring, "F7")
        await until(lambda: model.state.run is not None and model.state.run.phase is not None, 60)
        assert wiring.agreement.state.run is None  # the keys are for the page that is shown
        assert model.state.run.phase.phase == PHASES[0]
        await until(lambda: model.state.run.state == "paused" and page.bar.step.isEnabled())
        click(page.bar.step)
        await until(lambda: model.state.run.phase.phase == PHASES[1])
        await until(lambda: page.bar.words.text() == f"Slot 0, {PHASES[1]}: {model.state.run.phase.text}")
        assert page.bar.training.accessibleName() == "Simulated training (replayed)"
        click(page.bar.step_slot)
        await until(lambda: model.state.run.slot >= 1 and model.state.run.state == "paused", 60)
        page.show_tab("faults")
        await until(page.faults.buttons["equivocate_headers"].isEnabled)
        page.faults.targets["validators"].set_value("x-1")
        page.faults.buttons["equivocate_headers"].click()
        assert "neither a number nor a range" in page.faults.words.text()
        page.faults.targets["validators"].set_value("")
        page.faults.buttons["equivocate_headers"].click()
        await until(lambda: model.state.run.faults)
        await command(wiring, "F5")
        run = await ended(wiring, until)
        assert run.failure == ""
        await until(lambda: [row[1] for row in page.faults.table.visible_rows()] == ["Equivocate headers"])
        assert len(run.states) == SMALL["slots"]
        slashed = {event.validator for event in run.slashed.values()}
        fault = run.faults[0]
        assert slashed == set(fault.targets)
        assert all(event.slot - fault.slot <= 3 + SMALL["validators"] for event in run.slashed.values())
        await until(lambda: f"{SMALL['slots']} slots" in page.timeline.accessibleDescription())
        for kind in ("csv", "json", "png"):
            wiring.learnings.write(kind, tmp_path / f"chain.{kind}")
        rows = list(csv.DictReader((tmp_path / "chain.csv").read_text().splitlines()))
        assert len(rows) == len(run.updates)
        value = json.loads((tmp_path / "chain.json").read_text())
        assert value["trace_hash"] == run.ended_event.trace_hash
        assert value["slashings"][0]["validator"] in slashed
        assert "replayed from recorded training" in value["training"]
        assert QImage(str(tmp_path / "chain.png")).width() > 500


async def test_every_tab_tells_of_a_run(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page, model = await shown(wiring, until), wiring.learning
        model.run()
        run = await ended(wiring, until)
        assert run.failure == ""
        included = [update for update in run.updates.values() if update["stage"] in ("included", "merged")]
        assert included
        slot = included[0]["slot"]
        wiring.follow(Place("learning", f"slot/{slot}").link)
        await until(lambda: page.timeline.state().selected == slot and page.tabs.currentIndex() == TABS.index("chain"))
        assert STATES[run.states[slot]] in page.timeline.accessibleDescription()
        assert "all 4 nodes" in page.chain.graph.accessibleDescription()
        QTest.keyClick(page.timeline, Qt.Key.Key_Left)
        await until(lambda: model.state.slot == slot - 1)
        page.show_tab("votes")
        await until(lambda: "accept" in page.votes.arithmetic.text())
        QTest.keyClick(page.votes.matrix, Qt.Key.Key_Right)
        await until(lambda: "validator 0:" in page.votes.words.text())
        click(page.votes.validator_button)
        await until(lambda: page.network.validators.selected_keys() == (0,))
        assert page.network.validators.visible_rows()[0][2] == 32.0
        wiring.follow(update_link(included[0]["id"]))
        await until(lambda: page.updates.table.selected_keys() == ((included[0]["round"], included[0]["id"]),))
        await until(lambda: page.updates.words.text().endswith("."))
        row = next(r for r in page.updates.table.visible_rows() if r[2] == included[0]["id"])
        assert row[5] < row[6]  # after < threshold
        assert row[7] == "Passed"
        await until(lambda: "replayed from recorded training" in page.updates.losses._title.text())
        assert f"f = {included[0]['byzantine']}" in page.updates.scores.state().title
        page.show_tab("network")
        page.network.tabs.setCurrentIndex(2)
        await until(lambda: page.network.peers.row_count() == 4)
        page.show_tab("runs")
        await until(lambda: page.runs.runs.row_count() == 1 and page.runs.checks.row_count() >= 1)
        model.reset()
        await until(lambda: model.state.run is None)
        page.runs.runs.select((run.run_id,))
        await until(page.runs.look.isEnabled)
        click(page.runs.look)
        await until(lambda: model.state.run is not None and model.state.run.run_id == run.run_id)
        assert model.state.run.updates.keys() == run.updates.keys()
        wiring.navigator.go(Place("overview"))
        tile = wiring.overview.state.chain
        await until(lambda: wiring.overview.state.chain.note.startswith("Slot"))
        assert tile.link == Place("learning").link


async def test_stopped_and_resumed_it_ends_as_without(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page, model = await shown(wiring, until, "solo", validators=1), wiring.learning
        model.run()
        whole = await ended(wiring, until)
        model.reset()
        model.step("slot")
        await until(lambda: model.state.run is not None and model.state.run.slot >= 1, 60)
        await until(page.bar.stop.isEnabled)
        click(page.bar.stop)
        half = await ended(wiring, until)
        assert half.state == "cancelled"
        page.show_tab("runs")
        await until(lambda: page.runs.runs.row_count() == 2)
        page.runs.runs.select((half.run_id,))
        await until(page.runs.resume.isEnabled)
        click(page.runs.resume)
        await until(lambda: model.state.run is not half)
        again = await ended(wiring, until)
        assert again.failure == ""
        assert again.ended_event.trace_hash == whole.ended_event.trace_hash
        assert bytes(again.states) == bytes(whole.states)


async def test_what_is_wrong_blocks_the_run(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page, model = await shown(wiring, until), wiring.learning
        setup = page.setup
        assert setup.scenario._message.text() == model.state.scenario.sentence
        for field, text, why in (
            (setup.seed, "12", "this has 2"),
            (setup.fields.fields["validators"], "0", "from 1 to 4,096"),
            (setup.fields.fields["slots"], "many", "not a whole number"),
        ):
            kept = field.edit.text()
            type_into(field.edit, text)
            await until(lambda: not page.bar.run.isEnabled())
            assert why in field.error()
            type_into(field.edit, kept)
            await until(page.bar.run.isEnabled)
        setup.choices.fields["quorum"].set_value("number")
        await until(lambda: setup.choices.fields["quorum_number"].isVisible())
        type_into(setup.choices.fields["quorum_number"].edit, "9")
        await until(lambda: "more than the 4 validators" in page.bar.verdict.text())
        setup.choices.fields["quorum"].set_value("bft")
        await until(page.bar.run.isEnabled)
        assert "= 3 of 4 ACKs" in setup.choices.fields["quorum"]._message.text()
        setup.choices.fields["transport"].set_value("dht")
        await until(lambda: "needs a clock that passes" in page.bar.verdict.text() or model.state.missing)
        setup.choices.fields["transport"].set_value("sim")
        setup.outside.open(True)
        setup.services.set_value(True)
        await until(lambda: setup.ports.isVisible())
        type_into(setup.ports.fields["DHT_PORT"].edit, "3500")
        await until(lambda: "The same port" in page.bar.verdict.text())
        type_into(setup.ports.fields["DHT_PORT"].edit, "")
        setup.ports.fields["DHT_PORT"].edit.clear()
        await until(page.bar.run.isEnabled)
        model.update(missing="hivemind missing")
        model.fill(training="real")
        await until(lambda: "hivemind missing" in setup.choices.fields["training"].error())
        assert not page.bar.run.isEnabled()
        assert page.bar.training.accessibleName() == "Real training"


async def test_every_fault_and_every_scenario_is_a_button(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page, model = await shown(wiring, until, tab="faults"), wiring.learning
        assert set(page.faults.buttons) == set(FAULTS)
        assert not any(made.isEnabled() for made in page.faults.buttons.values())
        assert len({made.text() for made in page.faults.buttons.values()}) == len(FAULTS)
        page.show_tab("scenarios")
        names = {one.name for one in model.state.scenarios}
        await until(lambda: set(page.scenarios.buttons) == names)
        click(page.scenarios.buttons["solo"])
        await until(lambda: model.state.run is not None and model.state.run.scenario == "solo")
        await until(lambda: page.tabs.currentIndex() == TABS.index("chain"))  # where something is to be seen
        await until(lambda: model.state.run.slot >= 0, 60)
        click(page.bar.stop)
        await ended(wiring, until)
        nameless = []
        for tab in TABS:
            page.show_tab(tab)
            await asyncio.sleep(0.05)
            for widget in page.findChildren(QWidget):
                if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible():
                    face = QAccessible.queryAccessibleInterface(widget)
                    if not widget.objectName().startswith("qt_") and not face.text(QAccessible.Text.Name):
                        nameless.append(f"{tab}: {type(widget).__name__}")
        assert nameless == []


async def test_a_sweep_is_measured_chosen_stopped_and_exported(
    opened: Opened, data_dir: DataDir, until: Any, command: Any, tmp_path: Path
) -> None:
    async with opened(data_dir) as wiring:
        page, model = await shown(wiring, until), wiring.sweep
        wiring.navigator.go(Place("learning", "sweep"))
        await until(lambda: page.sweep.isVisible() and model.state.offered[0])
        page.sweep.attacks.checkToggled.emit(model.state.attacks[0], False)
        assert len(model.state.attacks) == 5
        type_into(page.sweep.trainers.edit, "2")
        await until(lambda: not page.sweep.run.isEnabled())
        type_into(page.sweep.trainers.edit, "13")
        model.edit(attacks=("scale",), rules=("fedavg", "krum"), fractions=(0.0, 0.24))
        await until(page.sweep.run.isEnabled)
        click(page.sweep.run)
        await until(lambda: model.state.state == "done", 120)
        assert len(model.state.cells) == 4
        page.sweep.map.setFocus()
        for key in (Qt.Key.Key_Home, Qt.Key.Key_Right):
            QTest.keyClick(page.sweep.map, key)
        await until(lambda: model.state.selected == (0, 1))
        await until(lambda: "FedAvg" in page.sweep.sentence.text())
        broken = {(key[1], key[2]): cell["broken"] for key, cell in model.state.cells.items()}
        assert broken["fedavg", 0.24]
        assert not broken["krum", 0.24]
        for kind in ("csv", "json", "png"):
            wiring.learnings.write(kind, tmp_path / f"sweep.{kind}")
        assert len(list(csv.DictReader((tmp_path / "sweep.csv").read_text().splitlines()))) == 4
        assert json.loads((tmp_path / "sweep.json").read_text())["configuration"]["attacks"] == ["scale"]
        assert QImage(str(tmp_path / "sweep.png")).height() > 200
        model.edit(attacks=("scale", "noise", "sign_flip"), fractions=(0.0, 0.08, 0.16, 0.24, 0.31))
        await command(wiring, "F5")
        await until(lambda: model.state.busy and model.state.done >= 1, 60)
        await until(page.sweep.stop.isEnabled)
        await command(wiring, "F8")
        await until(lambda: not model.state.busy)
        assert model.state.state == "cancelled"
        assert 1 <= len(model.state.cells) < 30
        model.run()
        model.cancel()  # before it has begun
        await until(lambda: not model.state.busy)
        assert model.state.state == "cancelled"
        assert not model.state.cells


@pytest.mark.expects_log
async def test_a_run_that_cannot_be_read_says_so(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page, model = await shown(wiring, until, "solo", validators=1, slots=2), wiring.learning
        model.step("phase")
        await until(
            lambda: model.state.run is not None and model.state.run.run_id and model.state.run.state == "paused"
        )
        model.stop()
        run = await ended(wiring, until)
        journal = data_dir.root / "learning" / str(run.run_id) / "journal"
        await until(lambda: any(row.run_id == run.run_id for row in model.state.rows))
        journal.write_bytes(b"\xff" * 40 + b"\n" + b"\xff" * 40 + b"\n")
        model.resume(run.run_id)
        await until(lambda: model.state.run is not run)
        broken = await ended(wiring, until)
        assert broken.state == "failed"
        await until(lambda: page.bar.banner.isVisible())
        assert page.bar.pill.accessibleName() == "Failed"
        assert validator_link(3) == "nash:learning/validator/3"
