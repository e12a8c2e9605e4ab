"""The overview: is everything well, what happened last, what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.formats import count, plural
from app.links import Place, round_link
from app.viewmodels.base import ViewModel
from app.viewmodels.demo import FRESH, DemoWalk, StepView
from app.viewmodels.learning_runs import figures_of, verdict_of
from engine.core.errors import EngineError

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.viewmodels.devnet import DevnetState, DevnetViewModel
    from app.viewmodels.learning import LearningViewModel
    from app.viewmodels.learning_draft import LearningState
    from app.viewmodels.roster import RosterState, RosterViewModel
    from app.viewmodels.rounds import RoundsState, RoundsViewModel
    from engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class Tile:
    """One fact of the strip: its kind is neutral, ok, warn, error or info."""

    title: str
    value: str
    note: str = ""
    kind: str = "neutral"
    link: str = ""


@dataclass(frozen=True, slots=True)
class Recovery:
    """A round that an earlier session left unfinished."""

    round_id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class OverviewState:
    """What the page shows."""

    devnet: Tile = Tile("Devnet", "Stopped")
    contracts: Tile = Tile("Contracts", "None")
    agents: Tile = Tile("Agents", "0")
    last_round: Tile = Tile("Last round", "None")
    chain: Tile = Tile("Learning chain", "None", "Run a scenario", "neutral", Place("learning").link)
    demo: tuple[StepView, ...] = FRESH
    demo_state: str = "idle"
    rounds: tuple[Any, ...] = ()
    standings: tuple[Any, ...] = ()
    recovery: Recovery | None = None


class OverviewViewModel(ViewModel[OverviewState]):
    """Sums up the other pages; runs the guided demo; offers to go on where a killed session stopped."""

    def __init__(
        self,
        bridge: Bridge,
        runtime: Runtime,
        devnet: DevnetViewModel,
        roster: RosterViewModel,
        rounds: RoundsViewModel,
        learning: LearningViewModel,
    ) -> None:
        super().__init__(bridge, OverviewState())
        self._runtime = runtime
        self._rounds = rounds
        self._learning = learning
        self._walk = DemoWalk(runtime, lambda steps, state: self.update(demo=steps, demo_state=state))
        self.update(recovery=self._unfinished())
        devnet.observe(self._on_devnet)
        roster.observe(self._on_roster)
        rounds.observe(self._on_rounds)
        learning.observe(self._on_learning)

    def resume(self, workers: int) -> None:
        """Accept the offer: go on with the unfinished round."""
        offer = self.state.recovery
        if offer is not None:
            self.update(recovery=None)
            self._rounds.resume(offer.round_id, workers)

    def decline(self) -> None:
        """Decline the offer; the round stays on the Leagues page and can be resumed there."""
        self.update(recovery=None)

    def run_demo(self) -> None:
        """Run the guided demo, unattended; a second press does nothing while it runs."""
        self._begin(alone=True)

    def walk_demo(self) -> None:
        """Begin the guided demo, and wait for the operator after each step."""
        self._begin(alone=False)

    def next_step(self) -> None:
        """Let the next step of the demo begin."""
        self._walk.go_on()

    def run_rest(self) -> None:
        """Let the rest of the demo run by itself."""
        self._walk.run_rest()

    def cancel_demo(self) -> None:
        """Stop the demo; what it did stays."""
        self._walk.cancel()

    def _begin(self, *, alone: bool) -> None:
        if self.state.demo_state not in ("running", "waiting"):
            self._walk.begin(alone=alone)
            self.start(self._demo(), "The demo", key="demo")

    async def _demo(self) -> None:
        try:
            await self._walk.end()
        finally:
            self._rounds.came_to_rest()
            self._learning.refresh()

    def _unfinished(self) -> Recovery | None:
        for summary in self._runtime.league.rounds():
            if summary.state == "playing":
                try:
                    total = self._runtime.league.round(summary.round_id).total
                except EngineError:
                    continue
                text = f"{count(summary.done)} of {plural(total, 'match', 'matches')} are stored; none is played twice."
                return Recovery(summary.round_id, f"{summary.name} #{summary.number} was interrupted", text)
        return None

    def _on_devnet(self, state: DevnetState) -> None:
        link = Place("devnet").link
        words = {
            "running": ("Running", "ok"),
            "starting": ("Starting", "info"),
            "stopping": ("Stopping", "info"),
            "failed": ("Down", "error"),
            "foreign": ("Foreign node", "warn"),
        }
        word, kind = words.get(state.status.state, ("Stopped", "neutral"))
        block = state.status.block
        note = state.status.cause or (f"Block {count(block)} on port {state.status.port}" if block is not None else "")
        self.update(devnet=Tile("Devnet", word, note or "Start it on the Devnet page", kind, link))
        if state.contracts:
            live = state.status.state == "running"
            note = "Deployed and answering" if live else "Deployed; the devnet is not running"
            tile = Tile("Contracts", str(len(state.contracts)), note, "ok" if live else "neutral", link)
        else:
            tile = Tile("Contracts", "None", "Not deployed yet", "neutral", link)
        self.update(contracts=tile)

    def _on_roster(self, state: RosterState) -> None:
        n = len(state.agents)
        note = "In the roster" if n else "Drop .wasm files on the window"
        self.update(agents=Tile("Agents", count(n), note, "ok" if n else "neutral", Place("leagues").link))

    def _on_learning(self, state: LearningState) -> None:
        link, record = Place("learning").link, state.run
        if record is not None:
            verdict = verdict_of(record)
            self.update(chain=Tile("Learning chain", verdict.word, figures_of(record), verdict.kind, link))
        elif state.rows:
            last = state.rows[0]
            title = next((one.title for one in state.scenarios if one.name == last.spec.scenario), last.spec.scenario)
            self.update(chain=Tile("Learning chain", last.state.capitalize(), f"Run {last.run_id}: {title}", link=link))

    def _on_rounds(self, state: RoundsState) -> None:
        if not state.rounds:
            self.update(rounds=(), standings=(), last_round=Tile("Last round", "None", "Run one on the Leagues page"))
            return
        last = state.rounds[0]
        shown = last.state if not (last.state == "playing" and state.run.round_id != last.round_id) else "interrupted"
        kinds = {"settled": "ok", "rejected": "error", "interrupted": "warn"}
        tile = Tile(
            "Last round",
            f"#{last.number}",
            f"{last.name}: {shown}, {plural(last.done, 'match', 'matches')}",
            kinds.get(shown, "info"),
            round_link(last.round_id),
        )
        standings = self.state.standings
        if shown != "playing":
            standings = self._runtime.league.round(last.round_id).standings
        self.update(rounds=state.rounds[:8], standings=standings, last_round=tile)
