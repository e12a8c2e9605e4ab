"""Gambit's strategic games (.nfg, version 1), with payoffs or with outcomes.

Format: "The strategic game (.nfg) file format" in Gambit's manual, payoff version and outcome version. In both, player
1's index varies fastest. Numbers are integers, decimals with or without exponent, or rationals ``a/b``; they become the
nearest fp64. A game has no place for the comment, which is read over; empty names become numbers.
"""

from __future__ import annotations

import math

import numpy as np

from engine.games.errors import GameFileError
from engine.games.files.nfg_table import outcome_table, payoff_table
from engine.games.files.scanner import Scanner, Token, quoted
from engine.games.games import (
    MAX_NUMBERS,
    MAX_PLAYERS,
    BimatrixGame,
    FiniteGame,
    Floats,
    MatrixGame,
    TensorGame,
)

_MAX_LABEL = 1000  # characters of a name


def parse_nfg(data: bytes, name: str = "The file") -> FiniteGame:
    """Return the game in the bytes of a .nfg file: zero-sum where player 2's payoffs are exactly the negated ones.

    Raises GameFileError with line and column.
    """
    scan = Scanner(_decode(data, name), name)
    _header(scan)
    title = scan.take("text", "the title in quotation marks").value
    players = _names(scan, "a player's name", MAX_PLAYERS)
    if not players:
        scan.fail("the game has no players", scan.now.at)
    sizes, given = _actions(scan, len(players))
    if len(players) * math.prod(sizes) > MAX_NUMBERS:
        scan.fail(f"the game is too large: {sizes} actions, at most {MAX_NUMBERS} payoffs are allowed", scan.now.at)
    if scan.now.kind == "text":
        scan.advance()  # the comment
    if len(scan.text) - scan.now.at < 2 * math.prod(sizes) - 1:  # before anything of that size is made
        scan.fail(f"the table ends too soon: the players have {sizes} actions", len(scan.text.rstrip()))
    table = outcome_table(scan, sizes) if scan.now.is_brace("{") else payoff_table(scan, sizes)
    actions = tuple(_filled(names or [""] * size) for names, size in zip(given, sizes, strict=True))
    return _game(table, sizes, title, _filled(players, "Player "), actions)


def format_nfg(game: FiniteGame, *, outcomes: bool = False) -> str:
    """Return a game as a .nfg file: with its payoffs, or with its different outcomes and who leads to which.

    Raises GameError where the game is too large as a tensor.
    """
    tensor = game.to_tensor()
    names = " ".join(map(quoted, tensor.players))
    actions = "\n".join(f"{{ {' '.join(map(quoted, names))} }}" for names in tensor.actions)
    head = f"NFG 1 R {quoted(tensor.title)} {{ {names} }}\n\n{{ {actions}\n}}\n\n"
    rows = np.stack([payoffs.ravel(order="F") for payoffs in tensor.tensors], axis=1) + 0.0  # no -0
    if not outcomes:
        return head + "\n".join(" ".join(map(_number_text, row)) for row in rows.tolist()) + "\n"
    found: dict[tuple[float, ...], int] = {}
    indices = [found.setdefault(tuple(row), len(found) + 1) for row in rows.tolist()]
    listed = "\n".join(f'{{ "" {", ".join(map(_number_text, payoffs))} }}' for payoffs in found)
    return f"{head}{{\n{listed}\n}}\n{' '.join(map(str, indices))}\n"


def _decode(data: bytes, name: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _undecodable(name, "it is UTF-16 text", "Save it as UTF-8.", "")
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode(errors="replace")
        raise _undecodable(name, "it is not UTF-8 text", "Save it as UTF-8.", before) from error
    before, zero, _ = text.partition("\0")
    if zero:
        raise _undecodable(name, "it holds a zero byte", "It may be another kind of file.", before)
    return text


def _undecodable(name: str, why: str, next_step: str, before: str) -> GameFileError:
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return GameFileError(f"{name} cannot be read as a Gambit game", why, next_step, line=line, column=column)


def _header(scan: Scanner) -> None:
    scan.take("word", "NFG, with which such a file begins", "NFG")
    scan.take("word", "the version 1", "1")
    if scan.now.value not in ("R", "D"):
        scan.expected("R or D")
    scan.take("word", "R or D")


def _names(scan: Scanner, what: str, most: int) -> list[str]:
    scan.take("brace", f"'{{' before the names ({what})", "{")
    names: list[str] = []
    while scan.now.kind == "text":
        if len(names) == most:
            scan.fail(f"there are more than {most} names", scan.now.at)
        if len(scan.now.value) > _MAX_LABEL:
            scan.fail(f"a name has more than {_MAX_LABEL} characters", scan.now.at)
        names.append(scan.now.value)
        scan.advance()
    scan.take("brace", f"{what} in quotation marks, or '}}'", "}")
    return names


def _actions(scan: Scanner, players: int) -> tuple[tuple[int, ...], list[list[str]]]:
    """Return how many actions the players have, and their names, none where there are only counts."""
    scan.take("brace", "'{' before the players' actions", "{")
    sizes: list[int] = []
    given: list[list[str]] = []
    for player in range(1, players + 1):
        start = scan.now
        if start.is_brace("{"):
            given.append(_names(scan, f"an action of player {player}", MAX_NUMBERS))
            sizes.append(len(given[-1]))
        else:
            sizes.append(_count(scan, scan.take("word", f"the number of actions of player {player}")))
            given.append([])
        if sizes[-1] == 0:
            scan.fail(f"player {player} has no actions", start.at)
    scan.take("brace", "'}' after the players' actions", "}")
    return tuple(sizes), given


def _count(scan: Scanner, token: Token, most: int = MAX_NUMBERS) -> int:
    if not (token.value.isascii() and token.value.isdigit()):
        scan.expected("a whole number", token)
    if len(token.value) > 18 or int(token.value) > most:
        scan.fail(f"the number {token.value[:20]} is too large: at most {most}", token.at)
    return int(token.value)


def _filled(given: list[str], prefix: str = "") -> tuple[str, ...]:
    """Return names, with numbers in the place of empty ones."""
    return tuple(name or f"{prefix}{number}" for number, name in enumerate(given, 1))


def _game(
    table: Floats, sizes: tuple[int, ...], title: str, players: tuple[str, ...], actions: tuple[tuple[str, ...], ...]
) -> FiniteGame:
    tensors = tuple(column.reshape(sizes, order="F") for column in table.T)
    if len(sizes) != 2:
        return TensorGame(tensors, title=title, players=players, actions=actions)
    first, second = tensors
    if np.array_equal(second, -first):
        return MatrixGame(first, title=title, players=players, actions=actions)
    return BimatrixGame(first, second, title=title, players=players, actions=actions)


def _number_text(value: float) -> str:
    """Return a number that reads back as the same fp64; Gambit knows no plus sign in an exponent."""
    return str(int(value)) if value.is_integer() and abs(value) < 1e16 else repr(value).replace("e+", "e")
