"""A sender on a node of its own, without contracts: for faults of the node and of the way to it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from eth_utils.address import to_checksum_address

from engine.chain.anvil import Devnet
from engine.chain.control import NodeControl
from engine.chain.rpc import Rpc
from engine.chain.sender import Sender
from engine.chain.wallet import Wallet
from engine.core.bus import EventBus
from engine.core.hashing import keccak
from engine.store.database import Store
from engine.store.outbox import OutboxRow, OutboxTx

PAYER = 5
BOOK = "31337:faults"
GATE = "0x00000000000000000000000000000000000000fe"
# Stops when its argument, a time, has not passed; else reverts with Error("late").
_LATE = bytes.fromhex("08c379a0") + (32).to_bytes(32) + (4).to_bytes(32) + b"late".ljust(32, b"\0")
GATE_CODE = bytes.fromhex("5f35421160085700" "5b60646013" "5f396064" "5ffd") + _LATE  # fmt: skip


def receiver(key: str) -> str:
    """An account that gets nothing else, so that its balance tells how often it was paid."""
    return to_checksum_address(keccak(key.encode())[:20])


class Desk:
    """The parts, and short words for what the tests do with them."""

    def __init__(self, devnet: Devnet, store: Store, rpc: Rpc) -> None:
        self.devnet, self.store, self.rpc = devnet, store, rpc
        self.control = NodeControl(rpc)
        self.bus, self.wallet = EventBus(), Wallet.development()
        self.payer = self.wallet.address(PAYER)
        self.numbers = {self.wallet.address(number): number for number in range(10)}
        self.sender = self.sender_by(rpc, self.control)

    def sender_by(self, rpc: Rpc, control: NodeControl | None = None) -> Sender:
        return Sender(rpc, self.store, self.bus, self.wallet, BOOK, self.numbers.__getitem__, control)

    def pay(self, *keys: str, wei: int = 1, payer: int = PAYER) -> None:
        self.queue(*(OutboxTx(key, BOOK, self.wallet.address(payer), receiver(key), b"", wei, "pay") for key in keys))

    def pass_gate(self, key: str, before: int) -> None:
        self.queue(OutboxTx(key, BOOK, self.payer, to_checksum_address(GATE), before.to_bytes(32), 0, "pass"))

    def queue(self, *txs: OutboxTx) -> None:
        with self.store.transaction():
            for tx in txs:
                self.store.outbox.enqueue(tx)

    def row(self, key: str) -> OutboxRow:
        row = self.store.outbox.get(key)
        assert row is not None
        return row

    async def until(self, key: str, state: str) -> OutboxRow:
        async with asyncio.timeout(60):
            while self.row(key).state != state:
                await asyncio.sleep(0.005)
        return self.row(key)

    async def received(self, *keys: str) -> list[int]:
        return await self.rpc.numbers([("eth_getBalance", [receiver(key), "latest"]) for key in keys])

    async def nonce(self) -> int:
        return await self.rpc.number("eth_getTransactionCount", self.payer, "latest")

    async def now(self) -> int:
        return int((await self.rpc.request("eth_getBlockByNumber", "latest", False))["timestamp"], 16)

    async def foreign(self, nonce: int, to: str, wei: int, fee: int) -> str:
        """Send from the payer's account as another program would."""
        fields = {"chainId": 31337, "nonce": nonce, "to": to, "value": wei, "gas": 21_000, "type": 2}
        fees = {"maxFeePerGas": fee, "maxPriorityFeePerGas": fee}
        raw, digest = self.wallet.sign_transaction(PAYER, {**fields, **fees})
        await self.rpc.request("eth_sendRawTransaction", "0x" + raw.hex())
        return digest


@asynccontextmanager
async def desk_at(folder: Path) -> AsyncIterator[Desk]:
    (folder / "node").mkdir(parents=True)
    devnet, store = Devnet(folder / "node", EventBus()), Store.open(folder / "store.db")
    status = await devnet.up()
    assert status.url is not None
    rpc = Rpc(status.url)
    try:
        yield Desk(devnet, store, rpc)
    finally:
        await rpc.close()
        await devnet.down()
        await devnet.close()
        store.close()
