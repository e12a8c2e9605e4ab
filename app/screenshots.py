"""Pictures of every page with a real small league: ``python -m app.screenshots --out DIR``."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

SIZES = ((1440, 900), (1024, 700))
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
    await _prepare(wiring)
    for theme in THEMES:
        console.save_settings(console.settings.model_copy(update={"theme": theme}))
        for width, height in SIZES:
            console.window.resize(width, height)
            await _pages(wiring, lambda name, t=theme, w=width: out / f"{name}-{t}-{w}.png")
    console.close()
    await running


async def _prepare(wiring: Any) -> None:
    """Run the demo, then open a match at its middle."""
    wiring.overview.run_demo()
    await _settled(wiring.overview, lambda state: state.demo_state != "running")
    if wiring.overview.state.demo_state != "done":
        failed = "; ".join(step.detail for step in wiring.overview.state.demo if step.detail)
        raise SystemExit(f"the demo failed: {failed}")
    result = wiring.rounds.state.result
    best = next((line for line in result.standings if line.rank == 1), result.standings[0])
    match = next(m for m in wiring.rounds.state.matches if m.a == best.seat)
    wiring.replay.open_match(result.round_id, match.fixture)
    await _settled(wiring.replay, lambda state: state.facts is not None)
    wiring.replay.seek(wiring.replay.state.facts.steps // 2)
    wiring.replay.verify()
    wiring.replay.verify_on_chain()
    await _settled(wiring.replay, lambda state: state.verify.state == "ok" and state.chain is not None)
    await _settled(wiring.stakes, lambda state: state.on_chain and not state.pending)


async def _settled(model: Any, condition: Any) -> None:
    """Wait until the state of a view-model fulfils a condition."""
    reached = asyncio.Event()
    end = model.observe(lambda state: reached.set() if condition(state) else None)
    async with asyncio.timeout(120):
        await reached.wait()
    end()


async def _pages(wiring: Any, target: Any) -> None:
    from app.links import Place

    wiring.window.notices.clear()

    window = wiring.window
    places = [Place(key) for key in ("overview", "logs")]
    places += [Place("leagues", f"tab/{tab}") for tab in ("setup", "round", "settlement", "stakes")]
    for place in places:
        wiring.navigator.go(place)
        await _shoot(window, target((place.name and f"leagues-{place.name}") or place.page))
    devnet = wiring.pages["devnet"]
    for index, name in enumerate(("transactions", "blocks", "accounts", "gas", "log")):
        wiring.navigator.go(Place("devnet"))
        devnet.tabs.setCurrentIndex(index)
        await _shoot(window, target(f"devnet-{name}"))
    devnet.tabs.setCurrentIndex(0)
    replay = wiring.pages["replay"]
    wiring.navigator.go(Place("replay"))
    for index, name in enumerate(("step", "proof", "match")):
        replay.tabs.setCurrentIndex(index)
        await _shoot(window, target(f"replay-{name}"))
    replay.tabs.setCurrentIndex(0)


async def _shoot(window: Any, path: Path) -> None:
    await asyncio.sleep(0.25)
    await asyncio.to_thread(lambda: None)
    window.grab().save(str(path))


if __name__ == "__main__":
    sys.exit(main())
