"""What keeps the loop free: parts that are shown apart, at most so often, and painted only where they changed."""

import asyncio
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from app.links import Place
from app.pages.base import InSight, Tabs
from app.pages.consensus_live import PIECE, LiveTab
from app.viewmodels.consensus import ConsensusState
from app.viewmodels.consensus_games import build
from app.viewmodels.consensus_runs import RunRecord
from engine.games.live import Frame
from engine.games.methods import method_for
from engine.games.options import SolveOptions
from tests.events import Events


async def turns_of_the_loop(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0.001)


async def test_tabs_are_painted_anew_only_where_they_are_laid_out_anew(qapp):
    tabs, page, text = Tabs("Parts"), QWidget(), QLabel("10 steps")
    QVBoxLayout(page).addWidget(text)
    still = QLabel("Stands still")
    page.layout().addWidget(still)
    tabs.addTab(page, "One")
    tabs.resize(400, 300)
    tabs.show()
    await turns_of_the_loop()
    text.setText("11 steps")  # the first one after it is shown finds what it needs
    await turns_of_the_loop()
    ear, asked = Events(still), Events(tabs)
    for step in range(12, 20):
        text.setText(f"{step} steps")
        await turns_of_the_loop()
    assert asked.count[QEvent.Type.LayoutRequest] == 8
    assert ear.count[QEvent.Type.Paint] == 0
    text.setMinimumSize(600, 500)
    await turns_of_the_loop()
    assert tabs.minimumSizeHint().height() > 500
    tabs.close()
    tabs.deleteLater()


async def test_a_part_rests_and_shows_the_last_of_what_came(qapp):
    shown: list[int] = []
    part = QWidget()
    part.show()
    sight = InSight(part, shown.append, rest=50)
    for state in range(10):
        sight(state)
    assert shown == [0]
    async with asyncio.timeout(30):
        while len(shown) < 2:
            await asyncio.sleep(0.01)
    assert shown == [0, 9]
    part.hide()
    sight(10)
    await asyncio.sleep(0.12)
    assert shown == [0, 9]
    part.show()
    assert shown == [0, 9, 10]
    part.close()
    part.deleteLater()


async def test_a_run_paints_nothing_of_the_form(opened, data_dir, until):
    async with opened(data_dir) as wiring:
        page, model = wiring.pages["consensus"], wiring.consensus
        await until(lambda: model.state.choice and not model.state.building)
        model.choose("rps", {})
        await until(lambda: model.state.choice == "rps" and not model.state.building and model.state.ready)
        model.fill(method="mwu", iterations=2_000_000, epsilon=1e-9, stride=1)
        wiring.navigator.go(Place("consensus"))
        model.run()
        await until(lambda: model.state.run is not None and model.state.run.iteration > 1000)
        await asyncio.sleep(0.5)  # plots are built, the run bar has its hash
        form, gap = Events(page.setup.group), Events(page.live.gap._plot.viewport())
        texts = {page.bar.verdict.text()}
        while len(texts) < 6:
            await asyncio.sleep(0.05)
            texts.add(page.bar.verdict.text())
        assert gap.count[QEvent.Type.Paint] > 0
        assert form.count[QEvent.Type.Paint] == 0
        model.stop()
        await until(lambda: model.state.run.ended)


async def test_a_round_after_a_round_leaves_what_is_beneath_where_it_is(qapp, until):
    from app.pages.league_round import RoundCard
    from app.viewmodels.rounds import RoundsState, RunView

    class Model:
        stop_after_current = stop_now = print

        def observe(self, show):
            shows.append(show)
            show(RoundsState())
            return lambda: None

    shows, rounds = [], (SimpleNamespace(name="A round", number=1, round_id="id"),)
    card = RoundCard(Model())
    card.resize(900, 900)
    card.show()
    await turns_of_the_loop()
    tops = []
    for run in (RunView("running", total=30), RunView(), RunView("running", total=30), RunView()):
        card._show_head(RoundsState(rounds, "id", run=run))
        await turns_of_the_loop()
        tops.append(card.standings.mapTo(card, card.standings.rect().topLeft()).y())
        assert card._progress.isVisible() and card._now.isVisible()  # the next round may begin at once
        assert card._now.isEnabled() == (run.state == "running")
    assert len(set(tops)) == 1
    card._model.state = RoundsState(rounds, "id")
    await until(lambda: not card._progress.isVisible() and not card._now.isVisible() and not card._note.isVisible())
    assert len(shows) > 1  # each part hears apart
    card.close()
    card.deleteLater()


async def test_what_came_unseen_is_looked_at_in_pieces(qapp, until):
    game = build("rps", {})
    run = RunRecord(1, game, method_for(game, "mwu"), SolveOptions(), "A run")
    at, shares = np.arange(100_000), np.full((100_000, 6), 1 / 3)
    told = Frame(at, 1 / (1 + at), shares, (shares[0, :3], shares[0, :3]), "", "paused", 1.0, 900.0, None, "ab")
    run.take(told, tuple((player, index) for player in (0, 1) for index in range(3)))
    grown: list[int] = []
    whole = run.trace.grow
    run.trace.grow = lambda values: (whole(values), grown.append(run.trace.behind))[0]
    tab = LiveTab()
    tab.resize(1000, 700)
    tab.show()
    for plot in (tab.gap, *tab.panels):
        plot.ensure_built()
    tab.show_state(ConsensusState(game=game, run=run, runs=(run,)))
    assert run.trace.behind == 100_000
    await until(lambda: tab.gap.points_drawn and all(panel.points_drawn for panel in tab.panels[:2]))
    pieces = [before - after for before, after in pairwise([100_000, *grown])]
    assert len(pieces) > 10
    assert max(pieces) * run.trace.channels <= PIECE
    assert run.trace.behind == 0
    tab.close()
    tab.deleteLater()
