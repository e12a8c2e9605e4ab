"""Games as NumPy archives (.npz), by the names of their arrays.

- matrix: ``a`` (n, m), what player 1 gets and player 2 pays
- bimatrix: ``a`` and ``b`` (n, m)
- tensor: ``payoffs0``, ``payoffs1``, ..., one a player
- polymatrix: ``counts`` (players,), ``pairs`` (k, 2), players counted from 0, and ``payoffs``: what the first of each
  pair gets, a matrix after the other, each row by row
- consensus: ``points`` (n, d), ``confidence`` (n,), ``influence`` (n, n); the last two may be left out

Texts: ``title`` (), ``players`` (players,), ``actions0``, ``actions1``, ..., one a player; all may be left out.
Nothing is unpickled, and what an array claims to hold is compared with what is there before memory is taken for it.
"""

from __future__ import annotations

import io
import itertools
import math
import re
import struct
import tokenize
import warnings
import zipfile
import zlib
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError, GameFileError
from engine.games.games import (
    MAX_NUMBERS,
    MAX_PLAYERS,
    BimatrixGame,
    FiniteGame,
    Floats,
    Game,
    MatrixGame,
    PolymatrixGame,
    TensorGame,
)

Array = NDArray[Any]
_MAX_BYTES = 10 * MAX_NUMBERS  # of all arrays unpacked: the payoffs and their names
_MAX_ARRAYS = 3 + 2 * max(MAX_PLAYERS, 4096)  # a polymatrix game may have actions of many players
_NUMBERED = re.compile(r"(payoffs|actions)(0|[1-9][0-9]{0,5})")
_FORMS = (
    (MatrixGame, ("a",)),
    (BimatrixGame, ("a", "b")),
    (PolymatrixGame, ("counts", "pairs", "payoffs")),
    (ConsensusGame, ("points",)),
)
_BROKEN = (  # what zipfile and numpy.lib.format raise for damaged input
    *(zipfile.BadZipFile, zlib.error, struct.error, tokenize.TokenError, SyntaxError, TypeError, ValueError),
    *(EOFError, OSError, RuntimeError, KeyError, OverflowError),
)


def parse_npz(data: bytes, name: str = "The file") -> Game:
    """Return the game in the bytes of a .npz file. Raises GameFileError."""
    try:
        return _game(_arrays(data))
    except _WrongError as error:
        raise _unreadable(name, str(error)) from error
    except GameError as error:
        raise _unreadable(name, f"{error.what}: {error.why}") from error


def write_npz(file: BinaryIO, game: Game) -> None:
    """Write a game as a .npz file. Raises GameError for a kind that has no such form."""
    arrays: dict[str, Any] = {"title": np.array(game.title), "players": np.array(game.players)}
    if isinstance(game, FiniteGame) and any(names != _plain(len(names)) for names in game.actions):
        arrays |= {f"actions{player}": np.array(names) for player, names in enumerate(game.actions)}
    np.savez(file, allow_pickle=False, **arrays, **_parts(game))


def _plain(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, count + 1))


def _parts(game: Game) -> dict[str, Any]:
    if isinstance(game, MatrixGame):
        return {"a": game.a}
    if isinstance(game, BimatrixGame):
        return {"a": game.a, "b": game.b}
    if isinstance(game, TensorGame):
        return {f"payoffs{player}": tensor for player, tensor in enumerate(game.tensors)}
    if isinstance(game, PolymatrixGame):
        pairs = np.array(list(game.edges), dtype=np.int64).reshape(-1, 2)
        payoffs = np.concatenate([np.empty(0), *(matrix.ravel() for matrix in game.edges.values())])
        return {"counts": np.array(game.action_counts), "pairs": pairs, "payoffs": payoffs}
    if isinstance(game, ConsensusGame):
        return {"points": game.points, "confidence": game.confidence, "influence": game.influence}
    raise GameError("The game cannot be written", f"there is no .npz form for a {game.kind} game")


class _WrongError(Exception):
    """An archive that holds something else than a game; the text says what."""


def _unreadable(name: str, why: str) -> GameFileError:
    return GameFileError(f"{name} cannot be read as a game in .npz", why, "Write it once more, with numpy.savez.")


def _arrays(data: bytes) -> dict[str, Array]:
    """Return all arrays of an archive, nothing of them being taken for true before it was compared."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # old headers are read as well
            entries = archive.infolist()
            if len(entries) > _MAX_ARRAYS:
                raise _WrongError(f"it holds {len(entries)} arrays")
            if sum(entry.file_size for entry in entries) > _MAX_BYTES:
                raise _WrongError(f"unpacked it has more than {_MAX_BYTES >> 20} MiB")
            made: dict[str, Array] = {}
            for entry in entries:
                key = entry.filename.removesuffix(".npy")
                if key in made or key == entry.filename:
                    raise _WrongError(f"{entry.filename[:40]!r} is no array, or there twice")
                if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise _WrongError(f"{entry.filename[:40]!r} is packed in a way that NumPy does not use")
                with archive.open(entry) as member:
                    made[key] = _array(member, entry.file_size, key[:40])
            return made
    except _BROKEN as error:
        raise _WrongError(f"the archive is damaged: {error}") from error


def _array(member: Any, size: int, key: str) -> Array:
    version = npy.read_magic(member)
    if version == (1, 0):
        shape, column_major, dtype = npy.read_array_header_1_0(member)
    elif version == (2, 0):
        shape, column_major, dtype = npy.read_array_header_2_0(member)
    else:
        raise _WrongError(f"the array {key!r} has the form {version}")
    if dtype.kind not in "fiubU" or dtype.hasobject or dtype.itemsize == 0:
        raise _WrongError(f"the array {key!r} holds {dtype}, not numbers or texts")
    # The shape comes from outside: negative and huge ones too.
    count = math.prod(shape)
    if min(shape, default=0) < 0 or len(shape) > MAX_PLAYERS or count * dtype.itemsize != size - member.tell():
        raise _WrongError(f"the array {key!r} is damaged: its length does not fit its shape")
    values = np.frombuffer(member.read(), dtype=dtype)
    if values.size != count:
        raise _WrongError(f"the array {key!r} ends too soon")
    return values.reshape(shape, order="F" if column_major else "C")


def _game(arrays: dict[str, Array]) -> Game:
    named: dict[str, Any] = {"title": "".join(_texts(arrays, "title", 0))}
    named["players"] = _texts(arrays, "players", 1)
    actions = _numbered(arrays, "actions")
    if actions:
        named["actions"] = tuple(_texts(arrays, key, 1) for key in actions)
    payoffs = _numbered(arrays, "payoffs")
    if payoffs:
        tensors = tuple(_numbers(arrays, key) for key in payoffs)
        _nothing_left(arrays)
        return TensorGame(tensors, **named)
    for made, keys in _FORMS:
        extra = [key for key in ("confidence", "influence") if made is ConsensusGame and key in arrays]
        if set(arrays) == {*keys, *extra}:
            parts = {key: _numbers(arrays, key) for key in (*keys, *extra)}
            return _polymatrix(parts, named) if made is PolymatrixGame else made(**parts, **named)  # type: ignore[arg-type]
    _nothing_left(arrays)
    raise _WrongError("it holds no payoffs")


def _polymatrix(parts: dict[str, Array], named: dict[str, Any]) -> PolymatrixGame:
    counts, pairs, payoffs = parts["counts"], parts["pairs"], parts["payoffs"].ravel()
    if counts.ndim != 1 or pairs.ndim != 2 or pairs.shape[1] != 2:
        raise _WrongError(f"counts or pairs are of the wrong shape: {counts.shape} and {pairs.shape}")
    for key in ("counts", "pairs"):
        if (parts[key] != np.floor(parts[key])).any() or (np.abs(parts[key]) >= 1 << 31).any():
            raise _WrongError(f"{key} are not whole numbers")
    sizes = [int(count) for count in counts]
    edges: dict[tuple[int, int], Floats] = {}
    at = 0
    for i, j in pairs.astype(np.int64).tolist():
        if not (0 <= i < len(sizes) and 0 <= j < len(sizes)) or (i, j) in edges:
            raise _WrongError(f"the pair {(i, j)} is there twice, or of no players")
        end = at + max(sizes[i], 0) * max(sizes[j], 0)
        if end > payoffs.size:
            raise _WrongError("the payoffs end too soon")
        edges[i, j] = payoffs[at:end].reshape(sizes[i], sizes[j])
        at = end
    if at != payoffs.size:
        raise _WrongError(f"there are {payoffs.size - at} payoffs too many")
    return PolymatrixGame(tuple(sizes), edges, **named)


def _numbered(arrays: dict[str, Array], prefix: str) -> list[str]:
    """Return the keys ``prefix0``, ``prefix1``, ... without a gap."""
    found = {int(m[2]) for key in arrays if (m := _NUMBERED.fullmatch(key)) and m[1] == prefix}
    missing = next(number for number in itertools.count() if number not in found)
    if missing < len(found):
        raise _WrongError(f"the array {prefix}{missing} is missing")
    return [f"{prefix}{number}" for number in range(missing)]


def _numbers(arrays: dict[str, Array], key: str) -> Floats:
    value = arrays.pop(key)
    if value.dtype.kind == "U":
        raise _WrongError(f"the array {key!r} holds texts, not numbers")
    with np.errstate(over="ignore", invalid="ignore"):  # what becomes infinite is refused as such
        return np.array(value, dtype=np.float64, order="C")


def _texts(arrays: dict[str, Array], key: str, dimensions: int) -> tuple[str, ...]:
    if key not in arrays:
        return ()
    value = arrays.pop(key)
    if value.dtype.kind != "U" or value.ndim != dimensions:
        raise _WrongError(f"the array {key!r} does not hold {'names' if dimensions else 'a text'}")
    try:
        texts = tuple(str(text) for text in value.ravel().tolist())
        "".join(texts).encode()
    except ValueError as error:
        raise _WrongError(f"the array {key!r} does not hold texts of whole characters") from error
    if any("\0" in text for text in texts):
        raise _WrongError(f"the array {key!r} does not hold texts of whole characters")
    return texts


def _nothing_left(arrays: dict[str, Array]) -> None:
    if arrays:
        listed = ", ".join(repr(key[:40]) for key in itertools.islice(arrays, 5))
        raise _WrongError(f"its arrays are none of a game: {listed}")
