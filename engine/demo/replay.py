"""The demo's replay: a match is walked forth and back, sought, named, and played again from its bundle."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from engine.core.errors import VerificationError
from engine.demo.walk import Found, Walk
from engine.league.bundle import Bundle
from engine.league.gate.verdict import SystemImage
from engine.league.replay import Replay, StepView
from engine.league.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class _Walked:
    """What walking through a match showed."""

    same: bool
    shown: StepView


async def replay(walk: Walk) -> Found:
    """Walk through a match of the winner, then play it again: byte for byte, or with a flipped byte not at all."""
    league, played = walk.runtime.league, walk.round
    walk.fixture = walk.fixture_of(played.standings[0].seat)
    path = walk.path = await league.bundle(played.round_id, walk.fixture)
    bundle = walk.bundle
    system = (await walk.runtime.gate.check(bundle.system, "system", "the bundle's System")).system()
    walked = await asyncio.to_thread(_walk, bundle, system, walk.runtime.data.cache)
    if not walked.same:
        raise VerificationError("Stepping back gives another state than stepping forth", path.name)
    (await league.verify(path)).require(path.name)
    refused = _refuses_flipped_byte(path)
    walk.facts["replay"] = {
        "match": walk.fixture,
        "steps": bundle.steps,
        "forth_and_back": walked.same,
        "step": walked.shown.step,
        "name": _name(walked.shown, system),
    }
    walk.facts["verification"] = {"bundle": str(path), "ok": True, "flipped_byte": refused}
    text = (
        f"{bundle.steps} steps forth and back give the same states; {_name(walked.shown, system)}; "
        f"played again it is the same, with a flipped byte it is refused: {refused}"
    )
    return Found(text, ("step", played.round_id, str(walk.fixture), str(walked.shown.step)))


def _walk(bundle: Bundle, system: SystemImage, cache: Path) -> _Walked:
    """Visit every step forth and back, then seek the middle one."""
    sandbox = Sandbox(cache)
    try:
        shown = Replay(bundle, system, sandbox)
        forth = [shown.state(step) for step in range(len(shown) + 1)]
        back = [shown.state(step) for step in reversed(range(len(shown) + 1))]
        middle = shown.at(len(shown) // 2)
        same = forth == back[::-1] and middle.state == forth[middle.step]
        return _Walked(same, middle)
    finally:
        sandbox.close()


def _name(step: StepView, system: SystemImage) -> str:
    """Say what a step was, with the System's own name of the action."""
    names = {value.get("value"): value.get("name") for value in system.spec.model_dump()["action"].get("values", ())}
    action = names.get(step.action) or f"action {step.action}"
    return f"step {step.step}: seat {step.seat} plays {action} for {step.gas_used:,} gas"


def _refuses_flipped_byte(path: Path) -> str:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    try:
        Bundle.decode(bytes(data))
    except VerificationError as error:
        return error.why
    raise VerificationError("A bundle with a flipped byte was accepted")
