"""A plugin that lets the window hear of everything late, as on a machine that is busy otherwise.

    python -m pytest -p tests.late -n 2 tests/app

A test that looks at a view without waiting for it passes on a quiet machine and fails on a busy one, now and then. With
this it fails always.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import app.bridge

SECONDS = 0.4
OF_TIME = ("test_bridge.py", "test_lateness.py")  # they ask when the window hears


class _Late(app.bridge.Bridge):
    def _plan(self) -> None:
        if self._timer is None and not self._left:
            self._timer = asyncio.get_running_loop().call_later(SECONDS, self._spread)


def pytest_configure() -> None:
    """Put it in the place of the bridge, before the console is imported."""
    app.bridge.Bridge = _Late  # type: ignore[misc]


def pytest_collection_modifyitems(config: Any, items: list[pytest.Item]) -> None:
    """Leave out what asks for the time itself."""
    left = [item for item in items if item.path.name in OF_TIME]
    config.hook.pytest_deselected(items=left)
    items[:] = [item for item in items if item not in left]
