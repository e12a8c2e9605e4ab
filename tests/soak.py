"""A soak: everything the program does, side by side, for a long time; and what grows is named.

    python tests/soak.py [MINUTES] [--window] [--csv FILE]

A devnet mines a block each second; leagues are played and settled one after another; games are watched live and agents
agree on tasks, on the chain too; a learning chain runs; the service is scraped and listened to. With ``--window`` all
of it is started where an operator starts it, by the console's view-models, its pages are turned, matches are replayed
and trees walked. Meanwhile memory, threads, file descriptors, child processes, tasks, timers and objects are counted.
The first part of the time is for warming up; after that the least of the first third is held against the least of the
last third. Exit status 1 names what grew, what failed, and what was left after the end.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs from anywhere

import aiohttp
import psutil

from engine.chain.control import INTERVAL
from engine.core.access import Access
from engine.core.errors import EngineError
from engine.core.paths import DataDir, assets_dir
from engine.league.config import AgentEntry, RoundConfig
from engine.runtime import Runtime
from engine.telemetry.routes import routes_of
from engine.telemetry.server import TelemetryServer
from tests.soak_watch import (
    ADVANCES,
    LASTING,
    LASTING_MOST_S,
    WARM,
    WARM_MOST_S,
    Sample,
    census,
    drawn,
    figures,
    grown,
    judge,
    left_over,
    memory_of,
    open_files,
    tell,
    timers,
    write,
)

SNAKES = ("greedy", "cautious", "sweeper")
REFUSED = 0.2  # share of turns that may end with a reason: a machine too busy for a deadline is no leak


class Soak:
    """The work, and what was done of it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.done = dict.fromkeys((*ADVANCES, "replays", "refused"), 0)
        self.turns = 0
        self.failures: list[str] = []
        self.reasons: list[str] = []
        self.lasting_s = LASTING_MOST_S
        self._started = time.monotonic()
        self._own = psutil.Process()
        self._drawn = -60.0, 0, 0

    def works(self) -> list[Callable[[int], Awaitable[None]]]:
        """Return what is done over and over, side by side; each gets the number of its turn."""
        return [self.league, self.game, self.agree, self.learn]

    async def begin(self) -> None:
        """Start the devnet, with a block a second, and the contracts on it."""
        await self.runtime.devnet.up()
        chain = await self.runtime.chain()
        assert chain.control is not None
        await chain.control.set_mining(INTERVAL, 1)

    async def loop(self, work: Callable[[int], Awaitable[None]]) -> None:
        """Do one kind of work until cancelled; a failure is kept and does not end the others."""
        turn = 0
        while True:
            turn += 1
            self.turns += 1
            try:
                await work(turn)
            except EngineError as error:
                self.reasons.append(f"{work.__name__} {turn}: {error}")
                self.done["refused"] += 1
                await asyncio.sleep(1)
            except Exception as error:
                self.failures.append(f"{work.__name__} {turn}: {error!r}")
                await asyncio.sleep(1)

    async def league(self, turn: int) -> None:
        """A round; every third is anchored. All are settled."""
        agents = tuple(AgentEntry(path) for path in snakes())
        config = RoundConfig(name="soak", matches=6, seed=turn, agents=agents)
        played = await self.runtime.league.run_round(config, anchor=turn % 3 == 0)
        await self.runtime.league.settle(played.round_id)
        self.done["rounds"] += 1

    async def game(self, turn: int) -> None:
        """A method that is watched while it works; every other one is stopped halfway."""
        from engine.games.catalogue import make
        from engine.games.live import RunRequest
        from engine.games.options import SolveOptions

        options = SolveOptions(epsilon=1e-9, iterations=200_000, seed=turn)
        run = await self.runtime.games.start(RunRequest(make("rps"), "rm", options, "soak"))
        if turn % 2:
            await asyncio.sleep(1)
            await run.cancel()
        await run.solution()
        self.done["games"] += 1
        await asyncio.sleep(1)

    async def agree(self, turn: int) -> None:
        """A round of consensus; every third on the chain."""
        from engine.consensus.agents.agent_file import default_agents
        from engine.consensus.config import ConsensusConfig
        from engine.consensus.rounds.service import RunSpec
        from engine.consensus.tasks import task_of

        task = task_of(json.loads((assets_dir() / "tasks" / "portfolio.json").read_text("utf-8")))
        spec = RunSpec(task, default_agents(task), ConsensusConfig(seed=turn), on_chain=turn % 3 == 0)
        await (await self.runtime.consensus.start(spec)).result()
        self.done["agreements"] += 1

    async def learn(self, turn: int) -> None:
        """A learning chain of eight validators, five epochs long."""
        from engine.learning.service.specs import LearnSpec

        settings = {"slots": 40, "round_every": 4, "gate_texts": 16, "seed": turn}
        run = await self.runtime.learning.start(LearnSpec("committee", settings))
        run.set_speed(4.0)
        await run.result()
        self.done["learned"] += 1

    async def listen(self, url: str) -> None:
        """Hear all events, come back now and then as a new client, and scrape in between."""
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.ws_connect(f"{url}/ws?events=") as socket:
                    until = time.monotonic() + 20
                    while time.monotonic() < until:
                        with contextlib.suppress(TimeoutError):
                            await socket.receive(timeout=1)
                            self.done["heard"] += 1
                async with session.get(f"{url}/metrics") as answer:
                    await answer.read()

    async def look(self) -> Sample:
        """Take a sample."""
        with contextlib.suppress(EngineError):
            chain = await self.runtime.chain()
            self.done["block"] = await chain.block_number()
        gc.collect()
        children = self._own.children(recursive=True)
        workers, anvil, passing = memory_of(children, self.lasting_s)
        return Sample(
            round(time.monotonic() - self._started, 1),
            _mib(self._own.memory_info().rss),
            _mib(workers),
            _mib(anvil),
            self._own.num_threads(),
            self._own.num_fds(),
            len(children),
            len(asyncio.all_tasks()),
            timers(),
            *self._seen(),
            len(gc.get_objects()) + gc.get_freeze_count(),  # what the console's collector leaves out is there too
            _mib(_size(self.runtime.data.root)),
            _mib(_size(self.runtime.data.logs)),
            **self.done,
            passing_rss=_mib(passing),
        )

    def _seen(self) -> tuple[int, int]:
        if time.monotonic() > self._drawn[0] + 60:
            self._drawn = time.monotonic(), *drawn()
        return self._drawn[1:]

    def faults(self) -> list[str]:
        """Return what went wrong: bugs, and refusals where there were too many of them."""
        found = self.failures[:10]
        if self.done["refused"] > max(3, REFUSED * self.turns):
            found += [f"{self.done['refused']} of {self.turns} turns were refused", *self.reasons[:10]]
        reports = sorted(self.runtime.data.logs.glob("crash-*.txt"))
        return found + [f"a crash was reported: {report.read_text('utf-8')}" for report in reports[:3]]


def snakes() -> list[Path]:
    """Return the agents that play."""
    return [assets_dir() / "agents" / "snake" / f"{name}.wasm" for name in SNAKES]


def _mib(number: float) -> float:
    return round(number / 2**20, 2)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


@contextlib.asynccontextmanager
async def headless(data: DataDir) -> AsyncIterator[Soak]:
    """Open the engine alone."""
    async with await Runtime.open(data, workers=1) as runtime:
        yield Soak(runtime)


async def soak(minutes: float, every: float, out: Path | None, *, window: bool) -> list[str]:
    """Run for that long and return what is wrong."""
    from tests.soak_window import windowed

    samples: list[Sample] = []
    files, counts = len(open_files()), []
    warm = min(minutes * 60 * WARM, WARM_MOST_S)
    with tempfile.TemporaryDirectory(prefix="nashboard-soak-") as folder:
        data = DataDir.open(Path(folder))
        async with (windowed if window else headless)(data) as work:
            work.lasting_s = min(warm * LASTING, LASTING_MOST_S)
            await work.begin()
            routes = routes_of(work.runtime.devnet, work.runtime.consensus, work.runtime.learning)
            async with TelemetryServer(work.runtime.bus, Access("127.0.0.1", None), routes) as server:
                await server.start("127.0.0.1", 0)
                loops = [work.loop(one) for one in work.works()]
                tasks = [asyncio.create_task(one) for one in (*loops, work.listen(server.url))]
                end = time.monotonic() + minutes * 60
                try:
                    while time.monotonic() < end:
                        await asyncio.sleep(every)
                        samples.append(await work.look())
                        tell(samples[-1])
                        if not counts and samples[-1].seconds >= warm:
                            counts.append(census())
                    counts.append(census())
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        closed = time.monotonic()
        faults = work.faults() + await left_over(files)
        told = figures(samples, warm)
        told["seconds to end in order"] = round(time.monotonic() - closed, 2)
        told["refused because"] = work.reasons
        told["types that became more"] = grown(counts[0], counts[-1])
    if out is not None:
        write(out, samples, told)
    print(json.dumps(told, indent=1), file=sys.stderr)
    return faults + judge(samples, warm)


def main() -> int:
    """Read the command line, run, and say what is wrong."""
    parser = argparse.ArgumentParser(description="Run everything at once and look for leaks.")
    parser.add_argument("minutes", type=float, nargs="?", default=30.0)
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="between two samples")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every sample there, and the figures beside it")
    parser.add_argument("--window", action="store_true", help="inside the console, off screen")
    given = parser.parse_args()
    factory: Any = None
    if given.window:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        from PySide6.QtWidgets import QApplication

        from app.loop import new_loop

        _app = QApplication(["soak"])
        factory = new_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        faults = runner.run(soak(given.minutes, given.every, given.csv, window=given.window))
    print("\n".join(faults) if faults else "Nothing grew, and nothing was left.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
