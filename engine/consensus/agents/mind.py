"""How an agent makes up its mind: model, strategy, learning, and openness to where the others stand."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from engine.consensus.agents.learning import Learner
from engine.consensus.agents.model_io import ModelRunner
from engine.consensus.agents.strategies import decide, fit, logits_of
from engine.consensus.config import AgentConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.participants import Proposal
from engine.consensus.tasks import Task
from engine.games.games import Floats

if TYPE_CHECKING:
    from torch import nn

T = TypeVar("T")
OPENNESS = {"pure": 0.0, "mixed": 0.15, "adaptive": 0.15}
SETTLED = 1e-3  # an agent that would move by less stays where it is
_TASKS = 32  # that are kept in mind


class Mind:
    """Makes proposals. It belongs to one agent and knows no keys.

    ``openness`` in [0, 1) is how far it goes from its own view towards the consensus that it has seen (Friedkin and
    Johnsen's model of opinions): by default 0 for pure strategies and 0.15 for others. It settles: a move of less than
    1e-3 (relative to 1 and the position's size) is not made. A model with ``propose_for(task, state)`` that returns
    position and confidence is asked instead of being run; where it has ``revises = True`` the openness is its own.
    """

    def __init__(
        self, name: str, model: nn.Module, config: AgentConfig, device: str, *, openness: float | None, seed: int
    ) -> None:
        self.config = config
        self.openness = OPENNESS[config.strategy_type] if openness is None else openness
        if not 0.0 <= self.openness < 1.0:
            raise ConsensusError(f"The openness of {name} cannot be {openness}", "it lies in 0 up to but not 1")
        self.runner = ModelRunner(model, device)
        self.learner = Learner(config, seed, name)
        self._luck = f"{seed}/{name}"
        self._outputs: OrderedDict[bytes, tuple[Floats, float | None]] = OrderedDict()
        self._stands: OrderedDict[bytes, Proposal] = OrderedDict()

    def propose(self, task: Task, state: Floats | None) -> Proposal:
        """Return the proposal, having seen a consensus (d,) or, in the first iteration, None. Raises ConsensusError."""
        if state is None:
            self._outputs.pop(task.hash, None)  # the model may have been trained since
        own = self._own(task, state)
        if state is not None and self.openness and not getattr(self.runner.model, "revises", False):
            seen = np.asarray(state, dtype=np.float64).reshape(-1)
            if seen.shape != own.position.shape:
                raise ConsensusError(
                    "The state does not fit the task", f"it has {seen.size} coordinates, the task {task.dims}"
                )
            own = Proposal((1.0 - self.openness) * own.position + self.openness * seen, own.confidence)
        stand = self._stands.get(task.hash)
        if state is not None and stand is not None and _close(own, stand):
            return stand
        _keep(self._stands, task.hash, own)
        return own

    def learn(self, task: Task, outcome: Floats) -> None:
        """Take in how a task came out; only adaptive agents do. Raises ConsensusError."""
        if self.config.strategy_type == "adaptive":
            output, _ = self._output(task, None)
            self.learner.learn(task, output, outcome)

    @property
    def _asks_itself(self) -> bool:
        return callable(getattr(self.runner.model, "propose_for", None))

    def _own(self, task: Task, state: Floats | None) -> Proposal:
        output, sure = self._output(task, state)
        if self.config.strategy_type == "adaptive":
            output = self.learner.improve(task, output)
        return decide(output, task, self.config.strategy_type, sure)

    def _output(self, task: Task, state: Floats | None) -> tuple[Floats, float | None]:
        """Return the model's numbers (d,) and its word on how sure it is."""
        if self._asks_itself:
            return self._asked(task, state)
        if task.hash not in self._outputs:
            numbers, sure = self.runner.run(task, self._seed(task))
            _keep(self._outputs, task.hash, (fit(numbers, task), sure))
        return self._outputs[task.hash]

    def _asked(self, task: Task, state: Floats | None) -> tuple[Floats, float | None]:
        try:
            position, sure = self.runner.model.propose_for(task, state)  # type: ignore[operator]
            flat = np.asarray(position, dtype=np.float64).reshape(-1)
            confidence = float(sure)
        except ConsensusError:
            raise
        except Exception as error:  # the model is the user's, and may raise anything
            raise ConsensusError("The model failed", f"{type(error).__name__}: {str(error)[:200]}") from error
        return logits_of(fit(flat, task), task.space), confidence

    def _seed(self, task: Task) -> int:
        digest = hashlib.blake2b(self._luck.encode() + task.hash, digest_size=8).digest()
        return int.from_bytes(digest, "little") >> 1


def _keep(kept: OrderedDict[bytes, T], key: bytes, value: T) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > _TASKS:
        kept.popitem(last=False)


def _close(one: Proposal, other: Proposal) -> bool:
    room = SETTLED * np.maximum(1.0, np.abs(other.position))
    return bool((np.abs(one.position - other.position) < room).all()) and one.confidence == other.confidence
