"""The pictures of all pages: whoever takes them hears of a scene that did not come about."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_a_scene_that_fails_ends_with_one_and_says_why(tmp_path: Path) -> None:
    environment = {**os.environ, "NASHBOARD_ANVIL": str(tmp_path / "no-anvil"), "QT_QPA_PLATFORM": "offscreen"}
    ended = subprocess.run(
        [sys.executable, "-m", "app.screenshots", "--out", str(tmp_path / "out"), "--only", "logs"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 1, ended.stderr
    assert "the demo failed: Anvil was not found" in ended.stderr
    assert not list((tmp_path / "out").glob("*.png"))
