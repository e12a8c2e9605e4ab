"""Game files in all three forms: what is written is read back exactly, and whatever is wrong is refused in words."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError, GameFileError
from engine.games.files import SUFFIXES, read_game, write_game
from engine.games.files.json_form import format_json_game, parse_json_game
from engine.games.files.npz import parse_npz, write_npz
from engine.games.games import (
    MAX_PLAYERS,
    BimatrixGame,
    FiniteGame,
    Game,
    MatrixGame,
    PolymatrixGame,
    TensorGame,
)
from engine.games.generators import random_consensus, random_game, random_polymatrix, random_zero_sum

ODD = np.array([[0.1 + 0.2, -1e100, 5e-324], [1 / 3, 2.0**-1074, -0.0]])
NAMES: dict[str, Any] = {
    "title": 'The "odd" one, \\ ü 模',
    "players": ("Ann", "Bo\\b"),
    "actions": (('a "b"', "c d"), ("x\ny", "2", "ü")),
}
GAMES: dict[str, Game] = {
    "matrix": MatrixGame(ODD, **NAMES),
    "bimatrix": BimatrixGame(ODD, ODD + 1.0, **NAMES),
    "tensor": random_game((2, 3, 4), 1, "normal"),
    "as many players as there may be": random_game((1,) * MAX_PLAYERS, 4),
    "one player": TensorGame((np.array([3.0, 1.0]),)),
    "polymatrix": random_polymatrix(5, 3, 2, density=0.6),
    "no edges": PolymatrixGame((2, 3), {}),
    "uneven polymatrix": PolymatrixGame((2, 3), {(1, 0): np.arange(6.0).reshape(3, 2)}),
    "consensus": random_consensus(4, 3, 3),
    "one agent": ConsensusGame(np.array([[1.0]])),
}


def numbers(game: Game) -> list[np.ndarray]:
    if isinstance(game, ConsensusGame):
        return [game.points, game.confidence, game.influence]
    if isinstance(game, PolymatrixGame):
        return [np.array(game.action_counts), *(np.array([*pair, *m.ravel()]) for pair, m in game.edges.items())]
    assert isinstance(game, FiniteGame)
    return list(game.to_tensor().tensors)


def assert_same(first: Game, second: Game) -> None:
    assert (first.kind, first.title, first.players) == (second.kind, second.title, second.players)
    assert getattr(first, "actions", ()) == getattr(second, "actions", ())
    ours, theirs = numbers(first), numbers(second)
    assert len(ours) == len(theirs)
    assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", GAMES)
def test_what_is_written_is_read_back_exactly(name: str, suffix: str, tmp_path: Path) -> None:
    game, path = GAMES[name], tmp_path / f"game{suffix}"
    if suffix == ".nfg" and isinstance(game, ConsensusGame):
        with pytest.raises(GameError, match="no table"):
            write_game(path, game)
        assert not path.exists()
        return
    write_game(path, game)
    again = read_game(path)
    if suffix == ".nfg" and isinstance(game, PolymatrixGame):
        game = game.to_tensor()
        if len(game.sizes) == 2:
            game = BimatrixGame(*game.tensors, players=game.players, actions=game.actions)
            if np.array_equal(game.a, -game.b):
                game = MatrixGame(game.a, players=game.players, actions=game.actions)
    assert_same(game, again)
    before = path.read_bytes()
    write_game(path, again)
    assert path.read_bytes() == before


def test_the_suffix_and_the_content_must_agree(tmp_path: Path) -> None:
    source = tmp_path / "game.json"
    write_game(source, GAMES["matrix"])
    wrong = tmp_path / "game.nfg"
    wrong.write_bytes(source.read_bytes())
    with pytest.raises(GameFileError, match=r"begins like a \.json file"):
        read_game(wrong)
    upper = tmp_path / "GAME.JSON"
    upper.write_bytes(b"\xef\xbb\xbf" + source.read_bytes())
    assert_same(read_game(upper), GAMES["matrix"])
    for path in (tmp_path / "game.txt", tmp_path / "game"):
        with pytest.raises(GameFileError, match="suffix"):
            read_game(path)
        with pytest.raises(GameFileError, match="suffix"):
            write_game(path, GAMES["matrix"])


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    with pytest.raises(GameFileError, match="No such file"):
        read_game(tmp_path / "none.nfg")
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(GameFileError, match="directory"):
        read_game(tmp_path / "folder.json")


def test_a_million_numbers(tmp_path: Path) -> None:
    game = random_zero_sum(1000, 1000, 1, "normal")
    for suffix in (".npz", ".json"):
        path = tmp_path / f"large{suffix}"
        write_game(path, game)
        again = read_game(path)
        assert isinstance(again, MatrixGame)
        assert np.array_equal(again.a, game.a)


# JSON ----------------------------------------------------------------------------------------------------------


def test_a_game_by_hand() -> None:
    game = parse_json_game(b'{"kind": "bimatrix", "payoffs": [[[1, 2]], [[3.5, -4e2]]]}')
    assert isinstance(game, BimatrixGame)
    assert game.b.tolist() == [[3.5, -400.0]]
    assert game.actions == (("1",), ("1", "2"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1, column 1: Expecting value"),
        ('{"kind": "matrix",\n "payoffs": [[1, x]]}', "line 2, column 18"),
        ("[1]", r"\$: expected an object, found \[1\]"),
        ("{}", "'kind' is missing"),
        ('{"kind": "poker"}', r"\$\.kind: expected one of matrix"),
        ('{"kind": ["matrix"]}', r"\$\.kind: expected one of"),
        ('{"kind": "matrix"}', "'payoffs' is missing"),
        ('{"kind": "matrix", "payoffs": 3}', r"\$\.payoffs: expected a list, found 3"),
        ('{"kind": "matrix", "payoffs": [[1, "2"]]}', r'\$\.payoffs\[0\]\[1\]: expected a number, found "2"'),
        ('{"kind": "matrix", "payoffs": [[1, true]]}', r"\$\.payoffs\[0\]\[1\]: expected a number, found true"),
        ('{"kind": "matrix", "payoffs": [[1, null]]}', "found null"),
        ('{"kind": "matrix", "payoffs": [[1], [1, 2]]}', r"\$\.payoffs\[1\]: 2 items, the first has 1"),
        ('{"kind": "matrix", "payoffs": [[1], 2]}', r"\$\.payoffs\[1\]: expected a list, found 2"),
        ('{"kind": "matrix", "payoffs": []}', "cannot be used"),
        ('{"kind": "matrix", "payoffs": [[]]}', "empty"),
        ('{"kind": "matrix", "payoffs": [[1e999]]}', r"entry \(1, 1\) is inf"),
        ('{"kind": "matrix", "payoffs": [[1' + "0" * 400 + "]]}", "cannot be used"),
        ('{"kind": "matrix", "payoffs": [[1' + "0" * 5000 + "]]}", "cannot be read"),
        ('{"kind": "matrix", "payoffs": [[NaN]]}', "NaN is no number of JSON"),
        ('{"kind": "matrix", "payoffs": [[-Infinity]]}', "-Infinity is no number of JSON"),
        ('{"kind": "matrix", "kind": "matrix", "payoffs": [[1]]}', "the name 'kind' comes twice"),
        ('{"kind": "matrix", "payoffs": [[1]], "payoff": 1}', r"\$\.payoff: a matrix game has no such part"),
        ('{"kind": "matrix", "payoffs": [[1]], "players": ["a"]}', "1 names for 2 players"),
        ('{"kind": "matrix", "payoffs": [[1]], "players": ["a", 1]}', r"\$\.players\[1\]: expected a text"),
        ('{"kind": "matrix", "payoffs": [[1]], "title": "\\ud800"}', r"\$\.title: expected a text of whole"),
        ('{"kind": "matrix", "payoffs": [[1]], "title": "\\u0000"}', r"\$\.title: expected a text of whole"),
        ('{"kind": "matrix", "payoffs": [[1]], "actions": [["a"], "b"]}', r"\$\.actions\[1\]: expected a list"),
        ('{"kind": "bimatrix", "payoffs": [[[1]]]}', "payoffs of 2 players, found 1"),
        ('{"kind": "bimatrix", "payoffs": [[[1]], [[1, 2]]]}', "do not fit"),
        ('{"kind": "tensor", "payoffs": []}', "0 players"),
        ('{"kind": "tensor", "payoffs": [[1], [2]]}', r"\$\.payoffs\[0\]\[0\]: expected a list"),
        ('{"kind": "tensor", "payoffs": [[[1, 2], [3]], [[1, 2], [3]]]}', "items"),
        ('{"kind": "polymatrix", "counts": [2, 0], "pairs": []}', r"\$\.counts\[1\]: expected a whole number"),
        ('{"kind": "polymatrix", "counts": [1, 1], "pairs": [{}]}', r"\$\.pairs\[0\]: expected an object with"),
        (
            '{"kind": "polymatrix", "counts": [1, 1], "pairs": [{"player": 1, "against": 3, "payoffs": [[1]]}]}',
            "between the players",
        ),
        (
            '{"kind": "polymatrix", "counts": [1, 1], "pairs": [{"player": 1, "against": 1.5, "payoffs": [[1]]}]}',
            r"\$\.pairs\[0\]\.against: expected a whole number from 1, found 1\.5",
        ),
        ('{"kind": "consensus", "points": [[1], [2]], "confidence": [1]}', "does not fit"),
        ('{"kind": "consensus", "points": [[1], [2]], "actions": []}', "has no such part"),
        ("[" * 100_000, "nests deeper"),
        ('{"a":' * 100_000, "nests deeper"),
    ],
    ids=lambda value: value[:50],
)
def test_wrong_json_is_refused_by_its_path(text: str, why: str) -> None:
    with pytest.raises(GameFileError, match=why) as caught:
        parse_json_game(text.encode(), "x.json")
    assert caught.value.what.startswith("x.json")
    assert caught.value.next_step


VALID_JSON = [format_json_game(game).encode() for game in GAMES.values()]


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.sampled_from(VALID_JSON), st.data())
def test_mutated_json_is_read_or_refused(valid: bytes, data: st.DataObject) -> None:
    tried(parse_json_game, mutated(valid, data))


@settings(max_examples=100, derandomize=True, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["kind", "payoffs", "pairs", "counts", "points", "players"]), inner)
        ),
        max_leaves=12,
    ),
    st.sampled_from(["matrix", "bimatrix", "tensor", "polymatrix", "consensus"]),
)
def test_any_json_is_read_or_refused(value: Any, kind: str) -> None:
    if isinstance(value, dict):
        value["kind"] = kind
    tried(parse_json_game, json.dumps(value).encode())


def mutated(valid: bytes, data: st.DataObject) -> bytes:
    """Cut, overwrite, insert or double something."""
    changed = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(changed)))
        length = data.draw(st.integers(0, 6))
        piece = data.draw(st.sampled_from([b"", b'"', b"{", b"}", b"-", b"1e999", b"/0", b"\0", b"\xff", b"9" * 30]))
        changed[at : at + length] = piece or data.draw(st.binary(max_size=4))
        if data.draw(st.integers(0, 9)) == 0:
            del changed[data.draw(st.integers(0, len(changed))) :]
    return bytes(changed)


def tried(parse: Any, data: bytes) -> None:
    """Parse; whatever comes back must be a game, and whatever is raised must be words."""
    try:
        game = parse(data)
    except GameFileError as error:
        assert error.what
        assert error.why
        assert error.next_step
    else:
        assert isinstance(game, Game)
        assert all(np.isfinite(array).all() for array in numbers(game) if np.size(array))


# NumPy archives ------------------------------------------------------------------------------------------------


def packed(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def members(**contents: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in contents.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def header(descr: str, shape: tuple[int, ...]) -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


def test_archives_made_with_numpy() -> None:
    single = np.array([[1, 2], [3, 4]], dtype=">i2")
    game = parse_npz(packed(a=np.asfortranarray(single), b=single.astype(np.float32)))
    assert isinstance(game, BimatrixGame)
    assert game.a.tolist() == [[1, 2], [3, 4]]
    assert game.a.flags.c_contiguous
    assert game.a.flags.writeable
    three = parse_npz(packed(payoffs0=np.ones((1, 2, 3)), payoffs1=np.ones((1, 2, 3)), payoffs2=np.ones((1, 2, 3))))
    assert three.sizes == (1, 2, 3)
    file = io.BytesIO()
    np.savez_compressed(file, points=np.zeros((3, 2)), confidence=np.ones(3))
    assert isinstance(parse_npz(file.getvalue()), ConsensusGame)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "damaged"),
        (b"PK\x03\x04nonsense", "damaged"),
        (packed(), "no payoffs"),
        (packed(x=np.zeros(3)), "none of a game: 'x'"),
        (packed(a=np.eye(2), c=np.eye(2)), "none of a game"),
        (packed(b=np.eye(2)), "none of a game"),
        (packed(a=np.array([[object()]])), "not numbers or texts"),
        (packed(a=np.array([[1j]])), "not numbers or texts"),
        (packed(a=np.array([["1"]])), "holds texts, not numbers"),
        (packed(a=np.eye(2), title=np.array(3)), "does not hold a text"),
        (packed(a=np.eye(2), players=np.array("a")), "does not hold names"),
        (packed(a=np.eye(2), players=np.array(["a"])), "1 names for 2 players"),
        (packed(a=np.eye(2), actions1=np.array(["a", "b"])), "actions0 is missing"),
        (packed(a=np.array([[np.nan]])), r"entry \(1, 1\) is nan"),
        (packed(a=np.zeros((0, 3))), "empty"),
        (packed(a=np.zeros(3)), "dimensions"),
        (packed(payoffs0=np.zeros((2, 2)), payoffs2=np.zeros((2, 2))), "payoffs1 is missing"),
        (packed(payoffs0=np.zeros((2, 2)), payoffs1=np.zeros((2, 3))), "do not fit"),
        (packed(counts=np.array([1, 1]), pairs=np.zeros((1, 3)), payoffs=np.ones(1)), "wrong shape"),
        (packed(counts=np.array([1, 1]), pairs=np.array([[0, 1]]), payoffs=np.ones(2)), "1 payoffs too many"),
        (packed(counts=np.array([1, 2]), pairs=np.array([[0, 1]]), payoffs=np.ones(1)), "end too soon"),
        (packed(counts=np.array([1, 1]), pairs=np.array([[0, 5]]), payoffs=np.ones(1)), "of no players"),
        (packed(counts=np.array([1, 1.5]), pairs=np.array([[0, 1]]), payoffs=np.ones(1)), "not whole numbers"),
        (packed(counts=np.array([1, np.inf]), pairs=np.array([[0, 1]]), payoffs=np.ones(1)), "not whole numbers"),
        (packed(counts=np.array([-1, 2]), pairs=np.array([[0, 1]]), payoffs=np.ones(0)), "has|shape|actions"),
        (members(a=b"not an array"), "damaged"),
        (members(a=header("<f8", (10**12,)) + b"\0" * 8), "length does not fit its shape"),
        (members(a=header("<f8", (2, 2)) + b"\0" * 24), "length does not fit its shape"),
        (members(a=header("<f8", (-1, -1)) + b"\0" * 8), "length does not fit its shape"),
        (members(a=header("|O", (1, 1)) + b"cos\nsystem\n"), "not numbers or texts"),
        (members(a=header("<U0", (10**9, 10**9))), "not numbers or texts"),
        (members(a=b"\x93NUMPY\x03\x00" + b"\0" * 200), "has the form"),
        (members(**{f"x{i}": b"" for i in range(9000)}), "9000 arrays"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_foreign_and_damaged_archives_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(GameFileError, match=why):
        parse_npz(data, "x.npz")


def test_a_bomb_is_refused_by_its_declared_size() -> None:
    zeros = np.zeros(1 << 20).tobytes()
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("a.npy", "w", force_zip64=True) as member:
            member.write(header("<f8", (1 << 20, 90)))
            for _ in range(90):
                member.write(zeros)
    assert len(file.getvalue()) < 5 << 20
    with pytest.raises(GameFileError, match="640 MiB"):
        parse_npz(file.getvalue())


def test_a_pickle_is_never_run(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path.touch, (tmp_path / "ran",))

    with pytest.raises(GameFileError):
        parse_npz(packed(a=np.array([[Evil()]], dtype=object)))
    assert not (tmp_path / "ran").exists()


VALID_NPZ = []
for _game in GAMES.values():
    _file = io.BytesIO()
    write_npz(_file, _game)
    VALID_NPZ.append(_file.getvalue())


@settings(max_examples=200, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(VALID_NPZ), st.data())
def test_mutated_archives_are_read_or_refused(valid: bytes, data: st.DataObject) -> None:
    tried(parse_npz, mutated(valid, data))


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.data())
def test_mutated_members_are_read_or_refused(data: st.DataObject) -> None:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.arange(6.0).reshape(2, 3))
    tried(parse_npz, members(a=mutated(file.getvalue(), data)))
