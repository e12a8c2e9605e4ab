"""``nashboard agent`` and ``nashboard system``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENTS = ROOT / "assets" / "agents" / "snake"
SNAKE = ROOT / "assets" / "systems" / "snake.wasm"


def test_every_shipped_agent_is_accepted_with_its_hash(nashboard) -> None:
    files = sorted(AGENTS.glob("*.wasm"))
    verdicts = nashboard("agent", "check", *files, "--json").json
    assert [verdict["file"] for verdict in verdicts] == [str(path) for path in files]
    for path, verdict in zip(files, verdicts, strict=True):
        assert {"file", "sha256", "accepted", "reason", "abi"} <= set(verdict)
        assert verdict["accepted"]
        assert verdict["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert {verdict["abi"] for verdict in verdicts} == {"packed", "mailbox"}


@pytest.mark.parametrize("name", ["text", "truncated", "empty", "system"])
def test_what_is_no_agent_is_rejected_with_a_reason(nashboard, tmp_path: Path, name: str) -> None:
    content = {
        "text": b"this is not a module at all",
        "truncated": (AGENTS / "greedy.wasm").read_bytes()[:-40],
        "empty": b"",
        "system": SNAKE.read_bytes(),
    }[name]
    path = tmp_path / f"{name}.wasm"
    path.write_bytes(content)
    ran = nashboard("agent", "check", AGENTS / "greedy.wasm", path, "--json", status=3)
    good, bad = ran.json
    assert good["accepted"]
    assert not bad["accepted"]
    assert bad["reason"]


def test_an_agent_without_decide_names_the_export(nashboard) -> None:
    assert "decide" in nashboard("agent", "check", SNAKE, status=3).out


def test_a_missing_file_is_a_usage_error(nashboard, tmp_path: Path) -> None:
    ran = nashboard("agent", "check", tmp_path / "none.wasm", "--json", status=2)
    assert ran.json["why"] == "no such file"
    assert "it is a folder" in nashboard("agent", "check", tmp_path, status=2).err


def test_systems_are_listed_and_checked(nashboard) -> None:
    systems = nashboard("system", "list", "--json").json
    digest = hashlib.sha256(SNAKE.read_bytes()).hexdigest()
    assert ("snake", digest) in [(system["id"], system["sha256"]) for system in systems]
    assert "snake" in nashboard("system", "list").out
    assert nashboard("system", "check", SNAKE, "--json").json[0]["accepted"]
    assert "REJECTED" in nashboard("system", "check", AGENTS / "greedy.wasm", status=3).out
