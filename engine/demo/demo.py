"""The walk through all steps: in order, each reported, each waited for where somebody wants to look first."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from engine.core.errors import EngineError
from engine.core.optional import is_there
from engine.core.paths import how_to_get
from engine.demo.agreement import agree
from engine.demo.chain import deploy, start_devnet
from engine.demo.host import cheat
from engine.demo.league import admit, catch_claim, play, settle
from engine.demo.learning import learn
from engine.demo.proof import prove
from engine.demo.replay import replay
from engine.demo.walk import Step, Walk
from engine.runtime import Runtime

# The host comes before the honest round, so that the last round an operator finds afterwards is the settled one.
STEPS: tuple[Step, ...] = (
    Step(
        "devnet",
        "Start the devnet",
        "A local Ethereum chain, so that stakes and proofs are real and free.",
        start_devnet,
    ),
    Step(
        "contracts",
        "Deploy the contracts",
        "The vault holds stakes, the anchor each round's root, the court decides disputes.",
        deploy,
    ),
    Step(
        "agents",
        "Admit the sample agents",
        "Every module passes the gate: no imports, metered gas, bounded memory.",
        admit,
    ),
    Step(
        "host",
        "Catch a dishonest host",
        "It anchors a raised score; an auditor replays, verifiers vote, and the host loses stake and round.",
        cheat,
    ),
    Step("round", "Play and anchor a round", "All matches are committed by one root on chain.", play),
    Step(
        "replay",
        "Replay a match",
        "Any step of any match can be seen again, and playing its bundle again must give the same trace, byte for "
        "byte.",
        replay,
    ),
    Step(
        "proof", "Prove a step on chain", "The contract checks one step against the root; a tampered one fails.", prove
    ),
    Step(
        "claim",
        "Catch a false claim",
        "A score that the replay does not give disqualifies, and costs stake in the end.",
        catch_claim,
    ),
    Step(
        "settle",
        "Settle the round",
        "Rewards by rank, credited once, equal in ledger and contract to the wei.",
        settle,
    ),
    Step(
        "consensus",
        "Agree on a task",
        "Agents settle on an equilibrium that the contract checks itself; who signed two opinions is slashed.",
        agree,
        needs=("torch",),
    ),
    Step(
        "learning",
        "Train on the learning chain",
        "A model changes only by an update that a committee evaluated and that became final; the training is simulated "
        "here.",
        learn,
        needs=("torch",),
    ),
)


@dataclass(frozen=True, slots=True)
class DemoStep:
    """A step as it goes: ``state`` is running, done, failed or skipped; ``result`` says what came out.

    ``made`` names what it made, see :class:`engine.demo.walk.Found`.
    """

    key: str
    state: str
    result: str = ""
    made: tuple[str, ...] = ()


DemoTurn = Callable[[str], Awaitable[None]]


async def _at_once(_key: str) -> None:
    """Wait for nobody."""


class Demo:
    """Runs the steps in order. ``report`` hears of each; ``turn`` is awaited before each, with its key."""

    def __init__(
        self, runtime: Runtime, report: Callable[[DemoStep], None] = lambda step: None, turn: DemoTurn = _at_once
    ) -> None:
        self._walk = Walk(runtime)
        self._report = report
        self._turn = turn

    async def run(self) -> dict[str, Any]:
        """Run all steps and return the facts as a JSON-ready object. Raises EngineError where one fails.

        A step that needs a package which is not installed is skipped, and the others go on.
        """
        steps = [await self._step(step) for step in STEPS]
        skipped = [step["key"] for step in steps if step["state"] == "skipped"]
        return {"ok": True, "skipped": skipped, "steps": steps, **self._walk.facts}

    async def _step(self, step: Step) -> dict[str, Any]:
        await self._turn(step.key)
        facts = {"key": step.key, "title": step.title, "why": step.why}
        missing = [name for name in step.needs if not is_there(name)]
        if missing:
            text = f"left out: {', '.join(missing)} is not installed here; {how_to_get(missing[0])} to see it"
            self._report(DemoStep(step.key, "skipped", text))
            return {**facts, "state": "skipped", "result": text, "seconds": 0.0}
        self._report(DemoStep(step.key, "running"))
        started = time.monotonic()
        try:
            found = await step.work(self._walk)
        except EngineError as error:
            self._report(DemoStep(step.key, "failed", str(error)))
            raise
        self._report(DemoStep(step.key, "done", found.text, found.made))
        seconds = round(time.monotonic() - started, 3)
        return {**facts, "state": "done", "result": found.text, "seconds": seconds}
