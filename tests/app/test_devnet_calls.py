"""Contracts read and written from the Devnet page, what became of a transaction, and how blocks come about."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QLabel, QPushButton

from app.dialogs import Dialog
from app.links import Place, tx_link
from engine.chain.abi import contract_abi
from engine.chain.rpc import Rpc, hex_data
from engine.core.paths import DataDir

pytestmark = pytest.mark.chain
WEI = 10**18


async def start(wiring: Any, until: Any, *, deploy: bool = True) -> None:
    """A running devnet with the contracts on it, and its page in front."""
    wiring.devnet.up()
    await until(lambda: wiring.devnet.state.status.state == "running" and not wiring.devnet.state.busy)
    if deploy:
        wiring.devnet.deploy()
        await until(lambda: wiring.calls.state.contracts and not wiring.devnet.state.busy)
    wiring.navigator.go(Place("devnet"))


async def choose(wiring: Any, until: Any, contract: str, function: str) -> Any:
    """Choose a function in the form, as one does with the mouse; return the form."""
    form = wiring.pages["devnet"].call
    form.contract.set_value(contract)
    await until(lambda: wiring.calls.state.contract == contract and form._shown is wiring.calls.state.function)
    form.function.set_value(function)
    await until(lambda: form._shown is not None and form._shown.key == function)
    return form


def dialog() -> Dialog | None:
    return next((w for w in QApplication.topLevelWidgets() if isinstance(w, Dialog) and w.isVisible()), None)


def press(box: Dialog, text: str) -> None:
    next(button for button in box.findChildren(QPushButton) if button.text() == text).click()


def words(widget: Any) -> str:
    """All that a widget says in labels that are shown."""
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if not label.isHidden())


async def test_contracts_are_read_and_written_by_a_form(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        await start(wiring, until)
        wiring.pages["devnet"].tabs.setCurrentIndex(3)
        operator = (await until(lambda: wiring.devnet.state.accounts))[0].address
        form = await choose(wiring, until, "StakeVault", "MINIMUM_STAKE")
        await until(form.go.isEnabled)
        await until(form.go.isVisible)
        form.go.click()
        await until(lambda: form.answer.toPlainText() == f"result = {WEI // 10}")
        # What is no address says so beneath its field, and nothing can be asked.
        form = await choose(wiring, until, "StakeVault", "accountOf")
        for wrong in ("0x12", "hello", "-1", "9" * 6000, operator[:-1] + "g", operator.swapcase()):
            form.arguments[0].set_value(wrong)
            await until(lambda: form.arguments[0].error() and not form.go.isEnabled())
        form.arguments[0].set_value(operator)
        await until(form.go.isEnabled)
        form.go.click()
        form.go.click()
        await until(lambda: "active" in form.answer.toPlainText())
        # A write tells its cost, then asks, naming the consequence; Cancel changes nothing.
        form = await choose(wiring, until, "StakeVault", "stake")
        form.value.edit.setText("2")
        await until(lambda: form.go.isEnabled() and wiring.calls.state.preview.cost > 0)
        assert wiring.calls.state.request.wei == 2 * WEI
        form.go.click()
        assert "2 ETH go along" in words(dialog())
        assert "cannot be taken back" in words(dialog())
        head = wiring.devnet.state.status.block
        press(dialog(), "Cancel")
        await until(lambda: dialog() is None)
        assert wiring.devnet.state.status.block == head
        form.go.click()
        press(dialog(), "Send")
        await until(lambda: wiring.calls.state.tx and "StakeVault.Staked(" in form.answer.toPlainText())
        assert f"account={operator}" in form.answer.toPlainText()
        # Its transaction is a link: call, events and gas stand there.
        wiring.follow(tx_link(wiring.calls.state.tx))
        detail = wiring.pages["devnet"].detail
        await until(lambda: detail.isVisible() and "StakeVault.Staked(" in words(detail))
        assert "StakeVault.stake()" in words(detail)
        # Closed, it comes back by the same link.
        detail.closed.emit()
        await until(lambda: not detail.isVisible())
        wiring.follow(tx_link(wiring.calls.state.tx))
        await until(detail.isVisible)


@pytest.mark.expects_log
async def test_what_would_be_refused_is_told_and_a_failure_leaves_the_form(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        await start(wiring, until)
        form = await choose(wiring, until, "StakeVault", "requestUnbond")
        form.arguments[0].set_value(str(10**30))
        await until(lambda: wiring.calls.state.preview is not None and wiring.calls.state.preview.refusal)
        assert "StakeVault." in wiring.calls.state.preview.refusal, "the custom error is decoded"
        await until(lambda: not form.go.isEnabled())
        wiring.calls.send()
        wiring.chain.send()
        assert not wiring.calls.state.busy
        assert dialog() is None
        form = await choose(wiring, until, "StakeVault", "owner")
        await until(form.go.isEnabled)
        os.kill(wiring.devnet.state.status.pid, signal.SIGKILL)  # while the form is filled in
        form.go.click()
        await until(lambda: wiring.calls.state.failure or not wiring.calls.state.contracts)
        assert wiring.calls.state.contract == "StakeVault"
        assert wiring.calls.state.function.key == "owner"
        await until(lambda: wiring.devnet.state.status.state == "failed")


async def test_the_inner_call_that_reverted_is_named(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await start(wiring, until)
        contracts = {row.name: row.address for row in wiring.devnet.state.contracts}
        rpc = wiring.devnet.feed.rpc
        poor = wiring.devnet.state.accounts[5].address  # has no stake: the vault refuses it, not the contract called
        data = hex_data(contract_abi("NeuralConsensus").encode_call("register", bytes([7]) * 32))
        call = {"from": poor, "to": contracts["NeuralConsensus"], "data": data, "gas": hex(600_000)}
        digest = await rpc.request("eth_sendTransaction", call)
        row = await until(lambda: next((t for t in wiring.devnet.feed.transactions if t.hash == digest), None))
        assert (row.ok, row.call) == (False, "NeuralConsensus.register")
        assert "StakeVault." in row.error
        assert " in StakeVault.addExposure(" in row.error
        wiring.follow(tx_link(digest))
        page = wiring.pages["devnet"]
        await until(lambda: page.detail.isVisible() and " in StakeVault.addExposure(" in words(page.detail))
        await until(lambda: page._transactions.selected_keys() == (digest,))
        # A hash of another chain leads here too, and is told to be unknown.
        wiring.follow(tx_link("0x" + "ab" * 32))
        await until(lambda: wiring.devnet.state.lost)
        for nonsense in ("tx/", "tx/%s", "block/-1", "block/0xzz", "block/" + "9" * 5000, "address/<b>", "nothing/1"):
            wiring.navigator.go(Place("devnet", nonsense))
        await until(lambda: not page._blocks.selected_keys())


async def test_blocks_come_about_as_the_page_says(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await start(wiring, until, deploy=False)
        accounts = [row.address for row in await until(lambda: wiring.devnet.state.accounts)]
        node, feed = wiring.pages["devnet"].node, wiring.devnet.feed

        async def pay() -> None:
            await feed.rpc.request("eth_sendTransaction", {"from": accounts[1], "to": accounts[2], "value": "0x1"})

        def shown() -> str:
            return words(node.facts)

        await until(lambda: "A block for each transaction" in shown())
        for _ in range(3):
            await pay()
        await until(lambda: len(feed.transactions) == 3)
        assert [block.transactions for block in feed.blocks] == [1, 1, 1, 0]
        node.mining.set_value("manual")
        await until(lambda: "Only by hand" in shown())
        head = wiring.devnet.state.status.block
        await pay()
        await pay()
        assert int(await feed.rpc.request("eth_blockNumber"), 16) == head
        node.mine.click()
        await until(lambda: len(feed.transactions) == 5)
        assert feed.blocks[0].transactions == 2
        node.mining.set_value("interval")
        await until(lambda: "A block every second" in shown())
        first = feed.blocks[0].number
        await until(lambda: feed.blocks[0].number >= first + 3)
        times = [block.time for block in list(feed.blocks)[:3]]
        assert [a - b for a, b in itertools.pairwise(times)] == [1, 1]
        for wrong in ("", "0", "-3", "x", "9" * 5000, "99999"):
            node.seconds.edit.setText(wrong)
            assert node.seconds.error()
        assert wiring.devnet.state.status.interval == 1
        # What another program sets is shown as well.
        await feed.rpc.request("evm_setIntervalMining", 0)
        await feed.rpc.request("evm_setAutomine", True)
        await until(lambda: "A block for each transaction" in shown() and node.mining.value() == "automine")


async def test_the_gas_chart_adds_up_to_the_receipts(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await start(wiring, until)
        page = wiring.pages["devnet"]
        wiring.navigator.go(Place("devnet"))
        page.tabs.setCurrentIndex(4)
        await until(lambda: page._gas._state.values)
        rpc = Rpc(wiring.devnet.state.status.url)
        used = {}
        for number in range(int(await rpc.request("eth_blockNumber"), 16) + 1):
            used[number] = sum(
                int(receipt["gasUsed"], 16) for receipt in await rpc.request("eth_getBlockReceipts", hex(number))
            )
        await rpc.close()
        await until(lambda: f"{sum(used.values()):,} gas in {len(used):,} blocks" in page._gas._state.title)
        shown = dict(zip(map(int, page._gas._state.labels), page._gas._state.values, strict=True))
        assert shown == {number: float(gas) for number, gas in used.items() if number in shown}
        assert sum(shown.values()) == sum(used.values()), "few blocks: all of them are bars"


async def test_a_port_is_checked_kept_and_never_changed(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, free_port: int
) -> None:
    async with opened(data_dir) as wiring:
        wiring.navigator.go(Place("devnet"))
        page = wiring.pages["devnet"]
        page.node.port.edit.setText(str(free_port))
        for wrong in ("80", "65536", "-1", "port", "1e4", "9" * 5000, "8545 8546"):
            page.node.port.edit.setText(wrong)
            assert page.node.port.error()
            page._up.click()
            assert wiring.devnet.state.busy == "", "it would start on another port than the one typed"
        assert any("was not started" in text for text in wiring.window.notices.texts())
        page.node.port.edit.setText(str(free_port))
        page._up.click()
        await until(lambda: wiring.devnet.state.status.state == "running")
        assert wiring.devnet.state.status.port == free_port
        rpc = Rpc(f"http://127.0.0.1:{free_port}")
        assert await rpc.chain_id() == 31337
        await rpc.close()
    async with opened(data_dir) as wiring:
        page = wiring.pages["devnet"]
        assert (wiring.devnet.state.port, page.node.port.value()) == (free_port, free_port)
        # A chain that was stopped says which Anvil saved it.
        wiring.navigator.go(Place("devnet"))
        await until(lambda: "anvil/" in words(page.node.facts))


async def test_development_keys_are_never_for_mainnet(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        wiring.navigator.go(Place("devnet"))
        page = wiring.pages["devnet"]
        page.tabs.setCurrentIndex(2)
        await until(
            lambda: any(
                "never use on mainnet" in label.text() for label in page.findChildren(QLabel) if label.isVisible()
            )
        )


@pytest.fixture
def free_port() -> int:
    import socket

    with contextlib.closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
