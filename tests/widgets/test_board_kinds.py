"""The renderers of games other than snake: what they read, what they say, and that what matters is seen."""

import json
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt

from widgets import gallery_games as games
from widgets.board import BarsBoard, BoardView, BytesBoard, CardsBoard, GridBoard, HistoryBoard
from widgets.board_parts import Rounds, piece_of, read_rounds
from widgets.board_state import BoardState, board_state
from widgets.chess_pieces import outline
from widgets.theme import apply_theme

MAKERS = (games.chess, games.connect_four, games.rock_paper_scissors, games.kuhn, games.blotto)
SIZES = ((300, 300), (440, 440), (700, 420), (260, 520))


@pytest.fixture
def show(qtbot):
    def shown(state, size=(440, 440)):
        view = BoardView(state)
        qtbot.addWidget(view)
        view.resize(*size)
        view.show()
        return view

    return shown


def test_chess_squares_have_their_names():
    words = games.chess().describe()
    assert "white king at e1" in words
    assert "black king at g8" in words
    assert "white pawn at e4, d3, a2, b2, c2, f2, g2, h2" in words
    assert "from: f1. to: c4. check: g8" in words
    assert "to move white" in words


def test_connect_four_tells_columns_and_heights():
    words = games.connect_four().describe()
    assert "first at column 4, height 4; " in words
    assert "last move: column 4, height 4" in words


def test_rounds_are_told_from_their_end():
    state = games.rock_paper_scissors(60)
    words = state.describe()
    assert "60 rounds played" in words
    assert "round 60: move 0 scissors, move 1 rock, points 0 -1, points 1 1" in words
    assert "total of points 0 -1" in words
    assert "1 round played" in games.rock_paper_scissors(1).describe()


def test_cards_and_actions_are_told():
    words = games.kuhn().describe()
    assert "sicilian holds K" in words
    assert "gambiteer holds a hidden card" in words
    assert "actions: check, bet" in words
    assert "net of seat 0 -4" in words
    assert "hand 17" in words


def test_allocations_are_told():
    words = games.blotto().describe()
    assert "first: Field 1 30, Field 2 10, Field 3 0, Field 4 45, Field 5 15" in words
    assert "9 rounds played" in words


def test_running_totals_follow_the_column_named_like_a_score():
    layout = {"rows_offset": 1, "row_size": 3, "count_offset": 0, "columns": [
        {"offset": 0, "name": "points", "seat": 0, "signed": True}, {"offset": 1, "name": "bid", "seat": 0},
        {"offset": 2, "name": "total", "seat": 1}]}  # fmt: skip
    rounds = read_rounds(layout, bytes((3, 255, 9, 1, 2, 9, 4, 2, 9, 9)))
    assert rounds.totals() == ((0, "points", (-1, 1, 3)), (1, "total", (1, 4, 9)))


def test_more_rounds_than_the_state_holds_are_left_out():
    layout = {"rows_offset": 1, "row_size": 2, "count_offset": 0, "columns": [{"offset": 0, "name": "n"}]}
    assert read_rounds(layout, bytes((250, 1, 0, 2))).rows == ((1,),)


def test_signed_and_big_endian_fields():
    layout = {"fields": [{"offset": 0, "size": 2, "name": "a", "signed": True},
                         {"offset": 0, "size": 2, "name": "b", "big": True}]}  # fmt: skip
    assert board_state({"state": layout}, b"\xff\xfe").fields == (("a", "-257"), ("b", "65534"))


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_every_kind_paints_at_every_size(qapp, show, differing, make, theme, size):
    apply_theme(qapp, theme)
    state = make()
    view = show(state, size)
    picture = view.grab().toImage()
    assert view.accessibleDescription() == state.describe()
    blank = (picture.width(), picture.height())
    empty = show(BoardState("grid"), blank).grab().toImage()
    assert differing(picture, empty) > 0.05


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (games.chess, GridBoard),
        (games.rock_paper_scissors, HistoryBoard),
        (games.kuhn, CardsBoard),
        (games.blotto, BarsBoard),
    ],
)
def test_each_kind_has_its_renderer(show, make, kind):
    assert isinstance(show(make())._stack.currentWidget(), kind)


@pytest.mark.parametrize("piece", ["king", "queen", "rook", "bishop", "knight", "pawn"])
def test_pieces_fill_their_square_and_differ(piece):
    box = outline(piece).boundingRect()
    assert 0 <= box.left() < box.right() <= 100
    assert 0 <= box.top() < box.bottom() <= 100
    assert box.height() > 60
    others = [outline(name) for name in ("king", "queen", "rook", "bishop", "knight", "pawn") if name != piece]
    assert all(outline(piece) != other for other in others)


def test_both_forms_of_a_glyph_name_the_piece():
    assert [piece_of(glyph) for glyph in "♔♚♘♞♙♟N"] == ["king"] * 2 + ["knight"] * 2 + ["pawn"] * 2 + ["knight"]
    assert piece_of("") == piece_of("x") == ""


def test_white_and_black_and_the_marks_are_seen(qtbot, differing):
    board = GridBoard()
    qtbot.addWidget(board)
    board.resize(480, 480)
    state = games.chess()
    board.set_state(state)
    picture = board.grab().toImage()

    def brightness(column, row):
        rect = board.cell_rect(column, row)
        return picture.pixelColor(int(rect.center().x()), int(rect.top() + rect.height() * 0.6)).lightness()

    assert brightness(4, 6 + 1) > 200 > 90 > brightness(0, 1)
    board.set_state(replace(state, highlights=()))
    assert 0.001 < differing(picture, board.grab().toImage()) < 0.1


def test_the_newest_round_is_in_sight(qtbot, show, settle):
    view = show(games.rock_paper_scissors(100))
    settle()
    table = view._stack.currentWidget()._table
    assert table.rowAt(table.viewport().height() - 6) == 99
    view.set_state(games.rock_paper_scissors(40))
    settle()
    assert table.rowAt(table.viewport().height() - 6) == 39
    model = table.model()
    assert model.index(39, 0).data() == "40"
    assert model.headerData(1, Qt.Orientation.Horizontal) == "move 0"
    assert model.index(0, 1).data(Qt.ItemDataRole.ForegroundRole) != model.index(0, 2).data(
        Qt.ItemDataRole.ForegroundRole
    )


def test_a_game_without_rounds_paints(show):
    assert not show(games.rock_paper_scissors(0)).grab().isNull()
    assert not show(BoardState("history", rounds=Rounds((), ()))).grab().isNull()
    assert not show(BoardState("bars")).grab().isNull()
    assert not show(BoardState("cards")).grab().isNull()


HOSTILE = [
    {"kind": "grid"},
    {"kind": "grid", "width": 10**9, "height": 10**9, "cells_offset": 0},
    {"kind": "grid", "width": -3, "height": -3, "cells_offset": 0},
    {"kind": "grid", "width": 2, "height": 2, "cells_offset": -4, "cells": []},
    {"kind": "grid", "width": "x", "height": 2, "cells_offset": 0},
    {"kind": "grid", "width": 2, "height": 2, "cells_offset": 0, "cells": [{"name": "no value"}]},
    {"kind": "grid", "width": 2, "height": 2, "cells_offset": 0, "cells": [], "highlights": [{"offset": 0}]},
    {"kind": "history"},
    {"kind": "history", "rows_offset": 0, "row_size": 0, "count_offset": 0, "columns": []},
    {"kind": "history", "rows_offset": 0, "row_size": 1, "count_offset": 0, "columns": [{"name": "a", "names": 5}]},
    {"kind": "history", "rows_offset": 0, "row_size": 1, "count_offset": 0, "columns": [{"name": "a", "offset": "x"}]},
    {"kind": "cards", "hands": 7, "actions": {}},
    {"kind": "bars", "groups": [{"name": "a", "offset": 0, "count": "many"}], "labels": []},
    {"kind": ["grid"]},
    {"kind": "grid", "fields": [{"offset": "0", "name": "a"}]},
    {"kind": "grid", "fields": {"a": 1}},
    "no object",
    None,
]


@pytest.mark.parametrize("layout", HOSTILE, ids=json.dumps)
def test_a_descriptor_that_makes_no_sense_costs_only_the_picture(show, layout):
    view = show(board_state({"title": "Odd", "state": layout}, bytes(range(16))))
    assert isinstance(view._stack.currentWidget(), BytesBoard)
    assert "Odd" in view.describe()


def test_odd_values_inside_a_sound_layout_paint(show):
    layout = {"kind": "grid", "width": 2, "height": 2, "cells_offset": 0,
              "cells": [{"value": 0, "name": "a", "role": 5, "glyph": 7}]}  # fmt: skip
    show(board_state({"state": layout}, bytes(4))).grab()
