"""What can go wrong with a transaction: refused, late, dropped, replaced, too cheap, unpaid. Nothing lost or twice."""

import asyncio

import pytest

from engine.chain.control import MANUAL
from engine.chain.errors import RpcError, UnfundedError
from engine.chain.rpc import hex_data
from tests.engine.chain.desk import GATE, GATE_CODE, PAYER, desk_at, receiver

pytestmark = pytest.mark.chain
ETHER = 10**18
GWEI = 10**9


async def test_refused_and_late_transactions_say_so_and_hold_nobody_up(tmp_path):
    async with desk_at(tmp_path) as desk:
        await desk.rpc.request("anvil_setCode", GATE, hex_data(GATE_CODE))
        now = await desk.now()
        await desk.control.set_mining(MANUAL)
        desk.pay("a")
        desk.pass_gate("in time", now + 1000)
        desk.pass_gate("late", now + 100)
        desk.pay("b")
        draining = asyncio.ensure_future(desk.sender_by(desk.rpc).drain())
        await desk.until("b", "sent")  # both gates could be estimated
        await desk.control.warp(500)
        await draining
        desk.pass_gate("never", now + 100)
        desk.pay("c")
        await desk.sender.drain()
        assert [desk.row(key).state for key in ("a", "in time", "late", "b", "never", "c")] == [
            "mined", "mined", "failed", "mined", "failed", "mined",
        ]  # fmt: skip
        assert "late" in desk.row("late").error and desk.row("late").block is not None
        assert "late" in desk.row("never").error and desk.row("never").block is None
        assert await desk.received("a", "b", "c") == [1, 1, 1]
        assert await desk.nonce() == 5


async def test_a_transaction_that_the_node_dropped_is_sent_again(tmp_path):
    async with desk_at(tmp_path) as desk:
        await desk.control.set_mining(MANUAL)
        desk.pay("kept", "dropped", "after")
        draining = asyncio.ensure_future(desk.sender_by(desk.rpc).drain())
        row = await desk.until("after", "sent")
        row = desk.row("dropped")
        assert await desk.rpc.request("anvil_dropTransaction", row.hash) == row.hash
        async with asyncio.timeout(60):
            while await desk.rpc.request("eth_getTransactionByHash", row.hash) is None:
                await asyncio.sleep(0.02)
        await desk.control.mine()
        await draining
        assert desk.row("dropped").hash == row.hash
        assert await desk.received("kept", "dropped", "after") == [1, 1, 1]
        assert await desk.nonce() == 3


async def test_a_transaction_that_another_program_replaced_gets_a_new_nonce(tmp_path):
    async with desk_at(tmp_path) as desk:
        await desk.control.set_mining(MANUAL)
        desk.pay("ours", "next", wei=3)
        draining = asyncio.ensure_future(desk.sender_by(desk.rpc).drain())
        await desk.until("next", "sent")
        first = desk.row("ours")
        await desk.foreign(first.nonce, receiver("theirs"), 8, 900 * GWEI)
        await desk.control.mine()
        again = await desk.until("ours", "sent")
        while again.hash == first.hash:
            await asyncio.sleep(0.01)
            again = desk.row("ours")
        await desk.until("ours", "sent")
        await desk.control.mine()
        await draining
        assert desk.row("ours").nonce == 2
        assert await desk.received("theirs", "ours", "next") == [8, 3, 3]


async def test_rising_fees_leave_nothing_stuck(tmp_path):
    async with desk_at(tmp_path) as desk:
        await desk.control.set_mining(MANUAL)
        desk.pay("a", "b", wei=2)
        draining = asyncio.ensure_future(desk.sender_by(desk.rpc).drain())
        await desk.until("b", "sent")
        cheap = desk.row("a")
        await desk.rpc.request("anvil_setNextBlockBaseFeePerGas", hex(5000 * GWEI))
        await desk.control.mine()
        async with asyncio.timeout(60):
            while desk.row("b").hash == cheap.hash or not desk.row("b").replaced or desk.row("b").state != "sent":
                await asyncio.sleep(0.01)
        await desk.control.mine()
        await draining
        assert desk.row("a").nonce == cheap.nonce and desk.row("a").hash != cheap.hash
        assert await desk.received("a", "b") == [2, 2]
        assert await desk.nonce() == 2


async def test_fees_that_rose_before_the_broadcast(tmp_path):
    async with desk_at(tmp_path) as desk:
        desk.pay("a")
        fields = {"chainId": 31337, "nonce": 0, "to": receiver("a"), "value": 1, "gas": 21_000, "type": 2}
        raw, digest = desk.wallet.sign_transaction(PAYER, {**fields, "maxFeePerGas": 7, "maxPriorityFeePerGas": 7})
        with desk.store.transaction():
            desk.store.outbox.mark_signed("a", 0, raw, digest)
        await desk.sender_by(desk.rpc).drain()
        assert desk.row("a").state == "mined" and desk.row("a").replaced == (digest,)
        assert await desk.received("a") == [1]


async def test_the_cheaper_of_two_is_mined_after_all_and_found_again_when_the_chain_forgets_it(tmp_path):
    async with desk_at(tmp_path) as desk:
        snapshot = await desk.control.snapshot()
        desk.pay("a", wei=6)
        old = await desk.foreign(0, receiver("a"), 6, 10 * GWEI)
        fields = {"chainId": 31337, "nonce": 0, "to": receiver("a"), "value": 6, "gas": 21_000, "type": 2}
        dearer = {**fields, "maxFeePerGas": 20 * GWEI, "maxPriorityFeePerGas": 20 * GWEI}
        raw, digest = desk.wallet.sign_transaction(PAYER, dearer)
        with desk.store.transaction():
            desk.store.outbox.mark_signed("a", 0, b"cheap", old)
            desk.store.outbox.mark_replaced(desk.row("a"), raw, digest)
        await desk.sender.drain()
        row = desk.row("a")
        assert (row.state, row.hash, row.replaced) == ("mined", old, (digest,))
        assert await desk.rpc.request("evm_revert", snapshot)
        await desk.sender.drain()
        assert (desk.row("a").state, desk.row("a").hash) == ("mined", digest)
        assert await desk.received("a") == [6]


async def test_an_empty_account_is_told_what_is_missing_and_goes_on_when_it_has_that(tmp_path):
    async with desk_at(tmp_path) as desk:
        await desk.rpc.request("anvil_setBalance", desk.payer, hex(10**12))
        sender = desk.sender_by(desk.rpc)
        desk.pay("dear", wei=ETHER)
        with pytest.raises(UnfundedError, match=r"insufficient funds.*0\.000001 ether free.*Send it ether") as caught:
            await sender.drain()
        assert desk.row("dear").state == "queued"
        assert caught.value.data["address"] == desk.payer and caught.value.data["free"] == str(10**12)
        missing = int(caught.value.data["missing"])
        assert ETHER < missing < ETHER * 101 // 100
        # Gas may still be missing: its price and amount are known only when the value is there.
        for _ in range(2):
            await desk.rpc.request("anvil_setBalance", desk.payer, hex(10**12 + missing))
            try:
                await sender.drain()
            except UnfundedError as error:
                missing += int(error.data["missing"])
        assert desk.row("dear").state == "mined"
        assert await desk.received("dear") == [ETHER]


async def test_an_account_that_can_pay_for_some_pays_for_these(tmp_path):
    async with desk_at(tmp_path) as desk:
        await desk.rpc.request("anvil_setBalance", desk.payer, hex(25 * ETHER // 10))
        sender = desk.sender_by(desk.rpc)
        desk.pay("a", "b", "c", "d", wei=ETHER)
        with pytest.raises(RpcError, match=desk.payer):
            await sender.drain()
        assert [desk.row(key).state for key in "abcd"] == ["mined", "mined", "queued", "queued"]
        await desk.rpc.request("anvil_setBalance", desk.payer, hex(3 * ETHER))
        await sender.drain()
        assert await desk.received(*"abcd") == [ETHER] * 4
        assert await desk.nonce() == 4


async def test_a_row_that_needs_more_gas_than_its_kind_is_done_again(tmp_path):
    loop = bytes.fromhex("5f355b8015600f57600190036002565b00")  # counts down from its argument
    async with desk_at(tmp_path) as desk:
        await desk.rpc.request("anvil_setCode", GATE, hex_data(loop))
        for place in range(12):
            desk.pass_gate(f"{place}", before=30_000 if place in (4, 7) else 1)
        desk.pay("after")
        await desk.sender.drain()
        rows = [desk.row(f"{place}") for place in range(12)]
        assert {row.state for row in rows} == {"mined"}
        assert [place for place, row in enumerate(rows) if row.gas_used > 1_000_000] == [4, 7]
        assert sorted(row.nonce for row in rows) == [0, 1, 2, 3, 5, 6, 8, 9, 10, 11, 13, 14]
        assert await desk.received("after") == [1]
        assert await desk.nonce() == 15


async def test_refusals_among_many_of_a_kind_hold_nobody_up(tmp_path):
    async with desk_at(tmp_path) as desk:
        await desk.rpc.request("anvil_setCode", GATE, hex_data(GATE_CODE))
        now = await desk.now()
        for place in range(20):
            desk.pass_gate(f"{place}", before=now - 5 if place in (0, 9, 19) else now + 500)
        await desk.sender.drain()
        failed = [place for place in range(20) if desk.row(f"{place}").state == "failed"]
        assert failed == [0, 9, 19]
        assert all("late" in desk.row(f"{place}").error for place in failed)
        assert desk.store.outbox.counts("31337:faults") == {"mined": 17, "failed": 3}
