"""Traces of a solver: one hash of all its steps, and tables of them as CSV."""

from __future__ import annotations

import csv
import io
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from engine.core.files import atomic_file
from engine.core.hashing import SOLVER_TRACE
from engine.games.games import FiniteGame, Game
from engine.games.results import Step

MAX_COLUMNS = 64  # numbers of a profile in one row of a table
_HEAD = struct.Struct("<Qd")


class TraceDigest:
    """SHA-256 of a run: a domain byte, then of each step its iteration (u64), gap and profile (f64), little endian.

    The same game, method, options and stride give the same digest, however fast the steps were shown.
    """

    def __init__(self) -> None:
        self._hash = sha256(SOLVER_TRACE)

    def update(self, step: Step) -> None:
        """Take the next step in."""
        self._hash.update(_HEAD.pack(step.iteration, step.gap))
        for part in step.profile:
            self._hash.update(part.astype("<f8", copy=False).tobytes())

    def hexdigest(self) -> str:
        """Return the digest of the steps so far, 64 hexadecimal digits."""
        return self._hash.hexdigest()


class TraceWriter:
    """Streams steps into a CSV file, a row each: iteration, NashConv, then the profile. It appears when it is closed.

    Of a long profile only the first numbers of each player have columns; ``left_out`` says so.
    """

    def __init__(self, path: Path, game: Game) -> None:
        self.path = path
        self.rows = 0
        self.columns = columns_of(game)
        total = sum(game.sizes)
        self.left_out = "" if len(self.columns) == total else f"{total - len(self.columns)} of {total} numbers a step"
        self._header = ("iteration", "nashconv", *(column_name(game, *column) for column in self.columns))
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Open the file under a name of its own. Raises OSError."""
        self._add = self._stack.enter_context(_table(self.path))
        self._add(self._header)
        return self

    def write(self, step: Step) -> None:
        """Add a row."""
        numbers = (step.profile[player][index] for player, index in self.columns)
        self._add((step.iteration, step.gap, *numbers))
        self.rows += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the file its name, or remove it when something failed."""
        self._stack.__exit__(kind, error, trace)


def columns_of(game: Game, limit: int = MAX_COLUMNS) -> tuple[tuple[int, int], ...]:
    """Return which (player, index) get a column: all of a short profile, else the first few of each player."""
    share = limit
    if sum(game.sizes) > limit:
        # Players with few actions leave room to the others.
        share = max((s for s in range(1, limit) if sum(min(s, size) for size in game.sizes) <= limit), default=1)
    chosen = ((player, index) for player, size in enumerate(game.sizes) for index in range(min(share, size)))
    return tuple(chosen)[:limit]


def column_name(game: Game, player: int, index: int) -> str:
    """Return ``player:action``, in consensus games ``player:coordinate``."""
    name = game.actions[player][index] if isinstance(game, FiniteGame) else str(index + 1)
    return f"{game.players[player]}:{name}"


def write_trace_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Write a table in one go; floats with all their digits. Raises OSError; a failed one leaves what was there."""
    with _table(path) as add:
        add(header)
        for row in rows:
            add(row)


@contextmanager
def _table(path: Path) -> Iterator[Callable[[Iterable[Any]], None]]:
    with atomic_file(path, mode=0o644) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        try:
            # Plain floats are written with all their digits; those of NumPy would be too, but more slowly.
            yield lambda row: writer.writerow([float(v) if isinstance(v, float) else v for v in row])
        finally:
            text.detach()  # flushes, and leaves the file open for who opened it
