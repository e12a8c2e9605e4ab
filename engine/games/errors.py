"""What can be wrong with a game, its file or a request to solve it."""

from __future__ import annotations

from engine.core.errors import UsageError


class GameError(UsageError):
    """A game, a profile or an option that makes no sense: not finite, of the wrong shape, too large."""


class GameFileError(GameError):
    """A game file that cannot be read; ``line`` and ``column`` count from 1, 0 where the form has no lines."""

    def __init__(self, what: str, why: str, next_step: str = "", *, line: int = 0, column: int = 0) -> None:
        place = f"line {line}, column {column}: " if line else ""
        super().__init__(what, place + why, next_step, line=line, column=column)
        self.line = line
        self.column = column
