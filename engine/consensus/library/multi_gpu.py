"""Consensus with the agents' models spread over several GPUs."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

from engine.consensus.errors import ConsensusError
from engine.consensus.library.nash_ethereum import NashEthereumConsensus

_log = logging.getLogger(__name__)


class MultiGPUConsensus(NashEthereumConsensus):
    """A consensus on ``devices``: the first ``num_gpus`` GPUs (all, by default), or the processor without any.

    Raises ConsensusError for more GPUs than there are.
    """

    def __init__(self, num_gpus: int | None = None, **settings: Any) -> None:
        import torch

        there = torch.cuda.device_count()
        if num_gpus is None:
            num_gpus = there
        if isinstance(num_gpus, bool) or not isinstance(num_gpus, int) or not 0 <= num_gpus <= there:
            raise ConsensusError(f"There are no {num_gpus!r:.20} GPUs to use", f"this machine has {there}")
        super().__init__(**settings)
        self.devices = [f"cuda:{index}" for index in range(num_gpus)]
        if not self.devices:
            _log.info("no GPU is used, so all agents run on the processor")
            self.devices = ["cpu"]

    def distribute_agents(self, agents: Iterable[Any]) -> None:
        """Move the agents' models to the devices in turn."""
        for index, agent in enumerate(agents):
            agent.to(self.devices[index % len(self.devices)])
