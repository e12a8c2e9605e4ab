"""The runtime: starts and stops the fields, and is the only place where they meet."""

from __future__ import annotations

import asyncio
import logging
import os
from pathlib import Path
from types import TracebackType

from engine.chain.anvil import Devnet
from engine.chain.events import DevnetChanged
from engine.chain.explorer import BlockWatcher
from engine.chain.session import Chain, Parts
from engine.chain.wallet import OPERATOR, Wallet, service_number
from engine.consensus.rounds.service import ConsensusService
from engine.core.bus import EventBus
from engine.core.errors import EngineError
from engine.core.jobs import Jobs
from engine.core.logs import BusHandler, log_to_file
from engine.core.memory import GiveBack, keep_large_apart
from engine.core.paths import DataDir, assets_dir
from engine.games.live import GameRuns
from engine.league.admission import Admissions
from engine.league.gate import Gate
from engine.league.league import League
from engine.league.roster import Roster
from engine.learning.service.service import LearnParts, LearnService
from engine.learning.staking import accounts as stakers
from engine.store.database import Store


class Runtime:
    """All of the engine on one data directory; an async context manager.

    Opening starts no process and connects to nothing: what costs is started when it is first asked for.
    """

    def __init__(
        self, data: DataDir, store: Store, *, workers: int | None, anvil: Path | None, wallet: Wallet | None = None
    ) -> None:
        self.data = data
        self.store = store
        self.bus = EventBus()
        self.jobs = Jobs(self.bus)
        self._memory = GiveBack(self.bus)
        self.games = GameRuns(self.bus, self.jobs)
        self.gate = Gate()
        self.wallet = wallet or Wallet.development()
        self.devnet = Devnet(data.devnet, self.bus, binary=anvil)
        self.workers = workers or os.cpu_count() or 1
        roster = Roster(store, self.wallet.address)
        admissions = Admissions(self.gate, roster, self.bus, assets_dir() / "systems")
        self.league = League(data, store, self.bus, admissions, roster, self.chain)
        self.consensus = ConsensusService(store, self.bus, self.jobs, self.wallet, self.chain, data.devnet)
        learning = LearnParts(store, self.bus, self.jobs, self.chain, data.cache, self.workers)
        self.learning = LearnService(learning, data.root / "learning")
        self._parts = Parts(store, self.bus, self.wallet, self._number_of)
        self._roster = roster
        self._chain: Chain | None = None
        self._watcher: BlockWatcher | None = None
        self.bus.subscribe(self._follow, DevnetChanged)
        self._connecting = asyncio.Lock()
        self._handlers: list[logging.Handler] = [log_to_file(data.logs), BusHandler(self.bus)]
        for handler in self._handlers:
            logging.getLogger("engine").addHandler(handler)

    @classmethod
    async def open(
        cls, data: DataDir, *, workers: int | None = None, anvil: Path | None = None, wallet: Wallet | None = None
    ) -> Runtime:
        """Open the store and wire the fields. Raises EngineError when the data directory cannot be used.

        ``wallet`` None: the development accounts, whose keys are public.
        """
        keep_large_apart()
        await asyncio.to_thread(Store.prepare, data.database)
        return cls(data, Store.open(data.database), workers=workers, anvil=anvil, wallet=wallet)

    async def __aenter__(self) -> Runtime:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End runs, jobs, workers, connections and the devnet that this runtime started, in this order."""
        await asyncio.gather(self.games.close(), self.consensus.close(), self.learning.close())
        await self.jobs.close()
        await self.league.close()
        await self.gate.close()
        await self._disconnect()
        await self.devnet.close()
        await self._end_watcher()
        await self._memory.close()
        self.store.close()
        for handler in self._handlers:
            logging.getLogger("engine").removeHandler(handler)
            handler.close()

    async def chain(self) -> Chain:
        """Return the running devnet's chain with the contracts on it. Raises EngineError when no devnet runs."""
        async with self._connecting:
            status = await self.devnet.refresh()
            if status.state != "running" or status.url is None:
                raise EngineError(
                    "No devnet runs", status.cause, "Start it on the Devnet page or by `nashboard devnet up`."
                )
            if self._chain is not None and self._chain.url == status.url and await self._chain.alive():
                return self._chain
            await self._disconnect()
            self._chain = await Chain.connect(status.url, self._parts)
            return self._chain

    def _number_of(self, address: str) -> int:
        """Return the wallet's account number of the operator, a service, an agent of any field or a validator."""
        record = None if address == self.wallet.address(OPERATOR) else self._roster.by_address(address)
        number = service_number(self.wallet, address) if record is None else record.account
        number = self.consensus.number_of(address) if number is None else number
        number = stakers.number_of(self.store.db, address) if number is None else number
        if number is None:
            raise EngineError("The wallet has no key for an account", address)
        return number

    def _follow(self, event: DevnetChanged) -> None:
        """Watch the blocks of a node that runs."""
        if event.state == "running" and event.url and (self._watcher is None or self._watcher.url != event.url):
            old, self._watcher = self._watcher, BlockWatcher(event.url, self.bus)
            if old is not None:
                old.cancel()

    async def _end_watcher(self) -> None:
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            await watcher.close()

    async def _disconnect(self) -> None:
        chain, self._chain = self._chain, None
        if chain is not None:
            await chain.close()
