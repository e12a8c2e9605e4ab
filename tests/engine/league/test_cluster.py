"""A league on a real scheduler with real worker processes on loopback; one is killed in mid-round."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.core.errors import EngineError
from engine.core.paths import DataDir, assets_dir
from engine.league.cluster import ClusterPool, _chosen, _key
from engine.league.config import AgentEntry, RoundConfig
from engine.league.errors import LeagueError
from engine.league.events import MatchesPlayed
from engine.league.gate import SyncGate
from engine.league.play import PlayBatch
from engine.league.schedule import Fixture
from engine.runtime import Runtime

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]
SNAKE = assets_dir() / "agents" / "snake"
ROOT = Path(__file__).resolve().parents[3]


class Cluster:
    """A scheduler and workers, each a process of its own."""

    def __init__(self, address: str, workers: list[asyncio.subprocess.Process]) -> None:
        self.address = address
        self.workers = workers


@contextlib.asynccontextmanager
async def cluster(folder: Path, workers: int) -> AsyncIterator[Cluster]:
    contact = folder / "scheduler.json"
    environment = os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "1"}
    common = ["--scheduler-file", str(contact), "--no-dashboard"]

    async def start(*words: str) -> asyncio.subprocess.Process:
        silent = asyncio.subprocess.DEVNULL
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "distributed.cli." + words[0],
            *words[1:],
            cwd=ROOT,
            env=environment,
            stdout=silent,
            stderr=silent,
        )

    async with contextlib.AsyncExitStack() as stack:

        async def started(*words: str) -> asyncio.subprocess.Process:
            process = await start(*words)
            stack.push_async_callback(ended, process)
            return process

        await started("dask_scheduler", "--host", "127.0.0.1", "--port", "0", *common)
        while not contact.exists() or not contact.read_text().strip():
            await asyncio.sleep(0.05)
        flags = [*common, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
        processes = [await started("dask_worker", *flags, "--name", f"w{n}") for n in range(workers)]
        import json

        yield Cluster(json.loads(contact.read_text())["address"], processes)


async def ended(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.terminate()
    await process.wait()


async def joined(address: str, workers: int) -> None:
    """Wait until the workers are there."""
    from distributed import Client

    async with Client(address, asynchronous=True) as client:
        await client.wait_for_workers(workers, timeout=60)


def config(address: str = "", **changes: object) -> RoundConfig:
    names = ("cautious", "greedy", "trapper", "sweeper")
    agents = tuple(AgentEntry(SNAKE / f"{name}.wasm") for name in names)
    return RoundConfig(**({"name": "grid", "matches": 60, "seed": 11, "agents": agents, "cluster": address} | changes))  # type: ignore[arg-type]


async def opened(folder: Path, name: str) -> Runtime:
    return await Runtime.open(DataDir.open(folder / name), workers=1)


async def test_the_cluster_gives_the_results_of_one_and_of_eight_workers(tmp_path: Path) -> None:
    hashes = set()
    for workers in (1, 8):
        async with await opened(tmp_path, f"local{workers}") as runtime:
            hashes.add((await runtime.league.run_round(config(workers=workers))).results_hash)
    async with cluster(tmp_path, 2) as grid, await opened(tmp_path, "grid") as runtime:
        await joined(grid.address, 2)
        result = await runtime.league.run_round(config(grid.address, recheck_percent=30))
        hashes.add(result.results_hash)
        assert result.done == 240
        assert 20 < runtime.league._cluster.rechecked < 140
    assert len(hashes) == 1
    compiled = list((tmp_path / "cache" / "nashboard" / "cluster").rglob("*"))
    assert compiled, "nodes keep what they compiled"


async def test_a_worker_killed_in_mid_round_loses_and_repeats_nothing(tmp_path: Path) -> None:
    async with await opened(tmp_path, "local") as runtime:
        expected = await runtime.league.run_round(config(matches=200))
    async with cluster(tmp_path, 2) as grid, await opened(tmp_path, "grid") as runtime:
        await joined(grid.address, 2)
        killed: list[int] = []

        def kill(event: MatchesPlayed) -> None:
            if not killed and event.done > 100:
                killed.append(event.done)
                grid.workers[0].send_signal(signal.SIGKILL)

        subscription = runtime.bus.subscribe(kill, MatchesPlayed)
        result = await runtime.league.run_round(config(grid.address, matches=200))
        subscription.close()
        assert killed and killed[0] < 800
        assert (result.results_hash, result.done) == (expected.results_hash, 800)


async def test_nobody_there_is_told_and_the_round_is_not_opened(tmp_path: Path) -> None:
    async with await opened(tmp_path, "alone") as runtime:
        for address in ("tcp://127.0.0.1:1", "nonsense://"):
            with pytest.raises(EngineError, match="cannot be reached"):
                await runtime.league.run_round(config(address))
        assert runtime.league.rounds() == []


async def test_a_machine_that_computes_otherwise_is_named(tmp_path: Path) -> None:
    class Wrong(ClusterPool):
        async def _submit(self, client: object, batch: PlayBatch, avoid: str = "") -> object:
            done = await super()._submit(client, batch, avoid)
            if avoid:
                done.rows[0] = type(done.rows[0])(**{**vars_of(done.rows[0]), "score_a": 99})
            return done

    with SyncGate() as gate:
        system = gate.check_file(assets_dir() / "systems" / "snake.wasm", "system").system()
        agent = gate.check_file(SNAKE / "greedy.wasm").agent()
    batch = PlayBatch(system, {0: agent}, 1_000_000, tmp_path, fixtures=(Fixture(0, 0, None, 5),))
    async with cluster(tmp_path, 2) as grid:
        await joined(grid.address, 2)
        pool = Wrong(grid.address, recheck_percent=100)
        try:
            with pytest.raises(LeagueError, match="disagree about match 0"):
                await pool.play(batch)
        finally:
            await pool.close()


def vars_of(row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__slots__}  # type: ignore[attr-defined]


def test_keys_and_shares_follow_from_the_matches_alone(tmp_path: Path) -> None:
    with SyncGate() as gate:
        system = gate.check_file(assets_dir() / "systems" / "snake.wasm", "system").system()
        agent = gate.check_file(SNAKE / "greedy.wasm").agent()
    fixtures = tuple(Fixture(index, 0, None, index * 7) for index in range(2000))
    batch = PlayBatch(system, {0: agent}, 10, tmp_path, fixtures=fixtures)
    other = PlayBatch(system, {0: agent}, 11, tmp_path / "x", fixtures=fixtures)
    assert _key(batch) == _key(PlayBatch(system, {0: agent}, 10, tmp_path / "y", fixtures=fixtures)) != _key(other)
    assert _chosen(batch, 0) == () and len(_chosen(batch, 100)) == 2000
    assert 130 < len(_chosen(batch, 10)) < 270
    assert set(_chosen(batch, 10)) <= set(_chosen(batch, 20))
