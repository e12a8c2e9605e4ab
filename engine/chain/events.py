"""What happens on the chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.core.events import Event


@dataclass(frozen=True, slots=True)
class DevnetChanged(Event):
    """The node's state: stopped, starting, running, stopping or failed; ``cause`` says why when failed."""

    kind: ClassVar[str] = "chain.devnet_changed"
    state: str
    url: str | None
    chain_id: int | None
    pid: int | None
    version: str | None
    cause: str


@dataclass(frozen=True, slots=True)
class DevnetLine(Event):
    """A line that the node printed."""

    kind: ClassVar[str] = "chain.log"
    text: str


@dataclass(frozen=True, slots=True)
class BlockMined(Event):
    """A new block; ``timestamp`` in seconds since the epoch, gas in units."""

    kind: ClassVar[str] = "chain.block"
    number: int
    hash: str
    timestamp: int
    transactions: int
    gas_used: int
    gas_limit: int


@dataclass(frozen=True, slots=True)
class TransactionMoved(Event):
    """A transaction of the outbox was sent, mined or failed; ``error`` is the decoded reason."""

    kind: ClassVar[str] = "chain.tx"
    key: str
    purpose: str
    state: str
    hash: str
    block: int | None
    gas_used: int | None
    error: str


@dataclass(frozen=True, slots=True)
class ContractsDeployed(Event):
    """The contracts stand on the chain, new or found again."""

    kind: ClassVar[str] = "chain.deployed"
    book: str
    vault: str
    anchor: str
    court: str
    consensus: str
    token: str
    learning: str
    fresh: bool
