"""Traces: the digest follows every bit of every step, tables keep every digit and appear whole."""

from __future__ import annotations

import csv
import struct
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from engine.games.games import BimatrixGame, MatrixGame
from engine.games.generators import random_consensus, random_game
from engine.games.results import Step
from engine.games.trace import MAX_COLUMNS, TraceDigest, TraceWriter, column_name, columns_of, write_trace_csv

GAME = BimatrixGame(
    np.array([[3.0, 0.0], [0.0, 2.0]]),
    np.array([[2.0, 0.0], [0.0, 3.0]]),
    players=("Ann", "Bob, the second"),
    actions=(("ballet", "box"), ("ballet", "box")),
)


def step(iteration: int, gap: float, *profile: list[float]) -> Step:
    return Step(iteration, tuple(np.array(part) for part in profile), gap)


def read(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_the_digest_is_what_the_description_says() -> None:
    digest = TraceDigest()
    assert digest.hexdigest() == sha256(b"\x07").hexdigest()
    digest.update(step(7, 0.25, [0.5, 0.5], [1.0, 0.0]))
    packed = struct.pack("<Qd4d", 7, 0.25, 0.5, 0.5, 1.0, 0.0)
    assert digest.hexdigest() == sha256(b"\x07" + packed).hexdigest()


@pytest.mark.parametrize(
    "other", [step(2, 0.5, [1.0]), step(1, np.nextafter(0.5, 1), [1.0]), step(1, 0.5, [np.nextafter(1.0, 0)])]
)
def test_one_bit_changes_the_digest(other: Step) -> None:
    ours, theirs = TraceDigest(), TraceDigest()
    ours.update(step(1, 0.5, [1.0]))
    theirs.update(other)
    assert ours.hexdigest() != theirs.hexdigest()


def test_a_strided_profile_has_the_digest_of_its_numbers() -> None:
    wide = np.arange(8.0)
    plain, strided = TraceDigest(), TraceDigest()
    plain.update(Step(1, (wide[::2].copy(),), 0.0))
    strided.update(Step(1, (wide[::2],), 0.0))
    assert plain.hexdigest() == strided.hexdigest()


def test_the_writer_keeps_every_digit(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    third = 1.0 / 3.0
    with TraceWriter(path, GAME) as writer:
        writer.write(step(1, 0.1 + 0.2, [third, 1 - third], [1.0, 0.0]))
        writer.write(step(2, np.float64(5e-324), [0.0, 1.0], [1e-17, 1.0]))
        assert not path.exists()
    assert (writer.rows, writer.left_out) == (2, "")
    rows = read(path)
    named = ["Ann:ballet", "Ann:box", "Bob, the second:ballet", "Bob, the second:box"]
    assert rows[0] == ["iteration", "nashconv", *named]
    assert [float(cell) for cell in rows[1]] == [1, 0.1 + 0.2, third, 1 - third, 1.0, 0.0]
    assert rows[2][1:4] == ["5e-324", "0.0", "1.0"]
    assert path.read_bytes().count(b"\r") == 0


def test_a_failed_writer_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    path.write_text("before")
    with pytest.raises(RuntimeError):
        with TraceWriter(path, GAME) as writer:
            writer.write(step(1, 0.0, [1.0, 0.0], [1.0, 0.0]))
            raise RuntimeError
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_long_profiles_are_cut_and_say_so(tmp_path: Path) -> None:
    game = MatrixGame(np.zeros((100, 3)))
    columns = columns_of(game)
    assert len(columns) <= MAX_COLUMNS
    assert columns[:2] == ((0, 0), (0, 1))
    assert [index for player, index in columns if player == 1] == [0, 1, 2]
    assert len(columns) == MAX_COLUMNS
    writer = TraceWriter(tmp_path / "x.csv", game)
    assert writer.left_out == "39 of 103 numbers a step"
    many = random_consensus(100, 2)
    assert columns_of(many) == tuple((player, 0) for player in range(MAX_COLUMNS))
    assert column_name(many, 3, 1) == "Player 4:2"
    assert columns_of(random_game((10, 10, 10))) == tuple((p, a) for p in range(3) for a in range(10))


def test_a_table_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_trace_csv(path, ("iteration", "a, b"), [(1, 0.1), (np.int64(2), np.float64(1 / 3))])
    assert path.read_text() == 'iteration,"a, b"\n1,0.1\n2,0.3333333333333333\n'

    def failing() -> object:
        yield (1, 2.0)
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write_trace_csv(path, ("x", "y"), failing())
    assert path.read_text().startswith("iteration")
    with pytest.raises(FileNotFoundError):
        write_trace_csv(tmp_path / "no" / "table.csv", ("x",), [])
