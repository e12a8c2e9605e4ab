"""A damaged store at the console's start: the backup, an empty store or leaving, by a button each."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from app.console import Console
from app.dialogs import Dialog
from engine.core.paths import DataDir
from engine.store.backup import backups, keep_backup
from engine.store.damage import date_of
from engine.store.database import Store

RUBBISH = b"not a database at all" * 400


@pytest.fixture
def damaged(data_dir: DataDir) -> Path:
    """The path of a damaged store with a backup, in which there is one entry."""
    store = Store.open(data_dir.database)
    with store.transaction() as db:
        db.execute("INSERT INTO ledger VALUES (1, 'k', 'local', 'deposit', 'bank', '0x7', '5', NULL, 1.5)")
    keep_backup(store.db, data_dir.database)
    store.close()
    data_dir.database.write_bytes(RUBBISH)
    return data_dir.database


def entries(path: Path) -> int:
    store = Store.open(path)
    try:
        return int(store.db.execute("SELECT COUNT(*) FROM ledger").fetchone()[0])
    finally:
        store.close()


async def asked(data: DataDir, until: Any) -> tuple[Console, asyncio.Task[int], dict[str, QPushButton], str]:
    """Start a console and wait for its question; return its buttons by their words, and its text."""
    app = QApplication.instance()
    assert isinstance(app, QApplication)
    console = Console(app, data)
    running = asyncio.create_task(console.run([]))
    dialog = await until(lambda: next((d for d in console.window.findChildren(Dialog) if d.isVisible()), None))
    buttons = {found.text(): found for found in dialog.findChildren(QPushButton)}
    return console, running, buttons, " ".join(found.text() for found in dialog.findChildren(QLabel))


@pytest.mark.expects_log
@pytest.mark.parametrize("back", [True, False])
async def test_a_button_mends_it_and_the_console_goes_on(
    data_dir: DataDir, damaged: Path, until: Any, back: bool
) -> None:
    saved = backups(damaged)[0]
    console, running, buttons, text = await asked(data_dir, until)
    words = f"Go back to the backup of {date_of(saved)}" if back else "Start with an empty store"
    (kept,) = damaged.parent.glob("*.damaged.*")
    assert "is damaged" in text and kept.name in text
    assert list(buttons) == ["Quit", "Start with an empty store", f"Go back to the backup of {date_of(saved)}"]
    assert damaged.read_bytes() == RUBBISH  # nothing is done unasked
    buttons[words].click()
    await asyncio.wait_for(console.wait_ready(), 60)
    notices = " ".join(found.text() for found in console.window.notices.findChildren(QLabel))
    assert kept.name in notices and (saved.name in notices) == back
    console.close()
    assert await asyncio.wait_for(running, 60) == 0
    assert entries(damaged) == (1 if back else 0)
    assert kept.read_bytes() == RUBBISH


@pytest.mark.expects_log
async def test_leaving_changes_nothing(data_dir: DataDir, damaged: Path, until: Any) -> None:
    for saved in backups(damaged):
        saved.unlink()
    _, running, buttons, _ = await asked(data_dir, until)
    assert list(buttons) == ["Quit", "Start with an empty store"]
    buttons["Quit"].click()
    assert await asyncio.wait_for(running, 60) == 1
    assert damaged.read_bytes() == RUBBISH


@pytest.mark.expects_log
async def test_closing_the_window_is_leaving(data_dir: DataDir, damaged: Path, until: Any) -> None:
    console, running, _, _ = await asked(data_dir, until)
    console.window.close()
    assert await asyncio.wait_for(running, 60) == 1
    assert damaged.read_bytes() == RUBBISH
