"""The guided demo in the console: step by step, each step leading to what it made; stopped half-way, begun again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLineEdit

from app.links import made_link
from app.pages.demo_card import summary
from app.pages.leagues import DISPUTES, SETTLEMENT, TABS
from app.viewmodels.demo import FRESH
from engine.core.paths import DataDir
from engine.demo import STEPS

pytestmark = pytest.mark.chain
KEYS = tuple(step.key for step in STEPS)


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    return DataDir.open(tmp_path / "data")


def nodes(data: DataDir) -> list[psutil.Process]:
    found = psutil.process_iter(["name", "cmdline"])
    return [
        p for p in found if "anvil" in (p.info["name"] or "") and str(data.root) in " ".join(p.info["cmdline"] or ())
    ]


async def stepped(wiring: Any, until: Any, key: str) -> None:
    """Press Next until a step is the next one."""
    card, overview = wiring.pages["overview"].demo, wiring.overview
    while True:
        await until(lambda: overview.state.demo_state in ("waiting", "failed") and card.next.isVisible())
        assert overview.state.demo_state == "waiting"
        ahead = next(step.key for step in overview.state.demo if step.state == "next")
        if ahead == key:
            return
        QTest.keyClick(card.next, Qt.Key.Key_Return)
        await until(lambda ahead=ahead: state_of(wiring, ahead) not in ("next", "pending"))


def state_of(wiring: Any, key: str) -> str:
    return next(step.state for step in wiring.overview.state.demo if step.key == key)


async def test_step_by_step_each_step_says_why_and_leads_to_what_it_made(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        wiring.workspaces.use_this()
        card = wiring.pages["overview"].demo
        await until(card.walk.isVisible)
        card.walk.setFocus()
        QTest.keyClick(card.walk, Qt.Key.Key_Return)
        await stepped(wiring, until, "agents")
        assert [state_of(wiring, key) for key in KEYS[:3]] == ["done", "done", "next"]
        assert QApplication.focusWidget() is card.next, "the keyboard goes on to what comes next"
        assert not card.run.isVisible() and card.stop.isVisible()
        await until(wiring.commands.actions["demo.next"].isEnabled)
        assert not wiring.runtime.league.agents()
        wiring.overview.next_step()
        await stepped(wiring, until, "host")
        assert wiring.runtime.league.agents()
        wiring.overview.run_rest()
        await until(lambda: wiring.overview.state.demo_state in ("done", "failed"), 240)
        assert [state_of(wiring, key) for key in KEYS] == ["done"] * len(KEYS)
        assert all(step.text.endswith(".") and step.detail for step in wiring.overview.state.demo)
        await until(lambda: card.run.text() == "Run again")
        await every_link_leads_there(wiring, until)
    assert nodes(data_dir) == []


async def every_link_leads_there(wiring: Any, until: Any) -> None:
    links = {step.key: step.link for step in wiring.overview.state.demo}
    pages = wiring.pages
    (host,) = [r.round_id for r in wiring.runtime.league.rounds() if r.name == "demo-host"]
    (played,) = [r.round_id for r in wiring.runtime.league.rounds() if r.name == "demo"]
    for key, page in (("devnet", "devnet"), ("contracts", "devnet"), ("agents", "leagues")):
        wiring.follow(links[key])
        assert wiring.navigator.here.page == page
    vault = wiring.runtime.devnet and next(c.address for c in (await wiring.runtime.chain()).deployment.contracts)
    assert vault in [field.text() for field in pages["devnet"].findChildren(QLineEdit)]
    for key, round_id, tab in (("host", host, DISPUTES), ("round", played, 1), ("claim", played, SETTLEMENT)):
        wiring.follow(links[key])
        assert wiring.rounds.state.selected == round_id
        assert pages["leagues"].tabs.currentIndex() == tab, TABS[tab]
    wiring.follow(links["replay"])
    replayed = await until(
        lambda: wiring.replay.state.facts and not wiring.replay.state.opening and wiring.replay.state
    )
    await until(lambda: wiring.replay.state.step)
    assert replayed.round_id == played
    wiring.follow(links["proof"])
    await until(lambda: wiring.merkle.state.facts and wiring.merkle.state.facts.kind == "match")
    assert wiring.merkle.state.round_id == played
    wiring.follow(links["settle"])
    assert wiring.navigator.here.page == "stakes"
    wiring.follow(links["consensus"])
    agreed = await until(lambda: wiring.agreement.state.run)
    assert agreed.result is not None and agreed.result.converged
    assert pages["consensus"].agents.isVisible()
    await until(lambda: wiring.learning.state.rows)
    wiring.follow(links["learning"])
    learned = await until(lambda: wiring.learning.state.run)
    assert (learned.scenario, learned.state) == ("first_update", "done")
    for _ in range(2):
        wiring.navigator.back()
    assert wiring.navigator.here.page == "stakes"


async def test_stopped_half_way_it_leaves_nothing_at_work_and_begins_again(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        wiring.workspaces.use_this()
        wiring.overview.run_demo()
        await until(lambda: state_of(wiring, "round") == "running", 240)
        wiring.overview.cancel_demo()
        await until(lambda: wiring.overview.state.demo_state == "idle")
        await until(lambda: not wiring.jobs.state.jobs)
        assert "running" not in {step.state for step in wiring.overview.state.demo}
        wiring.overview.walk_demo()
        wiring.overview.run_demo()  # one at a time
        await stepped(wiring, until, "contracts")
        wiring.overview.cancel_demo()
        await until(lambda: wiring.overview.state.demo_state == "idle")
        assert state_of(wiring, "contracts") == "pending"
        wiring.overview.run_rest()
        assert wiring.overview.state.demo_state == "idle"
    assert nodes(data_dir) == []


async def test_stopped_while_agents_agree_it_stops_their_round_too(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        wiring.workspaces.use_this()
        wiring.overview.run_demo()
        kept = await until(lambda: next(iter(wiring.runtime.consensus.runs()), None), 240)
        run = await until(lambda: wiring.runtime.consensus.run(kept.run_id))
        wiring.overview.cancel_demo()
        await until(lambda: wiring.overview.state.demo_state == "idle")
        assert (run.state, run.done) == ("cancelled", True)
        await until(lambda: not wiring.jobs.state.jobs)


def test_the_summary_says_how_far_it_is() -> None:
    assert "offline" in summary(FRESH, "idle")
    one = (type(FRESH[0])("a", "First", "Why.", "done"), type(FRESH[0])("b", "Second", "Why.", "running"))
    assert summary(one, "running") == "Step 2 of 2: Second"
    assert summary((one[0], type(one[0])("b", "Second", "Why.", "next")), "waiting") == "1 of 2 done. Next: Second"
    assert summary((one[0], type(one[0])("b", "Second", "Why.", "failed")), "failed") == "Stopped at step 2: Second"
    left = (one[0], type(one[0])("b", "Second", "Why.", "skipped"))
    assert "1 left out" in summary(left, "done")


def test_what_a_step_made_has_a_place_or_none() -> None:
    assert made_link(()) == "" == made_link(("nothing known", "1"))
    assert made_link(("round", "abc")) == "nash:leagues/round/abc"
    assert made_link(("leaf", "abc", "3", "0")) == "nash:merkle/step/abc/3/0"
