"""What the off-chain phase leaves: who remains, what they proposed, and the equilibrium of that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from engine.consensus.config import ConsensusConfig
from engine.consensus.messages import SignedPosition
from engine.consensus.negotiation.equilibrium import WeightedGame, capped
from engine.consensus.results import REASONS, Equivocation, Verdict
from engine.games.games import Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Agreement:
    """The end of a negotiation.

    Rows are ``agents``, those whose word counts: ``ideals`` (n, d) on the contract's grid, ``confidences`` (n,) and
    ``reputations`` before the cap. ``signed`` are their words for the chain (none without one), and ``trace`` is a hash
    of all iterations: the same seed, agents and settings give the same. Where no quorum remained there are no rows,
    and ``message`` says why.
    """

    agents: tuple[str, ...]
    ideals: Floats
    confidences: Floats
    reputations: tuple[int, ...]
    coupling: float
    converged: bool = False
    convergence_rate: float = 0.0
    iterations: int = 0
    message: str = ""
    verdicts: tuple[Verdict, ...] = ()
    evidence: tuple[Equivocation, ...] = ()
    signed: tuple[SignedPosition, ...] = ()
    trace: str = ""

    @property
    def quorate(self) -> bool:
        """Whether enough agents remained for a result."""
        return bool(self.agents)

    @cached_property
    def weights(self) -> Floats:
        """What the reputations count for, (n,)."""
        return np.array(capped(self.reputations), dtype=np.float64)

    @cached_property
    def positions(self) -> Floats:
        """Where the agents stand at the equilibrium, (n, d)."""
        return self._game.equilibrium() if self.quorate else np.empty_like(self.ideals)

    @cached_property
    def equilibrium(self) -> Floats:
        """What was agreed on, (d,): the weighted mean of the positions; empty where nothing was."""
        return self._game.consensus() if self.quorate else np.empty(0)

    @cached_property
    def gap(self) -> float:
        """The largest relative regret of ``positions``, verified by :mod:`engine.games.verify`."""
        return self._game.verified_gap(self.positions) if self.quorate else float("inf")

    def without(self, verdicts: Sequence[Verdict]) -> Agreement:
        """Return the agreement of those on whom there are no ``verdicts``, which are added."""
        gone = {verdict.agent for verdict in verdicts}
        rows = [row for row, name in enumerate(self.agents) if name not in gone]
        return replace(
            self,
            agents=tuple(self.agents[row] for row in rows),
            ideals=self.ideals[rows],
            confidences=self.confidences[rows],
            reputations=tuple(self.reputations[row] for row in rows),
            verdicts=(*self.verdicts, *verdicts),
        )

    @cached_property
    def _game(self) -> WeightedGame:
        return WeightedGame(self.ideals, self.confidences, self.weights, self.coupling)


def quorum_of(config: ConsensusConfig, everybody: int) -> int:
    """Return how many of ``everybody`` must remain: the quorum, and more than half."""
    return max(config.quorum, everybody // 2 + 1)


def dissolved(
    left: Sequence[str],
    everybody: int,
    needed: int,
    dims: int,
    verdicts: Sequence[Verdict],
    **kept: Any,
) -> Agreement:
    """Return that there is no agreement: of ``everybody`` who came only those ``left`` remain, fewer than ``needed``.

    ``kept`` are further fields of what was (iterations, evidence, trace).
    """
    why = ", ".join(f"{verdict.agent}: {REASONS[verdict.reason]}" for verdict in verdicts[:5])
    more = f", and {len(verdicts) - 5} more" if len(verdicts) > 5 else ""
    return Agreement(
        agents=(),
        ideals=np.empty((0, dims)),
        confidences=np.empty(0),
        reputations=(),
        coupling=0.0,
        verdicts=tuple(verdicts),
        message=f"No quorum remains: {len(left)} of {everybody} agents, {needed} are needed ({why}{more}).",
        **kept,
    )
