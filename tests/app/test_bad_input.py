"""What no page should be given: huge and endless files, links to nowhere, double clicks, jobs cancelled half-way."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.links import Place
from engine.core.paths import DataDir, assets_dir
from engine.league.bundle import Bundle, write_bundle
from engine.league.gate import SyncGate
from engine.league.match import MatchRequest, run_match
from engine.league.sandbox import Sandbox

Opened = Callable[..., Any]
STALL = 0.5  # seconds of processor time
NOWHERE = (
    *("nash:replay/match", "nash:replay/match/x", "nash:replay/match/x/y", "nash:replay/match/x/1/2/3"),
    *("nash:learning/slot/99999999999999999999", "nash:learning/slot/²", "nash:learning/run/²"),
    *("nash:learning/validator/99999999999999999999", "nash:learning/update/none", "nash:learning/run/7777777"),
    *("nash:merkle/leaf/none/99999999999999999999", "nash:merkle/step/none/1/2", "nash:merkle/leaf/none/-1"),
    *("nash:leagues/round/none", "nash:leagues/tab/none", "nash:consensus/tab/none", "nash:consensus/agents/none"),
    *("nash:nowhere/x", "nash:", "http://example.org/", ""),
)  # fmt: skip


@pytest.mark.expects_log
async def test_huge_and_endless_files_are_refused_at_once(
    opened: Opened, data_dir: DataDir, until: Any, drop: Any, tmp_path: Path
) -> None:
    huge, endless = [tmp_path / f"huge.{kind}" for kind in ("json", "toml", "nets")], []
    for path in huge:
        with path.open("wb") as file:
            file.truncate(2 << 30)  # two gigabytes, of which the disk holds nothing
    for kind in ("json", "toml", "nets", "nfg"):
        endless.append(tmp_path / f"endless.{kind}")
        os.mkfifo(endless[-1])
    async with opened(data_dir) as wiring:
        for path in (*huge, *endless):
            wiring.window.notices.clear()
            began = time.thread_time()
            drop(wiring.window, path)
            assert time.thread_time() - began < STALL
            (text,) = await until(wiring.window.notices.texts)
            assert path.name in text
            assert any(word in text for word in ("too large", "are allowed", "is a pipe"))
        wiring.window.notices.clear()
        wiring.open_files(endless)  # by the dialog or the command line
        await until(lambda: "pipes and devices" in " ".join(wiring.window.notices.texts()))


@pytest.mark.expects_log
async def test_links_to_nowhere_lead_nowhere(opened: Opened, data_dir: DataDir) -> None:
    async with opened(data_dir) as wiring:
        for link in NOWHERE:
            wiring.follow(link)
            await asyncio.sleep(0.05)
        assert wiring.window.isVisible()
        wiring.navigator.go(Place("replay"))
        assert wiring.replay.state.facts is None


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A long match and a short one."""
    folder, made = tmp_path_factory.mktemp("bundles"), []
    with SyncGate() as gate, Sandbox(folder / "compiled", deadline=20) as sandbox:
        for system, agents in (
            ("chess", ("random_mover", "random_mover")),
            ("kuhn", ("folder", "maniac")),
        ):
            module = (assets_dir() / "systems" / f"{system}.wasm").read_bytes()
            files = tuple((assets_dir() / "agents" / system / f"{name}.wasm").read_bytes() for name in agents)
            image = gate.check(module, "system").system()
            request = MatchRequest(image, tuple(gate.check(f, "agent").agent() for f in files), 11, 1_000_000)
            path = folder / f"{system}.nets"
            write_bundle(path, Bundle.of(request, run_match(request, sandbox), module, files))
            made.append(path)
    return made


async def test_the_match_that_was_asked_for_last_is_shown(
    opened: Opened, data_dir: DataDir, until: Any, bundles: list[Path]
) -> None:
    long, short = bundles
    async with opened(data_dir) as wiring:
        for first, last in ((long, short), (short, long)):
            for path in (first, last, first, last):
                wiring.replay.open_file(path)
            await until(lambda: not any(task.get_name().startswith("Opening ") for task in asyncio.all_tasks()))
            assert wiring.replay.state.opening == ""
            assert wiring.replay.state.facts.name == last.name
            bar = wiring.pages["replay"]._transport
            for text in ("", "-5", "many", "9" * 40, "1e3"):
                bar._field.setFocus()
                bar._field.setText(text)
                QTest.keyClick(bar._field, Qt.Key.Key_Return)
                assert 0 <= wiring.replay.state.step <= wiring.replay.state.facts.steps


async def test_a_double_click_starts_one_run_and_jobs_end_half_way(
    opened: Opened, data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        games, agents, chain = wiring.consensus, wiring.agreement, wiring.learning
        await until(lambda: games.state.ready and agents.state.task and chain.state.scenarios)
        games.fill(method="fictitious-play", epsilon=1e-12)
        games.set_speed(10.0)
        agents.fill(hybrid_mode=False, convergence_threshold=1e-9)
        agents.set_speed(1.0)
        chain.choose("committee")
        chain.fill(validators=4, trainers=5, slots=200, gate_texts=4, reveal=False, canary_rate=0.0)
        chain.set_speed(0.5)
        page = wiring.pages["consensus"]
        for place, model, bar in (
            (Place("consensus", "tab/live"), games, page.bar),
            (Place("consensus", "agents/live"), agents, page.agents.bar),
            (Place("learning", "tab/chain"), chain, wiring.pages["learning"].bar),
        ):
            wiring.navigator.go(place)
            await until(lambda one=bar: one.run.isVisible() and one.run.isEnabled())
            QTest.mouseClick(bar.run, Qt.MouseButton.LeftButton)
            QTest.mouseDClick(bar.run, Qt.MouseButton.LeftButton)
            await until(lambda one=model: one.state.run is not None and one.state.run.state == "running")
            assert len(model.state.runs) == 1
            (job,) = await until(lambda: wiring.runtime.jobs._running)
            wiring.jobs.cancel(job)
            await until(lambda one=model: not one.state.busy)
            assert model.state.run.state in ("cancelled", "done")
            await until(lambda one=bar: one.pill.accessibleName() == "Stopped" and one.run.isEnabled())
