"""The way to the first frame: what is imported by when, and what costs nothing while nobody looks."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.console import theme_of
from app.links import Place
from engine.core.paths import DataDir
from engine.core.process import NICE, prefer_this_process
from engine.core.workers import Workers

ROOT = Path(__file__).parents[2]
NEVER = {"torch", "web3", "transformers", "scipy", "networkx", "pandas", "matplotlib"}
Opened = Callable[..., Any]


def test_nothing_heavy_is_imported_before_the_first_frame_and_little_before_the_pages(data_dir: DataDir) -> None:
    """A console as a process: ``gui_probe`` tells what of a list of heavy modules was there when it painted."""
    command = [sys.executable, "tests/bench/gui_probe.py", "start", str(data_dir.root), repr(time.monotonic())]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    told = {value["what"]: value for value in map(json.loads, done.stdout.splitlines())}
    assert told["paint"]["modules"] == []
    assert not NEVER & set(told["ready"]["modules"])
    assert told["ready"]["sources"] < 60  # those of Qt's modules; one of each of 900 others takes 25 MiB


async def test_workers_give_way_to_the_window(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NICE, raising=False)
    before = os.getpriority(os.PRIO_PROCESS, 0)
    prefer_this_process(before + 3)
    try:
        workers = Workers(1)
        assert await workers.run(os.getpriority, os.PRIO_PROCESS, 0) == before + 3
        await workers.close()
        assert os.getpriority(os.PRIO_PROCESS, 0) == before
    finally:
        os.environ.pop(NICE)


@pytest.mark.parametrize(
    ("text", "theme"),
    [
        ('theme = "dark"\n', "dark"),
        ('theme = "pink"\n', "system"),
        ("theme = [1]\n", "system"),
        ("no toml at all", "system"),
        ("", "system"),
    ],
)
def test_the_first_frame_has_the_theme_of_the_settings(data_dir: DataDir, text: str, theme: str) -> None:
    (data_dir.root / "settings.toml").write_text(text, "utf-8")
    assert theme_of(data_dir) == theme
    (data_dir.root / "settings.toml").write_bytes(b"\xff\xfe")
    assert theme_of(data_dir) == "system"


async def test_a_page_out_of_sight_does_no_work_when_things_happen(
    opened: Opened, data_dir: DataDir, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(data_dir) as wiring:
        drawn: list[str] = []
        wiring.navigator.go(Place("overview"))
        await until(lambda: wiring.consensus.state.game and wiring.learning.state.scenarios)
        learning, live = wiring.pages["learning"], wiring.pages["consensus"].live
        for part in learning.parts:
            monkeypatch.setattr(part, "draw", lambda state, p=part: drawn.append(type(p).__name__))
        monkeypatch.setattr(learning.timeline, "set_state", lambda state: drawn.append("timeline"))
        monkeypatch.setattr(live.gap, "set_state", lambda state: drawn.append("gap"))
        monkeypatch.setattr(live.pictures, "show_run", lambda game, run, at: drawn.append("pictures"))
        shown: list[object] = []
        until_shown = wiring.consensus.observe(shown.append)
        wiring.consensus.update(beat=wiring.consensus.state.beat + 1)
        await until(lambda: len(shown) > 1)  # the first game has been taken in by then
        until_shown()
        drawn.clear()
        flushed = []
        end = wiring.learning.observe(lambda state: flushed.append(state.beat))
        for _ in range(3):
            wiring.learning.update(beat=wiring.learning.state.beat + 1)
            wiring.consensus.update(beat=wiring.consensus.state.beat + 1)
            seen = len(flushed)
            await until(lambda n=seen: len(flushed) > n)
            await asyncio.sleep(0)
        end()
        assert drawn == []
        wiring.navigator.go(Place("learning"))
        await until(lambda: drawn)
