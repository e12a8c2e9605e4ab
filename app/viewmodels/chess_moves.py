"""Chess moves by name: a position is carried along, so that pieces, captures, castling and promotions are told."""

from __future__ import annotations

from dataclasses import dataclass

from app.viewmodels.reading import chess_text, square_name
from widgets.board_parts import piece_of
from widgets.board_state import BoardState

_LETTERS = {"king": "K", "queen": "Q", "rook": "R", "bishop": "B", "knight": "N", "pawn": ""}
_PROMOTED = ("", "knight", "bishop", "rook", "queen")


@dataclass(frozen=True, slots=True)
class ChessMove:
    """A move: its name in long algebraic form, and what it took."""

    text: str
    taken: str = ""


class ChessGame:
    """A position that follows the moves of a match. It does not judge them: the System did."""

    def __init__(self, start: BoardState) -> None:
        self._pieces: dict[int, str] = {}
        for at, code in enumerate(start.cells if (start.width, start.height) == (8, 8) else ()):
            entry = start.entry(code)
            piece = piece_of(entry.glyph) if entry is not None else ""
            if piece:
                self._pieces[(7 - at // 8) * 8 + at % 8] = piece

    def play(self, action: int) -> ChessMove:
        """Play a recorded action and return its name; of a piece that is not there, the coordinates."""
        origin, target, promotion = action & 63, action >> 6 & 63, action >> 12
        piece = self._pieces.pop(origin, "")
        if not piece or promotion >= len(_PROMOTED):
            return ChessMove(chess_text(action))
        taken = self._pieces.pop(target, "") or self._en_passant(piece, origin, target)
        self._pieces[target] = _PROMOTED[promotion] or piece
        if piece == "king" and abs(target - origin) == 2:
            return ChessMove(self._castle(origin, target))
        into = f"={_LETTERS[_PROMOTED[promotion]]}" if promotion else ""
        mark = "x" if taken else "-"
        return ChessMove(f"{_LETTERS[piece]}{square_name(origin)}{mark}{square_name(target)}{into}", taken)

    def _en_passant(self, piece: str, origin: int, target: int) -> str:
        if piece != "pawn" or origin % 8 == target % 8:
            return ""
        return self._pieces.pop(origin // 8 * 8 + target % 8, "")

    def _castle(self, origin: int, target: int) -> str:
        short = target > origin
        rook = self._pieces.pop(origin + 3 if short else origin - 4, "rook")
        self._pieces[(origin + target) // 2] = rook
        return "O-O" if short else "O-O-O"
