"""The sender: brings the outbox to the chain, exactly once each, whatever is killed meanwhile.

1. What was mined is looked up again when the chain may have lost blocks. 2. Queued rows get their nonces here and
nowhere else, and the signed bytes are stored. 3. They are broadcast in batches; the same bytes sent twice are one
transaction. 4. Receipts settle the rows; a row whose nonce another transaction took is signed anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from filelock import FileLock, Timeout

from engine.chain.abi import explain_revert
from engine.chain.control import NodeControl
from engine.chain.errors import RpcError, WrongChainError
from engine.chain.events import TransactionMoved
from engine.chain.explorer import why_reverted
from engine.chain.rpc import Request, Rpc, error_text, hex_data, revert_data
from engine.chain.wallet import Wallet
from engine.core.bus import EventBus
from engine.store.database import Store
from engine.store.errors import StoreBusyError
from engine.store.outbox import Inclusion, OutboxRow

BATCH = 100
POLL = 0.05
NUDGE = 0.3  # seconds without a new block before a development node is told to mine
RECEIPT_DELAY = 0.5  # seconds
PATIENCE = 60.0  # seconds without any progress before the operator is told
LOCK_PATIENCE = 30.0
_GAS_FACTOR = 2  # what is not used costs nothing, and an earlier row may make a later one dearer than estimated
_FEE_FACTOR = 20  # the base fee may rise by an eighth a block while signed bytes wait
_SENT_BEFORE = ("already known", "already imported", "known transaction")
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
        self._wallet = wallet
        self._book = book
        self._chain_id = int(book.split(":", 1)[0])
        self._number_of = number_of
        self._control = control
        self._turn = asyncio.Lock()
        self._nonces: dict[str, int] = {}
        self._gas_limit = 0

    async def drain(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Bring all open rows to their end. Raises RpcError or WrongChainError; then nothing is lost: drain again."""
        async with self._turn, self._alone():
            await self._check_chain()
            await self._recover_forgotten()
            await self._fill_gaps()
            self._nonces.clear()
            outbox = self._store.outbox
            left = total = outbox.open_count(self._book)
            waited = 0.0
            while rows := outbox.open(self._book, BATCH):
                await self._advance(rows)
                before, left = left, outbox.open_count(self._book)
                if progress is not None:
                    progress(total - left, total)
                waited = 0.0 if left != before else waited + POLL
                if left and waited:
                    await self._wait(waited, left)

    async def _wait(self, waited: float, left: int) -> None:
        if waited > PATIENCE:
            raise RpcError(
                "The chain does not mine the transactions sent", f"{left} wait", "Check the node's mining mode."
            )
        if self._control is not None and waited > NUDGE:
            await self._control.nudge()
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

    async def _check_chain(self) -> None:
        found = await self._rpc.chain_id()
        if found != self._chain_id:
            raise WrongChainError("The node is another chain", f"its id is {found}, expected {self._chain_id}")
        block = await self._rpc.request("eth_getBlockByNumber", "latest", False)
        self._gas_limit = int(block["gasLimit"], 16)

    async def _advance(self, rows: Sequence[OutboxRow]) -> None:
        if self._control is not None:
            await self._control.cover(_spending(rows))
        await self._sign([row for row in rows if row.state == "queued"])
        rows = [row for row in self._store.outbox.open(self._book, BATCH) if row.state in ("signed", "sent")]
        await self._broadcast(rows)
        await self._collect(rows)

    async def _recover_forgotten(self) -> None:
        """Send again what the store knows as mined and the chain does not: it came back from an older state.

        Newest first, until a whole batch is still there.
        """
        lost: list[OutboxRow] = []
        while rows := self._store.outbox.placed(self._book, BATCH, len(lost)):
            receipts = await self._receipts(rows)
            gone = [row for row, receipt in zip(rows, receipts, strict=True) if receipt is None]
            lost += gone
            if len(gone) < len(rows):
                break
        if not lost:
            return
        _log.info("the chain forgot %d transactions; sending them again", len(lost))
        with self._store.transaction():
            for row in lost:
                self._store.outbox.reopen(row.tx.key)

    async def _fill_gaps(self) -> None:
        """Use up nonces that nobody holds below ones that signed rows hold, by sending nothing to oneself.

        They come about when a chain forgets a transaction that had failed and was signed anew since.
        """
        held = self._store.outbox.held_nonces(self._book)
        answers = await self._rpc.batch([("eth_getTransactionCount", [account, "latest"]) for account in held])
        fee = await self._rpc.number("eth_gasPrice") if held else 0
        for (account, nonces), answer in zip(held.items(), answers, strict=True):
            for nonce in sorted(set(range(int(answer["result"], 16), max(nonces))) - nonces):
                _log.info("filling the nonce %d of %s", nonce, account)
                fields = {"to": account, "data": b"", "value": 0, "gas": 21_000}
                raw, _ = self._sign_fields(account, nonce, fee, fields)
                await self._rpc.batch([("eth_sendRawTransaction", [hex_data(raw)])])

    async def _sign(self, rows: Sequence[OutboxRow]) -> None:
        if not rows:
            return
        await self._load_nonces({row.tx.account for row in rows})
        fee = await self._rpc.number("eth_gasPrice")
        estimates = await self._rpc.batch([("eth_estimateGas", [_request(row)]) for row in rows])
        signed: list[tuple[str, int, bytes, str]] = []
        # Later rows may build on earlier ones that are not mined yet: sign up to the first that cannot be estimated.
        for row, answer in zip(rows, estimates, strict=True):
            error = answer.get("error")
            if error is not None:
                if not signed and not self._others_pending():
                    self._refuse(row, error)
                break
            signed.append((row.tx.key, *self._signed(row, int(answer["result"], 16), fee)))
            await asyncio.sleep(0)  # a signature takes milliseconds: let the loop's other work in
        with self._store.transaction():
            for key, nonce, raw, digest in signed:
                self._store.outbox.mark_signed(key, nonce, raw, digest)

    def _others_pending(self) -> bool:
        return self._store.outbox.in_flight(self._book)

    def _refuse(self, row: OutboxRow, error: Any) -> None:
        """Fail a row that its contract refuses; whatever else the node says may pass, so the row stays."""
        data = revert_data(error)
        if data is None:
            raise RpcError(
                f"The node refuses to {row.tx.purpose}",
                error_text(error),
                "Nothing is lost: mend the cause, then resume.",
            )
        with self._store.transaction():
            self._store.outbox.mark_failed(row.tx.key, explain_revert(data)[0])
        self._publish(row.tx.key)

    def _signed(self, row: OutboxRow, gas: int, fee: int) -> tuple[int, bytes, str]:
        """Return the nonce, the signed bytes and the hash; the nonce counts as given."""
        nonce = self._nonces[row.tx.account]
        limit = min(gas * _GAS_FACTOR, self._gas_limit)
        fields = {"to": row.tx.to, "data": row.tx.data, "value": row.tx.value, "gas": limit}
        raw, digest = self._sign_fields(row.tx.account, nonce, fee, fields)
        self._nonces[row.tx.account] = nonce + 1
        return nonce, raw, digest

    def _sign_fields(self, account: str, nonce: int, fee: int, fields: dict[str, Any]) -> tuple[bytes, str]:
        common = {
            "chainId": self._chain_id,
            "nonce": nonce,
            "maxFeePerGas": fee * _FEE_FACTOR,
            "maxPriorityFeePerGas": min(fee, 10**9),
            "type": 2,
        }
        return self._wallet.sign_transaction(self._number_of(account), {**fields, **common})

    async def _load_nonces(self, accounts: set[str]) -> None:
        fresh = sorted(accounts - self._nonces.keys())
        answers = await self._rpc.batch([("eth_getTransactionCount", [account, "pending"]) for account in fresh])
        for account, answer in zip(fresh, answers, strict=True):
            chain = int(answer["result"], 16)
            self._nonces[account] = max(chain, self._store.outbox.held_nonce(self._book, account) + 1)

    async def _broadcast(self, rows: Sequence[OutboxRow]) -> None:
        ready = [row for row in rows if row.state == "signed" and row.raw is not None]
        answers = await self._rpc.batch([("eth_sendRawTransaction", [hex_data(row.raw or b"")]) for row in ready])
        sent = []
        for row, answer in zip(ready, answers, strict=True):
            error = answer.get("error")
            text = error_text(error).lower() if error else ""
            if error is None or any(phrase in text for phrase in _SENT_BEFORE):
                sent.append(row)
            elif "underpriced" in text:
                _log.info("%s waits: another transaction in the pool holds its nonce", row.tx.key)
            elif "nonce" in text:
                await self._resolve_nonce(row)
            else:
                raise RpcError(
                    f"The node refuses to {row.tx.purpose}", text, "Nothing is lost: mend the cause, then resume."
                )
        with self._store.transaction():
            self._store.outbox.mark_sent([row.tx.key for row in sent])
        for row in sent:
            self._publish(row.tx.key)

    async def _resolve_nonce(self, row: OutboxRow) -> None:
        """The nonce is used up: by this very transaction, which is well, or by another one: sign anew."""
        (receipt,) = await self._receipts([row])
        if receipt is None:
            # A node may count a block's nonces a moment before it shows the receipts; signing anew would pay twice.
            await asyncio.sleep(RECEIPT_DELAY)
            (receipt,) = await self._receipts([row])
        if receipt is not None:
            await self._settle([(row, receipt)])
            return
        self._nonces.clear()
        with self._store.transaction():
            self._store.outbox.requeue(row.tx.key)

    async def _collect(self, rows: Sequence[OutboxRow]) -> None:
        waiting = [row for row in rows if self._store.outbox.state(row.tx.key) == "sent"]
        pairs = list(zip(waiting, await self._receipts(waiting), strict=True))
        await self._settle([(row, receipt) for row, receipt in pairs if receipt is not None])
        await self._send_dropped_again([row for row, receipt in pairs if receipt is None])

    async def _send_dropped_again(self, rows: Sequence[OutboxRow]) -> None:
        """A node that restarted has an empty pool: what it does not know is broadcast again."""
        answers = await self._rpc.batch([("eth_getTransactionByHash", [row.hash]) for row in rows])
        dropped = [row for row, answer in zip(rows, answers, strict=True) if answer.get("result") is None]
        if dropped:
            with self._store.transaction():
                for row in dropped:
                    self._store.outbox.reopen(row.tx.key)

    async def _receipts(self, rows: Sequence[OutboxRow]) -> list[dict[str, Any] | None]:
        requests: list[Request] = [("eth_getTransactionReceipt", [row.hash]) for row in rows]
        return [answer.get("result") for answer in await self._rpc.batch(requests)]

    async def _settle(self, mined: Sequence[tuple[OutboxRow, dict[str, Any]]]) -> None:
        """Write what became of transactions that stand in blocks, all at once: a commit costs a write to the disk."""
        outcomes = []
        for row, receipt in mined:
            where = Inclusion(int(receipt["blockNumber"], 16), receipt["blockHash"], int(receipt["gasUsed"], 16))
            reason = None if int(receipt["status"], 16) == 1 else await self._why(row, where.block)
            outcomes.append((row.tx.key, where, reason))
        with self._store.transaction():
            for key, where, reason in outcomes:
                if reason is None:
                    self._store.outbox.mark_mined(key, where)
                else:
                    self._store.outbox.mark_failed(key, reason, where)
        for key, _, _ in outcomes:
            self._publish(key)

    async def _why(self, row: OutboxRow, block: int) -> str:
        """Return why a mined transaction reverted: from its trace, or by calling it again on the block before."""
        try:
            return await why_reverted(self._rpc, str(row.hash))
        except RpcError:  # a node without the debug methods
            (answer,) = await self._rpc.batch([("eth_call", [_request(row), hex(block - 1)])])
            data = revert_data(answer.get("error"))
            return explain_revert(data)[0] if data is not None else "reverted; the call alone does not revert"

    def _publish(self, key: str) -> None:
        row = self._store.outbox.get(key)
        assert row is not None
        self._bus.publish(
            TransactionMoved(key, row.tx.purpose, row.state, row.hash or "", row.block, row.gas_used, row.error)
        )


def _request(row: OutboxRow) -> dict[str, Any]:
    request = {"from": row.tx.account, "data": hex_data(row.tx.data), "value": hex(row.tx.value)}
    return {**request, "to": row.tx.to} if row.tx.to else request


def _spending(rows: Sequence[OutboxRow]) -> dict[str, int]:
    """Return what each account is about to send, in wei."""
    spending: dict[str, int] = {}
    for row in rows:
        spending[row.tx.account] = spending.get(row.tx.account, 0) + row.tx.value
    return spending
