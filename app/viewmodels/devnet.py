"""The devnet: one-click start and stop, its accounts, contracts, blocks and transactions."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.errors import Notice
from app.viewmodels.base import ViewModel
from app.viewmodels.feed import ChainFeed
from engine.chain.abi import all_abis
from engine.chain.control import NodeControl
from engine.chain.deploy import Deployer
from engine.chain.errors import AnvilMissingError, PortBusyError
from engine.chain.events import BlockMined, ContractsDeployed, DevnetChanged, DevnetLine, TransactionMoved
from engine.chain.explorer import TransactionInfo
from engine.chain.state import StateNote
from engine.core.errors import EngineError

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.core.jobs import JobContext
    from engine.runtime import Runtime

_log = logging.getLogger(__name__)
PULSE = 0.5  # seconds between two looks at the node: its death shows within two
DEVELOPMENT_ACCOUNTS = 10


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """The node, as the engine last saw it. ``state``: stopped, starting, running, stopping, failed, foreign.

    ``mining`` is automine, interval (of ``interval`` seconds) or manual; ``saved`` what lies on the disk.
    """

    state: str = "stopped"
    port: int | None = None
    url: str = ""
    chain_id: int | None = None
    pid: int | None = None
    block: int | None = None
    version: str = ""
    mining: str = ""
    interval: int = 0
    saved: StateNote | None = None
    cause: str = ""


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
    """``tried`` are the paths without an Anvil, ``alternatives`` free ports; ``revision`` counts the feed's changes.

    ``port_problem`` says why what stands in the port's field is no port. ``shown`` is the hash of the transaction that
    is looked at, ``detail`` what it is: None while it is read, or where this chain has none of that hash (``lost``).
    """

    status: NodeStatus = NodeStatus()
    port: int | None = None
    chain_id: int = 31337
    tried: tuple[str, ...] = ()
    alternatives: tuple[int, ...] = ()
    port_error: str = ""
    port_problem: str = ""
    busy: str = ""
    accounts: tuple[AccountRow, ...] = ()
    contracts: tuple[ContractRow, ...] = ()
    revision: int = 0
    lines: int = 0
    shown: str = ""
    detail: TransactionInfo | None = None
    lost: bool = False


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
        bridge.subscribe(lambda event: self._wake.set(), ContractsDeployed)
        bridge.subscribe(self._on_line, DevnetLine)
        self._take_status()

    def follow(self) -> None:
        """Begin to look at the node. Not before the pages stand: the imports that it takes compete with them."""
        self.start(self._follow(), "Following the devnet")

    @property
    def feed(self) -> ChainFeed | None:
        """Blocks and transactions of the running node."""
        return self._feed

    def set_port(self, port: int | None) -> None:
        """Choose the port; None: any free one."""
        self.update(port=port, port_error="", port_problem="", alternatives=())

    def refuse_port(self, why: str) -> None:
        """Note that what was typed is no port: starting on the one before would change it silently."""
        self.update(port_problem=why)

    def set_mining(self, mode: str, seconds: int = 1) -> None:
        """Change how blocks come about: automine, interval or manual."""
        self._tell_node(lambda control: control.set_mining(mode, seconds), "Changing the mining")

    def mine(self) -> None:
        """Mine a block now."""
        self._tell_node(lambda control: control.mine(), "Mining a block")

    def inspect(self, digest: str) -> None:
        """Look at a transaction: its call, events and error decoded."""
        if digest != self.state.shown or self.state.lost:
            self.update(shown=digest, detail=None, lost=False)
            self.start(self._inspect(digest), "Reading a transaction", key="devnet")

    def forget(self) -> None:
        """Look at no transaction any more."""
        self.update(shown="", detail=None, lost=False)

    def up(self) -> None:
        """Start the node; pressing again while it starts does nothing."""
        if self.state.port_problem:
            text = f"{self.state.port_problem} Mend the port, or leave it empty for any free one."
            self.bridge.notify(Notice("warn", "The devnet was not started", text, key="devnet"))
        elif not self.state.busy and self.state.status.state not in ("running", "starting"):
            self.update(busy="Starting", tried=(), alternatives=(), port_error="")
            self.start(self._up(), "Starting the devnet", key="devnet")

    async def start_node(self) -> None:
        """Start the node as a job: reading the state of a long chain takes a while. Raises EngineError."""

        async def work(job: JobContext) -> None:
            job.progress(0, 2, "Getting ready")
            await asyncio.to_thread(_prepare)
            job.progress(1, 2, "Waiting for Anvil")
            await self._runtime.devnet.up(port=self.state.port, chain_id=self.state.chain_id)

        await self._runtime.jobs.run("Start the devnet", work)

    def down(self) -> None:
        """Stop the node; it saves its state first."""
        if not self.state.busy and self.state.status.state == "running":
            self.update(busy="Stopping")

            async def work() -> None:
                await self._runtime.jobs.run("Stop the devnet", lambda job: self._runtime.devnet.down())

            self.start(self._work(work), "Stopping the devnet", key="devnet")

    def deploy(self) -> None:
        """Put the contracts on the chain; those that are there stay."""
        if not self.state.busy:
            self.update(busy="Deploying")

            async def work() -> None:
                await self._runtime.jobs.run("Deploy the contracts", lambda job: self._runtime.chain())

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
            await self.start_node()
        except AnvilMissingError as error:
            self.update(tried=tuple(str(path) for path in error.data.get("tried", ())))
            raise
        except PortBusyError as error:
            self.update(port_error=error.why or error.what, alternatives=tuple(error.data.get("alternatives", ())))
        finally:
            self.update(busy="")
            self._take_status()
            self._wake.set()

    def _tell_node(self, say: Callable[[NodeControl], Awaitable[None]], name: str) -> None:
        """Tell the running node something that only a development node takes, then look at it again."""

        async def work() -> None:
            if self._feed is not None and self.state.status.state == "running":
                await say(NodeControl(self._feed.rpc))
                await self._runtime.devnet.refresh()
                self._take_status()
                self._wake.set()

        self.start(work(), name, key="devnet")

    async def _inspect(self, digest: str) -> None:
        found = None
        with contextlib.suppress(EngineError):  # the chain went, or knows no such hash: both are shown as lost
            found = await self._feed.inspect(digest) if self._feed is not None else None
        if self.state.shown == digest:
            self.update(detail=found, lost=found is None)

    async def _work(self, call: Any) -> None:
        try:
            await call()
        finally:
            self.update(busy="")
            self._take_status()
            self._wake.set()

    async def _follow(self) -> None:
        if (self._runtime.devnet.folder / "node.json").exists():  # a node that was left running is asked at once
            await asyncio.to_thread(_prepare)
        while True:
            try:
                await self._runtime.devnet.refresh()
                self._take_status()
                await self._read()
            except EngineError:
                # The node went away between two requests: the next look says what became of it.
                _log.info("the devnet did not answer", exc_info=True)
            self._wake.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PULSE):
                    await self._wake.wait()

    async def _read(self) -> None:
        status = self.state.status
        if status.state != "running" or not status.url:
            return
        if self._feed is None or self._feed.url != status.url:
            await self.close()
            await asyncio.to_thread(_prepare)
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
        """Show the contracts that this chain has, whoever deployed them here and when."""
        found = await Deployer(feed.rpc, self._runtime.store, self._runtime.wallet).find()
        if found is not None:
            rows = (ContractRow(c.name, c.address, c.tx, c.block, c.gas_used) for c in found.contracts)
            self.update(contracts=tuple(rows))

    def _on_status(self, event: DevnetChanged) -> None:
        self._take_status()
        self._wake.set()

    def _on_line(self, event: DevnetLine) -> None:
        self._lines.append(event.text)
        self.update(lines=self.state.lines + 1)

    def _take_status(self) -> None:
        seen = self._runtime.devnet.status
        head = self._feed.blocks[0].number if self._feed is not None and self._feed.blocks else None
        block = seen.block if head is None else max(head, seen.block or 0)
        status = NodeStatus(
            state=seen.state,
            port=seen.port,
            url=seen.url or "",
            chain_id=seen.chain_id,
            pid=seen.pid,
            block=block if seen.state == "running" else None,
            version=seen.version or "",
            mining=seen.mining,
            interval=seen.interval,
            saved=self._runtime.devnet.saved if seen.state in ("stopped", "failed") else None,
            cause=seen.cause,
        )
        self.update(status=status)
        if status.state not in ("running", "starting"):
            self.update(contracts=(), accounts=())


def _prepare() -> None:
    """Import and read what a node is talked to with: on the loop it would hold the window up.

    Half a second and forty megabytes; later calls cost nothing.
    """
    for name in ("aiohttp", "eth_account"):
        importlib.import_module(name)
    list(all_abis())
