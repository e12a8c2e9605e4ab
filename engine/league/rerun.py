"""Matches of stored rounds played again: for a bundle, for an audit. Nothing is stored."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from engine.league.admission import Admissions
from engine.league.bundle import Bundle
from engine.league.errors import LeagueError
from engine.league.history import History, MatchRow, RoundRow
from engine.league.match import bye_header
from engine.league.play import PlayBatch, play_bundle
from engine.league.pools import LocalPool
from engine.league.roster import Roster
from engine.league.rounds import BATCH, IN_FLIGHT
from engine.league.schedule import Fixture


class Rerun:
    """Plays matches of stored rounds in the local worker processes; ``cache`` holds compiled modules."""

    def __init__(
        self, history: History, admissions: Admissions, roster: Roster, workers: LocalPool, cache: Path
    ) -> None:
        self._history = history
        self._admissions = admissions
        self._roster = roster
        self._workers = workers
        self._cache = cache

    async def bundle(self, row: RoundRow, match: MatchRow) -> Bundle:
        """Return a match with all that others need to verify it. Raises LeagueError when it does not replay."""
        fixture = Fixture(match.fixture, match.a, match.b, match.seed)
        batch = await self._batch(row, [fixture])
        entries = self._history.entries(row.round_id)
        seats = [match.a] if match.b is None else [match.a, match.b]
        files = [self._roster.original(sha256) for sha256 in (row.system, *(entries[seat].sha256 for seat in seats))]
        bundle = await self._workers.run(play_bundle, batch, files[0], tuple(files[1:]))
        if bundle.commitment != match.commitment:
            raise LeagueError(f"Match {match.fixture} does not replay", "its commitment differs from the stored one")
        return bundle

    def resize(self, workers: int) -> None:
        """Play in so many processes from now on."""
        self._workers.resize(workers)

    async def rows(self, row: RoundRow, fixtures: Sequence[Fixture]) -> list[MatchRow]:
        """Return what the fixtures give when they are played again, in their order."""
        template, turn = await self._batch(row, fixtures), asyncio.Semaphore(IN_FLIGHT * self._workers.size)

        async def play(batch: Sequence[Fixture]) -> list[MatchRow]:
            async with turn:
                return await self._workers.play(template.of(batch))

        starts = range(0, len(fixtures), BATCH)
        tasks = [asyncio.ensure_future(play(fixtures[start : start + BATCH])) for start in starts]
        try:
            return [match for batch in await asyncio.gather(*tasks) for match in batch]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def bye_header(self, row: RoundRow, match: MatchRow) -> bytes:
        """Return the header that the commitment of a match without opponent binds."""
        system = await self._admissions.system(row.system)
        agent = self._history.entries(row.round_id)[match.a].sha256
        return bye_header(system, system.spec.resolve(row.config["params"]), row.config["budget"], agent)

    async def _batch(self, row: RoundRow, fixtures: Sequence[Fixture]) -> PlayBatch:
        entries = self._history.entries(row.round_id)
        seats = {seat for fixture in fixtures for seat in (fixture.a, fixture.b) if seat is not None}
        images = {seat: await self._admissions.agent_image(entries[seat].sha256) for seat in seats}
        system = await self._admissions.system(row.system)
        batch = PlayBatch(system, images, row.config["budget"], self._cache, row.config["params"])
        return replace(batch, fixtures=tuple(fixtures))
