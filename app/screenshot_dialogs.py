"""Pictures of what lies over the pages (dialogs, menus, the palette, notices), and of pages with nothing on them."""

from __future__ import annotations

from typing import Any

from app.screenshot_camera import SIZES, Camera, settled

WIDE = SIZES[:1]
HALVES = {"consensus": ("games", "agents"), "learning": ("chain", "sweep")}


async def empty_pages(wiring: Any, camera: Camera) -> None:
    """Every page and tab of a fresh data directory: what the operator sees first."""
    from PySide6.QtWidgets import QTabWidget

    from app.links import Place

    await camera.shoot("welcome")
    for key, page in wiring.pages.items():
        wiring.navigator.go(Place(key))
        if key in HALVES:
            for half in HALVES[key]:
                page.switch.choose(half)
                await _tabs(camera, f"empty-{half}", page.agents.tabs if half == "agents" else page.tabs)
            page.switch.choose(HALVES[key][0])
        else:
            await _tabs(camera, f"empty-{key}", page.findChild(QTabWidget))
    wiring.navigator.go(Place("overview"))


async def _tabs(camera: Camera, name: str, tabs: Any) -> None:
    if tabs is None or not tabs.isVisible():
        await camera.shoot(name, sizes=WIDE)
        return
    for index in range(tabs.count()):
        tabs.setCurrentIndex(index)
        await camera.shoot(f"{name}-{tabs.tabText(index).lower().replace(' ', '-')}", sizes=WIDE)
    tabs.setCurrentIndex(0)


async def dialog_pages(wiring: Any, camera: Camera) -> None:
    """Menus, palette, settings, help, guide, a confirmation, a fault, notices, and a node that is down."""
    from PySide6.QtWidgets import QDialog

    from app.actions import Palette
    from app.dialogs import crash_dialog
    from app.guide import show_guide
    from app.links import Place

    window = wiring.window
    wiring.navigator.go(Place("devnet"))
    for action in window.menuBar().actions():
        menu, at = action.menu(), window.menuBar().actionGeometry(action)
        menu.popup(window.menuBar().mapToGlobal(at.bottomLeft()))
        await camera.shoot_over(f"menu-{menu.title().strip('&').lower()}", menu)
    palette = Palette(window, wiring.commands)
    palette.show()
    await camera.shoot_over("palette", palette)
    confirmed = wiring.console.settings.model_copy(update={"confirm_chain_actions": True})
    wiring.console.settings = confirmed
    for name, opener in (
        ("settings", wiring.show_settings),
        ("help", wiring.commands.all["help"].run),
        ("keys", wiring.commands.all["keys"].run),
        ("confirm", wiring.chain.stop),
    ):
        opener()
        opened = [one for one in window.findChildren(QDialog) if one.isVisible()]
        await camera.shoot_over(f"dialog-{name}", opened[-1])
    report = "Traceback (most recent call last):\n  …\nValueError: an example of a report"
    log = wiring.console.data.logs / "crash-20261121-120000.txt"
    await camera.shoot_over("dialog-fault", crash_dialog(window, "The window: ValueError: an example", report, log, id))
    await camera.shoot_over("dialog-guide", show_guide(window))
    await _notices(wiring, camera)


async def _notices(wiring: Any, camera: Camera) -> None:
    from app.errors import Action, Notice

    notices = wiring.window.notices
    for kind, title, text in (
        ("error", "The round could not be anchored", "The devnet does not answer on its port."),
        ("warn", "Some files cannot be opened", "notes.txt is neither an agent, a match, a game nor a task."),
        ("ok", "The proof was saved", "It verifies with: nashboard trace check proof.json."),
    ):
        again = (Action("Try again", lambda: None),) if kind == "error" else ()
        notices.show_notice(Notice(kind, title, text, "", again, key=kind))
    await camera.shoot("notices")
    notices.clear()
    wiring.devnet.down()
    await settled(wiring.devnet, lambda state: state.status.state == "stopped" and not state.busy)
    await camera.shoot("devnet-stopped")
