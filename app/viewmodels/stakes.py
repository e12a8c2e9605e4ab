"""Stakes: what each account holds in the ledger, beside what the contract says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.viewmodels.base import ViewModel
from engine.chain.events import TransactionMoved
from engine.core.errors import EngineError
from engine.league.events import AgentAdmitted, AgentRemoved, AgentSlashed, RoundChanged

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.chain.session import Chain
    from engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class StakesState:
    """Rows as the engine gives them; while transactions are ``pending`` the chain is behind the ledger."""

    rows: tuple[Any, ...] = ()
    on_chain: bool = False
    block: int | None = None
    differences: int = 0
    pending: int = 0


class StakesViewModel(ViewModel[StakesState]):
    """Reads the balances again after all that moves them. ``deployed`` says whether a contract can be asked."""

    def __init__(self, bridge: Bridge, runtime: Runtime, deployed: Callable[[], bool]) -> None:
        super().__init__(bridge, StakesState())
        self._runtime = runtime
        self._deployed = deployed
        self._reading = False
        self._again = False
        bridge.subscribe(lambda event: self.refresh(), AgentAdmitted, AgentRemoved, AgentSlashed, RoundChanged)
        bridge.subscribe(self._on_transaction, TransactionMoved)
        self.refresh()

    def refresh(self) -> None:
        """Read ledger and, where a devnet runs, contract."""
        if self._reading:
            self._again = True
            return
        self._reading = True
        self.start(self._read(), "Reading the stakes", key="stakes")

    def deposit(self, sha256: str, wei: int) -> None:
        """Stake more for an agent."""

        async def work() -> None:
            chain = await self._runtime.chain() if self._deployed() else None
            await self._runtime.league.deposit(sha256, wei, chain)
            self.refresh()

        self.start(work(), "Depositing a stake", key="stakes")

    async def _read(self) -> None:
        try:
            while True:
                self._again = False
                chain, before, rows = await self._rows()
                block = next((row.block for row in rows if row.block is not None), None)
                differences = sum(bool(row.differs) for row in rows)
                pending = max(before, self._pending(chain))
                self.update(
                    rows=rows, on_chain=chain is not None, block=block, differences=differences, pending=pending
                )
                if not self._again:
                    return
        finally:
            self._reading = False

    async def _rows(self) -> tuple[Chain | None, int, tuple[Any, ...]]:
        """Return the chain, how many transactions wait, and the rows; of a node that just went, the ledger alone."""
        chain = None
        try:
            chain = await self._runtime.chain() if self._deployed() else None
            waiting = self._pending(chain)
            return chain, waiting, tuple(await self._runtime.league.stakes(chain))
        except EngineError:
            if (await self._runtime.devnet.refresh()).state == "running":
                raise
        return None, 0, tuple(await self._runtime.league.stakes(None))

    def _on_transaction(self, event: TransactionMoved) -> None:
        """Read again once the last transaction of a batch has arrived."""
        outbox = self._runtime.store.outbox
        row = outbox.get(event.key) if event.state in ("mined", "failed") else None
        if row is not None and self._deployed() and not outbox.open_count(row.tx.book):
            self.refresh()

    def _pending(self, chain: Chain | None) -> int:
        return self._runtime.store.outbox.open_count(chain.book) if chain is not None else 0
