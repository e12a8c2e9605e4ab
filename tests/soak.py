"""Everything at once for a long time: does memory stay bounded, and does nothing leak?

    python tests/soak.py 30                   # half an hour
    python tests/soak.py 3 --csv soak.csv     # every sample in a file
    python tests/soak.py 3 --window           # the same inside the console, drawn off screen

A devnet mines a block a second; leagues are played, anchored and settled one after the other; a method is watched live
and agents agree on tasks, on the chain too; a learning chain runs; the service is scraped and listened to. Meanwhile
memory, threads, file descriptors, child processes, tasks and timers are counted. The first part of the time is for
warming up; after that the least of the first third is held against the least of the last third. Exit status 1 names
what grew.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import csv
import gc
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # so that it runs from anywhere

import aiohttp
import psutil

from engine.chain.control import INTERVAL
from engine.core.access import Access
from engine.core.paths import DataDir, assets_dir
from engine.league.config import AgentEntry, RoundConfig
from engine.runtime import Runtime
from engine.telemetry.routes import routes_of
from engine.telemetry.server import TelemetryServer

WARM = 0.25  # share of the time that is not judged
WARM_MOST_S = 180.0
SNAKES = ("greedy", "cautious", "sweeper")


@dataclass(frozen=True, slots=True)
class Sample:
    """One look: memory in MiB, what is open, and how much was done until then."""

    seconds: float
    rss: float  # of this process
    workers_rss: float  # of its children but Anvil
    anvil_rss: float
    threads: int
    fds: int
    children: int
    tasks: int
    timers: int  # of Qt, with --window
    widgets: int
    disk: float  # of the data directory
    log: float
    block: int
    rounds: int
    agreements: int
    games: int
    learned: int
    heard: int


@dataclass(frozen=True, slots=True)
class Bound:
    """What may be added between the first and the last third: ``room``, or ``share`` of what there was."""

    room: float
    share: float = 0.0


BOUNDS = {
    "rss": Bound(48, 0.10),
    "workers_rss": Bound(64, 0.15),
    "anvil_rss": Bound(256, 1.0),  # it keeps every block and the states around the last ones
    "threads": Bound(4),
    "fds": Bound(8),
    "children": Bound(2),
    "tasks": Bound(6),
    "timers": Bound(3),
    "widgets": Bound(60, 0.05),
    "log": Bound(25),
}
ADVANCES = ("block", "rounds", "agreements", "games", "learned", "heard")


def judge(samples: list[Sample], warm_s: float) -> list[str]:
    """Return what grew beyond its bound, and what stood still; nothing when all is well.

    The least of a third is what stays when work comes and goes: a peak is no leak.
    """
    steady = [sample for sample in samples if sample.seconds >= warm_s]
    third = len(steady) // 3
    if third < 2:
        return [f"only {len(steady)} samples after {warm_s:.0f} s of warming up: run it for longer"]
    faults = []
    for name, bound in BOUNDS.items():
        before, after = (min(getattr(s, name) for s in part) for part in (steady[:third], steady[-third:]))
        most = before + max(bound.room, bound.share * before)
        if after > most:
            faults.append(f"{name} grew from {before:g} to {after:g}; at most {most:g} is allowed")
    still = [name for name in ADVANCES if getattr(samples[-1], name) <= getattr(samples[0], name)]
    return faults + [f"{name} stood still at {getattr(samples[-1], name)}" for name in still]


class Soak:
    """The work, and what was done of it."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.done = dict.fromkeys(ADVANCES, 0)
        self.failures: list[str] = []
        self._started = time.monotonic()
        self._own = psutil.Process()

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
            try:
                await work(turn)
            except Exception as error:
                self.failures.append(f"{work.__name__} {turn}: {error!r}")
                await asyncio.sleep(1)

    async def league(self, turn: int) -> None:
        """A round; every third is anchored. All are settled."""
        agents = tuple(AgentEntry(assets_dir() / "agents" / "snake" / f"{name}.wasm") for name in SNAKES)
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
        chain = await self.runtime.chain()
        self.done["block"] = await chain.block_number()
        gc.collect()
        memory = {"workers": 0, "anvil": 0}
        children = self._own.children(recursive=True)
        for child in children:
            with contextlib.suppress(psutil.Error):
                memory["anvil" if "anvil" in child.name() else "workers"] += child.memory_info().rss
        return Sample(
            round(time.monotonic() - self._started, 1),
            _mib(self._own.memory_info().rss),
            _mib(memory["workers"]),
            _mib(memory["anvil"]),
            threading.active_count(),
            self._own.num_fds(),
            len(children),
            len(asyncio.all_tasks()),
            *_drawn(),
            _mib(_size(self.runtime.data.root)),
            _mib(_size(self.runtime.data.logs)),
            **self.done,
        )


def _mib(number: float) -> float:
    return round(number / 2**20, 2)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _drawn() -> tuple[int, int]:
    """Count Qt's running timers and its widgets, where there is a window."""
    if "PySide6.QtWidgets" not in sys.modules:
        return 0, 0
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication

    widgets = QApplication.allWidgets()
    return sum(t.isActive() for w in widgets for t in w.findChildren(QTimer)), len(widgets)


@contextlib.asynccontextmanager
async def headless(data: DataDir) -> AsyncIterator[Runtime]:
    """Open the engine alone."""
    async with await Runtime.open(data, workers=1) as runtime:
        yield runtime


@contextlib.asynccontextmanager
async def windowed(data: DataDir) -> AsyncIterator[Runtime]:
    """Open the console, its pages turned every few seconds."""
    from PySide6.QtWidgets import QApplication

    from app.console import Console
    from app.links import Place

    app = QApplication.instance()
    assert isinstance(app, QApplication)
    app.setQuitOnLastWindowClosed(False)
    console = Console(app, data)
    running = asyncio.create_task(console.run([]))
    await console.wait_ready()
    wiring = console.wiring
    assert wiring is not None

    async def turn() -> None:
        while True:
            for page in wiring.pages:
                wiring.navigator.go(Place(page))
                await asyncio.sleep(3)

    turning = asyncio.create_task(turn())
    try:
        yield wiring.runtime
    finally:
        turning.cancel()
        await asyncio.gather(turning, return_exceptions=True)
        console.close()
        await running


async def soak(minutes: float, every: float, out: Path | None, *, window: bool) -> list[str]:
    """Run for that long and return what is wrong."""
    samples: list[Sample] = []
    end = time.monotonic() + minutes * 60
    with tempfile.TemporaryDirectory(prefix="nashboard-soak-") as folder:
        data = DataDir.open(Path(folder))
        async with (windowed if window else headless)(data) as runtime:
            work = Soak(runtime)
            await work.begin()
            routes = routes_of(runtime.devnet, runtime.consensus, runtime.learning)
            async with TelemetryServer(runtime.bus, Access("127.0.0.1", None), routes) as server:
                await server.start("127.0.0.1", 0)
                loops = [work.loop(one) for one in work.works()]
                tasks = [asyncio.create_task(one) for one in (*loops, work.listen(server.url))]
                try:
                    while time.monotonic() < end:
                        await asyncio.sleep(every)
                        samples.append(await work.look())
                        _tell(samples[-1])
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
        faults = work.failures[:10] + await _left_over(window)
    if out is not None:
        _write(out, samples)
    return faults + judge(samples, min(minutes * 60 * WARM, WARM_MOST_S))


async def _left_over(window: bool) -> list[str]:
    """Return what is still there after everything was closed."""
    deadline = time.monotonic() + 5
    while True:
        own = ("resource_tracker", "forkserver")
        left = [child for child in psutil.Process().children(recursive=True) if not _is_one_of(child, own)]
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        threads = [t.name for t in threading.enumerate() if not t.daemon and t is not threading.main_thread()]
        threads = [name for name in threads if not name.startswith("asyncio_")]  # the loop's own pool stays
        if not (left or tasks or threads) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.1)
    faults = [f"a child process was left: {child}" for child in left]
    return (
        faults + [f"a task was left: {task!r}" for task in tasks] + [f"a thread was left: {name}" for name in threads]
    )


def _is_one_of(child: psutil.Process, names: tuple[str, ...]) -> bool:
    try:
        command = " ".join(child.cmdline())
        return child.status() == psutil.STATUS_ZOMBIE or any(name in command for name in names)
    except psutil.Error:
        return True


def _tell(sample: Sample) -> None:
    s = sample
    print(
        f"{s.seconds:7.0f} s  {s.rss:6.0f} MiB +{s.workers_rss:5.0f} +{s.anvil_rss:5.0f} Anvil  "
        f"{s.threads:3} threads {s.fds:4} fds {s.children:2} children {s.tasks:3} tasks  "
        f"block {s.block}  {s.rounds} rounds {s.games} games {s.agreements} agreements {s.learned} chains",
        file=sys.stderr,
        flush=True,
    )


def _write(out: Path, samples: list[Sample]) -> None:
    with out.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, [field.name for field in fields(Sample)])
        table.writeheader()
        table.writerows(asdict(sample) for sample in samples)


def main() -> int:
    """Read the command line, run, and say what is wrong."""
    parser = argparse.ArgumentParser(description="Run everything at once and look for leaks.")
    parser.add_argument("minutes", type=float, nargs="?", default=30.0)
    parser.add_argument("--every", type=float, default=5.0, metavar="SECONDS", help="between two samples")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write every sample there")
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
