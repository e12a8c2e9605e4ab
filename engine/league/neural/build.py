"""From a model file to an agent: load, calibrate, quantise, emit, and prove that agent and twin are one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from engine.core.optional import need_torch
from engine.league.config import DEFAULT_BUDGET
from engine.league.errors import LeagueError
from engine.league.gate.verdict import SystemImage
from engine.league.neural.actions import Actions, actions_of
from engine.league.neural.emit import emit_agent
from engine.league.neural.errors import ModelError
from engine.league.neural.features import SCHEMES, FeatureMap, Ints, feature_map, rows_of
from engine.league.neural.model import Floats, Mlp, load_mlp
from engine.league.neural.play import Played, Table
from engine.league.neural.quantise import IntMlp, quantise
from engine.league.sandbox import Sandbox
from engine.league.system import SystemSpec

if TYPE_CHECKING:
    from engine.league.neural.twin import QuantisedTwin

DEFAULT_CALIBRATION: Final = 2000
MAX_CALIBRATION: Final = 100_000


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build. ``features`` is one of SCHEMES, "" to tell by the number of inputs; ``calibrate`` is how many
    observations are gathered from random play, and as many again from the agent's own."""

    model: Path
    system: SystemImage
    features: str = ""
    calibrate: int = DEFAULT_CALIBRATION
    budget: int = DEFAULT_BUDGET


@dataclass(frozen=True, slots=True)
class BuiltAgent:
    """The agent's module and what is to be said of it.

    ``gas`` is that of the dearest decision; ``agreement`` the share of observations on which it does what the model in
    floats does; ``verified`` how many of its decisions were compared with the twin's, all equal; ``outcomes`` how
    its trial matches ended for it, ``mean_score`` what it scored in one.
    """

    wasm: bytes = field(repr=False)
    system: str
    features: str
    sizes: tuple[int, ...]
    parameters: int
    gas: int
    budget: int
    observations: int
    agreement: float
    verified: int
    outcomes: dict[str, int]
    mean_score: float
    assumed: str

    def to_json(self) -> dict[str, Any]:
        """Return the report as ``nashboard agent build --json`` prints it."""
        return {
            "sha256": sha256(self.wasm).hexdigest(),
            "bytes": len(self.wasm),
            "system": self.system,
            "features": self.features,
            "layers": list(self.sizes),
            "parameters": self.parameters,
            "gas": self.gas,
            "budget": self.budget,
            "calibrated_on": self.observations,
            "agreement": round(self.agreement, 6),
            "verified": self.verified,
            "outcomes": self.outcomes,
            "mean_score": round(self.mean_score, 3),
            "assumed": self.assumed,
        }


@dataclass(frozen=True, slots=True)
class NeuralAgent:
    """An agent in all its forms: the model's integers, what goes in and comes out, and the module."""

    network: IntMlp
    features: FeatureMap
    actions: Actions
    wasm: bytes = field(repr=False)

    @classmethod
    def of(cls, mlp: Mlp, features: FeatureMap, actions: Actions, raw: Ints) -> NeuralAgent:
        """Quantise on raw inputs and write the module."""
        network = quantise(mlp, raw, features.numeric())
        return cls(network, features, actions, emit_agent(network, features, actions))

    def twin(self) -> QuantisedTwin:
        """Return the torch module that decides the same."""
        from engine.league.neural.twin import QuantisedTwin

        return QuantisedTwin(self.network, self.features, self.actions)


def build_agent(request: BuildRequest) -> BuiltAgent:
    """Build the agent. Everything is decided by the request and the model file; nothing is written.

    Raises ModelError for a model that cannot become an agent, with the layer, the figure or the file's fault,
    DependencyError without torch, whose twin the agent is compared with.
    """
    need_torch("The agent cannot be built")
    if not 1 <= request.calibrate <= MAX_CALIBRATION:
        raise ModelError("The calibration does not fit", f"{request.calibrate} is not between 1 and {MAX_CALIBRATION}")
    mlp, spec = load_mlp(request.model), request.system.spec
    actions = actions_of(spec)
    _check_purpose(mlp, spec, actions)
    with Sandbox() as sandbox:
        table = Table(request.system, actions, sandbox)
        seen = table.explore(request.calibrate).sample(request.calibrate)
        features = choose_features(spec, mlp, request.features, max(len(full) for _, full in seen))
        first = NeuralAgent.of(mlp, features, actions, _encode(features, seen))
        # The agent gets where chance does not, so its own play is calibrated on too.
        own = table.try_out(table.admit(first.wasm), request.calibrate)
        _check_gas(own, request.budget)
        seen += own.sample(request.calibrate)
        raw = _encode(features, seen)
        agent = NeuralAgent.of(mlp, features, actions, raw)
        trial = table.try_out(table.admit(agent.wasm), request.calibrate)
    verify_twin(agent, trial)
    return _report(request, mlp, agent, raw, trial)


def _check_purpose(mlp: Mlp, spec: SystemSpec, actions: Actions) -> None:
    if mlp.system and mlp.system != spec.id:
        raise ModelError("The model is for another System", f"it says {mlp.system!r}, this is {spec.id!r}")
    if mlp.outputs != len(actions.values):
        names = ", ".join(actions.names[:8]) + (", ..." if len(actions.names) > 8 else "")
        why = f"its last layer has {mlp.outputs} outputs, {spec.title} has {len(actions.values)} actions: {names}"
        raise ModelError("The model's outputs do not fit the System", why, "Train it with one output an action.")


def choose_features(spec: SystemSpec, mlp: Mlp, wanted: str, length: int) -> FeatureMap:
    """Return the features that a model takes: those wanted, those its file names, or those of as many inputs.

    ``length`` is that of the full observation. Raises ModelError when none fits, or more than one does.
    """
    known = {scheme: feature_map(spec, scheme, length) for scheme in SCHEMES}
    found = {scheme: features for scheme, features in known.items() if features is not None}
    named = wanted or mlp.features
    if named and named not in found:
        why = f"features {named!r} are not to be had on {spec.title}"
        raise ModelError("The model's inputs do not fit the System", why, f"Choose from {', '.join(found)}.")
    fitting = [item for scheme, item in found.items() if item.inputs == mlp.inputs and named in ("", scheme)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        why = f"{' and '.join(item.scheme for item in fitting)} both have {mlp.inputs}"
        raise ModelError("The model's inputs have two meanings", why, "Name one with --features.")
    sizes = ", ".join(f"{scheme} {item.inputs}" for scheme, item in found.items() if named in ("", scheme))
    why = f"it takes {mlp.inputs} numbers, {spec.title} gives: {sizes}"
    raise ModelError("The model's inputs do not fit the System", why, "'nashboard agent inputs' lists them.")


def _encode(features: FeatureMap, observations: Sequence[tuple[int, bytes]]) -> Ints:
    return features.encode(rows_of(observations, features.reach))


def _check_gas(played: Played, budget: int) -> None:
    gas = max((record.gas_used for _, record in played.records), default=0)
    if gas > budget:
        why = f"a decision takes {gas:,} gas, the budget is {budget:,}"
        raise ModelError("The model is too large for an agent", why, "Make its layers narrower.")


def verify_twin(agent: NeuralAgent, played: Played) -> None:
    """Compare every decision of an agent with its twin's. Raises LeagueError on the first that differs."""
    wanted = agent.twin().decide(rows_of(played.observations, agent.features.reach))
    for (_, record), action in zip(played.records, wanted, strict=True):
        done = record.action - 2**64 if record.action >= 2**63 else record.action
        if record.fault is None and done != action:
            why = f"at step {record.step} it played {done}, the twin {action}"
            raise LeagueError("The agent differs from its twin, which is a bug", why, "Please report it.")


def _report(request: BuildRequest, mlp: Mlp, agent: NeuralAgent, raw: Ints, trial: Played) -> BuiltAgent:
    alike = agent.network.forward(raw).argmax(axis=1) == _in_floats(mlp, raw).argmax(axis=1)
    return BuiltAgent(
        wasm=agent.wasm,
        system=request.system.spec.id,
        features=agent.features.scheme,
        sizes=mlp.sizes,
        parameters=mlp.parameters,
        gas=max(record.gas_used for _, record in trial.records),
        budget=request.budget,
        observations=len(raw),
        agreement=float(alike.mean()),
        verified=sum(record.fault is None for _, record in trial.records),
        outcomes=dict(sorted(Counter(trial.outcomes).items())),
        mean_score=trial.score / trial.outcomes.total(),
        assumed=mlp.assumed,
    )


def _in_floats(mlp: Mlp, raw: Ints) -> Floats:
    values = raw.astype(np.float64)
    for layer in mlp.layers:
        values = values @ layer.weight.T + layer.bias
        if layer.low is not None:
            values = np.clip(values, layer.low, layer.high)
    return values


def describe_inputs(system: SystemImage) -> dict[str, list[str]]:
    """Return what a model's inputs mean on a System, by scheme. Raises ModelError where no model can play it."""
    actions = actions_of(system.spec)
    with Sandbox() as sandbox:
        seen = Table(system, actions, sandbox).explore(1).observations
    length = max(len(full) for _, full in seen)
    found = {scheme: feature_map(system.spec, scheme, length) for scheme in SCHEMES}
    return {scheme: features.names() for scheme, features in found.items() if features is not None}
