"""Disputes on the round shown: auditing it, bringing what is wrong before the court, what came of that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from app.errors import Notice
from app.formats import ether, plural
from app.viewmodels.base import ViewModel
from engine.league.events import DisputeMoved, DisputeOpened, DisputeResolved

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.viewmodels.rounds import RoundsState, RoundsViewModel
    from engine.league.disputes.audit import Audit
    from engine.league.disputes.cases import DisputeView
    from engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class FraudView:
    """Something that an audit found; ``proves_itself`` needs no judges. ``match`` is None for the whole round."""

    kind: str
    match: int | None
    detail: str
    proves_itself: bool


@dataclass(frozen=True, slots=True)
class AuditView:
    """What an audit of a round found: matches played again, pairs of hashes compared, and both roots."""

    round_id: str
    replayed: int
    compared: int
    root: str
    replayed_root: str
    frauds: tuple[FraudView, ...]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not self.frauds


@dataclass(frozen=True, slots=True)
class DisputesState:
    """The disputes of the round shown (newest first), its audit, the one chosen; ``step`` is the last one taken.

    ``open_to`` says whether disputes can still be brought: the round is posted, and neither settled nor rejected.
    """

    round_id: str = ""
    round_name: str = ""
    anchored: bool = False
    open_to: bool = False
    disputes: tuple[DisputeView, ...] = ()
    audit: AuditView | None = None
    chosen: str = ""
    busy: str = ""
    step: str = ""

    @property
    def shown(self) -> DisputeView | None:
        """The dispute whose transactions are shown."""
        known = {item.dispute_id: item for item in self.disputes}
        return known.get(self.chosen) or next(iter(self.disputes), None)


class DisputesViewModel(ViewModel[DisputesState]):
    """Audits and disputes as jobs."""

    def __init__(self, bridge: Bridge, runtime: Runtime, rounds: RoundsViewModel) -> None:
        super().__init__(bridge, DisputesState())
        self._runtime = runtime
        self._audits: dict[str, AuditView] = {}
        bridge.subscribe(lambda event: self._moved(event.step), DisputeMoved)
        bridge.subscribe(lambda event: self._moved(""), DisputeOpened, DisputeResolved)
        rounds.observe(self._follow)

    def choose(self, dispute_id: str) -> None:
        """Show the transactions of a dispute."""
        self.update(chosen=dispute_id)

    def audit(self) -> None:
        """Check the round on the chain by playing all of it again; changes nothing."""
        round_id = self.state.round_id
        self._work("Auditing", lambda: self._runtime.league.disputes.check(round_id), self._audited)

    def dispute(self, match: int | None = None, *, withheld: bool = False) -> None:
        """Bring what is wrong before the court until it is decided; with ``match``, that match whatever it is."""
        round_id = self.state.round_id
        self._work(
            "Disputing",
            lambda: self._runtime.league.disputes.open(round_id, match=match, withheld=withheld),
            self._decided,
        )

    def _follow(self, state: RoundsState) -> None:
        result = state.result
        anchored = result is not None and result.anchored is not None
        name = f"{result.name} #{result.number}" if result is not None else ""
        self.update(anchored=anchored, open_to=anchored and result.state == "anchored", round_name=name)
        if state.selected != self.state.round_id:
            audit = self._audits.get(state.selected)
            self.update(round_id=state.selected, audit=audit, chosen="", step="")
            self._read()

    def _moved(self, step: str) -> None:
        self.update(step=step)
        self._read()

    def _read(self) -> None:
        found = self._runtime.league.disputes.all(self.state.round_id) if self.state.round_id else ()
        self.update(disputes=tuple(found))

    def _work(self, title: str, call: Callable[[], Awaitable[Any]], told: Callable[[Any], Notice]) -> None:
        if self.state.busy or not self.state.round_id:
            return
        self.update(busy=title)

        async def work() -> None:
            try:
                found = await self._runtime.jobs.start(title, lambda context: call()).result()
                self.bridge.notify(told(found))
            finally:
                self.update(busy="", step="")
                self._read()

        self.start(work(), title, key="dispute")

    def _audited(self, audit: Audit) -> Notice:
        view = _audit_view(audit)
        self._audits[view.round_id] = view
        if view.round_id == self.state.round_id:
            self.update(audit=view)
        if view.clean:
            text = f"All {plural(view.replayed, 'match', 'matches')} replay as posted; the roots are equal."
            return Notice("ok", "Nothing is wrong with the round", text, key="dispute")
        text = f"{plural(len(view.frauds), 'fraud was', 'frauds were')} found: {view.frauds[0].detail}."
        return Notice("warn", "The round is false", text, "Dispute it before its window closes.", key="dispute")

    def _decided(self, views: list[DisputeView]) -> Notice:
        if not views:
            return Notice("info", "There is nothing to decide", key="dispute")
        last = views[-1]
        lost = f" It lost {ether(last.slashed_wei)}." if last.slashed_wei else ""
        text = f"{last.outcome[:1].upper()}{last.outcome[1:]}.{lost}"
        kind = "ok" if last.state == "upheld" else "info"
        return Notice(kind, f"The dispute is {last.state}", text, key="dispute")


def _audit_view(audit: Audit) -> AuditView:
    frauds = (
        FraudView(fraud.kind.value, audit.fixture(fraud), fraud.detail, fraud.kind.proves_itself)
        for fraud in audit.frauds
    )
    return AuditView(
        audit.stored.row.round_id,
        audit.replayed,
        audit.compared,
        audit.anchored.round.root.hex(),
        audit.honest.tree.root.hex(),
        tuple(frauds),
    )
