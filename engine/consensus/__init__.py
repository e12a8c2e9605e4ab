"""Consensus: neural agents agree on a task through a Nash equilibrium that the chain checks.

What a program of one's own needs is here, and imported when it is asked for: agents bring torch, which takes seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.consensus.agents.identity import EthereumAgentIdentity
    from engine.consensus.agents.neural import EthereumNeuralAgent
    from engine.consensus.agents.secure import SecureEthereumAgent
    from engine.consensus.chains.cross_chain import CrossChainConsensus
    from engine.consensus.config import AgentConfig, ConsensusConfig
    from engine.consensus.library.finance import FinancialConsensus
    from engine.consensus.library.hierarchical import HierarchicalConsensus
    from engine.consensus.library.moderation import (
        content_moderation_consensus,
        create_moderation_agents,
        interpret_consensus,
    )
    from engine.consensus.library.multi_gpu import MultiGPUConsensus
    from engine.consensus.library.nash_ethereum import NashEthereumConsensus
    from engine.consensus.onchain.gas import GasOptimizer
    from engine.consensus.state import NashEthereumState

_HOMES = {
    "AgentConfig": "config",
    "ConsensusConfig": "config",
    "CrossChainConsensus": "chains.cross_chain",
    "EthereumAgentIdentity": "agents.identity",
    "EthereumNeuralAgent": "agents.neural",
    "FinancialConsensus": "library.finance",
    "GasOptimizer": "onchain.gas",
    "HierarchicalConsensus": "library.hierarchical",
    "MultiGPUConsensus": "library.multi_gpu",
    "NashEthereumConsensus": "library.nash_ethereum",
    "NashEthereumState": "state",
    "SecureEthereumAgent": "agents.secure",
    "content_moderation_consensus": "library.moderation",
    "create_moderation_agents": "library.moderation",
    "interpret_consensus": "library.moderation",
}

__all__ = [
    "AgentConfig",
    "ConsensusConfig",
    "CrossChainConsensus",
    "EthereumAgentIdentity",
    "EthereumNeuralAgent",
    "FinancialConsensus",
    "GasOptimizer",
    "HierarchicalConsensus",
    "MultiGPUConsensus",
    "NashEthereumConsensus",
    "NashEthereumState",
    "SecureEthereumAgent",
    "content_moderation_consensus",
    "create_moderation_agents",
    "interpret_consensus",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
