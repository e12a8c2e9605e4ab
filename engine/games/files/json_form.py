"""Games as JSON: one object that says what it is.

``{"kind": "bimatrix", "title": "...", "players": ["Ann", "Bob"], "actions": [["a", "b"], ["c", "d"]], ...}``, by kind

- matrix: ``payoffs`` [row][column], what player 1 gets and player 2 pays
- bimatrix: ``payoffs`` [player][row][column]
- tensor: ``payoffs`` [player][action of player 1]...[action of player n]
- polymatrix: ``counts`` [player] and ``pairs``, objects with ``player`` and ``against``, counted from 1, and
  ``payoffs`` [action of player][action of against]; pairs that are missing pay nothing
- consensus: ``points`` [agent][coordinate], ``confidence`` [agent], ``influence`` [agent][agent]

``title``, ``players``, ``actions``, ``confidence`` and ``influence`` may be left out; unknown parts are refused. Floats
are written with all their digits: what is read back is the same game. Errors name the place as a path.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from engine.core.hashing import parse_json
from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError, GameFileError
from engine.games.games import (
    MAX_PLAYERS,
    BimatrixGame,
    FiniteGame,
    Game,
    MatrixGame,
    PolymatrixGame,
    TensorGame,
)

_SHOWN = 40  # characters of a value in an error


def parse_json_game(data: bytes, name: str = "The file") -> Game:
    """Return the game in the bytes of a JSON file.

    Raises GameFileError: with line and column for what is no JSON, else with the path of what is wrong.
    """
    try:
        value = parse_json(data.removeprefix(b"\xef\xbb\xbf"), MAX_PLAYERS + 8, strict=True)
    except json.JSONDecodeError as error:
        raise _unreadable(name, error.msg, line=error.lineno, column=error.colno) from error
    except UnicodeDecodeError as error:
        raise _unreadable(name, "it is not UTF-8 text") from error
    except (ValueError, RecursionError) as error:
        raise _unreadable(name, str(error)) from error
    try:
        return _Reading().game(value)
    except _WrongError as error:
        raise _unreadable(name, str(error)) from error
    except GameError as error:
        raise _unreadable(name, f"{error.what}: {error.why}") from error


def format_json_game(game: Game) -> str:
    """Return a game as JSON, a line for each of its parts. Raises GameError for a kind that has no such form."""
    parts: dict[str, Any] = {"kind": game.kind, "title": game.title, "players": list(game.players)}
    if isinstance(game, FiniteGame):
        parts["actions"] = [list(names) for names in game.actions]
    parts |= _payoffs(game)
    lines = (f"  {json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}" for key, value in parts.items())
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _payoffs(game: Game) -> dict[str, Any]:
    if isinstance(game, MatrixGame):
        return {"payoffs": game.a.tolist()}
    if isinstance(game, BimatrixGame):
        return {"payoffs": [game.a.tolist(), game.b.tolist()]}
    if isinstance(game, TensorGame):
        return {"payoffs": [tensor.tolist() for tensor in game.tensors]}
    if isinstance(game, PolymatrixGame):
        pairs = [{"player": i + 1, "against": j + 1, "payoffs": m.tolist()} for (i, j), m in game.edges.items()]
        return {"counts": list(game.action_counts), "pairs": pairs}
    if isinstance(game, ConsensusGame):
        parts = {"points": game.points, "confidence": game.confidence, "influence": game.influence}
        return {key: value.tolist() for key, value in parts.items()}
    raise GameError("The game cannot be written", f"there is no JSON form for a {game.kind} game")


def _unreadable(name: str, why: str, **place: int) -> GameFileError:
    return GameFileError(f"{name} cannot be read as a game in JSON", why, "Correct it there.", **place)


class _WrongError(Exception):
    """Something of another type than it must be; the text says where."""


class _Reading:
    """Takes the parts of one object out of it; what is left at the end is unknown."""

    def game(self, value: Any) -> Game:
        """Return the game that a parsed document describes. Raises _WrongError and GameError."""
        if not isinstance(value, dict):
            _wrong("$", "an object", value)
        self._parts = dict(value)
        kinds: dict[str, Callable[[dict[str, Any]], Game]] = {
            "matrix": self._matrix,
            "bimatrix": self._bimatrix,
            "tensor": self._tensor,
            "polymatrix": self._polymatrix,
            "consensus": self._consensus,
        }
        kind = self._take("kind")
        if not isinstance(kind, str) or kind not in kinds:
            _wrong("$.kind", f"one of {', '.join(kinds)}", kind)
        named: dict[str, Any] = {"title": _text("$.title", self._parts.pop("title", ""))}
        named["players"] = _texts("$.players", self._parts.pop("players", []))
        if kind != "consensus":
            actions = _list("$.actions", self._parts.pop("actions", []))
            named["actions"] = tuple(_texts(f"$.actions[{i}]", names) for i, names in enumerate(actions))
        made = kinds[kind](named)
        for key in self._parts:
            raise _WrongError(f"$.{key[:_SHOWN]}: a {kind} game has no such part")
        return made

    def _take(self, key: str) -> Any:
        if key not in self._parts:
            raise _WrongError(f"$: {key!r} is missing")
        return self._parts.pop(key)

    def _numbers(self, key: str, depth: int) -> Any:
        return _numbers(f"$.{key}", self._take(key), depth)

    def _matrix(self, named: dict[str, Any]) -> Game:
        return MatrixGame(self._numbers("payoffs", 2), **named)

    def _bimatrix(self, named: dict[str, Any]) -> Game:
        payoffs = self._numbers("payoffs", 3)
        if len(payoffs) != 2:
            raise _WrongError(f"$.payoffs: expected the payoffs of 2 players, found {len(payoffs)}")
        return BimatrixGame(*payoffs, **named)

    def _tensor(self, named: dict[str, Any]) -> Game:
        given = self._parts.get("payoffs")
        players = len(given) if isinstance(given, list) else 0
        return TensorGame(tuple(self._numbers("payoffs", players + 1)), **named)

    def _polymatrix(self, named: dict[str, Any]) -> Game:
        counts = [_whole(f"$.counts[{i}]", n) for i, n in enumerate(_list("$.counts", self._take("counts")))]
        edges: dict[tuple[int, int], Any] = {}
        for index, pair in enumerate(_list("$.pairs", self._take("pairs"))):
            path = f"$.pairs[{index}]"
            if not isinstance(pair, dict) or set(pair) != {"player", "against", "payoffs"}:
                _wrong(path, "an object with player, against and payoffs", pair)
            players = _whole(f"{path}.player", pair["player"]) - 1, _whole(f"{path}.against", pair["against"]) - 1
            if players in edges:
                raise _WrongError(f"{path}: the payoffs of this pair were given before")
            edges[players] = _numbers(f"{path}.payoffs", pair["payoffs"], 2)
        return PolymatrixGame(tuple(counts), edges, **named)

    def _consensus(self, named: dict[str, Any]) -> Game:
        weights = {
            key: self._numbers(key, depth) for key, depth in (("confidence", 1), ("influence", 2)) if key in self._parts
        }
        return ConsensusGame(self._numbers("points", 2), **weights, **named)


def _numbers(path: str, value: Any, depth: int) -> Any:
    """Return nested lists of numbers, all those of one depth equally long."""
    if depth == 0:
        return _number(path, value)
    items = _list(path, value)
    if depth == 1:
        if not set(map(type, items)) <= {int, float}:
            for index, item in enumerate(items):
                _number(f"{path}[{index}]", item)
        return items
    made = [_numbers(f"{path}[{index}]", item, depth - 1) for index, item in enumerate(items)]
    for index, item in enumerate(made):
        if len(item) != len(made[0]):
            raise _WrongError(f"{path}[{index}]: {len(item)} items, the first has {len(made[0])}")
    return made


def _number(path: str, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        _wrong(path, "a number", value)
    return value


def _whole(path: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 1 << 31:
        _wrong(path, "a whole number from 1", value)
    return value


def _list(path: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        _wrong(path, "a list", value)
    return value


def _text(path: str, value: Any) -> str:
    if not isinstance(value, str) or "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        _wrong(path, "a text of whole characters", value)
    return value


def _texts(path: str, value: Any) -> tuple[str, ...]:
    return tuple(_text(f"{path}[{index}]", item) for index, item in enumerate(_list(path, value)))


def _wrong(path: str, expected: str, found: Any) -> NoReturn:
    shown = json.dumps(found)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
    raise _WrongError(f"{path}: expected {expected}, found {shown}")
