"""Sample states of other games for the gallery: descriptors and bytes, read the way a real System's are."""

from __future__ import annotations

import struct
from typing import Any

from PySide6.QtWidgets import QWidget

from widgets.basics import row
from widgets.board import BoardView
from widgets.board_state import BoardState, board_state
from widgets.seats_bar import SeatInfo, SeatsBar

SEATS = ("sicilian", "gambiteer")
_PIECES = ["pawn", "knight", "bishop", "rook", "queen", "king"]
_POSITION = "r.bq.rk.ppp..ppp..np.n....b.p.....B.P.....NP.N..PPP..PPPR..QKB.R"
_LETTERS = ".PNBRQKpnbrqk"


def chess() -> BoardState:
    """A middle game."""
    legend: list[dict[str, Any]] = [{"value": 0, "name": "empty", "role": "empty", "glyph": ""}]
    for side, colour in enumerate(("white", "black")):
        for at, piece in enumerate(_PIECES):
            glyph = "♟♞♝♜♛♚"[at]
            legend.append({"value": 1 + at + 6 * side, "name": f"{colour} {piece}", "role": colour, "glyph": glyph})
    layout = {"kind": "grid", "length": 68, "width": 8, "height": 8, "cells_offset": 4, "cells": legend,
              "checkered": True, "coordinates": "chess",
              "highlights": [{"offset": 0, "name": "from", "none": 255}, {"offset": 1, "name": "to", "none": 255},
                             {"offset": 2, "name": "check", "none": 255}],
              "fields": [{"offset": 3, "size": 1, "name": "to move", "names": ["white", "black"]}]}  # fmt: skip
    raw = bytes((61, 34, 6, 0)) + bytes(_LETTERS.index(letter) for letter in _POSITION)
    return board_state({"title": "Chess", "state": layout}, raw, seats=SEATS)


def connect_four() -> BoardState:
    """A game nearly won."""
    cells = [0] * 42
    for at, value in (
        (38, 1),
        (31, 2),
        (37, 1),
        (30, 1),
        (36, 2),
        (39, 2),
        (24, 1),
        (32, 1),
        (23, 2),
        (25, 2),
        (17, 1),
    ):
        cells[at] = value
    layout = {"kind": "grid", "length": 43, "width": 7, "height": 6, "cells_offset": 1, "coordinates": "columns",
              "highlights": [{"offset": 0, "name": "last move", "none": 255}],
              "cells": [{"value": 0, "name": "empty", "role": "empty"}, {"value": 1, "name": "first", "role": "first"},
                        {"value": 2, "name": "second", "role": "second"}]}  # fmt: skip
    return board_state({"title": "Connect Four", "state": layout}, bytes([17, *cells]), seats=SEATS)


def _rounds(seats: int = 2) -> dict[str, Any]:
    moves = ["rock", "paper", "scissors"]
    columns: list[dict[str, Any]] = [
        {"offset": seat, "size": 1, "name": f"move {seat}", "names": moves, "seat": seat} for seat in range(seats)
    ]
    columns += [
        {"offset": seats + seat, "size": 1, "name": f"points {seat}", "signed": True, "seat": seat}
        for seat in range(seats)
    ]
    return {"rows_offset": 4, "row_size": 2 * seats, "count_offset": 2, "count_size": 2, "columns": columns}


def _played(count: int) -> bytes:
    rows = b""
    for at in range(count):
        first, second = (at * at + at // 3) % 3, (at * 5 + at * at // 7) % 3
        won = (0, 1, -1)[(first - second) % 3]
        rows += struct.pack("bbbb", first, second, won, -won)
    return rows


def rock_paper_scissors(count: int = 60) -> BoardState:
    """A repeated game."""
    layout = {"kind": "history", "length": 4 + 4 * 100, **_rounds(),
              "fields": [{"offset": 0, "size": 1, "name": "waiting", "names": ["no", "yes"]}]}  # fmt: skip
    raw = struct.pack("<BBH", 0, 0, count) + _played(count)
    return board_state({"title": "Rock, paper, scissors", "state": layout}, raw.ljust(404, b"\0"), seats=SEATS)


def kuhn() -> BoardState:
    """Kuhn poker after a bet."""
    layout = {"kind": "cards", "length": 10,
              "hands": [{"offset": seat, "seat": seat, "names": ["J", "Q", "K"], "none": 255} for seat in (0, 1)],
              "actions": {"offset": 3, "count_offset": 2, "names": ["check", "bet", "call", "fold"]},
              "fields": [{"offset": 6, "size": 1, "name": "pot"}, {"offset": 7, "size": 2, "name": "hand"},
                         {"offset": 9, "size": 1, "name": "net of seat 0", "signed": True}]}  # fmt: skip
    raw = bytes((2, 255, 2, 0, 1, 0, 3)) + struct.pack("<Hb", 17, -4)
    return board_state({"title": "Kuhn poker", "state": layout}, raw, seats=SEATS)


def blotto() -> BoardState:
    """Colonel Blotto with the rounds before."""
    block = {"rows_offset": 4, "row_size": 4, "count_offset": 2, "count_size": 2, "columns": _rounds()["columns"][2:]}
    layout = {"kind": "bars", "length": 100, "history": block, "labels": [f"Field {i}" for i in range(1, 6)],
              "groups": [{"name": "first", "seat": 0, "offset": 90, "size": 1, "count": 5},
                         {"name": "second", "seat": 1, "offset": 95, "size": 1, "count": 5}]}  # fmt: skip
    raw = struct.pack("<BBH", 0, 0, 9) + _played(9)
    raw = raw.ljust(90, b"\0") + bytes((30, 10, 0, 45, 15)) + bytes((12, 25, 33, 0, 30))
    return board_state({"title": "Colonel Blotto", "state": layout}, raw, seats=SEATS)


def seats() -> QWidget:
    """Two seats, the second to move."""
    bar = SeatsBar()
    bar.set_seats((SeatInfo(SEATS[0], "9,987,871 gas so far"), SeatInfo(SEATS[1], "164,402 gas so far", moves=True)))
    return bar


def games() -> QWidget:
    """A board of each kind."""
    holder = QWidget()
    shown = [BoardView(make()) for make in (chess, connect_four, rock_paper_scissors)]
    made = row(*shown, spacing=16)
    holder.setLayout(made)
    for at in range(len(shown)):
        made.setStretch(at, 1)
    return holder


def tables() -> QWidget:
    """Cards and bars."""
    holder = QWidget()
    shown = [BoardView(make()) for make in (kuhn, blotto)]
    made = row(*shown, spacing=16)
    holder.setLayout(made)
    for at in range(len(shown)):
        made.setStretch(at, 1)
    return holder
