"""Financial markets: agents of different schools agree on how likely a price rises tomorrow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.consensus.agents.market_data import LEAST, Series, series_of
from engine.consensus.errors import ConsensusError
from engine.consensus.library.nash_ethereum import NashEthereumConsensus
from engine.consensus.negotiation.equilibrium import START_WEIGHT, WeightedGame, capped
from engine.consensus.state import NashEthereumState
from engine.games.games import Floats

if TYPE_CHECKING:
    from engine.consensus.agents.finance_models import MarketModel
    from engine.consensus.agents.neural import EthereumNeuralAgent

HORIZON = "1_day"


class FinancialConsensus(NashEthereumConsensus):
    """Predicts markets by consensus. Takes what :class:`NashEthereumConsensus` takes."""

    async def market_prediction_consensus(self, market_data: Any) -> dict[str, Any]:
        """Return what the financial agents agree on about the day after the last price.

        ``market_data`` is what :func:`engine.consensus.agents.market_data.series_of` takes. ``prediction`` is a tensor
        (fall, rise) of chances, None where no quorum remained; ``confidence`` is in [0, 1]; ``blockchain_proof`` is the
        hash of the transaction that finalised the result, None without a chain. Raises ConsensusError for bad data,
        EngineError when the chain cannot be reached.
        """
        named = isinstance(market_data, Mapping) and "series" in market_data
        series = series_of(market_data)
        task = {
            "type": "market_prediction",
            "data": dict(market_data) if named else series.to_data(),
            "horizon": HORIZON,
        }
        agents = self.create_financial_agents()
        consensus = await self.orchestrate_consensus(task, agents, hybrid_mode=True)
        return {
            "prediction": consensus.nash_equilibrium,
            "confidence": self.calculate_confidence(consensus),
            "blockchain_proof": consensus.tx_hash,
        }

    def create_financial_agents(self) -> list[EthereumNeuralAgent]:
        """Return one agent of each school, new ones at each call; their accounts stay the same. Kept in ``agents``."""
        from engine.consensus.agents.finance_models import KINDS, model
        from engine.consensus.agents.neural import EthereumNeuralAgent

        made = [
            EthereumNeuralAgent(kind, model(kind), self.create_agent_identity(kind), device=self.device)
            for kind in KINDS
        ]
        self.agents.update({agent.agent_id: agent for agent in made})
        return made

    def calculate_confidence(self, consensus: NashEthereumState) -> float:
        """Return how much a consensus is worth, in [0, 1]: the agents' mean confidence times their agreement.

        Agreement is one minus the mean distance of what they proposed from the equilibrium, relative to the largest
        possible. It is no chance of being right; 0 where nothing was agreed on.
        """
        result = consensus.result
        if result is None or not consensus.converged or not result.agents:
            return 0.0
        away = np.linalg.norm(result.ideals - result.equilibrium, axis=1).mean() / np.sqrt(2.0)
        return float(np.clip(result.confidences.mean() * (1.0 - away), 0.0, 1.0))


@dataclass(frozen=True, slots=True)
class Score:
    """How good chances were: mean squared error, mean negative log-likelihood (lower is better), share of hits."""

    brier: float
    log: float
    hits: float


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """A walk through the past: ``chances`` of a rise by who said them (days,), whether it ``rose``, and scores.

    Beside the models stand ``consensus``, ``coin`` (always one half) and ``always up`` (the largest chance allowed).
    """

    chances: dict[str, Floats]
    rose: Floats
    scores: dict[str, Score]


def backtest(series: Series, days: int, models: Mapping[str, MarketModel] | None = None) -> Backtest:
    """Predict each of the last ``days`` of a series from what was known the day before. Raises ConsensusError."""
    from engine.consensus.agents.finance_models import KINDS, model

    first = len(series) - days
    if days < 1 or first < LEAST:
        raise ConsensusError("The walk does not fit the series", f"{days} days of {len(series)}, {LEAST} come before")
    chosen = models or {kind: model(kind) for kind in KINDS}
    ends = range(first, len(series))
    chances = {name: np.array([one.chance(series.prices[:end].copy()) for end in ends]) for name, one in chosen.items()}
    together = np.stack(list(chances.values()), axis=1)
    chances["consensus"] = np.array([agreed(row) for row in together])
    chances["coin"] = np.full(days, 0.5)
    chances["always up"] = np.full(days, 0.98)
    rose = (series.prices[first:] > series.prices[first - 1 : -1]).astype(np.float64)
    return Backtest(chances, rose, {name: score(said, rose) for name, said in chances.items()})


def agreed(rises: Floats, coupling: float = 0.01) -> float:
    """Return the chance of a rise at the equilibrium of agents that say ``rises`` (n,), each as sure as the models."""
    ideals = np.stack([1.0 - rises, rises], axis=1)
    weights = np.array(capped([START_WEIGHT] * len(rises)), dtype=np.float64)
    return float(WeightedGame(ideals, 0.5 + np.abs(rises - 0.5), weights, coupling).consensus()[1])


def score(chances: Floats, rose: Floats) -> Score:
    """Return how good chances of a rise (days,) were, ``rose`` (days,) being 1 where it came and 0 where not."""
    likely = np.where(rose > 0, chances, 1.0 - chances)
    hits = float(np.mean((chances > 0.5) == (rose > 0.5)))
    return Score(float(np.mean((chances - rose) ** 2)), float(-np.mean(np.log(likely))), hits)
