"""The game tab of the Consensus page: payoff tables that can be edited, with what is played drawn into them."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from app.pages.base import side_by_side
from app.viewmodels.consensus import ConsensusState, ConsensusViewModel
from app.viewmodels.consensus_tables import GameTable, Key, payoffs_of, shares_of, table_of, views_of
from engine.games.games import Game
from widgets.basics import column, label, row
from widgets.choice import Choice
from widgets.labels import SectionHeader
from widgets.payoff_image import PayoffImage, PayoffImageState, reduced
from widgets.payoff_table import PayoffTable, PayoffTableState

LEGEND = "Underlined: a best response. Framed: an equilibrium in pure strategies. Shaded: how often it is played."
EDIT = "Type into a cell to change it; fractions as 1/3."


class GameTab(QWidget):
    """A table of the game, and which one where there are several."""

    def __init__(self, model: ConsensusViewModel) -> None:
        super().__init__()
        self._model = model
        self._game: Game | None = None
        self._profile: object = None
        self._drawn: Game | None = None
        self._made: tuple[Game, Key, GameTable] | None = None
        self._key: Key = ()
        self._views: tuple[Key, ...] = ()
        self._header = SectionHeader("Payoffs")
        self.choice = Choice()
        self.choice.setAccessibleName("Table of the game")
        self.choice.setMinimumWidth(220)
        self.table = PayoffTable()
        self._note = label("", "small", wrap=True)
        self.images = [PayoffImage(), PayoffImage()]
        self._pictures = side_by_side(*self.images, stretches=(1, 1), narrow=420)
        for image in self.images:
            image.setMinimumHeight(260)
        body = column(self, spacing=12)
        body.addWidget(self._header)
        body.addLayout(row(self.choice, None))
        body.addWidget(self._pictures, 1)
        body.addWidget(self.table)
        body.addWidget(self._note)
        self._rest = QWidget()
        body.addWidget(self._rest, 1)
        self.choice.activated.connect(self._on_choice)
        self.table.cellEdited.connect(self._on_cell)

    def show_state(self, state: ConsensusState) -> None:
        """Show the game, and what the run plays of it."""
        game, run = state.game, state.run
        profile = run.profile if run is not None and run.game is game else None
        if (game is self._game and profile is self._profile) or (not self.isVisible() and game is self._game):
            return
        self._game, self._profile = game, profile
        if game is None:
            return
        views = views_of(game)
        keys = tuple(view.key for view in views)
        if keys != self._views or [self.choice.itemText(i) for i in range(self.choice.count())] != [
            v.title for v in views
        ]:
            self._views = keys
            self.choice.clear()
            self.choice.addItems([view.title for view in views])
            self._key = self._key if self._key in keys else keys[0]
            self.choice.setCurrentIndex(keys.index(self._key))
        self.choice.setVisible(len(views) > 1)
        self._show_table()

    def showEvent(self, event: object) -> None:
        """Catch up with what came while another tab was in front."""
        super().showEvent(event)  # type: ignore[arg-type]
        self._profile = None
        self.show_state(self._model.state)

    def _show_table(self) -> None:
        game = self._game
        if game is None:
            return
        if self._made is None or self._made[:2] != (game, self._key):
            self._made = (game, self._key, table_of(game, self._key))
        table = self._made[2]
        rows, columns = shares_of(table, self._profile)  # type: ignore[arg-type]
        self.table.set_state(
            PayoffTableState(
                table.row_title, table.column_title, table.rows, table.columns, table.cells, rows, columns,
                table.best, table.equilibria, table.editable, table.numbers,
            )
        )  # fmt: skip
        self._header.set_text(game.title or "Game", EDIT if table.editable else _too_large(table))
        self._note.setText(LEGEND if table.players is not None else "")
        large = table.left_out != (0, 0) and table.players is not None
        self._pictures.setVisible(large)
        self._rest.setVisible(not large)
        if large and self._drawn is not game:
            self._drawn = game
            self._draw(game, table)

    def _draw(self, game: Game, table: GameTable) -> None:
        """Draw the payoffs of a large game: those of the row's player, and of the column's where they differ."""
        arrays = payoffs_of(game, self._key)[:2]
        for at, image in enumerate(self.images):
            image.setVisible(at < len(arrays))
            if at < len(arrays):
                small = reduced(arrays[at])
                title = f"Payoffs of {(table.row_title, table.column_title)[at]}"
                title += ", means of blocks" if small.shape != arrays[at].shape else ""
                image.set_state(PayoffImageState(title, small, table.row_title, table.column_title))

    def _on_choice(self, index: int) -> None:
        self._key, self._drawn = self._views[index], None
        self._show_table()

    def _on_cell(self, row_: int, column_: int, numbers: tuple[float, ...]) -> None:
        self._model.edit_cell(self._key, row_, column_, numbers)


def _too_large(table: GameTable) -> str:
    rows, columns = table.left_out
    parts = [f"{count:,} more {word}" for count, word in ((rows, "rows"), (columns, "columns")) if count]
    return f"Only a part is shown: there are {' and '.join(parts)}. A game of this size is not edited here."
