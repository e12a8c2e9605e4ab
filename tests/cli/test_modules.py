"""``nashboard agent`` and ``nashboard system``."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENTS = ROOT / "assets" / "agents" / "snake"
SNAKE = ROOT / "assets" / "systems" / "snake.wasm"
MATRIX = ROOT / "assets" / "agents" / "matrix"


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


def test_a_system_of_ones_own_is_played_by_its_id(nashboard, tmp_path: Path) -> None:
    own = tmp_path / "mine.wasm"
    own.write_bytes(SNAKE.read_bytes().replace(b'"id":"snake"', b'"id":"adder"'))
    assert nashboard("system", "add", own, own).out.count("added") == 2
    assert nashboard("system", "add", AGENTS / "greedy.wasm", "--json", status=3).json[0]["reason"]
    own.unlink()
    listed = {system["id"]: system["shipped"] for system in nashboard("system", "list", "--json").json}
    assert listed["snake"] and not listed["adder"]
    words = ("--agent", AGENTS / "greedy.wasm", "--seed", 3, "--out", tmp_path / "m.nets", "--json")
    assert nashboard("match", "run", "--system", "adder", *words).json["outcome"] == "FINISHED"
    assert nashboard("match", "verify", tmp_path / "m.nets", "--json").json["ok"]
    missing = nashboard("match", "run", "--system", "addr", *words, status=2)
    assert "Did you mean 'adder'?" in str(list(missing.json.values()))


def test_parameters_are_listed_and_set(nashboard, tmp_path: Path) -> None:
    assert "--preset chicken" in nashboard("system", "list", "--params").out
    agents = [word for name in ("tit_for_tat", "always_defect") for word in ("--agent", MATRIX / f"{name}.wasm")]
    words = ("match", "run", "--system", "matrix", *agents, "--seed", 1, "--out", tmp_path / "m.nets", "--json")
    plain, chicken = nashboard(*words).json, nashboard(*words, "--preset", "chicken").json
    assert plain["params"] != chicken["params"]
    assert plain["commitment"] != chicken["commitment"]
    assert nashboard("match", "verify", tmp_path / "m.nets", "--json").json["ok"]
    assert "parameter" in nashboard(*words, "--param", "luck=1", status=2).json["what"]
