"""The kinds of tasks: what the coordinates of a position mean in each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.consensus.errors import ConsensusError

ASSETS = ("stocks", "bonds", "real estate", "commodities", "cash")


@dataclass(frozen=True, slots=True)
class Kind:
    """Labels of the coordinates, the space of positions, and the chains of a cross-chain task."""

    labels: tuple[str, ...]
    space: str
    chains: tuple[str, ...] = ()


def describe(document: Mapping[str, Any]) -> Kind:
    """Return what kind of task a document describes. Raises ConsensusError."""
    kind = document.get("type")
    if kind == "portfolio_allocation":
        return Kind(ASSETS, "simplex")
    raise ConsensusError(f"There is no kind of task {kind!r}", "known is portfolio_allocation")
