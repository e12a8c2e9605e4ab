"""Stakes moved by hand: ledger and contract agree before, between and after, and an order is carried out once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from engine.chain.session import Chain
from engine.core.paths import DataDir, assets_dir
from engine.league.accounts import Accounts, Book
from engine.league.config import WEI, AgentEntry, RoundConfig
from engine.league.disputes.published import Dishonesty
from engine.league.errors import LeagueError
from engine.league.settlement import book_of
from engine.league.slashes import Slashes
from engine.league.withdrawals import Move, Order, Withdrawals
from engine.runtime import Runtime

AGENTS = assets_dir() / "agents" / "snake"
A = "0x" + "11" * 20


@asynccontextmanager
async def arena(path: Path) -> AsyncIterator[tuple[Runtime, Chain, str]]:
    """A runtime with a chain and an agent that staked one ether; gives the agent's address."""
    async with await Runtime.open(DataDir.open(path), workers=1) as runtime:
        await runtime.devnet.up()
        chain = await runtime.chain()
        (admission,) = await runtime.league.admit([AGENTS / "greedy.wasm"])
        assert admission.agent is not None
        address = admission.agent.address
        assert await Withdrawals(runtime.store).carry_out(Order(Move.DEPOSIT, address, WEI), chain)
        yield runtime, chain, address


async def require_equal(runtime: Runtime, chain: Chain) -> None:
    rows = await runtime.league.stakes(chain)
    assert rows
    assert not [row for row in rows if row.differs]
    assert runtime.store.ledger.audit(chain.book) == {}
    totals = await chain.vault.totals()
    assert totals.pending == sum(row.pending for row in rows)


@pytest.mark.chain
async def test_a_stake_is_unbonded_and_withdrawn_with_the_ledger_equal_at_every_step(tmp_path):
    async with arena(tmp_path) as (runtime, chain, address):
        desk = Withdrawals(runtime.store)
        await require_equal(runtime, chain)
        order = Order(Move.UNBOND, address, WEI // 2)
        told = await desk.preview(order, chain)
        assert (told.refusal, told.after.stake, told.after.pending) == ("", WEI // 2, WEI // 2)
        assert told.cost and told.gas and 21_000 < told.gas < 120_000
        assert await desk.carry_out(order, chain)
        await require_equal(runtime, chain)
        out = Order(Move.WITHDRAW, address)
        told = await desk.preview(out, chain)
        assert 0 < told.wait <= chain.deployment.rules.unbonding
        with pytest.raises(LeagueError, match="not free yet"):
            await desk.carry_out(out, chain)
        await require_equal(runtime, chain)
        before = await chain.rpc.number("eth_getBalance", address, "latest")
        assert await desk.carry_out(out, chain, pass_time=True)
        await require_equal(runtime, chain)
        assert 0 < before + WEI // 2 - await chain.rpc.number("eth_getBalance", address, "latest") < WEI // 1000
        assert Accounts(runtime.store, book_of(chain)).balance(address).stake == WEI // 2


@pytest.mark.chain
async def test_an_order_is_carried_out_once_and_a_refused_one_not_at_all(tmp_path):
    async with arena(tmp_path) as (runtime, chain, address):
        desk = Withdrawals(runtime.store)
        order = Order(Move.UNBOND, address, WEI // 4)
        assert await desk.carry_out(order, chain)
        assert not await desk.carry_out(order, chain)
        entries = len(runtime.store.ledger.entries(chain.book))
        leaves_too_little = Order(Move.UNBOND, address, WEI // 4 * 3 - 1)
        assert "BelowMinimum" in (await desk.preview(leaves_too_little, chain)).refusal
        for refused in (
            leaves_too_little,
            Order(Move.UNBOND, address, WEI),
            Order(Move.CLAIM, address),
            Order(Move.DEPOSIT, address, 5),
            Order(Move.UNBOND, address, 0),
            Order(Move.WITHDRAW, chain.operator),
            Order(Move.DEPOSIT, chain.deployment.treasury, WEI),
        ):
            with pytest.raises(LeagueError):
                await desk.carry_out(refused, chain)
        assert len(runtime.store.ledger.entries(chain.book)) == entries
        assert runtime.store.outbox.failed(chain.book) == []
        await require_equal(runtime, chain)


@pytest.mark.chain
async def test_an_order_cut_short_between_ledger_and_chain_is_finished_by_the_next_look(tmp_path):
    async with arena(tmp_path) as (runtime, chain, address):
        desk, order = Withdrawals(runtime.store), Order(Move.UNBOND, address, WEI // 2)
        with runtime.store.transaction():
            desk._write(order, order.wei, chain)  # killed here: written, not sent
        assert next(row for row in await runtime.league.stakes(chain) if row.address == address).differs
        assert not await desk.carry_out(order, chain)
        await require_equal(runtime, chain)
        # A chain that came back from before the unbonding time refuses the withdrawal; the next order tries again.
        with runtime.store.transaction():
            desk._write(Order(Move.WITHDRAW, address), 0, chain)
        await chain.drain()
        assert len(runtime.store.outbox.failed(chain.book)) == 1
        assert await desk.carry_out(Order(Move.DEPOSIT, address, WEI), chain)
        assert runtime.store.outbox.failed(chain.book) == []
        await require_equal(runtime, chain)


@pytest.mark.chain
async def test_a_reward_is_claimed_and_a_host_that_unbonds_is_slashed_all_the_same(tmp_path):
    async with arena(tmp_path) as (runtime, chain, _):
        desk, league = Withdrawals(runtime.store), runtime.league
        agents = tuple(AgentEntry(AGENTS / f"{name}.wasm") for name in ("greedy", "cautious"))
        config = RoundConfig(name="desk", matches=2, seed=5, agents=agents)
        result = await league.run_round(config, anchor=True)
        await league.settle(result.round_id)
        winner = next(line for line in league.round(result.round_id).standings if line.reward_wei)
        assert await desk.carry_out(Order(Move.CLAIM, winner.address), chain)
        await require_equal(runtime, chain)
        posted = await league.run_round(config, anchor=True, dishonesty=Dishonesty.INFLATE_TOTAL)
        exposure = chain.deployment.rules.exposure
        assert await desk.carry_out(Order(Move.UNBOND, chain.operator, exposure), chain)
        assert "open round" in (await desk.preview(Order(Move.WITHDRAW, chain.operator), chain)).refusal
        await require_equal(runtime, chain)
        (view,) = await league.disputes.open(posted.round_id)
        assert view.slashed_wei == exposure
        await require_equal(runtime, chain)
        slash = Slashes(runtime.store, league.history).all(book_of(chain))[0]
        assert (slash.address, slash.round_id, slash.wei) == (chain.operator, posted.round_id, exposure)
        assert (slash.state, slash.before - slash.after) == ("taken", exposure)
        assert slash.tx in {item.hash for item in view.transactions}


async def test_on_paper_the_same_without_gas_or_waiting(tmp_path):
    async with await Runtime.open(DataDir.open(tmp_path), workers=1) as runtime:
        desk, accounts = Withdrawals(runtime.store), Accounts(runtime.store, Book())
        for order in (Order(Move.DEPOSIT, A, WEI), Order(Move.UNBOND, A, WEI // 2), Order(Move.WITHDRAW, A)):
            told = await desk.preview(order, None)
            assert (told.gas, told.wait, told.refusal) == (None, 0, "")
            assert await desk.carry_out(order, None)
            assert accounts.balance(A) == told.after
            assert not await desk.carry_out(order, None)
        assert accounts.balance(A).stake == WEI // 2
        assert runtime.store.ledger.audit("local") == {}


async def test_a_slash_tells_its_match_and_what_it_left(tmp_path):
    async with await Runtime.open(DataDir.open(tmp_path), workers=1) as runtime:
        accounts = Accounts(runtime.store, Book())
        with runtime.store.transaction():
            accounts.deposit("in", A, WEI)
            accounts.unbond("out", A, WEI - 10)
            accounts.slash("r:slash:0", A, "r")
        slashes = Slashes(runtime.store, runtime.league.history)
        (held,) = slashes.all(Book())
        assert (held.state, held.wei, held.before, held.after) == ("held", 10, WEI, WEI)
        with runtime.store.transaction():
            assert accounts.collect_penalty("r:penalty:0", A, "r") == WEI // 20
        (taken,) = slashes.all(Book())
        assert [taken] == Slashes(runtime.store, runtime.league.history).all(Book()), "read on, or from the beginning"
        assert (taken.state, taken.wei, taken.before, taken.after) == ("taken", WEI // 20, WEI, WEI - WEI // 20)
        balance = accounts.balance(A)
        assert (balance.stake, balance.held, balance.pending) == (0, 0, WEI - WEI // 20)
        assert balance.slashed == WEI // 20
        assert runtime.store.ledger.audit("local") == {}
