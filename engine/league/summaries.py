"""All rounds of a store as a list shows them: read once, and again where they moved. There may be thousands."""

from __future__ import annotations

from collections.abc import Callable

from engine.league.history import History, RoundRow
from engine.league.results import RoundSummary


class Summaries:
    """The rounds of a store. ``state_of`` tells where a round stands, which may be a chain's word."""

    def __init__(self, history: History, state_of: Callable[[RoundRow], str]) -> None:
        self._history = history
        self._state_of = state_of
        self._version = -1
        self._kept: dict[str, RoundSummary] = {}
        self._moving: set[str] = set()  # those that do not stand still: what they come to is nowhere announced

    def all(self) -> list[RoundSummary]:
        """Return all rounds, newest first."""
        version, moved = self._history.version(), self._history.take_moved()
        if version != self._version:
            moved |= self._moved_by_others()
            self._version = version
        fresh = False
        for round_id in moved | self._moving:
            fresh |= round_id not in self._kept
            self._read(round_id)
        if fresh:
            self._kept = dict(sorted(self._kept.items(), key=lambda item: (item[1].created, item[1].number)))
        return list(reversed(self._kept.values()))

    def _moved_by_others(self) -> set[str]:
        found = {round_id: (state, digest) for round_id, state, digest in self._history.states()}
        known = {summary.round_id: (summary.state, summary.results_hash) for summary in self._kept.values()}
        return {round_id for round_id, _ in found.items() ^ known.items()}

    def _read(self, round_id: str) -> None:
        row = self._history.find(round_id)
        if row is None:  # its opening was taken back
            self._kept.pop(round_id, None)
            self._moving.discard(round_id)
            return
        agents, done = self._history.counts(round_id)
        summary = RoundSummary(
            row.round_id,
            row.number,
            row.name,
            self._state_of(row),
            row.book,
            agents,
            done,
            row.results_hash,
            row.created,
        )
        self._kept[round_id] = summary
        (self._moving.discard if summary.stands else self._moving.add)(round_id)
