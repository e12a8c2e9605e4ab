"""Places with nothing to show say what to do, and offer it: on a fresh data directory, on every page and tab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QPushButton, QTabWidget

from app.links import Place
from app.window import PAGES
from engine.core.paths import DataDir
from widgets.panels import EmptyPanel

GOOD_NEWS = "shield"  # nobody was slashed: there is nothing to do about that


async def test_every_empty_place_offers_what_fills_it(
    opened: Callable[..., Any], data_dir: DataDir, until: Callable[..., Any]
) -> None:
    bare: list[str] = []
    seen = 0
    async with opened(data_dir) as wiring:
        for key, _ in PAGES:
            wiring.navigator.go(Place(key))
            page = wiring.pages[key]
            for tabs in page.findChildren(QTabWidget) or [None]:
                for index in range(tabs.count() if tabs is not None else 1):
                    if tabs is not None:
                        tabs.setCurrentIndex(index)
                    await until(lambda p=page: p.isVisible())
                    for panel in page.findChildren(EmptyPanel):
                        if panel.isVisible() and panel._icon._name != GOOD_NEWS:
                            seen += 1
                            if not panel.findChildren(QPushButton):
                                bare.append(f"{key}: {panel.accessibleName()}")
    assert seen > 15 and not set(bare)
