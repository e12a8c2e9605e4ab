"""Verification of a bundle by playing it again: anyone, offline, with nothing but the file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.core.errors import UsageError
from engine.league.bundle import Bundle, read_bundle
from engine.league.errors import DivergenceError, SandboxError
from engine.league.gate.limits import GATE_VERSION
from engine.league.gate.service import SyncGate
from engine.league.gate.verdict import Verdict
from engine.league.match import MatchRequest, MatchResult, Outcome, RootHasher, run_match
from engine.league.sandbox import Sandbox
from engine.league.trace import first_difference, trace_root


@dataclass(frozen=True, slots=True)
class Verification:
    """What playing a bundle again gave. ``differences`` are sentences, empty when all is as claimed; ``step`` is the
    first step in which the traces differ; ``result`` is the replayed match, None when it could not be played."""

    differences: tuple[str, ...]
    step: int | None
    result: MatchResult | None

    @property
    def ok(self) -> bool:
        """Whether everything is as the bundle claims."""
        return not self.differences

    def require(self, name: str = "bundle") -> None:
        """Raise DivergenceError, which exits with 3, unless everything is as claimed."""
        if self.differences:
            raise DivergenceError(
                f"The {name} does not verify", "; ".join(self.differences), step=self.step, differences=self.differences
            )

    def to_json(self) -> dict[str, Any]:
        """Return the verification as ``nashboard match verify --json`` prints it."""
        replayed = None
        if self.result is not None:
            replayed = {
                "outcome": self.result.outcome.value,
                "cause": self.result.cause,
                "seat": self.result.seat,
                "scores": list(self.result.scores),
                "steps": self.result.steps,
                "trace_root": self.result.trace_root.hex() if self.result.trace_root else None,
                "commitment": self.result.commitment.hex() if self.result.commitment else None,
            }
        return {"ok": self.ok, "step": self.step, "differences": list(self.differences), "replayed": replayed}


def admit(bundle: Bundle, gate: SyncGate) -> tuple[MatchRequest | None, tuple[str, ...]]:
    """Pass a bundle's modules through the gate again; return the match to play, or why it cannot be one."""
    verdicts = [gate.check(bundle.system, "system", "system.wasm")]
    verdicts += [gate.check(agent, "agent", f"agents/{seat}.wasm") for seat, agent in enumerate(bundle.agents)]
    wrong = [_rejection(verdict) for verdict in verdicts if not verdict.accepted]
    if bundle.match.gate != GATE_VERSION:
        wrong.append(f"it was played behind gate {bundle.match.gate}, this is gate {GATE_VERSION}")
    if wrong:
        return None, tuple(wrong)
    system = verdicts[0].system()
    if system.spec.seats != len(bundle.agents):
        return None, (f"{system.spec.title} takes {system.spec.seats} agents, the bundle has {len(bundle.agents)}",)
    params = bundle.match.params
    try:
        if system.spec.resolve(params) != params:
            return None, (f"it does not give every parameter of {system.spec.title}",)
    except UsageError as error:
        return None, (str(error),)
    agents = tuple(verdict.agent() for verdict in verdicts[1:])
    return MatchRequest(system, agents, bundle.match.seed, bundle.match.budget, params=params), ()


def verify_bundle(bundle: Bundle, gate: SyncGate, sandbox: Sandbox, hasher: RootHasher | None = None) -> Verification:
    """Verify a bundle. Raises SandboxError when this machine could not play it, which says nothing about the bundle.

    1. The gate admits the modules as submitted. 2. The trace hashes to the claimed root. 3. The match is played
    again. 4. Trace, outcome, scores and commitment are compared.
    """
    request, wrong = admit(bundle, gate)
    if request is None:
        return Verification(wrong, None, None)
    result = run_match(request, sandbox, hasher)
    if result.outcome is Outcome.INFRA:
        raise SandboxError("The match could not be played again on this machine", f"{result.cause}: {result.detail}")
    assert result.trace is not None
    step = first_difference(bundle.trace, result.trace, len(bundle.agents))
    return Verification(tuple(_differences(bundle, result, step, hasher)), step, result)


def verify_file(path: Path, cache_dir: Path | None = None) -> Verification:
    """Verify one file with a gate and a sandbox of its own; for worker processes. Raises BundleError, SandboxError."""
    bundle = read_bundle(path)
    with SyncGate() as gate, Sandbox(cache_dir) as sandbox:
        return verify_bundle(bundle, gate, sandbox)


def _rejection(verdict: Verdict) -> str:
    return f"the gate rejects {verdict.name}: {verdict.reason}"


def _differences(bundle: Bundle, result: MatchResult, step: int | None, hasher: RootHasher | None) -> list[str]:
    claimed, found = bundle.match, []
    if step is not None:
        found.append(_step_text(bundle, result, step))
    root = hasher.root(bundle.trace) if hasher is not None else trace_root(bundle.trace, len(bundle.agents))
    if root != bundle.trace_root:
        found.append("the trace does not hash to the root that the bundle claims")
    elif result.trace_root != bundle.trace_root and step is None:
        found.append("the trace roots differ")
    pairs = (
        ("outcome", claimed.outcome, result.outcome.value),
        ("cause", claimed.cause, result.cause),
        ("seat", claimed.seat, result.seat),
        ("scores", tuple(claimed.scores), result.scores),
    )
    found += [
        f"the {name} is claimed as {said}, replayed as {played}" for name, said, played in pairs if said != played
    ]
    if not found and result.commitment != bundle.commitment:
        found.append("the commitments differ")
    return found


def _step_text(bundle: Bundle, result: MatchResult, step: int) -> str:
    """Say in which step the traces part, and how."""
    assert result.trace is not None
    if step >= bundle.steps or step >= result.steps:
        return f"the traces differ at step {step}: {bundle.steps} steps are claimed, {result.steps} were played"
    said, played = bundle.records[step], type(bundle.records)(result.trace, len(bundle.agents))[step]
    for name in ("seat", "observation", "packed", "action", "fault", "gas_used"):
        left, right = getattr(said, name), getattr(played, name)
        if left != right:
            if isinstance(left, bytes):
                return f"the traces differ at step {step}: in the {name}"
            return f"the traces differ at step {step}: {name.replace('_', ' ')} {left} is claimed, {right} was played"
    return f"the traces differ at step {step}"
