"""The guide in assets/guide: its commands, options, files, links and lists are those of the program.

A block marked ``sh`` is read by the command line's own parser; one marked ``sh run`` is run too, line by line in one
folder. A block marked with a language and a name is a file, written there; one marked ``text`` is what the command
before it says.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli import cli
from app.commands.output import Output

ROOT = Path(__file__).parents[1]
GUIDE = ROOT / "assets" / "guide"
PAGES = ("operator.md", "agents.md", "architecture.md", "features.md")
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`\n]+)`")
STATUS = re.compile(r"\s+# exit status ([\d or]+)$")
TOP = ("app", "widgets", "engine", "contracts", "assets", "packaging", "tests")
FOREIGN = {"make", "curl", "tar", "python", "systemctl", "journalctl"}
COMMANDS: Any = typer.main.get_command(cli)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and what follows it, its text, and the prose since the block before."""

    language: str
    mark: str
    text: str
    before: str


def page(name: str) -> str:
    return (GUIDE / name).read_text("utf-8")


def prose(name: str) -> str:
    return FENCE.sub("", page(name))


def blocks(name: str) -> Iterator[Block]:
    text, at = page(name), 0
    for match in FENCE.finditer(text):
        language, _, mark = match[1].partition(" ")
        yield Block(language, mark, match[2], text[at : match.start()])
        at = match.end()


def lines(block: Block) -> list[str]:
    return [line for line in block.text.replace("\\\n", " ").splitlines() if line.strip()]


def parse(words: list[str]) -> str:
    """Read a command as the program would, without running it; return its path. Fails where the program would."""
    assert words[0] == "nashboard"
    command, context, rest = COMMANDS, None, words[1:]
    while True:
        try:
            context = command.make_context(command.name or "nashboard", list(rest), parent=context, obj=Output())
        except typer.Exit:  # an option that prints and ends
            return "nashboard"
        if not hasattr(command, "commands"):
            return str(context.command_path)
        left = [*context._protected_args, *context.args]
        assert left and left[0] in command.commands, f"{' '.join(words)}: {left[:1]} is no command"
        command, rest = command.commands[left[0]], left[1:]


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for name, inner in getattr(command, "commands", {}).items():
        yield from leaves(inner, (*path, name)) if hasattr(inner, "commands") else [(*path, name)]


# Commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_every_command_is_one_that_the_program_takes(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shells = [block for block in blocks(name) if block.language == "sh"]
    for block in shells:
        assert block.mark in ("", "run"), block.mark
        for line in lines(block):
            words = shlex.split(STATUS.sub("", line))
            assert words[0] in FOREIGN or parse(words), line
    assert shells or name in ("architecture.md", "features.md")


@pytest.mark.parametrize("name", PAGES)
def test_every_command_in_a_sentence_is_there_with_its_options(name: str) -> None:
    for span in SPAN.findall(" ".join(prose(name).split())):
        if not span.startswith("nashboard ") or span.startswith(("nashboard FILE", "nashboard --data-dir")):
            continue
        command, words = COMMANDS, span.split()[1:]
        while words and hasattr(command, "commands") and not words[0].startswith("-"):
            assert words[0] in command.commands, span
            command = command.commands[words.pop(0)]
        options = {"--help", *(text for parameter in command.params for text in parameter.opts)}
        assert {word for word in words if word.startswith("--")} <= options, span


def test_the_guide_names_every_command() -> None:
    whole = " ".join("".join(page(name) for name in PAGES).split())
    missing = [" ".join(path) for path in leaves(COMMANDS) if f"nashboard {' '.join(path)}" not in whole]
    assert set(missing) <= {"gui"}


class Reader:
    """Follows a page in an empty folder with a data directory of its own; ``assets`` is the program's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = ""
        (folder / "assets").symlink_to(ROOT / "assets")

    def follow(self, name: str) -> int:
        ran = 0
        for block in blocks(name):
            if block.language == "sh" and block.mark == "run":
                for line in lines(block):
                    self.run(line)
                    ran += 1
            elif block.language == "text":
                assert all(line.strip() in self.said for line in lines(block)), f"{block.text}is not in\n{self.said}"
            elif block.mark and block.language != "sh":
                assert f"`{block.mark}`" in block.before, f"{block.mark} is not named before its text"
                (self.folder / block.mark).write_text(block.text, "utf-8")
        return ran

    def run(self, line: str) -> None:
        allowed = STATUS.search(line)
        words = shlex.split(STATUS.sub("", line))
        data = ["--data-dir", str(self.folder / "data")]
        programs = {"python": [sys.executable], "nashboard": [sys.executable, "-m", "app", *data]}
        done = subprocess.run(
            [*programs[words[0]], *words[1:]],
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        self.said = done.stdout
        wanted = {int(part) for part in allowed[1].split(" or ")} if allowed else {0}
        assert done.returncode in wanted, f"{line}\n{done.stdout}"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "least"), [("operator.md", 20), ("agents.md", 15)])
def test_a_reader_gets_through_the_page(name: str, least: int, tmp_path: Path) -> None:
    assert Reader(tmp_path).follow(name) >= least


# Files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_every_file_and_folder_named_is_there(name: str) -> None:
    named = [span for span in SPAN.findall(prose(name)) if re.fullmatch(r"[\w./*-]+", span)]
    paths = [span for span in named if span.split("/")[0] in TOP and "/" in span]
    lost = [path for path in paths if not any(ROOT.glob(path.rstrip("/")))]
    assert not lost
    assert paths
