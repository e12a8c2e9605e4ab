"""The certificate that the chain checks, in the contract's own integers.

Coordinates x, y are 48-bit fixed point, y with 32 more fractional bits; confidences c_i and the coupling kappa are in
millionths, regrets in 1e-18. With the aggregate S (d,) given and W the sum of the weights w_i,

    y_i = floor((c_i x_i 2^32 + kappa S) / (c_i + kappa W)),    r = sum_i w_i y_i - S,
    regret = max_i kappa^2 sum_k (|r_k| + W)^2 / (c_i + kappa (W - w_i)),

where W makes up for what the floors hide; and no |r_k| may move the consensus by more than a unit. The map from S to
sum_i w_i y_i(S) is a non-decreasing one of whole numbers into [0, W (2^48 - 1) 2^32], so it has a fixed point (Knaster
and Tarski), and halving an interval whose ends it maps inwards finds one: there r is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import BITS, FRACTION, MILLION

CAP = 3  # no agent's weight is more than 1 / CAP of all weight that came in
_UNIT = 10**18  # of regrets
_SCALE = 1 << 4 * FRACTION  # of the square of a residual, which has 2 * FRACTION fractional bits
_HIGHEST = ((1 << BITS) - 1) << FRACTION


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certified equilibrium. ``aggregate`` (d,) is S; ``consensus`` (d,) the weighted mean S / W as 48-bit numbers.

    ``weights`` (n,) are the effective ones, ``regret`` in 1e-18 the largest of any agent.
    """

    aggregate: tuple[int, ...]
    consensus: tuple[int, ...]
    weights: tuple[int, ...]
    regret: int

    @property
    def total_weight(self) -> int:
        """W."""
        return sum(self.weights)


@dataclass(frozen=True, slots=True)
class _Game:
    """Confidences and effective weights (n,), coupling; ``parts`` (n,) are c_i + kappa W."""

    confidences: tuple[int, ...]
    weights: tuple[int, ...]
    kappa: int

    @property
    def total(self) -> int:
        return sum(self.weights)

    @property
    def parts(self) -> list[int]:
        return [confidence + self.kappa * self.total for confidence in self.confidences]


def effective_weights(weights: Sequence[int]) -> tuple[int, ...]:
    """Return reputations (n,) as they count: capped at a third of their sum, at least 1; 0 (excluded) stays 0."""
    most = max(1, sum(weights) // CAP)
    return tuple(min(weight, most) for weight in weights)


def certify(
    positions: Sequence[Sequence[int]],
    confidences: Sequence[int],
    weights: Sequence[int],
    kappa: int,
    eps: int | None = None,
) -> Certificate:
    """Return the certificate of the game of agents with ideal ``positions`` (n, d), 48-bit numbers.

    ``weights`` (n,) are reputations, capped here; 0 leaves an agent's weight out. ``eps`` in 1e-18 is the regret
    allowed. Raises ConsensusError when nobody has any weight or the regret is larger.
    """
    game = _game(confidences, weights, kappa)
    aggregate = tuple(_fixed_point(column, game) for column in zip(*positions, strict=True))
    return checked(positions, confidences, weights, kappa, aggregate, eps)


def checked(
    positions: Sequence[Sequence[int]],
    confidences: Sequence[int],
    weights: Sequence[int],
    kappa: int,
    aggregate: Sequence[int],
    eps: int | None = None,
) -> Certificate:
    """Return what ``aggregate`` (d,), whoever gave it, certifies, as the contract reckons. Raises ConsensusError."""
    game = _game(confidences, weights, kappa)
    if min(aggregate) < 0 or max(aggregate) > game.total * _HIGHEST:
        raise ConsensusError("The aggregate is none", "it is outside of what positions can add up to")
    columns = list(zip(*positions, strict=True))
    residuals = [abs(_image(c, game, s) - s) for c, s in zip(columns, aggregate, strict=True)]
    if max(residuals) > _slack(game):
        raise ConsensusError("The point is no equilibrium", "its aggregate is not that of its best responses")
    regret = _regret(game, sum((residual + game.total) ** 2 for residual in residuals))
    if eps is not None and regret > eps:
        raise ConsensusError(
            "The point is no equilibrium",
            f"its regret is {regret} of at most {eps} (1e-18)",
            "Allow a larger epsilon: fixed-point numbers reach no smaller one where kappa W is large.",
        )
    unit = game.total << FRACTION
    consensus = tuple((s + unit // 2) // unit for s in aggregate)
    return Certificate(tuple(aggregate), consensus, game.weights, regret)


def equilibrium_positions(
    positions: Sequence[Sequence[int]], confidences: Sequence[int], certificate: Certificate, kappa: int
) -> list[list[float]]:
    """Return where each agent stands in the equilibrium, (n, d) as real numbers."""
    game = _Game(tuple(confidences), certificate.weights, kappa)
    bias = 1 << (BITS - 1)
    return [
        [
            ((confidence * x << FRACTION) + kappa * s) / part / 2 ** (2 * FRACTION) - bias / 2**FRACTION
            for x, s in zip(row, certificate.aggregate, strict=True)
        ]
        for row, confidence, part in zip(positions, confidences, game.parts, strict=True)
    ]


def _game(confidences: Sequence[int], weights: Sequence[int], kappa: int) -> _Game:
    if not sum(weights):
        raise ConsensusError("There is no consensus to certify", "no agent has any weight")
    if min(confidences) < 1 or max(confidences) > MILLION or min(weights) < 0 or kappa < 1:
        raise ConsensusError("The game cannot be certified", "a confidence, a weight or the coupling is out of range")
    return _Game(tuple(confidences), effective_weights(weights), kappa)


def _image(column: Sequence[int], game: _Game, aggregate: int) -> int:
    """Return sum_i w_i y_i of one coordinate (n,) for S."""
    pull = game.kappa * aggregate
    terms = zip(column, game.confidences, game.weights, game.parts, strict=True)
    return sum(w * (((c * x << FRACTION) + pull) // part) for x, c, w, part in terms)


def _slack(game: _Game) -> int:
    """Return the residual that moves the consensus by one unit of a coordinate: the contract allows no larger one.

    Regret alone would not do: where kappa W is large, all agents together can be moved at nearly no regret.
    """
    terms = zip(game.weights, game.confidences, game.parts, strict=True)
    return sum((w * c << FRACTION) // part for w, c, part in terms)


def _regret(game: _Game, squares: int) -> int:
    """Return the largest regret of an agent that counts, in 1e-18, rounded up."""
    pairs = zip(game.confidences, game.weights, strict=True)
    least = min(c + game.kappa * (game.total - w) for c, w in pairs if w)
    return -(-(game.kappa**2 * squares * (_UNIT // MILLION)) // (_SCALE * least))


def _fixed_point(column: Sequence[int], game: _Game) -> int:
    """Return an S of one coordinate (n,) whose residual is 0.

    1. Solve in floating point. 2. Correct by Newton's step, exact but for rounding. 3. Widen an interval around that
    until both its ends are mapped inwards. 4. Halve it, keeping that.
    """
    total, parts = game.total, game.parts
    slope = sum(w * c / part for w, c, part in zip(game.weights, game.confidences, parts, strict=True)) / total
    top = total * _HIGHEST
    guess = 0
    for _ in range(3):
        guess += int((_image(column, game, guess) - guess) / slope)
    step = int(total / slope) + 1
    low, high = max(0, guess - step), min(top, guess + step)
    while _image(column, game, low) < low:
        low, step = max(0, low - step), 2 * step
    while _image(column, game, high) > high:
        high, step = min(top, high + step), 2 * step
    while low < high:
        middle = (low + high) // 2
        image = _image(column, game, middle)
        if image == middle:
            return middle
        low, high = (image, high) if image > middle else (low, image)
    return low
