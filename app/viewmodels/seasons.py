"""Seasons: a league over all its rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.viewmodels.base import ViewModel
from app.viewmodels.rereading import Rereading
from engine.league.events import RoundChanged, RoundStarted

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime

REST_S = 0.25  # between two readings


@dataclass(frozen=True, slots=True)
class SeasonsState:
    """The names of all leagues, the one shown, and its season."""

    names: tuple[str, ...] = ()
    name: str = ""
    season: Any = None


class SeasonsViewModel(ViewModel[SeasonsState]):
    """Reads a season when somebody looks: it sums up every round, so not before."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        super().__init__(bridge, SeasonsState())
        self._runtime = runtime
        self._looking = False
        self._readings = Rereading(
            lambda reading: self.start(reading, "Opening a season", key="season"), self._read, REST_S
        )
        bridge.subscribe(lambda event: self._moved(), RoundStarted, RoundChanged)

    def look(self, looking: bool) -> None:
        """Say whether the season is in sight."""
        self._looking = looking
        if looking:
            self._readings.ask()

    def select(self, name: str) -> None:
        """Show the season of a league."""
        self.update(name=name)
        self._readings.ask()

    def _moved(self) -> None:
        if self._looking:
            self._readings.ask()

    async def _read(self) -> None:
        league, wanted = self._runtime.league, self.state.name
        names = tuple(dict.fromkeys(summary.name for summary in league.rounds()))
        name = wanted if wanted in names else next(iter(names), "")
        season = await league.season(name) if name else None
        if self.state.name == wanted:  # else another one was chosen meanwhile, and is read next
            self.update(names=names, name=name, season=season)
