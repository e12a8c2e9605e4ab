import json
from pathlib import Path

import pytest
from PySide6.QtWidgets import QLabel

from widgets.board import BoardView, BytesBoard, GridBoard, hex_dump, register
from widgets.board_state import BoardState, board_state, body_order, field_text
from widgets.gallery_samples import snake_board

ROOT = Path(__file__).resolve().parents[2]


def snake_bytes(status=0):
    """Three segments heading right at (5, 5), apple at (2, 1), in the layout of snake's descriptor."""
    state = bytearray(116)
    state[0:8] = bytes((5, 5, 2, 1, 1, 3, 0b0101, status))
    state[10:12] = bytes((10, 10))
    state[12:14] = (41).to_bytes(2, "little")
    state[16 + 53] = state[16 + 54] = 2
    state[16 + 55], state[16 + 12] = 5, 6
    return bytes(state)


@pytest.fixture(scope="module")
def descriptor():
    return json.loads((ROOT / "assets/systems/snake.json").read_text(encoding="utf-8"))


def test_reads_a_state_as_the_descriptor_says(descriptor):
    state = board_state(descriptor, snake_bytes(), caption="Step 41")
    fields = dict(state.fields)
    assert (state.kind, state.width, state.height, state.title) == ("grid", 10, 10, "Snake")
    assert fields["direction"] == "right"
    assert fields["deadly moves"] == "up, down"
    assert fields["steps"] == "41"
    assert state.cells[55] == 5
    assert not state.dead
    words = state.describe()
    assert words.startswith("Snake. Step 41. 10 by 10 cells. ")
    assert "head at column 5, row 5" in words
    assert "apple at column 2, row 1" in words
    assert "2 body cells" in words


def test_a_hit_snake_is_dead(descriptor):
    assert board_state(descriptor, snake_bytes(status=1)).dead
    assert not board_state(descriptor, snake_bytes(status=3)).dead  # time is up
    assert board_state(descriptor, snake_bytes(), dead=True).dead


def test_names_none_bits_and_numbers():
    raw = bytes((255, 0, 9))
    assert field_text({"offset": 0, "none": 255}, raw) == "none"
    assert field_text({"offset": 1, "bits": ["a", "b"]}, raw) == "none"
    assert field_text({"offset": 2, "names": ["x"]}, raw) == "9"
    assert field_text({"offset": 0, "size": 2}, raw) == "255"


@pytest.mark.parametrize("raw", [b"", bytes(50), bytes(115)])
def test_a_short_state_falls_back_to_bytes(descriptor, raw):
    assert board_state(descriptor, raw).kind == "bytes"


def test_an_unknown_descriptor_falls_back_to_bytes():
    state = board_state({"title": "Cards", "state": {"kind": "hands"}}, b"\1\2")
    assert (state.kind, state.raw, state.title) == ("bytes", b"\1\2", "Cards")
    assert board_state({}, b"").describe() == "Empty board."


def test_the_body_is_ordered_from_head_to_tail():
    order = body_order(snake_board())
    ranks = [
        order[y * 10 + x] for x, y in ((6, 3), (5, 3), (4, 3), (3, 3), (3, 4), (3, 5), (2, 5), (1, 5), (1, 6), (1, 7))
    ]
    assert ranks == sorted(ranks)
    assert (ranks[0], ranks[-1]) == (0, 1)


def test_a_body_that_loops_ends():
    # Two cells pointing at each other: not a snake, still no endless walk.
    state = snake_board()
    cells = [0] * 100
    cells[0], cells[1], cells[10] = 5, 4, 1
    cells[11] = 4
    broken = BoardState("grid", 10, 10, tuple(cells), state.legend)
    assert body_order(broken)


@pytest.mark.parametrize("size", [(180, 180), (333, 457), (900, 300)])
def test_the_grid_is_crisp_and_square_at_any_size(qtbot, size):
    board = GridBoard()
    qtbot.addWidget(board)
    board.set_state(snake_board())
    board.resize(*size)
    rects = [board.cell_rect(x, y) for x in range(10) for y in range(10)]
    for rect in rects:
        assert rect.width() == rect.height()
        assert rect.left() == round(rect.left())
        assert rect.top() == round(rect.top())
        assert 0 <= rect.left() <= rect.right() <= size[0]
        assert 0 <= rect.top() <= rect.bottom() <= size[1]


def test_head_apple_and_death_are_seen(qtbot, differing):
    board = GridBoard()
    qtbot.addWidget(board)
    board.resize(400, 400)
    board.set_state(snake_board())
    living = board.grab().toImage()
    at = board.cell_rect(7, 7).center().toPoint()
    apple = living.pixelColor(at)
    assert apple.red() > apple.blue() + 60
    head = board.cell_rect(6, 4)
    skin = living.pixelColor(int(head.left() + head.width() * 0.25), int(head.center().y()))
    assert skin.blue() > skin.red() + 60
    board.set_state(snake_board(dead=True))
    assert differing(living, board.grab().toImage()) > 0.01


def test_picks_the_renderer_by_kind(qtbot):
    view = BoardView(snake_board())
    qtbot.addWidget(view)
    grid = view._stack.currentWidget()
    assert isinstance(grid, GridBoard)
    view.set_state(BoardState("no such kind", raw=b"abc", fields=(("pot", "12"),)))
    assert isinstance(view._stack.currentWidget(), BytesBoard)
    assert "616263" in view._stack.currentWidget()._dump.toPlainText().replace(" ", "")
    view.set_state(snake_board())
    assert view._stack.currentWidget() is grid
    assert view.accessibleDescription() == view.describe()


def test_other_games_bring_their_own(qtbot, monkeypatch):
    class Hands(QLabel):
        def set_state(self, state):
            self.setText(state.title)

    from widgets import board

    monkeypatch.setattr(board, "_renderers", dict(board._renderers))
    register("hands", Hands)
    view = BoardView(BoardState("hands", title="Poker"))
    qtbot.addWidget(view)
    assert view._stack.currentWidget().text() == "Poker"


def test_hex_dump():
    assert hex_dump(b"AB" + bytes(15)).splitlines() == [
        "000000  41 42 00 00 00 00 00 00  00 00 00 00 00 00 00 00  AB" + "·" * 14,
        "000010  00                                                ·",
    ]
    assert hex_dump(b"") == "no bytes"
