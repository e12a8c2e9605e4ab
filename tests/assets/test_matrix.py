"""matrix.wasm against a second one, written here from the rules in matrix.h; its agents among themselves."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from fractions import Fraction
from itertools import product
from statistics import mean
from typing import Any

import pytest

from engine.core.paths import assets_dir
from engine.league.config import DEFAULT_BUDGET
from engine.league.match import MatchRequest, MatchResult, Outcome, run_match
from engine.league.trace import Trace

C, D, NONE = range(3)
MOST = 200
CELLS = ["cc", "cd", "dc", "dd"]
DESCRIBED = json.loads((assets_dir() / "systems" / "matrix.json").read_text("utf-8"))
PARAMS = {param["name"]: param for param in DESCRIBED["params"]}
PRESETS = {preset["id"]: preset["params"] for preset in DESCRIBED["presets"]}
DEFAULTS = {name: param["default"] for name, param in PARAMS.items()}
AGENTS = [
    "always_cooperate",
    "always_defect",
    "generous",
    "grim",
    "pavlov",
    "planner",
    "prober",
    "secure",
    "tit_for_tat",
]

ANY_CHOICE = """
#include "matrix.h"
NETS_MAILBOX(mail, 512)
static u64 mixed;
NETS_EXPORT(decide) i64 decide(i64 packed) {
    mixed = (mixed ^ (u64)packed) * 0x2545F4914F6CDD1Dull;
    return mixed >> 63;
}
"""


class Reference:
    """A match as documented, slow and plain: the rounds, and every view made anew from them."""

    def __init__(self, seed: int, params: dict[str, int], draws: Any) -> None:
        self.params, self.words = params, draws(seed)
        self.rounds: list[tuple[int, int]] = []
        self.slips: list[tuple[bool, bool]] = []
        self.aside: int | None = None
        self.done = False
        self.coins = self.words.word()

    @property
    def to_move(self) -> int:
        return 0 if self.aside is None else 1

    def percent(self, chance: int) -> bool:
        return bool(self.words.below(100) < chance)

    def step(self, action: int) -> None:
        if self.aside is None:
            self.aside = action
            return
        slips = (self.percent(self.params["noise"]), self.percent(self.params["noise"]))
        more = self.percent(self.params["continuation"])
        first, second = (1 - a if slip else a for a, slip in zip((self.aside, action), slips, strict=True))
        self.rounds.append((first, second))
        self.slips.append(slips)
        self.aside = None
        played = len(self.rounds)
        self.done = played == MOST or (played >= self.params["rounds"] and not more)
        self.coins = self.words.word()

    def paid(self, at: int, seat: int) -> int:
        first, second = ("cd"[action] for action in self.rounds[at])
        return self.params[f"{'ab'[seat]}_{first}{second}"]

    def total(self, seat: int) -> int:
        return sum(self.paid(at, seat) for at in range(len(self.rounds)))

    def payoffs(self, whose: int, seen_from: int) -> list[int]:
        cells = CELLS if seen_from == 0 else [cell[::-1] for cell in CELLS]
        return [self.params[f"{'ab'[whose]}_{cell}"] for cell in cells]

    def seen(self, seat: int) -> bytes:
        rows = b"".join(bytes([pair[seat], pair[1 - seat]]) for pair in self.rounds)
        own, theirs = rows[-2:] or (NONE, NONE)
        coin = self.coins >> 8 * seat & 0xFF
        header = struct.pack("<4B", theirs, own, len(self.rounds), coin)
        header += struct.pack("<8b", *self.payoffs(seat, seat), *self.payoffs(1 - seat, seat))
        terms = [self.params[name] for name in ("rounds", "continuation", "noise")]
        header += struct.pack("<4B2h", *terms, MOST, self.total(seat), self.total(1 - seat))
        return header + rows.ljust(MOST * 2, b"\0")

    def state(self) -> bytes:
        aside = NONE if self.aside is None else self.aside
        header = struct.pack("<4B2h", len(self.rounds), self.to_move, aside, self.done, self.total(0), self.total(1))
        header += struct.pack("<8b", *(self.params[f"{who}_{cell}"] for who in "ab" for cell in CELLS))
        header += bytes([self.params["rounds"], self.params["continuation"], self.params["noise"], 0])
        rows = [
            struct.pack(
                "<2B2b", *(a + 2 * s for a, s in zip(pair, slips, strict=True)), self.paid(n, 0), self.paid(n, 1)
            )
            for n, (pair, slips) in enumerate(zip(self.rounds, self.slips, strict=True))
        ]
        return header + b"".join(rows).ljust(MOST * 4, b"\0")


@pytest.fixture
def matrix(drive: Callable[[str], Any]) -> Any:
    return drive("matrix")


def begin(matrix: Any, seed: int, params: dict[str, int], draws: Any) -> Reference:
    for index, name in enumerate(PARAMS):
        matrix.call("set_param", index, params[name])
    matrix.call("reset", seed)
    return Reference(seed, params, draws)


def step(matrix: Any, reference: Reference, action: int) -> None:
    matrix.call("step", action)
    reference.step(action)


def compare(matrix: Any, reference: Reference) -> None:
    seen = reference.seen(reference.to_move)
    assert matrix.call("to_move") == reference.to_move
    assert matrix.slice("observe_bytes") == seen
    assert matrix.packed() == seen[:8]
    assert matrix.slice("state") == reference.state()
    assert matrix.call("is_done") == reference.done
    assert [matrix.call("score", seat) for seat in (0, 1)] == [reference.total(0), reference.total(1)]


def any_params(choose: random.Random, **fixed: int) -> dict[str, int]:
    return {name: choose.randint(param["min"], param["max"]) for name, param in PARAMS.items()} | fixed


def test_two_thousand_short_matches_agree_with_the_second_implementation(matrix: Any, draws: Any) -> None:
    lengths = set()
    for seed in range(2000):
        choose = random.Random(seed)
        params = any_params(choose, rounds=choose.randint(1, 4), continuation=choose.choice([0, 20, 50]))
        reference = begin(matrix, seed * 0x9E3779B97F4A7C15, params, draws)
        compare(matrix, reference)
        while not reference.done:
            step(matrix, reference, choose.randrange(2))
            compare(matrix, reference)
        lengths.add(len(reference.rounds))
    assert {1, 2, 3, 4, 5, 6, 7} <= lengths


def test_long_matches_agree_too(matrix: Any, draws: Any) -> None:
    for seed in range(12):
        choose = random.Random(seed)
        reference = begin(matrix, seed, any_params(choose, rounds=150, continuation=95), draws)
        while not reference.done:
            step(matrix, reference, choose.randrange(2))
            if reference.done or choose.random() < 0.1:
                compare(matrix, reference)


def test_matches_through_the_referee_agree_too(arena: Any, draws: Any) -> None:
    system, anybody = arena.system("matrix"), arena.build("any_choice", ANY_CHOICE)
    for seed in range(60):
        params = any_params(random.Random(seed))
        result = run_match(MatchRequest(system, (anybody, anybody), seed, params=params), arena.sandbox)
        reference = Reference(seed, params, draws)
        assert result.trace is not None
        assert json.loads(result.header or b"")["params"] == params
        for record in Trace(result.trace, 2):
            assert record.seat == reference.to_move
            assert record.observation == reference.seen(record.seat)
            reference.step(record.action)
        assert reference.done
        assert result.scores == (reference.total(0), reference.total(1))


def test_the_second_sees_nothing_of_what_the_first_chooses(matrix: Any, draws: Any) -> None:
    for seed in range(200):
        choose = random.Random(seed)
        params = any_params(choose, rounds=100)
        before = [choose.randrange(2) for _ in range(2 * choose.randrange(12))]
        seen = set()
        for first in (C, D):
            reference = begin(matrix, seed, params, draws)
            for action in [*before, first]:
                step(matrix, reference, action)
            assert matrix.call("to_move") == 1
            legal = tuple(matrix.call("is_legal", action) for action in range(-2, 6))
            seen.add((matrix.packed(), matrix.slice("observe_bytes"), legal, matrix.call("score", 1)))
        assert len(seen) == 1


def test_only_the_coin_depends_on_the_seed_and_nothing_tells_the_end(matrix: Any, draws: Any) -> None:
    """Without noise two matches with the same actions look alike to the last round of the shorter one."""
    params = DEFAULTS | {"rounds": 3, "continuation": 80}
    choose = random.Random(2)
    seeds = [choose.getrandbits(64) for _ in range(300)]
    actions = [choose.randrange(2) for _ in range(2 * MOST)]
    looks: dict[int, set[bytes]] = {}
    coins: dict[int, list[int]] = {0: [], 1: []}
    lengths = []
    for seed in seeds:
        begin(matrix, seed, params, draws)
        at = 0
        while not matrix.call("is_done"):
            seen = matrix.slice("observe_bytes")
            looks.setdefault(at, set()).add(seen[:3] + seen[4:])
            coins[at % 2].append(seen[3])
            assert not any(seed.to_bytes(8, order)[n : n + 4] in seen for order in ("little", "big") for n in range(5))
            matrix.call("step", actions[at])
            at += 1
        lengths.append(at // 2)
    assert all(len(look) == 1 for look in looks.values())
    assert min(lengths) == 3
    assert 6 < mean(lengths) < 8  # 3 rounds, then 4 more on average
    for tossed in coins.values():
        assert 122 < mean(tossed) < 133
        assert len(set(tossed)) == 256


def test_lengths_are_as_likely_as_the_parameters_say(matrix: Any, draws: Any) -> None:
    def length(seed: int, rounds: int, continuation: int) -> int:
        begin(matrix, seed, DEFAULTS | {"rounds": rounds, "continuation": continuation}, draws)
        while not matrix.call("is_done"):
            matrix.call("step", C)
        return int(matrix.slice("state")[0])

    assert {length(seed, 7, 0) for seed in range(100)} == {7}
    halves = [length(seed, 1, 50) for seed in range(1500)]
    for least in range(1, 5):
        share = sum(n > least for n in halves) / sum(n >= least for n in halves)
        assert abs(share - 0.5) < 0.14
    longest = [length(seed, 150, 95) for seed in range(60)]
    assert max(longest) == MOST
    assert 160 < mean(longest) < 180  # 150 and up to 50 more: 19 * (1 - 0.95 ** 50) is 17.5


def test_scores_reach_their_bounds_and_never_leave_them(matrix: Any, draws: Any) -> None:
    extreme = {f"{who}_{cell}": 10 if who == "a" else -10 for who in "ab" for cell in CELLS}
    scores = set()
    for seed in range(60):
        begin(matrix, seed, DEFAULTS | extreme | {"rounds": 150, "continuation": 95}, draws)
        while not matrix.call("is_done"):
            matrix.call("step", D)
        scores.add((matrix.call("score", 0), matrix.call("score", 1)))
    assert max(scores) == (DESCRIBED["score_max"], DESCRIBED["score_min"]) == (2000, -2000)


def test_parameters_last_over_a_reset_and_the_default_is_a_dilemma(matrix: Any, draws: Any) -> None:
    matrix.call("reset", 3)
    compare(matrix, Reference(3, DEFAULTS, draws))
    params = any_params(random.Random(1))
    begin(matrix, 4, params, draws)
    matrix.call("reset", 5)
    compare(matrix, Reference(5, params, draws))
    assert PRESETS["prisoners_dilemma"] == DEFAULTS


def test_wrong_parameters_are_brought_into_range(matrix: Any, draws: Any) -> None:
    choose = random.Random(6)
    for _ in range(300):
        params = {}
        for index, (name, param) in enumerate(PARAMS.items()):
            value = choose.choice([choose.getrandbits(64) - 2**63, choose.randint(-300, 300)])
            matrix.call("set_param", index, value)
            params[name] = min(max(value, param["min"]), param["max"])
        for index in (-1, len(PARAMS), 2**31 - 1, -(2**31)):
            matrix.call("set_param", index, choose.getrandbits(64))
        matrix.call("reset", 1)
        compare(matrix, Reference(1, params, draws))


def test_two_actions_are_legal(matrix: Any) -> None:
    choose = random.Random(1)
    words = [choose.getrandbits(64) for _ in range(500)] + [choose.randrange(256) << 8 * n for n in range(8)]
    matrix.call("reset", 0)
    for word in [*words, *range(-5, 10), 2**63, 2**32, 2**32 + 1]:
        assert matrix.call("is_legal", word) == (word in (C, D))


def test_wrong_actions_change_nothing_and_nothing_traps(matrix: Any, draws: Any) -> None:
    for seed in range(10):
        choose = random.Random(seed)
        begin(matrix, seed, any_params(choose, rounds=20, continuation=50), draws)
        for _ in range(400):
            action = choose.choice([choose.getrandbits(64), choose.randrange(-4, 6), choose.randrange(2)])
            before = matrix.slice("state")
            changes = action in (C, D) and not matrix.call("is_done")
            matrix.call("step", action)
            assert (matrix.slice("state") != before) == changes
        assert matrix.call("is_done") == 1
    assert [matrix.call("score", seat) for seat in (2, -1, 2**31 - 1)] == [0, 0, 0]


def test_the_description_fits_the_bytes(matrix: Any) -> None:
    state = DESCRIBED["state"]
    matrix.call("reset", 1)
    assert state["length"] == len(matrix.slice("state")) == state["rows_offset"] + MOST * state["row_size"]
    assert DESCRIBED["max_steps"] == 2 * MOST
    largest = max(abs(PARAMS[f"{who}_{cell}"][end]) for who in "ab" for cell in CELLS for end in ("min", "max"))
    assert DESCRIBED["score_max"] == -DESCRIBED["score_min"] == largest * MOST


def test_the_presets_are_the_games_that_they_are_called() -> None:
    for name, params in PRESETS.items():
        r, s, t, p = (params[f"a_{cell}"] for cell in CELLS)
        mirrored = [params[f"b_{cell[::-1]}"] for cell in CELLS] == [r, s, t, p]
        facts = {
            "prisoners_dilemma": mirrored and t > r > p > s and 2 * r > t + s,
            "chicken": mirrored and t > r > s > p,
            "stag_hunt": mirrored and r > t >= p > s,
            "battle_of_the_sexes": params["a_cc"] > params["a_dd"] > max(s, t)
            and params["b_dd"] > params["b_cc"] > max(params["b_cd"], params["b_dc"]),
            "matching_pennies": r == p == -s == -t and all(params[f"a_{c}"] == -params[f"b_{c}"] for c in CELLS),
        }
        assert facts[name], name


# ---------------------------------------------------------------------------------------------------------------------
# Agents


def play(arena: Any, one: str, two: str, seed: int, **params: int) -> MatchResult:
    agents = (arena.agent("matrix", one), arena.agent("matrix", two))
    return run_match(MatchRequest(arena.system("matrix"), agents, seed, params=params), arena.sandbox)


History = list[tuple[int, int]]  # own action, the opponent's


def prober(past: History) -> int:
    if len(past) < 3:
        return [D, C, C][len(past)]
    return past[-1][1] if D in (past[1][1], past[2][1]) else D


# The strategies that need neither coin nor payoffs, as their sources say.
STRATEGIES: dict[str, Callable[[History], int]] = {
    "always_cooperate": lambda past: C,
    "always_defect": lambda past: D,
    "tit_for_tat": lambda past: past[-1][1] if past else C,
    "grim": lambda past: D if any(theirs == D for _, theirs in past) else C,
    "pavlov": lambda past: C if not past or past[-1][0] == past[-1][1] else D,
    "prober": prober,
}


@pytest.mark.parametrize("noise", [0, 10])
def test_the_classic_strategies_play_as_defined(arena: Any, draws: Any, noise: int) -> None:
    for one, two in product(STRATEGIES, STRATEGIES):
        params = DEFAULTS | {"noise": noise}
        result = play(arena, one, two, 11, noise=noise)
        reference = Reference(11, params, draws)
        while not reference.done:
            past = list(reference.rounds)
            first, second = STRATEGIES[one](past), STRATEGIES[two]([pair[::-1] for pair in past])
            reference.step(first)
            reference.step(second)
        assert result.scores == (reference.total(0), reference.total(1)), (one, two)


@pytest.fixture(scope="module")
def decide(drive: Callable[[str], Any]) -> Callable[..., Any]:
    """Loads an agent; returns its decision for payoffs CC, CD, DC, DD, what was played, round and coin."""
    system = drive("matrix")

    def load(name: str) -> Callable[..., int]:
        agent = type(system)((assets_dir() / "agents" / "matrix" / f"{name}.wasm").read_bytes())

        def ask(payoffs: list[int], theirs: int, own: int, round_: int, coin: int) -> int:
            packed = struct.pack("<4B4b", theirs, own, round_, coin, *payoffs)
            return int(agent.call("decide", int.from_bytes(packed, "little")))

        return ask

    return load


def test_the_generous_forgive_one_time_in_three(decide: Callable[..., Any]) -> None:
    ask = decide("generous")
    assert sum(ask([3, 0, 5, 1], D, C, 5, coin) == C for coin in range(256)) == 85
    assert all(ask([3, 0, 5, 1], theirs, C, 5, coin) == C for coin in range(256) for theirs in (C, NONE))
    assert all(ask([4, 1, 3, 2], D, C, 5, coin) == D for coin in range(256))


def test_the_secure_play_the_maximin_strategy(decide: Callable[..., Any]) -> None:
    ask, choose = decide("secure"), random.Random(8)
    for _ in range(150):
        cc, cd, dc, dd = payoffs = [choose.randint(-10, 10) for _ in range(4)]
        share = Fraction(sum(ask(payoffs, NONE, NONE, 0, coin) == C for coin in range(256)), 256)

        def worst(p: Fraction, table: tuple[int, ...] = (cc, cd, dc, dd)) -> Fraction:
            return min(p * table[0] + (1 - p) * table[2], p * table[1] + (1 - p) * table[3])

        crossing = [Fraction(dd - dc, cc - dc - cd + dd)] if cc - dc - cd + dd else []
        best = max(worst(p) for p in [Fraction(0), Fraction(1), *(p for p in crossing if 0 <= p <= 1)])
        assert worst(share) >= best - Fraction(40, 256)  # the coin has 256 sides, a payoff 20 at most to lose
        if share in (0, 1):
            assert worst(share) >= best - Fraction(20, 256)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_agents_finish_far_below_the_usual_budget_and_repeat(arena: Any, preset: str) -> None:
    assert sorted(path.stem for path in (assets_dir() / "agents" / "matrix").glob("*.wasm")) == AGENTS
    for one, two in product(AGENTS, AGENTS):
        result = play(arena, one, two, 9, **PRESETS[preset])
        assert (result.outcome, result.cause) == (Outcome.FINISHED, None)
        assert result.trace is not None
        assert max(record.gas_used for record in Trace(result.trace, 2)) < DEFAULT_BUDGET // 10
        assert play(arena, one, two, 9, **PRESETS[preset]) == result


def test_only_the_planner_reads_the_mail(arena: Any) -> None:
    assert [name for name in AGENTS if arena.agent("matrix", name).mailbox] == ["planner"]


def tournament(arena: Any, preset: str, noise: int) -> dict[str, float]:
    """Mean score of everybody against everybody, itself included, over both seats of three seeds."""
    params = PRESETS[preset] | {"noise": noise}
    scores: dict[str, list[int]] = {name: [] for name in AGENTS}
    for one, two, seed in product(AGENTS, AGENTS, range(3)):
        result = play(arena, one, two, seed, **params)
        scores[one].append(result.scores[0])
        scores[two].append(result.scores[1])
    return {name: mean(found) for name, found in scores.items()}


def test_tit_for_tat_wins_the_tournament_and_the_planner_other_games(arena: Any) -> None:
    dilemma = tournament(arena, "prisoners_dilemma", 0)
    assert max(dilemma, key=dilemma.__getitem__) == "tit_for_tat"
    assert min(dilemma["tit_for_tat"], dilemma["generous"]) > dilemma["always_defect"]
    for preset in ("battle_of_the_sexes", "matching_pennies"):
        other = tournament(arena, preset, 0)
        assert max(other, key=other.__getitem__) == "planner"


def test_forgiving_pays_under_noise(arena: Any) -> None:
    """Two who retaliate fall into quarrels after a slip; two who forgive, or who mend their own slips, do not."""

    def alone(name: str) -> float:
        return mean(sum(play(arena, name, name, seed, noise=3).scores) for seed in range(20))

    assert min(alone("generous"), alone("pavlov")) > 1.1 * alone("tit_for_tat")
    assert alone("tit_for_tat") > alone("grim")
