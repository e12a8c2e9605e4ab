"""Gambit files: both forms, every number exact, every error at its line and column, the same as Gambit reads."""

from __future__ import annotations

import importlib.resources
import io
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.games.errors import GameFileError
from engine.games.files.nfg import format_nfg, parse_nfg
from engine.games.games import BimatrixGame, FiniteGame, MatrixGame, TensorGame
from engine.games.generators import random_game

PAYOFFS = """NFG 1 R "Selten (IJGT, 75), Figure 2, normal form"
{ "Player 1" "Player 2" } { 3 2 }

1 1 0 2 0 2 1 1 0 3 2 0
"""
OUTCOMES = """NFG 1 R "Selten (IJGT, 75), Figure 2, normal form" { "Player 1" "Player 2" }

{
{ "1" "2" "3" }
{ "1" "2" }
}
"a comment, read over"
{
{ "" 1, 1 }
{ "" 0, 2 }
{ "" 0, 2 }
{ "" 1, 1 }
{ "" 0, 3 }
{ "" 2, 0 }
}
1 2 3 4 5 6
"""


def read(text: str) -> FiniteGame:
    return parse_nfg(text.encode(), "x.nfg")


def table(numbers: str, sizes: str = "1 1", players: str = '"a" "b"') -> str:
    return f'NFG 1 R "" {{ {players} }} {{ {sizes} }}\n{numbers}\n'


def assert_same(first: FiniteGame, second: FiniteGame) -> None:
    assert (first.kind, first.title, first.players, first.actions) == (
        second.kind,
        second.title,
        second.players,
        second.actions,
    )
    for ours, theirs in zip(first.to_tensor().tensors, second.to_tensor().tensors, strict=True):
        assert np.array_equal(ours, theirs)


# What files say ------------------------------------------------------------------------------------------------


def test_both_forms_of_the_manuals_example() -> None:
    game = read(PAYOFFS)
    assert isinstance(game, BimatrixGame)
    assert game.title == "Selten (IJGT, 75), Figure 2, normal form"
    assert game.players == ("Player 1", "Player 2")
    assert game.a.tolist() == [[1, 1], [0, 0], [0, 2]]
    assert game.b.tolist() == [[1, 1], [2, 3], [2, 0]]
    assert_same(game, read(OUTCOMES))
    # Names with payoffs, and counts with outcomes, go together as well.
    head, _, body = OUTCOMES.partition('"a comment, read over"')
    assert_same(game, read(head + "1 1 0 2 0 2 1 1 0 3 2 0"))
    assert_same(game, read(PAYOFFS[: PAYOFFS.index("1 1 0")] + body))


def test_outcome_zero_pays_nothing() -> None:
    game = read(table('{ { "x" 5 -1 } } 0 1 1 0', "2 2"))
    assert isinstance(game, BimatrixGame)
    assert game.a.tolist() == [[0, 5], [5, 0]]
    assert game.b.tolist() == [[0, -1], [-1, 0]]


def test_player_ones_index_varies_fastest() -> None:
    game = read(table(" ".join(str(n) for n in range(72)), "2 3 4", '"a" "b" "c"'))
    assert isinstance(game, TensorGame)
    for player in range(3):
        assert game.tensors[player][1, 2, 3] == 69 + player
        assert game.tensors[player][1, 0, 0] == 3 + player
        assert game.tensors[player][0, 1, 0] == 6 + player
        assert game.tensors[player][0, 0, 1] == 18 + player


def test_zero_sum_games_are_seen() -> None:
    assert isinstance(read(table("1 -1 0 0 -2.5 2.5 1/3 -1/3", "2 2")), MatrixGame)
    assert isinstance(read(table("1 -1 0 1 -2.5 2.5 1/3 -1/3", "2 2")), BimatrixGame)
    assert isinstance(read(table("7", "1", '"alone"')), TensorGame)


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1", 1.0),
        ("-0", 0.0),
        ("+7", 7.0),
        ("007", 7.0),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.5", -0.5),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
        ("2.5e+2", 250.0),
        ("1/3", 1 / 3),
        ("-7/2", -3.5),
        ("0.1", 0.1),
        ("1e-400", 0.0),
        ("12345678901234567890123/98765432109876543210", 12345678901234567890123 / 98765432109876543210),
        ("0." + "3" * 5000, 0.3333333333333333),
        ("9" * 100, 1e100),
    ],
)
def test_numbers(word: str, value: float) -> None:
    game = read(table(f"{word} 1"))
    assert game.to_tensor().tensors[0][0, 0] == value
    assert read(table(f'{{ {{ "" {word} 1 }} }} 1')).to_tensor().tensors[0][0, 0] == value


@given(st.fractions(max_denominator=10**12), st.floats(allow_nan=False, allow_infinity=False, width=64))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_numbers_become_the_nearest_float(ratio: Fraction, value: float) -> None:
    text = f"{ratio.numerator}/{ratio.denominator}"
    assert read(table(f"{text} 1")).to_tensor().tensors[0][0, 0] == float(ratio)
    if abs(value) <= 1e100:
        assert read(table(f"{value!r} 1")).to_tensor().tensors[0][0, 0] == value


def test_layout_does_not_matter() -> None:
    game = read(PAYOFFS)
    assert_same(game, parse_nfg(PAYOFFS.replace("\n", "\r\n").encode()))
    assert_same(game, parse_nfg(b"\xef\xbb\xbf" + PAYOFFS.replace(" 0", "\t\v\f0").encode()))
    assert_same(game, read(PAYOFFS.replace("NFG 1 R", "\n NFG\n1  D").replace("1 1 0 2", "1, 1, 0, 2")))
    assert_same(game, read(PAYOFFS.replace('{ "Player 1" "Player 2" } { 3 2 }', '{"Player 1""Player 2"}{3 2}')))


def test_names_with_quotes_and_without() -> None:
    text = table("1 2 3 4", r'{ "a \"b\"" "back\\slash" } { "" }', '"Ann\nLee" ""')
    game = read(text)
    assert game.players == ("Ann\nLee", "Player 2")
    assert game.actions == (('a "b"', "back\\slash"), ("1",))
    assert_same(game, read(format_nfg(game)))
    assert read(table("1 2", players=r'"C:\temp" "a"')).players[0] == r"C:\temp"


# What is written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcomes", [False, True])
def test_what_is_written_is_read_back(outcomes: bool) -> None:
    for game in (
        random_game((3, 4), 1, "normal"),
        random_game((2, 3, 2, 2), 2, "integers"),
        MatrixGame(np.array([[1e-300, -1e100, 1e16], [0.1, -0.0, 123456789.25]])),
        TensorGame((np.array([1.0, 2.0]),)),
    ):
        assert_same(game, read(format_nfg(game, outcomes=outcomes)))


def test_outcomes_are_written_once() -> None:
    text = format_nfg(BimatrixGame(np.eye(3), np.eye(3)), outcomes=True)
    assert text.count('{ "" ') == 2
    assert text.splitlines()[-1] == "1 2 2 2 1 2 2 2 1"


# The same as Gambit --------------------------------------------------------------------------------------------


def gambit_payoffs(data: bytes) -> tuple[Any, list[np.ndarray]]:
    gambit = pytest.importorskip("pygambit")
    game = gambit.read_nfg(io.BytesIO(data))
    return game, [np.asarray(tensor, dtype=np.float64) for tensor in game.to_arrays(float)]


def catalogue_files() -> list[Any]:
    try:
        folder = importlib.resources.files("pygambit") / "catalog_data"
    except ModuleNotFoundError:
        return []
    return sorted(Path(str(folder)).rglob("*.nfg"))


def test_gambits_catalogue_reads_as_gambit_reads_it() -> None:
    pytest.importorskip("pygambit")
    files = catalogue_files()
    assert len(files) >= 6
    for path in files:
        data = path.read_bytes()
        theirs, payoffs = gambit_payoffs(data)
        game = parse_nfg(data, path.name)
        assert (game.title, list(game.players)) == (theirs.title, [player.label for player in theirs.players])
        assert [list(names) for names in game.actions] == [[s.label for s in p.strategies] for p in theirs.players]
        for ours, expected in zip(game.to_tensor().tensors, payoffs, strict=True):
            assert np.array_equal(ours, expected)


@pytest.mark.parametrize("outcomes", [False, True])
@pytest.mark.parametrize(
    "game",
    [
        random_game((3, 4), 5, "normal"),
        random_game((2, 3, 2), 6, "integers"),
        MatrixGame(np.array([[1e-12, -2e20], [1 / 3, 1e16]])),
    ],
    ids=["bimatrix", "tensor", "matrix"],
)
def test_gambit_reads_what_is_written(game: FiniteGame, outcomes: bool) -> None:
    theirs, payoffs = gambit_payoffs(format_nfg(game, outcomes=outcomes).encode())
    assert theirs.title == game.title
    for ours, expected in zip(game.to_tensor().tensors, payoffs, strict=True):
        assert np.array_equal(ours, expected)


# What is wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "line", "column", "why"),
    [
        ("", 1, 1, "expected NFG, with which such a file begins, found the end of the file"),
        ("EFG 2 R", 1, 1, "found 'EFG'"),
        ('NFG 2 R "t"', 1, 5, "expected the version 1, found '2'"),
        ('NFG 1 X "t"', 1, 7, "expected R or D, found 'X'"),
        ("NFG 1 R { }", 1, 9, "expected the title in quotation marks, found '{'"),
        ('NFG 1 R "t', 1, 9, "its closing quotation mark is missing"),
        ('NFG 1 R "t\\"', 1, 9, "its closing quotation mark is missing"),
        ('NFG 1 R "t" { } { }', 1, 17, "no players"),
        ('NFG 1 R "t" { "a" b } { 1 }', 1, 19, "expected a player's name in quotation marks, or '}', found 'b'"),
        ('NFG 1 R "t" { "a" } { 0 }', 1, 23, "player 1 has no actions"),
        ('NFG 1 R "t" { "a" } { {} }', 1, 23, "player 1 has no actions"),
        ('NFG 1 R "t" { "a" } { -1 }', 1, 23, "expected a whole number, found '-1'"),
        ('NFG 1 R "t" { "a" } { 1.0 }', 1, 23, "expected a whole number"),
        ('NFG 1 R "t" { "a" } { ² }', 1, 23, "expected a whole number"),
        ('NFG 1 R "t" { "a" } { 1 2 }', 1, 25, "expected '}' after the players' actions, found '2'"),
        ('NFG 1 R "t" { "a" "b" } { 1 }', 1, 29, "expected the number of actions of player 2"),
        ('NFG 1 R "t" { "a" } { ' + "9" * 5000 + " }", 1, 23, "too large"),
        ('NFG 1 R "t" { "a" "b" } { 999999 999999 } 1', 1, 43, "the game is too large"),
        ('NFG 1 R "t" { "a" } { 60000000 } 1', 1, 35, "the table ends too soon"),
        ('NFG 1 R "t" ' + "{ " + '"p" ' * 65 + "}", 1, 271, "more than 64 names"),
        (table("1"), 2, 2, "the table ends too soon: 2 payoffs are needed, 1 are there"),
        (table("1 2 3"), 2, 5, "the table goes on after its 2 payoffs"),
        (table("1 x"), 2, 3, "expected a number, found 'x'"),
        (table("1 --2"), 2, 3, "expected a number, found '--2'"),
        (table("1 2-3"), 2, 3, "expected a number, found '2-3'"),
        (table("1 e5"), 2, 3, "expected a number, found 'e5'"),
        (table("1 nan"), 2, 3, "expected a number, found 'nan'"),
        (table("inf 1"), 2, 1, "expected a number, found 'inf'"),
        (table("1 1_000"), 2, 3, "expected a number, found '1_000'"),
        (table("1 \u0661"), 2, 3, "expected a number, found '\u0661'"),
        (table('1 "2"'), 2, 3, "expected a number, found the text '2'"),
        (table("1 {"), 2, 3, "expected a number, found '{'"),
        (table('1 "2'), 2, 3, "quotation mark is missing"),
        (table("1 1/0"), 2, 3, "1/0 divides by zero"),
        (table("1 1/-2"), 2, 3, "expected a number, found '1/-2'"),
        (table("1 1/2/3"), 2, 3, "expected a number"),
        (table("1 1.5/2"), 2, 3, "expected a number"),
        (table("1 1e999"), 2, 3, "1e999 is larger than 1e+100 in magnitude"),
        (table("-1e101 1"), 2, 1, "is larger than 1e+100"),
        (table("1 " + "9" * 400 + "/1"), 2, 3, "too many digits"),
        (table("1 " + "9" * 9000 + "/7"), 2, 3, "too many digits"),
        (table("\n\n  1\n\n   y"), 6, 4, "found 'y'"),
        (table('{ { "" 1 } } 1'), 2, 10, "expected a number, found '}'"),
        (table('{ { "" 1 2 3 } } 1'), 2, 12, "expected '}' after the 2 payoffs of an outcome, found '3'"),
        (table("{ { 1 2 } } 1"), 2, 5, "expected the outcome's name in quotation marks"),
        (table('{ { "" 1 2 } 1'), 2, 14, "expected '{' of an outcome, or '}' after the last one"),
        (table('{ { "" 1 1e200 } } 1'), 2, 10, "larger than"),
        (table('{ { "" 1 2 } } 2'), 2, 16, "there is no outcome 2"),
        (table('{ { "" 1 2 } } -1'), 2, 16, "there is no outcome -1"),
        (table('{ { "" 1 2 } } 0.5'), 2, 16, "there is no outcome 0.5"),
        (table('{ { "" 1 2 } }'), 2, 15, "the table ends too soon: 1 outcome numbers are needed, 0 are there"),
        (table('{ { "" 1 2 } } 1 1'), 2, 18, "the table goes on after its 1 outcome numbers"),
        (table("1 2\0"), 2, 4, "zero byte"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_errors_name_their_place(text: str, line: int, column: int, why: str) -> None:
    with pytest.raises(GameFileError) as caught:
        read(text)
    error = caught.value
    assert why in error.why
    assert (error.line, error.column) == (line, column)
    assert error.why.startswith(f"line {line}, column {column}: ")
    assert "x.nfg" in error.what
    assert error.next_step


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (PAYOFFS.encode("utf-16"), "UTF-16"),
        (PAYOFFS.encode("utf-16-be"), "zero byte"),
        (b'NFG 1 R "caf\xe9" { "a" } { 1 } 1', "line 1, column 13: it is not UTF-8"),
        (b"PK\x03\x04", "NFG"),
    ],
)
def test_other_encodings_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(GameFileError, match=why):
        parse_nfg(data)


# Whatever comes ------------------------------------------------------------------------------------------------


def tried(data: bytes) -> None:
    try:
        game = parse_nfg(data)
    except GameFileError as error:
        assert error.why
        assert error.line >= 1
        assert error.column >= 1
    else:
        assert all(np.isfinite(tensor).all() for tensor in game.to_tensor().tensors)
        assert_same(game, read(format_nfg(game)))


PIECES = ['"', "{", "}", "\\", ",", "-", "/", ".", "1e999", "1/0", "9" * 40, "\0", "\n", "NFG", "x", "\ufeff", "ü"]
VALID = [PAYOFFS, OUTCOMES, table("1/3 -2.5e-3 0 1", "1 2"), format_nfg(random_game((2, 2, 2), 1))]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.sampled_from(VALID), st.data())
def test_mutated_files_are_read_or_refused(valid: str, data: st.DataObject) -> None:
    text = valid
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        until = at + data.draw(st.integers(0, 5))
        text = text[:at] + data.draw(st.sampled_from(["", *PIECES]) | st.text(max_size=3)) + text[until:]
    tried(text[: data.draw(st.integers(0, len(text)))].encode() if data.draw(st.booleans()) else text.encode())


@settings(max_examples=150, derandomize=True, deadline=None)
@given(st.binary(max_size=200) | st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join).map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    tried(data)
    tried(b'NFG 1 R "" { "a" "b" } { 1 1 } ' + data)


@pytest.mark.timeout(30)
@pytest.mark.parametrize(
    "text",
    [
        'NFG 1 R "' + '\\"' * 500_000,
        'NFG 1 R "' + "\\" * 1_000_001 + '"',
        'NFG 1 R "" ' + "{" * 1_000_000,
        'NFG 1 R "" { "a" } { 1 } ' + '"' * 1_000_001,
        'NFG 1 R "" { "a" } { 1 } { ' + '{ "" 1 } ' * 300_000 + '{ "" x } } 1',
        table("1 " * 1_000_000 + "x", "1000 500"),
        table(" " * 3_000_000),
        "\n" * 3_000_000,
    ],
    ids=["quotes", "backslashes", "braces", "odd quotes", "outcomes", "late letter", "blanks", "lines"],
)
def test_large_nonsense_is_refused_in_linear_time(text: str) -> None:
    with pytest.raises(GameFileError):
        read(text)


@pytest.mark.timeout(60)
def test_a_million_payoffs_in_both_forms() -> None:
    game = random_game((1000, 500), 3, "integers")
    for outcomes in (False, True):
        assert_same(game, read(format_nfg(game, outcomes=outcomes)))
    ratios = " ".join(f"{n}/{n + 7}" for n in range(1_000_000))
    found = read(table(ratios, "1000 500")).to_tensor().tensors[0]
    assert found[999, 499] == 999_998 / 1_000_005
    assert math.isfinite(found.sum())
