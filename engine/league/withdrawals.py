"""Stakes moved by hand: deposited, unbonded, withdrawn, and credit claimed, in ledger and contract alike.

What an order would do and cost is told beforehand; what the contract would refuse is not begun. Ledger and outbox are
written in one SQLite transaction under the order's key, so that an order is carried out once, whatever is killed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any
from uuid import uuid4

from engine.chain.abi import explain_revert
from engine.chain.bindings import Call, VaultAccount
from engine.chain.rpc import hex_data, revert_data
from engine.chain.session import Chain
from engine.league.accounts import Accounts, Balance, Book
from engine.league.errors import LeagueError
from engine.league.settlement import book_of
from engine.store.database import Store
from engine.store.outbox import OutboxTx

_LOCK = "league"
_RICH = hex(2**120)  # for an estimate the account has what it sends: a development node sees to that


class Move(StrEnum):
    """What can be done with an account's money. WITHDRAW and CLAIM take all there is."""

    DEPOSIT = "deposit"
    UNBOND = "unbond"
    WITHDRAW = "withdraw"
    CLAIM = "claim"

    @property
    def whole(self) -> bool:
        """Whether the move is about all there is, whatever amount is given."""
        return self in (Move.WITHDRAW, Move.CLAIM)


@dataclass(frozen=True, slots=True)
class Order:
    """One movement for one account. The same ``key`` twice is carried out once."""

    move: Move
    address: str
    wei: int = 0
    key: str = field(default_factory=lambda: uuid4().hex)

    @property
    def name(self) -> str:
        """The order's name within its book, in ledger and outbox."""
        return f"{self.move.value}:{self.key}"


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do: ``wei`` moved, balances ``before`` and ``after``, ``gas`` and its price in wei.

    ``refusal`` says why it cannot be done, "" when it can. ``wait`` are the seconds until the unbonding time is over:
    a development node can be moved there. Without a chain there is no gas, and ``wait`` is 0.
    """

    order: Order
    wei: int
    before: Balance
    after: Balance
    gas: int | None = None
    gas_price: int | None = None
    wait: int = 0
    refusal: str = ""

    @property
    def cost(self) -> int | None:
        """What the gas costs in wei, None when it is not known."""
        return None if self.gas is None or self.gas_price is None else self.gas * self.gas_price


class Withdrawals:
    """Carries out orders in the book of a chain, or without one in the local book."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def preview(self, order: Order, chain: Chain | None) -> Preview:
        """Return what an order would do as things stand; changes nothing."""
        accounts = self._accounts(chain)
        before = accounts.balance(order.address)
        wei = {Move.WITHDRAW: before.pending, Move.CLAIM: before.credit}.get(order.move, order.wei)
        told = Preview(order, wei, before, _after(before, order.move, wei), refusal=_refusal(order, before, wei))
        if chain is None or told.refusal:
            return told
        if order.address == accounts.book.treasury:
            return replace(told, refusal="the treasury's key is not in this wallet")
        held = await chain.vault.account_of(order.address)
        if refusal := _disagreement(before, held):
            return replace(told, refusal=refusal)
        if order.move is Move.WITHDRAW and held.exposure:
            return replace(told, refusal="the account stands behind an open round or dispute; settle that first")
        wait = await _wait(chain, held) if order.move is Move.WITHDRAW else 0
        gas, refusal = await _estimate(
            chain, order.address, _call(chain, order.move, wei), _value(order.move, wei), wait
        )
        return replace(told, gas=gas, gas_price=await chain.rpc.number("eth_gasPrice"), wait=wait, refusal=refusal)

    async def carry_out(self, order: Order, chain: Chain | None, *, pass_time: bool = False) -> bool:
        """Do it. Returns False when it was done before. Raises LeagueError with the reason when it cannot be done.

        ``pass_time`` lets the unbonding time pass first, which only a development node can do at once.
        """
        with self._store.exclusive(_LOCK):
            if chain is not None:
                await chain.drain()
                await self._again(chain)
            if self._known(order, chain):
                return False
            told = await self.preview(order, chain)
            if told.refusal:
                raise LeagueError(f"The {order.move.value} cannot be done", told.refusal)
            if told.wait and chain is not None:
                await _pass(chain, order.address, told.wait, allowed=pass_time)
            with self._store.transaction():
                self._write(order, told.wei, chain)
            if chain is not None:
                await chain.drain()
                self._require_mined(order, chain)
            return True

    def _write(self, order: Order, wei: int, chain: Chain | None) -> None:
        accounts = self._accounts(chain)
        written: dict[Move, Callable[[], bool]] = {
            Move.DEPOSIT: lambda: accounts.deposit(order.name, order.address, wei),
            Move.UNBOND: lambda: accounts.unbond(order.name, order.address, wei),
            Move.WITHDRAW: lambda: accounts.withdraw(order.name, order.address),
            Move.CLAIM: lambda: accounts.claim(order.name, order.address),
        }
        written[order.move]()
        if chain is not None:
            call, value = _call(chain, order.move, wei), _value(order.move, wei)
            key, purpose = f"{chain.book}:{order.name}", _PURPOSES[order.move]
            self._store.outbox.enqueue(OutboxTx(key, chain.book, order.address, call.to, call.data, value, purpose))

    def _known(self, order: Order, chain: Chain | None) -> bool:
        book = self._accounts(chain).book.name
        row = self._store.db.execute("SELECT 1 FROM ledger WHERE key = ?", (f"{book}:{order.name}",)).fetchone()
        return row is not None

    async def _again(self, chain: Chain) -> None:
        """Try once more what the chain refused: one that came back from an older state lost the time that passed."""
        refused = [row for move in Move for row in self._store.outbox.failed(f"{chain.book}:{move.value}:")]
        if not refused:
            return
        for row in refused:
            held = await chain.vault.account_of(row.tx.account)
            wait = await _wait(chain, held)
            if row.tx.purpose == _PURPOSES[Move.WITHDRAW] and wait and chain.control is not None:
                await chain.control.warp_to(held.unlock_at + 1)
        with self._store.transaction():
            for row in refused:
                self._store.outbox.requeue(row.tx.key)
        await chain.drain()

    def _require_mined(self, order: Order, chain: Chain) -> None:
        row = self._store.outbox.get(f"{chain.book}:{order.name}")
        if row is None or row.state != "mined":
            why = row.error if row is not None else ""
            raise LeagueError(f"The chain refused the {order.move.value}", why, "It is tried again with the next one.")

    def _accounts(self, chain: Chain | None) -> Accounts:
        return Accounts(self._store, book_of(chain) if chain is not None else Book())


_PURPOSES = {
    Move.DEPOSIT: "deposit a stake",
    Move.UNBOND: "request to unbond",
    Move.WITHDRAW: "withdraw a stake",
    Move.CLAIM: "claim the credit",
}


def _call(chain: Chain, move: Move, wei: int) -> Call:
    vault = chain.vault
    if move is Move.UNBOND:
        return vault.request_unbond(wei)
    return {Move.DEPOSIT: vault.stake, Move.WITHDRAW: vault.withdraw, Move.CLAIM: vault.claim}[move]()


def _value(move: Move, wei: int) -> int:
    return wei if move is Move.DEPOSIT else 0


def _after(before: Balance, move: Move, wei: int) -> Balance:
    if move is Move.DEPOSIT:
        return replace(before, stake=before.stake + wei)
    if move is Move.UNBOND:
        return replace(before, stake=before.stake - wei, pending=before.pending + wei)
    return replace(before, pending=0) if move is Move.WITHDRAW else replace(before, credit=0)


def _refusal(order: Order, before: Balance, wei: int) -> str:
    """Return what the ledger alone already forbids."""
    if order.move is Move.WITHDRAW and not wei:
        return "nothing was unbonded"
    if order.move is Move.CLAIM and not wei:
        return "there is no credit"
    if wei <= 0:
        return "the amount must be above zero"
    if order.move is Move.UNBOND and wei > before.stake:
        return f"the account has {before.stake} wei of stake that can be unbonded"
    return ""


def _disagreement(before: Balance, held: VaultAccount) -> str:
    ours = (before.stake + before.held, before.pending, before.credit)
    if ours == (held.active, held.pending, held.credit):
        return ""
    return "ledger and contract differ about this account; bring that in order first"


async def _wait(chain: Chain, held: VaultAccount) -> int:
    """Return the seconds until an account's unbonding time is over, as the next block will see it."""
    head = await chain.rpc.request("eth_getBlockByNumber", "pending", False)
    return max(0, held.unlock_at - int(head["timestamp"], 16)) if held.pending else 0


async def _pass(chain: Chain, address: str, wait: int, *, allowed: bool) -> None:
    if not allowed or chain.control is None:
        raise LeagueError("The stake is not free yet", f"{wait} seconds of the unbonding time are left")
    held = await chain.vault.account_of(address)
    await chain.control.warp_to(held.unlock_at + 1)


async def _estimate(chain: Chain, account: str, call: Call, value: int, wait: int) -> tuple[int | None, str]:
    """Return the gas of a call, or why the contract refuses it. While time has to pass first neither is known."""
    if wait:
        return None, ""
    transaction = {"from": account, "to": call.to, "data": hex_data(call.data), "value": hex(value)}
    request = ("eth_estimateGas", [transaction, "latest", {account: {"balance": _RICH}}])
    (answer,) = await chain.rpc.batch([request])
    if "result" in answer:
        return int(answer["result"], 16), ""
    error: Any = answer.get("error")
    data = revert_data(error)
    return None, explain_revert(data)[0] if data is not None else str(error)[:200]
