"""Rounds: running one, what came of it, anchoring and settling it, claims from outside."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import Notice
from app.formats import ether, plural
from app.viewmodels.base import ViewModel
from engine.core.errors import EngineError
from engine.core.jobs import JobContext
from engine.league.accounts import Accounts, Book
from engine.league.config import RoundConfig
from engine.league.disputes.published import Dishonesty
from engine.league.events import AgentSlashed, MatchesPlayed, RoundChanged, RoundStarted
from engine.league.results import Payout, RoundResult
from engine.league.rounds import RoundControl
from engine.league.schedule import SOLO

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime


LIVE_PERIOD = 1.5  # seconds between two looks at the tables of the round that is being played
LIVE_MATCHES = 1_000  # after so many only the scores are followed: reading all of them takes too long
CROSSTABLE_AGENTS = 48
RACE_POINTS = 240
RacePoint = tuple[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class RunView:
    """The round that is being played. ``state`` is idle, running or stopping."""

    state: str = "idle"
    round_id: str = ""
    name: str = ""
    done: int = 0
    total: int = 0
    failures: int = 0
    rate: float = 0.0
    agents: tuple[str, ...] = ()
    scores: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class RoundsState:
    """All rounds (newest first), the one shown with its matches and payouts, and the one that runs.

    ``title`` is its System's, ``host`` its dishonesty in words. ``crosstable`` holds the cells by seats, of a round
    with opponents that is not too large. ``race`` are the scores by seat after so many matches. ``pair`` are the
    names whose matches alone are to be shown.
    """

    rounds: tuple[Any, ...] = ()
    selected: str = ""
    result: Any = None
    title: str = ""
    host: str = ""
    matches: tuple[Any, ...] = ()
    payouts: tuple[Any, ...] = ()
    crosstable: Mapping[tuple[int, int], Any] = field(default_factory=dict)
    race: tuple[RacePoint, ...] = ()
    pair: tuple[int, int] | None = None
    run: RunView = RunView()
    busy: str = ""


class RoundsViewModel(ViewModel[RoundsState]):
    """Runs rounds as jobs and shows them."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        super().__init__(bridge, RoundsState())
        self._runtime = runtime
        self._control: RoundControl | None = None
        self._clock = 0.0
        self._from = 0
        self._looked = 0.0
        self._unread = ""  # the round to read with the list, at the next flush
        self._over = ""  # the round that ended: it counts as running until it was read, else it would seem interrupted
        bridge.subscribe(self._on_started, RoundStarted)
        bridge.subscribe(self._on_played, MatchesPlayed)
        bridge.subscribe(self._on_slashed, AgentSlashed)
        bridge.subscribe(self._on_changed, RoundChanged)
        self.refresh()

    def refresh(self) -> None:
        """Read the rounds, and the one shown, again."""
        rounds = tuple(self._runtime.league.rounds())
        self.update(rounds=rounds)
        selected = self.state.selected or (rounds[0].round_id if rounds else "")
        if selected:
            self.select(selected)

    def select(self, round_id: str) -> None:
        """Show a round."""
        league = self._runtime.league
        try:
            result = league.round(round_id)
            matches = tuple(league.history.matches(result.round_id))
            config = league.history.round(result.round_id).config
            how = Dishonesty(config.get("dishonesty", Dishonesty.HONEST))
            payouts = self._payouts(result, how)
        except EngineError as error:
            self.bridge.report(error, "Opening a round", key="round")
            return
        versus = result.format != SOLO and len(result.standings) <= CROSSTABLE_AGENTS
        self.update(
            selected=result.round_id,
            result=result,
            title=config["title"],
            host="" if how is Dishonesty.HONEST else how.meaning,
            matches=matches,
            payouts=payouts,
            crosstable=league.crosstable(result.round_id) if versus else {},
            race=race_of(matches, len(result.standings)),
            pair=self.state.pair if result.round_id == self.state.selected else None,
        )

    def _payouts(self, result: RoundResult, how: Dishonesty) -> tuple[Payout, ...]:
        """Return what the settlement will credit. An honest host's table has it already; for another one all the
        hashes that it posted are needed."""
        if result.state == "playing":
            return ()
        if how is not Dishonesty.HONEST:
            return tuple(self._runtime.league.settlement_preview(result.round_id))
        accounts = Accounts(self._runtime.store, Book(result.book))
        found = []
        for line in sorted(result.standings, key=lambda line: line.seat):
            before = accounts.balance(line.address).credit
            found.append(Payout(line.agent, line.address, before, line.reward_wei, before + line.reward_wei))
        return tuple(found)

    def show_pair(self, pair: tuple[int, int] | None) -> None:
        """Show the matches of two seats alone, or all."""
        self.update(pair=pair)

    def run(
        self,
        config: RoundConfig,
        entrants: Sequence[str],
        *,
        anchor: bool,
        dishonesty: Dishonesty = Dishonesty.HONEST,
    ) -> None:
        """Play a new round with the roster's agents ``entrants``; one round at a time."""
        league = self._runtime.league

        def play(context: JobContext) -> Awaitable[RoundResult]:
            assert self._control is not None
            return league.run_round(
                config,
                anchor=anchor,
                job=context,
                control=self._control,
                entrants=entrants,
                dishonesty=dishonesty,
            )

        self._play(f"League round {config.name}", play, config.name)

    def resume(self, round_id: str, workers: int) -> None:
        """Go on with a round: play what is left, then send what the chain has not got."""
        league = self._runtime.league

        def play(context: JobContext) -> Awaitable[RoundResult]:
            return league.resume(round_id, workers=workers, job=context, control=self._control)

        self._play("Resume the round", play, "")

    def came_to_rest(self) -> None:
        """Take note that work which plays rounds elsewhere (the demo) has ended, however it did."""
        if self._control is None:
            self.update(run=RunView())
            self.refresh()

    def stop_after_current(self) -> None:
        """Store what is being played, then stop."""
        self._stop(lambda control: control.stop_after_current())

    def stop_now(self) -> None:
        """Stop at once; what is being played will be played again."""
        self._stop(lambda control: control.stop_now())

    def settle(self, round_id: str) -> None:
        """Pay the pot out, on chain and in the ledger."""
        self._work("Settling", lambda: self._runtime.league.settle(round_id), _told_settled)

    def submit_claim(self, round_id: str, bundle: Path) -> None:
        """Hand in a bundle as a claim from outside."""
        self._work("Checking the claim", lambda: self._runtime.league.submit_claim(round_id, bundle), _told_claim)

    def _stop(self, how: Any) -> None:
        if self._control is not None and self.state.run.state == "running":
            how(self._control)
            self.update(run=replace(self.state.run, state="stopping"))

    def _play(self, title: str, play: Callable[[JobContext], Awaitable[RoundResult]], name: str) -> None:
        if self.state.run.state == "idle":
            self._control = RoundControl()
            self.update(run=RunView("running", name=name))
            self.start(self._follow(title, play), title, key="round")

    async def _follow(self, title: str, play: Callable[[JobContext], Awaitable[RoundResult]]) -> None:
        try:
            result = await self._runtime.jobs.start(title, play).result()
            self.update(selected=result.round_id)
            self.bridge.notify(_told_round(result))
        finally:
            self._control = None
            self.update(run=RunView())
            self.refresh()

    def _work(self, title: str, call: Any, told: Any) -> None:
        if self.state.busy:
            return
        self.update(busy=title)

        async def work() -> None:
            try:
                outcome = await self._runtime.jobs.start(title, lambda context: call()).result()
                self.bridge.notify(told(outcome))
            finally:
                self.update(busy="")
                self.refresh()

        self.start(work(), title, key="round")

    def _on_started(self, event: RoundStarted) -> None:
        self._clock, self._from = time.monotonic(), event.done
        self._looked = self._clock
        run = RunView(
            "running",
            event.round_id,
            event.name,
            event.done,
            event.total,
            agents=event.agents,
            scores=(0,) * len(event.agents),
        )
        self.update(run=run, selected=event.round_id)
        self._read_soon(event.round_id)

    def _read_soon(self, round_id: str = "") -> None:
        """Read the list of the rounds at the next flush, and a round: whoever plays it is not to wait for that."""
        self._unread = round_id or self._unread
        self.bridge.changed(self._read)

    def _read(self) -> None:
        self.update(rounds=tuple(self._runtime.league.rounds()))
        if self._unread:
            self.bridge.changed(self._read_one)

    def _read_one(self) -> None:
        """Read the round, in a turn of its own."""
        unread, self._unread = self._unread, ""
        if unread and unread == self.state.selected:
            self.select(unread)
        if self._over and self._over == self.state.run.round_id:
            self.update(run=RunView())
        self._over = ""

    def _on_played(self, event: MatchesPlayed) -> None:
        if self.state.run.state == "idle":
            return
        seconds = max(time.monotonic() - self._clock, 1e-3)
        rate = (event.done - self._from) / seconds
        run = replace(
            self.state.run,
            done=event.done,
            total=event.total,
            failures=event.failures,
            scores=event.scores,
            rate=round(rate, 1),
        )
        self.update(run=run)
        if self.state.selected == event.round_id:
            self._look(event)

    def _look(self, event: MatchesPlayed) -> None:
        """Follow the scores; read the tables again now and then, as long as that is quick."""
        now = time.monotonic()
        if event.done <= LIVE_MATCHES and now - self._looked >= LIVE_PERIOD:
            self._looked = now
            self._read_soon(event.round_id)
        else:
            self.update(race=thinned((*self.state.race, (event.done, event.scores))))

    def _on_slashed(self, event: AgentSlashed) -> None:
        name = next((line.name for line in self._runtime.league.agents() if event.agent in _names(line)), event.agent)
        text = (
            f"It claimed {event.claimed} in match {event.fixture}, the replay gives {event.replayed}. "
            f"{ether(int(event.wei))} are held until the settlement, and it is out of the round."
        )
        self.bridge.notify(Notice("warn", f"{name} was slashed", text, key=f"slash/{event.round_id}/{event.agent}"))

    def _on_changed(self, event: RoundChanged) -> None:
        ended = self._control is None and self.state.run.round_id == event.round_id
        if event.round_id == self.state.selected and (ended or self.state.run.state == "idle"):
            self._over = event.round_id if ended else ""
            self._read_soon(event.round_id)
            return
        if ended:
            self.update(run=RunView())
        self._read_soon()


def race_of(matches: Sequence[Any], size: int) -> tuple[RacePoint, ...]:
    """Return the scores by seat after each match, thinned out to what a plot can show."""
    scores, points = [0] * size, [(0, (0,) * size)] if matches else []
    every = max(1, len(matches) // RACE_POINTS)
    for number, match in enumerate(matches, 1):
        scores[match.a] += match.score_a
        if match.b is not None and match.score_b is not None:
            scores[match.b] += match.score_b
        if number % every == 0 or number == len(matches):
            points.append((number, tuple(scores)))
    return tuple(points)


def thinned(points: tuple[RacePoint, ...]) -> tuple[RacePoint, ...]:
    """Return every second point of a race that grew too long, with the last one."""
    return points if len(points) <= 2 * RACE_POINTS else (*points[:-1:2], points[-1])


def _names(agent: Any) -> tuple[str, str, str]:
    return (agent.sha256, agent.name, agent.address)


def _told_round(result: RoundResult) -> Notice:
    winners = ", ".join(line.agent for line in result.standings if line.rank == 1) or "nobody"
    where = "Its root stands on chain" if result.anchored else "It is in the local book"
    text = f"{plural(result.done, 'match', 'matches')} played; first is {winners}. {where}."
    next_step = f"Kept out: {', '.join(result.ineligible)}." if result.ineligible else ""
    return Notice("ok", f"Round {result.name} #{result.number} is {result.state}", text, next_step, key="round")


def _told_settled(result: Any) -> Notice:
    paid = sum(line.reward_wei for line in result.standings)
    text = f"{ether(paid)} were credited to {plural(sum(line.reward_wei > 0 for line in result.standings), 'agent')}."
    return Notice("ok", f"Round {result.name} #{result.number} is settled", text, key="round")


def _told_claim(outcome: Any) -> Notice:
    if getattr(outcome, "slashed", False):
        return Notice("warn", "The claim is false", "The agent was slashed and disqualified.", key="round")
    return Notice("ok", "The claim holds", "Replaying the match gives the claimed score.", key="round")
