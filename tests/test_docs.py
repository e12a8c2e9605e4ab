"""The pages for people: every link in them leads somewhere, and none says where it was written."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^()\s]+)\)")
REFERENCE = re.compile(r"^\[[^\]]+\]: (\S+)$", re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def pages() -> list[Path]:
    """Every Markdown file of the repository, new ones too."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout.decode()
    return sorted(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def anchor(heading: str) -> str:
    """The name under which a heading is linked to: small letters, blanks as hyphens, other signs dropped."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", plain.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {anchor(heading) for heading in HEADING.findall(FENCE.sub("", page.read_text("utf-8")))}


def links(page: Path) -> list[str]:
    text = FENCE.sub("", page.read_text("utf-8"))
    return [link for link in (*LINK.findall(text), *REFERENCE.findall(text)) if "://" not in link]


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page: Path) -> None:
    lost = []
    for link in links(page):
        name, _, wanted = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        there = target.exists() and target.is_relative_to(ROOT)
        if not there or (wanted and wanted not in anchors(target)):
            lost.append(link)
    assert not lost


def test_the_pages_that_a_newcomer_reads_have_links_to_check() -> None:
    found = {page.relative_to(ROOT).as_posix(): len(links(page)) for page in pages()}
    assert found["README.md"] > 10
    assert found["CONTRIBUTING.md"] > 2


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Write a game, write a player", "write-a-game-write-a-player"),
        ("`nashboard serve` [x](y)", "nashboard-serve-x"),
    ],
)
def test_headings_are_named_as_they_are_linked_to(heading: str, name: str) -> None:
    assert anchor(heading) == name
