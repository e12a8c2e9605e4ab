"""Killed exactly between two steps of a transaction's way, and between two contracts: nothing lost, nothing twice."""

import asyncio
import os
import signal
import sys

import pytest

from engine.chain.session import Chain
from engine.store.outbox import OutboxTx

pytestmark = pytest.mark.chain
ETHER = 10**18
COUNT = 6

VICTIM = """
import asyncio, os, signal, sys
from pathlib import Path
from engine.chain.deploy import Deployer
from engine.chain.sender import Sender
from engine.chain.session import Chain, Parts
from engine.chain.wallet import Wallet
from engine.core.bus import EventBus
from engine.store.database import Store
from engine.store.outbox import Outbox

where, skip = sys.argv[3], int(sys.argv[4])
owner = {"Outbox": Outbox, "Sender": Sender, "Deployer": Deployer}[where.split(".")[0]]
name = where.split(".")[1]
real, left = getattr(owner, name), [skip]

def killed(*arguments, **named):
    if left[0] == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return real(*arguments, **named)

setattr(owner, name, killed)

async def main(path, url):
    wallet, store = Wallet.development(), Store.open(Path(path))
    numbers = {wallet.address(number): number for number in range(10)}
    chain = await Chain.connect(url, Parts(store, EventBus(), wallet, numbers.__getitem__))
    await chain.drain()

asyncio.run(main(sys.argv[1], sys.argv[2]))
"""


async def run_victim(parts, url: str, where: str, skip: int) -> int:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    victim = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", VICTIM, str(parts.store.path), url, where, str(skip)), env=environment
    )
    return await victim.wait()


@pytest.mark.parametrize(
    ("where", "skip"),
    [
        ("Sender._sign", 0),  # written, nothing signed
        ("Outbox.mark_signed", 3),  # some signed, none of it committed
        ("Sender._broadcast", 0),  # signed, nothing sent
        ("Outbox.mark_sent", 0),  # sent, not noted
        ("Sender._collect", 0),  # sent and noted
        ("Outbox.mark_mined", 2),  # mined, noted by half in an open transaction
        ("Sender._publish", COUNT + 1),  # mined and noted
    ],
)
async def test_a_kill_between_two_steps(tmp_path, chain_at, where, skip):
    async with chain_at(tmp_path) as (_, chain, parts):
        call = chain.vault.stake()
        with parts.store.transaction():
            for number in range(COUNT):
                account = parts.wallet.address(1 + number % 2)
                parts.store.outbox.enqueue(
                    OutboxTx(f"s:{number}", chain.book, account, call.to, call.data, ETHER, "stake")
                )
        assert await run_victim(parts, chain.url, where, skip) == -signal.SIGKILL
        await chain.drain()
        assert parts.store.outbox.counts(chain.book) == {"mined": COUNT}
        assert (await chain.vault.totals()).active == COUNT * ETHER
        for number in (1, 2):
            address = parts.wallet.address(number)
            assert await chain.rpc.number("eth_getTransactionCount", address, "latest") == COUNT // 2


@pytest.mark.parametrize("skip", [1, 2, 7])
async def test_a_kill_between_two_contracts(tmp_path, chain_at, skip):
    async with chain_at(tmp_path) as (_, chain, parts):
        await chain.rpc.request("anvil_setCode", chain.vault.address, "0x")  # so that it has to be deployed anew
        assert await run_victim(parts, chain.url, "Deployer._send", skip) == -signal.SIGKILL
        again = await Chain.connect(chain.url, parts)
        call = again.vault.stake()
        with parts.store.transaction():
            address = parts.wallet.address(1)
            parts.store.outbox.enqueue(OutboxTx("s", again.book, address, call.to, call.data, ETHER, "stake"))
        await again.drain()
        assert (await again.vault.account_of(address)).active == ETHER
        await again.close()
