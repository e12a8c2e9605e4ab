"""kuhn.wasm against a second Kuhn poker, written here from the rules in kuhn.h, and against the theory of the game."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from fractions import Fraction
from itertools import combinations, permutations, product
from math import sqrt
from statistics import mean, stdev
from typing import Any

import pytest

from engine.core.paths import assets_dir
from engine.league.config import DEFAULT_BUDGET
from engine.league.match import MatchResult, Outcome
from engine.league.trace import Trace

J, Q, K = range(3)
HIDDEN = 255
HANDS = 100
DEALS = list(permutations((J, Q, K), 2))
# A line is what was done so far: p passes (checks, folds), b bets (bets, calls).
LINES = ["", "p", "b", "pb", "pp", "bp", "bb", "pbp", "pbb"]
OPEN, ENDS = LINES[:4], LINES[4:]
AGENTS = ["equilibrium", "exploiter", "folder", "maniac", "station"]

# The leaves of the game tree: what the player who acts first wins, by the cards of first and second. Kuhn, 1950.
PAYOFFS = {
    "pp": {(J, Q): -1, (J, K): -1, (Q, J): 1, (Q, K): -1, (K, J): 1, (K, Q): 1},
    "pbp": {(J, Q): -1, (J, K): -1, (Q, J): -1, (Q, K): -1, (K, J): -1, (K, Q): -1},
    "pbb": {(J, Q): -2, (J, K): -2, (Q, J): 2, (Q, K): -2, (K, J): 2, (K, Q): 2},
    "bp": {(J, Q): 1, (J, K): 1, (Q, J): 1, (Q, K): 1, (K, J): 1, (K, Q): 1},
    "bb": {(J, Q): -2, (J, K): -2, (Q, J): 2, (Q, K): -2, (K, J): 2, (K, Q): 2},
}

ANY_ACTION = """
#include "kuhn.h"
NETS_MAILBOX(mail, 1024)
static u64 mixed;
NETS_EXPORT(decide) i64 decide(i64 packed) {
    mixed = (mixed ^ (u64)packed) * 0x2545F4914F6CDD1Dull;
    return mixed >> 63;
}
"""


class Reference:
    """A match as documented, slow and plain: a list of hands, and every view made anew from it."""

    def __init__(self, seed: int, draws: Any) -> None:
        self.draws = draws(seed)
        self.over: list[tuple[tuple[int, int], int, str]] = []  # cards by seat, who began, line
        self.chips = [0, 0]
        self.deal()

    def deal(self) -> None:
        self.cards = DEALS[self.draws.below(6)]
        word = self.draws.word()
        self.coins = (word % 2**16, word >> 16)
        self.line = ""

    @property
    def done(self) -> bool:
        return len(self.over) == HANDS

    @property
    def first(self) -> int:
        return (len(self.over) - self.done) % 2

    @property
    def to_move(self) -> int:
        return self.first ^ (len(self.line) % 2)

    def won_by_first(self, cards: tuple[int, int], first: int, line: str) -> int:
        if line.endswith("bp"):  # who faced the bet folded
            return 1 if line == "bp" else -1
        stake = 2 if "b" in line else 1
        return stake if cards[first] > cards[1 - first] else -stake

    def step(self, action: int) -> None:
        self.line += "pb"[action]
        if self.line in ENDS:
            won = self.won_by_first(self.cards, self.first, self.line)
            self.chips[self.first] += won
            self.chips[1 - self.first] -= won
            self.over.append((self.cards, self.first, self.line))
            if not self.done:
                self.deal()

    def row(self, hand: int, seat: int) -> bytes:
        cards, first, line = self.over[hand]
        won = self.won_by_first(cards, first, line) * (1 if first == seat else -1)
        shown = HIDDEN if line.endswith("bp") else cards[1 - seat]
        return struct.pack("<4Bb", cards[seat], shown, first == seat, LINES.index(line), won)

    def packed(self, seat: int) -> bytes:
        before = self.row(len(self.over) - 1, seat) if self.over else bytes([0, HIDDEN, 0, 0])
        now = [self.cards[seat], LINES.index(self.line), len(self.over), self.first == seat]
        return struct.pack("<6BH", *now, before[3], before[1], self.coins[seat])

    def seen(self, seat: int) -> bytes:
        rows = b"".join(self.row(hand, seat) for hand in range(len(self.over)))
        header = self.packed(seat) + struct.pack("<h2B", self.chips[seat], len(self.over), HANDS)
        return header + rows.ljust(HANDS * 5, b"\0")

    def state(self) -> bytes:
        """What a spectator sees; after the last hand its line stays on the table."""
        facing = [line.endswith("b") for line in ("", *(self.line[: n + 1] for n in range(len(self.line))))]
        names = [(a == "b") + 2 * faced for a, faced in zip(self.line, facing, strict=False)]
        to_move = self.first ^ (len(self.line[:-1] if self.done else self.line) % 2)
        hand = len(self.over) - self.done
        head = [*self.cards, self.first, 2 + self.line.count("b"), hand, len(self.line), *(names + [0] * 3)[:3]]
        rows = [
            struct.pack("<4B2b", *cards, first, LINES.index(line), *(won if s == first else -won for s in (0, 1)))
            for cards, first, line in self.over
            for won in [self.won_by_first(cards, first, line)]
        ]
        tail = struct.pack("<3B2h", to_move, len(self.over), LINES.index(self.line), *self.chips)
        return bytes([*head]) + tail + b"".join(rows).ljust(HANDS * 6, b"\0")


@pytest.fixture(scope="module")
def kuhn(drive: Callable[[str], Any]) -> Any:
    return drive("kuhn")


def compare(kuhn: Any, reference: Reference) -> None:
    if not reference.done:
        assert kuhn.call("to_move") == reference.to_move
        assert kuhn.packed() == reference.packed(reference.to_move)
        assert kuhn.slice("observe_bytes") == reference.seen(reference.to_move)
    assert kuhn.slice("state") == reference.state()
    assert kuhn.call("is_done") == reference.done
    assert [kuhn.call("score", seat) for seat in (0, 1)] == reference.chips


def test_random_matches_agree_with_the_second_implementation(kuhn: Any, draws: Any) -> None:
    for seed in [*range(30), 2**64 - 1, 2**63]:
        choose = random.Random(seed)
        reference = Reference(seed, draws)
        kuhn.call("reset", seed)
        compare(kuhn, reference)
        while not reference.done:
            action = choose.randrange(2)
            kuhn.call("step", action)
            reference.step(action)
            compare(kuhn, reference)


def replayed(result: MatchResult, seed: int, draws: Any, check: bool = False) -> Reference:
    """Follows a trace with the second implementation; CHECK compares every observation too."""
    reference = Reference(seed, draws)
    assert result.trace is not None
    for record in Trace(result.trace, 2):
        if check:
            assert record.seat == reference.to_move
            assert record.packed == int.from_bytes(reference.packed(record.seat), "little")
            if record.mailbox:
                assert record.observation == reference.seen(record.seat)
        reference.step(record.action)
    assert reference.done
    assert tuple(reference.chips) == result.scores
    return reference


def test_two_thousand_matches_through_the_referee_agree_too(arena: Any, draws: Any) -> None:
    system, anybody = arena.system("kuhn"), arena.build("anybody", ANY_ACTION)
    opponent, ends = arena.agent("kuhn", "equilibrium"), set()
    for seed in range(2000):
        agents = (anybody, opponent) if seed % 2 else (opponent, anybody)
        reference = replayed(arena.play(system, agents, seed), seed, draws, check=seed % 4 == 0)
        ends |= {(cards, line) for cards, _, line in reference.over}
    assert len(ends) == 30


def test_the_draws_are_chacha_with_eight_rounds(draws: Any) -> None:
    stream = draws(0)
    words = b"".join(stream.word().to_bytes(4, "little") for _ in range(16))
    assert words.hex().startswith("3e00ef2f895f40d67f5bb8e81f09a5a12c840ec3ce9a7f3b181be188ef711a1e")


def put_cards(kuhn: Any, cards: tuple[int, ...]) -> None:
    """Swaps the cards on the table; the rules work on the state's own bytes."""
    start, _ = kuhn.place("state")
    kuhn.write(start, bytes(cards))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("end", "cards"), list(product(ENDS, DEALS)))
def test_all_thirty_ends_pay_what_the_published_tree_says(
    kuhn: Any, first: int, end: str, cards: tuple[int, int]
) -> None:
    kuhn.call("reset", 1)
    if first == 1:  # the second hand begins with seat 1
        kuhn.call("step", 1)
        kuhn.call("step", 0)
    before = [kuhn.call("score", seat) for seat in (0, 1)]
    put_cards(kuhn, cards if first == 0 else cards[::-1])
    for action in end:
        kuhn.call("step", "pb".index(action))
    won = PAYOFFS[end][cards]
    after = [kuhn.call("score", seat) - before[seat] for seat in (0, 1)]
    assert after == ([won, -won] if first == 0 else [-won, won])


def views(kuhn: Any, hands: list[tuple[tuple[int, int], str]], seat: int) -> list[tuple[int, bytes]]:
    """Plays HANDS with these cards and one more; returns all that SEAT is shown, and how many hands were over then."""
    kuhn.call("reset", 5)
    seen = []
    for over, (cards, line) in enumerate([*hands, ((Q, Q), "pp")]):
        put_cards(kuhn, cards)
        for action in line:
            if kuhn.call("to_move") == seat:
                seen.append((over, kuhn.packed() + kuhn.slice("observe_bytes")))
            kuhn.call("step", "pb".index(action))
    return seen


@pytest.mark.parametrize("seat", [0, 1])
@pytest.mark.parametrize("own", [J, Q, K])
def test_no_view_depends_on_a_card_that_was_not_shown(kuhn: Any, seat: int, own: int) -> None:
    """Two hands, all ways to play them, all cards that the other may hold: the same was turned up, the same is seen."""
    others = [card for card in (J, Q, K) if card != own]
    for lines in product(ENDS, ENDS):
        played = {}
        for theirs in product(others, others):
            cards = [(own, other) if seat == 0 else (other, own) for other in theirs]
            played[theirs] = views(kuhn, list(zip(cards, lines, strict=True)), seat)
        for one, two in combinations(played, 2):
            for (over, a), (_, b) in zip(played[one], played[two], strict=True):
                turned_up = [hand for hand in range(over) if not lines[hand].endswith("bp")]
                same = all(one[hand] == two[hand] for hand in turned_up)
                assert (a == b) == same, (lines, one, two, over)


def test_coin_and_cards_of_the_other_seat_are_independent_of_what_is_seen(draws: Any) -> None:
    """Over many seeds all deals are equally frequent, and the coins are even and unrelated."""
    seen: dict[tuple[int, int], int] = {}
    coins = []
    for seed in range(6000):
        reference = Reference(seed, draws)
        seen[reference.cards] = seen.get(reference.cards, 0) + 1
        coins.append(reference.coins)
    assert set(seen) == set(DEALS)
    assert all(abs(count - 1000) < 5 * sqrt(6000 * 5 / 36) for count in seen.values())
    for cut in (lambda c: c[0], lambda c: c[1], lambda c: c[0] ^ c[1]):
        assert abs(mean(cut(c) for c in coins) - 2**15) < 5 * 2**16 / sqrt(12 * 6000)


def test_seeds_and_the_deals_to_come_stay_unseen(kuhn: Any) -> None:
    """Two seeds that begin with the same hand look the same but for the coin."""
    first_views: dict[int, set[bytes]] = {}
    for seed in range(300):
        kuhn.call("reset", seed)
        view = kuhn.slice("observe_bytes")
        assert kuhn.packed() == view[:8]
        first_views.setdefault(view[0], set()).add(view[:6] + view[8:])
    assert {card: len(found) for card, found in first_views.items()} == {J: 1, Q: 1, K: 1}


def test_two_actions_are_legal_and_all_other_words_are_not(kuhn: Any) -> None:
    choose = random.Random(2)
    kuhn.call("reset", 3)
    words = [choose.getrandbits(64) for _ in range(2000)] + [1 << n for n in range(64)] + [2**64 - 1, 3]
    for _ in range(4):
        assert [kuhn.call("is_legal", action) for action in (0, 1)] == [1, 1]
        assert not any(kuhn.call("is_legal", word) for word in words if word > 1)
        kuhn.call("step", choose.randrange(2))


def test_no_step_traps_and_illegal_ones_change_nothing(kuhn: Any) -> None:
    choose = random.Random(4)
    for seed in range(20):
        kuhn.call("reset", choose.getrandbits(64))
        for _ in range(500):
            before = kuhn.slice("state")
            action = choose.choice([0, 1, choose.getrandbits(64)])
            kuhn.call("step", action)
            assert action <= 1 or kuhn.slice("state") == before
            assert 0 <= kuhn.call("to_move") <= 1
            kuhn.slice("observe_bytes")
        assert kuhn.call("is_done") == 1, seed
        final = kuhn.slice("state")
        kuhn.call("step", 1)
        assert kuhn.slice("state") == final
    assert [kuhn.call("score", seat) for seat in (2, -1, 2**31 - 1)] == [0, 0, 0]


def test_the_description_fits_the_bytes(kuhn: Any) -> None:
    described = json.loads((assets_dir() / "systems" / "kuhn.json").read_text("utf-8"))
    kuhn.call("reset", 1)
    state = described["state"]
    assert state["length"] == len(kuhn.slice("state")) == state["history"]["rows_offset"] + HANDS * 6
    assert described["max_steps"] >= 3 * HANDS
    assert (described["score_min"], described["score_max"]) == (-2 * HANDS, 2 * HANDS)
    names = state["history"]["columns"][3]["names"]
    assert len(names) == len(LINES)
    assert len(described["observation"]["packed"][4]["names"]) == len(LINES)


# ---------------------------------------------------------------------------------------------------------------------
# Agents

# How often a strategy bets, by card and line, for all lines in which one has to act.
Strategy = dict[tuple[int, str], Fraction]


def value(first: Strategy, second: Strategy) -> Fraction:
    """What the first player wins in a hand, exactly."""

    def follow(line: str, cards: tuple[int, int]) -> Fraction:
        if line in ENDS:
            return Fraction(PAYOFFS[line][cards])
        who = len(line) % 2
        bets = (first, second)[who][cards[who], line]
        return bets * follow(line + "b", cards) + (1 - bets) * follow(line + "p", cards)

    return sum((follow("", cards) for cards in DEALS), Fraction(0)) / len(DEALS)


PURE = [dict(zip(product((J, Q, K), OPEN), map(Fraction, bets), strict=True)) for bets in product((0, 1), repeat=12)]


def worst_as_first(strategy: Strategy) -> Fraction:
    """What is left for STRATEGY acting first when the other one answers best."""
    answers = {tuple(pure[card, line] for card in (J, Q, K) for line in ("p", "b")): pure for pure in PURE}
    return min(value(strategy, answer) for answer in answers.values())


def worst_as_second(strategy: Strategy) -> Fraction:
    answers = {tuple(pure[card, line] for card in (J, Q, K) for line in ("", "pb")): pure for pure in PURE}
    return min(-value(answer, strategy) for answer in answers.values())


def strategy_of(drive_agent: Any) -> Strategy:
    """Asks an agent that has no memory, for many coins."""
    coins = [*range(3 * 64), *range(2**16 - 3 * 64, 2**16)]
    found = {}
    for card, line in product((J, Q, K), OPEN):
        base = card | LINES.index(line) << 8 | (len(line) % 2 == 0) << 24 | HIDDEN << 40
        bets = sum(drive_agent.call("decide", base | coin << 48) for coin in coins)
        found[card, line] = Fraction(bets, len(coins))
    return found


@pytest.fixture(scope="module")
def strategies(drive: Callable[[str], Any], kuhn: Any) -> dict[str, Strategy]:
    folder = assets_dir() / "agents" / "kuhn"
    names = [name for name in AGENTS if name != "exploiter"]
    return {name: strategy_of(type(kuhn)((folder / f"{name}.wasm").read_bytes())) for name in names}


def test_the_equilibrium_cannot_be_exploited(strategies: dict[str, Strategy]) -> None:
    """The game is worth -1/18 to who acts first; a strategy that is sure of that, in both roles, is an equilibrium."""
    equilibrium = strategies["equilibrium"]
    assert equilibrium[J, ""] == equilibrium[J, "p"] == Fraction(1, 3)
    assert worst_as_first(equilibrium) == Fraction(-1, 18)
    assert worst_as_second(equilibrium) == Fraction(1, 18)


def test_the_others_can_be_exploited(strategies: dict[str, Strategy]) -> None:
    worst = {name: (worst_as_first(s) + worst_as_second(s)) / 2 for name, s in strategies.items()}
    assert worst.pop("equilibrium") == 0
    assert max(worst.values()) <= Fraction(-1, 12)
    # Its opponents gain nothing from it either; those who put money in with the jack lose.
    equilibrium = strategies["equilibrium"]
    gains = {n: (value(equilibrium, s) - value(s, equilibrium)) / 2 for n, s in strategies.items()}
    assert gains["folder"] == 0
    assert gains["station"] > 0
    assert gains["maniac"] > 0


def hands_of(arena: Any, draws: Any, one: str, two: str, matches: int) -> dict[bool, list[int]]:
    """Chips that agent ONE won, hand by hand, by whether it acted first. Seats swap every match."""
    system, agents = arena.system("kuhn"), (arena.agent("kuhn", one), arena.agent("kuhn", two))
    won: dict[bool, list[int]] = {True: [], False: []}
    for seed in range(matches):
        seat = seed % 2
        result = arena.play(system, agents[::-1] if seat else agents, seed)
        reference = replayed(result, seed, draws)
        for cards, first, line in reference.over:
            chips = reference.won_by_first(cards, first, line)
            won[first == seat].append(chips if first == seat else -chips)
    return won


def bounds(sample: list[int]) -> tuple[float, float]:
    spread = 4 * stdev(sample) / sqrt(len(sample))
    return mean(sample) - spread, mean(sample) + spread


@pytest.mark.parametrize("opponent", AGENTS)
def test_played_hands_of_the_equilibrium_lose_no_more_than_theory_allows(arena: Any, draws: Any, opponent: str) -> None:
    won = hands_of(arena, draws, "equilibrium", opponent, 200)
    assert bounds(won[True])[1] > -1 / 18
    assert bounds(won[False])[1] > 1 / 18
    if opponent in ("equilibrium", "exploiter"):  # these answer it as well as can be
        assert bounds(won[True])[0] < -1 / 18
        assert bounds(won[False])[0] < 1 / 18


def total(arena: Any, one: str, two: str, matches: int = 100) -> float:
    """Mean chips a match of agent ONE against TWO, seats swapped."""
    system, a, b = arena.system("kuhn"), arena.agent("kuhn", one), arena.agent("kuhn", two)
    even = [arena.play(system, (a, b), seed, False).scores[0] for seed in range(matches)]
    odd = [arena.play(system, (b, a), seed, False).scores[1] for seed in range(matches)]
    return mean(even + odd)


def test_the_exploiter_takes_most_from_who_can_be_exploited(arena: Any) -> None:
    for victim in ("station", "folder", "maniac"):
        assert total(arena, "exploiter", victim) > 5 + max(0, total(arena, "equilibrium", victim))
    assert abs(total(arena, "exploiter", "equilibrium")) < 4


def test_agents_finish_far_below_the_usual_budget_and_repeat(arena: Any) -> None:
    system = arena.system("kuhn")
    found = sorted(path.stem for path in (assets_dir() / "agents" / "kuhn").glob("*.wasm"))
    assert found == AGENTS
    for one, two in product(AGENTS, AGENTS):
        agents = (arena.agent("kuhn", one), arena.agent("kuhn", two))
        result = arena.play(system, agents, 9)
        assert (result.outcome, result.cause) == (Outcome.FINISHED, None)
        assert max(record.gas_used for record in Trace(result.trace, 2)) < DEFAULT_BUDGET // 10
        assert arena.play(system, agents, 9) == result


def test_only_the_exploiter_reads_the_mail(arena: Any) -> None:
    assert [name for name in AGENTS if arena.agent("kuhn", name).mailbox] == ["exploiter"]
