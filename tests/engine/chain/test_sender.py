"""The outbox and its sender against a real node: kills, reverts, forgotten blocks, other senders."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from engine.chain.errors import RpcError, WrongChainError
from engine.chain.sender import Sender
from engine.store.outbox import OutboxTx

pytestmark = pytest.mark.chain
ETHER = 10**18


def stake(chain, parts, account: int, key: str, wei: int = ETHER) -> None:
    call = chain.vault.stake()
    address = parts.wallet.address(account)
    with parts.store.transaction():
        parts.store.outbox.enqueue(OutboxTx(key, chain.book, address, call.to, call.data, wei, "stake"))


async def test_transactions_arrive_once_and_in_order(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        for number in range(30):
            stake(chain, parts, 1 + number % 3, f"stake:{number}")
            stake(chain, parts, 1 + number % 3, f"stake:{number}")
        await chain.drain()
        await chain.drain()
        assert parts.store.outbox.counts(chain.book) == {"mined": 30}
        for account in (1, 2, 3):
            assert (await chain.vault.account_of(parts.wallet.address(account))).active == 10 * ETHER


async def test_a_refusal_is_decoded_and_holds_nobody_up(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        stake(chain, parts, 1, "too small", wei=1)
        stake(chain, parts, 1, "fine")
        await chain.drain()
        failed = parts.store.outbox.get("too small")
        assert failed.state == "failed"
        assert "BelowMinimum" in failed.error
        assert "100000000000000000" in failed.error
        assert parts.store.outbox.get("fine").state == "mined"


async def test_a_transaction_that_builds_on_one_before_it_waits_for_it(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        stake(chain, parts, 1, "stake")
        call = chain.vault.request_unbond(ETHER)
        with parts.store.transaction():
            tx = OutboxTx("unbond", chain.book, parts.wallet.address(1), call.to, call.data, 0, "unbond")
            parts.store.outbox.enqueue(tx)
        await chain.drain()
        account = await chain.vault.account_of(parts.wallet.address(1))
        assert (account.active, account.pending) == (0, ETHER)


async def test_a_nonce_taken_by_another_program_is_signed_anew(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        stake(chain, parts, 1, "mine")
        address = parts.wallet.address(1)
        raw, digest = parts.wallet.sign_transaction(
            1,
            {"chainId": 31337, "nonce": 0, "to": address, "value": 1, "gas": 21000, "maxFeePerGas": 10**10,
             "maxPriorityFeePerGas": 1, "type": 2},
        )  # fmt: skip
        call = chain.vault.stake()
        signed, mine = parts.wallet.sign_transaction(
            1,
            {"chainId": 31337, "nonce": 0, "to": call.to, "data": call.data, "value": ETHER, "gas": 200_000,
             "maxFeePerGas": 10**10, "maxPriorityFeePerGas": 1, "type": 2},
        )  # fmt: skip
        with parts.store.transaction():
            parts.store.outbox.mark_signed("mine", 0, signed, mine)
        assert await chain.rpc.request("eth_sendRawTransaction", "0x" + raw.hex()) == digest
        await chain.drain()
        row = parts.store.outbox.get("mine")
        assert (row.state, row.nonce) == ("mined", 1)
        assert (await chain.vault.account_of(address)).active == ETHER


async def test_what_the_chain_forgot_is_sent_again(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        stake(chain, parts, 1, "kept")
        await chain.drain()
        snapshot = await chain.rpc.request("evm_snapshot")
        stake(chain, parts, 1, "forgotten")
        stake(chain, parts, 2, "forgotten too")
        await chain.drain()
        assert await chain.rpc.request("evm_revert", snapshot)
        assert (await chain.vault.account_of(parts.wallet.address(1))).active == ETHER
        await chain.drain()
        assert (await chain.vault.account_of(parts.wallet.address(1))).active == 2 * ETHER
        assert (await chain.vault.account_of(parts.wallet.address(2))).active == ETHER


async def test_what_the_chain_forgot_with_the_ether_for_it_is_sent_again(tmp_path, chain_at):
    """As a devnet that was killed: it comes back as it was before its accounts were filled."""
    async with chain_at(tmp_path) as (_, chain, parts):
        poor = parts.wallet.address(4)
        await chain.rpc.request("anvil_setBalance", poor, "0x0")
        snapshot = await chain.rpc.request("evm_snapshot")
        stake(chain, parts, 4, "first")
        stake(chain, parts, 4, "second")
        await chain.drain()
        assert await chain.rpc.request("evm_revert", snapshot)
        await chain.drain()
        assert (await chain.vault.account_of(poor)).active == 2 * ETHER


async def test_a_node_that_mines_nothing_keeps_them_and_a_dropped_one_is_sent_again(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        await chain.rpc.request("evm_setAutomine", False)
        stake(chain, parts, 1, "late")
        draining = asyncio.ensure_future(chain.drain())
        while parts.store.outbox.get("late").state != "sent":
            await asyncio.sleep(0.01)
        await chain.rpc.request("anvil_dropAllTransactions")
        await asyncio.sleep(0.3)
        await chain.rpc.request("evm_mine")
        await draining
        assert parts.store.outbox.get("late").state == "mined"
        assert (await chain.vault.account_of(parts.wallet.address(1))).active == ETHER


async def test_an_account_that_cannot_pay_is_told_and_nothing_is_lost(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        address = parts.wallet.address(1)
        await chain.rpc.request("anvil_setBalance", address, "0x0")
        stake(chain, parts, 1, "poor")
        elsewhere = Sender(chain.rpc, parts.store, parts.bus, parts.wallet, chain.book, parts.number_of)
        with pytest.raises(RpcError, match=r"(?i)insufficient|funds"):
            await elsewhere.drain()
        assert parts.store.outbox.get("poor").state == "queued"
        await chain.drain()
        assert parts.store.outbox.get("poor").state == "mined"


async def test_another_chain_is_refused(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        sender = Sender(chain.rpc, parts.store, parts.bus, parts.wallet, "1:0xabc", parts.number_of)
        with pytest.raises(WrongChainError, match="31337"):
            await sender.drain()


async def test_a_node_that_went_is_told_and_the_rest_follows_later(tmp_path, chain_at):
    async with chain_at(tmp_path) as (devnet, chain, parts):
        stake(chain, parts, 1, "before")
        await chain.drain()
        port = devnet.status.port
        await devnet.down()
        stake(chain, parts, 1, "after")
        with pytest.raises(RpcError, match="cannot be reached"):
            await chain.drain()
        await devnet.up(port=port)
        await chain.drain()
        assert (await chain.vault.account_of(parts.wallet.address(1))).active == 2 * ETHER


VICTIM = """
import asyncio, sys
from pathlib import Path
from engine.chain.session import Chain, Parts
from engine.chain.wallet import Wallet
from engine.core.bus import EventBus
from engine.store.database import Store
from engine.store.outbox import OutboxTx

async def main(path, url, count):
    wallet, store = Wallet.development(), Store.open(Path(path))
    numbers = {wallet.address(number): number for number in range(10)}
    chain = await Chain.connect(url, Parts(store, EventBus(), wallet, numbers.__getitem__))
    call = chain.vault.stake()
    print("ready", flush=True)
    for number in range(count):
        address = wallet.address(1 + number % 3)
        with store.transaction():
            store.outbox.enqueue(OutboxTx(f"s:{number}", chain.book, address, call.to, call.data, 10**18, "stake"))
        if number % 4 == 3:
            await chain.drain()
    await chain.drain()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@pytest.mark.slow
async def test_seeded_kills_between_writing_signing_sending_and_mining(tmp_path, chain_at):
    """Twenty kills -9 at random moments; at the end every transaction is on the chain exactly once."""
    count, dice = 40, random.Random(20261121)
    async with chain_at(tmp_path) as (devnet, chain, parts):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        arguments = [sys.executable, "-c", VICTIM, tmp_path / "store.db", devnet.status.url, str(count)]
        for _ in range(20):
            victim = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=environment)
            assert await asyncio.to_thread(victim.stdout.readline) == "ready\n"
            await asyncio.to_thread(time.sleep, dice.random() * 0.25)
            victim.send_signal(signal.SIGKILL)
            victim.wait()
            victim.stdout.close()
        last = await asyncio.create_subprocess_exec(*map(str, arguments), env=environment, stdout=subprocess.DEVNULL)
        assert await last.wait() == 0
        await chain.drain()
        assert parts.store.outbox.counts(chain.book) == {"mined": count}
        assert (await chain.vault.totals()).active == count * ETHER
