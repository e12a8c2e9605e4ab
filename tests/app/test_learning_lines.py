"""The Learning chain page, promise by promise: phases, slots, votes, the loss gate, Krum, faults, forks, the label."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from app.links import Place
from engine.core.paths import DataDir
from engine.learning.results import PHASES
from widgets.slot_timeline import FINALISED, MISSED, ORPHANED, PROPOSED, STATES

Opened = Callable[..., Any]
SMALL = {
    "validators": 4,
    "trainers": 5,
    "slots": 6,
    "gate_texts": 4,
    "reveal": False,
    "canary_rate": 0.0,
    "round_every": 1,
}


async def shown(wiring: Any, until: Any, tab: str = "chain", **settings: Any) -> Any:
    """Show the page with a small committee and return it."""
    model = wiring.learning
    await until(lambda: model.state.scenarios)
    model.choose("committee")
    model.fill(**{**SMALL, **settings})
    wiring.navigator.go(Place("learning", f"tab/{tab}"))
    page = wiring.pages["learning"]
    await until(lambda: page.isVisible() and page.setup._revision == model.state.revision and page.bar.run.isEnabled())
    return page


def click(widget: Any) -> None:
    assert widget.isEnabled()
    assert widget.isVisible()
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton)


async def ended(wiring: Any, until: Any) -> Any:
    model = wiring.learning
    await until(lambda: model.state.run is not None and model.state.run.ended, 120)
    return model.state.run


async def test_the_five_phases_come_in_their_order(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page, model = await shown(wiring, until), wiring.learning
        seen: list[tuple[int, str]] = []
        while len(seen) < 7:
            step = await until(lambda: page.bar.step if page.bar.step.isEnabled() else None)
            click(step)
            await until(
                lambda: (
                    (run := model.state.run) is not None
                    and run.phase is not None
                    and run.state == "paused"
                    and [(run.phase.slot, run.phase.phase)] != seen[-1:]
                )
            )
            phase = model.state.run.phase
            seen.append((phase.slot, phase.phase))
            await until(lambda at=phase: page.bar.words.text() == f"Slot {at.slot}, {at.phase}: {at.text}")
        assert PHASES == ("propose", "train", "vote", "aggregate", "finalise")
        assert seen == [(0, name) for name in PHASES] + [(1, PHASES[0]), (1, PHASES[1])]
        assert page.bar.training.accessibleName() == "Simulated training (replayed)"


async def test_votes_gate_and_scores_add_up(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page, model = await shown(wiring, until, rule="krum", byzantine=1), wiring.learning
        click(page.bar.run)
        run = await ended(wiring, until)
        page.show_tab("votes")
        await until(lambda: page.votes.arithmetic.text())
        acks = list(run.acks.values())[-1]
        arithmetic = page.votes.arithmetic.text()
        assert arithmetic.startswith(f"Round {acks.round}: {acks.accepts} of {acks.committee} accept")
        assert f"ceil({acks.committee}/2) = {acks.quorum}: reached" in arithmetic
        rows = page.votes.matrix.state().rows
        assert len(rows) == len(run.acks)
        for row in rows:  # what is drawn is what is counted
            assert row.note.startswith(f"{row.votes.count('a')}/")
        page.show_tab("updates")
        await until(lambda: page.updates.table.row_count() == len(run.updates))
        judged = [row for row in page.updates.table.visible_rows() if row[4] is not None]
        assert judged
        for _, _, _, _, before, after, threshold, word, _ in judged:
            assert threshold == 0.999 * before
            assert word == ("Passed" if after < threshold else "Refused")
        update = next(one for one in run.updates.values() if one["raws"] and one["id"])
        model.select_update((update["round"], update["id"]))
        await until(lambda: page.updates.scores.state().title == f"Round {update['round']}: Krum, n = 5, f = 1")
        bars = page.updates.scores.state().bars
        assert sum(bar.chosen for bar in bars) == 1
        best = min(bars, key=lambda bar: bar.score)
        assert best.chosen
        assert all(bar.why for bar in bars if not bar.chosen)
        assert page.updates.scores.state().refused == ""
        assert "replayed from recorded training" in page.updates.losses._title.text()


async def test_krum_refuses_too_few_with_the_formula(opened: Opened, data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, "updates", slots=2, trainers=4, rule="krum", byzantine=1)
        click(page.bar.run)
        run = await ended(wiring, until)
        assert {update["reason"] for update in run.updates.values()} == {"too_few"}
        await until(lambda: page.updates.scores.state().refused)
        assert page.updates.scores.state().refused.startswith("n = 4 < 2f + 3 = 5")
        assert "4 < 2 x 1 + 3 = 5" in page.updates.words.text()
        assert not any(bar.chosen for bar in page.updates.scores.state().bars)


async def test_faults_at_one_click_are_slashed_within_three_slots(
    opened: Opened, data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        page, model = await shown(wiring, until, slots=24, validators=8, round_every=24), wiring.learning
        click(page.bar.step_slot)
        for kind, offence in (("equivocate_headers", "proposer_equivocation"), ("equivocate_votes", "double_vote")):
            await until(lambda: model.state.run is not None and model.state.run.state == "paused")
            page.show_tab("faults")
            made = page.faults.buttons[kind]
            await until(lambda one=made: one.isVisible() and one.isEnabled())
            count = len(model.state.run.faults)
            made.click()
            for _ in range(6):
                slot = model.state.run.slot
                click(await until(lambda: page.bar.step_slot if page.bar.step_slot.isEnabled() else None))
                await until(lambda at=slot: model.state.run.slot > at and model.state.run.state == "paused")
                if len(model.state.run.faults) > count and any(
                    e.reason == offence for e in model.state.run.slashed.values()
                ):
                    break
            fault = model.state.run.faults[count]
            slashing = next(event for event in model.state.run.slashed.values() if event.reason == offence)
            assert slashing.validator in fault.targets
            assert slashing.slot - fault.slot <= 3
        page.show_tab("refused")
        await until(lambda: page.refused.slashed.row_count() == 2)
        model.stop()
        await ended(wiring, until)


async def test_a_partition_shows_every_state_of_a_slot_and_a_fork(
    opened: Opened, data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        page = await shown(wiring, until, slots=44, validators=6, slots_per_epoch=4, round_every=44, trainers=4)
        model = wiring.learning
        click(page.bar.step_slot)

        async def go_to(slot: int) -> None:
            while model.state.run.slot < slot:
                before = model.state.run.slot
                model.step("slot")
                await until(lambda at=before: model.state.run.slot > at and model.state.run.state == "paused")

        await until(lambda: model.state.run is not None and model.state.run.state == "paused")
        await go_to(12)
        assert model.inject("partition", "") == ""
        assert model.inject("silent_proposer", "") == ""
        await go_to(22)
        assert model.inject("heal", "") == ""
        model.run()
        run = await ended(wiring, until)
        assert {PROPOSED, MISSED, ORPHANED, FINALISED} <= set(run.states)
        page.show_tab("chain")
        words = await until(page.timeline.accessibleDescription)
        orphaned = next(at for at, state in enumerate(run.states) if state == ORPHANED)
        model.select_slot(orphaned)
        await until(lambda: page.timeline.state().selected == orphaned)
        await until(lambda: STATES[ORPHANED] in page.timeline.accessibleDescription())
        assert words
        await until(lambda: "in 1 lanes" not in page.chain.graph.accessibleDescription())
        assert "orphaned" in page.chain.graph.accessibleDescription()
