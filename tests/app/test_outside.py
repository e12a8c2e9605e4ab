"""Files shown by the operator's own programs, from a checkout and from an installed build."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl

from app import outside


def test_a_checkout_leaves_it_to_qt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[QUrl] = []
    monkeypatch.setattr(outside.QDesktopServices, "openUrl", opened.append)
    outside.open_outside(tmp_path)
    assert opened == [QUrl.fromLocalFile(str(tmp_path))]


@pytest.mark.skipif(sys.platform != "linux", reason="the library path is Linux's")
def test_an_installed_build_hands_no_library_path_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opener, told = tmp_path / "xdg-open", tmp_path / "told"
    opener.write_text(f'#!/bin/sh\nprintf "%s|%s" "$1" "$LD_LIBRARY_PATH" > "{told}.part"\nmv "{told}.part" "{told}"\n')
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/ours")
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "/theirs")
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    outside.open_outside(tmp_path)
    end = time.monotonic() + 10
    while not told.exists() and time.monotonic() < end:
        time.sleep(0.02)
    assert told.read_text() == f"{tmp_path}|/theirs"
