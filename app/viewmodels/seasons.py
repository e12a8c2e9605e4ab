"""Seasons: a league over all its rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.viewmodels.base import ViewModel
from engine.core.errors import EngineError
from engine.league.events import RoundChanged, RoundStarted

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime


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
        bridge.subscribe(lambda event: self._moved(), RoundStarted, RoundChanged)

    def look(self, looking: bool) -> None:
        """Say whether the season is in sight."""
        self._looking = looking
        if looking:
            self._read()

    def select(self, name: str) -> None:
        """Show the season of a league."""
        self.update(name=name)
        self._read()

    def _moved(self) -> None:
        if self._looking:
            self._read()

    def _read(self) -> None:
        league = self._runtime.league
        names = tuple(dict.fromkeys(summary.name for summary in league.rounds()))
        name = self.state.name if self.state.name in names else next(iter(names), "")
        try:
            season = league.season(name) if name else None
        except EngineError as error:
            self.bridge.report(error, "Opening a season", key="season")
            return
        self.update(names=names, name=name, season=season)
