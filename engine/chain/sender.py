"""The sender: brings the outbox to the chain, exactly once each, whatever is killed meanwhile.

1. What was mined is looked up again when the chain may have lost blocks; what those held goes back in their order.
2. Queued rows get their nonces here and nowhere else, and the signed bytes are stored. 3. They are broadcast in
batches, while the next batch is signed; the same bytes sent twice are one transaction. 4. Receipts settle the rows; a
row whose nonce another transaction took is signed anew, one that the base fee overtook again with the same nonce for
more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from filelock import FileLock, Timeout

from engine.chain.abi import explain_revert
from engine.chain.control import NodeControl
from engine.chain.errors import RpcError
from engine.chain.events import TransactionMoved
from engine.chain.receipts import Receipt, Receipts
from engine.chain.rpc import Rpc, error_text, hex_data, quantity, revert_data
from engine.chain.signing import Signer
from engine.chain.transactions import fees_of
from engine.chain.wallet import Wallet
from engine.core.bus import EventBus
from engine.core.turns import own_turn
from engine.store.database import Store
from engine.store.errors import StoreBusyError
from engine.store.outbox import Inclusion, OutboxRow, OutboxTx

BATCH = 500  # rows signed, and rows broadcast, at a time
WINDOW = 4 * BATCH  # rows under way at which no more are signed
CROWD = 16  # rows broadcast together from which on a block is asked for at once
LOOK_BACK = 100  # rows looked at again at a time
POLL = 0.05
GLANCES = (0.003, 0.006, 0.012)  # seconds between looks for receipts before automine counts as asleep
NUDGE = 0.3  # seconds without a new block before a development node is told to mine
RECEIPT_DELAY = 0.5  # seconds
PATIENCE = 60.0  # seconds without any progress before the operator is told
LOCK_PATIENCE = 30.0
_BREATH = 8  # rows signed without a pause: the loop has other work too
_SENT_BEFORE = ("already known", "already imported", "known transaction")
_TOO_CHEAP = ("less than block base fee", "fee cap", "max fee per gas less")
_LATER = ("underpriced", "pool is full")  # another transaction in the pool holds the nonce, or all of its room
_log = logging.getLogger(__name__)


class Sender:
    """Sends the rows of one book. ``number_of`` gives the wallet's account number of an address.

    On a development node, ``control`` funds the accounts and mines what the node leaves in its pool.
    """

    def __init__(
        self,
        rpc: Rpc,
        store: Store,
        bus: EventBus,
        wallet: Wallet,
        book: str,
        number_of: Callable[[str], int],
        control: NodeControl | None = None,
    ) -> None:
        self._rpc = rpc
        self._store = store
        self._bus = bus
        self._book = book
        self._control = control
        self._turn = asyncio.Lock()
        self._signer = Signer(rpc, store, wallet, book, number_of, development=control is not None)
        self._receipts = Receipts(rpc)
        self._flight: dict[str, OutboxRow] = {}  # by key: what is signed or sent and not settled, as in the store

    async def drain(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Bring all open rows to their end. Raises RpcError or WrongChainError; then nothing is lost: drain again."""
        async with self._turn, self._alone():
            await self._signer.begin()
            await self._receipts.begin()
            await self._recover_forgotten()
            self._flight = {row.tx.key: row for row in self._store.outbox.flying(self._book)}
            if self._control is not None and self._flight:  # a node that lost blocks lost the ether given there too
                await self._control.cover(_spending(list(self._flight.values())))
            await self._fill_gaps()
            await self._look_again(self._flight.values())
            await self._bring(progress)

    async def _bring(self, progress: Callable[[int, int], None] | None) -> None:
        """Sign a batch while the one before is on its way, until nothing is open."""
        outbox = self._store.outbox
        left = total = outbox.open_count(self._book)
        waited = 0.0
        while left:
            free = len(self._flight) < WINDOW and self._lost_block() is None
            ahead = outbox.queued(self._book, BATCH) if free else []
            before = (left, len(self._flight))
            await _both(self._sign(ahead), self._move())
            left = outbox.open_count(self._book)
            if progress is not None:
                progress(total - left, total)
            waited = 0.0 if before != (left, len(self._flight)) else waited + POLL
            if left and waited:
                await self._wait(waited, left)

    async def _wait(self, waited: float, left: int) -> None:
        if waited > PATIENCE:
            raise RpcError(
                "The chain does not mine the transactions sent", f"{left} wait", "Check the node's mining mode."
            )
        if self._control is not None and waited > NUDGE:
            await self._control.nudge()
        await self._look_again(list(self._flight.values())[:LOOK_BACK])
        await asyncio.sleep(POLL)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Keep other programs on this data directory from giving out the same nonces; waits for their turn to end."""
        lock = FileLock(self._store.path.with_name("outbox.lock"), timeout=0)
        try:
            async with asyncio.timeout(LOCK_PATIENCE):
                while True:
                    try:
                        lock.acquire()
                        break
                    except Timeout:
                        await asyncio.sleep(POLL)
        except TimeoutError as error:
            raise StoreBusyError(
                "Another Nashboard is sending the transactions of this data directory", "", "Wait for it to end."
            ) from error
        try:
            yield
        finally:
            lock.release()

    async def _recover_forgotten(self) -> None:
        """Put right what the store knows as mined and the chain does not know so: it lost blocks, or changed them.

        What is gone is sent again; what stands in another block is noted anew. Newest first, until a whole batch is
        as it was.
        """
        seen, lost = 0, 0
        while rows := self._store.outbox.placed(self._book, LOOK_BACK, seen):
            found = {row.tx.key: receipt for row, receipt in await self._receipts.of(rows)}
            gone = [row for row in rows if row.tx.key not in found]
            moved = [
                (row, found[row.tx.key])
                for row in rows
                if row.tx.key in found and found[row.tx.key]["blockHash"] != row.block_hash
            ]
            await self._settle(moved)
            with self._store.transaction():
                for row in gone:
                    self._store.outbox.reopen(row.tx.key)
            # Reopened rows are no longer among the placed ones.
            seen, lost = seen + len(rows) - len(gone), lost + len(gone)
            if not gone and not moved:
                break
        if lost:
            _log.info("the chain forgot %d transactions; sending them again", lost)

    async def _fill_gaps(self) -> None:
        """Use up nonces that nobody holds below ones that signed rows hold, by sending nothing to oneself.

        They come about when a chain forgets a transaction that had failed and was signed anew since.
        """
        held = self._store.outbox.held_nonces(self._book)
        counts = await self._rpc.numbers([("eth_getTransactionCount", [account, "latest"]) for account in held])
        offer = await self._signer.offer() if held else None
        for (account, nonces), count in zip(held.items(), counts, strict=True):
            for nonce in sorted(set(range(count, max(nonces))) - nonces):
                assert offer is not None
                _log.info("filling the nonce %d of %s", nonce, account)
                raw = self._signer.nothing(account, nonce, offer)
                await self._rpc.batch([("eth_sendRawTransaction", [hex_data(raw)])])

    async def _sign(self, rows: Sequence[OutboxRow]) -> None:
        """Sign the rows up to the first that cannot be estimated: it may build on one that is not mined yet."""
        if not rows:
            return
        pending = bool(self._flight)  # when the node is asked: they may be mined before it answers
        flight = list(self._flight.values())
        if self._control is not None:
            await self._control.cover(_spending([*flight, *rows]))
        signed: list[OutboxRow] = []
        for row, answer in zip(rows, await self._signer.prepare(rows, flight), strict=True):
            refusal = answer.get("error")
            gas = 0 if refusal is not None else quantity(answer["result"], "eth_estimateGas")
            missing = 0 if refusal is not None else self._signer.lacking(row, gas)
            if refusal is not None or missing:
                if not signed and not pending:
                    self._refuse(row, refusal, missing)
                break
            signed.append(self._signer.sign(row, gas))
            if len(signed) % _BREATH == 0:
                await own_turn()
        with self._store.transaction():
            for row in signed:
                self._store.outbox.mark_signed(row.tx.key, row.nonce or 0, row.raw or b"", row.hash or "")
        self._flight |= {row.tx.key: row for row in signed}

    def _refuse(self, row: OutboxRow, error: Any, missing: int) -> None:
        """Fail a row that its contract refuses; whatever else the node says may pass, so the row stays."""
        if missing:
            raise self._signer.unfunded(row, missing)
        data = revert_data(error)
        if data is None:
            raise self._refusal(row, error_text(error))
        reason = explain_revert(data)[0]
        with self._store.transaction():
            self._store.outbox.mark_failed(row.tx.key, reason)
        self._publish(row.tx, "failed", "", None, reason)

    def _refusal(self, row: OutboxRow, text: str) -> RpcError:
        if "insufficient funds" in text.lower() or "enough funds" in text.lower():
            return self._signer.unfunded(row)
        return RpcError(f"The node refuses to {row.tx.purpose}", text, "Nothing is lost: mend the cause, then resume.")

    def _lost_block(self) -> int | None:
        """Return the lowest block that the chain forgot with rows that are still under way.

        They go back block by block: a row may build on one of another account in a block below its own, and nodes
        promise no order between accounts.
        """
        return min((row.block for row in self._flight.values() if row.block is not None), default=None)

    async def _move(self) -> None:
        """Broadcast what is signed, and settle what is mined while the node goes on."""
        lost = self._lost_block()
        signed = [row for row in self._flight.values() if row.state == "signed" and row.block in (None, lost)]
        await self._broadcast(signed)
        if len(signed) >= CROWD and self._control is not None:
            await self._control.flush()  # else automine makes a hundred blocks of them, or falls asleep half-way
        idle, flushed = 0, False
        while idle < len(GLANCES):
            waiting = [row for row in self._flight.values() if row.state == "sent"]
            if not waiting:
                return
            if await self._collect(waiting):
                idle, flushed = 0, False
                continue
            idle += 1
            if idle == len(GLANCES) and not flushed and self._control is not None and await self._control.flush():
                idle, flushed = 0, True  # automine misses a wake-up when transactions arrive in quick succession
            if idle:
                await asyncio.sleep(GLANCES[idle - 1])

    async def _broadcast(self, rows: Sequence[OutboxRow]) -> None:
        answers = await self._rpc.batch([("eth_sendRawTransaction", [hex_data(row.raw or b"")]) for row in rows])
        sent, taken, cheap, refusals = [], [], [], []
        for row, answer in zip(rows, answers, strict=True):
            text = error_text(answer["error"]).lower() if answer.get("error") else ""
            if not text or any(phrase in text for phrase in _SENT_BEFORE):
                sent.append(replace(row, state="sent"))
            elif any(phrase in text for phrase in _TOO_CHEAP):
                cheap.append(row)
            elif any(phrase in text for phrase in _LATER):
                _log.info("%s waits: %s", row.tx.key, text)
            elif "nonce" in text:
                taken.append(row)
            else:
                refusals.append(self._refusal(row, error_text(answer["error"])))
        with self._store.transaction():
            self._store.outbox.mark_sent([row.tx.key for row in sent])
        self._flight |= {row.tx.key: row for row in sent}
        for row in sent:
            self._publish(row.tx, "sent", row.hash or "")
        await self._resolve_nonces(taken)
        await self._raise_fees(cheap)
        if refusals:
            raise refusals[0]

    async def _resolve_nonces(self, rows: Sequence[OutboxRow]) -> None:
        """The nonces are used up: by these very transactions, which is well, or by others: sign those anew."""
        await self._settle(found := await self._receipts.of(rows))
        missing = _without(rows, found)
        if not missing:
            return
        # A node may count a block's nonces a moment before it shows the receipts; signing anew would pay twice.
        await asyncio.sleep(RECEIPT_DELAY)
        await self._settle(found := await self._receipts.of(missing))
        self._signer.forget_nonces()
        with self._store.transaction():
            for row in _without(missing, found):
                self._store.outbox.requeue(row.tx.key)
                del self._flight[row.tx.key]

    async def _raise_fees(self, rows: Sequence[OutboxRow]) -> None:
        """Sign what pays less than the chain takes by now again, with the same nonce: only one of the two can count."""
        if not rows:
            return
        raised = await self._signer.raised(rows)
        _log.info("raising the fees of %d transactions", len(raised))
        with self._store.transaction():
            for old, new in zip(rows, raised, strict=True):
                self._store.outbox.mark_replaced(old, new.raw or b"", new.hash or "")
        self._flight |= {row.tx.key: row for row in raised}

    async def _collect(self, rows: Sequence[OutboxRow]) -> int:
        """Settle what was mined since, and return how many of ``rows`` that is."""
        found = await self._receipts.new(rows)
        await self._settle(found)
        return len(found)

    async def _look_again(self, rows: Iterable[OutboxRow]) -> None:
        """Look for rows one by one, wherever they are: mined earlier, dropped by the node, or overtaken by the fees."""
        rows = list(rows)
        await self._settle(found := await self._receipts.of(rows))
        waiting = [row for row in _without(rows, found) if row.state == "sent"]
        answers = await self._rpc.batch([("eth_getTransactionByHash", [row.hash]) for row in waiting])
        dropped = [row for row, answer in zip(waiting, answers, strict=True) if answer.get("result") is None]
        with self._store.transaction():
            for row in dropped:  # a node that restarted has an empty pool
                self._store.outbox.reopen(row.tx.key)
        self._flight |= {row.tx.key: replace(row, state="signed") for row in dropped}
        kept = _without(waiting, [(row, {}) for row in dropped])
        if kept:
            base = quantity((await self._rpc.head()).get("baseFeePerGas", "0x0"), "eth_getBlockByNumber")
            await self._raise_fees([row for row in kept if fees_of(row.raw or b"").cap < base])

    async def _settle(self, mined: Sequence[tuple[OutboxRow, Receipt]]) -> None:
        """Write what became of transactions that stand in blocks, all at once: a commit costs a write to the disk."""
        if not mined:
            return
        outcomes, short = [], []
        for row, receipt in mined:
            where = Inclusion(int(receipt["blockNumber"], 16), receipt["blockHash"], int(receipt["gasUsed"], 16))
            ok = int(receipt["status"], 16) == 1
            if not ok and self._signer.fell_short(row, where.gas_used):
                short.append(row.tx.key)
                continue
            reason = "" if ok else await self._receipts.why(row, receipt)
            outcomes.append((row, receipt["transactionHash"], where, reason))
        outbox = self._store.outbox
        with self._store.transaction():
            for row, digest, where, reason in outcomes:
                if digest != row.hash:
                    outbox.mark_found(row, digest)
                if reason:
                    outbox.mark_failed(row.tx.key, reason, where)
                else:
                    outbox.mark_mined(row.tx.key, where)
            for key in short:  # it did nothing, so that it is done again
                outbox.requeue(key)
                self._flight.pop(key, None)
        for row, digest, where, reason in outcomes:
            self._flight.pop(row.tx.key, None)
            self._publish(row.tx, "failed" if reason else "mined", digest, where, reason)

    def _publish(self, tx: OutboxTx, state: str, digest: str, where: Inclusion | None = None, error: str = "") -> None:
        block, gas = (where.block, where.gas_used) if where is not None else (None, None)
        self._bus.publish(TransactionMoved(tx.key, tx.purpose, state, digest, block, gas, error))


async def _both(first: Coroutine[Any, Any, None], second: Coroutine[Any, Any, None]) -> None:
    """Run both to their ends, then raise what one of them raised: neither is left half-way by the other's failure."""
    for outcome in await asyncio.gather(first, second, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome


def _without(rows: Iterable[OutboxRow], found: Iterable[tuple[OutboxRow, Receipt]]) -> list[OutboxRow]:
    keys = {row.tx.key for row, _ in found}
    return [row for row in rows if row.tx.key not in keys]


def _spending(rows: Sequence[OutboxRow]) -> dict[str, int]:
    """Return what each account is about to send, in wei."""
    spending: dict[str, int] = {}
    for row in rows:
        spending[row.tx.account] = spending.get(row.tx.account, 0) + row.tx.value
    return spending
