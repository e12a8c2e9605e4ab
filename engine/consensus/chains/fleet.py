"""The chains of a cross-chain consensus: an Anvil each, with the chain's own id, or nodes that run elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from filelock import FileLock, Timeout

from engine.chain.anvil import Devnet
from engine.chain.errors import WrongChainError
from engine.chain.rpc import Rpc
from engine.chain.session import Chain, Parts
from engine.consensus.errors import ConsensusError
from engine.core.bus import EventBus
from engine.core.errors import EngineError

CHAIN_IDS = {"ethereum": 1, "polygon": 137, "arbitrum": 42161}
PATIENCE = 60.0  # seconds that a chain gets for one step


class ChainFleet:
    """The chains by name, connected; an async context manager that ends what it started on every path.

    Chains without an address in ``urls`` are Anvils that keep their state in ``folder``. A chain that cannot be had is
    named in ``down`` with the reason; the others go on. Raises ConsensusError for names that are not known, and when
    another program uses the folder.
    """

    def __init__(
        self, folder: Path, chains: Sequence[str], parts: Parts, urls: Mapping[str, str] | None = None
    ) -> None:
        self.names = checked_chains(chains)
        self.chains: dict[str, Chain] = {}
        self.down: dict[str, str] = {}
        self._urls = dict(urls or {})
        # The nodes of a fleet are not the program's devnet: their events stay among themselves.
        self._parts = replace(parts, bus=EventBus())
        self._folder = folder
        self._devnets: list[Devnet] = []
        self._lock = FileLock(folder / "fleet.lock", timeout=0)

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout as error:
            raise ConsensusError(
                "Another cross-chain round is running", f"it uses the nodes in {self._folder}", "Wait for its end."
            ) from error
        try:
            for name in self.names:
                await self._add(name)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _add(self, name: str) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                url = self._urls.get(name) or await self._start(name)
                await _require_id(url, name)
                self.chains[name] = await Chain.connect(url, self._parts)
        except TimeoutError:
            self.down[name] = f"it did not answer within {PATIENCE:g} s"
        except EngineError as error:
            self.down[name] = str(error)

    async def _start(self, name: str) -> str:
        devnet = Devnet(self._folder / name, EventBus())
        devnet.folder.mkdir(parents=True, exist_ok=True)
        self._devnets.append(devnet)
        status = await devnet.up(chain_id=CHAIN_IDS[name])
        assert status.url is not None
        return status.url

    async def _close(self) -> None:
        """Close all, whatever fails; who cancels it meanwhile waits for that."""
        closing, cancelled = asyncio.ensure_future(self._close_all()), None
        while not closing.done():
            try:
                await asyncio.shield(closing)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def _close_all(self) -> None:
        try:
            await asyncio.gather(*(chain.close() for chain in self.chains.values()), return_exceptions=True)
            self.chains.clear()
            await asyncio.gather(*(devnet.close() for devnet in self._devnets), return_exceptions=True)
            self._devnets.clear()
        finally:
            self._lock.release()


def checked_chains(chains: Sequence[str]) -> tuple[str, ...]:
    """Return the names of chains. Raises ConsensusError for unknown ones, one given twice, or none."""
    names = tuple(chains) if not isinstance(chains, str) else (chains,)
    unknown = [name for name in names if name not in CHAIN_IDS]
    if unknown or not names:
        raise ConsensusError(
            f"There is no chain {unknown[0]!r:.60}" if unknown else "There are no chains",
            f"known: {', '.join(CHAIN_IDS)}",
        )
    if len(set(names)) < len(names):
        raise ConsensusError("A chain is named twice", ", ".join(names))
    return names


async def _require_id(url: str, name: str) -> None:
    """Refuse a node of another chain before anything is put on it."""
    rpc = Rpc(url)
    try:
        found = await rpc.chain_id()
    finally:
        await rpc.close()
    if found != CHAIN_IDS[name]:
        raise WrongChainError(
            f"The node for {name} is of another chain", f"its id is {found}, that of {name} is {CHAIN_IDS[name]}"
        )
