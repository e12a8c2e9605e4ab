"""Pictures of matches that are replayed, and of their trees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.screenshot_camera import Camera, settled

Shown = tuple[str, int, int]  # round, match, step
REPLAY = ("step", "moves", "state", "proof", "match")


async def replay_pages(wiring: Any, camera: Camera) -> Shown:
    """A match of the demo's round that its winner played, at its middle, played again and asked about."""
    from app.links import Place

    result = wiring.rounds.state.result
    best = next((line for line in result.standings if line.rank == 1), result.standings[0])
    match = next(m for m in wiring.rounds.state.matches if m.a == best.seat)
    shown = result.round_id, match.fixture, match.steps // 2
    page, model = wiring.pages["replay"], wiring.replay
    wiring.navigator.go(Place("replay"))
    model.open_match(*shown)
    await settled(model, lambda state: (state.round_id, state.step) == (shown[0], shown[2]) and not state.opening)
    model.verify()
    model.verify_on_chain()
    await settled(model, lambda state: state.verify.state == "ok" and state.chain is not None)
    for index, name in enumerate(REPLAY):
        page.tabs.setCurrentIndex(index)
        await camera.shoot(f"replay-{name}")
    page.tabs.setCurrentIndex(0)
    return shown


async def merkle_pages(wiring: Any, camera: Camera, shown: Shown) -> None:
    """The explorer: a match in its round, an edited leaf, an inner node that poses as one, a step in its match."""
    from app.links import Place, step_link

    model = wiring.merkle
    wiring.navigator.go(Place("merkle"))
    await settled(model, lambda state: state.facts is not None and state.onchain is not None and not state.loading)
    model.open_round(shown[0], 5)
    await settled(model, lambda state: (state.facts.kind, state.round_id) == ("round", shown[0]) and not state.loading)
    model.verify_on_chain()
    await settled(model, lambda state: state.answer is not None)
    await camera.shoot("merkle-round")
    model.edit_leaf(20, 7)
    await camera.shoot("merkle-edited")
    model.offer_inner()
    await camera.shoot("merkle-inner")
    wiring.follow(step_link(*shown))
    await settled(model, lambda state: state.facts.kind == "match" and not state.loading)
    await camera.shoot("merkle-step")


async def game_pages(wiring: Any, camera: Camera, games: list[tuple[str, Path]]) -> None:
    """A match of every System, well under way."""
    from app.links import Place

    wiring.navigator.go(Place("replay"))
    for system, bundle in games:
        wiring.replay.open_file(bundle)
        await settled(wiring.replay, lambda state, n=bundle.name: state.facts.name == n and not state.opening)
        wiring.replay.seek(wiring.replay.state.facts.steps * 2 // 3)
        await camera.shoot(f"game-{system}")
