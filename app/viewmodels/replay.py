"""Replay: one match, step by step, with the proof of the step shown."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.errors import Notice
from app.viewmodels.base import ViewModel
from app.viewmodels.chain_check import ChainCheck, check_on_chain
from app.viewmodels.proof import ProofWalk, walk
from app.viewmodels.reading import action_text, packed_fields
from engine.core.errors import EngineError
from engine.league.bundle import Bundle, read_bundle
from engine.league.cache import write_atomically
from engine.league.proof import StepProof
from engine.league.replay import Replay
from engine.league.sandbox import Sandbox

if TYPE_CHECKING:
    from app.bridge import Bridge
    from engine.runtime import Runtime

STEPS_A_SECOND = 8
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True, slots=True)
class MatchFacts:
    """What the bundle says of its match."""

    name: str
    system: str
    agents: tuple[str, ...]
    seed: int
    budget: int
    outcome: str
    cause: str | None
    seat: int | None
    scores: tuple[int, ...]
    steps: int
    trace_root: str
    commitment: str


@dataclass(frozen=True, slots=True)
class StepFacts:
    """The step shown; ``legal`` None: the System was not asked."""

    step: int
    seat: int
    packed: int
    fields: tuple[tuple[str, str], ...]
    observation: bytes
    action: str
    legal: bool | None
    cause: str | None
    gas: int
    leaf: str


@dataclass(frozen=True, slots=True)
class VerifyState:
    """What playing the match again gave: idle, running, ok or failed."""

    state: str = "idle"
    text: str = ""
    step: int | None = None


@dataclass(frozen=True, slots=True)
class ReplayState:
    """``step`` counts decisions; ``step == facts.steps`` is the end, after the last one."""

    facts: MatchFacts | None = None
    opening: str = ""
    step: int = 0
    playing: bool = False
    speed: float = 1.0
    board: bytes = b""
    shown: StepFacts | None = None
    proof: ProofWalk | None = None
    marks: tuple[tuple[int, str, str], ...] = ()
    verify: VerifyState = VerifyState()
    chain: ChainCheck | None = None
    path: Path | None = None
    round_id: str = ""
    fixture: int = -1


class ReplayViewModel(ViewModel[ReplayState]):
    """Opens bundles and matches of rounds, moves through them, verifies them."""

    def __init__(self, bridge: Bridge, runtime: Runtime) -> None:
        super().__init__(bridge, ReplayState())
        self._runtime = runtime
        self._replay: Replay | None = None
        self._sandbox: Sandbox | None = None
        self._player: asyncio.Task[None] | None = None
        self.description: dict[str, Any] = {}

    def open_file(self, path: Path) -> None:
        """Open a match bundle; a file that is none is refused with the reason, and what is shown stays."""
        self.update(opening=path.name)
        self.start(self._open(path, "", -1), f"Opening {path.name}", key="replay")

    def open_match(self, round_id: str, fixture: int) -> None:
        """Open a match of a round: its bundle is made by playing it again."""
        self.update(opening=f"match {fixture}")
        self.start(self._open_match(round_id, fixture), "Opening a match", key="replay")

    def seek(self, step: int) -> None:
        """Show a step."""
        if self._replay is not None:
            self._show(max(0, min(step, len(self._replay))))

    def move(self, by: int) -> None:
        """Go some steps on or back."""
        self.seek(self.state.step + by)

    def play(self, playing: bool) -> None:
        """Start or stop the playback; at the end it starts from the beginning."""
        if self._replay is None or playing == self.state.playing:
            return
        if playing:
            if self.state.step >= len(self._replay):
                self.seek(0)
            self.update(playing=True)
            self._player = self.bridge.spawn(self._run(), "Playback")
        else:
            self._stop()

    def set_speed(self, speed: float) -> None:
        """Set how fast the playback goes."""
        self.update(speed=min(max(speed, SPEEDS[0]), SPEEDS[-1]))

    def edit_leaf(self, offset: int, value: int) -> None:
        """Change a byte of the leaf, to see the proof fail."""
        proof = self.state.proof
        if proof is not None and 0 <= offset < len(proof.leaf):
            leaf = bytearray(proof.leaf)
            leaf[offset] = value & 0xFF
            self.update(proof=self._walk(proof.index, bytes(leaf)), chain=None)

    def revert_leaf(self) -> None:
        """Take back all edits of the leaf."""
        if self.state.proof is not None:
            self.update(proof=self._walk(self.state.proof.index, None), chain=None)

    def verify(self) -> None:
        """Play the match again and compare everything with the bundle."""
        if self.state.path is not None and self.state.verify.state != "running":
            self.update(verify=VerifyState("running"))
            self.start(self._verify(self.state.path), "Verifying the match", key="replay")

    def verify_on_chain(self) -> None:
        """Ask the contract whether the step shown belongs to an anchored round."""
        state = self.state
        if state.proof is not None and self._replay is not None:
            self.start(self._verify_on_chain(state, self._replay.bundle), "Asking the contract", key="replay")

    def export_proof(self, path: Path) -> None:
        """Write the proof of the step shown as JSON; ``nashboard trace check`` reads it."""
        if self._replay is not None and self.state.proof is not None:
            text = json.dumps(StepProof.of(self._replay.bundle, self.state.proof.index).to_json(), indent=2)
            write_atomically(path, text.encode(), mode=0o644)
            self.bridge.notify(Notice("ok", f"Saved {path.name}", "Check it with nashboard trace check.", key="replay"))

    def save_bundle(self, path: Path) -> None:
        """Write the match as a bundle elsewhere."""
        if self._replay is not None:
            write_atomically(path, self._replay.bundle.encode(), mode=0o644)
            self.bridge.notify(Notice("ok", f"Saved {path.name}", "Anyone can verify it offline.", key="replay"))

    def close(self) -> None:
        """Let the sandbox go."""
        self._stop()
        if self._sandbox is not None:
            self._sandbox.close()
            self._sandbox = None

    # Inside

    async def _open_match(self, round_id: str, fixture: int) -> None:
        try:
            job = self._runtime.jobs.start("Replay a match", lambda _: self._runtime.league.bundle(round_id, fixture))
            path = await job.result()
        except BaseException:
            self.update(opening="")
            raise
        await self._open(path, round_id, fixture)

    async def _open(self, path: Path, round_id: str, fixture: int) -> None:
        try:
            bundle = await asyncio.to_thread(read_bundle, path)
            verdict = await self._runtime.gate.check(bundle.system, "system", "the bundle's System")
            system = verdict.system()
            if self._sandbox is None:
                self._sandbox = Sandbox(self._runtime.data.cache)
            replay = await asyncio.to_thread(Replay, bundle, system, self._sandbox)
        finally:
            self.update(opening="")
        self._stop()
        self._replay = replay
        self.description = system.spec.model_dump()
        names = self._names(bundle)
        self.update(
            facts=_facts(path, bundle, names, system.spec.title),
            path=path,
            round_id=round_id,
            fixture=fixture,
            verify=VerifyState(),
            chain=None,
            marks=_marks(bundle, self.description),
        )
        self._show(0)

    def _names(self, bundle: Bundle) -> tuple[str, ...]:
        known = {agent.sha256: agent.name for agent in self._runtime.league.agents(removed=True)}
        return tuple(known.get(sha, sha[:12]) for sha in bundle.match.agents)

    def _show(self, step: int) -> None:
        assert self._replay is not None
        total = len(self._replay)
        if step >= total:
            board = self._replay.state(total)
            self.update(step=total, board=board, shown=None, proof=self._walk(total - 1, None) if total else None)
            return
        view = self._replay.at(step)
        fields = tuple(packed_fields(self.description.get("observation", {}), view.packed))
        action = action_text(self.description.get("action", {}), view.action)
        facts = StepFacts(
            step, view.seat, view.packed, fields, view.observation, action, view.legal, view.cause, view.gas_used,
            view.leaf.hex(),
        )  # fmt: skip
        chain = self.state.chain if self.state.chain and self.state.chain.step == step else None
        self.update(step=step, board=view.state, shown=facts, proof=self._walk(step, None), chain=chain)

    def _walk(self, index: int, leaf: bytes | None) -> ProofWalk:
        assert self._replay is not None
        bundle = self._replay.bundle
        proof = StepProof.of(bundle, index)
        original = index.to_bytes(8, "big") + proof.observation_hash + proof.action_hash
        return walk(index, bundle.steps, original if leaf is None else leaf, proof.path, bundle.trace_root, original)

    async def _run(self) -> None:
        assert self._replay is not None
        while self.state.playing and self.state.step < len(self._replay):
            await asyncio.sleep(1 / (STEPS_A_SECOND * self.state.speed))
            self.move(1)
        self.update(playing=False)

    def _stop(self) -> None:
        if self._player is not None:
            self._player.cancel()
            self._player = None
        self.update(playing=False)

    async def _verify(self, path: Path) -> None:
        try:
            result = await self._runtime.league.verify(path)
        except EngineError as error:
            self.update(verify=VerifyState("failed", str(error)))
            return
        except BaseException:
            self.update(verify=VerifyState())
            raise
        text = "Played again: every hash, the outcome and the scores are as claimed."
        if not result.ok:
            text = "; ".join(result.differences)
            if result.step is not None:
                self.seek(result.step)
        self.update(verify=VerifyState("ok" if result.ok else "failed", text, result.step))

    async def _verify_on_chain(self, state: ReplayState, bundle: Bundle) -> None:
        assert state.proof is not None
        check = await check_on_chain(self._runtime, bundle, state.proof)
        self.update(chain=replace(check, step=state.proof.index))


def _facts(path: Path, bundle: Bundle, names: tuple[str, ...], title: str) -> MatchFacts:
    match = bundle.match
    return MatchFacts(
        name=path.name,
        system=title,
        agents=names,
        seed=match.seed,
        budget=match.budget,
        outcome=match.outcome,
        cause=match.cause,
        seat=match.seat,
        scores=tuple(match.scores),
        steps=bundle.steps,
        trace_root=bundle.trace_root.hex(),
        commitment=bundle.commitment.hex(),
    )


def _marks(bundle: Bundle, description: dict[str, Any]) -> tuple[tuple[int, str, str], ...]:
    """Return the steps worth jumping to: where the length or score in the packed observation changed, and faults."""
    fields = description.get("observation", {}).get("packed", ())
    byte = next((field["byte"] for field in fields if field.get("name") in ("length", "score")), None)
    marks: list[tuple[int, str, str]] = []
    previous: int | None = None
    for step in range(bundle.steps):
        record = bundle.records[step]
        if record.fault is not None:
            marks.append((step, "error", str(record.cause)))
        elif byte is not None:
            value = record.packed >> (8 * byte) & 0xFF
            if previous is not None and value != previous:
                marks.append((step, "ok", f"{value}"))
            previous = value
    return tuple(marks)
