"""The outbox where it hurts: many rows, several programs, blocks and contracts that are gone, every mining mode."""

import asyncio

import pytest
from eth_utils.address import to_checksum_address
from filelock import FileLock

from engine.chain.control import INTERVAL, MANUAL
from engine.chain.errors import WrongChainError
from engine.chain.events import TransactionMoved
from engine.chain.rpc import hex_data
from engine.chain.session import Chain
from engine.core.hashing import keccak
from engine.store.errors import StoreBusyError, StoreError
from engine.store.outbox import OutboxTx

pytestmark = pytest.mark.chain
ETHER = 10**18
SENDER = 5


def receiver(key: str) -> str:
    """An account that gets nothing else, so that its balance tells how often it was paid."""
    return to_checksum_address(keccak(key.encode())[:20])


def pay(chain, parts, *keys: str, wei: int = 1) -> None:
    with parts.store.transaction():
        for key in keys:
            parts.store.outbox.enqueue(
                OutboxTx(key, chain.book, parts.wallet.address(SENDER), receiver(key), b"", wei, "pay")
            )


def send(chain, parts, key: str, call, wei: int = 0) -> None:
    with parts.store.transaction():
        tx = OutboxTx(key, chain.book, parts.wallet.address(SENDER), call.to, call.data, wei, "call")
        parts.store.outbox.enqueue(tx)


async def received(chain, keys) -> list[int]:
    answers = await chain.rpc.batch([("eth_getBalance", [receiver(key), "latest"]) for key in keys])
    return [int(answer["result"], 16) for answer in answers]


async def nonce_of_sender(chain, parts) -> int:
    return await chain.rpc.number("eth_getTransactionCount", parts.wallet.address(SENDER), "latest")


async def test_several_batches_keep_their_order_and_tell_their_progress(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        told, progress, keys = [], [], [f"k{n}" for n in range(250)]
        parts.bus.subscribe(told.append, TransactionMoved)
        pay(chain, parts, *keys)
        await chain.drain(lambda done, total: progress.append((done, total)))
        assert await received(chain, keys) == [1] * 250
        rows = [parts.store.outbox.get(key) for key in keys]
        assert [row.nonce for row in rows] == list(range(250))
        assert {(row.state, row.gas_used) for row in rows} == {("mined", 21_000)}
        assert progress == sorted(progress) and progress[-1] == (250, 250)
        mine = [event for event in told if event.key == "k7"]
        assert [event.state for event in mine] == ["sent", "mined"] and mine[1].block == rows[7].block


async def test_a_row_that_reverts_in_its_block_names_the_call_and_the_error(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        send(chain, parts, "stake", chain.vault.stake(), ETHER)
        await chain.drain()
        # Both can be estimated, but the first to be mined leaves nothing for the second.
        send(chain, parts, "first", chain.vault.request_unbond(ETHER))
        send(chain, parts, "second", chain.vault.request_unbond(ETHER))
        pay(chain, parts, "after")
        await chain.drain()
        second = parts.store.outbox.get("second")
        assert parts.store.outbox.get("first").state == "mined"
        assert second.state == "failed" and second.block is not None and second.nonce == 2
        assert "StakeVault.InsufficientStake(" in second.error and "StakeVault.requestUnbond(" in second.error
        assert await received(chain, ["after"]) == [1]


async def test_bytes_sent_just_before_a_kill_are_recognised(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        pay(chain, parts, "once", wei=7)
        fields = {"chainId": 31337, "nonce": 0, "to": receiver("once"), "value": 7, "gas": 21_000, "type": 2}
        fees = {"maxFeePerGas": 4 * 10**9, "maxPriorityFeePerGas": 10**9}
        raw, digest = parts.wallet.sign_transaction(SENDER, {**fields, **fees})
        with parts.store.transaction():
            parts.store.outbox.mark_signed("once", 0, raw, digest)
        await chain.rpc.request("eth_sendRawTransaction", hex_data(raw))
        await chain.drain()
        row = parts.store.outbox.get("once")
        assert (row.state, row.hash) == ("mined", digest)
        assert await received(chain, ["once"]) == [7]


@pytest.mark.parametrize("mode", [MANUAL, INTERVAL])
async def test_drains_in_every_mining_mode_and_leaves_it_as_it_is(tmp_path, chain_at, mode):
    async with chain_at(tmp_path) as (_, chain, parts):
        await chain.control.set_mining(mode, 1)
        expected = (mode, 1 if mode == INTERVAL else 0)
        assert await chain.control.mining() == expected
        pay(chain, parts, "a", "b", "c")
        await chain.drain()
        assert await received(chain, ["a", "b", "c"]) == [1, 1, 1]
        assert await chain.control.mining() == expected


async def test_forgotten_rows_are_sent_again_reverted_ones_and_more_than_a_batch(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        send(chain, parts, "stake", chain.vault.stake(), ETHER)
        await chain.drain()
        snapshot = await chain.control.snapshot()
        send(chain, parts, "first", chain.vault.request_unbond(ETHER))
        send(chain, parts, "reverts", chain.vault.request_unbond(ETHER))
        keys = [f"k{n}" for n in range(150)]
        pay(chain, parts, *keys)
        await chain.drain()
        assert await nonce_of_sender(chain, parts) == 153
        await chain.control.revert(snapshot)
        assert await nonce_of_sender(chain, parts) == 1
        await chain.drain()
        assert await received(chain, keys) == [1] * 150
        assert [parts.store.outbox.get(key).state for key in ("first", "reverts", "k149")] == [
            "mined", "failed", "mined",
        ]  # fmt: skip
        assert await nonce_of_sender(chain, parts) == 153


async def test_nothing_is_sent_to_a_chain_that_lost_its_contracts(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        send(chain, parts, "stake", chain.vault.stake(), ETHER)
        assert await chain.alive()
        await chain.rpc.request("anvil_setCode", chain.vault.address, "0x")
        assert not await chain.alive()
        with pytest.raises(WrongChainError, match="not on this chain"):
            await chain.drain()
        assert parts.store.outbox.get("stake").state == "queued"
        again = await Chain.connect(chain.url, parts)
        assert again.book != chain.book and again.vault.address != chain.vault.address
        await again.close()


async def test_a_restarted_program_finds_its_contracts_and_a_new_chain_gets_new_ones(tmp_path, chain_at):
    async with chain_at(tmp_path) as (devnet, chain, parts):
        again = await Chain.connect(chain.url, parts)
        await again.close()
        assert again.deployment == chain.deployment
        await devnet.down()
        for file in devnet.folder.glob("state*.json"):
            file.unlink()
        fresh = await Chain.connect((await devnet.up()).url, parts)
        await fresh.close()
        assert fresh.book != chain.book


async def test_two_programs_draining_at_once_send_everything_once(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        other, keys = await Chain.connect(chain.url, parts), [f"k{n}" for n in range(120)]
        try:
            pay(chain, parts, *keys, wei=2)
            await asyncio.gather(chain.drain(), other.drain())
            assert await received(chain, keys) == [2] * 120
        finally:
            await other.close()


async def test_a_program_that_never_ends_sending_is_told(tmp_path, chain_at, monkeypatch):
    monkeypatch.setattr("engine.chain.sender.LOCK_PATIENCE", 0.2)
    async with chain_at(tmp_path) as (_, chain, parts):
        with FileLock(parts.store.path.with_name("outbox.lock")):
            with pytest.raises(StoreBusyError, match="Another Nashboard"):
                await chain.drain()
        await chain.drain()


async def test_a_signed_row_is_never_signed_over(tmp_path, chain_at):
    async with chain_at(tmp_path) as (_, chain, parts):
        pay(chain, parts, "k")
        parts.store.outbox.mark_signed("k", 0, b"a", "0xa")
        with pytest.raises(StoreError, match="not queued"):
            parts.store.outbox.mark_signed("k", 1, b"b", "0xb")
        assert parts.store.outbox.get("k").hash == "0xa"
