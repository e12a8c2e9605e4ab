"""Pictures of every page with a real small league: ``python -m app.screenshots --out DIR``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from app.screenshot_agreement import agreement_pages, play_rounds
from app.screenshot_consensus import consensus_pages
from app.screenshot_games import play_games
from app.screenshot_league import league_pages, play_league
from app.screenshot_learning import learning_pages, play_chains

SIZES = ((1440, 900), (1024, 700))
Shown = tuple[str, int, int]  # round, match, step
THEMES = ("light", "dark")


def main() -> int:
    """Take the pictures and return 0."""
    parser = argparse.ArgumentParser(description="Save a picture of every page in both themes.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG files")
    parser.add_argument("--data-dir", type=Path, help="reuse this data directory instead of a fresh one")
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("DBUS_SESSION_BUS_ADDRESS", "disabled:")
    from PySide6.QtWidgets import QApplication

    from app.loop import new_loop

    app = QApplication(sys.argv[:1])
    app.setQuitOnLastWindowClosed(False)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_take(app, options.data_dir or Path(folder), options.out))
    return 0


async def _take(app: Any, folder: Path, out: Path) -> None:
    from app.console import Console
    from engine.core.paths import DataDir

    console = Console(app, DataDir.open(folder))
    running = asyncio.create_task(console.run([]))
    ready = asyncio.create_task(console.wait_ready())
    await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        await running
    wiring = console.wiring
    assert wiring is not None
    shown = await _prepare(wiring)
    games = await asyncio.to_thread(play_games, folder)
    played = (
        await play_league(wiring, _settled),
        await play_rounds(wiring, _settled),
        await play_chains(wiring, _settled),
    )
    for theme in THEMES:
        console.save_settings(console.settings.model_copy(update={"theme": theme}))
        for width, height in SIZES:
            console.window.resize(width, height)
            await _pages(wiring, lambda name, t=theme, w=width: out / f"{name}-{t}-{w}.png", shown, games, played)
    console.close()
    await running


async def _prepare(wiring: Any) -> Shown:
    """Run the demo, and choose a match that its winner played."""
    wiring.overview.run_demo()
    await _settled(wiring.overview, lambda state: state.demo_state != "running")
    if wiring.overview.state.demo_state != "done":
        failed = "; ".join(step.detail for step in wiring.overview.state.demo if step.detail)
        raise SystemExit(f"the demo failed: {failed}")
    result = wiring.rounds.state.result
    best = next((line for line in result.standings if line.rank == 1), result.standings[0])
    match = next(m for m in wiring.rounds.state.matches if m.a == best.seat)
    await _settled(wiring.stakes, lambda state: state.on_chain and not state.pending)
    return result.round_id, match.fixture, match.steps // 2


async def _open(wiring: Any, shown: Shown) -> None:
    """Open the chosen match at its middle, played again and asked about."""
    round_id, fixture, step = shown
    wiring.replay.open_match(round_id, fixture, step)
    await _settled(wiring.replay, lambda state: (state.round_id, state.step) == (round_id, step) and not state.opening)
    wiring.replay.verify()
    wiring.replay.verify_on_chain()
    await _settled(wiring.replay, lambda state: state.verify.state == "ok" and state.chain is not None)


async def _settled(model: Any, condition: Any) -> None:
    """Wait until the state of a view-model fulfils a condition."""
    reached = asyncio.Event()
    end = model.observe(lambda state: reached.set() if condition(state) else None)
    async with asyncio.timeout(120):
        await reached.wait()
    end()


async def _pages(wiring: Any, target: Any, shown: Shown, games: list[tuple[str, Path]], played: Any) -> None:
    from app.links import Place

    wiring.window.notices.clear()

    window = wiring.window
    for key in ("overview", "logs"):
        wiring.navigator.go(Place(key))
        await _shoot(window, target(key))
    await consensus_pages(wiring, target, (_settled, _shoot))
    await agreement_pages(wiring, target, (_settled, _shoot), played[1])
    await league_pages(wiring, target, (_settled, _shoot), played[0])
    await learning_pages(wiring, target, (_settled, _shoot), played[2])
    devnet = wiring.pages["devnet"]
    for index, name in enumerate(("transactions", "blocks", "accounts", "gas", "log")):
        wiring.navigator.go(Place("devnet"))
        devnet.tabs.setCurrentIndex(index)
        await _shoot(window, target(f"devnet-{name}"))
    devnet.tabs.setCurrentIndex(0)
    replay = wiring.pages["replay"]
    wiring.navigator.go(Place("replay"))
    await _open(wiring, shown)
    for index, name in enumerate(("step", "moves", "state", "proof", "match")):
        replay.tabs.setCurrentIndex(index)
        await _shoot(window, target(f"replay-{name}"))
    replay.tabs.setCurrentIndex(0)
    await _merkle(wiring, target, shown)
    for system, bundle in games:
        await _game(wiring, bundle, target(f"game-{system}"))


async def _merkle(wiring: Any, target: Any, shown: Shown) -> None:
    """The explorer: a match in its round, an edited leaf, an inner node that poses as one, a step in its match."""
    from app.links import Place, step_link

    model, window = wiring.merkle, wiring.window
    wiring.navigator.go(Place("merkle"))
    await _settled(model, lambda state: state.facts is not None and state.onchain is not None and not state.loading)
    model.open_round(shown[0], 5)
    await _settled(model, lambda state: (state.facts.kind, state.round_id) == ("round", shown[0]) and not state.loading)
    model.verify_on_chain()
    await _settled(model, lambda state: state.answer is not None)
    await _shoot(window, target("merkle-round"))
    model.edit_leaf(20, 7)
    await _shoot(window, target("merkle-edited"))
    model.offer_inner()
    await _shoot(window, target("merkle-inner"))
    wiring.follow(step_link(*shown))
    await _settled(model, lambda state: state.facts.kind == "match" and not state.loading)
    await _shoot(window, target("merkle-step"))


async def _game(wiring: Any, bundle: Path, target: Path) -> None:
    """A match of some System, well under way."""
    from app.links import Place

    wiring.navigator.go(Place("replay"))
    wiring.replay.open_file(bundle)
    await _settled(wiring.replay, lambda state: state.facts.name == bundle.name and not state.opening)
    wiring.replay.seek(wiring.replay.state.facts.steps * 2 // 3)
    await _shoot(wiring.window, target)


async def _shoot(window: Any, path: Path) -> None:
    await asyncio.sleep(0.25)
    await asyncio.to_thread(lambda: None)
    window.grab().save(str(path))


if __name__ == "__main__":
    sys.exit(main())
