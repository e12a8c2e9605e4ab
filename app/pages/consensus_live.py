"""The live tab of the Consensus page: the gap, the picture that suits the game, the strategies over time."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial

from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QComboBox, QStackedWidget, QWidget

from app.pages.base import SideBySide, side_by_side
from app.pages.consensus_pictures import (
    arrow_state,
    bars_state,
    gap_state,
    panel_state,
    picture_of,
    positions_state,
    simplex_players,
    simplex_state,
)
from app.viewmodels.consensus import ConsensusState
from app.viewmodels.consensus_runs import RunRecord
from engine.games.consensus import ConsensusGame
from engine.games.games import Game
from widgets.arrow_field import ArrowField
from widgets.basics import column, label, row
from widgets.curve_plot import CurvePlot
from widgets.plot import CrosshairLink
from widgets.position_plot import PositionPlot
from widgets.profile_bars import ProfileBars, ProfileBarsState
from widgets.simplex_view import SimplexView

PANELS = 3  # players drawn at once
BARS = 8
SLOW_S = 0.2  # what costs more than a frame has is drawn so often
PICTURE_S = 0.1  # painted pictures, while it runs
PIECE = 1 << 15  # values of curves that are looked at in one go: a millisecond
KINDS = ("simplex", "arrows", "positions", "bars")


class Pictures(QStackedWidget):
    """One picture of the play, whichever suits the game."""

    def __init__(self) -> None:
        super().__init__()
        self.simplex = [SimplexView() for _ in range(PANELS)]
        self.arrows, self.positions, self.bars = ArrowField(), PositionPlot(), ProfileBars()
        triangles = QWidget()
        triangles.setLayout(row(*self.simplex, spacing=12))
        bars = QWidget()
        body = column(bars, spacing=8)
        body.addWidget(label("Strategies now", "strong"))
        body.addWidget(self.bars)
        body.addStretch(1)
        for widget in (triangles, self.arrows, self.positions, bars):
            self.addWidget(widget)
        self.setMinimumHeight(260)

    def show_run(self, game: Game | None, run: RunRecord | None, at: int = 0) -> None:
        """Draw the play; of several triangles one."""
        kind = picture_of(game)
        self.setVisible(bool(kind))
        if not kind or game is None:
            return
        self.setCurrentIndex(KINDS.index(kind))
        if kind == "simplex":
            players, view = simplex_players(game), self.simplex[at]
            view.setVisible(at < len(players))
            if at < len(players):
                view.set_state(simplex_state(game, run, players[at]))
        elif at:
            return
        elif kind == "arrows":
            self.arrows.set_state(arrow_state(game, run))
        elif kind == "positions":
            self.positions.set_state(positions_state(run, game))
        else:
            self.bars.set_state(bars_state(run, BARS) if run is not None else ProfileBarsState())


class LiveTab(QWidget):
    """Gap, picture, strategies."""

    def __init__(self) -> None:
        super().__init__()
        self.gap = CurvePlot()
        self.gap.setMinimumHeight(260)
        self.pictures = Pictures()
        self.panels = [CurvePlot() for _ in range(PANELS)]
        self._which = QComboBox()
        self._which.setAccessibleName("Players shown")
        self._which.setMinimumWidth(160)
        self._heading = label("Strategies over time", "strong")
        self._link = CrosshairLink([self.gap, *self.panels])
        self._state: ConsensusState | None = None
        self._seen: dict[str, tuple[RunRecord | None, Game | None, float]] = {}
        self._count = 0
        self._growing = False
        body = column(self, spacing=12)
        self.top: SideBySide = side_by_side(self.gap, self.pictures, stretches=(1, 1), narrow=460)
        body.addWidget(self.top, 5)
        self._choice = QWidget()
        self._choice.setLayout(row(self._heading, None, self._which))
        body.addWidget(self._choice)
        for panel in self.panels:
            panel.setMinimumHeight(190)
        self.below: SideBySide = side_by_side(*self.panels, stretches=(1, 1, 1), narrow=400)
        body.addWidget(self.below, 4)
        self._which.activated.connect(lambda _: self._draw_panels())

    def show_state(self, state: ConsensusState) -> None:
        """Draw the run."""
        for part in self.parts():
            part(state)

    def parts(self) -> tuple[Callable[[ConsensusState], None], ...]:
        """Return what shows a state a part at a time: all of it takes longer than a turn of the loop should."""
        pictures = (partial(self._show_picture, at) for at in range(PANELS))
        return self._show_gap, *pictures, *(partial(self._show_panel, at) for at in range(PANELS))

    def _due(self, part: str, state: ConsensusState, rest: float = 0.0) -> bool:
        """Whether a part is to be drawn: of another run or game in any case, else in sight, and after its rest."""
        run, now = state.run, time.monotonic()
        seen = self._seen.get(part)
        fresh = seen is None or seen[0] is not run or seen[1] is not state.game
        resting = seen is not None and run is not None and run.state == "running" and now - seen[2] <= rest
        if not fresh and (resting or not self.isVisible()):
            return False
        if not self._ready(run):
            return False
        self._seen[part] = (run, state.game, now)
        return True

    def _ready(self, run: RunRecord | None) -> bool:
        """Whether a run's curves can be drawn now: what a fast method told while nobody looked is looked at first."""
        if run is None or run.trace.behind * run.trace.channels <= PIECE:
            return True
        if not self._growing:
            self._growing = True
            QTimer.singleShot(0, self, self._grow)
        return False

    def _grow(self) -> None:
        """Look at some of the points that wait, and show the run when there are few left."""
        self._growing = False
        run = self._state.run if self._state is not None else None
        if run is not None:
            run.trace.grow(PIECE)
            if self._ready(run):
                self._show_on(self.parts())

    def _show_on(self, parts: Sequence[Callable[[ConsensusState], None]]) -> None:
        """Show the parts, each in a turn of its own."""
        if parts and self._state is not None:
            parts[0](self._state)
            QTimer.singleShot(0, self, partial(self._show_on, parts[1:]))

    def _show_gap(self, state: ConsensusState) -> None:
        self._state = state
        if not self._due("gap", state):
            return
        run = state.run
        self._fill(run)
        self.below.setVisible(run is not None)
        runs = [run] if run is not None else []
        pinned = next((r for r in state.runs if r.number == state.baseline and r is not run), None)
        if pinned is not None and run is not None:
            runs.append(pinned)
        names = [r.method.title + (" (baseline)" if r is pinned else "") for r in runs]
        self.gap.set_state(gap_state(runs, names, dashed=state.baseline if pinned is not None else None))

    def _show_picture(self, at: int, state: ConsensusState) -> None:
        run = state.run
        if self._due(f"picture {at}", state, max(PICTURE_S, _rest(run))):
            self.pictures.show_run(run.game if run is not None else state.game, run, at)

    def _show_panel(self, at: int, state: ConsensusState) -> None:
        if state.run is not None and self._due(f"panel {at}", state, _rest(state.run)):
            self._draw_panel(at, state.run)

    def _draw_panel(self, at: int, run: RunRecord) -> None:
        first = self._which.currentData() or 0 if self._count > PANELS else 0
        chosen = run.panels()[first + at : first + at + 1]
        self.panels[at].setVisible(bool(chosen))
        for panel in chosen:
            self.panels[at].set_state(panel_state(panel, run))

    def _draw_panels(self) -> None:
        run = self._state.run if self._state is not None else None
        for at in range(PANELS if run is not None else 0):
            self._draw_panel(at, run)

    def _fill(self, run: RunRecord | None) -> None:
        """Offer the players in threes, where there are more."""
        count = 0 if run is None or isinstance(run.game, ConsensusGame) else len(run.game.sizes)
        self._choice.setVisible(count > PANELS)
        if count == self._count:
            return
        self._count = count
        self._which.clear()
        for first in range(0, count, PANELS):
            last = min(first + PANELS, count)
            self._which.addItem(f"Players {first + 1} to {last}" if last > first + 1 else f"Player {last}", first)

    def grab_plots(self) -> list[QWidget]:
        """Return the plots that are shown, for pictures."""
        return [w for w in (self.gap, self.pictures, *self.panels) if not w.isHidden()]


def _rest(run: RunRecord | None) -> float:
    """Return the seconds between two drawings of what costs more than a frame has."""
    return SLOW_S if run is not None and sum(run.game.sizes) > 24 else 0.0
