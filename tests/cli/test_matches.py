"""``nashboard match`` and ``nashboard trace``: play, verify, look, prove; and what happens to changed files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENTS = ROOT / "assets" / "agents" / "snake"


@pytest.fixture
def bundle(nashboard, tmp_path: Path) -> Path:
    out = tmp_path / "m.nets"
    nashboard("match", "run", "--system", "snake", "--agent", AGENTS / "greedy.wasm", "--seed", 7, "--out", out)
    return out


def test_a_match_reports_all_that_it_promises_and_is_reproducible(nashboard, tmp_path: Path) -> None:
    def play(name: str) -> dict:
        call = ("match", "run", "--system", "snake", "--agent", AGENTS / "cautious.wasm", "--seed", "0x10")
        return nashboard(*call, "--out", tmp_path / name, "--json").json

    first, second = play("a.nets"), play("b.nets")
    promised = "outcome cause seat scores steps gas trace_root commitment system_hash agent_hashes seed"
    assert set(promised.split()) <= set(first)
    assert first["outcome"] == "FINISHED"
    assert first["seed"] == 16
    assert first["steps"] > 0
    assert (tmp_path / "a.nets").read_bytes() == (tmp_path / "b.nets").read_bytes()
    del first["bundle"], second["bundle"]
    assert first == second


@pytest.mark.parametrize(
    ("agent", "cause"), [("looper", "OUT_OF_GAS"), ("trapper", "TRAP UNREACHABLE")], ids=["looper", "trapper"]
)
def test_an_agent_that_fails_loses_by_its_cause(nashboard, tmp_path: Path, agent: str, cause: str) -> None:
    call = ("match", "run", "--system", "snake", "--agent", AGENTS / f"{agent}.wasm", "--seed", 3)
    value = nashboard(*call, "--out", tmp_path / "m.nets", "--json").json
    assert (value["outcome"], value["seat"], value["cause"]) == ("LOSS", 0, cause)
    assert nashboard("match", "verify", tmp_path / "m.nets", "--json").json["ok"]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"--system": "snaek"}, "Did you mean 'snake'"),
        ({"--seed": "-1"}, "seed"),
        ({"--seed": "many"}, "seed"),
        ({"--seed": str(2**64)}, "seed"),
        ({"--agent": "nowhere.wasm"}, "no such file"),
        ({"--agent": "README.md"}, "no admitted agent"),
        ({"--budget": "0"}, "budget"),
    ],
)
def test_bad_requests_exit_with_2(nashboard, tmp_path: Path, changes: dict[str, str], text: str) -> None:
    options = {
        "--system": "snake",
        "--agent": AGENTS / "greedy.wasm",
        "--seed": "1",
        "--out": tmp_path / "m",
        **changes,
    }
    ran = nashboard("match", "run", *(word for pair in options.items() for word in pair), status=2)
    assert text in ran.err
    assert not (tmp_path / "m").exists()


def test_a_bundle_verifies_and_one_with_a_flipped_byte_does_not(nashboard, bundle: Path, tmp_path: Path) -> None:
    assert nashboard("match", "verify", bundle).out.startswith("verified")
    data = bytearray(bundle.read_bytes())
    for position in range(0, len(data), max(1, len(data) // 7)):
        flipped = tmp_path / "flipped.nets"
        flipped.write_bytes(data[:position] + bytes([data[position] ^ 0x10]) + data[position + 1 :])
        report = nashboard("match", "verify", bundle, flipped, "--json", status=3).json
        assert [item["ok"] for item in report["files"]] == [True, False]
        assert report["files"][1]["differences"]


def test_a_forged_bundle_names_the_first_divergent_step(nashboard, bundle: Path, tmp_path: Path) -> None:
    """A consistent forgery: the trace of another seed, committed properly under this one's seed."""
    from engine.league.bundle import Bundle, read_bundle, write_bundle
    from engine.league.match import match_commitment

    other = tmp_path / "other.nets"
    nashboard("match", "run", "--system", "snake", "--agent", AGENTS / "greedy.wasm", "--seed", 8, "--out", other)
    mine, theirs = read_bundle(bundle), read_bundle(other)
    match = theirs.match.model_copy(update={"seed": mine.match.seed})
    forged = Bundle(match, theirs.system, theirs.agents, theirs.trace, theirs.steps, theirs.trace_root, b"")
    commitment = match_commitment(forged.header, theirs.trace_root, theirs.steps)
    forged = Bundle(match, theirs.system, theirs.agents, theirs.trace, theirs.steps, theirs.trace_root, commitment)
    write_bundle(other, forged)
    ran = nashboard("match", "verify", other, "--json", status=3)
    report = ran.json["files"][0]
    assert report["step"] is not None
    assert "first divergent step" in nashboard("match", "verify", other, status=3).out


def test_show_tells_of_the_match_and_of_each_step(nashboard, bundle: Path) -> None:
    match = nashboard("match", "show", bundle, "--json").json
    last = match["steps"] - 1
    step = nashboard("match", "show", bundle, "--step", last, "--json").json
    assert step["leaf"]
    assert step["trace_root"] == match["trace_root"]
    assert step["gas_used"] > 0
    assert step["legal"] is True
    error = nashboard("match", "show", bundle, "--step", last + 1, "--json", status=2).json
    assert str(last) in error["why"]


def test_files_that_are_no_bundles_exit_with_3(nashboard, tmp_path: Path) -> None:
    text = tmp_path / "m.nets"
    text.write_text("no bundle")
    assert nashboard("match", "show", text, "--json", status=3).json["error"] == "BundleError"
    assert not nashboard("match", "verify", text, "--json", status=3).json["ok"]
    assert nashboard("match", "verify", tmp_path / "none.nets", status=2).err


def test_a_step_is_proved_and_the_proof_checked(nashboard, bundle: Path, tmp_path: Path) -> None:
    proof = tmp_path / "p.json"
    made = nashboard("trace", "prove", bundle, "--step", 5, "--out", proof, "--json").json
    checked = nashboard("trace", "check", proof, "--root", made["trace_root"], "--json").json
    assert checked["ok"]
    assert checked["commitment"] == made["commitment"]
    assert "its own root" in nashboard("trace", "check", proof).out


def test_proofs_that_do_not_hold_exit_with_3(nashboard, bundle: Path, tmp_path: Path) -> None:
    proof = tmp_path / "p.json"
    nashboard("trace", "prove", bundle, "--step", 5, "--out", proof)
    value = json.loads(proof.read_text())
    assert not nashboard("trace", "check", proof, "--root", "ab" * 32, "--json", status=3).json["ok"]
    changes = [{"step": 6}, {"action": str(int(value["action"]) ^ 1)}, {"path": value["path"][:-1]}, {"extra": 1}]
    for change in changes:
        proof.write_text(json.dumps({**value, **change}))
        assert not nashboard("trace", "check", proof, "--json", status=3).json["ok"], change
    proof.write_text("[")
    assert "not JSON" in nashboard("trace", "check", proof, status=3).out
    assert "64 hex digits" in nashboard("trace", "check", proof, "--root", "abc", status=2).err
    assert nashboard("trace", "prove", bundle, "--step", 10**6, "--out", proof, status=2).err
