"""Games whose equilibria are known: what solvers are held against, and what the console offers to begin with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

import numpy as np

from engine.games.consensus import ConsensusGame
from engine.games.games import BimatrixGame, Floats, Game, MatrixGame, Profile, TensorGame

_Rows = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A game, its source, and what is known of it.

    ``equilibria`` are known ones, extreme ones where there are infinitely many; ``count`` says how many of them there
    are, so that these are all where their number is equal. ``facts``: further numbers, by name.
    """

    key: str
    game: Game
    shows: str
    source: str
    equilibria: tuple[Profile, ...]
    count: int
    facts: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def complete(self) -> bool:
        """Whether all (extreme) equilibria are listed."""
        return len(self.equilibria) == self.count


@cache
def references() -> tuple[Reference, ...]:
    """Return all reference games, the best known first."""
    return (
        _rock_paper_scissors(),
        _o_neill(),
        _battle_of_the_sexes(),
        _chicken(),
        _shapley_cycle(),
        _shapley_unreachable(),
        _von_stengel(),
        _winkels(),
        _mckelvey_mclennan(),
        _nau(),
        _loopback(),
        _stalling(),
        _two_agents(),
    )


def _rock_paper_scissors() -> Reference:
    names = ("rock", "paper", "scissors")
    game = MatrixGame(_a([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]), title="Rock, paper, scissors", actions=(names, names))
    third = (1 / 3,) * 3
    return Reference(
        "rps", game, "Only even mixing is safe; learners run in circles around it", "folklore", (_p(third, third),), 1
    )


def _o_neill() -> Reference:
    names = ("joker", "ace", "two", "three")
    payoffs = [[1, -1, -1, -1], [-1, -1, 1, 1], [-1, 1, -1, 1], [-1, 1, 1, -1]]
    mixed = (2 / 5, 1 / 5, 1 / 5, 1 / 5)
    return Reference(
        "oneill",
        MatrixGame(_a(payoffs), title="O'Neill's card game", actions=(names, names)),
        "Minimax with one card apart; people were paid to play it",
        "O'Neill (1987), Nonmetric test of the minimax theory of two-person zerosum games",
        (_p(mixed, mixed),),
        1,
        MappingProxyType({"value": -1 / 5}),
    )


def _battle_of_the_sexes() -> Reference:
    names = ("ballet", "boxing")
    game = BimatrixGame(_a([[3, 0], [0, 2]]), _a([[2, 0], [0, 3]]), title="Battle of the sexes", actions=(names, names))
    return Reference(
        "battle",
        game,
        "Two ways to agree, and a mixed one that is worse for both",
        "Luce and Raiffa (1957), Games and decisions",
        (_p((1, 0), (1, 0)), _p((0, 1), (0, 1)), _p((3 / 5, 2 / 5), (2 / 5, 3 / 5))),
        3,
    )


def _chicken() -> Reference:
    names = ("swerve", "straight")
    game = BimatrixGame(_a([[6, 2], [7, 0]]), _a([[6, 7], [2, 0]]), title="Chicken", actions=(names, names))
    return Reference(
        "chicken",
        game,
        "A traffic light does better than any equilibrium without one",
        "Aumann (1974), Subjectivity and correlation in randomized strategies",
        (_p((1, 0), (0, 1)), _p((0, 1), (1, 0)), _p((2 / 3, 1 / 3), (2 / 3, 1 / 3))),
        3,
        MappingProxyType({"best correlated welfare": 10.5}),
    )


def _shapley_cycle() -> Reference:
    game = BimatrixGame(
        _a([[0, 0, 1], [1, 0, 0], [0, 1, 0]]), _a([[0, 1, 0], [0, 0, 1], [1, 0, 0]]), title="Shapley's cycle"
    )
    third = (1 / 3,) * 3
    return Reference(
        "shapley",
        game,
        "Fictitious play goes around for ever, in ever longer rounds",
        "Shapley (1964), Some topics in two-person games",
        (_p(third, third),),
        1,
    )


def _shapley_unreachable() -> Reference:
    game = BimatrixGame(
        _a([[0, 3, 0], [2, 2, 0], [3, 0, 1]]),
        _a([[0, 2, 3], [3, 2, 0], [0, 0, 1]]),
        title="Shapley's unreachable equilibria",
    )
    pair, full = (1 / 3, 2 / 3, 0), (1 / 6, 1 / 3, 1 / 2)
    return Reference(
        "unreachable",
        game,
        "No label dropped by Lemke and Howson's method leads to two of the three equilibria",
        "Shapley (1974), A note on the Lemke-Howson algorithm, figure 3",
        (_p((0, 0, 1), (0, 0, 1)), _p(pair, pair), _p(full, full)),
        3,
    )


def _von_stengel() -> Reference:
    a = [
        [-81, 36, -126, 126, -36, 90],
        [-180, 72, -333, 297, -153, 270],
        [20, -3, 42, -33, 17, -30],
        [-30, 17, -33, 42, -3, 20],
        [270, -153, 297, -333, 72, -180],
        [90, -36, 126, -126, 36, -81],
    ]
    b = [
        [72, 36, 17, -3, -36, -153],
        [-180, -81, -30, 20, 90, 270],
        [297, 126, 42, -33, -126, -333],
        [-333, -126, -33, 42, 126, 297],
        [270, 90, 20, -30, -81, -180],
        [-153, -36, -3, 17, 36, 72],
    ]
    x = (1 / 30, 1 / 6, 3 / 10, 3 / 10, 1 / 6, 1 / 30)
    y = (1 / 6, 1 / 30, 3 / 10, 3 / 10, 1 / 30, 1 / 6)
    return Reference(
        "stengel",
        BimatrixGame(_a(a), _a(b), title="Von Stengel's 6 x 6"),
        "75 equilibria, more than the 63 that were once thought to be the most",
        "von Stengel (1999), New maximal numbers of equilibria in bimatrix games; payoffs of Savani and von Stengel",
        (_p(x, y), _p((0, 1, 0, 0, 0, 0), (0, 0, 0, 0, 0, 1)), _p((0, 0, 0, 0, 1, 0), (1, 0, 0, 0, 0, 0))),
        75,
    )


def _winkels() -> Reference:
    a: _Rows = [[1, 3], [1, 3], [3, 1], [3, 1], [2.5, 2.5], [2.5, 2.5]]
    b = [[1, 2], [0, -1], [-2, 2], [4, -1], [-1, 6], [6, -1]]
    early, late = (1 / 4, 3 / 4), (3 / 4, 1 / 4)
    rows: tuple[tuple[dict[int, float], tuple[float, float]], ...] = (
        ({1: 1}, (0, 1)),
        ({1: 1 / 2, 2: 1 / 2}, (0, 1)),
        ({1: 1 / 2, 2: 1 / 2}, early),
        ({2: 7 / 8, 5: 1 / 8}, early),
        ({1: 7 / 8, 6: 1 / 8}, early),
        ({5: 1 / 2, 6: 1 / 2}, early),
        ({4: 1}, (1, 0)),
        ({3: 5 / 9, 4: 4 / 9}, (1, 0)),
        ({3: 5 / 9, 4: 4 / 9}, late),
        ({4: 7 / 12, 5: 5 / 12}, late),
        ({3: 7 / 11, 6: 4 / 11}, late),
        ({5: 1 / 2, 6: 1 / 2}, late),
    )
    equilibria = tuple(_p([row.get(action, 0.0) for action in range(1, 7)], y) for row, y in rows)
    return Reference(
        "winkels",
        BimatrixGame(_a(a), _a(b), title="Winkels' degenerate game"),
        "Degenerate, with twelve extreme equilibria; enumerations lose some",
        "Winkels (1979), An algorithm to determine all equilibrium points of a bimatrix game",
        equilibria,
        12,
    )


def _mckelvey_mclennan() -> Reference:
    payoffs = {(0, 0, 0): (9, 8, 12), (1, 1, 0): (9, 8, 2), (0, 1, 1): (3, 4, 6), (1, 0, 1): (3, 4, 4)}
    firsts = (
        (1, 1, 1),
        (0, 0, 1),
        (1, 0, 0),
        (0, 1, 0),
        (0, 1 / 3, 1 / 3),
        (1 / 4, 1, 1 / 4),
        (1 / 2, 1 / 2, 1),
        (1 / 4, 1 / 2, 1 / 3),
        (1 / 2, 1 / 3, 1 / 4),
    )
    return Reference(
        "mckelvey",
        TensorGame(_three(payoffs), title="McKelvey and McLennan's 2 x 2 x 2"),
        "Nine equilibria, two of them fully mixed, which is the most for three players with two actions",
        "McKelvey and McLennan (1997), The maximal number of regular totally mixed Nash equilibria",
        tuple(_p(*((p, 1 - p) for p in first)) for first in firsts),
        9,
    )


def _nau() -> Reference:
    payoffs = {
        (0, 0, 0): (3, 0, 2),
        (1, 0, 0): (0, 1, 0),
        (0, 1, 0): (0, 2, 0),
        (1, 1, 0): (1, 0, 0),
        (0, 0, 1): (1, 0, 0),
        (1, 0, 1): (0, 3, 0),
        (0, 1, 1): (0, 1, 0),
        (1, 1, 1): (2, 0, 3),
    }
    q = (math.sqrt(601) - 13) / 24
    p, r = (9 * q - 1) / (7 * q + 2), (2 - 3 * q) / (1 + q)
    return Reference(
        "nau",
        TensorGame(_three(payoffs), title="Nau's irrational game"),
        "One equilibrium, irrational although all payoffs are whole numbers",
        "Nau, Gomez Canovas and Hansen (2004), On the geometry of Nash equilibria and correlated equilibria, section 4",
        (_p((p, 1 - p), (q, 1 - q), (r, 1 - r)),),
        1,
    )


def _loopback() -> Reference:
    game = BimatrixGame(_a([[6, 6], [7.32, 1]]), _a([[7, 7], [6, 4]]), title="Loopback")
    return Reference(
        "loopback",
        game,
        "The logit path turns back before it reaches its limit, the last equilibrium here; two others end a segment",
        "Gambit's collection of examples",
        (_p((1, 0), (0, 1)), _p((1, 0), (125 / 158, 33 / 158)), _p((0, 1), (1, 0))),
        3,
    )


def _stalling() -> Reference:
    game = MatrixGame(_a([[3, 0, -3], [0, 3, -4], [0, 0, 1]]), title="Where RM+ stalls")
    return Reference(
        "stalling",
        game,
        "Regret matching+ takes 123 thousand rounds to 1e-5; its predictive sister 176 to 1e-9",
        "Farina, Grand-Clement, Kroer, Lee and Luo (2023), Regret matching+: (in)stability and fast convergence",
        (_p((1 / 12, 1 / 12, 10 / 12), (4 / 12, 5 / 12, 3 / 12)),),
        1,
        MappingProxyType({"value": 1 / 4}),
    )


def _two_agents() -> Reference:
    first, second, left, right = 2.0, 1.0, 0.0, 1.0
    # Of the two best responses x1 = (c1 p1 + x2) / (c1 + 1) and x2 = (c2 p2 + x1) / (c2 + 1).
    weight = first * second + first + second
    x1 = (first * (1 + second) * left + second * right) / weight
    x2 = (second * (1 + first) * right + first * left) / weight
    game = ConsensusGame(
        _a([[left], [right]]), np.array([first, second]), _a([[0, 1], [1, 0]]), title="Two agents who meet halfway"
    )
    return Reference(
        "two-agents",
        game,
        "The surer of itself an agent is, the more the other one gives way",
        "closed form of two linear best responses",
        (_p((x1,), (x2,)),),
        1,
    )


def _a(rows: _Rows) -> Floats:
    return np.array(rows, dtype=np.float64)


def _p(*strategies: Sequence[float]) -> Profile:
    return tuple(np.array(strategy, dtype=np.float64) for strategy in strategies)


def _three(payoffs: Mapping[tuple[int, int, int], tuple[float, float, float]]) -> tuple[Floats, ...]:
    """Return the payoff tensors of a 2 x 2 x 2 game; outcomes that are not named pay nothing."""
    tensors = np.zeros((3, 2, 2, 2))
    for outcome, paid in payoffs.items():
        tensors[(slice(None), *outcome)] = paid
    return tuple(tensors)
