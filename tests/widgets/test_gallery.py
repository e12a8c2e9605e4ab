import subprocess
import sys

import pytest
from PySide6.QtGui import QImage


@pytest.mark.parametrize("scale", [1, 2])
def test_pictures_both_themes_at_any_scale(tmp_path, scale):
    command = [sys.executable, "-W", "error", "-m", "widgets.gallery", "--out", str(tmp_path), "--scale", str(scale)]
    done = subprocess.run([*command, "--only", "table", "nav"], check=True, capture_output=True, text=True)
    assert len(done.stdout.split()) == 4
    light, dark = QImage(str(tmp_path / "nav-light.png")), QImage(str(tmp_path / "nav-dark.png"))
    assert light.width() == 248 * scale
    assert light != dark
