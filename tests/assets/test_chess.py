"""chess.wasm beside python-chess: the same moves, the same ends, on games that look for the corners of the rules."""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import chess
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import Engine, Instance, Module, Store

from engine.core.paths import assets_dir

CHESS = assets_dir() / "systems" / "chess.wasm"
HEADER = assets_dir() / "include" / "chess.h"
DESCRIPTION = json.loads(CHESS.with_suffix(".json").read_text("utf-8"))
LINES = re.findall(r'^    "(\w+)"', (assets_dir() / "include" / "chess_openings.h").read_text("utf-8"), re.MULTILINE)
STATUS = next(field["names"] for field in DESCRIPTION["state"]["fields"] if field["name"] == "status")
PIECES = {chess.PAWN: 1, chess.KNIGHT: 2, chess.KING: 3, chess.BISHOP: 5, chess.ROOK: 6, chess.QUEEN: 7}
PROMOTIONS = {None: 0, chess.KNIGHT: 1, chess.BISHOP: 2, chess.ROOK: 3, chess.QUEEN: 4}
POSITION = slice(8, 48)
WORD = st.integers(-(2**63), 2**63 - 1)

# What only tests need: any position may be put on the board, and moves are counted without leaving WebAssembly.
HARNESS = """
#include "CHESS_C"
NETS_EXPORT(board) i64 board(void) { return NETS_SLICE(now, sizeof(*now)); }
NETS_EXPORT(placed) void placed(void) {
    __builtin_memset(latest, 0, sizeof(latest));
    positions = 0;
    decisions = 0;
    last_action = last_move = approved = 0;
    arrive();
    status = status_now();
    refresh_packed();
}
static ChessPosition walked[8];
static u16 listed[8][CHESS_MOVES];
static i64 walk(i32 depth) {
    i32 n = chess_generate(&walked[depth], listed[depth]);
    if (depth == 1) return n;
    i64 nodes = 0;
    for (i32 i = 0; i < n; i++) {
        walked[depth - 1] = walked[depth];
        chess_play(&walked[depth - 1], listed[depth][i]);
        nodes += walk(depth - 1);
    }
    return nodes;
}
NETS_EXPORT(nodes) i64 nodes(i32 depth) {
    walked[depth] = *now;
    return walk(depth);
}
"""


class Game:
    """chess.wasm, or it with the harness, through the public interface of wasmtime; beside it a python-chess board."""

    def __init__(self, module: bytes) -> None:
        engine = Engine()
        self.store = Store(engine)
        self.exports: Any = Instance(self.store, Module(engine, module), []).exports(self.store)
        self.board = chess.Board()
        self.decisions = 0

    def call(self, name: str, *arguments: int) -> Any:
        return self.exports[name](self.store, *arguments)

    def slice(self, name: str) -> bytes:
        value = self.call(name)
        start, length = value >> 32 & 0xFFFFFFFF, value & 0xFFFFFFFF
        return bytes(self.exports["memory"].read(self.store, start, start + length))

    def reset(self, seed: int) -> None:
        self.call("reset", seed)
        self.decisions, self.board = 0, chess.Board()
        opening = self.slice("observe_bytes")[4]
        for uci in moves_of(LINES[opening - 1]) if opening else ():
            self.board.push_uci(uci)

    def place(self, board: chess.Board) -> None:
        """Put a position on the board (harness only)."""
        self.decisions, self.board = 0, board
        start = self.call("board") >> 32
        self.exports["memory"].write(self.store, encoded(board), start)
        self.call("placed")

    def play(self, action: int, move: chess.Move) -> None:
        self.call("step", action)
        self.board.push(move)
        self.decisions += 1


def moves_of(line: str) -> list[str]:
    return [line[i : i + 4] for i in range(0, len(line), 4)]


def action_of(move: chess.Move) -> int:
    return move.from_square | move.to_square << 6 | PROMOTIONS[move.promotion] << 12


def rights_of(board: chess.Board) -> int:
    clean = board.clean_castling_rights()
    return sum(bool(clean & chess.BB_SQUARES[at]) << i for i, at in enumerate((chess.H1, chess.A1, chess.H8, chess.A8)))


def encoded(board: chess.Board, en_passant: int | None = None, occurred: int = 0) -> bytes:
    """A position as in chess.h."""
    planes = [board.occupied_co[chess.BLACK], 0, 0, 0]
    for kind, code in PIECES.items():
        for bit in range(3):
            planes[1 + bit] |= board.pieces_mask(kind, True) * (code >> bit & 1)
            planes[1 + bit] |= board.pieces_mask(kind, False) * (code >> bit & 1)
    square = board.ep_square if en_passant is None else en_passant
    small = [not board.turn, rights_of(board), 255 if square is None else square, board.halfmove_clock]
    small += [*board.fullmove_number.to_bytes(2, "little"), board.is_check() if occurred else 0, occurred]
    return b"".join(plane.to_bytes(8, "little") for plane in planes) + bytes(small)


def status_of(board: chess.Board, decisions: int) -> str:
    """How a match stands, in the order of chess.h."""
    ends = {
        "checkmate": board.is_checkmate,
        "material": board.is_insufficient_material,
        "stalemate": board.is_stalemate,
        "fifty moves": board.is_fifty_moves,
        "repetition": lambda: board.is_repetition(3),
        "move limit": lambda: decisions >= DESCRIPTION["max_steps"],
    }
    return next((name for name, holds in ends.items() if holds()), "playing")


def assert_same(game: Game) -> dict[int, chess.Move]:
    """Hold all that players see against the board; return the legal moves by action."""
    board, mail = game.board, game.slice("observe_bytes")
    legal = {action_of(move): move for move in board.legal_moves}
    listed = [int.from_bytes(mail[i : i + 2], "little") for i in range(48, len(mail), 2)]
    assert sorted(listed) == sorted(legal), board.fen()
    square = board.ep_square if board.has_legal_en_passant() else 255
    occurred = mail[47]
    assert mail[POSITION] == encoded(board, square, occurred), board.fen()
    assert 1 <= occurred <= 3
    assert board.is_repetition(occurred)
    assert occurred == 3 or not board.is_repetition(occurred + 1)
    last = action_of(board.peek()) if game.decisions else 0
    assert mail[:4] == last.to_bytes(2, "little") + game.decisions.to_bytes(2, "little")
    assert mail[5:8] == bytes([board.halfmove_clock, len(legal), board.is_check() | (occurred > 1) << 1])
    assert game.call("observe") == int.from_bytes(mail[:8], "little")
    return legal


def assert_same_end(game: Game) -> str:
    """Hold how the match stands against the board, and what the replay draws; return the status."""
    board, view, status = game.board, game.slice("state"), status_of(game.board, game.decisions)
    assert STATUS[view[8]] == status, board.fen()
    assert game.call("is_done") == (status != "playing")
    winner = {"1-0": (2, 0), "0-1": (0, 2)}.get(board.result() if status == "checkmate" else "", (1, 1))
    assert (game.call("score", 0), game.call("score", 1)) == ((0, 0) if status == "playing" else winner)
    pieces = {at ^ 56: PIECES[p.piece_type] + 8 * (not p.color) for at, p in board.piece_map().items()}
    assert list(view[16:]) == [pieces.get(cell, 0) for cell in range(64)]
    assert view[:8] == encoded(board, game.slice("observe_bytes")[42], 1)[32:38] + game.decisions.to_bytes(2, "little")
    if board.move_stack:
        assert view[12:14] == bytes([board.peek().from_square ^ 56, board.peek().to_square ^ 56])
    assert (view[14], view[15]) == ((board.king(board.turn) ^ 56, 1) if board.is_check() else (255, 0))
    return status


Choice = Callable[[random.Random, chess.Board, dict[int, chess.Move]], int]


def play_out(game: Game, draw: random.Random, choose: Choice, most: int = 2000) -> str:
    """Play to the end, comparing every ply."""
    for _ in range(most):
        legal = assert_same(game)
        if game.call("is_done"):
            break
        assert status_of(game.board, game.decisions) == "playing", game.board.fen()
        action = choose(draw, game.board, legal)
        assert game.call("is_legal", action) == 1
        game.play(action, legal[action])
    return assert_same_end(game)


def anything(draw: random.Random, board: chess.Board, legal: dict[int, chess.Move]) -> int:
    return draw.choice(list(legal))


def back_and_forth(draw: random.Random, board: chess.Board, legal: dict[int, chess.Move]) -> int:
    """Mostly take the own last move back, so that positions return."""
    if len(board.move_stack) >= 2 and draw.random() < 0.8:
        mine = board.move_stack[-2]
        back = action_of(chess.Move(mine.to_square, mine.from_square))
        if back in legal:
            return back
    return draw.choice(list(legal))


def pawns_first(draw: random.Random, board: chess.Board, legal: dict[int, chess.Move]) -> int:
    """Prefer en passant, then double steps and promotions, then other moves of pawns."""
    passing = [action for action, move in legal.items() if board.is_en_passant(move)]
    if passing and draw.random() < 0.5:
        return draw.choice(passing)
    pawns = [a for a, move in legal.items() if board.piece_type_at(move.from_square) == chess.PAWN]
    far = [a for a in pawns if a >> 12 or abs((a & 63) - (a >> 6 & 63)) == 16]
    return draw.choice((far if draw.random() < 0.7 else pawns) or pawns or list(legal))


def valid(board: chess.Board) -> bool:
    return board.is_valid() and not board.is_game_over(claim_draw=False)


def endgame(draw: random.Random) -> chess.Board:
    """Kings and up to four more pieces, pawns often about to promote."""
    while True:
        board = chess.Board(None)
        squares = draw.sample(range(64), 2 + draw.randint(1, 4))
        kinds = [chess.KING, chess.KING] + [draw.choice((1, 1, 1, 2, 3, 3, 4, 5)) for _ in squares[2:]]
        for i, (square, kind) in enumerate(zip(squares, kinds, strict=True)):
            color = bool(i & 1) if i < 2 else draw.random() < 0.5
            if kind == chess.PAWN and draw.random() < 0.7:
                square = chess.square(square & 7, 6 if color else 1)
            if kind == chess.KING or board.piece_at(square) is None:
                board.set_piece_at(square, chess.Piece(kind, color))
        board.turn = draw.random() < 0.5
        if valid(board):
            return board


def pinned_pawns(draw: random.Random) -> chess.Board:
    """A pawn to be taken en passant; the taker's king and a slider often on the rank that both pawns would leave."""
    while True:
        board = chess.Board(None)
        file, mover = draw.randrange(8), draw.random() < 0.5
        rank = 3 if mover else 4
        board.set_piece_at(chess.square(file, 1 if mover else 6), chess.Piece(chess.PAWN, mover))
        board.set_piece_at(chess.square(file + (1 if file < 7 else -1), rank), chess.Piece(chess.PAWN, not mover))
        for kind, color in [
            (chess.KING, not mover),
            (draw.choice((4, 5)), mover),
            (chess.KING, mover),
            (3, mover),
            (1, not mover),
        ]:
            on_rank = draw.random() < 0.7 and (kind, color) != (chess.KING, mover)
            square = chess.square(draw.randrange(8), rank if on_rank else draw.randrange(1, 7))
            if board.piece_at(square) is None:
                board.set_piece_at(square, chess.Piece(kind, color))
        board.turn = mover
        if valid(board):
            return board


@pytest.fixture(scope="module")
def game() -> Game:
    return Game(CHESS.read_bytes())


def built(build_script: ModuleType, folder: Path, *flags: str) -> Game:
    source = folder / "harness.c"
    source.write_text(HARNESS.replace("CHESS_C", str(CHESS.with_suffix(".c"))), "utf-8")
    limit = f"-DNETS_MAX_STEPS={DESCRIPTION['max_steps']}"
    target = build_script.Target(source, (*build_script.GAME_FLAGS, *(flags or (limit,))))
    return Game(build_script.compile_target(target, folder, folder).read_bytes())


@pytest.fixture(scope="module")
def bench(build_script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Game:
    return built(build_script, tmp_path_factory.mktemp("chess"))


# Together more than 50,000 plies -------------------------------------------------------------------------------


def test_random_games_agree(game: Game) -> None:
    draw, ends, plies = random.Random(1), Counter[str](), 0
    while plies < 25_000:
        game.reset(draw.getrandbits(62))
        ends[play_out(game, draw, anything)] += 1
        plies += game.decisions
    assert set(ends) >= {"checkmate", "material", "stalemate", "fifty moves"}


def test_games_that_go_back_and_forth_agree(game: Game) -> None:
    draw, ends, plies = random.Random(2), Counter[str](), 0
    while plies < 5_000:
        game.reset(draw.getrandbits(62))
        ends[play_out(game, draw, back_and_forth)] += 1
        plies += game.decisions
    assert ends["repetition"] > 100


@pytest.mark.parametrize(
    ("choose", "wanted"),
    [
        (anything, {"checkmate", "material", "stalemate", "fifty moves"}),
        (pawns_first, {"checkmate", "material", "stalemate", "fifty moves"}),
        (back_and_forth, {"material", "stalemate", "repetition"}),
    ],
)
def test_endgames_agree(bench: Game, choose: Choice, wanted: set[str]) -> None:
    draw, ends, plies, promoted = random.Random(3), Counter[str](), 0, 0
    while plies < 5_000:
        bench.place(endgame(draw))
        ends[play_out(bench, draw, choose)] += 1
        plies += bench.decisions
        promoted += sum(move.promotion is not None for move in bench.board.move_stack)
    assert set(ends) >= wanted
    assert promoted > 50


def test_en_passant_agrees_where_it_uncovers_check(bench: Game) -> None:
    draw, plies, refused, taken = random.Random(4), 0, 0, 0
    while plies < 10_000:
        bench.place(pinned_pawns(draw))
        play_out(bench, draw, pawns_first, most=12)
        plies += bench.decisions
        replay = chess.Board(bench.board.root().fen())
        for move in bench.board.move_stack:
            taken += replay.is_en_passant(move)
            replay.push(move)
            refused += replay.has_pseudo_legal_en_passant() and not replay.has_legal_en_passant()
    assert refused > 40
    assert taken > 100


def test_pawn_races_agree(game: Game) -> None:
    draw, plies = random.Random(5), 0
    while plies < 6_000:
        game.reset(draw.getrandbits(62))
        play_out(game, draw, pawns_first)
        plies += game.decisions


# Published counts of games of some plies, from positions known to find faults: chessprogramming.org, "Perft Results".
@pytest.mark.parametrize(
    ("fen", "counts"),
    [
        (chess.STARTING_FEN, [20, 400, 8902, 197281, 4865609]),
        ("r3k2r/p1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1", [48, 2039, 97862, 4085603]),
        ("8/2p5/3p4/KP5r/1R3p1k/8/4P1P1/8 w - - 0 1", [14, 191, 2812, 43238, 674624]),
        ("r3k2r/Pppp1ppp/1b3nbN/nP6/BBP1P3/q4N2/Pp1P2PP/R2Q1RK1 w kq - 0 1", [6, 264, 9467, 422333]),
        ("r2q1rk1/pP1p2pp/Q4n2/bbp1p3/Np6/1B3NBn/pPPP1PPP/R3K2R b KQ - 0 1", [6, 264, 9467, 422333]),
        ("rnbq1k1r/pp1Pbppp/2p5/8/2B5/8/PPP1NnPP/RNBQK2R w KQ - 1 8", [44, 1486, 62379, 2103487]),
        ("r4rk1/1pp1qppp/p1np1n2/2b1p1B1/2B1P1b1/P1NP1N2/1PP1QPPP/R4RK1 w - - 0 10", [46, 2079, 89890, 3894594]),
    ],
    ids=["start", "kiwipete", "position 3", "position 4", "position 4 mirrored", "position 5", "position 6"],
)
def test_the_published_numbers_of_games(bench: Game, fen: str, counts: list[int]) -> None:
    bench.place(chess.Board(fen))
    assert [bench.call("nodes", depth) for depth in range(1, len(counts) + 1)] == counts


# Ends and openings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fen", "dead"),
    [
        ("8/8/4k3/8/8/3K4/8/8 w - - 0 1", True),
        ("8/8/4k3/8/8/3KN3/8/8 w - - 0 1", True),
        ("8/8/4kb2/8/8/3K4/8/8 w - - 0 1", True),
        ("8/8/3bk3/8/8/3K4/3B4/8 w - - 0 1", True),
        ("8/8/4kb2/8/8/3K4/3B4/8 w - - 0 1", True),
        ("8/8/4kb2/8/8/3KB3/8/8 w - - 0 1", True),
        ("8/8/4kb2/8/8/3K4/2B5/8 w - - 0 1", False),
        ("8/8/4kn2/8/8/3KN3/8/8 w - - 0 1", False),
        ("8/8/4k3/8/8/2NKN3/8/8 w - - 0 1", False),
        ("8/8/4kb2/8/8/3KN3/8/8 w - - 0 1", False),
        ("8/8/4k3/8/8/3KP3/8/8 w - - 0 1", False),
        ("8/8/4k3/8/8/3KR3/8/8 w - - 0 1", False),
        ("8/8/4k3/8/8/3KQ3/8/8 w - - 0 1", False),
    ],
)
def test_material_that_cannot_mate(bench: Game, fen: str, dead: bool) -> None:
    board = chess.Board(fen)
    bench.place(board)
    assert board.is_insufficient_material() == dead
    assert (assert_same_end(bench) == "material") == dead


def test_mate_by_the_hundredth_ply_counts(bench: Game) -> None:
    bench.place(chess.Board("7k/8/5K2/8/8/8/8/6Q1 w - - 99 80"))
    move = chess.Move.from_uci("g1g7")
    bench.play(action_of(move), move)
    assert assert_same_end(bench) == "checkmate"
    bench.place(chess.Board("7k/8/5K2/8/8/8/8/6Q1 w - - 99 80"))
    move = chess.Move.from_uci("g1g2")
    bench.play(action_of(move), move)
    assert assert_same_end(bench) == "fifty moves"


def test_the_move_limit_is_a_draw(build_script: ModuleType, tmp_path: Path) -> None:
    short = built(build_script, tmp_path, "-DNETS_MAX_STEPS=3")
    short.reset(0)
    for uci in ("e2e4", "e7e5", "g1f3"):
        assert short.call("is_done") == 0
        move = chess.Move.from_uci(uci)
        short.play(action_of(move), move)
    assert STATUS[short.slice("state")[8]] == "move limit"
    assert (short.call("is_done"), short.call("score", 0), short.call("score", 1)) == (1, 1, 1)
    assert short.call("is_legal", action_of(chess.Move.from_uci("b8c6"))) == 0


def test_openings_are_legal_distinct_and_even() -> None:
    reached = set()
    for line in LINES:
        board = chess.Board()
        for uci in moves_of(line):
            board.push_uci(uci)
        assert len(board.move_stack) in (4, 6, 8)
        assert not board.is_check()
        worth = {1: 1, 2: 3, 3: 3, 4: 5, 5: 9, 6: 0}
        balance = sum(worth[p.piece_type] * (1 if p.color else -1) for p in board.piece_map().values())
        assert abs(balance) <= 1  # a pawn, in gambits
        reached.add(board.epd())
    assert len(reached) == len(LINES) >= 64
    names = next(field["names"] for field in DESCRIPTION["state"]["fields"] if field["name"] == "opening")
    assert len(names) == len(set(names)) == len(LINES) + 1 <= 256


def test_seeds_choose_among_all_openings_and_stay_unseen(game: Game) -> None:
    seen: dict[int, bytes] = {}
    for seed in range(3000):
        game.reset(seed)
        mail = game.slice("observe_bytes")
        assert mail == seen.setdefault(mail[4], mail)
        assert mail[:4] == bytes(4)
        assert game.call("to_move") == 0
        if seed == 0:
            assert game.board.fen() == chess.STARTING_FEN
    assert set(seen) == set(range(len(LINES) + 1))
    for seed in range(400):
        game.reset(seed)
        assert_same(game)
        assert_same_end(game)


def test_an_opening_that_returns_counts_as_a_repetition(game: Game) -> None:
    game.reset(0)
    for uci in ("g1f3", "g8f6", "f3g1", "f6g8") * 2:
        assert assert_same_end(game) == "playing"
        assert_same(game)
        move = chess.Move.from_uci(uci)
        game.play(action_of(move), move)
    assert assert_same_end(game) == "repetition"


# Nothing else is legal, nothing does harm ----------------------------------------------------------------------


def test_no_other_sixteen_bits_are_legal(bench: Game) -> None:
    for fen in (chess.STARTING_FEN, "r3k2r/P1ppqpb1/bn2pnp1/3PN3/1p2P3/2N2Q1p/PPPBBPPP/R3K2R w KQkq - 0 1"):
        bench.place(chess.Board(fen))
        legal = set(assert_same(bench))
        assert {action for action in range(2**16) if bench.call("is_legal", action)} == legal


@given(actions=st.lists(WORD, max_size=40), high=st.integers(1, 2**48 - 1))
@settings(max_examples=30, deadline=None)
def test_words_that_are_no_moves_change_nothing(game: Game, actions: list[int], high: int) -> None:
    game.reset(17)
    legal = assert_same(game)
    before = game.slice("observe_bytes"), game.slice("state")
    shifted = [move | (high << 16) - (2**64 if high >> 47 else 0) for move in legal]
    for action in [*actions, *shifted, 0, -1, 2**63 - 1, -(2**63), 2**32]:
        if action not in legal:
            assert game.call("is_legal", action) == 0
            game.call("step", action)
    assert (game.slice("observe_bytes"), game.slice("state")) == before


@given(seeds=st.lists(WORD, max_size=4), data=st.data())
@settings(max_examples=30, deadline=None)
def test_no_order_of_calls_traps(seeds: list[int], data: st.DataObject) -> None:
    fresh = Game(CHESS.read_bytes())  # no reset at first
    words = st.lists(st.one_of(WORD, st.integers(0, 2**15)), max_size=30)
    for seed in [None, *seeds]:
        if seed is not None:
            fresh.call("reset", seed)
        for word in data.draw(words):
            fresh.call("is_legal", word)
            fresh.call("step", data.draw(st.sampled_from([word, *listed(fresh)])))
            assert 0 <= fresh.call("to_move") <= 1
            fresh.slice("state")
            assert {fresh.call("score", 0), fresh.call("score", 1)} <= {0, 1, 2}


def listed(game: Game) -> list[int]:
    mail = game.slice("observe_bytes")
    return [int.from_bytes(mail[i : i + 2], "little") for i in range(48, len(mail), 2)]


def test_nothing_moves_after_the_end(game: Game) -> None:
    game.reset(0)
    for uci in ("f2f3", "e7e5", "g2g4", "d8h4"):
        move = chess.Move.from_uci(uci)
        game.play(action_of(move), move)
    assert assert_same_end(game) == "checkmate"
    before = game.slice("state")
    for action in range(0, 2**12, 7):
        assert game.call("is_legal", action) == 0
        game.call("step", action)
    assert game.slice("state") == before
    game.reset(0)
    assert assert_same_end(game) == "playing"


def test_the_description_agrees_with_the_header() -> None:
    state = DESCRIPTION["state"]
    assert state["length"] == state["cells_offset"] + state["width"] * state["height"] == 80
    constants = dict(re.findall(r"#define (CHESS_\w+) (\d+)", HEADER.read_text("utf-8")))
    assert state["cells_offset"] == int(constants["CHESS_STATE_HEADER"])
    codes = {(name, 0): PIECES[kind] for kind, name in enumerate(chess.PIECE_NAMES) if name}
    expected = {
        f"{'black' if add else 'white'} {name}": code + add for (name, _), code in codes.items() for add in (0, 8)
    }
    assert {cell["name"]: cell["value"] for cell in state["cells"]} == {"empty": 0, **expected}
    offsets = [*(f["offset"] for f in state["fields"]), *(h["offset"] for h in state["highlights"])]
    assert sorted(offsets) == [0, 1, 2, 3, 4, 6, 8, 9, 10, 11, 12, 13, 14, 15]
