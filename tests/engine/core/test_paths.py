"""What differs in an installed build: where things lie, what is left alone, how more is had."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from app.__main__ import use_add_ons
from engine.core import paths
from engine.core.process import child_environment
from engine.games import jit


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Pretend to be an installed build."""
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "_MEIPASS", str(tmp_path / "_internal"), raising=False)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "nashboard"))
    return tmp_path


def test_assets_lie_inside_the_build(build: Path) -> None:
    assert paths.assets_dir() == build / "_internal" / "assets"


def test_add_ons_lie_beside_the_program(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.add_ons() == []
    (build / "addons" / "learn").mkdir(parents=True)
    (build / "addons" / "a file").touch()
    assert paths.add_ons() == [build / "addons" / "learn"]
    monkeypatch.setattr(sys, "path", ["here"])
    use_add_ons()
    assert sys.path == ["here", str(build / "addons" / "learn")]


def test_a_checkout_has_no_add_ons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    (tmp_path / "addons" / "learn").mkdir(parents=True)
    assert paths.add_ons() == []
    assert paths.how_to_get("learn") == "pip install 'nashboard[learn]'"


def test_an_extra_is_an_add_on_there(build: Path) -> None:
    assert paths.how_to_get("learn") == "install the add-on nashboard-learn of the same version"


def test_other_programs_get_their_own_libraries_back(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(build))
    monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", "/mine")
    assert child_environment()["LD_LIBRARY_PATH"] == "/mine"
    monkeypatch.delenv("LD_LIBRARY_PATH_ORIG")
    assert "LD_LIBRARY_PATH" not in child_environment()
    assert os.environ["LD_LIBRARY_PATH"] == str(build)  # our own workers need it


def test_compiled_code_is_never_kept_inside_the_build(build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = build / "_internal" / "engine" / "games"
    (package / "__pycache__").mkdir(parents=True)
    (package / "one_jit.py").write_text("A = 1\n")
    window = jit.cache_folder(package)
    assert build not in window.parents
    monkeypatch.setattr(sys, "executable", str(build / "nashboard-cli"))
    assert jit.cache_folder(package) != window
