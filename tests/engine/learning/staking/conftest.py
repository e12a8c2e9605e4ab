from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.chain.anvil import Devnet
from engine.chain.session import Chain, Parts
from engine.chain.wallet import OPERATOR, Wallet
from engine.core.bus import EventBus
from engine.learning.config import LearnConfig
from engine.learning.genesis import genesis
from engine.learning.staking.accounts import number_of
from engine.learning.staking.mirror import StakingMirror
from engine.store.database import Store


def parts_at(path: Path) -> Parts:
    """As the runtime wires it: validators' numbers come from the store."""
    wallet, store = Wallet.development(), Store.open(path)
    operator = wallet.address(OPERATOR)

    def number(address: str) -> int:
        found = OPERATOR if address == operator else number_of(store.db, address)
        assert found is not None, f"no number for {address}"
        return found

    return Parts(store, EventBus(), wallet, number)


def mirror_of(chain: Chain, parts: Parts, run: int = 1, **settings: object) -> StakingMirror:
    config = LearnConfig(**{"validators": 4, **settings})
    return StakingMirror(chain, parts.store, run, config, genesis(config).root)


@asynccontextmanager
async def staking_at(folder: Path) -> AsyncIterator[tuple[Devnet, Chain, Parts]]:
    (folder / "node").mkdir(parents=True, exist_ok=True)
    parts = parts_at(folder / "store.db")
    devnet = Devnet(folder / "node", EventBus())
    try:
        status = await devnet.up()
        assert status.url is not None
        chain = await Chain.connect(status.url, parts)
        try:
            yield devnet, chain, parts
        finally:
            await chain.close()
    finally:
        await devnet.down()
        await devnet.close()
        parts.store.close()


@pytest.fixture(name="staking_at")
def _staking_at():
    return staking_at


@pytest.fixture(name="parts_at")
def _parts_at():
    return parts_at


@pytest.fixture(name="mirror_of")
def _mirror_of():
    return mirror_of
