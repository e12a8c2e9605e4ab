"""What a slim installation goes without is refused before anything begins, with what brings it."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from engine.consensus.agents.host import AgentHost, HostedSpec
from engine.core.errors import DependencyError
from engine.core.optional import is_there, need_torch
from engine.demo.demo import STEPS, Demo
from engine.league.gate.verdict import SystemImage
from engine.league.neural.build import BuildRequest, build_agent


@pytest.fixture
def no_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in an installed build without the add-on."""
    find = importlib.util.find_spec

    def found(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == "torch" else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", found)
    monkeypatch.setattr(sys, "frozen", True, raising=False)


def test_what_is_there_is_needed_in_silence() -> None:
    assert is_there("numpy") and not is_there("no_such_package") and not is_there("no_such.module")
    need_torch("Nothing happens")


def test_a_build_names_the_add_on(no_torch: None) -> None:
    with pytest.raises(DependencyError, match="Agents cannot think") as refused:
        need_torch("Agents cannot think")
    assert refused.value.next_step == "To get it, install the add-on nashboard-torch of the same version."
    assert refused.value.exit_code == 4


def test_agents_start_no_process_without_it(no_torch: None) -> None:
    async def start() -> None:
        async with AgentHost.start([HostedSpec("Ada")]):
            raise AssertionError("agents started")

    with pytest.raises(DependencyError, match="torch is not installed here"):
        asyncio.run(start())


def test_no_agent_is_built_of_a_model_without_it(no_torch: None, tmp_path: Path) -> None:
    with pytest.raises(DependencyError, match="torch is not installed here"):
        build_agent(BuildRequest(tmp_path / "model.pt", SystemImage.__new__(SystemImage)))


def test_the_demo_leaves_its_steps_out_and_says_how_to_see_them(
    no_torch: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.demo.demo.STEPS", [step for step in STEPS if step.needs])
    told: list[str] = []
    whole = asyncio.run(Demo(None, lambda step: told.append(step.result)).run())  # type: ignore[arg-type]
    assert whole["ok"] and whole["skipped"] == ["consensus", "learning"]
    assert all("install the add-on nashboard-torch" in text for text in told)
