"""The devnet: one-click start and stop, its accounts, contracts, blocks and transactions."""

from __future__ import annotations

import asyncio
import importlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.viewmodels.base import ViewModel
from app.viewmodels.feed import ChainFeed
from engine.chain.errors import AnvilMissingError, PortBusyError
from engine.chain.events import BlockMined, ContractsDeployed, DevnetChanged, DevnetLine, TransactionMoved
from engine.core.errors import EngineError

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime

PULSE = 0.5  # seconds between two looks at the node: its death shows within two
DEVELOPMENT_ACCOUNTS = 10


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The node, as the engine last saw it. ``state``: stopped, starting, running, stopping, failed, foreign."""

    state: str = "stopped"
    port: int | None = None
    url: str = ""
    chain_id: int | None = None
    pid: int | None = None
    block: int | None = None
    version: str = ""
    cause: str = ""
    mining: str = ""


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A funded account; ``role`` says whose it is."""

    number: int
    address: str
    role: str
    balance: int | None


@dataclass(frozen=True, slots=True)
class ContractRow:
    """A deployed contract and the transaction that made it."""

    name: str
    address: str
    tx: str
    block: int | None
    gas: int | None


@dataclass(frozen=True, slots=True)
class DevnetState:
    """``tried`` are the paths without an Anvil, ``alternatives`` free ports; ``revision`` counts the feed's changes."""

    status: NodeStatus = NodeStatus()
    port: int | None = None
    chain_id: int = 31337
    tried: tuple[str, ...] = ()
    alternatives: tuple[int, ...] = ()
    port_error: str = ""
    busy: str = ""
    accounts: tuple[AccountRow, ...] = ()
    contracts: tuple[ContractRow, ...] = ()
    revision: int = 0
    lines: int = 0


class DevnetViewModel(ViewModel[DevnetState]):
    """Starts and stops the node and follows it."""

    def __init__(self, bridge: Bridge, runtime: Runtime, *, port: int | None, chain_id: int) -> None:
        super().__init__(bridge, DevnetState(port=port, chain_id=chain_id))
        self._runtime = runtime
        self._feed: ChainFeed | None = None
        self._wake = asyncio.Event()
        self._lines: list[str] = []
        bridge.subscribe(self._on_status, DevnetChanged)
        bridge.subscribe(lambda event: self._wake.set(), BlockMined, TransactionMoved)
        bridge.subscribe(self._on_deployed, ContractsDeployed)
        bridge.subscribe(self._on_line, DevnetLine)
        self._take_status()
        self.start(self._follow(), "Following the devnet")

    @property
    def feed(self) -> ChainFeed | None:
        """Blocks and transactions of the running node."""
        return self._feed

    def set_port(self, port: int | None) -> None:
        """Choose the port; None: any free one."""
        self.update(port=port, port_error="", alternatives=())

    def up(self) -> None:
        """Start the node; pressing again while it starts does nothing."""
        if not self.state.busy and self.state.status.state not in ("running", "starting"):
            self.update(busy="Starting", tried=(), alternatives=(), port_error="")
            self.start(self._up(), "Starting the devnet", key="devnet")

    def down(self) -> None:
        """Stop the node; it saves its state first."""
        if not self.state.busy and self.state.status.state == "running":
            self.update(busy="Stopping")
            self.start(self._work(self._runtime.devnet.down), "Stopping the devnet", key="devnet")

    def deploy(self) -> None:
        """Put the contracts on the chain; those that are there stay."""
        if not self.state.busy:
            self.update(busy="Deploying")

            async def work() -> None:
                await self._runtime.jobs.start("Deploy the contracts", lambda job: self._runtime.chain()).result()

            self.start(self._work(work), "Deploying the contracts", key="devnet")

    def take_lines(self) -> list[str]:
        """Return what the node printed since the last call."""
        taken, self._lines = self._lines, []
        return taken

    async def close(self) -> None:
        """End the connection of the feed."""
        if self._feed is not None:
            await self._feed.close()
            self._feed = None

    # Inside

    async def _up(self) -> None:
        try:
            await self._runtime.devnet.up(port=self.state.port, chain_id=self.state.chain_id)
        except AnvilMissingError as error:
            self.update(tried=tuple(str(path) for path in error.data.get("tried", ())))
            raise
        except PortBusyError as error:
            self.update(port_error=error.why or error.what, alternatives=tuple(error.data.get("alternatives", ())))
        finally:
            self.update(busy="")
            self._take_status()
            self._wake.set()

    async def _work(self, call: Any) -> None:
        try:
            await call()
        finally:
            self.update(busy="")
            self._take_status()
            self._wake.set()

    async def _follow(self) -> None:
        await asyncio.to_thread(importlib.import_module, "web3")
        while True:
            try:
                await self._runtime.devnet.refresh()
                self._take_status()
                await self._read()
            except EngineError:
                # The node went away between two requests; its state says so, and the next look finds it or not.
                pass
            self._wake.clear()
            try:
                async with asyncio.timeout(PULSE):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _read(self) -> None:
        status = self.state.status
        if status.state != "running" or not status.url:
            return
        if self._feed is None or self._feed.url != status.url:
            await self.close()
            self._feed = ChainFeed(status.url)
        feed = self._feed
        if await feed.sync() or not self.state.accounts:
            await self._read_accounts(feed)
            self.update(revision=self.state.revision + 1)
            self._take_status()
        if not self.state.contracts:
            await self._find_contracts(feed)

    async def _read_accounts(self, feed: ChainFeed) -> None:
        wallet = self._runtime.wallet
        roles = {agent.account: agent.name for agent in self._runtime.league.agents()}
        roles[0] = "Operator"
        numbers = sorted({*range(DEVELOPMENT_ACCOUNTS), *roles})
        addresses = [wallet.address(number) for number in numbers]
        balances = await feed.balances(addresses)
        rows = (AccountRow(n, a, roles.get(n, ""), b) for n, a, b in zip(numbers, addresses, balances, strict=True))
        self.update(accounts=tuple(rows))

    async def _find_contracts(self, feed: ChainFeed) -> None:
        """Show the contracts that an earlier session deployed, when this chain has them."""
        query = "SELECT record FROM deployments WHERE book LIKE ? ORDER BY created DESC"
        for (text,) in self._runtime.store.db.execute(query, (f"{self.state.status.chain_id}:%",)).fetchall():
            record = json.loads(text)
            rows = contract_rows(record, feed)
            if rows and all([await feed.has_code(row.address) for row in rows]):
                self.update(contracts=rows)
                return

    def _on_deployed(self, event: ContractsDeployed) -> None:
        rows = tuple(
            _contract(name, address, self._feed)
            for name, address in (("StakeVault", event.vault), ("LeagueAnchor", event.anchor))
        )
        self.update(contracts=rows)
        self._wake.set()

    def _on_status(self, event: DevnetChanged) -> None:
        self._take_status()
        self._wake.set()

    def _on_line(self, event: DevnetLine) -> None:
        self._lines.append(event.text)
        self.update(lines=self.state.lines + 1)

    def _take_status(self) -> None:
        seen = self._runtime.devnet.status
        status = NodeStatus(
            seen.state, seen.port, seen.url or "", seen.chain_id, seen.pid, seen.block, seen.version or "",
            seen.cause, seen.mining,
        )  # fmt: skip
        head = self._feed.blocks[0].number if self._feed is not None and self._feed.blocks else None
        if status.block is None and status.state == "running":
            status = NodeStatus(
                status.state, status.port, status.url, status.chain_id, status.pid, head, status.version,
                status.cause, status.mining,
            )  # fmt: skip
        self.update(status=status)
        if status.state == "stopped":
            self.update(contracts=(), accounts=())


def contract_rows(record: dict[str, Any], feed: ChainFeed) -> tuple[ContractRow, ...]:
    """Return the contracts of a stored deployment record."""
    pairs = (("StakeVault", record.get("vault")), ("LeagueAnchor", record.get("anchor")))
    return tuple(_contract(name, address, feed) for name, address in pairs if isinstance(address, str))


def _contract(name: str, address: str, feed: ChainFeed | None) -> ContractRow:
    made = None
    if feed is not None:
        made = next(
            (tx for tx in feed.transactions if tx.to.lower() == address.lower() and tx.call == "Contract creation"),
            None,
        )
    return ContractRow(
        name, address, made.hash if made else "", made.block if made else None, made.gas if made else None
    )
