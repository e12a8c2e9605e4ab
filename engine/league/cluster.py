"""Matches on a ``dask.distributed`` cluster: ``--cluster tcp://host:8786``.

1. Modules travel once, as data keyed by their hash; a worker that needs one fetches it from a peer that has it.
2. A node compiles a module once: the compiled code lies in the node's own cache, shared by its workers.
3. A task's key is a hash of all that decides its matches. So a lost worker's unfinished tasks are played by another,
finished ones are not repeated, and what two clients ask for is played once.
4. A share of the matches is played again on another worker and compared: a machine that computes otherwise is named.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from platformdirs import user_cache_path

from engine.core.errors import DependencyError
from engine.core.hashing import canonical_json
from engine.league.errors import LeagueError
from engine.league.gate.limits import GATE_VERSION
from engine.league.gate.verdict import AgentImage, SystemImage
from engine.league.history import MatchRow
from engine.league.play import TRIES, PlayBatch, play_batch
from engine.league.schedule import Fixture

CONNECT_SECONDS: Final = 10


class _DataLostError(LeagueError):
    """The workers that held what a task needs are gone."""


@dataclass(frozen=True, slots=True)
class Played:
    """What a worker gives back: the rows, and its address."""

    rows: list[MatchRow]
    worker: str


def node_cache() -> Path:
    """Return where a node keeps what it compiled; all its workers share it."""
    return user_cache_path("nashboard") / "cluster"


def play_on_node(batch: PlayBatch, modules: dict[str, bytes]) -> Played:
    """Play a batch whose modules came apart from it. Runs on the cluster."""
    from distributed import get_worker

    system = replace(batch.system, module=modules[batch.system.sha256])
    agents = {seat: replace(image, module=modules[image.sha256]) for seat, image in batch.agents.items()}
    rows = play_batch(replace(batch, system=system, agents=agents, cache=node_cache()))
    return Played(rows, str(get_worker().address))


class ClusterPool:
    """Plays batches on the workers of a scheduler; connects when first needed. ``recheck_percent`` of the matches are
    played twice, on different workers."""

    def __init__(self, address: str, *, recheck_percent: int = 0) -> None:
        self._address = address
        self._percent = recheck_percent
        self._client: Any = None
        self._connecting = asyncio.Lock()
        self._modules: dict[str, Any] = {}
        self._workers = 1
        self.rechecked = 0

    @property
    def size(self) -> int:
        """How many threads the cluster had when we connected."""
        return self._workers

    async def connect(self) -> None:
        """Reach the scheduler. Raises LeagueError when it or its workers cannot be reached."""
        await self._connect()

    async def play(self, batch: PlayBatch) -> list[MatchRow]:
        """Return the rows of the batch's fixtures, in order. Raises LeagueError when they cannot be played."""
        client = await self._connect()
        try:
            done = await self._insist(client, batch)
            chosen = _chosen(batch, self._percent)
            if chosen:
                await self._compare(client, replace(batch, fixtures=chosen), done)
        except (OSError, TimeoutError) as error:
            raise self._lost(error) from error
        return done.rows

    def drop(self) -> None:
        """Forget the shipped modules; the cluster is not ours to end."""
        self._modules.clear()

    async def close(self) -> None:
        """Leave the cluster."""
        client, self._client = self._client, None
        self._modules.clear()
        if client is not None:
            await client.close()

    # Inside

    async def _connect(self) -> Any:
        async with self._connecting:
            if self._client is None:
                self._client = await self._reached()
            return self._client

    async def _reached(self) -> Any:
        """Return a client of the scheduler; one that does not reach it is closed again."""
        try:
            import distributed
        except ImportError as error:
            what = "A cluster needs the package distributed"
            raise DependencyError(what, str(error), "Install nashboard[cluster].") from error
        client_of: Any = distributed.Client
        client = None
        try:
            client = client_of(self._address, asynchronous=True, timeout=CONNECT_SECONDS)
            await client
            self._workers = max(1, sum((await client.nthreads()).values()))
        except (OSError, TimeoutError, ValueError) as error:
            if client is not None:
                await client.close()
            raise self._lost(error) from error
        return client

    async def _insist(self, client: Any, batch: PlayBatch) -> Played:
        """Play a batch; when the workers that held a module are gone, send it to those that are left."""
        for _ in range(TRIES - 1):
            try:
                return await self._submit(client, batch)
            except _DataLostError:
                self._modules.clear()
        return await self._submit(client, batch)

    async def _submit(self, client: Any, batch: PlayBatch, avoid: str = "") -> Played:
        images: list[AgentImage | SystemImage] = [batch.system, *batch.agents.values()]
        modules = {image.sha256: await self._shipped(client, image) for image in images}
        light = replace(
            batch,
            system=replace(batch.system, module=b""),
            agents={seat: replace(image, module=b"") for seat, image in batch.agents.items()},
            cache=Path(),
        )
        others = [worker for worker in await client.nthreads() if worker != avoid] if avoid else None
        future = client.submit(
            play_on_node,
            light,
            modules,
            key=f"nashboard-{'again' if avoid else 'match'}-{_key(batch)}",
            workers=others,
            retries=0,
            pure=False,
        )
        try:
            done: Played = await future
            return done
        except Exception as error:
            raise _failed(error) from error
        finally:
            future.release()

    async def _shipped(self, client: Any, image: AgentImage | SystemImage) -> Any:
        """Return the module as data on the cluster, sent there once."""
        key = f"nashboard-module-{image.sha256}-{sha256(image.module).hexdigest()}"
        if key not in self._modules:
            self._modules[key] = asyncio.ensure_future(self._send(client, key, image.module))
        return await self._modules[key]

    async def _send(self, client: Any, key: str, module: bytes) -> Any:
        found = await client.scatter({key: module}, broadcast=True)
        return found[key]

    async def _compare(self, client: Any, batch: PlayBatch, first: Played) -> None:
        """Play some matches again elsewhere. Raises LeagueError when another machine gets something else."""
        if len(await client.nthreads()) < 2:
            return
        again = await self._submit(client, batch, avoid=first.worker)
        expected = {row.fixture: row for row in first.rows}
        self.rechecked += len(again.rows)
        for row in again.rows:
            if row != expected[row.fixture]:
                raise LeagueError(
                    f"Two machines of the cluster disagree about match {row.fixture}",
                    f"{first.worker} and {again.worker} played it with different results",
                    "Nothing of it is stored. Take one of them out, then resume the round.",
                )

    def _lost(self, error: Exception) -> LeagueError:
        return LeagueError(
            f"The cluster at {self._address} cannot be reached",
            str(error) or type(error).__name__,
            "Start the scheduler and at least one worker, then resume the round: no match is lost.",
        )


def _key(batch: PlayBatch) -> str:
    """Return a hash of everything that decides the batch's rows."""
    value = {
        "gate": GATE_VERSION,
        "system": [batch.system.sha256, sha256(batch.system.module).hexdigest()],
        "agents": {str(seat): image.sha256 for seat, image in batch.agents.items()},
        "budget": batch.budget,
        "params": dict(batch.params),
        "fixtures": [[f.index, f.a, f.b, f.seed, f.stage] for f in batch.fixtures],
    }
    return sha256(canonical_json(value)).hexdigest()


def _chosen(batch: PlayBatch, percent: int) -> tuple[Fixture, ...]:
    """Return the matches to play again: a share that nobody can foresee from the outside, yet always the same."""

    def drawn(fixture: Fixture) -> bool:
        value = sha256(f"nashboard/recheck/{batch.system.sha256}/{fixture.index}/{fixture.seed}".encode()).digest()
        return int.from_bytes(value[:4], "big") * 100 < percent * 2**32

    return tuple(fixture for fixture in batch.fixtures if drawn(fixture))


def _failed(error: Exception) -> Exception:
    """Translate what the cluster raised."""
    from distributed import KilledWorker
    from distributed.client import FutureCancelledError

    if isinstance(error, KilledWorker):
        why = "several workers died while they played it"
        return LeagueError("A match could not be played on the cluster", why, "See the workers' logs, then resume.")
    if isinstance(error, FutureCancelledError):
        return _DataLostError("The cluster dropped a match", str(error), "Resume the round: no match is lost.")
    return error
