"""The state of a consensus as the library's users see it, in torch tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from engine.consensus.results import ConsensusResult
    from engine.games.games import Floats


@dataclass(eq=False)
class NashEthereumState:
    """Where a consensus stands.

    ``task_hash`` is 0x text. ``positions`` (by agent, each (d,)) are where the agents stand, ``nash_equilibrium`` (d,)
    is the agreed position. ``convergence_rate`` in [0, 1] is the share of the gap that an iteration took away.
    ``block_number``, ``gas_used`` and ``tx_hash`` are of the chain; None, 0 and None without one. ``result`` has the
    rest.
    """

    task_hash: str
    iteration: int
    positions: dict[str, torch.Tensor]
    nash_equilibrium: torch.Tensor | None = None
    converged: bool = False
    convergence_rate: float = 0.0
    block_number: int | None = None
    gas_used: int = 0
    tx_hash: str | None = None
    gap: float = float("inf")
    message: str = ""
    result: ConsensusResult | None = field(default=None, repr=False)


def state_of(result: ConsensusResult, device: str = "cpu") -> NashEthereumState:
    """Return the state in which a round ended, its tensors in double precision on ``device``."""
    import torch

    def tensor(values: Floats) -> torch.Tensor:
        return torch.tensor(values, dtype=torch.float64, device=device)

    chain = result.on_chain
    return NashEthereumState(
        "0x" + result.task_hash.hex(),
        result.iterations,
        {name: tensor(row) for name, row in zip(result.agents, result.positions, strict=True)},
        tensor(result.equilibrium) if result.equilibrium.size else None,
        converged=result.converged,
        convergence_rate=result.convergence_rate,
        block_number=None if chain is None else chain.block,
        gas_used=0 if chain is None else chain.gas_used,
        tx_hash=None if chain is None else chain.tx,
        gap=result.gap,
        message=result.message,
        result=result,
    )
