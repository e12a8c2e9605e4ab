"""Whatever may take over a second is a job, in the tray with a Cancel; all that is started is listed."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from PySide6.QtWidgets import QApplication, QFileDialog

from app.saving import save_support
from app.support import write_bundle
from app.viewmodels.consensus_games import build
from engine.core.bus import EventBus
from engine.core.errors import EngineError
from engine.core.events import JobEnded, JobStarted
from engine.core.jobs import Jobs
from engine.core.paths import DataDir
from engine.games.files import read_game, write_game
from engine.league.bundle import read_bundle

ROOT = Path(__file__).parents[2]
APP = sorted(path for path in (ROOT / "app").rglob("*.py") if "screenshot" not in path.name)

# What the window starts, by its module and the words of its failure; then where that becomes a job, and its title.
JOBS = {
    ("devnet", "Starting the devnet"): ("app/viewmodels/devnet.py", "Start the devnet"),
    ("devnet", "Stopping the devnet"): ("app/viewmodels/devnet.py", "Stop the devnet"),
    ("devnet", "Deploying the contracts"): ("app/viewmodels/devnet.py", "Deploy the contracts"),
    ("league_actions", "Starting the devnet"): ("app/league_actions.py", "Deploy the contracts"),
    ("saving", "Writing the support bundle"): ("app/saving.py", "Write the support bundle"),
    ("roster", "Adding agents"): ("app/viewmodels/roster.py", "Check "),
    ("rounds", "title"): ("app/viewmodels/rounds.py", "title"),  # rounds, anchoring, settlement
    ("disputes", "title"): ("app/viewmodels/disputes.py", "title"),  # audits and disputes
    ("stakes", "Moving a stake"): ("app/viewmodels/stakes.py", "title"),
    ("contract_calls", "Sending "): ("app/viewmodels/contract_calls.py", "Call "),
    ("replay", "Opening "): ("app/viewmodels/replay.py", "Open "),
    ("replay", "Opening a match"): ("app/viewmodels/replay.py", "Replay a match"),
    ("replay", "Verifying the match"): ("app/viewmodels/replay.py", "Verify "),
    ("replay", "Asking the contract"): ("app/viewmodels/replay.py", "Ask the contract about a step"),
    ("merkle", "Loading "): ("app/viewmodels/merkle.py", "Load "),
    ("merkle", "Asking the contract"): ("app/viewmodels/merkle.py", "Ask the contract about a leaf"),
    ("merkle", "Saving the proof"): ("app/viewmodels/merkle.py", "Save "),
    ("agreement", "Verifying"): ("app/viewmodels/agreement.py", "Verify a consensus"),
    ("consensus", "Making the game"): ("app/viewmodels/consensus.py", "Make the game"),
    ("consensus", "Opening "): ("app/viewmodels/consensus.py", "Open "),
    ("agreement", "Agreeing on "): ("engine/consensus/rounds/run.py", "Consensus: "),
    ("consensus", "title"): ("engine/games/live.py", "self.request.title or f'Solve by {self.request.method}'"),
    ("overview", "The demo"): ("app/viewmodels/demo.py", "Guided demo"),
    ("learning", "record.title"): ("engine/learning/service/run.py", "Learning chain: "),
    ("learning_sweep", "Byzantine sweep"): ("engine/learning/service/sweeps.py", "Byzantine sweep"),
}
# What is over within a second: a look at what is there, a word to what runs, or what lasts as long as the window.
SHORT = {
    *(("agreement", "Reading the tasks"), ("agreement", "Reading the agents"), ("stakes", "Reading the stakes")),
    *(("agreement_draft", "Opening "), ("agreement_draft", "Checking a model")),
    *(("consensus", "Stopping the run"), ("consensus", "Injecting a fault"), ("replay", "Playback")),
    *(("contract_calls", "Working out the cost"), ("contract_calls", "Reading "), ("stakes", "Working out the cost")),
    *(("devnet", "Following the devnet"), ("devnet", "Reading a transaction"), ("devnet", "name")),
    *(
        ("jobs", "jobs tray"),
        ("base", "name"),
        ("setup", "Reading the Systems"),
        ("roster", "Reading the sample agents"),
    ),
    *(("learning", "Reading the scenarios"), ("learning", "Reading the runs of the learning chain")),
    ("seasons", "Opening a season"),
    *(("learning_sweep", "Reading the attacks"), ("merkle", "Searching the tree"), ("merkle", "Reading the root")),
}


def words(node: ast.expr) -> str:
    """The words of a text before its first value; of what is no text, its source."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return words(node.values[0])
    return ast.unparse(node)


def calls(path: Path, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in names:
            yield node


def test_all_that_the_window_starts_is_listed() -> None:
    started = {
        (path.stem, words(call.args[1]))
        for path in APP
        for call in calls(path, "start", "spawn")
        if ast.unparse(call.func) == "self.start" or ast.unparse(call.func).endswith("bridge.spawn")
    }
    assert started == {*JOBS, *SHORT}
    assert not SHORT & set(JOBS)


@pytest.mark.parametrize(("file", "title"), sorted(set(JOBS.values())))
def test_a_job_has_its_title(file: str, title: str) -> None:
    found = [words(c.args[0]) for c in calls(ROOT / file, "start", "run") if "jobs" in ast.unparse(c.func.value)]
    assert title in found


async def test_a_job_ends_with_whoever_waits_for_it() -> None:
    bus, seen = EventBus(), []
    bus.subscribe(lambda event: seen.append(event.outcome), JobEnded)
    jobs = Jobs(bus)
    waiting = asyncio.create_task(jobs.run("Long work", lambda job: asyncio.sleep(600)))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(60):
        while not seen:
            await asyncio.sleep(0.01)
    assert seen == ["cancelled"] and await jobs.run("Short work", lambda job: asyncio.sleep(0, 7)) == 7


def follow(wiring: Any) -> tuple[dict[str, int], dict[int, str]]:
    """The jobs of a console as they come and go: their numbers by title, their ends by number."""
    began: dict[str, int] = {}
    ended: dict[int, str] = {}
    wiring.bridge.subscribe(lambda event: began.update({event.title: event.job_id}), JobStarted)
    wiring.bridge.subscribe(lambda event: ended.update({event.job_id: event.outcome}), JobEnded)
    return began, ended


class Trial:
    """A console whose slow work stands still while it is cancelled: a thread waits, or a process is stopped."""

    def __init__(self, wiring: Any, until: Any) -> None:
        self.wiring, self._until = wiring, until
        self.began, self.ended = follow(wiring)
        self._go_on = threading.Event()

    def held(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what stands still before it does what ``function`` does."""
        return lambda *arguments: (self._go_on.wait(), function(*arguments))[1]

    async def cancel(self, title: str, begin: Callable[[], None]) -> None:
        """Begin a job and cancel it: it ends though its thread or process stands still."""
        self.began.pop(title, None)
        begin()
        job = await self._until(lambda: self.began.get(title))
        self.wiring.jobs.cancel(job)
        assert await self._until(lambda: self.ended.get(job)) == "cancelled"

    async def finish(self, title: str, begin: Callable[[], None]) -> None:
        """Begin it again, and let it come to its end."""
        self.began.pop(title, None)
        self._go_on.set()
        begin()
        job = await self._until(lambda: self.began.get(title))
        assert await self._until(lambda: self.ended.get(job)) == "done"
        self._go_on.clear()

    @contextlib.contextmanager
    def stopped(self, processes: Iterable[int]) -> Iterator[None]:
        """Stop processes meanwhile."""
        found = [psutil.Process(pid) for pid in processes]
        assert found
        try:
            for process in found:
                process.suspend()
            yield
        finally:
            for process in found:
                process.resume()

    def end(self) -> None:
        self._go_on.set()


@pytest.fixture
def tried(opened: Callable[..., Any], data_dir: DataDir, until: Any) -> Callable[[], Any]:
    @contextlib.asynccontextmanager
    async def open_() -> AsyncIterator[Trial]:
        async with opened(data_dir) as wiring:
            trial = Trial(wiring, until)
            try:
                yield trial
            finally:
                trial.end()

    return open_


async def play_a_round(wiring: Any, until: Any, *, anchor: bool = False) -> str:
    """Play a small round with the shipped agents; gives its id."""
    wiring.league.add_samples()
    await until(lambda: len(wiring.roster.state.agents) == 7 and wiring.setup.state.agents == 7)
    await until(lambda: wiring.setup.state.systems)
    wiring.setup.edit({"matches": 1, "seed": 7, "system": "snake", "name": "test"}, True)
    wiring.setup.set_anchor(anchor)
    wiring.league.run()
    await until(lambda: wiring.rounds.state.rounds and wiring.rounds.state.run.state == "idle")
    return str(wiring.rounds.state.rounds[0].round_id)


async def test_a_match_and_its_trees_can_be_cancelled_while_they_are_read(
    tried: Callable[[], Any], until: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with tried() as trial:
        wiring = trial.wiring
        replay, merkle, league = wiring.replay, wiring.merkle, wiring.runtime.league
        round_id = await play_a_round(wiring, until)
        await trial.finish("Load the round", lambda: merkle.open_round(round_id))
        await trial.finish("Replay a match", lambda: replay.open_match(round_id, 2))
        path, shown = replay.state.path, replay.state.facts
        monkeypatch.setattr("app.viewmodels.replay.read_bundle", trial.held(read_bundle))
        for title, begin in (
            ("Replay a match", lambda: replay.open_match(round_id, 3)),
            (f"Open {path.name}", lambda: replay.open_file(path)),
        ):
            await trial.cancel(title, begin)
            await until(lambda: not replay.state.opening)
            assert replay.state.facts is shown  # what was there stays
        with trial.stopped(league._workers.pids):
            await trial.cancel(f"Verify {path.name}", replay.verify)
            await until(lambda: replay.state.verify.state == "idle")
        with trial.stopped(wiring.trees.pool.pids):
            await trial.cancel("Load match 3", lambda: merkle.open_step(round_id, 3))
            await until(lambda: not merkle.state.loading)
            assert merkle.state.facts.kind == "round"
        await trial.finish("Load match 3", lambda: merkle.open_step(round_id, 3))
        out = tmp_path / "proof.json"
        monkeypatch.setattr("app.viewmodels.merkle.read_bundle", trial.held(read_bundle))
        await trial.cancel("Save proof.json", lambda: merkle.export_proof(out))
        assert not out.exists()
        await trial.finish("Save proof.json", lambda: merkle.export_proof(out))
        assert out.exists()
        await trial.finish(f"Verify {path.name}", replay.verify)
        assert replay.state.verify.state == "ok"
        await trial.finish(f"Open {path.name}", lambda: replay.open_file(path))
        await until(lambda: replay.state.facts is not shown)


async def test_a_game_can_be_cancelled_while_it_is_made_or_read(
    tried: Callable[[], Any], until: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "shared.json"
    async with tried() as trial:
        games = trial.wiring.consensus
        await until(lambda: games.state.ready)
        game, key = games.state.game, games.state.choices[1].key
        write_game(path, game)
        monkeypatch.setattr("app.viewmodels.consensus.build", trial.held(build))
        monkeypatch.setattr("engine.games.files.read_game", trial.held(read_game))
        await trial.cancel(f"Open {path.name}", lambda: games.open_file(path))
        assert games.state.game is game and games.state.ready
        await trial.cancel("Make the game", lambda: games.choose(key))
        await until(lambda: not games.state.building)
        assert "was cancelled" in games.state.errors["game"]  # the old game does not pose as the one asked for
        assert not games.state.ready
        await trial.finish("Make the game", lambda: games.set_parameters(games.state.parameters))
        await until(lambda: games.state.ready and games.state.game is not game)
        await trial.finish(f"Open {path.name}", lambda: games.open_file(path))
        await until(lambda: games.state.opened == path.name)


@pytest.mark.chain
async def test_a_question_to_the_contract_can_be_cancelled(tried: Callable[[], Any], until: Any) -> None:
    async with tried() as trial:
        wiring = trial.wiring
        wiring.console.settings = wiring.console.settings.model_copy(update={"confirm_chain_actions": False})
        wiring.devnet.up()
        await until(lambda: wiring.devnet.state.status.state == "running" and not wiring.devnet.state.busy)
        wiring.devnet.deploy()
        await until(lambda: wiring.devnet.state.contracts and not wiring.devnet.state.busy)
        round_id = await play_a_round(wiring, until, anchor=True)
        await trial.finish("Load the round", lambda: wiring.merkle.open_round(round_id))
        await trial.finish("Replay a match", lambda: wiring.replay.open_match(round_id, 2))
        await until(lambda: wiring.merkle.state.proof and wiring.replay.state.proof)
        with trial.stopped([wiring.devnet.state.status.pid]):
            await trial.cancel("Ask the contract about a leaf", wiring.merkle.verify_on_chain)
            await trial.cancel("Ask the contract about a step", wiring.replay.verify_on_chain)
            await trial.cancel("Verify a consensus", lambda: wiring.agreement.verify("ab" * 32))
            await until(lambda: not wiring.agreement.state.verifying)
        await trial.finish("Ask the contract about a leaf", wiring.merkle.verify_on_chain)
        await trial.finish("Ask the contract about a step", wiring.replay.verify_on_chain)
        await until(lambda: wiring.merkle.state.answer.holds and wiring.replay.state.chain.answer)
        wiring.devnet.down()
        await until(lambda: wiring.devnet.state.status.state == "stopped" and not wiring.devnet.state.busy)


@pytest.mark.chain
async def test_the_devnet_starts_and_stops_as_jobs_and_its_start_can_be_cancelled(
    opened: Callable[..., Any], data_dir: DataDir, until: Any
) -> None:
    async with opened(data_dir) as wiring:
        began, ended = follow(wiring)
        wiring.devnet.up()
        await until(lambda: "Start the devnet" in began)
        begin = time.monotonic()
        wiring.jobs.cancel(began["Start the devnet"])
        await until(lambda: ended)
        assert ended == {began["Start the devnet"]: "cancelled"}
        assert time.monotonic() - begin < 2
        await until(lambda: not wiring.devnet.state.busy)
        assert wiring.devnet.state.status.state == "stopped"
        began.clear()
        wiring.devnet.up()  # and again, all the way
        await until(lambda: wiring.devnet.state.status.state == "running" and not wiring.devnet.state.busy)
        wiring.devnet.down()
        await until(lambda: wiring.devnet.state.status.state == "stopped" and not wiring.devnet.state.busy)
        assert [ended[began[title]] for title in ("Start the devnet", "Stop the devnet")] == ["done", "done"]


async def test_a_support_bundle_is_a_job_and_one_that_is_cancelled_leaves_no_file(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, tmp_path: Path
) -> None:
    out = tmp_path / "support.zip"
    async with opened(data_dir) as wiring:
        began, ended = follow(wiring)
        save_support(wiring)
        (dialog,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible()]
        dialog.filesSelected.emit([str(out)])
        dialog.close()
        job = await until(lambda: began.get("Write the support bundle"))
        wiring.jobs.cancel(job)
        await until(lambda: ended)
        assert ended == {job: "cancelled"}
    assert not out.exists()


def test_a_bundle_that_was_given_up_leaves_no_file(data_dir: DataDir, tmp_path: Path) -> None:
    for parts in range(4):
        asked = iter([False] * parts + [True])
        with pytest.raises(EngineError, match="given up"):
            write_bundle(tmp_path / "out.zip", data_dir.root, [], lambda asked=asked: next(asked))
    assert list(tmp_path.glob("*.zip")) == [] and list(tmp_path.glob(".out*")) == []
