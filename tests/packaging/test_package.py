"""The built program, where there is no Python. Skipped until ``make package`` has built it."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
BUILT = ROOT / "dist" / "nashboard"

pytestmark = [
    pytest.mark.package,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(not BUILT.is_dir(), reason="nothing is built: make package"),
]


@pytest.fixture
def smoke(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "packaging"))
    return importlib.import_module("smoke")


def test_alone_it_does_all_but_what_needs_torch(smoke: ModuleType) -> None:
    facts = smoke.smoke(BUILT, smoke.ALONE)
    sys.stdout.write(json.dumps(facts))


def test_with_its_add_ons_it_does_all_that_an_operator_starts_with(smoke: ModuleType) -> None:
    assert "torch" in [path.name for path in smoke.add_ons(BUILT)]
    with smoke.complete(BUILT) as folder:
        facts = smoke.smoke(folder)
    sys.stdout.write(json.dumps(facts))


def test_no_file_of_it_names_a_place_on_this_machine() -> None:
    ours = [path for package in ("app", "engine", "widgets", "assets") for path in (BUILT / "_internal").glob(package)]
    files = [path for folder in ours for path in folder.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in (*files, BUILT / "nashboard") if str(ROOT).encode() in path.read_bytes()]
