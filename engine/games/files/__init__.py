"""Game files: Gambit's .nfg, NumPy's .npz and JSON, read and written by their suffix."""

from __future__ import annotations

from pathlib import Path

from engine.core.files import atomic_file
from engine.games.errors import GameError, GameFileError
from engine.games.files.json_form import format_json_game, parse_json_game
from engine.games.files.nfg import format_nfg, parse_nfg
from engine.games.files.npz import parse_npz, write_npz
from engine.games.games import MAX_NUMBERS, FiniteGame, Game

SUFFIXES = (".nfg", ".npz", ".json")
MAX_FILE = 10 * MAX_NUMBERS  # bytes
_PARSERS = {".nfg": parse_nfg, ".npz": parse_npz, ".json": parse_json_game}
_STARTS = ((b"PK\x03\x04", ".npz"), (b"NFG", ".nfg"), (b"{", ".json"))  # how a file of each kind begins


def read_game(path: Path) -> Game:
    """Return the game in a file. Raises GameFileError, with line and column where the form has lines."""
    suffix = _suffix(path)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except OSError as error:
        raise GameFileError(f"{path} cannot be read", error.strerror or str(error), "Check the path.") from error
    if len(data) > MAX_FILE:
        raise GameFileError(f"{path} is too large", f"it has more than {MAX_FILE >> 20} MiB", "Write it as .npz.")
    begins = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    found = next((kind for start, kind in _STARTS if begins.startswith(start)), suffix)
    if found != suffix:
        raise GameFileError(
            f"{path} cannot be read", f"its name ends in {suffix}, but it begins like a {found} file", "Rename it."
        )
    return _PARSERS[suffix](data, path.name)


def write_game(path: Path, game: Game) -> None:
    """Write a game in the form that the suffix names; a reader sees all of the file or what was there before.

    A .nfg file holds zero-sum and polymatrix games as tables, and no consensus games: GameError. Raises OSError too.
    """
    suffix = _suffix(path)
    if suffix == ".nfg" and not isinstance(game, FiniteGame):
        raise GameError(
            f"{path.name} cannot be written", f"a {game.kind} game has no table of payoffs", "Choose .npz or .json."
        )
    if suffix == ".npz":
        with atomic_file(path, mode=0o644) as file:
            write_npz(file, game)
        return
    text = format_nfg(game) if suffix == ".nfg" and isinstance(game, FiniteGame) else format_json_game(game)
    with atomic_file(path, mode=0o644) as file:
        file.write(text.encode())


def _suffix(path: Path) -> str:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise GameFileError(
            f"{path.name!r} has no suffix of a game file", repr(path.suffix), f"Known: {', '.join(SUFFIXES)}."
        )
    return suffix
