"""A data directory in which everything is damaged: it is kept aside, told, and the console starts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QLabel

from app.window import _kept_layout
from engine.core.paths import DataDir

RUBBISH = b"\x00\xff[half\n\x02"


@pytest.mark.parametrize("content", [RUBBISH, b"[layout\ngeometry", b"x" * 1_000_000])
def test_a_damaged_layout_is_kept_and_the_next_one_is_new(tmp_path: Path, content: bytes, qapp: Any) -> None:
    path = tmp_path / "window.ini"
    path.write_bytes(content)
    layout, told = _kept_layout(path)
    assert "window.corrupt.ini" in told and (tmp_path / "window.corrupt.ini").read_bytes() == content
    layout.setValue("collapsed", "true")
    layout.sync()
    del layout
    again, told = _kept_layout(path)
    assert not told and again.value("collapsed") == "true"


def test_no_layout_and_an_empty_one_are_no_damage(tmp_path: Path, qapp: Any) -> None:
    assert _kept_layout(tmp_path / "window.ini")[1] == ""
    (tmp_path / "window.ini").touch()
    assert _kept_layout(tmp_path / "window.ini")[1] == ""


@pytest.mark.expects_log
async def test_the_console_starts_on_damaged_settings_layout_state_journal_and_bundle(
    opened: Any, data_dir: DataDir, until: Any
) -> None:
    damaged = {
        "settings.toml": data_dir.root / "settings.toml",
        "window.ini": data_dir.root / "window.ini",
        "state": data_dir.root / "devnet" / "state.json",
        "node": data_dir.root / "devnet" / "node.json",
        "journal": data_dir.root / "learning" / "1" / "journal.log",
        "run": data_dir.root / "learning" / "1" / "run.json",
        "bundle": data_dir.root / "match.nets",
    }
    for path in damaged.values():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(RUBBISH)
    async with opened(data_dir, damaged["bundle"]) as wiring:

        def told() -> str:
            return " ".join(label.text() for label in wiring.window.notices.findChildren(QLabel))

        await until(lambda: "match.nets" in told())
        texts = told()
        assert "settings" in texts and "window.corrupt.ini" in texts
        assert wiring.console.settings.theme == "system"  # the defaults
        assert not wiring.learning.state.rows
    assert (data_dir.root / "settings.corrupt.toml").exists() or (data_dir.root / "settings.unreadable.toml").exists()
