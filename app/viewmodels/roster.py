"""The roster: agents dropped on the window, the gate's verdicts, removal with undo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.viewmodels.base import ViewModel
from engine.league.events import AgentAdmitted, AgentRemoved

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent of the roster as its table shows it."""

    sha256: str
    name: str
    owner: str
    address: str
    abi: str
    size: int


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """What became of one dropped file."""

    file: str
    accepted: bool
    text: str
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class RosterState:
    """``checking`` files are at the gate; ``removed`` is the agent that Undo brings back."""

    agents: tuple[AgentRow, ...] = ()
    verdicts: tuple[VerdictRow, ...] = ()
    checking: int = 0
    removed: AgentRow | None = None


class RosterViewModel(ViewModel[RosterState]):
    """Admits, removes and restores agents."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        super().__init__(bridge, RosterState())
        self._runtime = runtime
        bridge.subscribe(lambda event: self.refresh(), AgentAdmitted, AgentRemoved)
        self.refresh()

    def refresh(self) -> None:
        """Read the roster again."""
        self.update(agents=tuple(_row(agent) for agent in self._runtime.league.agents()))

    def add(self, paths: Sequence[Path]) -> None:
        """Put files before the gate; several at once, checked off the loop."""
        if paths:
            self.start(self._admit(list(paths)), "Adding agents")

    def remove(self, sha256: str) -> None:
        """Take an agent out; ``undo`` brings it back."""
        row = next((agent for agent in self.state.agents if agent.sha256 == sha256), None)
        if row is not None:
            self._runtime.league.remove_agent(sha256)
            self.update(removed=row)
            self.refresh()

    def undo(self) -> None:
        """Bring the agent back that was removed last."""
        removed = self.state.removed
        if removed is not None:
            self._runtime.league.restore_agent(removed.sha256)
            self.update(removed=None)
            self.refresh()

    async def _admit(self, paths: list[Path]) -> None:
        self.update(checking=self.state.checking + len(paths))
        try:
            job = self._runtime.jobs.start(
                f"Check {len(paths)} file{'s' if len(paths) > 1 else ''}",
                lambda context: self._runtime.league.admit(paths),
            )
            admissions = await job.result()
        finally:
            self.update(checking=max(0, self.state.checking - len(paths)))
        self.update(verdicts=tuple(_verdict(item) for item in admissions))
        self.refresh()


def _row(agent: Any) -> AgentRow:
    return AgentRow(agent.sha256, agent.name, agent.owner, agent.address, agent.abi, agent.size)


def _verdict(item: Any) -> VerdictRow:
    verdict = item.verdict
    name = Path(str(item.file)).name
    if item.agent is not None:
        text = item.note or f"Admitted as {item.agent.name} ({verdict.abi})"
        return VerdictRow(name, True, text, verdict.sha256)
    return VerdictRow(name, False, item.note or verdict.reason, verdict.sha256)
