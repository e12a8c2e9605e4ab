"""The page "Write a game, write a player" of CONTRIBUTING.md, run as it stands; the tables of assets/README.md."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from wasmtime import wat2wasm

from engine.core.paths import assets_dir, source_root
from engine.league.gate.limits import AGENT
from engine.league.match import Outcome
from engine.league.system import SystemSpec
from engine.league.trace import Trace

ROOT = source_root()
TITLE = "## Write a game, write a player"
PAGE = (ROOT / "CONTRIBUTING.md").read_text("utf-8").split(TITLE, 1)[1].split("\n## ", 1)[0]
README = (assets_dir() / "README.md").read_text("utf-8")
PARTS = re.split(r"^### `(\w+)`$", README, flags=re.MULTILINE)[1:]
SYSTEMS = sorted(path.stem for path in (assets_dir() / "systems").glob("*.c"))
SECTIONS = dict(zip(PARTS[::2], PARTS[1::2], strict=True))
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"`([\w./]+\.(?:c|json|py|zig))`")
TAKES_TOO_MANY = '#include "nets.h"\nNETS_EXPORT(decide) i64 decide(i64 packed) { return (packed >> 16 & 255) + 1; }\n'


@dataclass(frozen=True)
class Block:
    """A code block, and the text between it and the one before."""

    language: str
    text: str
    before: str


def blocks() -> list[Block]:
    found, at = [], 0
    for match in FENCE.finditer(PAGE):
        found.append(Block(match[1], match[2], PAGE[at : match.start()]))
        at = match.end()
    return found


class Newcomer:
    """Follows the page in an empty checkout: writes its files, runs its commands, keeps what they say."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        shutil.copytree(assets_dir() / "include", folder / "assets" / "include")
        shutil.copytree(assets_dir() / "models", folder / "assets" / "models")
        shutil.copy(assets_dir() / "build.py", folder / "assets")
        for name in ("systems", "hasher", "agents/snake"):
            (folder / "assets" / name).mkdir(parents=True)

    def follow(self, block: Block) -> None:
        if block.language == "sh":
            self.said = [self.run(line) for line in block.text.replace("\\\n", " ").splitlines()]
        elif block.language == "text":
            assert block.text.strip() in self.said[-1]
        else:
            path = self.folder / FILE.findall(block.before)[-1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, "utf-8")

    def run(self, line: str) -> str:
        command, _, status = line.partition("  # exit status ")
        words = shlex.split(command)
        program = {"python": [sys.executable], "nashboard": [sys.executable, "-m", "app"]}[words[0]]
        done = subprocess.run(
            [*program, *words[1:]],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert done.returncode == int(status or 0), f"{line}\n{done.stdout}"
        return done.stdout


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Newcomer:
    made = Newcomer(tmp_path_factory.mktemp("checkout"))
    for block in blocks():
        made.follow(block)
    return made


@pytest.mark.slow
def test_a_newcomer_gets_through_the_whole_page(newcomer: Newcomer, arena: Any) -> None:
    assert {block.language for block in blocks()} == {"c", "json", "python", "sh", "text", "zig"}
    assert not re.search(r"^ {4,}(?!-)\S", FENCE.sub("", PAGE), re.MULTILINE)  # no code outside a fence
    snake = arena.system("snake")
    for path in ("hunter.wasm", "assets/agents/snake/hunter.wasm", "network.wasm", "runner.wasm"):
        player = arena.gate.check_file(newcomer.folder / path).agent()
        results = [arena.play(snake, (player,), seed) for seed in range(10)]
        assert {result.outcome for result in results} == {Outcome.FINISHED}
        assert path == "runner.wasm" or sum(result.scores[0] for result in results) > 50


@pytest.mark.slow
def test_the_game_of_the_page_is_nim(newcomer: Newcomer, arena: Any) -> None:
    def module(name: str) -> Path:
        return newcomer.folder / "assets" / f"{name}.wasm"

    nim = arena.gate.check_file(module("systems/nim"), "system").system()
    leaver, one = (arena.gate.check_file(module(f"agents/nim/{name}")).agent() for name in ("leaver", "one"))
    for seed in range(4):  # 21 to 24 matches; a multiple of four is lost for who begins
        assert arena.play(nim, (one, leaver), seed).scores == (0, 1)
        assert arena.play(nim, (leaver, leaver), seed).scores == ((0, 1) if seed == 3 else (1, 0))
    lost = arena.play(nim, (one, arena.build("too_many", TAKES_TOO_MANY)), 0)
    assert (lost.outcome, lost.cause, lost.seat, lost.scores) == (Outcome.LOSS, "ILLEGAL_ACTION", 1, (1, 0))


def table(text: str, heading: str) -> list[list[str]]:
    """The rows of the table whose first heading is this, cell by cell."""
    rows = re.search(rf"^\| {re.escape(heading)} \|.*\n\|[ -|]*\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert rows is not None, heading
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", row)[1:-1]] for row in rows[1].splitlines()]


def test_every_field_of_the_description_is_named() -> None:
    named = {name for row in table(PAGE, "field") for name in re.findall(r"`(\w+)`", row[0])}
    assert named == set(SystemSpec.model_fields)


REFUSED = [
    '(module (import "env" "clock" (func (result i64))) (func (export "decide") (param i64) (result i64) i64.const 1))',
    '(module (func $go) (start $go) (func (export "decide") (param i64) (result i64) i64.const 1))',
    '(module (func (export "decides") (param i64) (result i64) i64.const 1))',
    '(module (memory (export "memory") 1) (func (export "decide") (param i64) (result i64) i64.const 1)'
    ' (func (export "nets_obs") (result i32) i32.const 0))',
    '(module (memory 65) (func (export "decide") (param i64) (result i64) i64.const 1))',
    f'(module (func (export "decide") (param i64) (result i64) (local{" i64" * 513}) i64.const 1))',
    '(module (memory 1 1 shared) (func (export "decide") (param i64) (result i64) i64.const 1))',
]


def test_the_gate_refuses_what_the_page_says_and_says_why(arena: Any) -> None:
    rows = table(PAGE, "A module that")
    for row, source in zip(rows, REFUSED, strict=True):
        verdict = arena.gate.check(bytes(wat2wasm(source)), "agent", "refused.wasm")
        assert not verdict.accepted
        assert row[1].strip("`") in verdict.reason, verdict.reason
    assert AGENT.memory_pages * 65536 == 4 * 2**20
    assert (AGENT.body_bytes, AGENT.code_bytes, AGENT.locals, AGENT.nesting) == (2**16, 2**20, 512, 512)


def test_the_figures_of_gas_are_those_of_the_agents(arena: Any) -> None:
    for cell, gas in table(PAGE, "agent"):
        system, name = re.findall(r"`(\w+)/(\w+)`", cell)[0]
        image, agent = arena.system(system), arena.agent(system, name)
        seats = image.spec.seats
        spent = [
            record.gas_used
            for seed in range(8)
            for record in Trace(arena.play(image, (agent,) * seats, seed).trace, seats)
        ]
        assert 0.5 < max(spent) / int(gas.replace(",", "")) < 1.1, (name, max(spent))


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_agent_is_listed_once_with_its_game(system: str) -> None:
    """In assets/README.md, under a heading of the System's id."""
    listed = re.findall(r"^\| `(\w+)` \|", SECTIONS[system], re.MULTILINE)
    assert set(SECTIONS) == set(SYSTEMS)
    assert sorted(listed) == sorted(path.stem for path in (assets_dir() / "agents" / system).glob("*.c"))
