"""The equilibria tab of the Consensus page: what was found, each with its verified gap."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtWidgets import QWidget

from app.pages.base import RUN
from app.viewmodels.consensus import ConsensusState
from app.viewmodels.consensus_games import known_of
from app.viewmodels.consensus_runs import RunRecord
from engine.games.consensus import ConsensusGame
from engine.games.games import FiniteGame
from engine.games.results import Equilibrium
from widgets.basics import column, label
from widgets.labels import SectionHeader
from widgets.panels import EmptyPanelState
from widgets.profile_bars import PlayerBars, ProfileBars, ProfileBarsState
from widgets.table import Column, DataTable, TableState

EMPTY = EmptyPanelState("scales", "Nothing found yet", "A run's verified answer is listed here.", (RUN,))
LISTED = 1000
NAMED = 4  # numbers of a strategy that fit a cell
COLUMNS = (
    Column("No.", align="right", kind="number", width=64),
    Column("Profile"),
    Column("Payoffs", width=130),
    Column("NashConv", align="right", kind="number", width=104, format=lambda v: f"{v:.3g}", exact=repr,
           tooltip="What best responses would gain, summed over the players, in payoff units"),
    Column("Of the range", align="right", kind="number", width=104, format=lambda v: f"{v:.3g}", exact=repr,
           tooltip="The same with each regret divided by its player's payoff range: what epsilon bounds"),
    Column("Exploitability", align="right", kind="number", width=116, format=lambda v: f"{v:.3g}", exact=repr,
           tooltip="Half of NashConv; defined in constant-sum games of two players"),
)  # fmt: skip


class ResultTab(QWidget):
    """The table of equilibria, and the chosen one as bars."""

    def __init__(self) -> None:
        super().__init__()
        self._run: RunRecord | None = None
        self._found: tuple[Equilibrium, ...] = ()
        self._header = SectionHeader("Equilibria", "Verified in double precision on the game as it was given")
        self.table = DataTable(COLUMNS, name="Equilibria")
        self.table.fit_height(1, 8)
        self._words = label("", "muted", wrap=True, selectable=True)
        self.bars = ProfileBars()
        body = column(self, spacing=12)
        body.addWidget(self._header)
        body.addWidget(self.table)
        body.addWidget(self._words)
        body.addWidget(self.bars)
        body.addStretch(1)
        self.table.selectionChanged.connect(self._on_selection)
        self.table.set_state(TableState((), (), EMPTY))

    def show_state(self, state: ConsensusState) -> None:
        """Show what the run found."""
        found = state.run.equilibria if state.run is not None else ()
        if state.run is self._run and found is self._found:
            return
        self._run, self._found = state.run, found
        rows = tuple(_row(self._run, at, item) for at, item in enumerate(found[:LISTED], 1)) if self._run else ()
        self.table.set_state(TableState(rows, tuple(range(len(rows))), EMPTY))
        more = f" The first {LISTED:,} of {len(found):,} are listed." if len(found) > LISTED else ""
        solution = self._run.solution if self._run is not None else None
        rate = _rate(self._run)
        method = f"{self._run.method.title} took {solution.seconds:.3g} s." if solution is not None else ""
        known = known_of(state.choice) if self._run is not None and self._run.game is state.original else ""
        self._words.setText(f"{method}{rate}{more} {known}".strip())
        self._words.setVisible(bool(self._words.text()))
        if rows:
            self.table.select((0,))
        self._on_selection(self.table.selected_keys())

    def _on_selection(self, keys: tuple[object, ...]) -> None:
        at = keys[0] if keys and isinstance(keys[0], int) else 0
        run = self._run
        if run is None or not at < len(self._found):
            self.bars.set_state(ProfileBarsState())
            return
        item, game = self._found[at], run.game
        if not isinstance(game, FiniteGame):
            self.bars.set_state(ProfileBarsState())
            return
        players = tuple(
            PlayerBars(name, item.profile[i], game.actions[i], f"payoff {item.gap.payoffs[i]:.6g}")
            for i, name in enumerate(game.players)
        )
        self.bars.set_state(ProfileBarsState(players))


def _row(run: RunRecord, number: int, item: Equilibrium) -> tuple[Any, ...]:
    gap = item.gap
    payoffs = ", ".join(f"{value:.4g}" for value in gap.payoffs[:6]) + (", …" if len(gap.payoffs) > 6 else "")
    return number, profile_text(run, item), payoffs, gap.nashconv, gap.relative, gap.exploitability


def _rate(run: RunRecord | None) -> str:
    """Return how fast it converged, where that was measured."""
    if run is None or run.solution is None or run.solution.rate is None:
        return ""
    what = "Distances to the agreement" if isinstance(run.game, ConsensusGame) else "Gaps"
    return f" {what} shrank by the factor {run.solution.rate:.4g} an iteration."


def profile_text(run: RunRecord, item: Equilibrium) -> str:
    """Return a profile on a line: what is played with which probability, or where the agents stand."""
    game = run.game
    if isinstance(game, ConsensusGame):
        middle = np.stack(item.profile).mean(axis=0)
        return f"{len(item.profile)} agents around (" + ", ".join(f"{v:.4g}" for v in middle[:NAMED]) + ")"
    assert isinstance(game, FiniteGame)
    parts = []
    for player, strategy in enumerate(item.profile[:6]):
        played = np.flatnonzero(strategy > 1e-9)
        if len(played) > NAMED:
            parts.append(f"{len(played):,} of {len(strategy):,} actions")
            continue
        words = (f"{game.actions[player][i]} {strategy[i]:.3g}" for i in played)
        pure = len(played) == 1
        parts.append(game.actions[player][played[0]] if pure else ", ".join(words))
    return " | ".join(parts) + (" | …" if len(item.profile) > 6 else "")
