"""snake.wasm against a second snake, written here from the rules in snake.c and snake.h, not from its code."""

from __future__ import annotations

import json
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import Engine, Instance, Module, Store

from engine.core.paths import assets_dir

SNAKE = assets_dir() / "systems" / "snake.wasm"
MOVES = [(0, -1), (1, 0), (0, 1), (-1, 0)]
SIZE = 10
KEEP = -1
MASK = 2**64 - 1


class Reference:
    """Snake as documented; slow and plain. The body is a deque of points, tail first."""

    def __init__(self, seed: int, max_steps: int = 300) -> None:
        self.random = seed & MASK
        self.max_steps = max_steps
        self.body = deque([(3, 5), (4, 5), (5, 5)])
        self.direction, self.steps, self.status = 1, 0, 0
        self.apple: tuple[int, int] | None = self.new_apple()

    def draw(self) -> int:
        """splitmix64."""
        self.random = (self.random + 0x9E3779B97F4A7C15) & MASK
        z = self.random
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return z ^ (z >> 31)

    def new_apple(self) -> tuple[int, int]:
        free = [(x, y) for y in range(SIZE) for x in range(SIZE) if (x, y) not in self.body]
        return free[(self.draw() >> 32) * len(free) >> 32]

    def ahead(self, direction: int) -> tuple[int, int]:
        x, y = self.body[-1]
        return x + MOVES[direction][0], y + MOVES[direction][1]

    def verdict(self, at: tuple[int, int]) -> int:
        if not (0 <= at[0] < SIZE and 0 <= at[1] < SIZE):
            return 1
        return 2 if at in list(self.body)[1:] else 0

    def step(self, action: int) -> None:
        if action != KEEP:
            self.direction = action
        self.steps += 1
        to = self.ahead(self.direction)
        self.status = self.verdict(to)
        if self.status == 0:
            self.body.append(to)
            if to == self.apple:
                full = len(self.body) == SIZE * SIZE
                self.apple = None if full else self.new_apple()
                self.status = 4 if full else 0
            else:
                self.body.popleft()
        if self.status == 0 and self.steps >= self.max_steps:
            self.status = 3

    def packed(self) -> bytes:
        deadly = sum((self.verdict(self.ahead(d)) != 0) << d for d in range(4))
        return bytes([*self.body[-1], *(self.apple or (255, 255)), self.direction, len(self.body), deadly, self.status])

    def view(self) -> bytes:
        cells = {self.apple: 6, self.body[-1]: 5}
        for at, then in zip(self.body, list(self.body)[1:], strict=False):
            cells[at] = 1 + MOVES.index((then[0] - at[0], then[1] - at[1]))
        board = bytes(cells.get((x, y), 0) for y in range(SIZE) for x in range(SIZE))
        counts = self.steps.to_bytes(2, "little") + self.max_steps.to_bytes(2, "little")
        return self.packed() + bytes([*self.body[0], SIZE, SIZE]) + counts + board


class Snake:
    """snake.wasm through the public interface of wasmtime."""

    def __init__(self, module: bytes) -> None:
        engine = Engine()
        self.store = Store(engine)
        self.exports: Any = Instance(self.store, Module(engine, module), []).exports(self.store)

    def call(self, name: str, *arguments: int) -> Any:
        return self.exports[name](self.store, *arguments)

    def slice(self, name: str) -> bytes:
        value = self.call(name)
        start, length = value >> 32 & 0xFFFFFFFF, value & 0xFFFFFFFF
        return bytes(self.exports["memory"].read(self.store, start, start + length))


@pytest.fixture(scope="module")
def snake() -> Snake:
    return Snake(SNAKE.read_bytes())


def signed(value: int) -> int:
    return value - 2**64 if value >= 2**63 else value


def assert_same(snake: Snake, reference: Reference) -> None:
    view = snake.slice("observe_bytes")
    assert view == reference.view()
    assert (snake.call("observe") & MASK).to_bytes(8, "little") == view[:8]
    assert snake.call("is_done") == (reference.status != 0)
    assert snake.call("score", 0) == len(reference.body) - 3


def play_both(snake: Snake, seed: int, actions: Iterable[int], max_steps: int = 300) -> Reference:
    reference = Reference(seed, max_steps)
    snake.call("reset", signed(seed))
    assert_same(snake, reference)
    for action in actions:
        snake.call("step", action)
        reference.step(action)
        assert_same(snake, reference)
        if reference.status:
            break
    return reference


def round_trip(reference: Reference) -> Iterable[int]:
    """Actions that walk over all cells for ever: along column 0 down, through the others row by row up."""
    while True:
        x, y = reference.body[-1]
        if x == 0:
            yield 1 if y == SIZE - 1 else 2
        elif y == 0:
            yield 3
        elif y % 2:
            yield 0 if x == SIZE - 1 else 1
        else:
            yield 0 if x == 1 else 3


@given(seed=st.integers(0, MASK), actions=st.lists(st.integers(-1, 3), max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_actions_give_the_same_match(snake: Snake, seed: int, actions: list[int]) -> None:
    play_both(snake, seed, actions)


def test_random_matches_of_careful_players_agree(snake: Snake) -> None:
    ends = set()
    for seed in range(40):
        choose = random.Random(seed)
        reference = Reference(seed)
        snake.call("reset", seed)
        while not reference.status:
            safe = [d for d in range(4) if reference.verdict(reference.ahead(d)) == 0] or [0]
            action = choose.choice(safe) if choose.random() < 0.99 else choose.randrange(-1, 4)
            snake.call("step", action)
            reference.step(action)
            assert_same(snake, reference)
        ends.add(reference.status)
    assert {1, 2} <= ends


def test_the_match_ends_after_three_hundred_steps(snake: Snake) -> None:
    reference = Reference(7)
    snake.call("reset", 7)
    for _, action in zip(range(300), round_trip(reference), strict=False):
        assert snake.call("is_done") == 0
        snake.call("step", action)
        reference.step(action)
    assert_same(snake, reference)
    assert (reference.status, reference.steps) == (3, 300)


def test_a_full_board_ends_the_match_with_the_highest_score(build_script: ModuleType, tmp_path: Path) -> None:
    target = next(t for t in build_script.targets() if t.source.name == "snake.c")
    longer = replace(target, flags=(*target.flags, "-UNETS_MAX_STEPS", "-DNETS_MAX_STEPS=20000"))
    snake = Snake(build_script.compile_target(longer, tmp_path, tmp_path).read_bytes())
    reference = Reference(3, max_steps=20000)
    snake.call("reset", 3)
    for action in round_trip(reference):
        snake.call("step", action)
        reference.step(action)
        if reference.status:
            break
        if reference.steps % 50 == 0:
            assert_same(snake, reference)
    assert_same(snake, reference)
    assert reference.status == 4
    assert snake.call("score", 0) == json.loads(SNAKE.with_suffix(".json").read_text("utf-8"))["score_max"] == 97


def test_nothing_moves_after_the_end(snake: Snake) -> None:
    reference = play_both(snake, 1, [1] * 20)
    assert reference.status == 1
    before = snake.slice("state")
    for action in (0, 1, 2, 3, KEEP):
        snake.call("step", action)
    assert snake.slice("state") == before


def test_reset_forgets_the_match_before(snake: Snake) -> None:
    play_both(snake, 5, [0, 0, 3, 3, 2])
    play_both(snake, 6, [KEEP] * 3)
    reference = play_both(snake, 5, [])
    assert reference.steps == 0


def test_seeds_move_the_apples_and_stay_unseen(snake: Snake) -> None:
    apples = set()
    for seed in range(200):
        snake.call("reset", seed)
        view = snake.slice("observe_bytes")
        apples.add(view[2:4])
        assert view[:2] + view[4:16] == bytes([5, 5, 1, 3, 0b1000, 0, 3, 5, 10, 10, 0, 0, 44, 1])
    assert len(apples) > 60


@pytest.mark.parametrize(
    ("action", "legal"),
    [(-1, 1), (0, 1), (1, 1), (2, 1), (3, 1), (4, 0), (-2, 0), (2**63 - 1, 0), (-(2**63), 0), (2**32, 0)],
)
def test_five_actions_are_legal(snake: Snake, action: int, legal: int) -> None:
    assert snake.call("is_legal", action) == legal


def test_the_state_is_what_the_player_sees(snake: Snake) -> None:
    play_both(snake, 11, [0, 3, 3])
    assert snake.slice("state") == snake.slice("observe_bytes")
    assert snake.call("to_move") == 0
    assert snake.call("score", 1) == 0
