from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.chain.anvil import Devnet
from engine.chain.session import Chain, Parts
from engine.chain.wallet import Wallet
from engine.core.bus import EventBus
from engine.store.database import Store


@asynccontextmanager
async def devnet_at(folder: Path) -> AsyncIterator[Devnet]:
    folder.mkdir(parents=True, exist_ok=True)
    devnet = Devnet(folder, EventBus())
    try:
        yield devnet
    finally:
        await devnet.down()
        await devnet.close()


def parts_at(path: Path) -> Parts:
    wallet = Wallet.development()
    numbers = {wallet.address(number): number for number in range(10)}
    return Parts(Store.open(path), EventBus(), wallet, numbers.__getitem__)


@asynccontextmanager
async def chain_at(folder: Path) -> AsyncIterator[tuple[Devnet, Chain, Parts]]:
    parts = parts_at(folder / "store.db")
    async with devnet_at(folder / "node") as devnet:
        status = await devnet.up()
        chain = await Chain.connect(status.url, parts)
        try:
            yield devnet, chain, parts
        finally:
            await chain.close()
            parts.store.close()


@pytest.fixture
def wallet() -> Wallet:
    return Wallet.development()


@pytest.fixture(name="devnet_at")
def _devnet_at():
    return devnet_at


@pytest.fixture(name="chain_at")
def _chain_at():
    return chain_at
