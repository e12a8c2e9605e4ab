"""What is played: zero-sum, bimatrix and tensor games, polymatrix games; consensus games have a file of their own.

Payoffs are fp64, finite, and to be maximised. A profile is one vector a player: a mixed strategy (non-negative, sum 1)
in finite games, a point of R^d in consensus games.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.games.errors import GameError

Floats = NDArray[np.float64]
Profile = tuple[Floats, ...]
MAX_NUMBERS = 1 << 26  # payoffs in one game, all players together: half a GiB
MAX_PAYOFF = 1e100  # in magnitude: squares and sums must stay finite
MAX_PLAYERS = 64  # of a game in tensor form; polymatrix and consensus games may have more
_OFFSET = 64  # payoff ranges: with larger offsets regrets would lose digits
_TOLERANCE = 1e-7  # how far a given strategy may be from summing to one


@dataclass(frozen=True, eq=False, kw_only=True)
class Game(ABC):
    """Base of all games. ``players`` and ``actions`` are names; empty ones are filled in."""

    kind: ClassVar[str] = ""
    title: str = ""
    players: tuple[str, ...] = ()

    @property
    @abstractmethod
    def sizes(self) -> tuple[int, ...]:
        """How long each player's vector is."""

    @abstractmethod
    def regrets(self, profile: Profile) -> Floats:
        """Return what each player would gain by its best response, in payoff units, shape (players,)."""

    @abstractmethod
    def payoffs(self, profile: Profile) -> Floats:
        """Return each player's expected payoff, shape (players,); costs of consensus games are negative payoffs."""

    @abstractmethod
    def ranges(self) -> Floats:
        """Return the largest less the smallest payoff of each player (1 where they are all equal), shape (players,)."""

    @abstractmethod
    def check_profile(self, profile: Sequence[ArrayLike]) -> Profile:
        """Return a profile from outside as fp64 vectors. Raises GameError when it is none of this game."""

    def _name_players(self, count: int) -> None:
        given = self.players or tuple(f"Player {number}" for number in range(1, count + 1))
        if len(given) != count:
            raise GameError("The names of the players do not fit", f"{len(given)} names for {count} players")
        object.__setattr__(self, "players", tuple(given))


@dataclass(frozen=True, eq=False, kw_only=True)
class FiniteGame(Game):
    """A game with finitely many actions a player."""

    actions: tuple[tuple[str, ...], ...] = ()

    @abstractmethod
    def payoff_vectors(self, profile: Profile) -> Profile:
        """Return for each player the expected payoff of each of its actions against the others' strategies."""

    @abstractmethod
    def to_tensor(self) -> TensorGame:
        """Return the same game as payoff tensors. Raises GameError where they would be too large."""

    @abstractmethod
    def levelled(self) -> FiniteGame:
        """Return a game of the same regrets without large offsets in its payoffs; the game itself where it has none."""

    @cached_property
    def _level(self) -> FiniteGame | None:
        made = self.levelled()
        return None if made is self else made  # not itself: a cycle would keep large games in memory

    def regrets(self, profile: Profile) -> Floats:
        """Return what each player would gain by its best response, as exact as if payoffs had no offset."""
        return regrets_from(profile, (self._level or self).payoff_vectors(profile))

    def payoffs(self, profile: Profile) -> Floats:
        """Return each player's expected payoff."""
        vectors = self.payoff_vectors(profile)
        return np.array([x @ u for x, u in zip(profile, vectors, strict=True)])

    def uniform(self) -> Profile:
        """Return the profile in which everybody plays all actions alike."""
        return tuple(np.full(size, 1.0 / size) for size in self.sizes)

    def check_profile(self, profile: Sequence[ArrayLike]) -> Profile:
        """Return mixed strategies from outside, made to sum to one exactly."""
        if len(profile) != len(self.sizes):
            raise GameError("The profile does not fit", f"{len(profile)} strategies for {len(self.sizes)} players")
        return tuple(
            _strategy(given, size, name) for given, size, name in zip(profile, self.sizes, self.players, strict=True)
        )

    def _name_actions(self, sizes: tuple[int, ...]) -> None:
        self._name_players(len(sizes))
        given = self.actions or tuple(tuple(str(number) for number in range(1, size + 1)) for size in sizes)
        if tuple(len(names) for names in given) != sizes:
            raise GameError("The names of the actions do not fit", f"{[len(a) for a in given]} names for {list(sizes)}")
        object.__setattr__(self, "actions", tuple(tuple(names) for names in given))


def regrets_from(profile: Profile, vectors: Profile) -> Floats:
    """Return each player's regret from the payoffs of its actions: the best one less what the strategy gets.

    The one place where a gap is computed: NashConv is the sum. Never negative: rounding below zero is cut off.
    """
    return np.array([max(0.0, float(u.max() - x @ u)) for x, u in zip(profile, vectors, strict=True)])


@dataclass(frozen=True, eq=False)
class MatrixGame(FiniteGame):
    """A zero-sum game: player 1 chooses a row of ``a`` (n, m) and gets its entry, player 2 a column and pays it."""

    kind: ClassVar[str] = "matrix"
    a: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "a", payoff_array(self.a, 2, "payoff matrix"))
        self._name_actions(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(n, m)."""
        return self.a.shape

    def payoff_vectors(self, profile: Profile) -> Profile:
        """Return ``A y`` and ``-A' x``."""
        x, y = profile
        return self.a @ y, -(x @ self.a)

    def levelled(self) -> FiniteGame:
        """Take the middle from the matrix."""
        a = _levelled(self.a)
        return self if a is self.a else MatrixGame(a)

    def ranges(self) -> Floats:
        """Return the matrix's range, twice."""
        return np.full(2, _range(self.a))

    def to_bimatrix(self) -> BimatrixGame:
        """Return the same game with both players' payoffs."""
        return BimatrixGame(self.a, -self.a, title=self.title, players=self.players, actions=self.actions)

    def to_tensor(self) -> TensorGame:
        """Return the same game as two tensors."""
        return self.to_bimatrix().to_tensor()


@dataclass(frozen=True, eq=False)
class BimatrixGame(FiniteGame):
    """A game of two players with payoff matrices ``a`` and ``b``, both (n, m)."""

    kind: ClassVar[str] = "bimatrix"
    a: Floats
    b: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "a", payoff_array(self.a, 2, "payoff matrix of player 1"))
        object.__setattr__(self, "b", payoff_array(self.b, 2, "payoff matrix of player 2"))
        if self.a.shape != self.b.shape:
            raise GameError("The payoff matrices do not fit", f"their shapes are {self.a.shape} and {self.b.shape}")
        self._name_actions(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """(n, m)."""
        return self.a.shape

    def payoff_vectors(self, profile: Profile) -> Profile:
        """Return ``A y`` and ``B' x``."""
        x, y = profile
        return self.a @ y, x @ self.b

    def levelled(self) -> FiniteGame:
        """Take its middle from each matrix."""
        a, b = _levelled(self.a), _levelled(self.b)
        return self if a is self.a and b is self.b else BimatrixGame(a, b)

    def ranges(self) -> Floats:
        """Return the ranges of both matrices."""
        return np.array([_range(self.a), _range(self.b)])

    def to_tensor(self) -> TensorGame:
        """Return the same game as two tensors."""
        return TensorGame((self.a, self.b), title=self.title, players=self.players, actions=self.actions)


@dataclass(frozen=True, eq=False)
class TensorGame(FiniteGame):
    """A game of n players: ``tensors[i][a_1, ..., a_n]`` is player i's payoff; all tensors have the shape ``sizes``."""

    kind: ClassVar[str] = "tensor"
    tensors: tuple[Floats, ...]

    def __post_init__(self) -> None:
        count = len(self.tensors)
        if not 1 <= count <= MAX_PLAYERS:
            raise GameError("The game cannot be used", f"it has {count} players, 1 to {MAX_PLAYERS} are allowed")
        made = tuple(payoff_array(t, count, f"payoffs of player {i}", count) for i, t in enumerate(self.tensors, 1))
        if len({tensor.shape for tensor in made}) > 1:
            raise GameError("The payoff tensors do not fit", f"their shapes are {[t.shape for t in made]}")
        object.__setattr__(self, "tensors", made)
        self._name_actions(self.sizes)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many actions each player has."""
        return self.tensors[0].shape

    def payoff_vectors(self, profile: Profile) -> Profile:
        """Contract each tensor with all strategies but its player's own."""
        return tuple(_contract(tensor, profile, player) for player, tensor in enumerate(self.tensors))

    def levelled(self) -> FiniteGame:
        """Take its middle from each tensor."""
        made = tuple(_levelled(tensor) for tensor in self.tensors)
        return self if all(new is old for new, old in zip(made, self.tensors, strict=True)) else TensorGame(made)

    def ranges(self) -> Floats:
        """Return the range of each tensor."""
        return np.array([_range(tensor) for tensor in self.tensors])

    def to_tensor(self) -> TensorGame:
        """Return the game itself."""
        return self


@dataclass(frozen=True, eq=False)
class PolymatrixGame(FiniteGame):
    """Each pair plays a bimatrix game; a player's payoff is the sum over its pairs.

    ``edges[(i, j)]`` is what i gets from its game with j, shape (actions of i, actions of j); a missing one is zero.
    ``action_counts`` says how many actions each player has.
    """

    kind: ClassVar[str] = "polymatrix"
    action_counts: tuple[int, ...]
    edges: Mapping[tuple[int, int], Floats]

    def __post_init__(self) -> None:
        counts = tuple(int(count) for count in self.action_counts)
        if len(counts) < 1 or min(counts) < 1:
            raise GameError("The game cannot be used", f"its players have {counts} actions")
        object.__setattr__(self, "action_counts", counts)
        made, numbers = {}, 0
        for (i, j), matrix in sorted(self.edges.items()):
            if i == j or not (0 <= i < len(counts) and 0 <= j < len(counts)):
                raise GameError("The game cannot be used", f"it has payoffs between the players {i} and {j}")
            made[i, j] = payoff_array(matrix, 2, f"payoffs of player {i} against {j}")
            numbers += made[i, j].size
            if made[i, j].shape != (counts[i], counts[j]):
                raise GameError(
                    f"The payoffs of player {i} against {j} do not fit",
                    f"their shape is {made[i, j].shape}, the players have {counts[i]} and {counts[j]} actions",
                )
        if numbers > MAX_NUMBERS:
            raise GameError("The game is too large", f"{numbers} payoffs, at most {MAX_NUMBERS} are allowed")
        object.__setattr__(self, "edges", made)
        self._name_actions(counts)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many actions each player has."""
        return self.action_counts

    def payoff_vectors(self, profile: Profile) -> Profile:
        """Add up ``A_ij x_j`` over the pairs."""
        vectors = tuple(np.zeros(size) for size in self.sizes)
        for (i, j), matrix in self.edges.items():
            vectors[i][:] += matrix @ profile[j]
        return vectors

    def levelled(self) -> FiniteGame:
        """Take its middle from each pair's matrix: strategies sum to one, so that too is an offset."""
        made = {pair: _levelled(matrix) for pair, matrix in self.edges.items()}
        same = all(made[pair] is matrix for pair, matrix in self.edges.items())
        return self if same else PolymatrixGame(self.action_counts, made)

    def ranges(self) -> Floats:
        """Return for each player the sum of its pairs' ranges."""
        found = np.zeros(len(self.sizes))
        for (i, _), matrix in self.edges.items():
            found[i] += float(matrix.max() - matrix.min())
        return np.where(found > 0, found, 1.0)

    def to_tensor(self) -> TensorGame:
        """Return the same game as tensors."""
        count = len(self.sizes)
        if count > MAX_PLAYERS or count * float(np.prod([float(size) for size in self.sizes])) > MAX_NUMBERS:
            raise GameError("The game is too large as a tensor", f"{count} players with {self.sizes} actions")
        tensors = tuple(np.zeros(self.sizes) for _ in self.sizes)
        for (i, j), matrix in self.edges.items():
            shape = [1] * count
            shape[i], shape[j] = matrix.shape
            tensors[i][...] += (matrix if i < j else matrix.T).reshape(shape)
        return TensorGame(tensors, title=self.title, players=self.players, actions=self.actions)


def payoff_array(values: ArrayLike, dimensions: int, what: str, copies: int = 1) -> Floats:
    """Return numbers from outside as a contiguous fp64 array of that many dimensions.

    Raises GameError when they are empty, no numbers, beyond MAX_PAYOFF, of another dimension, or too many.
    """
    given = _numbers(values, what)
    if given.ndim != dimensions:
        raise GameError(f"The {what} cannot be used", f"{given.ndim} dimensions instead of {dimensions}")
    if given.size == 0:
        raise GameError(f"The {what} cannot be used", f"it is empty: shape {given.shape}")
    if given.size * copies > MAX_NUMBERS:
        raise GameError(f"The {what} is too large", f"{given.size * copies} numbers, at most {MAX_NUMBERS} are allowed")
    made = np.ascontiguousarray(given)
    usable = np.abs(made) <= MAX_PAYOFF
    if not usable.all():
        at = np.unravel_index(int(np.argmin(usable)), made.shape)
        raise GameError(f"The {what} cannot be used", f"the entry {tuple(int(i) + 1 for i in at)} is {made[at]:g}")
    return made


def as_game(*payoffs: ArrayLike, **names: Any) -> FiniteGame:
    """Return the game of payoff arrays: one matrix is zero-sum, two matrices are a bimatrix game, else tensors."""
    made = [_numbers(given, "payoffs") for given in payoffs]
    if len(made) == 1 and made[0].ndim == 2:
        return MatrixGame(made[0], **names)
    return BimatrixGame(made[0], made[1], **names) if len(made) == 2 else TensorGame(tuple(made), **names)


def _numbers(values: ArrayLike, what: str) -> Floats:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise GameError(f"The {what} cannot be used", f"not an array of numbers: {error}") from error


def _levelled(values: Floats) -> Floats:
    """Return payoffs less their middle where that is far beyond their range: regrets would drown in its rounding."""
    low, high = float(values.min()), float(values.max())
    middle = low / 2 + high / 2
    return values - middle if abs(middle) > _OFFSET * (high - low) else values


def _range(values: Floats) -> float:
    return float(values.max() - values.min()) or 1.0


def _strategy(given: ArrayLike, size: int, name: str) -> Floats:
    made = np.asarray(given, dtype=np.float64)
    if made.shape != (size,):
        raise GameError(f"The strategy of {name} does not fit", f"its shape is {made.shape} instead of ({size},)")
    if not np.isfinite(made).all() or made.min() < -_TOLERANCE or abs(float(made.sum()) - 1.0) > _TOLERANCE * size:
        raise GameError(f"The strategy of {name} is none", "probabilities must be finite, not negative and sum to one")
    made = np.maximum(made, 0.0)
    return np.asarray(made / made.sum())


def _contract(tensor: Floats, profile: Profile, player: int) -> Floats:
    """Return player's payoff vector: from the last axis down to its own, then from the first axis up."""
    left = tensor
    for axis in range(tensor.ndim - 1, player, -1):
        left = left @ profile[axis]
    for axis in range(player):
        left = profile[axis] @ left.reshape(left.shape[0], -1)
        left = left.reshape(tensor.shape[axis + 1 : player + 1])
    return np.asarray(left)
