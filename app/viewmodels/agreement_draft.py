"""What a round is made of while it is put together: the task, the agents, the settings."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import Notice
from app.viewmodels.agreement_agents import AgentFacts, AgentList, config_errors, list_error, listed_of
from app.viewmodels.agreement_runs import AgreementRecord
from app.viewmodels.agreement_task import FRESH, Problem, read_text, text_of, with_value
from app.viewmodels.base import ViewModel
from engine.consensus.agents.agent_file import default_agents, read_agents
from engine.consensus.config import ConsensusConfig
from engine.consensus.tasks import Task, read_task

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime

OPENED = "opened"
OWN = "own"  # the prefix of the kinds that one begins from scratch


@dataclass(frozen=True, slots=True)
class AgreementState:
    """What the half shows. ``revision`` counts changes of the form from outside, ``beat`` those of the rounds.

    ``choices`` are key and title of tasks. ``sampled`` says that the agents are still those that came along.
    ``rows`` are the rounds of the store, newest first. ``baseline`` is the number of the round drawn beside others.
    """

    choices: tuple[tuple[str, str], ...] = ()
    choice: str = ""
    text: str = ""
    document: Mapping[str, Any] | None = None
    task: Task | None = None
    problem: Problem = field(default_factory=Problem)
    form_problem: str = ""
    agents: AgentList = field(default_factory=AgentList)
    sampled: bool = True
    facts: Mapping[str, AgentFacts] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=lambda: asdict(ConsensusConfig()))
    errors: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    speed: float = 0.0
    node: str = "stopped"
    waiting: bool = False
    run: AgreementRecord | None = None
    runs: tuple[AgreementRecord, ...] = ()
    rows: tuple[Any, ...] = ()
    baseline: int | None = None
    verifying: bool = False
    verification: Any = None
    beat: int = 0

    @property
    def busy(self) -> bool:
        """Whether a round is under way or paused."""
        return self.run is not None and not self.run.ended

    @property
    def ready(self) -> bool:
        """Whether Run would start one."""
        return self.task is not None and not self.errors and not self.waiting

    @property
    def hybrid(self) -> bool:
        """Whether the result is to go on a chain."""
        return bool(self.config.get("hybrid_mode"))

    @property
    def needs_node(self) -> bool:
        """Whether a devnet has to be started first; a cross-chain task brings chains of its own."""
        own = self.task is not None and bool(self.task.chains)
        return self.hybrid and not own and self.node not in ("running", "foreign")


class DraftViewModel(ViewModel[AgreementState]):
    """Edits the draft and says what is wrong with it."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        super().__init__(bridge, AgreementState())
        self._runtime = runtime
        self._files: dict[str, Path] = {}

    # The task

    def choose(self, key: str) -> None:
        """Take a shipped task, the one opened, or begin one of a kind from scratch."""
        if key.startswith(f"{OWN}:"):
            self.use_text(text_of(FRESH[key.partition(":")[2]]), key)
        elif key in self._files:
            self.open_task(self._files[key], key)

    def open_task(self, path: Path, key: str = OPENED) -> None:
        """Open a task file; one that is no task is refused, and the task stays."""
        self.start(self._open_task(path, key), f"Opening {path.name}", key="task-file")

    def use_text(self, text: str, choice: str | None = None) -> None:
        """Take a task as JSON; what is wrong with it blocks the run."""
        document, task, problem = read_text(text)
        state = self.state
        agents = state.agents
        if task is not None and state.sampled and (state.task is None or state.task.type != task.type):
            agents = listed_of(default_agents(task), agents.numbers)
        self.update(
            text=text, document=document, task=task, problem=problem, form_problem="", agents=agents,
            choice=state.choice if choice is None else choice, revision=state.revision + 1,
        )  # fmt: skip
        self._check()

    def set_value(self, path: tuple[str, ...], value: Any) -> None:
        """Take a value from the form; None says that it cannot be read, which blocks."""
        if self.state.document is None:
            return
        if value is None:
            self.update(form_problem=f"{path[-1].replace('_', ' ')} cannot be read")
            self._check()
            return
        self.use_text(text_of(with_value(self.state.document, path, value)))

    # The agents

    def add_agent(self) -> None:
        """Add an agent."""
        self._set_agents(self.state.agents.with_new())

    def duplicate(self, keys: Iterable[int]) -> None:
        """Copy agents."""
        self._set_agents(self.state.agents.with_copies(keys))

    def remove(self, keys: Iterable[int]) -> None:
        """Take agents out; ``undo_remove`` brings them back."""
        self._set_agents(self.state.agents.without(keys))

    def undo_remove(self) -> None:
        """Bring back who was removed last."""
        self._set_agents(self.state.agents.restored())

    def edit_agents(self, keys: Iterable[int], values: Mapping[str, Any]) -> None:
        """Change values of agents; a behaviour changed while they run is injected at once."""
        keys = tuple(keys)
        self._set_agents(self.state.agents.changed(keys, values))
        if "model" in values:
            self.start(self._check_model(keys, str(values["model"])), "Checking a model", key="model")

    def use_model(self, path: Path, keys: Iterable[int] = ()) -> None:
        """Give a model file to agents, to a new one where none is named."""
        keys = tuple(keys)
        if not keys:
            grown = self.state.agents.with_new()
            keys = (grown.agents[-1].key,) if len(grown.agents) > len(self.state.agents.agents) else ()
            self._set_agents(grown)
        self.edit_agents(keys, {"model": str(path)})

    def open_agents(self, path: Path) -> None:
        """Take the agents of a file."""
        self.start(self._open_agents(path), f"Opening {path.name}", key="agents-file")

    def use_samples(self) -> None:
        """Take the agents that come along for the task."""
        if self.state.task is not None:
            self.update(sampled=True)
            self._set_agents(listed_of(default_agents(self.state.task), self.state.agents.numbers), sampled=True)

    # The settings

    def edit(self, values: Mapping[str, Any]) -> None:
        """Take settings; None says that one cannot be read."""
        self.update(config={**self.state.config, **values})
        self._check()

    def fill(self, **values: Any) -> None:
        """Set settings from outside the form."""
        self.edit(values)
        self.update(revision=self.state.revision + 1)

    # Inside

    async def _open_task(self, path: Path, key: str, *, quiet: bool = False) -> None:
        task = await asyncio.to_thread(read_task, path)
        if key == OPENED:
            self._files[OPENED] = path
            others = tuple(choice for choice in self.state.choices if choice[0] != OPENED)
            self.update(choices=(*others, (OPENED, f"{task.title} ({path.name})")))
        self.use_text(text_of(task.document), key)
        if not quiet and key == OPENED:
            self.bridge.notify(Notice("ok", f"Opened {path.name}", task.title, key="task-file"))

    async def _open_agents(self, path: Path) -> None:
        specs = await asyncio.to_thread(read_agents, path)
        self._set_agents(listed_of(specs, self.state.agents.numbers))
        self.bridge.notify(Notice("ok", f"Opened {path.name}", f"{len(specs)} agents.", key="agents-file"))

    async def _check_model(self, keys: tuple[int, ...], model: str) -> None:
        from app.viewmodels.agreement_models import problem_of

        why = await problem_of(model)
        listed = self.state.agents
        still = [key for key in keys if any(a.key == key and a.model == model for a in listed.agents)]
        if why and still:
            self._set_agents(replace(listed, refused={**listed.refused, **dict.fromkeys(still, why)}))

    def _set_agents(self, agents: AgentList, *, sampled: bool = False) -> None:
        self.update(agents=agents, sampled=sampled)
        self._check()

    def _check(self) -> None:
        state = self.state
        errors = config_errors(state.config)
        if state.problem.what:
            errors["task"] = state.problem.text
        elif state.form_problem:
            errors["task"] = f"{state.form_problem}."
        wrong = list_error(state.agents, int(state.config.get("quorum") or 2))
        if wrong:
            errors["agents"] = wrong
        self.update(errors=errors)
