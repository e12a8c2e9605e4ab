"""Pictures of agents that agree: rounds on the devnet, at work and done, with honest agents and with others."""

from __future__ import annotations

from typing import Any

from app.screenshot_camera import Camera, SceneError, settled

Rounds = dict[str, int]
EXACT = 1e-6  # a threshold at which there is something to watch
HALFWAY = 9  # the iteration at which a round is looked at
BROKEN = """{
  "type": "portfolio_allocation",
  "parameters": {
    "total_amount": 1000000,
    "risk_tolerance": "modrate",
    "investment_horizon": "5_years"
  }
}"""


async def play_rounds(wiring: Any) -> Rounds:
    """Play a round on the devnet, one with two Byzantine agents, and one on three chains; return their numbers."""
    model = wiring.agreement
    await settled(model, lambda state: state.task is not None)
    played = {"chain": await _round(wiring, "portfolio", {})}
    model.verify()
    await settled(model, lambda state: state.run.verification is not None)
    played["byzantine"] = await _round(wiring, "moderation", {6: (1, "outlier"), 12: (3, "equivocating")})
    played["bridge"] = await _round(wiring, "bridge", {})
    return played


async def _round(wiring: Any, task: str, faults: dict[int, tuple[int, str]]) -> int:
    model = wiring.agreement
    await _choose(wiring, task)
    model.set_speed(10.0 if faults else 0.0)
    model.run()
    for iteration, (agent, behaviour) in faults.items():
        await settled(model, lambda state, at=iteration: state.run is not None and state.run.iteration >= at)
        model.inject(model.state.run.agents[agent], behaviour)
    await settled(model, lambda state: state.run is not None and state.run.ended)
    record = model.state.run
    if record.failure:
        raise SceneError(f"the round of {task} failed: {record.failure}")
    return int(record.run_id)


async def _choose(wiring: Any, task: str) -> None:
    model = wiring.agreement
    model.reset()
    model.choose(task)
    await settled(model, lambda state: state.choice == task and state.task is not None)
    model.use_samples()
    model.fill(hybrid_mode=True, convergence_threshold=EXACT)


async def agreement_pages(wiring: Any, camera: Camera, rounds: Rounds) -> None:
    """Take the pictures."""
    model = wiring.agreement
    wiring.window.notices.clear()
    await _choose(wiring, "portfolio")
    for tab in ("task", "chain"):
        await _tab(wiring, tab)
        await camera.shoot(f"agents-ready-{tab}")
    for name, tabs in (("chain", ("live", "chain", "result", "agents")), ("byzantine", ("live", "result", "agents")),
                       ("bridge", ("live", "chain", "result"))):  # fmt: skip
        await _choose(wiring, {"chain": "portfolio", "byzantine": "moderation"}.get(name, name))
        model.open_round(rounds[name])
        for tab in tabs:
            await _tab(wiring, tab)
            await camera.shoot(f"agents-{name}-{tab}")
    await _tab(wiring, "rounds")
    await camera.shoot("agents-rounds")
    await _running(wiring, camera)
    await _wrong(wiring, camera)


async def _running(wiring: Any, camera: Camera) -> None:
    """A round that is held half-way."""
    model = wiring.agreement
    await _choose(wiring, "moderation")
    model.set_speed(10.0)
    model.run()
    await settled(model, lambda state: state.run is not None and state.run.iteration >= HALFWAY)
    model.set_speed(1.0)  # so that it still runs in the last of the pictures
    await camera.shoot("agents-running")
    model.set_speed(0.0)
    model.stop()
    await settled(model, lambda state: state.run.ended)
    model.set_speed(0.0)
    model.reset()


async def _wrong(wiring: Any, camera: Camera) -> None:
    """Nobody there; a task that is none."""
    model = wiring.agreement
    agents = model.state.agents
    model.remove([agent.key for agent in agents.agents])
    await _tab(wiring, "agents")
    await camera.shoot("agents-empty")
    model.undo_remove()
    model.use_text(BROKEN)
    await _tab(wiring, "task")
    await camera.shoot("agents-error")
    model.choose("portfolio")


async def _tab(wiring: Any, name: str) -> None:
    from app.links import Place

    wiring.navigator.go(Place("consensus", f"agents/{name}"))
