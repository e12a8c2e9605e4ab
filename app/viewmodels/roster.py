"""The roster: agents dropped on the window, the gate's verdicts, who plays, removal with undo."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.viewmodels.base import ViewModel
from engine.core.paths import assets_dir
from engine.league.admission import file_digest
from engine.league.events import AgentAdmitted, AgentRemoved

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime


@dataclass(frozen=True, slots=True)
class AgentRow:
    """An agent of the roster as its table shows it. ``games`` are the ids of the Systems it is a sample of."""

    sha256: str
    name: str
    owner: str
    address: str
    abi: str
    size: int
    games: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class VerdictRow:
    """What became of one dropped file. ``kind`` says whether it was taken for an agent or for a System."""

    file: str
    accepted: bool
    text: str
    sha256: str = ""
    kind: str = "agent"

    @property
    def word(self) -> str:
        """The verdict in a word or two."""
        if not self.accepted:
            return "Rejected"
        return "System added" if self.kind == "system" else "Admitted"


@dataclass(frozen=True, slots=True)
class RosterState:
    """``checking`` files are at the gate; ``playing`` are chosen. ``removed`` are those that Undo brings back, in the
    groups in which they went, the newest last."""

    agents: tuple[AgentRow, ...] = ()
    verdicts: tuple[VerdictRow, ...] = ()
    checking: int = 0
    removed: tuple[tuple[AgentRow, ...], ...] = ()
    playing: frozenset[str] = field(default_factory=frozenset)

    @property
    def entrants(self) -> tuple[AgentRow, ...]:
        """The agents that play in the next round."""
        return tuple(agent for agent in self.agents if agent.sha256 in self.playing)

    def foreign(self, game: str) -> int:
        """Return how many of those that play are samples of another System."""
        return sum(bool(agent.games) and game not in agent.games for agent in self.entrants)


class RosterViewModel(ViewModel[RosterState]):
    """Admits, removes and restores agents; keeps who plays."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        super().__init__(bridge, RosterState())
        self._runtime = runtime
        self._games: dict[str, tuple[str, ...]] = {}
        self._known: set[str] = set()
        self._game = ""
        bridge.subscribe(lambda event: self.refresh(), AgentAdmitted, AgentRemoved)
        self.refresh()
        self.start(self._learn_samples(), "Reading the sample agents")

    def refresh(self) -> None:
        """Read the roster again; agents that were not there before play, samples only those of the game."""
        agents = tuple(_row(agent, self._games) for agent in self._runtime.league.agents())
        new = {agent.sha256 for agent in agents if agent.sha256 not in self._known and self._fits(agent)}
        self._known |= {agent.sha256 for agent in agents}
        self.update(agents=agents, playing=self.state.playing | new)

    def add(self, paths: Sequence[Path], *, alone: bool = False) -> None:
        """Put files before the gate; several at once, checked off the loop. With ``alone`` only they play."""
        if paths:
            self.start(self._admit(list(paths), alone), "Adding agents")

    def let_play(self, hashes: Iterable[str], playing: bool) -> None:
        """Choose who plays in the next round."""
        chosen = frozenset(hashes)
        self.update(playing=self.state.playing | chosen if playing else self.state.playing - chosen)

    def play_all(self, playing: bool) -> None:
        """Let all play, or none."""
        self.let_play((agent.sha256 for agent in self.state.agents), playing)

    def set_game(self, game: str) -> None:
        """Let the samples of a System play and those of others not; the operator's own agents stay as they are."""
        if game == self._game:
            return
        self._game = game
        self._choose_samples()

    def remove(self, *hashes: str) -> None:
        """Take agents out; ``undo`` brings them back, all at once."""
        gone = tuple(agent for agent in self.state.agents if agent.sha256 in hashes)
        for agent in gone:
            self._runtime.league.remove_agent(agent.sha256)
        if gone:
            self.update(removed=(*self.state.removed, gone))
            self.refresh()

    def undo(self) -> None:
        """Bring back who was removed last; again, who was before."""
        if self.state.removed:
            *before, gone = self.state.removed
            for agent in gone:
                self._runtime.league.restore_agent(agent.sha256)
            self.update(removed=tuple(before))
            self.refresh()

    def _fits(self, agent: AgentRow) -> bool:
        return not agent.games or not self._game or self._game in agent.games

    def _choose_samples(self) -> None:
        samples = [agent for agent in self.state.agents if agent.games]
        self.let_play([agent.sha256 for agent in samples if self._game not in agent.games], False)
        self.let_play([agent.sha256 for agent in samples if self._game in agent.games], True)

    async def _learn_samples(self) -> None:
        self._games = await asyncio.to_thread(sample_games)
        self.refresh()
        if self._game:
            self._choose_samples()

    async def _admit(self, paths: list[Path], alone: bool) -> None:
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
        admitted = frozenset(item.agent.sha256 for item in admissions if item.agent is not None)
        if admitted:
            self.update(playing=admitted if alone else self.state.playing | admitted)


def sample_folder(game: str) -> Path:
    """Return where the sample agents of a System lie."""
    return assets_dir() / "agents" / game


def sample_games() -> dict[str, tuple[str, ...]]:
    """Return the hash of every sample agent with the ids of its Systems: a simple one may be a sample of several."""
    found: dict[str, tuple[str, ...]] = {}
    for path in sorted((assets_dir() / "agents").glob("*/*.wasm")):
        digest = file_digest(path)
        found[digest] = (*found.get(digest, ()), path.parent.name)
    return found


def _row(agent: Any, games: dict[str, tuple[str, ...]]) -> AgentRow:
    return AgentRow(
        agent.sha256, agent.name, agent.owner, agent.address, agent.abi, agent.size, games.get(agent.sha256, ())
    )


def _verdict(item: Any) -> VerdictRow:
    verdict = item.verdict
    name = Path(str(item.file)).name
    if item.agent is not None:
        text = item.note or f"Admitted as {item.agent.name} ({verdict.abi})"
        return VerdictRow(name, True, text, verdict.sha256)
    if item.system is not None:
        text = item.note or f"{item.system.title}: choose it in the setup"
        return VerdictRow(name, True, text, verdict.sha256, "system")
    return VerdictRow(name, False, item.note or verdict.reason, verdict.sha256)
