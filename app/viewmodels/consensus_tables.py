"""Games as tables: which there are, what stands in their cells, and the game with another number in one of them."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.games.consensus import ConsensusGame
from engine.games.games import BimatrixGame, Floats, Game, MatrixGame, PolymatrixGame, Profile, TensorGame

EDITABLE = 8  # rows and columns; larger tables are shown in part and cannot be edited
EDITABLE_AGENTS = 12
MAX_VIEWS = 64
Key = tuple[Any, ...]
Cells = tuple[tuple[tuple[float, ...], ...], ...]


@dataclass(frozen=True)
class TableView:
    """One table of a game: its key, and what it is called where there are several."""

    key: Key
    title: str


@dataclass(frozen=True, slots=True)
class GameTable:
    """A table: titles, names, cells, and which numbers of it are best responses and equilibria in pure strategies.

    ``players`` are the numbers of the row's and the column's player, None in consensus games. ``left_out`` counts the
    rows and columns that are not shown.
    """

    row_title: str
    column_title: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: Cells
    numbers: tuple[str, ...]
    players: tuple[int, int] | None = None
    best: frozenset[tuple[int, int, int]] = frozenset()
    equilibria: frozenset[tuple[int, int]] = frozenset()
    editable: bool = True
    left_out: tuple[int, int] = (0, 0)


def views_of(game: Game) -> tuple[TableView, ...]:
    """Return the tables that a game has; of a tensor one for each choice of the players beyond the second."""
    if isinstance(game, ConsensusGame):
        return TableView(("agents",), "Ideal points and confidence"), TableView(("influence",), "Influence")
    if isinstance(game, PolymatrixGame):
        pairs = sorted({(min(i, j), max(i, j)) for i, j in game.edges})
        names = game.players
        return tuple(TableView(("pair", i, j), f"{names[i]} and {names[j]}") for i, j in pairs[:MAX_VIEWS])
    if isinstance(game, TensorGame) and len(game.sizes) > 2:
        others = itertools.islice(itertools.product(*(range(size) for size in game.sizes[2:])), MAX_VIEWS)
        return tuple(TableView(("slice", *fixed), _slice_title(game, fixed)) for fixed in others)
    return (TableView(("all",), "Payoffs"),)


def table_of(game: Game, key: Key) -> GameTable:
    """Return a table of a game."""
    if isinstance(game, ConsensusGame):
        return _agents(game) if key[0] == "agents" else _influence(game)
    pair, arrays = _arrays(game, key)
    rows, columns = arrays[0].shape
    shown = (slice(0, EDITABLE), slice(0, EDITABLE))
    cut = [array[shown] for array in arrays]
    assert hasattr(game, "actions")
    best = _best(game, key, cut, whole=rows <= EDITABLE and columns <= EDITABLE)
    return GameTable(
        game.players[pair[0]],
        game.players[pair[1]],
        game.actions[pair[0]][:EDITABLE],
        game.actions[pair[1]][:EDITABLE] if pair[0] != pair[1] else ("payoff",),
        _cells(cut),
        _numbers(game, key),
        pair,
        best,
        _pure(game, best, cut),
        rows <= EDITABLE and columns <= EDITABLE,
        (max(0, rows - EDITABLE), max(0, columns - EDITABLE)),
    )


def with_cell(game: Game, key: Key, row: int, column: int, numbers: tuple[float, ...]) -> Game:
    """Return the game with other numbers in a cell. Raises GameError when the game would make no sense."""
    if isinstance(game, ConsensusGame):
        return _with_agent(game, key, row, column, numbers[0])
    if isinstance(game, MatrixGame):
        return dataclasses.replace(game, a=_changed(game.a, (row, column), numbers[0]))
    if isinstance(game, BimatrixGame):
        at = (row, column)
        return dataclasses.replace(game, a=_changed(game.a, at, numbers[0]), b=_changed(game.b, at, numbers[1]))
    if isinstance(game, PolymatrixGame):
        _, i, j = key
        edges = dict(game.edges)
        for (first, second), at, value in (((i, j), (row, column), numbers[0]), ((j, i), (column, row), numbers[1])):
            old = edges.get((first, second), np.zeros((game.sizes[first], game.sizes[second])))
            edges[first, second] = _changed(old, at, value)
        return dataclasses.replace(game, edges=edges)
    assert isinstance(game, TensorGame)
    at = (row, column, *key[1:]) if len(game.sizes) > 1 else (row,)
    tensors = tuple(_changed(tensor, at, value) for tensor, value in zip(game.tensors, numbers, strict=True))
    return dataclasses.replace(game, tensors=tensors)


def shares_of(table: GameTable, profile: Profile | None) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return how likely the rows and the columns of a table are played."""
    if profile is None or table.players is None:
        return (), ()
    row, column = (profile[player] for player in table.players)
    columns = () if table.players[0] == table.players[1] else tuple(map(float, column[: len(table.columns)]))
    return tuple(map(float, row[: len(table.rows)])), columns


def payoffs_of(game: Game, key: Key) -> list[Floats]:
    """Return a table's payoffs, all of them: an array a number of its cells."""
    return _arrays(game, key)[1]


# Inside


def _slice_title(game: TensorGame, fixed: tuple[int, ...]) -> str:
    parts = (f"{game.players[2 + i]} plays {game.actions[2 + i][at]}" for i, at in enumerate(fixed))
    return ", ".join(parts)


def _arrays(game: Game, key: Key) -> tuple[tuple[int, int], list[Floats]]:
    """Return the row's and the column's player, and the numbers of a cell as one array each."""
    if isinstance(game, MatrixGame):
        return (0, 1), [game.a]
    if isinstance(game, BimatrixGame):
        return (0, 1), [game.a, game.b]
    if isinstance(game, PolymatrixGame):
        _, i, j = key
        shape = (game.sizes[i], game.sizes[j])
        return (i, j), [game.edges.get((i, j), np.zeros(shape)), game.edges.get((j, i), np.zeros(shape[::-1])).T]
    assert isinstance(game, TensorGame)
    if len(game.sizes) == 1:
        return (0, 0), [game.tensors[0][:, None]]
    return (0, 1), [tensor[(slice(None), slice(None), *key[1:])] for tensor in game.tensors]


def _numbers(game: Game, key: Key) -> tuple[str, ...]:
    if isinstance(game, MatrixGame):
        return game.players[:1]
    if isinstance(game, PolymatrixGame):
        return game.players[key[1]], game.players[key[2]]
    return game.players


def _cells(arrays: list[Floats]) -> Cells:
    return tuple(
        tuple(tuple(float(array[i, j]) for array in arrays) for j in range(arrays[0].shape[1]))
        for i in range(arrays[0].shape[0])
    )


def _best(game: Game, key: Key, arrays: list[Floats], *, whole: bool) -> frozenset[tuple[int, int, int]]:
    """Return which numbers are best responses to the other choices of the cell."""
    if not whole or (isinstance(game, TensorGame) and max(game.sizes) > EDITABLE):
        return frozenset()
    found = set()
    for number, array in enumerate(arrays):
        if number < 2:
            best = array.max(axis=number, keepdims=True)
        elif isinstance(game, TensorGame):  # players beyond the second: against their choices in other tables
            tensor = game.tensors[number].max(axis=number, keepdims=True)
            at = tuple(0 if axis == number else value for axis, value in enumerate((0, 0, *key[1:])))[2:]
            best = tensor[(slice(None), slice(None), *at)]
        else:
            continue
        found |= {(int(i), int(j), number) for i, j in np.argwhere(array == best)}
    return frozenset(found)


def _pure(game: Game, best: frozenset[tuple[int, int, int]], arrays: list[Floats]) -> frozenset[tuple[int, int]]:
    """Return the cells in which everybody answers best. A pair of a polymatrix game alone says nothing of it."""
    if not best or isinstance(game, PolymatrixGame):
        return frozenset()
    rows, columns = arrays[0].shape
    cells = itertools.product(range(rows), range(columns))
    if isinstance(game, MatrixGame):
        low = arrays[0].min(axis=1)
        return frozenset((i, j) for i, j in cells if (i, j, 0) in best and arrays[0][i, j] == low[i])
    count = len(arrays)
    return frozenset((i, j) for i, j in cells if all((i, j, number) in best for number in range(count)))


def _agents(game: ConsensusGame) -> GameTable:
    count, dimension = game.points.shape
    shown = min(count, EDITABLE_AGENTS)
    wide = min(dimension, EDITABLE)
    cells = tuple(
        (*(((float(game.points[i, k])),) for k in range(wide)), (float(game.confidence[i]),)) for i in range(shown)
    )
    columns = (*(f"point {k + 1}" for k in range(wide)), "confidence")
    return GameTable(
        "agents", "where each would like to be, and how much it minds", game.players[:shown], columns, cells,
        ("value",), editable=count <= EDITABLE_AGENTS, left_out=(count - shown, dimension - wide),
    )  # fmt: skip


def _influence(game: ConsensusGame) -> GameTable:
    count = len(game.points)
    shown = min(count, EDITABLE_AGENTS)
    names = game.players[:shown]
    cells = tuple(tuple((float(game.influence[i, j]),) for j in range(shown)) for i in range(shown))
    return GameTable(
        "who minds the distance", "to whom", names, names, cells, ("weight",), editable=count <= EDITABLE_AGENTS,
        left_out=(count - shown, count - shown),
    )  # fmt: skip


def _with_agent(game: ConsensusGame, key: Key, row: int, column: int, value: float) -> ConsensusGame:
    if key[0] == "influence":
        return dataclasses.replace(game, influence=_changed(game.influence, (row, column), value))
    if column < min(game.points.shape[1], EDITABLE):
        return dataclasses.replace(game, points=_changed(game.points, (row, column), value))
    return dataclasses.replace(game, confidence=_changed(game.confidence, (row,), value))


def _changed(array: Floats, at: tuple[int, ...], value: float) -> Floats:
    copy = array.copy()
    copy[at] = value
    return copy
