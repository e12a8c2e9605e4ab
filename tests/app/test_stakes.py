"""The Stakes page: ledger beside contract, orders with their cost, slashings with their evidence."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.links import Place, match_link
from app.pages.stakes import Amount, amount_text
from engine.core.paths import DataDir
from engine.league.bundle import read_bundle, write_bundle
from engine.league.config import WEI
from engine.league.match import match_commitment
from engine.league.withdrawals import Move


async def on_chain(wiring: Any, until: Any, samples: Path) -> str:
    """Start and deploy, admit an agent, show the page; return the agent's address."""
    wiring.console.settings = wiring.console.settings.model_copy(update={"confirm_chain_actions": False})
    wiring.roster.add([samples / "greedy.wasm"])
    wiring.devnet.up()
    await until(lambda: wiring.devnet.state.status.state == "running" and not wiring.devnet.state.busy)
    wiring.devnet.deploy()
    await until(lambda: wiring.stakes.state.on_chain)
    await until(lambda: any(row.name == "greedy" for row in wiring.stakes.state.rows))
    wiring.navigator.go(Place("stakes"))
    return str(next(row.address for row in wiring.stakes.state.rows if row.name == "greedy"))


async def order(wiring: Any, until: Any, move: Move, address: str, wei: int | None = None) -> Any:
    """Fill the form in and press the button once the preview is there."""
    card = wiring.pages["stakes"].order
    done = wiring.stakes.state.done
    card.account.set_value(address)
    card.move.set_value(move)
    if wei is not None:
        card.amount.set_value(wei)
    preview = await until(lambda: _fits(wiring.stakes.state.preview, move, address, wei))
    await until(card._go.isEnabled)
    card._go.click()
    await until(lambda: wiring.stakes.state.done == done + 1 and not wiring.stakes.state.busy)
    return preview


def _fits(preview: Any, move: Move, address: str, wei: int | None) -> Any:
    wanted = preview is not None and (preview.order.move, preview.order.address) == (move, address)
    return preview if wanted and (wei is None or preview.wei == wei) else None


@pytest.mark.chain
async def test_a_stake_goes_in_and_out_with_ledger_and_contract_equal(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, samples: Path
) -> None:
    async with opened(data_dir) as wiring:
        address = await on_chain(wiring, until, samples)
        page = wiring.pages["stakes"]
        preview = await order(wiring, until, Move.DEPOSIT, address, 2 * WEI)
        assert preview.after.stake == 2 * WEI
        assert preview.cost > 0

        async def holds(**amounts: int) -> Any:
            def fits() -> Any:
                row = next(row for row in wiring.stakes.state.rows if row.address == address)
                right = all(getattr(row, name) == wei for name, wei in amounts.items())
                return row if right and not wiring.stakes.state.differences else None

            return await until(fits)

        await holds(stake=2 * WEI, chain_free=2 * WEI, chain_locked=0)
        await order(wiring, until, Move.UNBOND, address, WEI)
        row = await holds(stake=WEI, pending=WEI, chain_free=WEI, chain_pending=WEI)
        assert row.unlock_at
        page.order.move.set_value(Move.WITHDRAW)
        await until(lambda: page.order.amount.isHidden())
        preview = await order(wiring, until, Move.WITHDRAW, address)
        assert preview.wait > 0
        await holds(stake=WEI, pending=0, chain_free=WEI, chain_pending=0)
        await until(lambda: page.balances.table.visible_rows())
        shown = next(r for r in page.balances.table.visible_rows() if r[0] == ("greedy", address))
        assert (shown[1], int(shown[6]), shown[-1]) == (WEI, WEI, "Agrees")
        assert not page.balances._banner.isVisible()


@pytest.mark.chain
@pytest.mark.expects_log
async def test_a_refused_order_leaves_the_form_filled_and_a_difference_is_red(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, samples: Path
) -> None:
    async with opened(data_dir) as wiring:
        address = await on_chain(wiring, until, samples)
        card = wiring.pages["stakes"].order
        await order(wiring, until, Move.DEPOSIT, address, WEI)
        card.move.set_value(Move.UNBOND)
        card.amount.set_value(WEI - 1)
        await until(lambda: "BelowMinimum" in getattr(wiring.stakes.state.preview, "refusal", ""))
        await until(lambda: card._banner.isVisible() and not card._go.isEnabled())
        # What is previewed holds, then the balance moves beneath it: the order fails, the form stays.
        card.amount.set_value(WEI)
        preview = await until(lambda: _fits(wiring.stakes.state.preview, Move.UNBOND, address, WEI))
        assert not preview.refusal
        with wiring.runtime.store.transaction():
            book = wiring.runtime.store.ledger.entries((await wiring.runtime.chain()).book)[0]
            _move(wiring, (await wiring.runtime.chain()).book, book.credit)
        wiring.stakes.carry_out()
        await until(lambda: wiring.stakes.state.failure)
        await until(card._banner.isVisible)
        assert (card.account.value(), card.move.value(), card.amount.value()) == (address, Move.UNBOND, WEI)
        page = wiring.pages["stakes"]
        await until(lambda: wiring.stakes.state.differences == 1 and page.balances._banner.isVisible())
        shown = next(r for r in page.balances.table.visible_rows() if r[0][1] == address)
        assert shown[6].differs
        assert amount_text(shown[6]).startswith("≠")
        assert shown[-1] == "Differs"


def _move(wiring: Any, book: str, account: str) -> None:
    """Take a wei out of the ledger that the chain knows nothing of."""
    from engine.store.ledger import Entry

    wiring.runtime.store.ledger.append(book, Entry("by hand", "test", account, "world:nobody", 1))


@pytest.mark.chain
async def test_a_slash_row_links_its_match_and_transaction(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, samples: Path
) -> None:
    async with opened(data_dir) as wiring:
        address = await on_chain(wiring, until, samples)
        wiring.setup.fill(matches=2, name="claims")
        await until(lambda: wiring.setup.state.ready)
        wiring.league.run()
        result = await until(lambda: wiring.rounds.state.run.state == "idle" and wiring.rounds.state.result, 60)
        match = next(m for m in wiring.rounds.state.matches if m.outcome == "FINISHED")
        false = data_dir.root / "false.nets"
        _raise_score(await wiring.runtime.league.bundle(result.round_id, match.fixture), false)
        wiring.league.claim(false)
        await until(lambda: wiring.rounds.state.result.disqualified and not wiring.rounds.state.busy)
        table = wiring.pages["stakes"].slashes.table
        (held,) = await until(lambda: table.visible_rows() if _state(table) == "Held" and _sent(table) else None)
        name, game, where, why, wei, before, after, _, transaction = held
        assert (name, game, where) == ("greedy", (result.round_id, "claims #1"), (result.round_id, match.fixture))
        assert (wei, before, after) == (WEI // 20, WEI, WEI)
        assert "the replay gives" in why
        proof = transaction
        wiring.league.settle()
        await until(lambda: wiring.rounds.state.result.state == "settled" and not wiring.rounds.state.busy)
        (taken,) = await until(lambda: table.visible_rows() if _state(table) == "Taken" and _sent(table) else None)
        assert taken[6] == WEI - WEI // 20
        assert proof != taken[8]
        assert all(len(sent) == 66 for sent in (proof, taken[8]))
        await until(lambda: not wiring.stakes.state.pending and wiring.stakes.state.differences == 0)
        assert next(row.slashed for row in wiring.stakes.state.rows if row.address == address) == WEI // 20
        table.linkActivated.emit(match_link(*taken[2]))
        assert wiring.navigator.here.page == "replay"


def _sent(table: Any) -> str | None:
    """The transaction of the first row: there once it is signed."""
    return table.visible_rows()[0][8]


def _state(table: Any) -> str:
    return next((row[7] for row in table.visible_rows()), "")


def _raise_score(source: Path, target: Path) -> None:
    """Write the bundle with a higher score, as a dishonest owner would."""
    bundle = read_bundle(source)
    match = bundle.match.model_copy(update={"scores": [score + 5 for score in bundle.match.scores]})
    changed = replace(bundle, match=match)
    commitment = match_commitment(changed.header, changed.trace_root, changed.steps)
    write_bundle(target, replace(changed, commitment=commitment))


async def test_without_a_chain_the_ledger_stands_alone(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        wiring.console.settings = wiring.console.settings.model_copy(update={"confirm_chain_actions": False})
        wiring.navigator.go(Place("stakes"))
        await until(lambda: wiring.stakes.state.rows)
        assert not wiring.stakes.state.on_chain
        await order(wiring, until, Move.DEPOSIT, "operator", WEI)
        await until(lambda: wiring.stakes.state.rows[0].stake == WEI)
        page = wiring.pages["stakes"]
        await until(lambda: page.balances.table.row_count() == 2)
        assert page.balances.table.visible_rows()[0][6:] == (None,) * 5 + ("No chain",)
        wiring.navigator.go(Place("stakes", "account/treasury"))
        await until(lambda: page.order.account.value() == "treasury")
        page.order.move.set_value(Move.CLAIM)
        preview = await until(lambda: _fits(wiring.stakes.state.preview, Move.CLAIM, "treasury", None))
        assert "no credit" in preview.refusal


@pytest.mark.chain
@pytest.mark.expects_log
async def test_odd_amounts_and_a_chain_that_goes_do_no_harm(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, samples: Path
) -> None:
    async with opened(data_dir) as wiring:
        address = await on_chain(wiring, until, samples)
        card = wiring.pages["stakes"].order
        card.account.set_value(address)
        card.move.set_value(Move.DEPOSIT)
        for wrong in ("", "-1", "1e3", "one", "0.1234567890123456789", "9" * 5000, "½", "1\u0661"):
            card.amount.edit.setText(wrong)
            assert card.amount.error()
            await until(lambda: not card._go.isEnabled())
        for refused in ("0", "0.01", "9" * 30, "9" * 59):
            card.amount.edit.setText(refused)
            wei = card.amount.value()
            await until(lambda wei=wei: _settled(wiring.stakes.state, wei))
            assert wiring.stakes.state.failure or wiring.stakes.state.preview.refusal, refused
            await until(lambda: not card._go.isEnabled())
        card.amount.set_value(WEI)
        await until(lambda: _fits(wiring.stakes.state.preview, Move.DEPOSIT, address, WEI))
        await until(card._go.isEnabled)
        os.kill(wiring.devnet.state.status.pid, signal.SIGKILL)
        card._go.click()
        card._go.click()
        await until(lambda: not wiring.stakes.state.busy and not wiring.stakes.state.on_chain)
        assert card.amount.value() == WEI
        held = [row.stake for row in wiring.stakes.state.rows if row.address == address]  # of the book without a chain
        assert set(held) <= {0}


def _settled(state: Any, wei: int) -> bool:
    """Whether the console has thought about an amount."""
    return bool(state.failure) or (state.preview is not None and state.preview.order.wei == wei)


def test_amounts_read_short_and_say_where_they_differ() -> None:
    assert amount_text(WEI) == "1"
    assert amount_text(WEI // 3) == "0.3333…"
    assert amount_text(1234 * WEI) == "1,234"
    assert Amount.of(None, 5) is None
    same, other = Amount.of(5, 5), Amount.of(6, 5)
    assert same is not None
    assert other is not None
    assert (same.differs, other.differs) == (False, True)
    assert amount_text(other).startswith("≠ ")
