"""Pictures of every page, tab and dialog with real data: ``python -m app.screenshots --out DIR``.

They are taken in one session: a fresh data directory as it greets the operator, the guided demo, a league with a
dishonest host, rounds of consensus, a learning chain with faults. Ends with 1 where a scene does not come about, or
where the console has a fault of its own meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from app.screenshot_agreement import agreement_pages, play_rounds
from app.screenshot_camera import Camera, SceneError, settled
from app.screenshot_consensus import consensus_pages
from app.screenshot_dialogs import dialog_pages, empty_pages
from app.screenshot_games import play_games
from app.screenshot_league import league_pages, play_league
from app.screenshot_learning import learning_pages, play_chains
from app.screenshot_replay import game_pages, merkle_pages, replay_pages

DEVNET = ("transactions", "blocks", "accounts", "gas", "log")
HALTS = ("contracts", "agents", "host")  # where the demo waits in the picture of a walk
PARTS = ("empty", "overview", "devnet", "logs", "replay", "merkle", "game", "consensus", "agents", "league", "learning",
         "dialogs")  # fmt: skip


def main() -> int:
    """Take the pictures and return how it went."""
    parser = argparse.ArgumentParser(description="Save a picture of every page in both themes.")
    parser.add_argument("--out", type=Path, required=True, help="folder for the PNG files")
    parser.add_argument("--data-dir", type=Path, help="reuse this data directory instead of a fresh one")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS, help="only these parts")
    parser.add_argument("--scenes", nargs="*", default=(), help="only scenes whose names begin so")
    options = parser.parse_args()
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    os.environ.setdefault("DBUS_SESSION_BUS_ADDRESS", "disabled:")
    from PySide6.QtWidgets import QApplication

    from app.loop import new_loop

    app = QApplication(sys.argv[:1])
    app.setQuitOnLastWindowClosed(False)
    options.out.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner(loop_factory=new_loop) as runner:
        faults = runner.run(_session(app, options.data_dir or Path(folder), options))
    sys.stdout.write(f"{len(list(options.out.glob('*.png')))} pictures in {time.monotonic() - began:.0f} s\n")
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    return 1 if faults else 0


async def _session(app: Any, folder: Path, options: argparse.Namespace) -> list[str]:
    """Run a console, take the pictures, and return what went wrong in it."""
    from app.console import Console
    from engine.core.paths import DataDir

    console = Console(app, DataDir.open(folder))
    running = asyncio.create_task(console.run([]))
    ready = asyncio.create_task(console.wait_ready())
    await asyncio.wait([running, ready], return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        return [f"The console ended with {running.result()} before it was ready."]
    taking = asyncio.create_task(
        _take(console, folder, Camera(console, options.out, options.scenes), frozenset(options.only))
    )
    await asyncio.wait([taking, running], return_when=asyncio.FIRST_COMPLETED)
    faults = [path.read_text(encoding="utf-8") for path in sorted(console.data.logs.glob("crash-*.txt"))]
    console.close()
    await running
    if not taking.done():
        taking.cancel()
        return [*faults, "The console ended before all pictures were taken."]
    error = taking.exception()
    return [*faults, f"{type(error).__name__}: {error}"] if error is not None else faults


async def _take(console: Any, folder: Path, camera: Camera, parts: frozenset[str]) -> None:
    from app.links import Place

    wiring = console.wiring
    if "empty" in parts:
        await empty_pages(wiring, camera)
    await _demo(wiring, camera, "overview" in parts)
    await settled(wiring.stakes, lambda state: state.on_chain and not state.pending)
    wiring.window.notices.clear()
    for key in ("overview", "logs"):
        wiring.navigator.go(Place(key))
        if key in parts:
            await camera.shoot(key)
    if "devnet" in parts:
        for index, name in enumerate(DEVNET):
            wiring.navigator.go(Place("devnet"))
            wiring.pages["devnet"].tabs.setCurrentIndex(index)
            await camera.shoot(f"devnet-{name}")
        wiring.pages["devnet"].tabs.setCurrentIndex(0)
    if "replay" in parts or "merkle" in parts:
        shown = await replay_pages(wiring, camera)
        await merkle_pages(wiring, camera, shown)
    if "game" in parts:
        await game_pages(wiring, camera, await asyncio.to_thread(play_games, folder))
    if "consensus" in parts:
        await consensus_pages(wiring, camera)
    if "agents" in parts:
        await agreement_pages(wiring, camera, await play_rounds(wiring))
    if "league" in parts:
        await league_pages(wiring, camera, await play_league(wiring))
    if "learning" in parts:
        await learning_pages(wiring, camera, await play_chains(wiring))
    if "dialogs" in parts:
        await dialog_pages(wiring, camera)


async def _demo(wiring: Any, camera: Camera, shown: bool) -> None:
    """Run the demo; where it is to be shown, with a halt on the way."""
    from app.links import Place

    overview = wiring.overview
    wiring.navigator.go(Place("overview"))
    overview.walk_demo()
    for key in HALTS:
        overview.next_step()
        await settled(overview, lambda state, key=key: _halted(state, key))
    if shown:
        await camera.shoot("overview-walk")
    overview.run_rest()
    await settled(overview, lambda state: state.demo_state not in ("running", "waiting"))
    if overview.state.demo_state != "done":
        failed = "; ".join(step.detail for step in overview.state.demo if step.detail)
        raise SceneError(f"the demo failed: {failed}")


def _halted(state: Any, key: str) -> bool:
    """Whether the demo waits before a step, or came to its end without."""
    waits = any((step.key, step.state) == (key, "next") for step in state.demo)
    return waits or state.demo_state not in ("running", "waiting")


if __name__ == "__main__":
    sys.exit(main())
