"""The devnet in the window, with a real Anvil."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.links import Place, address_link, tx_link
from engine.chain.events import DevnetLine
from engine.core.paths import DataDir

pytestmark = pytest.mark.chain


def anvils(data: DataDir) -> list[psutil.Process]:
    """The Anvils that work for this data directory."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):  # one that ended and waits to be collected has no command line
            ours = "anvil" in process.name() and str(data.root) in " ".join(process.cmdline())
            found += [process] if ours else []
    return found


async def start(wiring: Any, until: Any) -> None:
    wiring.devnet.up()
    await until(lambda: wiring.devnet.state.status.state == "running" and not wiring.devnet.state.busy)


async def test_the_requests_that_a_node_answers_stand_in_its_own_log_alone(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        wiring.pages["logs"]._view.set_level("DEBUG")
        for text in ("eth_blockNumber", "    Block Number: 7", "error: no such block"):
            wiring.runtime.bus.publish(DevnetLine(text))
        await until(lambda: "no such block" in wiring.pages["logs"].text())
        assert "Block Number: 7" in wiring.pages["logs"].text()
        assert "eth_blockNumber" not in wiring.pages["logs"].text()
        own = wiring.pages["devnet"]._log
        own.set_level("DEBUG")
        await until(lambda: "eth_blockNumber" in own.text())
        assert "no such block" in own.text()


async def test_a_double_click_starts_one_node(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        page = wiring.pages["devnet"]
        begin = time.monotonic()
        page._up.click()
        page._up.click()
        wiring.devnet.up()
        await until(lambda: wiring.devnet.state.status.state == "running")
        assert time.monotonic() - begin < 5
        await until(lambda: not wiring.devnet.state.busy and wiring.devnet.state.accounts)
        assert len(anvils(data_dir)) == 1
        assert wiring.devnet.state.accounts[0].role == "Operator"
        assert wiring.devnet.state.accounts[0].balance > 10**21
        wiring.console.settings = wiring.console.settings.model_copy(update={"confirm_chain_actions": False})
        await until(page._down.isEnabled)
        page._down.click()
        await until(lambda: wiring.devnet.state.status.state == "stopped" and not wiring.devnet.state.busy)
        assert anvils(data_dir) == []


@pytest.mark.expects_log
async def test_a_killed_node_shows_within_two_seconds(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        await start(wiring, until)
        (node,) = anvils(data_dir)
        os.kill(node.pid, signal.SIGKILL)
        await until(lambda: wiring.overview.state.devnet.kind == "error", 2.0)
        assert wiring.overview.state.devnet.value == "Down"
        assert wiring.devnet.state.status.cause
        await asyncio.sleep(0.1)
        banner = wiring.pages["devnet"]._banner
        wiring.navigator.go(Place("devnet"))
        await until(banner.isVisible)
        await start(wiring, until)
        await until(lambda: wiring.overview.state.devnet.kind == "ok")


async def test_a_busy_port_offers_others(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with opened(data_dir) as wiring:
            wiring.devnet.set_port(port)
            wiring.devnet.up()
            await until(lambda: wiring.devnet.state.port_error)
            assert wiring.devnet.state.status.state != "running"
            assert wiring.devnet.state.port == port
            other = wiring.devnet.state.alternatives[0]
            wiring.pages["devnet"]._on_banner(str(other))
            await until(lambda: wiring.devnet.state.status.state == "running")
            assert wiring.devnet.state.status.port == other


@pytest.mark.expects_log
async def test_a_missing_anvil_lists_the_paths_tried(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, tmp_path: Path
) -> None:
    nowhere = tmp_path / "no-anvil"
    async with opened(data_dir) as wiring:
        wiring.runtime.devnet.binary = nowhere
        wiring.devnet.up()
        await until(lambda: wiring.devnet.state.tried)
        assert wiring.devnet.state.tried == (str(nowhere),)
        wiring.navigator.go(Place("devnet"))
        await until(wiring.pages["devnet"]._banner.isVisible)
        wiring.runtime.devnet.binary = None
        await start(wiring, until)
        assert wiring.devnet.state.tried == ()


async def test_contracts_are_deployed_once_and_survive_a_restart(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        await start(wiring, until)
        assert wiring.devnet.state.contracts == ()
        wiring.devnet.deploy()
        wiring.devnet.deploy()
        contracts = await until(lambda: wiring.devnet.state.contracts)
        assert [c.name for c in contracts] == [
            *("StakeVault", "LeagueAnchor", "LeagueCourt", "NeuralConsensus"),
            *("POL", "ProofOfLearning"),
        ]
        assert all(c.gas > 10**6 and c.tx.startswith("0x") for c in contracts)
        await until(lambda: wiring.devnet.feed.transactions and not wiring.devnet.state.busy)
        calls = {tx.call for tx in wiring.devnet.feed.transactions}
        assert {"Contract creation", "StakeVault.grantRole"} <= calls
        used = sum(tx.gas for tx in wiring.devnet.feed.transactions)
        assert used == sum(block.gas_used for block in wiring.devnet.feed.blocks)
        await until(lambda: wiring.stakes.state.on_chain)
        wiring.follow(tx_link(contracts[0].tx))
        wiring.follow(address_link(contracts[1].address))
        assert wiring.navigator.here.page == "devnet"
        wiring.devnet.down()
        await until(lambda: wiring.devnet.state.status.state == "stopped")
        assert wiring.devnet.state.contracts == ()
    async with opened(data_dir) as wiring:
        await start(wiring, until)
        assert await until(lambda: wiring.devnet.state.contracts) == contracts


async def test_quitting_leaves_no_child(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await start(wiring, until)
        assert anvils(data_dir)
    assert anvils(data_dir) == []


async def test_the_guided_demo_passes_unattended(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        wiring.pages["overview"].demo.run.click()
        wiring.overview.run_demo()
        assert wiring.overview.state.demo_state == "running"
        await until(lambda: wiring.overview.state.demo_state != "running", 240)
        assert wiring.overview.state.demo_state == "done"
        assert {step.state for step in wiring.overview.state.demo} == {"done"}
        await until(lambda: wiring.rounds.state.result and wiring.rounds.state.result.state == "settled")
        assert [summary.state for summary in wiring.rounds.state.rounds] == ["settled", "rejected"]
        stakes = await until(
            lambda: wiring.stakes.state.on_chain and not wiring.stakes.state.pending and wiring.stakes.state
        )
        assert stakes.differences == 0
        slashed = {row.slashed for row in stakes.rows if row.slashed}
        assert slashed == {5 * 10**16, 10**17}, "the agent that lied and the host that cheated"
        result = wiring.rounds.state.result
        assert result.anchored is not None
        match = next(m for m in wiring.rounds.state.matches if m.steps > 5)
        wiring.replay.open_match(result.round_id, match.fixture)
        await until(lambda: wiring.replay.state.facts)
        wiring.replay.seek(3)
        wiring.replay.verify_on_chain()
        check = await until(lambda: wiring.replay.state.chain)
        assert check.answer
        assert check.step == 3
        wiring.replay.edit_leaf(12, wiring.replay.state.proof.leaf[12] ^ 1)
        assert wiring.replay.state.chain is None
        wiring.replay.verify_on_chain()
        check = await until(lambda: wiring.replay.state.chain)
        assert not check.answer


async def test_a_false_claim_from_outside_is_slashed(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> None:
    async with opened(data_dir) as wiring:
        await start(wiring, until)
        wiring.console.settings = wiring.console.settings.model_copy(update={"confirm_chain_actions": False})
        wiring.league.add_samples()
        await until(lambda: wiring.setup.state.agents == 7 and wiring.setup.state.systems)
        wiring.setup.edit({"matches": 2, "name": "claims"}, True)
        wiring.league.run()
        result = await until(lambda: wiring.rounds.state.run.state == "idle" and wiring.rounds.state.result, 60)
        assert result.state == "anchored"
        match = next(m for m in wiring.rounds.state.matches if m.outcome == "FINISHED")
        honest = await wiring.runtime.league.bundle(result.round_id, match.fixture)
        wiring.league.claim(honest)
        await until(lambda: any("holds" in text for text in wiring.window.notices.texts()))
        await until(lambda: not wiring.rounds.state.busy)
        false = data_dir.root / "false.nets"
        _raise_score(honest, false)
        wiring.league.claim(false)
        await until(lambda: wiring.rounds.state.result.disqualified)
        (found,) = wiring.rounds.state.result.disqualified
        assert found.claimed == found.replayed + 5
        await until(lambda: not wiring.rounds.state.busy)
        await until(lambda: any(row.held for row in wiring.stakes.state.rows))


def _raise_score(source: Path, target: Path) -> None:
    from dataclasses import replace

    from engine.league.bundle import read_bundle, write_bundle
    from engine.league.match import match_commitment

    bundle = read_bundle(source)
    match = bundle.match.model_copy(update={"scores": [score + 5 for score in bundle.match.scores]})
    changed = replace(bundle, match=match)
    write_bundle(
        target, replace(changed, commitment=match_commitment(changed.header, changed.trace_root, changed.steps))
    )
