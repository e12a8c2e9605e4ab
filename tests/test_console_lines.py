"""The table of what the console promises (tests/README.md): every test named in it is there, every page has lines."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from app.window import PAGES

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "tests" / "README.md"
ELSEWHERE = ("Settings", "Installed build", "Conventions")
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def rows() -> list[tuple[str, str, str, str]]:
    """Page, priority, promise and tests of each line of the table."""
    found = []
    for line in TABLE.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and cells[1] in ("P0", "P1"):
            found.append((cells[0], cells[1], cells[2], cells[3]))
    return found


@cache
def named_in(path: Path) -> frozenset[str]:
    """The names of the tests in a file that pytest collects."""
    tree = ast.parse(path.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds) and node.name.startswith("test_"))


def test_the_table_can_be_read() -> None:
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if re.match(r"\| \w", line)]
    header = [line for line in lines if line.startswith("| page |")]
    assert header
    assert len(rows()) == len(lines) - len(header), "a line has another number of cells or another priority"


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row[0]}: {row[2]}")
def test_every_line_names_tests_that_are_there(row: tuple[str, str, str, str]) -> None:
    named = TEST.findall(row[3])
    assert named, "no test"
    assert TEST.sub("", row[3]).replace(",", "").split() == [], "something that is no test"
    lost = [
        f"{path}::{name}" for path, name in named if not (ROOT / path).is_file() or name not in named_in(ROOT / path)
    ]
    assert not lost


def test_every_page_has_lines() -> None:
    promised = {row[0] for row in rows()}
    assert promised >= {title for _, title in PAGES}
    assert promised >= set(ELSEWHERE)
    assert promised <= {title for _, title in PAGES} | set(ELSEWHERE), "a page that the console does not have"


def test_no_promise_stands_twice() -> None:
    promises = [(page, promise) for page, _, promise, _ in rows()]
    assert len(promises) == len(set(promises))
