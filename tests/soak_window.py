"""The soak by the console: what an operator starts on its pages, over and over, while the pages are turned."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Any

from engine.core.errors import EngineError
from engine.core.paths import DataDir
from engine.league.config import RoundConfig
from tests.soak import Soak, snakes

if TYPE_CHECKING:
    from app.wiring import Wiring

PATIENCE_S = 600.0  # for one turn on a busy machine


class WindowSoak(Soak):
    """The same work by the view-models; and matches are looked at."""

    def __init__(self, wiring: Wiring) -> None:
        super().__init__(wiring.runtime)
        self.wiring = wiring

    def works(self) -> list[Callable[[int], Awaitable[None]]]:
        """Return what is done over and over."""
        return [*super().works(), self.replay, self.turn]

    async def begin(self) -> None:
        """Start the devnet and add the agents."""
        await super().begin()
        self.wiring.roster.add(snakes(), alone=True)
        await self._until(lambda: len(self.wiring.roster.state.entrants) == len(snakes()))

    async def league(self, turn: int) -> None:
        """A round on the Leagues page, then its settlement."""
        rounds, roster = self.wiring.rounds, self.wiring.roster
        before = len(rounds.state.rounds)
        entrants = [agent.sha256 for agent in roster.state.entrants]
        rounds.run(RoundConfig(name="soak", matches=6, seed=turn, workers=1), entrants, anchor=turn % 3 == 0)
        await self._until(lambda: rounds.state.run.state == "idle")
        if len(rounds.state.rounds) == before:
            raise EngineError("The round did not begin", "the notice says why")
        rounds.settle(rounds.state.selected)
        await self._until(lambda: not rounds.state.busy)
        self.done["rounds"] += 1

    async def game(self, turn: int) -> None:
        """A run on the Consensus page; every other one is stopped halfway."""
        page = self.wiring.consensus
        await self._until(lambda: page.state.ready and not page.state.busy)
        page.fill(method="rm", epsilon=1e-9, iterations=200_000, seed=turn)
        page.run()
        if turn % 2:
            await asyncio.sleep(1)
            page.stop()
        await self._until(lambda: not page.state.busy)
        self._ended(page.state.run)
        self.done["games"] += 1
        await asyncio.sleep(1)

    async def agree(self, turn: int) -> None:
        """A round of the Agents view; every third on the chain."""
        page = self.wiring.agreement
        await self._until(lambda: page.state.ready and not page.state.busy)
        page.fill(seed=turn, hybrid_mode=turn % 3 == 0)
        page.run()
        await self._until(lambda: not page.state.busy)
        self._ended(page.state.run)
        self.done["agreements"] += 1

    async def learn(self, turn: int) -> None:
        """A run on the Learning page."""
        page = self.wiring.learning
        await self._until(lambda: page.state.ready and not page.state.busy)
        page.choose("committee")
        page.fill(slots=40, round_every=4, gate_texts=16, seed=turn)
        page.set_speed(4.0)
        page.run()
        await self._until(lambda: not page.state.busy)
        self._ended(page.state.run)
        self.done["learned"] += 1

    async def replay(self, turn: int) -> None:
        """A match of the newest round, step by step, and the tree of its round."""
        played = next((row for row in self.wiring.rounds.state.rounds if row.state != "playing"), None)
        if played is None:
            await asyncio.sleep(1)
            return
        page, tree = self.wiring.replay, self.wiring.merkle
        page.open_match(played.round_id, turn % 6)
        await self._until(lambda: not page.state.opening)
        for step in range(0, 40, 4):
            page.seek(step)
            await asyncio.sleep(0.1)
        tree.open_round(played.round_id)
        await self._until(lambda: not tree.state.loading)
        tree.choose(turn % 6)
        self.done["replays"] += 1
        await asyncio.sleep(5)

    async def turn(self, turn: int) -> None:
        """Show the next page."""
        from app.links import Place

        keys = list(self.wiring.pages)
        self.wiring.navigator.go(Place(keys[turn % len(keys)]))
        await asyncio.sleep(3)

    @staticmethod
    async def _until(ready: Callable[[], Any]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not ready():
                await asyncio.sleep(0.1)

    @staticmethod
    def _ended(record: Any) -> None:
        if record is None or record.state == "failed":
            raise EngineError("A run failed", record.failure if record is not None else "it never began")


@contextlib.asynccontextmanager
async def windowed(data: DataDir) -> AsyncIterator[Soak]:
    """Open the console."""
    from PySide6.QtWidgets import QApplication

    from app.console import Console
    from app.main import settle

    app = QApplication.instance()
    assert isinstance(app, QApplication)
    app.setQuitOnLastWindowClosed(False)
    console = Console(app, data)
    running = asyncio.create_task(console.run([]))
    ready = asyncio.create_task(console.wait_ready())
    await asyncio.wait([ready, running], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        ready.cancel()
        raise EngineError("The console did not open", f"it ended with {running.result()}")
    assert console.wiring is not None
    settling = asyncio.create_task(settle(console))  # as the program does: the collector looks at what is new
    try:
        yield WindowSoak(console.wiring)
    finally:
        settling.cancel()
        await asyncio.wait([settling])
        console.close()
        await running
