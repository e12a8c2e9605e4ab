"""The form of a run: what stands in it, what is wrong with it, and the options and faults that it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from engine.core.errors import EngineError
from engine.games.consensus import ConsensusGame
from engine.games.games import FiniteGame, Floats, Game, Profile
from engine.games.generators import random_start
from engine.games.methods import AUTO, Finds, Method, method_for, methods_for
from engine.games.options import MAX_ITERATIONS, SolveOptions
from engine.games.parameters import Number, tunable, tuned

STARTS = {"random": "Random", "method": "Method's own", "first": "First actions"}
FAULTS = {"none": "None", "far": "Far away", "nan": "Not a number"}
FAR = 5.0  # diameters of the ideal points
STEPPED = 64  # numbers in a profile up to which every iteration is told at first
SHORT = {
    Finds.ONE: "One equilibrium",
    Finds.ALL: "All equilibria",
    Finds.CORRELATED: "Correlated",
    Finds.LEARNING: "Learning",
}
FOUND = {
    Finds.ONE: "Finds one equilibrium",
    Finds.ALL: "Finds all equilibria",
    Finds.CORRELATED: "Finds a correlated equilibrium",
    Finds.LEARNING: "Players learn; it may never settle",
}


@dataclass(frozen=True, slots=True)
class RunSetup:
    """The values of the form; None where one cannot be read."""

    method: str = AUTO
    epsilon: float | None = 1e-6
    seed: int | None = 0
    iterations: int | None = 0
    stride: int | None = 1
    start: str = "random"
    device: str = "cpu"
    parameters: Mapping[str, float] = field(default_factory=dict)  # the method's own
    tuned_well: bool = True
    fault: str = "none"
    fault_agent: int | None = 1
    fault_at: int | None = 10

    def options(self, game: Game) -> SolveOptions:
        """Return what the solver is asked for. Raises GameError."""
        return SolveOptions(
            epsilon=self.epsilon if self.epsilon is not None else float("nan"),
            iterations=self.iterations or 0,
            stride=self.stride or 0,
            seed=self.seed or 0,
            device=self.device,
            start=start_of(self, game),
            parameters=dict(self.parameters),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as a JSON-ready object: what somebody else needs to run the same."""
        made = {
            "method": self.method, "epsilon": self.epsilon, "seed": self.seed, "iterations": self.iterations,
            "stride": self.stride, "device": self.device, "start": self.start,
            "method_parameters": dict(self.parameters),
        }  # fmt: skip
        if self.fault != "none":
            made["fault"] = {"kind": self.fault, "agent": self.fault_agent, "iteration": self.fault_at}
        return made


def starts_anywhere(game: Game, key: str) -> bool:
    """Return whether the method goes on from wherever it is put: players who learn do."""
    return isinstance(game, FiniteGame) and method_for(game, key).finds is Finds.LEARNING


def start_of(setup: RunSetup, game: Game) -> Profile | None:
    """Return where learning begins; None leaves it to the method. Many learners rest at an even start for ever."""
    if setup.start == "method" or not starts_anywhere(game, setup.method):
        return None
    if setup.start == "first":
        return tuple(np.eye(1, size)[0] for size in game.sizes)
    return random_start(game, setup.seed or 0)


def fitting(game: Game | None) -> tuple[Method, ...]:
    """Return the methods for a game, the automatic one first."""
    return methods_for(game) if game is not None else ()


def fitted(setup: RunSetup, game: Game) -> RunSetup:
    """Return the setup with a method that fits the game, and with steps that suit its size."""
    methods = fitting(game)
    key = setup.method if any(method.key == setup.method for method in methods) else methods[0].key
    device = setup.device if setup.device in method_for(game, key).devices else "cpu"
    stride = 1 if sum(game.sizes) <= STEPPED else 0
    own = setup.parameters if key == setup.method else {}
    agent = min(setup.fault_agent or 1, len(game.sizes))
    return replace(setup, method=key, device=device, stride=stride, fault_agent=agent, parameters=own)


def numbers_of(game: Game | None, key: str) -> tuple[Number, ...]:
    """Return the parameters that a method has for who uses it."""
    method = next((m for m in fitting(game) if m.key == key), None)
    return tunable(method) if method is not None else ()


def errors_of(setup: RunSetup, game: Game | None) -> dict[str, str]:
    """Return what is wrong, by field; empty when it can run."""
    found = {name: "Cannot be read." for name in ("epsilon", "seed", "iterations", "stride")
             if getattr(setup, name) is None}  # fmt: skip
    if game is None:
        return {**found, "game": "There is no game yet."}
    if not setup.tuned_well:
        found["parameters"] = "Cannot be read."
    if not found:
        try:
            method = method_for(game, setup.method)
            tuned(method, setup.parameters)
            setup.options(game)
        except EngineError as error:
            found["method"] = str(error)
        else:
            if setup.device not in method.devices:
                found["device"] = f"{method.title} does not run on {setup.device}."
    if setup.fault != "none" and isinstance(game, ConsensusGame):
        found |= _fault_errors(setup, game)
    return found


def _fault_errors(setup: RunSetup, game: ConsensusGame) -> dict[str, str]:
    found = {}
    if setup.fault_agent is None or not 1 <= setup.fault_agent <= len(game.points):
        found["fault_agent"] = f"An agent from 1 to {len(game.points)}."
    if setup.fault_at is None or not 1 <= setup.fault_at <= MAX_ITERATIONS:
        found["fault_at"] = "An iteration from 1 on."
    return found


def with_fault(game: ConsensusGame, agent: int, kind: str, profile: Profile) -> tuple[ConsensusGame, str]:
    """Return the game after an agent (from 0) turned faulty, and what that is called.

    "far": it listens to nobody any more and wants to be far away. "nan": what it says is not a number; the others
    refuse that and leave it out, it stays where it was.
    """
    points, influence, confidence = game.points.copy(), game.influence.copy(), game.confidence.copy()
    influence[agent] = 0.0
    confidence[agent] = max(1.0, float(confidence[agent]))
    if kind == "nan":
        points[agent] = profile[agent]
        influence[:, agent] = 0.0
        return _changed(game, points, influence, confidence), f"{game.players[agent]} not a number: left out"
    size = float(np.linalg.norm(points.max(axis=0) - points.min(axis=0))) or 1.0
    direction = points[agent] - points.mean(axis=0)
    length = float(np.linalg.norm(direction))
    towards = direction / length if length else np.eye(points.shape[1])[0]
    points[agent] = points.mean(axis=0) + FAR * size * towards
    return _changed(game, points, influence, confidence), f"{game.players[agent]} faulty"


def _changed(game: ConsensusGame, points: Floats, influence: Floats, confidence: Floats) -> ConsensusGame:
    return replace(game, points=points, influence=influence, confidence=confidence)


def describe(game: Game | None) -> str:
    """Return a game's players and size in words."""
    if game is None:
        return ""
    if isinstance(game, ConsensusGame):
        count, dimension = game.points.shape
        return f"Consensus: {count:,} agents in {dimension} dimension{'s' if dimension > 1 else ''}"
    kinds = {"matrix": "Zero-sum", "bimatrix": "General-sum", "tensor": "General-sum", "polymatrix": "Polymatrix"}
    sizes = game.sizes
    if len(sizes) > 6:
        return f"{kinds[game.kind]}: {len(sizes)} players with {min(sizes)} to {max(sizes)} actions"
    shape = " x ".join(f"{size:,}" for size in sizes)
    return f"{kinds[game.kind]}: {len(sizes)} player{'s' if len(sizes) > 1 else ''}, {shape} actions"


def setup_from(values: Mapping[str, Any]) -> RunSetup:
    """Return the setup that the form's values mean."""
    known = {name: values[name] for name in RunSetup.__dataclass_fields__ if name in values}
    return RunSetup(**known)
