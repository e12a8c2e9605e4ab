"""Where compiled code is kept: code of another version must never run."""

from __future__ import annotations

import os
from pathlib import Path

import numba
import numpy as np
import pytest

from engine.games import jit


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "package"
    (folder / "solvers").mkdir(parents=True)
    (folder / "solvers" / "one_jit.py").write_text("A = 1\n")
    (folder / "constants.py").write_text("B = 2\n")
    return folder


def test_a_change_of_any_source_leads_to_another_folder(package: Path) -> None:
    before = jit.cache_folder(package)
    assert before == jit.cache_folder(package)
    assert before.parent == package / "__pycache__"
    (package / "constants.py").write_text("B = 3\n")  # inlined by whoever imports it
    assert jit.cache_folder(package) != before


def test_a_folder_that_cannot_be_written_is_left_alone(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root, who may run this, could write everywhere
    folder = jit.cache_folder(package)
    assert package not in folder.parents
    assert "nashboard" in str(folder)


def test_a_package_without_sources_is_known_by_its_version(tmp_path: Path) -> None:
    assert jit.cache_folder(tmp_path) == jit.cache_folder(tmp_path)


def test_this_program_keeps_its_code_there() -> None:
    assert str(jit.cache_folder(Path(jit.__file__).parent)) == numba.config.CACHE_DIR
    double = jit.compiled(lambda x: x + x)
    assert double(np.array([1.0, 2.0])).tolist() == [2.0, 4.0]
