"""Stakes: what each account holds in the ledger, beside what the contract says; orders that move them; slashings."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from app.errors import Notice
from app.formats import ether
from app.viewmodels.base import ViewModel
from app.viewmodels.rereading import Rereading
from engine.chain.events import TransactionMoved
from engine.core.errors import EngineError
from engine.core.turns import own_turn
from engine.league.accounts import Book
from engine.league.events import AgentAdmitted, AgentRemoved, AgentSlashed, DisputeResolved, RoundChanged
from engine.league.settlement import book_of
from engine.league.slashes import Slashes
from engine.league.withdrawals import Move, Order, Preview, Withdrawals

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.chain.session import Chain
    from engine.runtime import Runtime


REST_S = 0.5  # between two readings: rounds that are played one after another all move stakes


@dataclass(frozen=True, slots=True)
class StakesState:
    """Rows as the engine gives them; while transactions are ``pending`` the chain is behind the ledger.

    ``preview`` is what the order in the form would do, None while it is not known; ``busy`` names the order that is
    being carried out, ``failure`` why the last one was not, ``done`` counts those that were.
    """

    rows: tuple[Any, ...] = ()
    on_chain: bool = False
    block: int | None = None
    differences: int = 0
    pending: int = 0
    slashes: tuple[Any, ...] = ()
    round_names: Mapping[str, str] = field(default_factory=dict)
    preview: Preview | None = None
    busy: str = ""
    failure: str = ""
    done: int = 0

    def name_of(self, address: str) -> str:
        """Return the name of an account, its address where it has none."""
        return next((row.name for row in self.rows if row.address == address), address)


class StakesViewModel(ViewModel[StakesState]):
    """Reads the balances again after all that moves them. ``deployed`` says whether a contract can be asked."""

    def __init__(self, bridge: Bridge, runtime: Runtime, deployed: Callable[[], bool]) -> None:
        super().__init__(bridge, StakesState())
        self._runtime = runtime
        self._deployed = deployed
        self._readings = Rereading(
            lambda reading: self.start(reading, "Reading the stakes", key="stakes"), self._read, REST_S
        )
        self._desk = Withdrawals(runtime.store)
        self._slashes = Slashes(runtime.store, runtime.league.history)
        self._wanted: Order | None = None
        moves = (AgentAdmitted, AgentRemoved, AgentSlashed, DisputeResolved, RoundChanged)
        bridge.subscribe(lambda event: self.refresh(), *moves)
        bridge.subscribe(self._on_transaction, TransactionMoved)
        self.refresh()

    def refresh(self) -> None:
        """Read ledger and, where a devnet runs, contract."""
        self._readings.ask()

    def consider(self, move: Move, address: str, wei: int | None) -> None:
        """Work out what an order would do; ``wei`` is None while the form cannot be read."""
        known = {row.address for row in self.state.rows}
        if address not in known or (wei is None and not move.whole):
            self._wanted = None
            self.update(preview=None)
            return
        order, shown = Order(move, address, 0 if move.whole else wei or 0), self.state.preview
        if shown is not None and _same(shown.order, order):
            return
        self._wanted = order
        self.update(preview=None, failure="")
        self.start(self._preview(order), "Working out the cost", key="stakes")

    def carry_out(self) -> None:
        """Carry out the order that was previewed; when it fails the form stays as it is."""
        preview = self.state.preview
        if preview is None or preview.refusal or self.state.busy:
            return
        self.update(busy=preview.order.move.value, failure="")
        self.start(self._carry_out(preview), "Moving a stake", key="stakes")

    async def _preview(self, order: Order) -> None:
        try:
            chain = await self._chain()
            known = any(row.address == order.address for row in self.state.rows)
            if (chain is not None) != self.state.on_chain or not known:
                return  # the chain came or went: the accounts are read again, and then the order too
            preview = await self._desk.preview(order, chain)
        except EngineError as error:
            self.update(preview=None, failure=error.why or error.what)
            return
        if self._wanted == order:
            self.update(preview=preview)

    async def _carry_out(self, preview: Preview) -> None:
        order = preview.order
        try:
            chain = await self._chain()
            if (chain is not None) != self.state.on_chain:
                raise EngineError("The chain came or went", "the accounts are read again", "Look, and try again.")
            title = f"{order.move.value.capitalize()} for {self.state.name_of(order.address)}"
            job = self._runtime.jobs.start(
                title, lambda context: self._desk.carry_out(order, chain, pass_time=preview.wait > 0)
            )
            await job.result()
        except EngineError as error:
            self.update(failure=error.why or error.what)
            raise
        else:
            self._wanted = None
            self.update(done=self.state.done + 1, preview=None)
            text = f"{ether(preview.wei, places=6)}; ledger and contract are being read again."
            self.bridge.notify(Notice("ok", f"{title}: done", text, key="stakes"))
        finally:
            self.update(busy="")
            self.refresh()

    async def _chain(self) -> Chain | None:
        return await self._runtime.chain() if self._deployed() else None

    async def _read(self) -> None:
        chain, before, rows = await self._rows()
        await own_turn()
        slashes = tuple(self._slashes.all(book_of(chain) if chain is not None else Book()))
        block = next((row.block for row in rows if row.block is not None), None)
        differences = sum(bool(row.differs) for row in rows)
        pending = max(before, self._pending(chain))
        self.update(
            rows=rows,
            on_chain=chain is not None,
            block=block,
            differences=differences,
            pending=pending,
            round_names=self._names({slash.round_id for slash in slashes}),
            slashes=slashes,
        )
        self._consider_again()

    async def _rows(self) -> tuple[Chain | None, int, tuple[Any, ...]]:
        """Return the chain, how many transactions wait, and the rows; of a node that just went, the ledger alone."""
        chain = None
        try:
            chain = await self._chain()
            waiting = self._pending(chain)
            return chain, waiting, tuple(await self._runtime.league.stakes(chain))
        except EngineError:
            if (await self._runtime.devnet.refresh()).state == "running":
                raise
        return None, 0, tuple(await self._runtime.league.stakes(None))

    def _names(self, rounds: set[str]) -> dict[str, str]:
        found = {}
        for round_id in rounds:
            with contextlib.suppress(EngineError):  # it is none of a league
                row = self._runtime.league.history.round(round_id)
                found[round_id] = f"{row.name} #{row.number}"
        return found

    def _consider_again(self) -> None:
        """Balances moved: what was worked out for the order in the form may not hold any more."""
        wanted = self._wanted
        if wanted is not None and not self.state.busy:
            self.start(self._preview(replace(wanted)), "Working out the cost", key="stakes")

    def _on_transaction(self, event: TransactionMoved) -> None:
        """Read again once the last transaction of a batch has arrived."""
        outbox = self._runtime.store.outbox
        row = outbox.get(event.key) if event.state in ("mined", "failed") else None
        if row is not None and self._deployed() and not outbox.open_count(row.tx.book):
            self.refresh()

    def _pending(self, chain: Chain | None) -> int:
        return self._runtime.store.outbox.open_count(chain.book) if chain is not None else 0


def _same(one: Order, other: Order) -> bool:
    return (one.move, one.address, one.wei) == (other.move, other.address, other.wei)
