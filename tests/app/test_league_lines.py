"""Leagues in the window, promise by promise: wrong files, capped agents, faults by name, workers, settling once."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QLineEdit
from wasmtime import wat2wasm

from engine.core.paths import DataDir

Opened = Callable[..., Any]
STALL = 0.5  # seconds of processor time that the loop may keep to itself at a time


async def add_samples(wiring: Any, until: Any) -> None:
    wiring.league.add_samples()
    await until(lambda: len(wiring.roster.state.agents) == 7 and wiring.setup.state.agents == 7)
    await until(lambda: wiring.setup.state.systems)
    await until(lambda: wiring.pages["leagues"].setup._revision == wiring.setup.state.revision)
    wiring.setup.set_anchor(False)


async def play(wiring: Any, until: Any, **values: Any) -> Any:
    """Run a round by its button and return its result."""
    before = len(wiring.rounds.state.rounds)
    wiring.setup.edit({"matches": 2, "seed": 7, "system": "snake", "name": "test", **values}, True)
    button = wiring.pages["leagues"].setup._run
    await until(button.isEnabled)
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)
    await until(lambda: len(wiring.rounds.state.rounds) > before and wiring.rounds.state.run.state == "idle")
    return wiring.rounds.state.result


class Heart:
    """Beats on the console's loop and keeps the most processor time of its thread between two beats."""

    def __init__(self) -> None:
        self.beats, self.worst = 0, 0.0

    async def __aenter__(self) -> Heart:
        self._task = asyncio.create_task(self._beat())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()

    async def _beat(self) -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.01)
            self.worst, self.beats = max(self.worst, time.thread_time() - before), self.beats + 1


async def dialog(until: Any) -> QFileDialog:
    found = lambda: next((w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible()), 0)  # noqa: E731
    return await until(found)


async def test_a_wrong_file_names_its_export_or_import(
    opened: Opened, data_dir: DataDir, until: Any, drop: Any, tmp_path: Path, samples: Path
) -> None:
    files = {
        "lacks.wasm": '(module (func (export "decode") (param i64) (result i64) (i64.const 1)))',
        "imports.wasm": '(module (import "env" "clock" (func (result i64))) '
        '(func (export "decide") (param i64) (result i64) (i64.const 1)))',
        "shape.wasm": '(module (func (export "decide") (param i32) (result i64) (i64.const 1)))',
    }
    for name, text in files.items():
        (tmp_path / name).write_bytes(wat2wasm(text))
    async with opened(data_dir) as wiring, Heart() as heart:
        card = wiring.pages["leagues"].roster
        drop(wiring.window, *(tmp_path / name for name in files), samples / "greedy.wasm")
        await until(lambda: card._verdicts.row_count() == 4)
        rows = {row[0]: row for row in card._verdicts.visible_rows()}
        assert [rows[name][1] for name in files] == ["Rejected"] * 3
        assert rows["greedy.wasm"][1] == "Admitted"
        assert "'decide'" in rows["lacks.wasm"][2]
        assert "env.clock" in rows["imports.wasm"][2]
        assert "(i32) -> (i64)" in rows["shape.wasm"][2]
        await until(card._zone._button.isVisible)
        QTest.mouseClick(card._zone._button, Qt.MouseButton.LeftButton)  # the button does what the drop does
        chooser = await dialog(until)
        chooser.findChild(QLineEdit).setText(f'"{tmp_path / "lacks.wasm"}" "{samples / "trapper.wasm"}"')
        chooser.accept()
        await until(lambda: {row[0] for row in card._verdicts.visible_rows()} == {"lacks.wasm", "trapper.wasm"})
        await until(lambda: {agent.name for agent in wiring.roster.state.agents} == {"greedy", "trapper"})
    assert heart.worst < STALL


@pytest.mark.expects_log
async def test_what_is_no_file_of_ours_is_refused_with_a_reason(
    opened: Opened, data_dir: DataDir, until: Any, drop: Any, tmp_path: Path, samples: Path, monkeypatch: Any
) -> None:
    folder, huge, empty, cut = (tmp_path / n for n in ("folder.wasm", "huge.wasm", "empty.wasm", "cut.nets"))
    folder.mkdir()
    with huge.open("wb") as file:
        file.truncate(2 << 30)  # two gigabytes, of which the disk holds nothing
    empty.write_bytes(b"")
    cut.write_bytes(b"PK\x03\x04" + bytes(40))
    big = tmp_path / "big.nets"
    with big.open("wb") as file:
        file.truncate(2 << 30)
    os.mkfifo(tmp_path / "pipe.wasm")
    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)  # the path of a socket must be short
        server.bind("door.wasm")
        async with opened(data_dir) as wiring, Heart() as heart:
            card = wiring.pages["leagues"].roster
            drop(wiring.window, folder, huge, empty, tmp_path / "pipe.wasm", tmp_path / "door.wasm", cut, big,
                 samples / "greedy.wasm", samples / "greedy.wasm", tmp_path / "gone.wasm")  # fmt: skip
            await until(lambda: not wiring.roster.state.checking and card._verdicts.row_count() == 4)
            rows = {row[0]: (row[1], row[2]) for row in card._verdicts.visible_rows()}
            assert rows.pop("greedy.wasm")[0] == "Admitted"
            assert {word for word, _ in rows.values()} == {"Rejected"}
            assert all(len(why) > 8 for _, why in rows.values())
            told = " ".join(wiring.window.notices.texts())
            await until(lambda: any("cut.nets" in text or "big.nets" in text for text in wiring.window.notices.texts()))
            assert "folder.wasm" in told
            assert [agent.name for agent in wiring.roster.state.agents] == ["greedy"]
        assert heart.worst < STALL


async def test_capped_agents_forfeit_and_the_window_stays_responsive(
    opened: Opened, data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        await add_samples(wiring, until)
        async with Heart() as heart:
            result = await play(wiring, until, matches=20, budget=20_000)
        assert heart.beats > 20
        assert heart.worst < STALL
        page = wiring.pages["leagues"].round
        await until(lambda: page.matches.solo.row_count() == result.done == 140)
        causes: dict[str, set[str]] = {}
        for row in page.matches.solo.visible_rows():
            causes.setdefault(row[1], set()).add(row[2])
        assert causes["looper"] == {"Fault: out of gas"}
        assert all(text.startswith("Fault: trap") for text in causes["trapper"])
        assert "Finished" in causes["greedy"]
        await until(lambda: sum(row[2] for row in page.standings.solo.visible_rows()) == 140)
        standings = {row[1]: row for row in page.standings.solo.visible_rows()}
        assert all(row[2] == row[3] + row[4] for row in standings.values())
        assert standings["looper"][4] == standings["trapper"][4] == 20


async def test_one_worker_and_eight_give_the_same_hash(opened: Opened, tmp_path: Path, until: Any) -> None:
    hashes = []
    for workers in (1, 8):
        async with opened(DataDir.open(tmp_path / str(workers))) as wiring:
            settings = wiring.console.settings.model_copy(update={"workers": workers})
            wiring.console.settings = settings
            await add_samples(wiring, until)
            assert wiring.setup.config((), wiring.workers).workers == workers
            hashes.append((await play(wiring, until)).results_hash)
    assert hashes[0] == hashes[1]


@pytest.mark.expects_log
async def test_a_round_is_settled_once(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await add_samples(wiring, until)
        result = await play(wiring, until)
        wiring.console.settings = wiring.console.settings.model_copy(update={"confirm_chain_actions": False})
        card = wiring.pages["leagues"].settlement
        wiring.pages["leagues"].tabs.setCurrentIndex(3)
        await until(lambda: card.table.row_count() == 7 and card._settle.isEnabled())
        after = {row[1]: row[4] for row in card.table.visible_rows()}
        assert all(row[2] + row[3] == row[4] for row in card.table.visible_rows())
        QTest.mouseDClick(card._settle, Qt.MouseButton.LeftButton)
        QTest.mouseClick(card._settle, Qt.MouseButton.LeftButton)
        await until(lambda: card._settle.text() == "Settled" and not wiring.rounds.state.busy)
        assert not card._settle.isEnabled()
        await until(lambda: {row.address: row.credit for row in wiring.stakes.state.rows}.items() >= after.items())
        wiring.league.settle()  # by the palette
        wiring.rounds.settle(result.round_id)  # and past every guard of the window
        await until(lambda: any("settled already" in text for text in wiring.window.notices.texts()))
        assert {row.address: row.credit for row in wiring.stakes.state.rows}.items() >= after.items()
        assert wiring.runtime.store.ledger.audit("local") == {}
