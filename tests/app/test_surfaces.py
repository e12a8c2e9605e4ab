"""Every page, tab, dialog and menu, as a screen of 200 % shows it: nothing cut, nothing nameless, Tab in order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.window import PAGES

pytestmark = pytest.mark.timeout(600)
ROOT = Path(__file__).parents[2]
SCREEN = {"name": "s", "x": 0, "y": 0, "width": 2880, "height": 1620, "logicalDpi": 96, "logicalBaseDpi": 96, "dpr": 1}
Found = dict[str, dict[str, list[str]]]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What a console of its own found: on a screen of twice the density, before and after the demo."""
    folder = tmp_path_factory.mktemp("surfaces")
    (folder / "screen.json").write_text(json.dumps({"screens": [SCREEN]}))
    platform = f"offscreen:configfile={folder / 'screen.json'}"
    environment = {**os.environ, "QT_SCALE_FACTOR": "2", "QT_QPA_PLATFORM": platform}
    command = [sys.executable, "-m", "tests.app.surfaces", "--data", str(folder / "data")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=580)
    assert done.returncode == 0, done.stderr[-4000:]
    read: Any = json.loads(done.stdout)
    return read


def troubles(found: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: wrong for name, wrong in found.items() if wrong}


@pytest.mark.parametrize("size", ["960x540", "1366x768"])
def test_nothing_is_cut_or_out_of_reach(found: Found, size: str) -> None:
    assert {name.split("/")[0] for name in found[size]} >= {key for key, _ in PAGES}
    assert len(found[size]) > 35
    assert troubles(found[size]) == {}


def test_everything_says_what_it_is(found: Found) -> None:
    assert {name.removeprefix("empty ").split("/")[0] for name in found["names"]} >= {key for key, _ in PAGES}
    assert troubles(found["names"]) == {}


def test_dialogs_fit_the_screen_and_say_what_they_are(found: Found) -> None:
    assert set(found["dialogs"]) == {"settings", "help", "keys", "guide", "palette", "confirm", "crash"}
    assert troubles(found["dialogs"]) == {}


def test_tab_goes_down_and_to_the_right(found: Found) -> None:
    assert troubles(found["order"]) == {}
