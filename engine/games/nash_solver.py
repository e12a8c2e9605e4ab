"""Equilibria of torch tensors: consensus of positions, or play in a matrix game from where the positions are.

Positions come by name, and the answer is stacked in their order. Tensors may have any shape (all the same), any real
type and live on any device; they are read without their gradients and the answer has their type (the default type for
integers) and device.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError
from engine.games.games import MAX_NUMBERS, MAX_PAYOFF, Floats
from engine.games.nash_play import Play
from engine.games.options import SolveOptions
from engine.games.solvers.agreement_linear import agree
from engine.games.tensor_cores import TensorCoreOptimizer
from engine.games.verify import gap_of

if TYPE_CHECKING:
    import torch

_log = logging.getLogger(__name__)
ATOL = 1e-3  # how far a position may be from a best response
ON_DEVICE = 256  # agents from which on a linear system is worth a CUDA device


class NashEquilibriumSolver:
    """Finds Nash equilibria of tensors.

    ``device``: where to compute. Without a CUDA device "cuda" means "cpu": ``device`` is then "cpu", and ``fallback``
    says why. ``confidence`` (a number or (n,)) and ``influence`` (a number or (n, n)) weigh the costs of
    :class:`engine.games.consensus.ConsensusGame`; ``epsilon`` is the gap to reach, relative to the payoff
    ranges; ``time_limit_s`` ends the exact search that follows where play settles on nothing.
    """

    def __init__(
        self,
        device: str = "cuda",
        *,
        confidence: float | torch.Tensor = 1.0,
        influence: float | torch.Tensor = 1.0,
        epsilon: float = 1e-6,
        time_limit_s: float = 60.0,
    ) -> None:
        self.device, self.fallback = _device(device)
        self.optimizer = TensorCoreOptimizer()
        self.options = SolveOptions(epsilon=epsilon, time_limit_s=time_limit_s)
        self.confidence = confidence
        self.influence = influence

    def compute_equilibrium(
        self, positions: dict[str, torch.Tensor], payoff_matrix: torch.Tensor | None = None
    ) -> tuple[torch.Tensor, bool]:
        """Return the equilibrium (n, *shape), agents in the order of ``positions``, and whether it was verified.

        Without ``payoff_matrix`` the positions are ideal points of a consensus game. With one they are the mixed
        strategies with which k actions begin to be played: (k, k) says what everybody gets against each other agent,
        its own action the row; (n, n, k, k) says in ``[i, j]`` what i gets against j (``[i, i]`` is not read). An
        equilibrium is then the one that optimistic play leads to from there, or, where it leads to none, any.
        False comes with the best profile found. Raises GameError for what is no number, no strategy, or does not fit.
        """
        points, shape, like = _stacked(positions)
        if payoff_matrix is None:
            found, converged = self._consensus(points, tuple(positions))
        else:
            play = Play(points, _payoffs(payoff_matrix, len(points), points.shape[1]), tuple(positions), like.dtype)
            found, converged = play.solve(self.device, self.optimizer.plan, self.options)
        return _tensor(found, (len(points), *shape), like), converged

    def _consensus(self, points: Floats, names: tuple[str, ...]) -> tuple[Floats, bool]:
        import torch

        count = len(points)
        confidence, influence = _numbers(self.confidence, "confidence"), _numbers(self.influence, "influence")
        game = ConsensusGame(
            points,
            np.full(count, confidence) if confidence.ndim == 0 else confidence,
            influence * (1.0 - np.eye(count)) if influence.ndim == 0 else influence,
            players=names,
        )
        if self.device != "cpu" and influence.ndim and count >= ON_DEVICE:
            weight = game.confidence + game.influence.sum(axis=1)
            if game.confidence.min() > 0:  # else there may be no unique equilibrium, which `agree` knows how to handle
                system = np.eye(count) - game.influence / weight[:, None]
                right = (game.confidence / weight)[:, None] * points
                matrix, sides = (torch.as_tensor(part, device=self.device) for part in (system, right))
                found = self.optimizer.solve(matrix, sides).cpu().numpy()
                if gap_of(game, tuple(found)).relative <= self.options.epsilon:
                    return found, True
        found = agree(game.confidence, game.influence, game.points, game.points).positions
        return found, gap_of(game, tuple(found)).relative <= self.options.epsilon


def nash_equilibrium_condition(positions: Mapping[str, torch.Tensor], payoffs: torch.Tensor | ConsensusGame) -> bool:
    """Return whether every position is within ATOL of a best response to the others.

    ``payoffs``: (k, k) or (n, n, k, k) as in :meth:`NashEquilibriumSolver.compute_equilibrium`, or the consensus game.
    """
    import torch

    for agent_id, position in positions.items():
        best_response = compute_best_response(agent_id, positions, payoffs).to(torch.float64)
        if not torch.allclose(position.detach().to(torch.float64), best_response, atol=ATOL):
            return False
    return True


def compute_best_response(
    agent_id: str, positions: Mapping[str, torch.Tensor], payoffs: torch.Tensor | ConsensusGame
) -> torch.Tensor:
    """Return the best response of an agent that is nearest to its own position, in the shape, type and place of that.

    Many mixed strategies may be best responses, so the position is projected on the actions that are best within ATOL
    of the agent's payoff range. Raises GameError for an agent that is not among the positions.
    """
    if agent_id not in positions:
        raise GameError(f"There is no agent {agent_id!r}", f"the positions are of {', '.join(positions)}")
    points, shape, like = _stacked(positions)
    own = list(positions).index(agent_id)
    if isinstance(payoffs, ConsensusGame):
        if payoffs.points.shape != points.shape:
            raise GameError("The positions do not fit the game", f"{points.shape} instead of {payoffs.points.shape}")
        best = payoffs.best_responses(points)[own]
    else:
        play = Play(points, _payoffs(payoffs, len(points), points.shape[1]), tuple(positions), like.dtype)
        best = play.nearest_best_response(own, ATOL)
    return _tensor(best, shape, like)


def _device(wanted: str) -> tuple[str, str]:
    import torch

    try:
        kind = torch.device(wanted).type
    except (RuntimeError, TypeError) as error:
        raise GameError(f"The device {wanted!r} is unknown", str(error).splitlines()[0]) from error
    if kind not in ("cpu", "cuda"):
        raise GameError(f"The device {wanted!r} is not supported", "equilibria are computed on cpu or cuda")
    if kind == "cuda" and not torch.cuda.is_available():
        why = "there is no CUDA device, so equilibria are computed on the processor"
        _log.info(why)
        return "cpu", why
    return wanted, ""


def _stacked(positions: Mapping[str, torch.Tensor]) -> tuple[Floats, tuple[int, ...], torch.Tensor]:
    """Return the positions as rows (n, d), their shape, and an empty tensor of the type and device to answer in."""
    import torch

    if not positions:
        raise GameError("There are no positions", "an equilibrium needs at least one agent")
    dtype = None
    for name, position in positions.items():
        if not isinstance(position, torch.Tensor):
            raise GameError(f"The position of {name} is no tensor", f"it is of type {type(position).__name__}")
        dtype = position.dtype if dtype is None else torch.promote_types(dtype, position.dtype)
    first = next(iter(positions.values()))
    shapes = {name: tuple(position.shape) for name, position in positions.items()}
    if len(set(shapes.values())) > 1:
        raise GameError("The positions do not fit", ", ".join(f"{name} {shape}" for name, shape in shapes.items()))
    rows = [_numbers(position, f"position of {name}").ravel() for name, position in positions.items()]
    if rows[0].size == 0:
        raise GameError("The positions are empty", f"their shape is {tuple(first.shape)}")
    assert dtype is not None
    answer = dtype if dtype.is_floating_point else torch.get_default_dtype()
    return np.stack(rows), tuple(first.shape), torch.empty(0, dtype=answer, device=first.device)


def _numbers(values: float | torch.Tensor, what: str) -> Floats:
    """Return fp64 numbers of a tensor or a number. Raises GameError when one is not finite, too large or complex."""
    import torch

    given = torch.as_tensor(values).detach()
    if given.numel() > MAX_NUMBERS:
        raise GameError(f"The {what} is too large", f"{given.numel()} numbers, at most {MAX_NUMBERS} are allowed")
    if given.is_meta:
        raise GameError(f"The {what} cannot be used", "it is on the device meta, where tensors have no numbers")
    if given.is_complex():
        raise GameError(f"The {what} cannot be used", "its numbers are complex")
    dense = given if given.layout == torch.strided else given.to_dense()
    made = dense.to(device="cpu", dtype=torch.float64).numpy()
    if not (np.abs(made) <= MAX_PAYOFF).all():
        raise GameError(f"The {what} cannot be used", "a number in it is not finite or too large")
    return np.array(made)


def _payoffs(given: torch.Tensor, agents: int, actions: int) -> Floats:
    import torch

    if not isinstance(given, torch.Tensor):
        raise GameError("The payoffs cannot be used", f"they are of type {type(given).__name__}, not a tensor")
    shape = tuple(given.shape)
    if shape not in ((actions, actions), (agents, agents, actions, actions)):
        raise GameError(
            "The payoffs do not fit the positions",
            f"their shape is {shape}; {agents} agents with {actions} actions need {(actions, actions)} "
            f"or {(agents, agents, actions, actions)}",
        )
    return _numbers(given, "payoff matrix")


def _tensor(values: Floats, shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    import torch

    return torch.from_numpy(np.ascontiguousarray(values)).reshape(shape).to(dtype=like.dtype, device=like.device)
