"""What holds on every page: undo, layout, exports, links, confirmations, and a session that was killed."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLabel, QLineEdit, QPushButton

from app.dialogs import Dialog
from app.links import PAGES, Place
from app.pages.settings import SettingsDialog
from app.saving import write_text
from app.viewmodels.consensus_tables import views_of
from engine.chain.locate import find_anvil
from engine.core.paths import DataDir
from engine.games.files.json_form import format_json_game
from widgets.table import DataTable

ROOT = Path(__file__).parents[2]
WEI = 10**18


def shown(kind: type) -> Any:
    return next((w for w in QApplication.topLevelWidgets() if isinstance(w, kind) and w.isVisible()), None)


def press(box: Any, text: str) -> None:
    next(button for button in box.findChildren(QPushButton) if button.text() == text).click()


async def choose_file(wiring: Any, until: Any, path: Path) -> None:
    """Choose a file in the dialog that is open."""
    box = await until(lambda: next(iter(wiring.window.findChildren(QFileDialog)), None))
    box.filesSelected.emit([str(path)])
    box.reject()
    await until(lambda: not wiring.window.findChildren(QFileDialog))


async def test_ctrl_z_takes_back_what_was_edited_on_the_page_shown(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, samples: Path
) -> None:
    control = Qt.KeyboardModifier.ControlModifier
    async with opened(data_dir) as wiring:
        wiring.roster.add([samples / "greedy.wasm"])
        await until(lambda: len(wiring.roster.state.agents) == 1)
        wiring.navigator.go(Place("consensus"))
        await until(lambda: wiring.consensus.state.ready)
        before = wiring.consensus.state.game
        key = views_of(before)[0].key
        wiring.consensus.edit_cell(key, 0, 0, (7.0, -7.0))
        await until(lambda: wiring.consensus.state.edited)
        QTest.keyClick(wiring.window, Qt.Key.Key_Z, control)
        await until(lambda: not wiring.consensus.state.edited)
        assert format_json_game(wiring.consensus.state.game) == format_json_game(before)
        wiring.navigator.go(Place("leagues"))
        digest = wiring.roster.state.agents[0].sha256
        wiring.roster.remove(digest)
        await until(lambda: not wiring.roster.state.agents)
        QTest.keyClick(wiring.window, Qt.Key.Key_Z, control)
        await until(lambda: [agent.sha256 for agent in wiring.roster.state.agents] == [digest])
        wiring.navigator.go(Place("overview"))
        QTest.keyClick(wiring.window, Qt.Key.Key_Z, control)
        await until(lambda: any("nothing to undo" in text for text in wiring.window.notices.texts()))
        # Where one types, the key undoes the typing.
        wiring.navigator.go(Place("logs"))
        QTest.keyClick(wiring.window, Qt.Key.Key_F, control)
        field = QApplication.focusWidget()
        assert isinstance(field, QLineEdit)
        QTest.keyClicks(field, "abc")
        QTest.keyClick(field, Qt.Key.Key_Z, control)
        assert field.text() != "abc"


async def test_reset_layout_is_apart_from_reset_all(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        table = wiring.pages["devnet"]._transactions
        header = table.view().horizontalHeader()
        first = header.sectionSize(1)
        header.resizeSection(1, first + 90)
        table.sort_by(1, descending=True)
        wiring.window._collapse(True)
        wiring.commands.all["settings"].run()
        box = shown(SettingsDialog)
        box._workers.set_value(3)
        box.accept()
        wiring.window.close()
    async with opened(data_dir) as wiring:
        table = wiring.pages["devnet"]._transactions
        header = table.view().horizontalHeader()
        assert header.sectionSize(1) == first + 90, "columns persist"
        assert table.view().model().sort_column == 1
        assert wiring.window._collapsed
        wiring.commands.all["settings"].run()
        box = shown(SettingsDialog)
        press(box, "Reset layout")
        assert header.sectionSize(1) == first
        assert table.view().model().sort_column == -1
        assert not wiring.window._collapsed
        assert wiring.workers == 3, "settings are not layout"
        header.resizeSection(1, first + 70)
        press(box, "Reset all")
        assert wiring.console.settings.workers == 0
        assert header.sectionSize(1) == first + 70, "layout is not a setting"
        box.accept()
    async with opened(data_dir) as wiring:
        header = wiring.pages["devnet"]._transactions.view().horizontalHeader()
        assert header.sectionSize(1) == first + 70


@pytest.mark.expects_log
async def test_tables_are_saved_raw_and_whole_or_not_at_all(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, tmp_path: Path
) -> None:
    async with opened(data_dir) as wiring:
        wiring.navigator.go(Place("stakes"))
        with wiring.runtime.store.transaction():
            from engine.league.accounts import Accounts, Book

            Accounts(wiring.runtime.store, Book()).deposit("odd", "operator", WEI + 1)
        wiring.stakes.refresh()
        await until(lambda: any(row.stake == WEI + 1 for row in wiring.stakes.state.rows))
        table = wiring.pages["stakes"].balances.table
        await until(lambda: any(row[1] == WEI + 1 for row in table.visible_rows()))
        QTest.keyClick(wiring.window, Qt.Key.Key_S, Qt.KeyboardModifier.ControlModifier)
        target = tmp_path / "out.csv"
        await choose_file(wiring, until, target)
        rows = list(csv.reader(io.StringIO(target.read_text())))
        assert rows[0][:3] == ["Account", "Stake", "Held"]
        assert str(WEI + 1) in {cell for row in rows for cell in row}, "to the last wei"
        # A place that cannot be written is told, and nothing half is left there.
        table.csvRequested.emit()
        await choose_file(wiring, until, tmp_path / "nowhere" / "out.csv")
        await until(lambda: any("not there" in text for text in wiring.window.notices.texts()))
        write_text(wiring, tmp_path, "a folder")
        assert sorted(path.name for path in tmp_path.iterdir() if path.name != "data") == ["out.csv"]
        # The log goes the same way.
        wiring.logs.add("error", "test", "half a character: \ud800")
        wiring.navigator.go(Place("logs"))
        await until(lambda: "half a character" in wiring.pages["logs"].text())
        wiring.pages["logs"].save()
        await choose_file(wiring, until, tmp_path / "log.txt")
        assert "half a character" in (tmp_path / "log.txt").read_text()


@pytest.mark.expects_log
async def test_every_hash_in_a_table_leads_somewhere(opened: Callable[..., Any], data_dir: DataDir) -> None:
    async with opened(data_dir) as wiring:
        lost = [
            f"{table.view().accessibleName()}: {column.title}"
            for table in wiring.window.findChildren(DataTable)
            if table.view().accessibleName() != "Transactions of the chain"  # of chains that are not the devnet's
            for column in table.view().model().columns
            if column.kind == "hash" and column.title in ("Transaction", "Address", "From", "To", "Hash")
            and column.link is None
        ]  # fmt: skip
        assert lost == []
        # A link from anywhere, however wrong, shows a page and never a fault.
        for page in PAGES:
            for item in ("tx/1", "block/x", "round/0", "match/a/b", "account/0", "leaf/1", "slot/z", "agent/\x00", "/"):
                wiring.follow(f"nash:{page}/{item}")
                assert wiring.navigator.here.page == page
        wiring.follow("nash:nowhere/1")
        wiring.follow("https://example.org")
        assert wiring.navigator.here.page == page
        assert shown(Dialog) is None


@pytest.mark.chain
async def test_chain_actions_name_their_consequence_first(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        page = wiring.pages["devnet"]
        wiring.navigator.go(Place("devnet"))
        page._up.click()
        await until(lambda: wiring.devnet.state.status.state == "running" and not wiring.devnet.state.busy)
        asked = ((page._deploy, "transactions from the operator"), (page._down, "saves its state first"))
        for button, says in asked:
            await until(lambda button=button: button.isVisible() and button.isEnabled())
            button.click()
            box = await until(lambda: shown(Dialog))
            assert any(says in label.text() for label in box.findChildren(QLabel))
            press(box, "Cancel")
            await until(lambda: shown(Dialog) is None)
            assert wiring.devnet.state.status.state == "running"
            assert not wiring.devnet.state.busy
            assert wiring.devnet.state.contracts == ()
        page._down.click()
        press(await until(lambda: shown(Dialog)), "Stop devnet")
        await until(lambda: wiring.devnet.state.status.state == "stopped")


@pytest.mark.chain
@pytest.mark.expects_log
async def test_a_missing_anvil_is_located(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, tmp_path: Path
) -> None:
    async with opened(data_dir) as wiring:
        wiring.runtime.devnet.binary = tmp_path / "no-anvil"
        page = wiring.pages["devnet"]
        wiring.navigator.go(Place("devnet"))
        page._up.click()
        await until(page._banner.isVisible)
        assert any(str(tmp_path / "no-anvil") in label.text() for label in page._banner.findChildren(QLabel))
        press(page._banner, "Locate Anvil…")
        await choose_file(wiring, until, find_anvil())
        await until(lambda: wiring.devnet.state.status.state == "running")
        assert wiring.console.settings.anvil_path == str(find_anvil())
        await until(lambda: not page._banner.isVisible())


@pytest.mark.chain
async def test_a_foreign_node_is_left_alone(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, tmp_path: Path
) -> None:
    command = [str(find_anvil()), "--port", "0", "--silent"]
    foreign = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        import psutil

        process = psutil.Process(foreign.pid)
        (port,) = await until(lambda: [c.laddr.port for c in process.net_connections() if c.status == "LISTEN"])
        async with opened(data_dir) as wiring:
            wiring.devnet.set_port(port)
            wiring.devnet.up()
            await until(lambda: wiring.devnet.state.port_error)
            assert "another Ethereum node" in wiring.devnet.state.port_error
            assert port not in wiring.devnet.state.alternatives
            assert wiring.devnet.state.port == port
            wiring.devnet.down()
        assert foreign.poll() is None
    finally:
        foreign.kill()
        foreign.wait()


@pytest.mark.slow
@pytest.mark.expects_log
async def test_a_round_that_was_killed_is_offered_again_and_can_be_declined(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, samples: Path
) -> None:
    command = [sys.executable, "-m", "app", "--data-dir", str(data_dir.root), "league", "run", "--system", "snake"]
    agents = [str(samples / f"{name}.wasm") for name in ("greedy", "sweeper")]
    child = subprocess.Popen(
        [*command, "--agents", *agents, "--matches", "3000", "--workers", "1"],
        cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        await until(lambda: _stored(data_dir) > 5 or child.poll() is not None)
        assert child.poll() is None
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    for answer in ("Not now", "Resume"):
        async with opened(data_dir) as wiring:
            banner = wiring.pages["overview"]._recovery
            wiring.navigator.go(Place("overview"))
            await until(banner.isVisible)
            assert "none is played twice" in wiring.overview.state.recovery.text
            press(banner, answer)
            await until(lambda banner=banner: not banner.isVisible())
            if answer == "Resume":
                await until(lambda: wiring.rounds.state.run.state == "running" and wiring.rounds.state.run.done > 0)
                start = time.monotonic()
                wiring.rounds.stop_now()
                await until(lambda: wiring.rounds.state.run.state == "idle")
                assert time.monotonic() - start < 20
            fixtures = [match.fixture for match in wiring.rounds.state.matches]
            assert len(set(fixtures)) == len(fixtures)
            assert wiring.rounds.state.rounds[0].state == "playing"


def _stored(data: DataDir) -> int:
    """How many matches lie in the store by now."""
    import sqlite3

    try:
        with sqlite3.connect(f"file:{data.database}?mode=ro", uri=True) as db:
            return int(db.execute("SELECT count(*) FROM matches").fetchone()[0])
    except sqlite3.Error:
        return 0
