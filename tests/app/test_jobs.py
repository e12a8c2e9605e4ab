"""Whatever may take over a second is a job, in the tray with a Cancel; all that is started is listed."""

from __future__ import annotations

import ast
import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QFileDialog

from app.saving import save_support
from app.support import write_bundle
from engine.core.bus import EventBus
from engine.core.errors import EngineError
from engine.core.events import JobEnded, JobStarted
from engine.core.jobs import Jobs
from engine.core.paths import DataDir

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
    ("replay", "Opening a match"): ("app/viewmodels/replay.py", "Replay a match"),
    ("agreement", "Agreeing on "): ("engine/consensus/rounds/run.py", "Consensus: "),
    ("consensus", "title"): ("engine/games/live.py", "self.request.title or f'Solve by {self.request.method}'"),
    ("overview", "The demo"): ("app/viewmodels/demo.py", "Guided demo"),
    ("learning", "record.title"): ("engine/learning/service/run.py", "Learning chain: "),
    ("learning_sweep", "Byzantine sweep"): ("engine/learning/service/sweeps.py", "Byzantine sweep"),
}
# What may take longer with much to read, and is not in the tray yet: the page itself shows that it works.
UNTITLED = {
    ("replay", "Opening "),
    ("replay", "Verifying the match"),
    ("replay", "Asking the contract"),
    ("merkle", "Loading "),
    ("merkle", "Asking the contract"),
    ("merkle", "Saving the proof"),
    ("agreement", "Verifying"),
    ("consensus", "Making the game"),
    ("consensus", "Opening "),
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
    assert started == {*JOBS, *SHORT, *UNTITLED}
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
