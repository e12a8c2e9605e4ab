"""The first run: what an empty folder is greeted with, and workspaces, which never take anything away."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QAccessible
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QPushButton

from app.dialogs import Dialog
from app.links import Place
from app.settings import Settings, SettingsFile
from app.workspaces import words
from engine.core.paths import DataDir
from engine.league.config import AgentEntry, RoundConfig
from engine.store.survey import survey


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    return DataDir.open(tmp_path / "data")


def dialog(wiring: Any) -> Dialog:
    (shown,) = [d for d in wiring.window.findChildren(Dialog) if d.isVisible()]
    return shown


def press(wiring: Any, text: str) -> None:
    """Press a button of the dialog that is open."""
    (found,) = [b for b in dialog(wiring).findChildren(QPushButton) if b.text() == text]
    found.click()


async def test_an_empty_folder_is_welcomed_with_three_choices_for_the_keyboard(
    opened: Callable[..., Any], data_dir: DataDir
) -> None:
    async with opened(data_dir) as wiring:
        assert wiring.navigator.here == Place("welcome")
        assert "Welcome" in wiring.window.windowTitle()
        assert not wiring.window.back.isEnabled()
        page = wiring.pages["welcome"]
        texts = " ".join(label.text() for label in page.findChildren(QLabel))
        for promise in ("No account", "no telemetry", "no network", "never use them on mainnet", str(data_dir.root)):
            assert promise in texts
        choices = (page.demo, page.walk, page.stay, page.new, page.files, page.workspace)
        assert QApplication.focusWidget() is page.demo
        for choice in choices:
            assert QApplication.focusWidget() is choice
            spoken = QAccessible.queryAccessibleInterface(choice).text(QAccessible.Text.Name)
            assert spoken == choice.text()
            QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Tab)
        wiring.navigator.go(Place("devnet"))
        wiring.navigator.back()
        assert wiring.navigator.here == Place("welcome")
    async with opened(data_dir) as wiring:
        assert wiring.navigator.here == Place("welcome"), "nothing was kept: it is as empty as before"


async def test_enter_begins_the_demo(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        QTest.keyClick(QApplication.focusWidget(), Qt.Key.Key_Return)
        assert wiring.navigator.here == Place("overview")
        await until(lambda: wiring.overview.state.demo_state == "running")
        wiring.overview.cancel_demo()
        await until(lambda: wiring.overview.state.demo_state == "idle")


async def test_step_by_step_begins_the_walk(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        QTest.keyClick(wiring.pages["welcome"].walk, Qt.Key.Key_Return)
        assert wiring.navigator.here == Place("overview")
        await until(lambda: wiring.overview.state.demo_state == "waiting")


async def test_staying_makes_the_folder_a_workspace_and_ends_the_welcome(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        wiring.pages["welcome"].stay.click()
        assert wiring.navigator.here == Place("overview")
    async with opened(data_dir) as wiring:
        assert wiring.navigator.here == Place("overview")
        wiring.commands.actions["welcome"].trigger()
        assert wiring.navigator.here == Place("welcome")
        assert wiring.pages["welcome"].stay.text() == "Stay in this folder"
        assert "settings" in wiring.pages["welcome"].holds.text()


async def test_what_is_dropped_on_it_is_opened(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, drop: Callable[..., None], samples: Path, tmp_path: Path
) -> None:
    agents = sorted(samples.glob("*.wasm"))[:2]
    league = tmp_path / "LEAGUE.toml"
    config = RoundConfig(name="dropped", matches=3, seed=5, agents=tuple(AgentEntry(path) for path in agents))
    league.write_text(config.to_toml(tmp_path))
    async with opened(data_dir) as wiring:
        drop(wiring.window, league)
        await until(lambda: len(wiring.roster.state.agents) == 2)
        assert wiring.setup.state.name == "dropped"
        assert wiring.navigator.here == Place("leagues", "tab/setup")
        wiring.commands.actions["welcome"].trigger()
        drop(wiring.window, tmp_path)
        assert any("is no workspace" in text for text in wiring.window.notices.texts())
        drop(wiring.window, data_dir.root)
        assert any("This workspace is open" in text for text in wiring.window.notices.texts())
    async with opened(data_dir) as wiring:
        assert wiring.navigator.here == Place("overview"), "two agents are kept: it is not empty any more"


@pytest.mark.expects_log
async def test_a_broken_league_file_says_why(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("name = [")
    async with opened(data_dir) as wiring:
        wiring.open_files([broken])
        assert await until(wiring.window.notices.texts)


async def test_a_folder_is_asked_for_in_a_dialog(opened: Callable[..., Any], data_dir: DataDir) -> None:
    async with opened(data_dir) as wiring:
        for choice in (wiring.pages["welcome"].new, wiring.pages["welcome"].workspace):
            choice.click()
            (asked,) = [d for d in wiring.window.findChildren(QFileDialog) if d.isVisible()]
            assert asked.fileMode() == QFileDialog.FileMode.Directory
            asked.reject()
        wiring.pages["welcome"].files.click()
        (asked,) = [d for d in wiring.window.findChildren(QFileDialog) if d.isVisible()]
        assert all(suffix in asked.nameFilters()[0] for suffix in ("*.nets", "*.wasm", "*.nfg", "*.toml", "*.json"))
        asked.reject()


async def test_what_lies_in_a_folder_is_named_and_stays(
    opened: Callable[..., Any], data_dir: DataDir, tmp_path: Path, samples: Path, until: Any
) -> None:
    other = DataDir.open(tmp_path / "other")
    async with opened(other) as wiring:
        wiring.open_files(sorted(samples.glob("*.wasm"))[:3])
        await until(lambda: len(wiring.roster.state.agents) == 3)
    full = tmp_path / "full"
    full.mkdir()
    (full / "letters.txt").write_text("dear")
    (full / "nashboard").write_text("a file where a folder should be")
    async with opened(data_dir) as wiring:
        wiring.workspaces.new_in(other.root)
        assert "3 agents" in " ".join(label.text() for label in dialog(wiring).findChildren(QLabel))
        press(wiring, "Cancel")
        wiring.workspaces.new_in(full)
        assert any("cannot be used" in text or "other things" in text for text in wiring.window.notices.texts())
        (full / "nashboard").unlink()
        wiring.workspaces.new_in(full)
        assert str(full / "nashboard") in " ".join(label.text() for label in dialog(wiring).findChildren(QLabel))
        press(wiring, "Cancel")
        assert [entry.name for entry in full.iterdir()] == ["letters.txt"], "nothing is made before it is agreed to"
        wiring.workspaces.open_in(full)
        assert any("is no workspace" in text for text in wiring.window.notices.texts())


async def test_a_new_workspace_opens_in_a_console_of_its_own_and_an_empty_one_makes_way(
    opened: Callable[..., Any], data_dir: DataDir, tmp_path: Path, until: Any
) -> None:
    target = tmp_path / "elsewhere"
    async with opened(data_dir) as wiring:
        wiring.console.settings = wiring.console.settings.model_copy(update={"theme": "dark"})
        wiring.workspaces.new_in(target)
        assert SettingsFile(target).load()[0] == Settings(theme="dark"), "its settings are those of this window"
        await until((target / "console.lock").exists)
        await until(lambda: wiring.console.wiring is None)
    (other,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] and str(target) in process.info["cmdline"]
    ]
    try:
        await until((target / "nashboard.db").exists)
        assert survey(target).ours
    finally:
        other.send_signal(signal.SIGTERM)
        other.wait(60)
    assert survey(data_dir.root).fresh


@pytest.mark.expects_log
async def test_a_folder_that_cannot_be_used_says_why(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        wiring.workspaces.new_in(Path("/proc/nowhere"))
        assert await until(wiring.window.notices.texts)
        assert wiring.navigator.here == Place("welcome")


def test_what_a_workspace_holds_reads_as_a_sentence() -> None:
    assert words(()) == ""
    assert words(("7 agents",)) == "7 agents"
    assert words(("2 league rounds", "7 agents", "a devnet")) == "2 league rounds, 7 agents and a devnet"
