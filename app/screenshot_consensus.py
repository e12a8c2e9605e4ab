"""Pictures of the Consensus page: games of every kind, at rest and with a method at work."""

from __future__ import annotations

from typing import Any

from app.screenshot_camera import Camera, settled

HUGE = 1000
# name, game, its parameters, the form, the tab
SCENES: tuple[tuple[str, str, dict[str, float], dict[str, Any], str], ...] = (
    ("rps", "rps", {}, {"method": "mwu", "epsilon": 1e-3, "iterations": 4000}, "live"),
    ("arrows", "battle", {}, {"method": "replicator", "epsilon": 1e-4, "iterations": 2000}, "live"),
    ("three", "random-n", {"players": 3, "actions": 4, "seed": 5}, {"method": "logit", "epsilon": 1e-6}, "live"),
    ("points", "consensus", {"agents": 7, "dimension": 2, "seed": 3},
     {"method": "best-response", "fault": "far", "fault_agent": 2, "fault_at": 12, "iterations": 60}, "live"),
    ("game", "battle", {}, {"method": "auto"}, "game"),
    ("equilibria", "chicken", {}, {"method": "vertices"}, "equilibria"),
)  # fmt: skip


async def consensus_pages(wiring: Any, camera: Camera) -> None:
    """Take the pictures."""
    from app.links import Place

    model = wiring.consensus
    wiring.window.notices.clear()
    for name, game, parameters, form, tab in SCENES:
        model.clear()
        await _choose(model, game, parameters)
        model.fill(**{"fault": "none", "iterations": 0, "epsilon": 1e-6, "stride": 1, **form})
        wiring.navigator.go(Place("consensus", f"tab/{tab}"))
        if name == "rps":
            await camera.shoot("consensus-setup")
        model.run()
        await settled(model, lambda state: state.run is not None and state.run.ended)
        await camera.shoot(f"consensus-{name}")
    await _compare(wiring, camera)
    await _huge(wiring, camera)


async def _choose(model: Any, game: str, parameters: dict[str, float]) -> None:
    model.reset()
    model.choose(game, parameters)
    await settled(model, lambda state: state.choice == game and not state.building and state.ready)


async def _compare(wiring: Any, camera: Camera) -> None:
    from app.links import Place

    model = wiring.consensus
    model.clear()
    await _choose(model, "zero-sum", {"rows": 20, "columns": 20, "seed": 4})
    model.fill(iterations=3000, epsilon=1e-6, fault="none", stride=1)
    wiring.navigator.go(Place("consensus", "tab/compare"))
    model.compare(("fictitious-play", "rm+", "prm+", "omwu"))
    await settled(model, lambda state: len(state.runs) == 4 and not state.queue and state.run.ended)
    model.pin(model.state.runs[1].number)
    await camera.shoot("consensus-compare")


async def _huge(wiring: Any, camera: Camera) -> None:
    """A game of a million payoffs, while it is solved."""
    from app.links import Place

    model = wiring.consensus
    model.clear()
    await _choose(model, "zero-sum", {"rows": HUGE, "columns": HUGE, "seed": 1})
    model.fill(method="prm+", epsilon=1e-7, iterations=0, stride=1)
    wiring.navigator.go(Place("consensus", "tab/live"))
    model.run()
    await settled(model, lambda state: state.run is not None and (state.run.iteration > 500 or state.run.ended))
    await camera.shoot("consensus-huge")
    wiring.navigator.go(Place("consensus", "tab/game"))
    await camera.shoot("consensus-payoffs")
    model.reset()
