"""The Consensus page on a real engine: run, pause, step, reset, compare, export, open; each by real clicks."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QImage
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QComboBox, QLineEdit, QMenu

from app.links import Place
from engine.core.paths import DataDir
from engine.games.consensus import ConsensusGame
from engine.games.files import read_game, write_game
from engine.games.games import BimatrixGame
from engine.games.results import Status
from engine.games.verify import gap_of

Opened = Callable[..., Any]


async def shown(wiring: Any, until: Any, key: str = "rps", tab: str = "live", **form: Any) -> Any:
    """Go to the page with a game chosen and the form filled, and return the page."""
    model = wiring.consensus
    await until(lambda: model.state.ready)
    model.choose(key, {name: form.pop(name) for name in ("rows", "columns", "players", "actions", "agents",
                                                         "dimension") if name in form})  # fmt: skip
    await until(lambda: model.state.choice == key and model.state.ready)
    model.fill(**form)
    wiring.navigator.go(Place("consensus", f"tab/{tab}"))
    page = wiring.pages["consensus"]
    await until(lambda: page.setup._revision == model.state.revision and page.bar.run.isEnabled())
    return page


def click(widget: Any) -> None:
    """Click a button that can be clicked."""
    assert widget.isEnabled()
    assert widget.isVisible()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


def type_into(field: QLineEdit, text: str) -> None:
    field.setFocus()
    field.selectAll()
    QTest.keyClicks(field, text)


async def finished(wiring: Any, until: Any) -> Any:
    """Wait for the end of the run and return its record."""
    model = wiring.consensus
    await until(lambda: model.state.run is not None and model.state.run.ended, 60)
    return model.state.run


async def test_rock_paper_scissors_to_the_verdict(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, method="prm+", epsilon=1e-6)
        assert page.setup.method.combo.toolTip()
        click(page.bar.run)
        run = await finished(wiring, until)
        assert run.solution.status is Status.SOLVED
        await until(lambda: page.bar.pill.accessibleName() == "Converged")
        text = page.bar.verdict.text()
        assert "epsilon 1e-6" in text
        assert f"iteration {run.iteration:,}" in text
        assert "exploitability" in text
        assert run.gap == gap_of(run.game, run.profile).nashconv
        assert page.bar.hash.value() == run.trace_hash
        assert len(run.trace_hash) == 64
        assert np.allclose(run.profile[0], 1 / 3, atol=1e-4)
        assert run.trace.count > 10
        assert "NashConv, by best responses" in page.live.gap._title.text()
        await until(lambda: page.live.gap.points_drawn > 2)
        await until(lambda: "rock 0.333" in page.live.pictures.simplex[0].accessibleDescription())
        await until(page.live.pictures.simplex[1].isVisible)
        titles = lambda: [plot._title.text() for plot in page.live.panels if plot.isVisible()]  # noqa: E731
        await until(lambda: titles() == ["Player 1", "Player 2"])


async def test_pause_step_resume_stop(opened: Opened, data_dir: DataDir, until: Any, command: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, method="fictitious-play", epsilon=1e-9)
        speed = page.bar.speed
        speed.setCurrentIndex(speed.findText("30 a second"))
        speed.activated.emit(speed.currentIndex())
        click(page.bar.run)
        model = wiring.consensus
        await until(lambda: model.state.run.iteration > 3)
        await until(page.bar.pause.isEnabled)
        click(page.bar.pause)
        await until(lambda: model.state.run.state == "paused" and page.bar.run.text() == "Resume")
        assert page.bar.pill.accessibleName() == "Paused"
        count = model.state.run.trace.count
        click(page.bar.step)
        await until(lambda: model.state.run.trace.count == count + 1)
        await until(lambda: model.state.run.state == "paused" and page.bar.step.isEnabled())
        await command(wiring, "F7")
        await until(lambda: model.state.run.trace.count == count + 2)
        assert list(np.diff(model.state.run.trace.x)) == [1.0] * (count + 1)
        await until(lambda: model.state.run.state == "paused" and page.bar.run.isEnabled())
        click(page.bar.run)
        await until(lambda: model.state.run.trace.count > count + 5)
        click(page.bar.stop)
        run = await finished(wiring, lambda condition, _=0: until(condition, 2.5))
        assert run.solution.status is Status.CANCELLED
        await until(lambda: page.bar.pill.accessibleName() == "Stopped")
        assert not model.state.busy


async def test_a_step_from_rest_does_one_iteration(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, method="rm+", epsilon=1e-9)
        click(page.bar.step)
        model = wiring.consensus
        await until(lambda: model.state.run is not None and model.state.run.trace.count == 1)
        await until(lambda: model.state.run.state == "paused" and page.bar.step.isEnabled())
        click(page.bar.step)
        await until(lambda: model.state.run.trace.count == 2)


async def test_reset_keeps_what_was_edited(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, "battle", "game", method="auto")
        view = page.game.table.view()
        await until(view.isVisible)
        at = view.visualRect(view.model().index(0, 1)).center()
        QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
        QTest.mouseDClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
        editor = await until(lambda: view.findChild(QLineEdit))
        type_into(editor, "7, 1/4")
        QTest.keyClick(editor, Qt.Key.Key_Return)
        model = wiring.consensus
        await until(lambda: model.state.edited and page.setup._undo.isVisible())
        game = model.state.game
        assert isinstance(game, BimatrixGame)
        assert (game.a[0, 1], game.b[0, 1]) == (7, 0.25)
        click(page.bar.run)
        run = await finished(wiring, until)
        assert run.game is game
        assert run.setup["edited"]
        await until(page.bar.reset.isEnabled)
        click(page.bar.reset)
        await until(lambda: model.state.run is None and page.bar.pill.accessibleName() == "Ready")
        assert model.state.game is game
        assert page.game.table.state().cells[0][1] == (7, 0.25)
        assert model.state.setup.method == "auto"
        click(page.setup._undo)
        await until(lambda: not model.state.edited)
        assert model.state.game.a[0, 1] == 0


async def test_what_is_wrong_blocks_the_run(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, method="prm+")
        field = page.setup.fields.fields["epsilon"]
        for text, why in (("0", "Must be above 0."), ("2", "Must be at most 1."), ("little", "not a number")):
            type_into(field.edit, text)
            await until(lambda: not page.bar.run.isEnabled())
            assert why in field.error()
            assert field.edit.property("invalid")
            assert "Epsilon" in page.bar.verdict.text()
            QTest.keyClick(wiring.window, Qt.Key.Key_F5)
            assert wiring.consensus.state.run is None
        type_into(field.edit, "1e-4")
        await until(page.bar.run.isEnabled)
        type_into(page.setup.fields.fields["seed"].edit, "-1")
        await until(lambda: not page.bar.run.isEnabled())
        assert wiring.consensus.state.setup.epsilon == 1e-4


async def test_a_parameter_out_of_range_blocks_too(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, "hard")
        field = page.setup.parameters.fields["size"]
        type_into(field.edit, "99")
        await until(lambda: not page.bar.run.isEnabled())
        assert "from 2 to 16" in field.error()
        type_into(field.edit, "7")  # in the range, but odd: only the game itself knows
        await until(lambda: "even" in wiring.consensus.state.errors.get("game", ""))
        await until(lambda: "even" in page.setup.game.error())
        type_into(field.edit, "6")
        await until(page.bar.run.isEnabled)
        assert wiring.consensus.state.game.sizes == (6, 6)


async def test_a_method_can_be_tuned(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, method="mwu", epsilon=1e-9, iterations=20)
        model = wiring.consensus
        await until(lambda: "average" in page.setup.tuning.fields)
        page.setup._more.open(True)
        hashes = []
        for text in ("", "0"):
            type_into(page.setup.tuning.fields["average"].edit, text)
            page.setup.tuning.fields["average"].edit.setText(text)
            await until(lambda want=text: ("average" in model.state.setup.parameters) == bool(want))
            click(await until(lambda: page.bar.run if page.bar.run.isEnabled() else None))
            run = await finished(wiring, until)
            hashes.append(run.trace_hash)
        assert hashes[0] != hashes[1]
        assert run.setup["method_parameters"] == {"average": 0}
        type_into(page.setup.tuning.fields["average"].edit, "9")
        await until(lambda: not page.bar.run.isEnabled())
        assert "from 0 to 2" in page.setup.tuning.fields["average"].error()
        combo = page.setup.method.combo
        combo.setCurrentText("Vertex enumeration")
        await until(lambda: "exact" in page.setup.tuning.fields and page.bar.run.isEnabled())
        assert model.state.setup.parameters == {}


async def test_only_fitting_methods_are_offered(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, "consensus", agents=4)
        texts = _texts(page.setup.method.combo)
        assert "Best response" in texts
        assert "Lemke-Howson" not in texts
        assert page.setup._faults.isVisible()
        page.setup.group.combo.setCurrentIndex(0)
        await until(lambda: "Lemke-Howson" in _texts(page.setup.method.combo))
        assert not page.setup._faults.isVisible()
        assert "simplex" not in {m.key for m in _methods(wiring)} or wiring.consensus.state.game.kind == "matrix"


def _texts(combo: QComboBox) -> list[str]:
    return [combo.itemText(at) for at in range(combo.count())]


def _methods(wiring: Any) -> Any:
    from app.viewmodels.consensus_setup import fitting

    return fitting(wiring.consensus.state.game)


async def test_the_same_choices_give_the_same_hash_at_any_speed(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, method="mwu", epsilon=1e-9, iterations=40, seed=7)
        hashes = []
        for speed, seed in ((0.0, 7), (100.0, 7), (0.0, 8)):
            wiring.consensus.fill(seed=seed)
            wiring.consensus.set_speed(speed)
            click(await until(lambda: page.bar.run if page.bar.run.isEnabled() else None))
            run = await finished(wiring, until)
            assert run.trace.count >= 40
            hashes.append(run.trace_hash)
        assert hashes[0] == hashes[1] != hashes[2]
        copy = page.bar.hash
        await until(lambda: copy.value() == hashes[2])
        copy.copy()
        from PySide6.QtGui import QGuiApplication

        assert QGuiApplication.clipboard().text() == hashes[2]


async def test_methods_are_compared_on_one_game(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, "shapley", "compare", iterations=50, epsilon=1e-3)
        tab = page.compare
        for key in ("fictitious-play", "prm+"):
            row = [r[1] for r in tab.methods.visible_rows()].index({"fictitious-play": "Fictitious play",
                                                                    "prm+": "Predictive RM+"}[key])  # fmt: skip
            view = tab.methods.view()
            view.scrollTo(view.model().index(row, 0))
            at = view.visualRect(view.model().index(row, 0)).center()
            QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=at)
        click(tab.run_all)
        model = wiring.consensus
        await until(lambda: len(model.state.runs) == 2 and not model.state.queue and not model.state.busy, 60)
        assert {run.method.key for run in model.state.runs} == {"fictitious-play", "prm+"}
        await until(lambda: tab.runs.row_count() == 2)
        assert [row[3] for row in tab.runs.visible_rows()].count("Not converged") >= 1
        await until(lambda: len(tab.plot._state.curves) == 2)
        first = model.state.runs[0].number
        tab.runs.select((first,))
        click(tab.pin)
        await until(lambda: tab.plot._state.curves[0].dashed)
        assert "baseline" in [row[7] for row in tab.runs.visible_rows()]
        tab.runs.checkToggled.emit(first, False)
        await until(lambda: len(tab.plot._state.curves) == 1)
        page.tabs.setCurrentIndex(0)
        await until(lambda: len(page.live.gap._state.curves) == 2)  # the pinned one stays beside the newest
        page.tabs.setCurrentIndex(3)
        click(tab.clear)
        await until(lambda: not model.state.runs and model.state.baseline is None)


@pytest.mark.expects_log
async def test_exports_hold_everything(opened: Opened, data_dir: DataDir, until: Any, tmp_path: Path) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, method="rm+", epsilon=1e-9, iterations=30, seed=3)
        click(page.bar.run)
        run = await finished(wiring, until)
        menu = page._export.menu()
        assert isinstance(menu, QMenu)
        assert len(menu.actions()) == 4
        paths = {kind: tmp_path / f"run.{kind}" for kind in ("csv", "png", "json", "nfg")}
        for kind, path in paths.items():
            wiring.games.write(kind, path)
        with paths["csv"].open() as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == run.trace.count
        assert [float(row["nashconv"]) for row in rows] == list(run.trace.y[:, 0])
        assert float(rows[-1]["Player 1:paper"]) == run.trace.y[-1, 2]
        value = json.loads(paths["json"].read_text())
        assert value["configuration"]["seed"] == 3
        assert value["configuration"]["method"] == "rm+"
        assert value["trace_hash"] == run.trace_hash
        assert value["solution"]["status"] == "not_converged"
        assert value["solution"]["equilibria"][0]["nashconv"] == run.gap
        assert value["versions"]["numpy"] == np.__version__
        assert value["game"]["kind"] == "matrix"
        picture = QImage(str(paths["png"]))
        assert picture.width() > 500
        again = read_game(paths["nfg"])
        assert again.sizes == (3, 3)
        assert "Saved run.nfg" in " ".join(wiring.window.notices.texts())
        wiring.games.write("json", tmp_path / "missing" / "run.json")
        await until(lambda: any("error" in text for text in wiring.window.notices.texts()))


@pytest.mark.expects_log
async def test_files_are_dropped_and_refused_by_line(
    opened: Opened, data_dir: DataDir, until: Any, drop: Any, tmp_path: Path
) -> None:
    good, bad, points = tmp_path / "good.nfg", tmp_path / "bad.nfg", tmp_path / "points.json"
    write_game(good, BimatrixGame(np.eye(2), np.eye(2), title="Meeting"))
    bad.write_text('NFG 1 R "Bad" { "a" "b" } { 2 2 }\n\n1 2 3 x 5 6 7 8\n')
    write_game(points, ConsensusGame(np.array([[0.0], [1.0], [5.0]]), title="On a line"))
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until)
        model = wiring.consensus
        drop(wiring.window, good)
        await until(lambda: model.state.opened == "good.nfg")
        assert np.array_equal(model.state.game.a, np.eye(2))
        await until(lambda: page.setup.game.combo.currentText() == "good.nfg")
        assert page.tabs.currentIndex() == 1
        kept = model.state.game
        drop(wiring.window, bad)
        await until(lambda: any("line 3, column 7" in text.lower() for text in wiring.window.notices.texts()))
        assert model.state.game is kept
        drop(wiring.window, points)
        await until(lambda: model.state.game.kind == "consensus")
        page.tabs.setCurrentIndex(0)
        click(page.bar.run)
        run = await finished(wiring, until)
        assert run.solution.solved
        await until(lambda: page.live.panels[0]._title.text() == "Coordinate 1")
        assert not page.live.pictures.isVisible()
        assert len(page.live.panels[0]._state.levels) == 3


async def test_a_byzantine_agent_is_marked(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, "consensus", agents=5, dimension=2, method="best-response",
                           fault="far", fault_agent=2, fault_at=5, epsilon=1e-8)  # fmt: skip
        hashes = []
        for _ in range(2):
            click(await until(lambda: page.bar.run if page.bar.run.isEnabled() else None))
            run = await finished(wiring, until)
            assert [mark.iteration for mark in run.marks] == [5]
            assert run.faulty == (1,)
            hashes.append(run.trace_hash)
        assert hashes[0] == hashes[1]
        assert (np.diff(run.trace.x) >= 0).all()
        assert np.linalg.norm(run.profile[1]) > 3 * np.linalg.norm(run.setup and run.game.points[0])
        await until(lambda: page.live.gap._state.marks)
        assert page.live.gap._state.marks[0].x == 5
        await until(lambda: "is faulty" in page.live.pictures.positions.accessibleDescription())
        game = wiring.consensus.state.game
        assert game is not run.game  # the game of the form has no fault
        wiring.consensus.fill(fault="nan")
        click(await until(lambda: page.bar.run if page.bar.run.isEnabled() else None))
        silent = await finished(wiring, until)
        assert "left out" in silent.marks[0].text
        assert not silent.game.influence[:, 1].any()
        assert silent.solution.solved


async def test_a_fault_can_be_injected_while_it_runs(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, "consensus", agents=6, method="best-response", epsilon=1e-12)
        wiring.consensus.set_speed(1.0)  # it takes some thirty steps: there is time for a hand
        click(page.bar.run)
        model = wiring.consensus
        await until(lambda: model.state.run.iteration >= 2)
        page.setup._faults.open(True)
        await until(page.setup.inject.isVisible)
        click(page.setup.inject)
        await until(lambda: model.state.run.marks)
        model.set_speed(0.0)
        run = await finished(wiring, until)
        assert run.marks[0].iteration >= 2
        assert run.iteration > run.marks[0].iteration
        assert run.solution.solved


async def test_a_large_game_shows_its_likeliest_actions(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, "zero-sum", rows=150, columns=120, method="prm+", epsilon=1e-4, stride=1)
        click(page.bar.run)
        run = await finished(wiring, until)
        assert run.solution.solved
        await until(lambda: "likeliest of 150" in page.live.panels[0]._title.text())
        assert len(page.live.panels[0]._state.curves) == 8
        assert page.live.pictures.bars.isVisible()
        assert "others" in page.live.pictures.bars.accessibleDescription()
        page.tabs.setCurrentIndex(1)
        await until(page.game.table.isVisible)
        assert "142 more rows" in page.game._header._subtitle.text()
        assert not page.game.table.state().editable


async def test_three_players_have_a_plot_each(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, "mckelvey", method="logit")
        click(page.bar.run)
        run = await finished(wiring, until)
        assert run.solution.solved
        await until(lambda: sum(plot.isVisible() for plot in page.live.panels) == 3)
        page.tabs.setCurrentIndex(1)
        await until(page.game.choice.isVisible)
        assert page.game.choice.count() == 2
        assert len(page.game.table.state().cells[0][0]) == 3
        page.tabs.setCurrentIndex(2)
        await until(lambda: page.result.table.row_count() == 1)
        assert page.result.table.visible_rows()[0][3] == run.gap
        assert "Player 3" in page.result.bars.accessibleDescription()


async def test_the_window_closes_in_the_middle_of_a_run(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, "zero-sum", rows=200, columns=200, method="fictitious-play", epsilon=1e-12)
        click(page.bar.run)
        await until(lambda: wiring.consensus.state.run.trace.count > 0)
        assert wiring.consensus.state.busy
    # What is left running is found by the guards of every test.
