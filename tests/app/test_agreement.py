"""The agents' half of the Consensus page on a real engine: rounds off chain and on, each by real clicks."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible, QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLineEdit, QWidget

from app.links import Place
from app.viewmodels.agreement_agents import AgentList
from engine.consensus.agents.agent_file import read_agents
from engine.core.paths import DataDir

Opened = Callable[..., Any]


async def shown(wiring: Any, until: Any, tab: str = "agents", task: str = "portfolio", **settings: Any) -> Any:
    """Show the half with a task, off chain unless said, and return it."""
    model = wiring.agreement
    await until(lambda: model.state.task is not None)
    if task != model.state.choice:
        model.choose(task)
        await until(lambda: model.state.choice == task and model.state.task is not None)
    model.fill(**{"hybrid_mode": False, "convergence_threshold": 1e-6, "answer_timeout": 60.0, **settings})
    wiring.navigator.go(Place("consensus", f"agents/{tab}"))
    half = wiring.pages["consensus"].agents
    await until(lambda: half.isVisible() and half.setup._revision == model.state.revision)
    return half


def click(widget: Any) -> None:
    assert widget.isEnabled()
    assert widget.isVisible()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def type_into(field: QLineEdit, text: str) -> None:
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)


def names(half: Any) -> list[str]:
    return [row[0] for row in half.agents.table.visible_rows()]


async def ended(wiring: Any, until: Any) -> Any:
    model = wiring.agreement
    await until(lambda: model.state.run is not None and model.state.run.ended, 90)
    return model.state.run


async def test_a_round_off_chain_by_keys_pause_step_and_inject(
    opened: Opened, data_dir: DataDir, until: Any, command: Any, tmp_path: Path
) -> None:
    async with opened(data_dir) as wiring:
        half, model = await shown(wiring, until), wiring.agreement
        await until(half.bar.run.isEnabled)
        await command(wiring, "F7")
        await until(lambda: model.state.run is not None and model.state.run.iteration == 1, 60)
        assert half.tabs.currentIndex() == 2  # the live tab comes by itself
        assert wiring.consensus.state.run is None  # the keys are for the half that is shown
        await until(lambda: model.state.run.state == "paused" and half.bar.step.isEnabled())
        click(half.bar.step)
        await until(lambda: model.state.run.iteration == 2)
        assert half.bar.pill.accessibleName() in ("Paused", "Running")
        victim = model.state.run.agents[1]
        half.setup.faults.open(True)
        half.setup.agent.set_value(victim)
        half.setup.behaviour.set_value("equivocating")
        await until(half.setup.inject.isEnabled)
        half.setup.inject.click()
        assert (model.state.run.marks[0].iteration, model.state.run.marks[0].text) == (2, f"{victim}: equivocating")
        await until(lambda: any(mark.text.startswith(victim) for mark in half.live.gap._state.marks))
        await command(wiring, "F5")
        run = await ended(wiring, until)
        assert run.failure == ""
        assert run.result.converged
        assert run.judged[victim].reason == "equivocation"
        assert victim in run.order
        assert victim not in run.result.agents
        await until(lambda: half.bar.pill.accessibleName() == "Converged")
        assert f"epsilon 1e-6 at iteration {run.result.iterations}" in half.bar.verdict.text()
        assert list(np.diff(run.gap.x)) == [1.0] * (run.gap.count - 1)
        assert "stocks" in half.live.places.labels.accessibleDescription()
        assert f"{victim} is left out" in half.live.places.labels.accessibleDescription()
        for kind in ("csv", "json", "png"):
            wiring.agreements.write(kind, tmp_path / f"round.{kind}")
        value = json.loads((tmp_path / "round.json").read_text())
        assert value["judged"][0]["agent"] == victim
        assert value["result"]["converged"]
        assert QImage(str(tmp_path / "round.png")).width() > 500
        await until(half.bar.reset.isEnabled)
        click(half.bar.reset)
        await until(lambda: model.state.run is None and half.bar.pill.accessibleName() == "Ready")
        assert model.state.config["convergence_threshold"] == 1e-6
        half.show_tab("rounds")
        await until(lambda: half.rounds.table.row_count() == 1)
        half.rounds.table.select((run.run_id,))
        await until(half.rounds.look.isEnabled)
        click(half.rounds.look)
        await until(lambda: model.state.run is not None and model.state.run.run_id == run.run_id)


async def test_the_same_choices_give_the_same_trace_and_rounds_are_overlaid(
    opened: Opened, data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        half, model = await shown(wiring, until), wiring.agreement
        records = []
        for speed, coupling in ((0.0, 0.5), (30.0, 0.5), (0.0, 0.25)):
            model.fill(seed=5, coupling=coupling, convergence_threshold=1e-3)
            model.set_speed(speed)
            click(await until(lambda: half.bar.run if half.bar.run.isEnabled() else None))
            records.append(await ended(wiring, until))
        hashes = [record.trace_hash for record in records]
        assert len(hashes[0]) == 64
        assert hashes[0] == hashes[1] != hashes[2]
        await until(lambda: half.bar.trace.isVisible() and half.bar.trace.value() == hashes[2])
        half.show_tab("rounds")
        await until(lambda: half.rounds.table.row_count() == 3 and not model.state.busy)
        half.rounds.table.select((records[0].run_id,))
        await until(half.rounds.pin.isEnabled)
        click(half.rounds.pin)
        half.rounds.table.checkToggled.emit(records[1].run_id, True)
        await until(lambda: half.rounds.pin.text() == "Unpin")
        await until(lambda: [row[0] for row in half.rounds.table.visible_rows()] == [False, True, True])
        half.show_tab("live")
        await until(lambda: len(half.live.gap._state.curves) == 3)
        curves = half.live.gap._state.curves
        assert [curve.dashed for curve in curves] == [False, True, False]
        assert curves[1].name.endswith("(baseline)")
        assert "by best responses" in half.live.gap._title.text()
        model.pin(None)
        model.show(records[1].run_id, False)
        await until(lambda: len(half.live.gap._state.curves) == 1)


async def test_agents_are_edited_and_what_is_wrong_blocks(
    opened: Opened, data_dir: DataDir, until: Any, drop: Any, tmp_path: Path
) -> None:
    async with opened(data_dir) as wiring:
        half, model = await shown(wiring, until), wiring.agreement
        await until(lambda: half.agents.table.row_count() == 5)
        before = names(half)
        half.agents.table.select((model.state.agents.agents[0].key,))
        click(half.agents.copy)
        await until(lambda: half.agents.table.row_count() == 6)
        click(half.agents.remove)
        await until(lambda: half.agents.table.row_count() == 5)
        assert names(half)[0] != before[0]
        half.agents._undo.actionTriggered.emit("undo")
        await until(lambda: half.agents.table.row_count() == 6)
        assert names(half)[0] == before[0]
        half.agents.table.select((model.state.agents.agents[1].key,))
        await until(lambda: half.agents.name.value() == names(half)[1])
        type_into(half.agents.name.edit, before[0])
        await until(lambda: not half.bar.run.isEnabled())
        assert f"Another agent is called {before[0]}" in half.bar.verdict.text()
        assert "Cannot run" in [row[4] for row in half.agents.table.visible_rows()]
        type_into(half.agents.name.edit, "twin")
        half.agents.fields.fields["strategy"].set_value("adaptive")
        await until(lambda: half.bar.run.isEnabled() and half.agents.learning.isVisible())
        type_into(half.agents.learning.fields["exploration_rate"].edit, "0.25")
        await until(lambda: model.state.agents.agents[1].exploration_rate == 0.25)
        saved = tmp_path / "agents.json"
        wiring.agreements.write_agents(saved)
        assert [spec.name for spec in read_agents(saved)] == names(half)
        model.remove([agent.key for agent in model.state.agents.agents])
        await until(lambda: half.agents.table.row_count() == 0)
        assert "There are no agents" in half.bar.verdict.text()
        drop(half, saved)
        await until(lambda: "twin" in names(half))
        assert model.state.agents.of("twin").exploration_rate == 0.25  # type: ignore[union-attr]


async def test_a_model_that_would_run_code_is_refused_with_the_reason(
    opened: Opened, data_dir: DataDir, until: Any, drop: Any, tmp_path: Path
) -> None:
    import pickle

    class Evil:
        def __reduce__(self) -> Any:
            return print, ("owned",)

    bad = tmp_path / "evil.pt"
    bad.write_bytes(pickle.dumps(Evil()))
    async with opened(data_dir) as wiring:
        half, model = await shown(wiring, until), wiring.agreement
        key = model.state.agents.agents[2].key
        half.agents.table.select((key,))
        drop(half, bad)
        await until(lambda: key in model.state.agents.refused, 60)
        assert model.state.agents.agents[2].model == str(bad)
        await until(lambda: not half.bar.run.isEnabled())
        await until(lambda: half.agents._why.text() == model.state.agents.refused[key])
        half.agents.fields.fields["model"].set_value("builtin")
        await until(half.bar.run.isEnabled)


async def test_the_task_is_one_in_form_and_json(
    opened: Opened, data_dir: DataDir, until: Any, drop: Any, tmp_path: Path
) -> None:
    async with opened(data_dir) as wiring:
        half, model = await shown(wiring, until, "task"), wiring.agreement
        tab = half.task
        await until(lambda: "parameters.total_amount" in tab.fields)
        first = half.setup.hash.value()
        type_into(tab.fields["parameters.total_amount"].edit, "250000")
        await until(lambda: half.setup.hash.value() not in ("", first))
        assert '"total_amount": 250000' in tab.json.toPlainText()
        tab.json.setFocus()
        tab.json.selectAll()
        QTest.keyClicks(tab.json, '{"type": "custom", "labels": ["x" "y"]}')
        tab.json.flush()
        await until(lambda: not half.bar.run.isEnabled())
        assert "line 1" in tab.problem.text()
        assert "line 1" in half.setup.task.error()
        assert tab.json.toPlainText().startswith('{"type"')  # what is typed stays as it is typed
        target = tmp_path / "meeting.json"
        target.write_text('{"type": "custom", "title": "Meeting", "labels": ["x", "y", "z"], "space": "simplex"}')
        drop(half, target)
        await until(lambda: model.state.task is not None and model.state.task.title == "Meeting")
        await until(lambda: '"Meeting"' in tab.json.toPlainText() and half.bar.run.isEnabled())
        assert tab.fields["labels"].value() == ["x", "y", "z"]
        assert half.setup.hash.value() == "0x" + model.state.task.hash.hex()
        tab.fields["space"].set_value("box")
        await until(lambda: '"space": "box"' in tab.json.toPlainText())
        tab.fields["labels"].edit.setPlainText("x, x")
        await until(lambda: not half.bar.run.isEnabled())


@pytest.mark.expects_log
async def test_files_of_another_form_are_refused(
    opened: Opened, data_dir: DataDir, until: Any, drop: Any, tmp_path: Path
) -> None:
    (tmp_path / "task.json").write_text('{"type": "poker"}')
    (tmp_path / "agents.json").write_text('[{"name": "a", "wings": 2}]')
    async with opened(data_dir) as wiring:
        half, model = await shown(wiring, until), wiring.agreement
        before = model.state.task, model.state.agents
        drop(half, tmp_path / "task.json", tmp_path / "agents.json")
        await until(lambda: any("poker" in text for text in wiring.window.notices.texts()))
        await until(lambda: any("wings" in text for text in wiring.window.notices.texts()))
        assert (model.state.task, model.state.agents) == before
        drop(wiring.window, tmp_path / "task.json")  # the window passes tasks on
        await until(lambda: wiring.navigator.here == Place("consensus", "agents/task"))


async def test_settings_are_checked_and_the_half_is_remembered(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        half, model = await shown(wiring, until), wiring.agreement
        page = wiring.pages["consensus"]
        for name, text, why in (("quorum", "9", "quorum is 9"), ("convergence_threshold", "2", "Threshold"),
                                ("max_iterations", "many", "Iterations")):  # fmt: skip
            field = half.setup.fields.fields[name]
            kept = field.edit.text()
            type_into(field.edit, text)
            await until(lambda words=why: not half.bar.run.isEnabled() and words in half.bar.verdict.text())
            QTest.keyClick(wiring.window, Qt.Key.Key_F5)
            assert model.state.run is None
            type_into(field.edit, kept)
            await until(half.bar.run.isEnabled)
        QTest.mouseClick(page.switch.button("games"), Qt.MouseButton.LeftButton)
        assert page.half == "games"
        assert not half.isVisible()
        QTest.mouseClick(page.switch.button("agents"), Qt.MouseButton.LeftButton)
        await until(half.isVisible)
    async with opened(data_dir) as wiring:
        assert wiring.pages["consensus"].half == "agents"


async def test_everything_has_a_name_and_nothing_is_clipped(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        half = await shown(wiring, until)
        for width, height in ((1280, 800), (880, 560)):
            wiring.window.resize(width, height)
            for tab in ("agents", "task", "live", "chain", "result", "rounds"):
                wiring.navigator.go(Place("consensus", f"agents/{tab}"))
                await until(lambda at=tab: half.tabs.currentIndex() == ["agents", "task", "live", "chain", "result",
                                                                       "rounds"].index(at))  # fmt: skip
                page = wiring.pages["consensus"]
                await until(lambda area=page: area.widget().width() <= area.viewport().width())
                right = half.mapToGlobal(half.rect().topRight()).x()
                for button in half.bar.findChildren(QWidget):
                    if button.isVisible() and button.focusPolicy() & Qt.FocusPolicy.TabFocus:
                        assert button.mapToGlobal(button.rect().topRight()).x() <= right
        nameless = []
        for widget in half.findChildren(QWidget):
            own = widget.window() is wiring.window and widget.focusProxy() is None  # lists of combo boxes are windows
            if own and widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
                interface = QAccessible.queryAccessibleInterface(widget)
                if interface is not None and not interface.text(QAccessible.Text.Name):
                    nameless.append(widget)
        assert nameless == []


async def test_a_hundred_agents_in_64_dimensions_are_drawn_in_time(
    opened: Opened, data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        labels = [f"parameter {at}" for at in range(64)]
        half, model = await shown(wiring, until, "live"), wiring.agreement
        model.use_text(json.dumps({"type": "custom", "labels": labels, "space": "box"}))
        model._set_agents(AgentList().with_new(100))
        model.fill(max_iterations=6, convergence_threshold=1e-12)
        await until(half.bar.run.isEnabled)
        model.run()
        run = await ended(wiring, until)
        assert run.failure == ""
        await until(lambda: half.live.places.labels._made is not None)
        positions, ideals, consensus = run.arrays()
        assert positions.shape == ideals.shape == (100, 64)
        assert consensus.shape == (64,)


async def test_one_click_starts_the_node_agrees_and_certifies(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        half, model = await shown(wiring, until, hybrid_mode=True), wiring.agreement
        await until(lambda: half.bar.run.text() == "Start devnet and run")
        model.edit_agents([model.state.agents.agents[4].key], {"behaviour": "equivocating"})
        await until(half.bar.run.isEnabled)
        click(half.bar.run)
        run = await ended(wiring, until)
        guilty = model.state.agents.agents[4].name
        assert run.failure == ""
        assert run.equal
        assert run.result.on_chain.certified
        assert run.result.on_chain.slashed_wei[guilty] > 0
        assert all(step.state == "done" for step in run.steps.values())
        half.show_tab("result")
        await until(lambda: half.result.pill.accessibleName() == "Equal")
        rows = half.result.labels.visible_rows()
        assert [row[1] for row in rows] == list(run.result.equilibrium)
        assert [row[2] for row in rows] == list(run.result.on_chain.equilibrium)
        slashed = next(row for row in half.result.agents.visible_rows() if row[0] == guilty)
        click(half.result.verify)
        await until(lambda: run.verification is not None)
        assert run.verification.ok
        await until(lambda: half.result.checks.row_count() == len(run.verification.checks))
        half.show_tab("chain")
        await until(lambda: half.chain.table.row_count() == sum(len(step.txs) for step in run.steps.values()))
        half.show_tab("agents")
        await until(lambda: all(row[5] is not None for row in half.agents.table.visible_rows()))
        half.linkActivated.emit(half.result.agents._model.columns[5].link(slashed[5]))
        await until(lambda: wiring.navigator.here.page == "devnet")
        table = wiring.pages["devnet"]._transactions
        await until(lambda: table.selected_keys() == (slashed[5][1],))
