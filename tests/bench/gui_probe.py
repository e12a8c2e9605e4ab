"""A real console that measures itself: started by ``gui_console.py`` as a process of its own.

    python tests/bench/gui_probe.py MODE FOLDER STARTED [SECONDS]

``STARTED`` is the parent's CLOCK_MONOTONIC just before the process was made. One JSON line goes to stdout for each
thing that was measured; the last says when the console was told to end, from which the parent times the shutdown.
"""

from __future__ import annotations

import asyncio
import json
import linecache
import os
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

TICK = 0.005  # seconds between two looks at the loop
HEAVY = (
    "torch",
    "web3",
    "transformers",
    "scipy",
    "pyqtgraph",
    "numpy",
    "pandas",
    "matplotlib",
    "eth_account",
    "wasmtime",
    "pydantic",
    "typer",
    "importlib.metadata",
)
THOUSAND = {"validators": 1000, "slots": 320, "round_every": 4, "gate_texts": 16, "reveal": False, "canary_rate": 0.0}
EIGHT = {"validators": 8, "slots": 4000, "round_every": 4, "gate_texts": 16}
SNAKES = ("greedy", "cautious", "sweeper")


class Watch:
    """How late the loop comes, every few milliseconds; and how much of that was the loop's own work."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.work: list[float] = []
        self._task = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        while True:
            before, worked = time.perf_counter(), time.thread_time()
            await asyncio.sleep(TICK)
            self.late.append(max(0.0, time.perf_counter() - before - TICK) * 1e3)
            self.work.append((time.thread_time() - worked) * 1e3)

    def stop(self) -> dict[str, list[float]]:
        """End it; milliseconds of lateness and of the loop's own processor time, a turn each."""
        self._task.cancel()
        return {"late": [round(v, 3) for v in self.late], "work": [round(v, 3) for v in self.work]}


def tell(**values: Any) -> None:
    """Write a line for the parent."""
    print(json.dumps(values), flush=True)


def resident() -> float:
    """Resident memory of this process in MiB."""
    import psutil

    return float(psutil.Process().memory_info().rss) / 2**20


def loaded() -> list[str]:
    """Return which heavy modules are imported."""
    return [name for name in HEAVY if name in sys.modules]


class Probe:
    """Wraps the console's life without changing it."""

    def __init__(self, mode: str, folder: Path, started: float, seconds: float) -> None:
        self.mode, self.folder, self.started, self.seconds = mode, folder, started, seconds
        self.console: Any = None
        self.painted = 0.0
        self.watch: Watch | None = None

    def run(self) -> int:
        """Start the program as its entry does."""
        from PySide6.QtCore import QEvent, QObject, QTimer

        from app import console as module
        from app.entry import run

        probe, original = self, module.Console.run

        class Eye(QObject):
            def eventFilter(self, watched: QObject, event: QEvent) -> bool:
                if event.type() == QEvent.Type.Paint and not probe.painted:
                    probe.painted = time.monotonic()
                    QTimer.singleShot(0, probe.first_paint)  # by then it is on the screen
                return False

        async def wrapped(console: Any, files: list[Path]) -> int:
            probe.console, probe.eye = console, Eye()  # type: ignore[attr-defined]
            console.window.installEventFilter(probe.eye)  # type: ignore[attr-defined]
            driver = asyncio.ensure_future(probe.drive())
            try:
                return int(await original(console, files))
            finally:
                driver.cancel()

        module.Console.run = wrapped  # type: ignore[method-assign]
        return run(["--data-dir", str(self.folder), "gui"])

    def first_paint(self) -> None:
        """Note the first frame, and watch the loop from there on."""
        tell(what="paint", seconds=time.monotonic() - self.started, cpu=time.process_time(), modules=loaded())
        self.watch = Watch()

    async def drive(self) -> None:
        """Wait until the pages are there, then do what the mode says and leave."""
        console = self.console
        try:
            await console.wait_ready()
            await asyncio.sleep(0)
            ready = time.monotonic() - self.started
            assert self.watch is not None
            read = len(linecache.cache)
            tell(what="ready", seconds=ready, rss=resident(), modules=loaded(), sources=read, **self.watch.stop())
            await MODES[self.mode](console.wiring, self)
        except BaseException as error:
            tell(what="failed", why=repr(error))
            raise
        finally:
            tell(what="closing", at=time.monotonic())
            console.close()


async def until(condition: Callable[[], Any], seconds: float = 120.0) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


async def nothing(wiring: Any, probe: Probe) -> None:
    """Leave again."""


async def pages(wiring: Any, probe: Probe) -> None:
    """Open every page and every tab on it; say what that takes."""
    from PySide6.QtWidgets import QTabWidget

    from app.links import Place

    await asyncio.sleep(0.5)
    for key, page in wiring.pages.items():
        wiring.navigator.go(Place(key))
        await asyncio.sleep(0.15)
        for tabs in page.findChildren(QTabWidget):
            if tabs.isVisible():
                for index in range(tabs.count()):
                    tabs.setCurrentIndex(index)
                    await asyncio.sleep(0.05)
    await asyncio.sleep(0.3)
    tell(what="pages", rss=resident(), modules=loaded(), threads=threading.active_count())


async def jobs(wiring: Any, probe: Probe) -> None:
    """A devnet, a league, a method that is watched, agents that agree, a chain of eight: how late is the loop?"""
    from app.links import Place
    from engine.consensus.agents.agent_file import default_agents
    from engine.consensus.config import ConsensusConfig
    from engine.consensus.rounds.service import RunSpec
    from engine.consensus.tasks import task_of
    from engine.core.paths import assets_dir
    from engine.league.config import AgentEntry, RoundConfig

    runtime = wiring.runtime
    wiring.devnet.up()
    await until(lambda: wiring.devnet.state.status.state == "running")
    await begin_learning(wiring, EIGHT, speed=8.0)
    await begin_method(wiring)

    async def league() -> None:
        agents = tuple(AgentEntry(assets_dir() / "agents" / "snake" / f"{name}.wasm") for name in SNAKES)
        turn = 0
        while True:
            turn += 1
            await runtime.league.run_round(RoundConfig(name="bench", matches=30, seed=turn, agents=agents))

    async def agree() -> None:
        task = task_of(json.loads((assets_dir() / "tasks" / "portfolio.json").read_text("utf-8")))
        turn = 0
        while True:
            turn += 1
            spec = RunSpec(task, default_agents(task), ConsensusConfig(seed=turn), on_chain=False)
            await (await runtime.consensus.start(spec)).result()
            await asyncio.sleep(0.2)

    tasks = [asyncio.ensure_future(league()), asyncio.ensure_future(agree())]
    await asyncio.sleep(2.0)  # pools are up and compiled
    for name in ("overview", "consensus", "learning", "leagues", "devnet"):
        wiring.navigator.go(Place(name))
        await asyncio.sleep(0.5)
        watch = Watch()
        await asyncio.sleep(probe.seconds)
        tell(what="late", page=name, slot=wiring.learning.state.run.slot, **watch.stop())
    for task in tasks:
        task.cancel()
    tell(what="busy", jobs=len(wiring.jobs.state.jobs), children=children())


def children() -> int:
    """Return how many processes hang on this one."""
    import psutil

    return len(psutil.Process().children(recursive=True))


async def begin_learning(wiring: Any, settings: dict[str, Any], speed: float) -> None:
    """Start a learning chain, and wait for its first slots."""
    model = wiring.learning
    await until(lambda: bool(model.state.scenarios))
    model.choose("committee")
    model.fill(**settings)
    model.set_speed(speed)
    model.run()
    await until(lambda: model.state.run is not None and (model.state.run.slot >= 1 or model.state.run.ended))
    assert not model.state.run.ended, model.state.run.failure


async def begin_method(wiring: Any) -> None:
    """Start a method on the Consensus page that does not end soon."""
    model = wiring.consensus
    await until(lambda: bool(model.state.choice) and not model.state.building)
    model.choose("rps", {})
    await until(lambda: model.state.choice == "rps" and not model.state.building and model.state.ready)
    model.fill(method="mwu", iterations=2_000_000, epsilon=1e-9, fault="none", stride=1)
    assert model.state.ready, model.state.errors
    model.run()
    await until(lambda: model.state.run is not None and model.state.run.iteration > 0)


async def thousand(wiring: Any, probe: Probe) -> None:
    """A chain of a thousand validators at work; every tab of its page for a while."""
    from app.links import Place
    from app.pages.learning import TABS

    wiring.navigator.go(Place("learning"))
    await begin_learning(wiring, THOUSAND, speed=0.0)
    await asyncio.sleep(1.0)
    page = wiring.pages["learning"]
    for name in ("hidden", *TABS[:5]):
        if name == "hidden":
            wiring.navigator.go(Place("overview"))
        else:
            wiring.navigator.go(Place("learning"))
            page.show_tab(name)
        await asyncio.sleep(0.4)
        watch = Watch()
        await asyncio.sleep(probe.seconds)
        tell(what="late", page=name, slot=wiring.learning.state.run.slot, rss=resident(), **watch.stop())


MODES: dict[str, Callable[[Any, Probe], Awaitable[None]]] = {
    "start": nothing, "pages": pages, "jobs": jobs, "thousand": thousand,
}  # fmt: skip


def main() -> int:
    """Take the arguments and run."""
    os.environ.setdefault("DBUS_SESSION_BUS_ADDRESS", "disabled:")
    mode, folder, started = sys.argv[1], Path(sys.argv[2]), float(sys.argv[3])
    return Probe(mode, folder, started, float(sys.argv[4]) if len(sys.argv) > 4 else 3.0).run()


if __name__ == "__main__":
    sys.exit(main())
