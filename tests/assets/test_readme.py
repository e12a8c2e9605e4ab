"""The examples in assets/README.md are built, admitted and played as they stand there."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from engine.core.paths import assets_dir
from engine.league.config import DEFAULT_BUDGET
from engine.league.gate import SyncGate
from engine.league.gate.verdict import AgentImage, SystemImage
from engine.league.match import MatchRequest, MatchResult, Outcome, run_match
from engine.league.sandbox import Sandbox

README = (assets_dir() / "README.md").read_text("utf-8")
TAKES_THE_REST_OF_FOUR = """
#include "nets.h"
NETS_EXPORT(decide) i64 decide(i64 packed) {
    i64 rest = (packed & 255) % 4;
    return rest ? rest : 1;
}
"""
TAKES_ONE = '#include "nets.h"\nNETS_EXPORT(decide) i64 decide(i64 packed) { (void)packed; return 1; }\n'
TAKES_TOO_MANY = TAKES_ONE.replace("return 1", "return 4")


def example(language: str, containing: str) -> str:
    found = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if containing in text]
    assert len(found) == 1
    return str(found[0])


class Workshop:
    """Builds sources in a temporary folder, admits and plays what comes out."""

    def __init__(self, script: ModuleType, folder: Path, gate: SyncGate, sandbox: Sandbox) -> None:
        self.script, self.folder, self.gate, self.sandbox = script, folder, gate, sandbox

    def build(self, name: str, source: str, description: str | None = None) -> Path:
        path = self.folder / f"{name}.c"
        path.write_text(source, "utf-8")
        target = self.script.Target(path, self.script.GAME_FLAGS, json.loads(description) if description else None)
        built: Path = self.script.compile_target(target, self.folder, self.folder)
        return built

    def agent(self, name: str, source: str) -> AgentImage:
        return self.gate.check_file(self.build(name, source)).agent()

    def play(self, system: SystemImage, agents: tuple[AgentImage, ...], seed: int) -> MatchResult:
        return run_match(MatchRequest(system, agents, seed, DEFAULT_BUDGET), self.sandbox)


@pytest.fixture(scope="module")
def workshop(build_script: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    with SyncGate() as gate, Sandbox() as sandbox:
        yield Workshop(build_script, tmp_path_factory.mktemp("workshop"), gate, sandbox)


@pytest.fixture(scope="module")
def snake(workshop: Workshop) -> SystemImage:
    return workshop.gate.check_file(assets_dir() / "systems" / "snake.wasm", "system").system()


def test_the_agent_plays_snake(workshop: Workshop, snake: SystemImage) -> None:
    hunter = workshop.agent("hunter", example("c", "snake_towards_apple"))
    results = [workshop.play(snake, (hunter,), seed) for seed in range(10)]
    assert {result.outcome for result in results} == {Outcome.FINISHED}
    assert sum(result.scores[0] for result in results) > 50


def test_the_one_command_builds_it_too(workshop: Workshop, snake: SystemImage) -> None:
    command = re.search(r"python (-m ziglang cc .*?hunter\.wasm)", README, re.DOTALL)
    assert command is not None
    words = command[1].replace("\\\n", " ").replace("assets/include", str(assets_dir() / "include")).split()
    (workshop.folder / "hunter.c").write_text(example("c", "snake_towards_apple"), "utf-8")
    subprocess.run([sys.executable, *words], cwd=workshop.folder, check=True)
    hunter = workshop.gate.check_file(workshop.folder / "hunter.wasm").agent()
    assert workshop.play(snake, (hunter,), 1).outcome is Outcome.FINISHED


def test_the_system_is_admitted_and_played_by_two(workshop: Workshop) -> None:
    nim = workshop.gate.check_file(
        workshop.build("nim", example("c", "MATCHES"), example("json", "nim")), "system"
    ).system()
    clever = workshop.agent("clever", TAKES_THE_REST_OF_FOUR)
    simple = workshop.agent("simple", TAKES_ONE)
    for seed in range(4):  # 21 to 24 matches; a multiple of four is lost for who begins
        assert workshop.play(nim, (simple, clever), seed).scores == (0, 1)
        assert workshop.play(nim, (clever, clever), seed).scores == ((0, 1) if seed == 3 else (1, 0))
    greedy = workshop.agent("greedy_taker", TAKES_TOO_MANY)
    lost = workshop.play(nim, (simple, greedy), 0)
    assert (lost.outcome, lost.cause, lost.seat, lost.scores) == (Outcome.LOSS, "ILLEGAL_ACTION", 1, (1, 0))


def test_every_agent_and_its_fate_is_listed() -> None:
    listed = set(re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE))
    assert {path.stem for path in (assets_dir() / "agents" / "snake").glob("*.c")} <= listed
