"""A chess league of eight agents for the pictures: two rounds, of which the second has a dishonest host."""

from __future__ import annotations

from typing import Any

from app.screenshot_camera import Camera, settled

LEFT_OUT = ("illegal_mover", "swarm")
SEED = 11
Rounds = tuple[str, str]  # the settled and the rejected one


async def play_league(wiring: Any) -> Rounds:
    """Play both rounds on the devnet, settle the first, dispute the second; return their ids."""
    wiring.console.settings = wiring.console.settings.model_copy(update={"confirm_chain_actions": False})
    wiring.setup.choose_system("chess")
    wiring.league.add_samples()
    await settled(wiring.roster, lambda state: len(state.entrants) == 10 and not state.checking)
    agents = wiring.roster.state.agents
    wiring.roster.let_play((a.sha256 for a in agents if a.name in LEFT_OUT and "chess" in a.games), False)
    await settled(wiring.setup, lambda state: state.agents == 8)
    wiring.setup.fill(name="chess", matches=2, seed=SEED)
    honest = await _round(wiring)
    wiring.league.settle()
    await settled(wiring.rounds, lambda state: state.result.state == "settled" and not state.busy)
    wiring.setup.fill(host="inflate", seed=SEED + 1)
    false = await _round(wiring)
    wiring.disputes.audit()
    await settled(wiring.disputes, lambda state: state.audit is not None and not state.busy)
    wiring.disputes.dispute()
    await settled(wiring.rounds, lambda state: state.result.state == "rejected")
    await settled(wiring.disputes, lambda state: not state.busy)
    wiring.setup.fill(host="honest", seed=SEED)
    return honest, false


async def _round(wiring: Any) -> str:
    before = len(wiring.rounds.state.rounds)
    wiring.league.run()
    await settled(wiring.rounds, lambda state: len(state.rounds) > before and state.run.state == "idle")
    return str(wiring.rounds.state.selected)


async def league_pages(wiring: Any, camera: Camera, rounds: Rounds) -> None:
    """Take the pictures of the league's pages, and of a match of it replayed and proven."""
    from app.links import Place

    honest, false = rounds
    wiring.window.notices.clear()
    for tab in ("setup", "round", "season", "settlement", "disputes"):
        wiring.rounds.select(false if tab == "disputes" else honest)
        wiring.navigator.go(Place("leagues", f"tab/{tab}"))
        await camera.shoot(f"leagues-{tab}")
        if tab in ("setup", "round"):
            await _below(wiring, "leagues", f"leagues-{tab}-below", camera)
    wiring.navigator.go(Place("stakes"))
    await camera.shoot("stakes")
    await _below(wiring, "stakes", "stakes-below", camera)
    match = max(wiring.runtime.league.history.matches(honest), key=lambda match: match.gas)
    wiring.navigator.go(Place("replay"))
    wiring.replay.open_match(honest, match.fixture, match.steps // 2)
    await settled(wiring.replay, lambda state: state.round_id == honest and not state.opening)
    await camera.shoot("league-replay")
    wiring.navigator.go(Place("merkle"))
    wiring.merkle.open_round(honest, match.fixture)
    await settled(wiring.merkle, lambda state: state.round_id == honest and not state.loading)
    await camera.shoot("league-merkle")


async def _below(wiring: Any, page: str, name: str, camera: Camera) -> None:
    """Take the picture of a page's end, which does not fit the window."""
    bar = wiring.pages[page].verticalScrollBar()
    await camera.shoot(name, prepare=lambda: bar.setValue(bar.maximum()))
    bar.setValue(0)
