"""connect4.wasm against a second connect four, written here from the rules in connect4.h, and against solved games."""

from __future__ import annotations

import json
import random
import struct
from collections import Counter
from collections.abc import Callable
from functools import cache
from itertools import product
from statistics import mean
from typing import Any

import pytest

from engine.core.paths import assets_dir
from engine.league.config import DEFAULT_BUDGET
from engine.league.match import Outcome
from engine.league.trace import Trace

WIDTH, HEIGHT = 7, 6
NONE = 255
RUNNING, DRAW = 0, 3
AGENTS = ["alphabeta", "centre", "follower", "greedy", "lines", "scatter"]
Columns = tuple[str, ...]  # a string a column, from the bottom: x stones of seat 0, o of seat 1

ANY_COLUMN = """
#include "connect4.h"
NETS_MAILBOX(mail, 64)
static u64 mixed;
NETS_EXPORT(decide) i64 decide(i64 packed) {
    i32 column = 0;
    do {
        mixed = (mixed ^ (u64)packed) * 0x2545F4914F6CDD1Dull + 1;
        column = (i32)((mixed >> 32) % 7);
    } while (mail[CONNECT4_HEADER + column] != CONNECT4_EMPTY);
    return column;
}
"""

# What each position after four stones is worth to seat 0 when both play perfectly: W won, D drawn, L lost. In the order
# of the sorted positions, each written as its columns. From an exact solver (BitBully 0.0.79), all 1,120 of them.
VALUES = (
    "WDWWWWWWWWWWWWWWWWWWWDWWWWWWWWWWDDWDWWWDWWDDDDWLWLWDWWDDWWWLLWDWWWWWWWWWWWWWWWWWWWWDDWWDDWWWWWWWWWWWDWDWWWWWWLWW"
    "WWLLWWWWDDDWWWWWWWWWWWWWWWWWWWDLDWWWWWDWDWWWWWWWWWWWDDWWWWWWWDLWDLWWWWWWWWWWWWWWWWWWWWWWWWWWWDWWWWDWWWWWDWLWWWWW"
    "WWWWWWWWLLLWWWWDWWWLDDDWWWWWWWDDDWWWWLWDWWWWWWWLWWWDWWDWLDLWWWLDLLDDLLLDWLLLLLDWLWWLLDDLLWWWWWWWWDDLLLLDWDWLLWWW"
    "WLLDLDWLDDLDLLLWLLLLDLWLLLDWWWLWWLLLLLDWWWWDWLLWDWWWLLWWWLLLDWLLDLDLDDLDWWLWWLLLLDLWLDLLLDDLLWLDLWLWWWWWWWLLLWWW"
    "DLWWDLLLLWWLLWWLLDWWWWLDWLWWWWWWLWLLDWWWLWWWWWWWWWWDDWWWWWWDWWWWWWWWWWWWWWWWWWWDWDWWLLWWWWWDWLLWDWWWWDDWWLWWWWWW"
    "LWDDWLLWWWLDWWWWWDWDWWWWWWWWWWLDWWLDWWWLWWDWWDWLWWWWWWWWWDLLLDLWWWLDLLWLLWWWDDLWWWWWLLDWDWDLDLWLDLWWWWWWWWWWWWWW"
    "WWWDLLLLWWWWWWWDLWWWWWWLWWWLLLDWWDDWWLDDDDWWWWWLLLDWWWLWWDWWDWDWWWWWWWWWWWWWLLLWWWDLWWWLWDWWWDWWWWDDWWWWDWWWDDWW"
    "LDDLLWLLWWWWWWWWWWWWWWWDWDDWLLWLWWDWWWWWWDWWWWWWDWWWWDLWDDDWWWLLDDWWLLWLWDWWWWWLLDLWWWWLDLWDWWWLLWDWDDDWWLDDDWWW"
    "WWWWWWWWLLLDWWWWWDLDDWDDWLLWLWWDWWWWWLLDWWWWDWDWWWWDWWDWWWWWWWWWWLLWLLDDLWWWWWWWWWWDWLLLDLDWWWLLWDDWLDLDWWDLLWWL"
    "WWWWWLLWLWWLWLWWDDWWWWWWWDLDWWWWLWWWWDWLWWLWWWWWWWWWWLLLLWWWWWDLLLWDDLDWLDWWWLWDDDLDWWWLDWWDWDDWWLLWLLLLDDDWWDWW"
)


def lines() -> list[tuple[tuple[int, int], ...]]:
    """All lines of four cells (column, row from the bottom)."""
    found = []
    for x, y, (dx, dy) in product(range(WIDTH), range(HEIGHT), ((1, 0), (0, 1), (1, 1), (1, -1))):
        line = tuple((x + i * dx, y + i * dy) for i in range(4))
        if all(0 <= cx < WIDTH and 0 <= cy < HEIGHT for cx, cy in line):
            found.append(line)
    return found


LINES = lines()
LINES_THROUGH = {c: [line for line in LINES if c in line] for c in product(range(WIDTH), range(HEIGHT))}


class Reference:
    """A match as documented, slow and plain, from an opening on."""

    def __init__(self, columns: Columns = ("",) * WIDTH, opening: int = 0, last: int = NONE) -> None:
        self.columns, self.opening, self.last = list(columns), opening, last

    @property
    def stones(self) -> int:
        return sum(map(len, self.columns))

    @property
    def to_move(self) -> int:
        return self.stones % 2

    def at(self, cell: tuple[int, int]) -> str:
        column = self.columns[cell[0]]
        return column[cell[1]] if cell[1] < len(column) else ""

    def fours(self) -> list[tuple[tuple[int, int], ...]]:
        return [line for line in LINES if "".join(map(self.at, line)) in ("xxxx", "oooo")]

    @property
    def status(self) -> int:
        if fours := self.fours():
            return 1 + "xo".index(self.at(fours[0][0]))
        return DRAW if self.stones == WIDTH * HEIGHT else RUNNING

    def legal(self) -> list[int]:
        return [] if self.status else [c for c, column in enumerate(self.columns) if len(column) < HEIGHT]

    def step(self, column: int) -> None:
        self.columns[column] += "xo"[self.to_move]
        self.last = column

    def score(self, seat: int) -> int:
        return 1 if self.status == DRAW else 2 if self.status == 1 + seat else 0

    def packed(self) -> bytes:
        own = "xo"[self.to_move]
        columns = [sum((s == own) << row for row, s in enumerate(c)) + (1 << len(c)) for c in self.columns]
        return bytes([*columns, self.last])

    def cells(self) -> bytes:
        values = {"": 0, "x": 1, "o": 2}
        return bytes(values[self.at((x, y))] for y in reversed(range(HEIGHT)) for x in range(WIDTH))


def cell_number(cell: tuple[int, int]) -> int:
    return (HEIGHT - 1 - cell[1]) * WIDTH + cell[0]


@pytest.fixture(scope="module")
def connect4(drive: Callable[[str], Any]) -> Any:
    return drive("connect4")


def begin(connect4: Any, seed: int) -> Reference:
    """Starts a match; the reference takes the opening over from the board that is shown."""
    connect4.call("reset", seed)
    cells = connect4.slice("state")[18:]
    rows = [cells[y * WIDTH : (y + 1) * WIDTH] for y in reversed(range(HEIGHT))]
    columns = tuple("".join("xo"[row[x] - 1] for row in rows if row[x]) for x in range(WIDTH))
    return Reference(columns, connect4.slice("state")[10], connect4.slice("state")[11])


def compare(connect4: Any, reference: Reference) -> None:
    state = connect4.slice("state")
    assert connect4.slice("observe_bytes") == state
    assert connect4.packed() == state[:8] == reference.packed()
    assert state[18:] == reference.cells()
    assert connect4.call("to_move") == reference.to_move
    last = (reference.last, len(reference.columns[reference.last]) - 1) if reference.last != NONE else None
    shown = [
        reference.to_move,
        reference.stones,
        reference.opening,
        reference.last,
        cell_number(last) if last else NONE,
    ]
    assert list(state[8:13]) == shown
    marked = [tuple(map(cell_number, line)) for line in reference.fours()]
    assert tuple(state[13:17]) in (marked or [(NONE,) * 4])
    assert state[17] == reference.status
    assert connect4.call("is_done") == (reference.status != RUNNING)
    assert [connect4.call("score", seat) for seat in (0, 1)] == [reference.score(0), reference.score(1)]
    legal = [c for c in range(-1, WIDTH + 1) if connect4.call("is_legal", c)]
    assert legal == reference.legal()
    if reference.status == RUNNING:  # as the description says: bit 6 of a column is clear when it is legal
        assert legal == [c for c in range(WIDTH) if not state[c] >> 6 & 1]


def test_random_matches_agree_with_the_second_implementation(connect4: Any) -> None:
    ends: Counter[int] = Counter()
    for seed in range(700):
        choose = random.Random(seed)
        reference = begin(connect4, seed)
        while legal := reference.legal():
            column = choose.choice(legal)
            connect4.call("step", column)
            reference.step(column)
            if seed < 100 or reference.status:
                compare(connect4, reference)
        ends[reference.status] += 1
    assert set(ends) == {1, 2, DRAW}
    assert len(LINES) == 69


def random_match(choose: random.Random) -> tuple[list[int], tuple[tuple[int, int], ...] | None]:
    """Columns of a random match from the empty board, and a line of four that its last stone made, if any."""
    columns, played = [""] * WIDTH, []
    for stone in range(WIDTH * HEIGHT):
        played.append(choose.choice([c for c in range(WIDTH) if len(columns[c]) < HEIGHT]))
        columns[played[-1]] += "xo"[stone % 2]
        for line in LINES_THROUGH[played[-1], len(columns[played[-1]]) - 1]:
            if "".join(columns[x][y : y + 1] for x, y in line) in ("xxxx", "oooo"):
                return played, line
    return played, None


def test_each_of_the_69_lines_wins_and_a_full_board_without_one_is_a_draw(connect4: Any) -> None:
    found: dict[tuple[tuple[int, int], ...] | None, list[int]] = {}
    for seed in range(20_000):
        played, line = random_match(random.Random(seed))
        found.setdefault(line, played)
        if len(found) == len(LINES) + 1:
            break
    assert set(found) == {*LINES, None}
    for line, played in found.items():
        connect4.call("reset", 0)
        for column in played:
            assert connect4.call("is_done") == 0
            connect4.call("step", column)
        assert connect4.call("is_done") == 1
        winner = None if line is None else (len(played) - 1) % 2
        scores = [1 if winner is None else 2 * (seat == winner) for seat in (0, 1)]
        assert [connect4.call("score", seat) for seat in (0, 1)] == scores
        assert connect4.slice("state")[17] == (DRAW if winner is None else 1 + winner)


def test_two_thousand_matches_through_the_referee_agree_too(arena: Any, connect4: Any) -> None:
    system, anybody, scatter = (
        arena.system("connect4"),
        arena.build("any", ANY_COLUMN),
        arena.agent("connect4", "scatter"),
    )
    for seed in range(2000):
        result = arena.play(system, (anybody, scatter) if seed % 2 else (scatter, anybody), seed)
        reference = begin(connect4, seed)
        for record in Trace(result.trace, 2):
            assert (record.seat, record.packed) == (reference.to_move, int.from_bytes(reference.packed(), "little"))
            if record.mailbox:
                assert record.observation[18:] == reference.cells()
            reference.step(record.action)
        assert reference.status != RUNNING
        assert result.scores == (reference.score(0), reference.score(1))


def positions(stones: int) -> list[Columns]:
    """All positions after so many stones, sorted; nobody can have four in a row yet."""
    found: set[Columns] = {("",) * WIDTH}
    for n in range(stones):
        found = {(*p[:c], p[c] + "xo"[n % 2], *p[c + 1 :]) for p in found for c in range(WIDTH) if len(p[c]) < HEIGHT}
    return sorted(found)


@cache
def value(position: Columns) -> int:
    """What a position of at most four stones is worth to seat 0."""
    n = sum(map(len, position))
    if n == 4:
        return "LDW".index(values()[position]) - 1
    after = [(*position[:c], position[c] + "xo"[n % 2], *position[c + 1 :]) for c in range(WIDTH)]
    return (max, min)[n % 2](map(value, after))


@cache
def values() -> dict[Columns, str]:
    return dict(zip(sorted(positions(4), key="|".join), VALUES, strict=True))


def test_the_table_of_values_agrees_with_the_published_ones() -> None:
    """Seat 0 wins by the centre, draws by the columns beside it, loses by the others (Allen 1988, Allis 1988)."""
    assert value(("",) * WIDTH) == 1
    assert [value(tuple("x" if c == first else "" for c in range(WIDTH))) for first in range(WIDTH)] == [
        *(-1, -1, 0, 1, 0, -1, -1)
    ]
    assert all(values()[position[::-1]] == found for position, found in values().items())
    assert Counter(values().values()) == {"W": 690, "D": 200, "L": 230}


def test_the_openings_are_all_the_drawn_positions(connect4: Any) -> None:
    seen: Counter[Columns] = Counter()
    for seed in range(1, 4001):
        reference = begin(connect4, seed)
        assert (reference.opening, reference.stones, reference.to_move, reference.status) == (4, 4, 0, RUNNING)
        assert reference.columns[reference.last][-1] == "o"
        seen[tuple(reference.columns)] += 1
        if seed < 100:
            compare(connect4, reference)
    assert set(seen) == {position for position, found in values().items() if found == "D"}
    # Two openings are their own mirror image and twice as likely.
    assert max(count for position, count in seen.items() if position != position[::-1]) < 45
    assert sum(position == position[::-1] for position in seen) == 2


def test_seed_zero_is_the_empty_board(connect4: Any) -> None:
    reference = begin(connect4, 0)
    assert (reference.stones, reference.opening, reference.last) == (0, 0, NONE)
    compare(connect4, reference)


def test_beyond_the_opening_nothing_depends_on_the_seed(connect4: Any) -> None:
    looks: dict[bytes, set[tuple[bytes, ...]]] = {}
    for seed in range(1, 400):
        connect4.call("reset", seed * 0x9E3779B97F4A7C15)
        start, seen = connect4.slice("state"), []
        choose = random.Random(start)
        while not connect4.call("is_done"):
            seen.append(connect4.slice("observe_bytes"))
            connect4.call("step", choose.choice([c for c in range(WIDTH) if connect4.call("is_legal", c)]))
        looks.setdefault(start, set()).add(tuple(seen))
    assert all(len(matches) == 1 for matches in looks.values())
    assert 130 < len(looks) <= 200


def test_is_legal_refuses_every_other_word(connect4: Any) -> None:
    choose = random.Random(1)
    words = [choose.getrandbits(64) for _ in range(500)] + [choose.randrange(256) << 8 * n for n in range(8)]
    connect4.call("reset", 0)
    for _ in range(HEIGHT):
        assert connect4.call("is_legal", 2) == 1
        connect4.call("step", 2)
    for word in [*words, *range(-5, 12), 2**63, 2**32, 2**32 + 1]:
        assert connect4.call("is_legal", word) == (word in (0, 1, 3, 4, 5, 6))


def test_wrong_actions_change_nothing_and_nothing_traps(connect4: Any) -> None:
    for seed in range(60):
        choose = random.Random(seed)
        reference = begin(connect4, seed)
        for _ in range(150):
            action = choose.choice([choose.getrandbits(64), choose.randrange(-4, 12), choose.randrange(WIDTH)])
            if action in reference.legal():
                reference.step(action)
            connect4.call("step", action)
            assert connect4.slice("state")[18:] == reference.cells()
        assert connect4.call("is_done") == 1
        compare(connect4, reference)
    assert [connect4.call("score", seat) for seat in (2, -1, 2**31 - 1)] == [0, 0, 0]


def test_the_description_fits_the_bytes(connect4: Any) -> None:
    described = json.loads((assets_dir() / "systems" / "connect4.json").read_text("utf-8"))
    state = described["state"]
    connect4.call("reset", 1)
    assert state["length"] == len(connect4.slice("state")) == state["cells_offset"] + WIDTH * HEIGHT
    assert (state["width"], state["height"], described["max_steps"]) == (WIDTH, HEIGHT, WIDTH * HEIGHT)
    assert [cell["role"] for cell in state["cells"]] == ["empty", "first", "second"]
    assert (described["score_min"], described["score_max"]) == (0, 2)
    assert described["action"]["legal"] == {"bit": 6, "step": 8, "value": 0}


# ---------------------------------------------------------------------------------------------------------------------
# Agents


@pytest.fixture(scope="module")
def results(arena: Any) -> Callable[[str, str], float]:
    """Mean half points a match of one agent against another, over 20 openings and both seats."""
    system = arena.system("connect4")

    @cache
    def of(one: str, two: str) -> float:
        a, b = arena.agent("connect4", one), arena.agent("connect4", two)
        even = [arena.play(system, (a, b), seed, False).scores[0] for seed in range(1, 21)]
        return mean(even + [arena.play(system, (b, a), seed, False).scores[1] for seed in range(1, 21)])

    return of


def test_agents_finish_within_the_usual_budget_and_repeat(arena: Any) -> None:
    system = arena.system("connect4")
    assert sorted(path.stem for path in (assets_dir() / "agents" / "connect4").glob("*.wasm")) == AGENTS
    for (one, two), seed in product(product(AGENTS, AGENTS), (0, 9)):
        agents = (arena.agent("connect4", one), arena.agent("connect4", two))
        result = arena.play(system, agents, seed)
        assert (result.outcome, result.cause) == (Outcome.FINISHED, None)
        for record in Trace(result.trace, 2):
            often = DEFAULT_BUDGET * 9 // 10 if (one, two)[record.seat] == "alphabeta" else DEFAULT_BUDGET // 20
            assert record.gas_used < often
        assert arena.play(system, agents, seed) == result


def test_only_lines_reads_the_mail(arena: Any) -> None:
    assert [name for name in AGENTS if arena.agent("connect4", name).mailbox] == ["lines"]


def test_openings_make_different_matches(arena: Any) -> None:
    system, agents = arena.system("connect4"), (arena.agent("connect4", "lines"), arena.agent("connect4", "greedy"))
    assert len({arena.play(system, agents, seed).trace_root for seed in range(20)}) > 15


def test_the_agents_differ_in_strength(results: Callable[[str, str], float]) -> None:
    for better, worse in [("alphabeta", "lines"), ("lines", "greedy"), ("greedy", "centre"), ("follower", "centre")]:
        assert results(better, worse) > 1.2, (better, worse)
    assert min(results("alphabeta", other) for other in AGENTS[1:]) > 1.3
    assert results("alphabeta", "scatter") == 2
    assert results("greedy", "scatter") > 1.7


@cache
def solve(position: Columns) -> int:
    """The value for who is to move: 1 won, 0 drawn, -1 lost; for positions near the end."""
    reference = Reference(position)
    if reference.status:
        return 0 if reference.status == DRAW else -1
    best = -1
    for column in reference.legal():
        best = max(best, -solve(after(position, column)))
        if best == 1:
            break
    return best


def after(position: Columns, column: int) -> Columns:
    mark = "xo"[sum(map(len, position)) % 2]
    return (*position[:column], position[column] + mark, *position[column + 1 :])


def late_positions(count: int) -> list[Columns]:
    """Positions with 30 stones of undecided matches."""
    found: list[Columns] = []
    choose = random.Random(3)
    while len(found) < count:
        reference = Reference()
        while reference.stones < 30 and (legal := reference.legal()):
            reference.step(choose.choice(legal))
        if not reference.status:
            found.append(tuple(reference.columns))
    return found


def test_alphabeta_plays_the_end_perfectly(connect4: Any) -> None:
    """From 30 stones on every move of it keeps the value that a plain exhaustive search finds."""
    module = (assets_dir() / "agents" / "connect4" / "alphabeta.wasm").read_bytes()
    for position in late_positions(40):
        agent = type(connect4)(module)
        packed = struct.unpack("<q", Reference(position, last=0).packed())[0]
        column = agent.call("decide", packed)
        assert -solve(after(position, column)) == solve(position)
