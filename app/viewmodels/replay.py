"""Replay: one match, step by step, with the proof of the step shown."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from app.errors import Notice
from app.viewmodels.base import ViewModel
from app.viewmodels.chain_check import ChainCheck, check_on_chain
from app.viewmodels.match_facts import MatchFacts, StepFacts, shipped_agents
from app.viewmodels.match_reading import NOT_READ, MatchReading
from app.viewmodels.proof import ProofWalk, walk_trace
from app.viewmodels.reading import action_text
from engine.core.errors import EngineError
from engine.core.files import write_atomically
from engine.league.bundle import Bundle, read_bundle
from engine.league.gate.verdict import SystemImage
from engine.league.proof import StepProof
from engine.league.replay import Replay
from engine.league.sandbox import Sandbox

if TYPE_CHECKING:
    from app.bridge import Bridge
    from app.viewmodels.tree_loader import TreeLoader
    from engine.core.jobs import JobContext
    from engine.runtime import Runtime

STEPS_A_SECOND = 8
SPEEDS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
LOADING = 3  # steps of opening a file, as its job counts them


@dataclass(frozen=True, slots=True)
class VerifyState:
    """What playing the match again gave: idle, running, ok or failed."""

    state: str = "idle"
    text: str = ""
    step: int | None = None


@dataclass(frozen=True, slots=True)
class ReplayState:
    """``step`` counts decisions; ``step == facts.steps`` is the end, after the last one.

    ``gas`` is what each seat has used before the step shown; ``trouble`` says why there is no board.
    """

    facts: MatchFacts | None = None
    opening: str = ""
    step: int = 0
    playing: bool = False
    speed: float = 1.0
    board: bytes = b""
    shown: StepFacts | None = None
    proof: ProofWalk | None = None
    reading: MatchReading = NOT_READ
    gas: tuple[int, ...] = ()
    trouble: str = ""
    verify: VerifyState = VerifyState()
    chain: ChainCheck | None = None
    path: Path | None = None
    round_id: str = ""
    fixture: int = -1


class Loaded(NamedTuple):
    """A match that can be shown."""

    bundle: Bundle
    system: SystemImage
    description: dict[str, Any]
    replay: Replay
    reading: MatchReading


class ReplayViewModel(ViewModel[ReplayState]):
    """Opens bundles and matches of rounds, moves through them, verifies them."""

    def __init__(self, bridge: Bridge, runtime: Runtime, trees: TreeLoader) -> None:
        super().__init__(bridge, ReplayState())
        self._runtime = runtime
        self._trees = trees
        self._replay: Replay | None = None
        self._sandbox: Sandbox | None = None
        self._player: asyncio.Task[None] | None = None
        self._asked = 0  # openings so far: the newest is shown, whichever is ready first
        self.description: dict[str, Any] = {}

    def open_file(self, path: Path) -> None:
        """Open a match bundle; a file that is none is refused with the reason, and what is shown stays."""
        self._asked += 1
        self.update(opening=path.name)
        self.start(self._open(path, self._asked), f"Opening {path.name}", key="replay")

    def open_match(self, round_id: str, fixture: int, step: int = 0) -> None:
        """Open a match of a round, at a step: its bundle is made by playing it again."""
        self._asked += 1
        self.update(opening=f"match {fixture}")
        self.start(self._open_match(round_id, fixture, step, self._asked), "Opening a match", key="replay")

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

    async def _open_match(self, round_id: str, fixture: int, step: int, asked: int) -> None:
        async def work(job: JobContext) -> tuple[Path, Loaded]:
            job.progress(0, 1 + LOADING, "Playing it again")
            path = await self._runtime.league.bundle(round_id, fixture)
            return path, await self._load(path, job, 1)

        try:
            path, loaded = await self._runtime.jobs.run("Replay a match", work)
        finally:
            newest = self._opened(asked)
        if newest:
            self._take(path, loaded, round_id, fixture)
            self.seek(step)

    def _opened(self, asked: int) -> bool:
        """Say that an opening has ended; returns whether it is the one that was asked for last."""
        if asked == self._asked:
            self.update(opening="")
        return asked == self._asked

    async def _open(self, path: Path, asked: int) -> None:
        try:
            loaded = await self._runtime.jobs.run(f"Open {path.name}", lambda job: self._load(path, job))
        finally:
            newest = self._opened(asked)
        if newest:
            self._take(path, loaded)

    async def _load(self, path: Path, job: JobContext, done: int = 0) -> Loaded:
        """Read, check and follow a match, as steps of a job that has done some before.

        What is cancelled ends here at once; its thread goes on to its end, and what it made is dropped.
        """
        job.progress(done, done + LOADING, "Reading the file")
        bundle = await asyncio.to_thread(read_bundle, path)
        job.progress(done + 1, done + LOADING, "Checking the System")
        system = (await self._runtime.gate.check(bundle.system, "system", "the bundle's System")).system()
        job.progress(done + 2, done + LOADING, "Following the match")
        if self._sandbox is None:
            self._sandbox = Sandbox(self._runtime.data.cache)
        description = system.spec.model_dump()
        replay, reading = await asyncio.to_thread(_read, bundle, system, self._sandbox, description)
        return Loaded(bundle, system, description, replay, reading)

    def _take(self, path: Path, loaded: Loaded, round_id: str = "", fixture: int = -1) -> None:
        bundle, system = loaded.bundle, loaded.system
        self._stop()
        self._replay = loaded.replay
        self.description = loaded.description
        if not round_id:
            round_id, fixture = self._runtime.league.history.by_commitment(bundle.commitment) or ("", -1)
        self.update(
            facts=MatchFacts.of(path, bundle, self._names(bundle, system.spec.id), system.spec.title),
            path=path,
            round_id=round_id,
            fixture=fixture,
            verify=VerifyState(),
            chain=None,
            reading=loaded.reading,
        )
        self._show(0)

    def _names(self, bundle: Bundle, system: str) -> tuple[str, ...]:
        known = {**shipped_agents(system), **{a.sha256: a.name for a in self._runtime.league.agents(removed=True)}}
        return tuple(known.get(sha, sha[:12]) for sha in bundle.match.agents)

    def _show(self, step: int) -> None:
        assert self._replay is not None
        total, reading = len(self._replay), self.state.reading
        board, trouble = _board(self._replay, step)
        changes: dict[str, Any] = {"step": step, "board": board, "trouble": trouble, "shown": None}
        changes["gas"] = tuple(sums[step] for sums in reading.gas)
        if step < total:
            record = self._replay.bundle.records[step]
            action = record.action if record.fault is None else None
            text = reading.move_text(step) or action_text(self.description.get("action", {}), action)
            changes["shown"] = StepFacts.of(record, text, self.description)
        at = min(step, total - 1)
        check = self.state.chain
        changes["proof"] = self._walk(at, None) if total else None
        changes["chain"] = check if check is not None and check.step == at else None
        self.update(**changes)

    def _walk(self, index: int, leaf: bytes | None) -> ProofWalk:
        assert self._replay is not None
        bundle = self._replay.bundle
        proof = StepProof.of(bundle, index)
        original = index.to_bytes(8, "big") + proof.observation_hash + proof.action_hash
        return walk_trace(
            index, bundle.steps, original if leaf is None else leaf, proof.path, bundle.trace_root, original
        )

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
            # Cancelled, the worker process plays the match to its end all the same; nobody waits for it.
            result = await self._runtime.jobs.run(f"Verify {path.name}", lambda _: self._runtime.league.verify(path))
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
        proof = state.proof
        check = await self._runtime.jobs.run(
            "Ask the contract about a step", lambda _: check_on_chain(self._runtime, self._trees, bundle, proof)
        )
        self.update(chain=replace(check, step=proof.index))


def _read(
    bundle: Bundle, system: SystemImage, sandbox: Sandbox, description: dict[str, Any]
) -> tuple[Replay, MatchReading]:
    """Read the match and hash its trace, off the loop: seeking then costs no more than one step."""
    replay = Replay(bundle, system, sandbox)
    start, _ = _board(replay, 0)
    if bundle.steps:
        bundle.records.path(0)
    return replay, MatchReading.of(bundle, description, start)


def _board(replay: Replay, step: int) -> tuple[bytes, str]:
    """Return the System's state before a step; of a trace that the System does not follow, why there is none."""
    try:
        return replay.state(step), ""
    except EngineError as error:
        return b"", str(error)
