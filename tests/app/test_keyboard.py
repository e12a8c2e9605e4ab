"""Every page's main job by keys alone: from the page's shortcut, by Tab, arrows, Enter and Space."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import shiboken6
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QComboBox,
    QDialog,
    QFileDialog,
    QLineEdit,
    QTabBar,
    QTableView,
    QWidget,
)

from app.viewmodels.consensus_runs import verdict_of
from app.viewmodels.learning_runs import verdict_of as learning_verdict
from app.window import PAGES
from engine.core.paths import DataDir
from widgets.merkle import VerdictBadge
from widgets.theme import current_tokens

Key = Qt.Key
CTRL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier
NONE = Qt.KeyboardModifier.NoModifier


class Keys:
    """Nothing but a keyboard, and ears for what a screen reader says."""

    def __init__(self, wiring: Any, until: Any) -> None:
        self.wiring, self.until = wiring, until

    @property
    def focus(self) -> QWidget:
        focus = QApplication.focusWidget()
        active = QApplication.activeWindow()
        assert focus is not None, f"nothing has the keyboard; {active} is active"
        return focus

    def press(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = NONE, times: int = 1) -> None:
        for _ in range(times):
            QTest.keyClick(QApplication.focusWidget() or self.wiring.window, key, modifiers)

    def page(self, key: str) -> Any:
        """Go to a page by its number."""
        number = [name for name, _ in PAGES].index(key) + 1
        self.press(getattr(Key, f"Key_{number}"), CTRL)
        assert self.wiring.navigator.here.page == key
        page = self.wiring.pages[key]
        assert page is self.focus or page.isAncestorOf(self.focus), "the page has not got the keyboard"
        return page

    async def tab(self, name: str, kind: type = QWidget) -> Any:
        """Press Tab until something of that name has the keyboard, which is enabled then."""
        await self.until(lambda: self._find(name, kind))
        return self.focus

    def _find(self, name: str, kind: type) -> bool:
        seen: list[QWidget] = []
        for _ in range(160):
            if QApplication.focusWidget() is not None and self._named(name, kind):
                return True
            self.press(Key.Key_Tab)  # what had the keyboard may have gone, as a button that was pressed does
            if seen[:1] == [self.focus]:
                return self._named(name, kind)
            seen.append(self.focus)
        return False

    def _named(self, name: str, kind: type) -> bool:
        named = self.focus.parentWidget() if kind is QTabBar else self.focus  # a bar is called by its current tab
        called = "" if named is None else named.accessibleName() if kind is QComboBox else spoken(named)
        return isinstance(self.focus, kind) and called.startswith(name)

    async def use(self, name: str) -> None:
        """Tab to a button and press it."""
        await self.tab(name, QAbstractButton)
        self.press(Key.Key_Space)

    def type(self, text: str) -> None:
        """Replace what stands in the field."""
        self.press(Key.Key_A, CTRL)
        QTest.keyClicks(self.focus, text)

    async def show_tab(self, bar: str, title: str) -> None:
        """Choose a tab of a page by the arrows."""
        tabs = await self.tab(bar, QTabBar)
        way = [tabs.tabText(at) for at in range(tabs.count())].index(title) - tabs.currentIndex()
        self.press(Key.Key_Right if way > 0 else Key.Key_Left, times=abs(way))
        assert tabs.tabText(tabs.currentIndex()) == title

    async def choose(self, name: str, text: str) -> None:
        """Choose an entry of a list by typing its beginning."""
        field = await self.tab(name, QComboBox)
        await self.until(lambda: field.findText(text, Qt.MatchFlag.MatchStartsWith) >= 0)
        QTest.keyClicks(self.focus, text)
        assert field.currentText().startswith(text)

    async def answer(self, title: str, key: Qt.Key = Key.Key_Return) -> None:
        """Answer a dialog; the keyboard comes back to where it was."""
        dialog = await self.until(lambda: next((d for d in dialogs() if d.windowTitle().startswith(title)), None))
        before = self.wiring.window.focusWidget()
        await self.until(lambda: dialog.isActiveWindow() and dialog.isAncestorOf(QApplication.focusWidget() or dialog))
        self.press(key)
        await self.until(lambda: not dialogs())
        window = self.wiring.window
        window.activateWindow()  # as a window manager does
        await self.until(window.isActiveWindow)
        assert window.isAncestorOf(self.focus)
        gone = not shiboken6.isValid(before) or not (before.isVisible() and before.isEnabled())
        assert gone or self.focus is before


def spoken(widget: QWidget) -> str:
    face = QAccessible.queryAccessibleInterface(widget)
    return str(face.text(QAccessible.Text.Name)) if face is not None else ""


def dialogs() -> list[QDialog]:
    return [w for w in QApplication.topLevelWidgets() if isinstance(w, QDialog) and w.isVisible()]


@pytest.fixture
def keyboard(opened: Callable[..., Any], until: Any) -> Callable[..., Any]:
    """Give the keys of a console: ``keys = keyboard(wiring)``."""
    return lambda wiring: Keys(wiring, until)


@pytest.mark.chain
async def test_devnet_and_stakes(opened: Any, data_dir: DataDir, until: Any, keyboard: Any, samples: Path) -> None:
    async with opened(data_dir, samples / "greedy.wasm") as wiring:
        keys, devnet, stakes = keyboard(wiring), wiring.devnet, wiring.stakes
        keys.page("devnet")
        await keys.use("Start devnet")
        await until(lambda: devnet.state.status.state == "running" and not devnet.state.busy)
        await keys.use("Deploy contracts")
        await keys.answer("Deploy")
        await until(lambda: devnet.state.contracts and stakes.state.on_chain)
        await until(lambda: any(row.name == "greedy" for row in stakes.state.rows))
        keys.page("stakes")
        await keys.choose("Account", "greedy")
        await keys.tab("Amount", QLineEdit)
        keys.type("2")
        await until(lambda: stakes.state.preview is not None and stakes.state.preview.wei == 2 * 10**18)
        await keys.use("Deposit")
        await keys.answer("Deposit for greedy")
        await until(lambda: any(row.name == "greedy" and row.chain_free == 2 * 10**18 for row in stakes.state.rows))
        keys.page("devnet")
        await keys.show_tab("Parts of the chain", "Gas")
        plot = await keys.tab("Bar plot Gas")
        keys.press(Key.Key_End)
        assert "Block" in plot.spoken_value()
        keys.press(Key.Key_Return)
        await until(lambda: wiring.navigator.here.kind == "block")
        await keys.use("Stop devnet")
        await keys.answer("Stop the devnet")
        await until(lambda: devnet.state.status.state == "stopped")


async def test_leagues_merkle_and_replay(opened: Any, data_dir: DataDir, until: Any, keyboard: Any) -> None:
    async with opened(data_dir) as wiring:
        keys, rounds, merkle, replay = keyboard(wiring), wiring.rounds, wiring.merkle, wiring.replay
        await until(lambda: wiring.setup.state.systems)
        page = keys.page("leagues")
        await keys.show_tab("Parts of the league", "Set up")
        await keys.use("Add samples")
        await until(lambda: len(wiring.roster.state.agents) == 7 and wiring.setup.state.ready)
        await until(lambda: not wiring.roster.state.checking)  # until then all that came are let play
        agents = await keys.tab("Agents", QTableView)
        await until(lambda: agents.model().rowCount() == 7)
        keys.press(Key.Key_Down)
        assert agents.currentIndex().isValid() and keys.focus is agents
        keys.press(Key.Key_Space)
        await until(lambda: page.roster._count.text().startswith("6 of 7"))
        assert keys.focus is agents
        keys.press(Key.Key_Space)
        await until(lambda: page.roster._count.text().startswith("7 of 7"))
        await keys.tab("Matches", QLineEdit)
        keys.type("3")
        await keys.tab("Anchor and settle")
        if wiring.setup.state.anchor:
            keys.press(Key.Key_Space)
        await until(lambda: wiring.setup.state.ready and not wiring.setup.state.anchor)
        keys.press(Key.Key_Return, CTRL)
        await until(lambda: rounds.state.rounds and rounds.state.run.state == "idle" and page.round.matches.isVisible())

        page = keys.page("merkle")
        await until(lambda: merkle.state.facts is not None and not merkle.state.loading and page.tree.isVisible())
        await keys.tab("Merkle tree")
        keys.press(Key.Key_Home)
        keys.press(Key.Key_Right, times=4)
        await until(lambda: merkle.state.chosen is not None)
        start = merkle.state.chosen
        await until(lambda: page.tree.chosen() == (0, start))
        keys.press(Key.Key_Right)
        await until(lambda: merkle.state.chosen == start + 1 and page.tree.chosen() == (0, start + 1))
        assert f"leaf {start + 1} chosen" in spoken(keys.focus)
        keys.press(Key.Key_Up)
        await until(lambda: page.tree.chosen() == (1, (start + 1) // 2))
        assert merkle.state.offered and not merkle.state.proof.holds  # an inner node is no leaf
        keys.press(Key.Key_Return)
        keys.press(Key.Key_Down)
        await until(lambda: page.tree.chosen() == (0, (start + 1) // 2 * 2) and merkle.state.proof.holds)
        keys.press(Key.Key_F, CTRL)
        keys.type("2")
        await until(lambda: merkle.state.found)
        await keys.tab("Found leaves", QTableView)
        keys.press(Key.Key_Down)
        await until(lambda: merkle.state.chosen in [leaf.index for leaf in merkle.state.found])
        await keys.tab("Leaf bytes")
        keys.press(Key.Key_Delete)
        badge = page.proof.findChild(VerdictBadge)
        await until(lambda: not merkle.state.proof.holds and spoken(badge) == "Verdict: FAIL")
        await keys.use("Revert")
        await until(lambda: merkle.state.proof.holds)
        await keys.use("Into this match")
        await until(lambda: merkle.state.facts.kind == "match" and not merkle.state.loading)

        page = keys.page("leagues")
        await keys.tab("Matches", QTableView)
        keys.press(Key.Key_Down)
        keys.press(Key.Key_Return)
        await until(lambda: replay.state.facts is not None and not replay.state.opening)
        page = keys.page("replay")
        await until(lambda: page._transport.isVisible())
        for key, modifiers, step in (
            (Key.Key_Right, NONE, 1), (Key.Key_Right, SHIFT, 11), (Key.Key_Left, NONE, 10), (Key.Key_Left, SHIFT, 0),
            (Key.Key_End, NONE, replay.state.facts.steps), (Key.Key_Home, NONE, 0),
        ):  # fmt: skip
            page.setFocus()
            keys.press(key, modifiers)
            await until(lambda step=step: page._transport._state.step == min(step, replay.state.facts.steps))
        keys.press(Key.Key_Plus)
        await until(lambda: replay.state.speed == 2.0)
        keys.press(Key.Key_N)
        await until(lambda: replay.state.step in {mark[0] for mark in replay.state.reading.marks})
        keys.press(Key.Key_Space)
        await until(lambda: replay.state.playing or replay.state.step == replay.state.facts.steps)
        await keys.tab("Step", QLineEdit)
        keys.type("2")
        keys.press(Key.Key_Return)
        await until(lambda: replay.state.step == 2)
        await keys.use("Verify by playing again")
        await until(lambda: replay.state.verify.state == "ok")


async def test_consensus(
    opened: Any, data_dir: DataDir, until: Any, command: Any, keyboard: Any, heard: list[str]
) -> None:
    async with opened(data_dir) as wiring:
        keys, games, agents = keyboard(wiring), wiring.consensus, wiring.agreement
        await until(lambda: games.state.ready and agents.state.task is not None)
        games.fill(method="mwu", epsilon=1e-9, iterations=40)
        page = keys.page("consensus")
        await until(lambda: page.bar.run.isEnabled())
        await command(wiring, "F7")
        await until(lambda: games.state.run is not None and games.state.run.state == "paused")
        await until(lambda: page.bar.run.text() == "Resume" and page.bar.stop.isEnabled())
        await keys.use("Stop")
        await until(lambda: games.state.run.ended and page.bar.reset.isEnabled())
        await keys.use("Reset")
        await until(lambda: games.state.run is None and page.bar.run.isEnabled())
        await command(wiring, "F5")
        await until(lambda: games.state.run is not None and games.state.run.ended)
        run = games.state.run
        await until(lambda: f"{run.title}. {verdict_of(run).word}: {verdict_of(run).text}" in heard)
        await keys.show_tab("Parts of the run", "Game")
        await keys.show_tab("Parts of the run", "Live")
        plot = await keys.tab("Line plot")
        keys.press(Key.Key_End)
        assert plot.spoken_value()

        await keys.tab("Consensus of: Games")
        keys.press(Key.Key_Right)
        await until(lambda: page.half == "agents")
        await keys.choose("Mode", "Off")
        await until(lambda: agents.state.ready and not agents.state.needs_node and page.agents.bar.run.isEnabled())
        await keys.use("Run")
        await until(lambda: agents.state.run is not None and agents.state.run.ended)
        await until(
            lambda: any(words.startswith(f"{agents.state.run.title}. Converged: Within eps") for words in heard)
        )
        await keys.show_tab("Parts of the round", "Result")
        await keys.tab("Agents of the result", QTableView)


async def test_learning_chain(
    opened: Any, data_dir: DataDir, until: Any, command: Any, keyboard: Any, heard: list[str]
) -> None:
    async with opened(data_dir) as wiring:
        keys, model = keyboard(wiring), wiring.learning
        await until(lambda: model.state.scenarios and model.state.ready)
        model.fill(validators=4, trainers=3, slots=8, gate_texts=4)
        page = keys.page("learning")
        await until(lambda: page.bar.step.isEnabled())
        await keys.use("Step phase")
        await until(lambda: model.state.run is not None and model.state.run.phase is not None)
        await until(lambda: model.state.run.state == "paused" and page.bar.step_slot.isEnabled())
        await keys.use("Step slot")
        await until(lambda: len(model.state.run.states) >= 2 and model.state.run.state == "paused")
        await keys.show_tab("Parts of the chain", "Faults")
        await until(lambda: page.faults.buttons["equivocate_headers"].isEnabled())
        await keys.use("Equivocate headers")
        line = await keys.tab("Slot timeline")
        await until(lambda: len(line.state().states) >= 2)
        keys.press(Key.Key_Home)
        await until(lambda: model.state.slot == 0)
        assert "lot 0" in line.accessibleDescription()
        keys.press(Key.Key_Right)
        await until(lambda: model.state.slot == 1)
        await keys.show_tab("Parts of the chain", "Votes")
        await keys.tab("ACK matrix")
        await command(wiring, "F5")
        await until(lambda: model.state.run.ended)
        assert [fault.fault for fault in model.state.run.faults] == ["equivocate_headers"]
        verdict = learning_verdict(model.state.run)
        await until(lambda: f"{model.state.run.title}. {verdict.word}: {verdict.text}" in heard)


async def test_logs_settings_and_palette(
    opened: Any, data_dir: DataDir, until: Any, keyboard: Any, tmp_path: Path
) -> None:
    async with opened(data_dir) as wiring:
        keys = keyboard(wiring)
        wiring.logs.add("info", "test", "a line to be found")
        page = keys.page("logs")
        keys.press(Key.Key_F, CTRL)
        keys.type("to be found")
        await until(lambda: "a line to be found" in page._view.text())
        await keys.tab("Log lines")
        keys.press(Key.Key_A, CTRL)
        keys.press(Key.Key_C, CTRL)
        assert "a line to be found" in QApplication.clipboard().text()
        await keys.use("Support bundle")
        dialog = await until(lambda: next((d for d in dialogs() if isinstance(d, QFileDialog)), None))
        field = await until(lambda: dialog.focusWidget() if isinstance(dialog.focusWidget(), QLineEdit) else None)
        QTest.keyClick(field, Key.Key_A, CTRL)
        QTest.keyClicks(field, str(tmp_path / "bundle.zip"))
        # The list of what fits takes the first Return where it is open.
        await until(lambda: not dialogs() or QTest.keyClick(field, Key.Key_Return))
        await until((tmp_path / "bundle.zip").exists)
        wiring.window.activateWindow()
        await until(wiring.window.isActiveWindow)
        assert spoken(keys.focus) == "Support bundle"

        keys.press(Key.Key_Comma, CTRL)
        await until(lambda: dialogs() and dialogs()[0].isAncestorOf(QApplication.focusWidget() or dialogs()[0]))
        keys.press(Key.Key_Escape)
        await until(lambda: not dialogs())
        wiring.window.activateWindow()
        await until(wiring.window.isActiveWindow)
        assert spoken(keys.focus) == "Support bundle"

        keys.press(Key.Key_K, CTRL)
        palette = await until(lambda: next((d for d in dialogs() if d.isAncestorOf(QApplication.focusWidget())), None))
        QTest.keyClicks(keys.focus, "dark th")
        assert keys.focus.accessibleDescription() == "Dark theme"
        keys.press(Key.Key_Return)
        await until(lambda: not palette.isVisible() if shiboken6.isValid(palette) else True)
        assert current_tokens().name == "dark"


async def test_the_demo_is_started_and_stopped(opened: Any, data_dir: DataDir, until: Any, keyboard: Any) -> None:
    async with opened(data_dir) as wiring:
        keys = keyboard(wiring)
        keys.page("overview")
        await keys.use("Run the demo")
        await until(lambda: wiring.overview.state.demo_state == "running")
        await keys.use("Stop")
        await until(lambda: wiring.overview.state.demo_state != "running")


async def test_no_key_of_a_page_acts_while_one_types(opened: Any, data_dir: DataDir, until: Any, keyboard: Any) -> None:
    async with opened(data_dir) as wiring:
        keys, replay = keyboard(wiring), wiring.replay
        wiring.overview.run_demo()
        await until(lambda: wiring.overview.state.demo_state != "running", 120)
        round_id = wiring.rounds.state.selected
        match = next(m for m in wiring.runtime.league.history.matches(round_id) if m.steps > 20)
        replay.open_match(round_id, match.fixture, 12)
        await until(lambda: replay.state.proof is not None and not replay.state.opening)
        page = keys.page("replay")
        await until(lambda: page._transport._state.step == 12)
        step = await keys.tab("Step", QLineEdit)
        for key in (Key.Key_Left, Key.Key_Right, Key.Key_Home, Key.Key_End):
            for modifiers in (NONE, SHIFT):
                keys.press(key, modifiers)
        for text in " nN+-=[]?":
            QTest.keyClicks(step, text)
        assert step.hasFocus()
        await keys.show_tab("About the step", "Proof")
        grid = await keys.tab("Leaf bytes")
        for key in (Key.Key_Left, Key.Key_Right, Key.Key_Home, Key.Key_End, Key.Key_N, Key.Key_Space, Key.Key_Plus):
            keys.press(key)
        assert grid.hasFocus()
        state = replay.state
        assert (state.step, state.playing, state.speed) == (12, False, 1.0)
        assert not dialogs()
