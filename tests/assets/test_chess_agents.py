"""The sample agents of chess through the real gate and sandbox; python-chess follows every match."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from types import ModuleType
from typing import Any

import chess
import pytest
from wasmtime import Engine, Instance, Module, Store

from engine.core.paths import assets_dir
from engine.league.config import DEFAULT_BUDGET
from engine.league.gate import SyncGate
from engine.league.gate.limits import STACK_UNITS
from engine.league.gate.verdict import AgentImage, SystemImage
from engine.league.hasher import Hasher
from engine.league.match import MatchRequest, MatchResult, Outcome, run_match
from engine.league.sandbox import Sandbox
from engine.league.trace import Trace

ASSETS = assets_dir()
AGENTS = sorted(path.stem for path in (ASSETS / "agents" / "chess").glob("*.wasm"))
HONEST = sorted({*AGENTS} - {"illegal_mover"})
PROMOTIONS = (None, chess.KNIGHT, chess.BISHOP, chess.ROOK, chess.QUEEN)


class Arena:
    """Plays the shipped agents, and others, on the shipped chess."""

    def __init__(self, gate: SyncGate, sandbox: Sandbox) -> None:
        self.gate, self.sandbox, self.hasher = gate, sandbox, Hasher()
        self.system: SystemImage = gate.check_file(ASSETS / "systems" / "chess.wasm", "system").system()
        self.agents = {name: self.load(ASSETS / "agents" / "chess" / f"{name}.wasm") for name in AGENTS}

    def load(self, path: Path) -> AgentImage:
        return self.gate.check_file(path).agent()

    def play(self, white: str | AgentImage, black: str | AgentImage, seed: int) -> MatchResult:
        pair = tuple(self.agents[agent] if isinstance(agent, str) else agent for agent in (white, black))
        return run_match(MatchRequest(self.system, pair, seed, DEFAULT_BUDGET), self.sandbox, self.hasher)

    def score(self, name: str, opponent: str, seeds: range) -> float:
        """What NAME makes of two games a seed, 0 to 1."""
        points = [self.play(name, opponent, s).scores[0] + self.play(opponent, name, s).scores[1] for s in seeds]
        return sum(points) / (4 * len(points))


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    with SyncGate() as gate, Sandbox() as sandbox:
        yield Arena(gate, sandbox)


def gas_of(result: MatchResult) -> dict[int, int]:
    """The most that each seat used in a decision."""
    assert result.trace is not None
    used = {0: 0, 1: 0}
    for record in Trace(result.trace, 2):
        used[record.seat] = max(used[record.seat], record.gas_used)
    return used


def crowded(draw: random.Random) -> chess.Board:
    """A position with far more moves than games have: up to sixteen pieces a side, all of one or a few kinds."""
    while True:
        board = chess.Board(None)
        kinds = draw.choice([(5,), (4, 5), (2, 3), (1, 1, 5), (1, 2, 3, 4, 5)])
        squares = iter(draw.sample(range(64), 32))
        for color in (True, False):
            board.set_piece_at(next(squares), chess.Piece(chess.KING, color))
            for kind in draw.choices(kinds, k=draw.randint(3, 15)):
                square = next(squares)
                if kind != chess.PAWN or 8 <= square < 56:
                    board.set_piece_at(square, chess.Piece(kind, color))
        board.turn = draw.random() < 0.5
        if not board.was_into_check() and any(board.legal_moves):
            return board


def mail_of(board: chess.Board) -> bytes:
    """What an agent finds in its mailbox (ChessMail in chess.h), in a match without castling and en passant."""
    codes = {chess.PAWN: 1, chess.KNIGHT: 2, chess.KING: 3, chess.BISHOP: 5, chess.ROOK: 6, chess.QUEEN: 7}
    planes = [board.occupied_co[chess.BLACK], 0, 0, 0]
    for square, piece in board.piece_map().items():
        for bit in range(3):
            planes[1 + bit] |= (codes[piece.piece_type] >> bit & 1) << square
    moves = [m.from_square | m.to_square << 6 | PROMOTIONS.index(m.promotion) << 12 for m in board.legal_moves]
    packed = 40 << 16 | len(moves) << 48 | board.is_check() << 56
    small = bytes([not board.turn, 0, 255, 0, 20, 0, board.is_check(), 1])
    return struct.pack(f"<5Q8s{len(moves)}H", packed, *planes, small, *moves)


def follow(result: MatchResult, moves: chess.Board) -> chess.Board:
    """Play the actions of a trace, all of them legal, from where MOVES begins."""
    assert result.trace is not None
    for record in Trace(result.trace, 2):
        assert record.seat == (not moves.turn)
        assert not moves.is_game_over()
        action = record.action
        move = chess.Move(action & 63, action >> 6 & 63, PROMOTIONS[action >> 12])
        assert moves.is_legal(move), (moves.fen(), move)
        moves.push(move)
    return moves


def test_eight_play_and_one_cheats() -> None:
    assert len(HONEST) >= 8
    assert {"random_mover", "greedy_capturer", "minimax", "pawn_pusher"} <= set(HONEST)
    assert "illegal_mover" in AGENTS


def test_only_the_pawn_pusher_lives_on_64_bits(arena: Arena) -> None:
    assert [name for name in AGENTS if not arena.agents[name].mailbox] == ["pawn_pusher"]


@pytest.mark.parametrize("name", HONEST)
def test_every_agent_finishes_legal_games_within_its_gas(arena: Arena, name: str) -> None:
    for seed, opponent in enumerate(HONEST):
        for seats in ((name, opponent), (opponent, name)):
            result = arena.play(*seats, seed=seed)
            assert (result.outcome, result.cause) == (Outcome.FINISHED, None)
            assert sorted(result.scores) in ([0, 2], [1, 1])
            assert gas_of(result)[seats.index(name)] < (
                DEFAULT_BUDGET * 95 // 100 if name == "minimax" else DEFAULT_BUDGET * 6 // 10
            )


@pytest.mark.parametrize("name", ["minimax", "careful", "smotherer"])
def test_those_who_look_ahead_never_run_out_of_gas(arena: Arena, name: str) -> None:
    engine, draw, used = Engine(), random.Random(8), []
    store = Store(engine)
    agent: Any = Instance(store, Module(engine, arena.agents[name].module), []).exports(store)
    for _ in range(150):
        mail = mail_of(crowded(draw))
        agent["nb.gas"].set_value(store, 10**9)
        agent["nb.stack"].set_value(store, STACK_UNITS)
        agent["memory"].write(store, mail, agent["nets_obs"](store))
        action = agent["decide"](store, int.from_bytes(mail[:8], "little", signed=True))
        assert action in struct.unpack(f"<{len(mail) // 2}H", mail)[24:]
        used.append(10**9 - agent["nb.gas"].value(store))
    assert max(used) < DEFAULT_BUDGET


@pytest.mark.parametrize(("white", "black"), list(permutations(["random_mover", "pawn_pusher", "minimax", "swarm"], 2)))
def test_python_chess_follows_to_the_same_end(arena: Arena, white: str, black: str) -> None:
    result = arena.play(white, black, 0)  # seed 0: the normal position
    board = follow(result, chess.Board())
    assert len(board.move_stack) == result.steps
    if board.is_checkmate():
        assert result.scores == ((0, 2) if board.turn else (2, 0))
    else:
        assert result.scores == (1, 1)
        assert result.steps == 600 or board.is_game_over() or board.is_repetition(3) or board.is_fifty_moves()


@pytest.mark.parametrize("name", AGENTS)
def test_a_match_repeats_to_the_byte(arena: Arena, name: str) -> None:
    first, second = arena.play(name, "random_mover", 5), arena.play(name, "random_mover", 5)
    assert first.commitment is not None
    assert first == second


def test_seeds_make_different_games(arena: Arena) -> None:
    games = [arena.play("careful", "wary", seed).trace for seed in range(40)]
    assert len(set(games)) > 30


def test_the_one_who_cheats_loses_at_its_tenth_move(arena: Arena) -> None:
    for seed in range(10):
        result = arena.play("illegal_mover", "careful", seed)
        if result.outcome is Outcome.LOSS:
            assert (result.cause, result.seat, result.steps, result.scores) == ("ILLEGAL_ACTION", 0, 19, (0, 2))
        else:
            assert result.steps < 19  # mated before it could
        result = arena.play("pacifist", "illegal_mover", seed)
        assert (result.cause, result.seat, result.steps, result.scores) == ("ILLEGAL_ACTION", 1, 20, (2, 0))


@pytest.mark.parametrize(
    "answer",
    [
        "0",
        "-1",
        "0x7FFFFFFFFFFFFFFFll",
        "(-0x7FFFFFFFFFFFFFFFll - 1)",
        "MOVE | 1ll << 16",
        "MOVE | 1ll << 63",
        "MOVE | 7 << 12",
    ],
)
def test_actions_beyond_all_moves_lose(arena: Arena, build_script: ModuleType, tmp_path: Path, answer: str) -> None:
    source = tmp_path / "hostile.c"
    source.write_text(
        '#include "chess_agent.h"\n'
        "#define MOVE (i64)chess_mail()->moves[0]\n"
        "NETS_EXPORT(decide) i64 decide(i64 packed) { return chess_decisions(packed) < 4 ? MOVE : " + answer + "; }\n"
    )
    built = build_script.compile_target(build_script.Target(source, build_script.GAME_FLAGS), tmp_path, tmp_path)
    for seats in ((arena.load(built), "careful"), ("careful", arena.load(built))):
        result = arena.play(*seats, seed=3)
        lost = 1 if isinstance(seats[0], str) else 0
        assert (result.outcome, result.cause, result.seat) == (Outcome.LOSS, "ILLEGAL_ACTION", lost)
        assert (result.steps, result.scores[lost], result.scores[1 - lost]) == (5 + lost, 0, 2)


def test_the_clever_beat_the_simple(arena: Arena) -> None:
    seeds = range(10)
    assert arena.score("minimax", "careful", seeds) > 0.75
    assert arena.score("careful", "wary", seeds) > 0.6
    assert arena.score("wary", "random_mover", seeds) > 0.55
    assert arena.score("smotherer", "random_mover", seeds) > 0.55
    assert arena.score("random_mover", "pacifist", seeds) > 0.55
