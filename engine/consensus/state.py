"""The state of a consensus as the library's users see it, in torch tensors."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

    from engine.consensus.results import ConsensusResult


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
