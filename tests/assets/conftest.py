"""Shared by the tests of the shipped modules."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import pytest

from engine.core.paths import assets_dir


@pytest.fixture(scope="session")
def build_script() -> ModuleType:
    """assets/build.py as a module; it is a script in a folder that is no package."""
    spec = importlib.util.spec_from_file_location("assets_build_script", assets_dir() / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module
