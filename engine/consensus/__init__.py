"""Consensus: neural agents agree on a task through a Nash equilibrium that the chain checks.

What a program of one's own needs is here, and imported when it is asked for: agents bring torch, which takes seconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.consensus.agents import EthereumNeuralAgent
    from engine.consensus.config import AgentConfig, ConsensusConfig
    from engine.consensus.cross_chain import CrossChainConsensus
    from engine.consensus.finance import FinancialConsensus
    from engine.consensus.gas import GasOptimizer
    from engine.consensus.hierarchical import HierarchicalConsensus
    from engine.consensus.identity import EthereumAgentIdentity
    from engine.consensus.moderation import (
        content_moderation_consensus,
        create_moderation_agents,
        interpret_consensus,
    )
    from engine.consensus.multi_gpu import MultiGPUConsensus
    from engine.consensus.nash_ethereum import NashEthereumConsensus
    from engine.consensus.secure import SecureEthereumAgent
    from engine.consensus.state import NashEthereumState

_HOMES = {
    "AgentConfig": "config",
    "ConsensusConfig": "config",
    "CrossChainConsensus": "cross_chain",
    "EthereumAgentIdentity": "identity",
    "EthereumNeuralAgent": "agents",
    "FinancialConsensus": "finance",
    "GasOptimizer": "gas",
    "HierarchicalConsensus": "hierarchical",
    "MultiGPUConsensus": "multi_gpu",
    "NashEthereumConsensus": "nash_ethereum",
    "NashEthereumState": "state",
    "SecureEthereumAgent": "secure",
    "content_moderation_consensus": "moderation",
    "create_moderation_agents": "moderation",
    "interpret_consensus": "moderation",
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
