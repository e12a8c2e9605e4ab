"""Pictures of the learning chain: a run with faults, at work and done, a partition, a byzantine sweep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.screenshot_camera import Camera, SceneError, settled

TABS = ("chain", "votes", "updates", "network", "refused", "faults", "scenarios", "runs")
SLOTS = 40
FAULTS = ((6, "equivocate_headers", ""), (10, "trainer_scale", "4"), (14, "forge_acks", ""), (18, "partition", ""),
          (26, "heal", ""))  # fmt: skip
SWEEP = {"attacks": ("scale", "sign_flip", "alie"), "fractions": (0.0, 0.08, 0.16, 0.24, 0.31, 0.39)}


@dataclass(frozen=True)
class Played:
    """The numbers of the runs that are looked at."""

    faults: int


async def play_chains(wiring: Any) -> Played:
    """Run a chain with faults, then a sweep."""
    model = wiring.learning
    await settled(model, lambda state: bool(state.scenarios))
    model.choose("committee")
    model.fill(validators=12, trainers=5, slots=SLOTS, gate_texts=16, byzantine=1)
    model.set_speed(8.0)
    model.run()
    for slot, kind, targets in FAULTS:
        await settled(model, lambda state, at=slot: state.run is not None and (state.run.slot >= at or state.run.ended))
        model.inject(kind, targets)
    await settled(model, lambda state: state.run is not None and state.run.ended)
    if model.state.run.failure:
        raise SceneError(f"the chain failed: {model.state.run.failure}")
    model.set_speed(0.0)
    sweep = wiring.sweep
    await settled(sweep, lambda state: bool(state.offered[0]))
    sweep.edit(**SWEEP)
    sweep.run()
    await settled(sweep, lambda state: state.state in ("done", "failed"))
    if sweep.state.failure:
        raise SceneError(f"the sweep failed: {sweep.state.failure}")
    sweep.select(6, 4)
    return Played(int(model.state.run.run_id))


async def learning_pages(wiring: Any, camera: Camera, played: Played) -> None:
    """Take the pictures."""
    from app.links import Place

    model = wiring.learning
    wiring.window.notices.clear()
    model.reset()
    model.choose("committee")
    wiring.navigator.go(Place("learning", "tab/scenarios"))
    await camera.shoot("learning-ready")
    model.open_run(played.faults)
    slashed = [event.slot for event in model.state.run.slashed.values()]
    model.select_slot(slashed[0] if slashed else None)
    for tab in TABS:
        wiring.navigator.go(Place("learning", f"tab/{tab}"))
        await camera.shoot(f"learning-{tab}")
    wiring.navigator.go(Place("learning", "sweep"))
    await camera.shoot("learning-sweep")
    await _running(wiring, camera)


async def _running(wiring: Any, camera: Camera) -> None:
    """A chain that is held in the middle of a slot."""
    from app.links import Place

    model = wiring.learning
    model.reset()
    model.choose("committee")
    model.fill(validators=8, slots=SLOTS, gate_texts=8)
    model.step("slot")
    for slot in (1, 2, 3):
        await settled(model, lambda state, at=slot: state.run is not None and len(state.run.states) > at)
        model.step("slot")
    model.inject("equivocate_headers")
    wiring.navigator.go(Place("learning", "tab/faults"))
    await camera.shoot("learning-running")
    model.stop()
    await settled(model, lambda state: state.run.ended)
    model.reset()
