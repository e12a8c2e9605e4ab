"""``nashboard demo``: the main job, whole, unattended, on a data directory that is new and on one that is not."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.chain
WITHOUT_TORCH = """
import sys

class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")

sys.meta_path.insert(0, NoTorch())
"""
KEYS = [
    "devnet",
    "contracts",
    "agents",
    "host",
    "round",
    "replay",
    "proof",
    "claim",
    "settle",
    "consensus",
    "learning",
]


def left(data_root: Path) -> list[dict]:
    """The processes that still work on a data directory."""
    running = psutil.process_iter(["cmdline", "status"])
    return [p.info for p in running if str(data_root) in " ".join(p.info["cmdline"] or ())]


def until_step(process, title: str) -> None:
    """Read what a demo tells until it begins a step."""
    for line in process.stderr:
        if line.startswith(f"{title} ..."):
            return
    pytest.fail(f"it ended before {title!r}")


def test_it_anchors_catches_settles_and_verifies(nashboard, data_root) -> None:
    value = nashboard("demo", "--json").json
    assert value["ok"]
    played = value["round"]
    assert played["done"] == played["total"] > 0
    assert played["anchored"]["root"]
    assert played["anchored"]["block"] > 0
    assert value["verification"]["ok"]
    assert (value["proof"]["good"], value["proof"]["bad"]) == (True, False)
    claim = value["claim"]
    assert claim["claimed"] != claim["replayed"]
    host = value["host"]
    assert host["state"] == "rejected"
    (fraud,), (dispute,) = host["audit"]["frauds"], host["disputes"]
    assert (fraud["kind"], fraud["match"]) == (dispute["kind"], dispute["match"])
    assert (dispute["state"], host["slashed_wei"]) == ("upheld", str(10**17))
    assert len(dispute["ballots"]) == 4
    after = {line["agent"]: line for line in value["settled"]["standings"]}
    assert after[claim["agent"]]["disqualified"]
    assert after[claim["agent"]]["reward_wei"] == "0"
    stakes = {row["name"]: row for row in value["settled"]["stakes"]}
    for agent, line in after.items():
        assert stakes[agent]["chain_credit"] == stakes[agent]["credit"] == line["reward_wei"]
    assert not any(row["differs"] for row in stakes.values())
    assert stakes["operator"]["slashed"] == host["slashed_wei"]
    assert {"auditor", "verifier 1"} <= stakes.keys()
    assert nashboard("match", "verify", value["verification"]["bundle"], "--json").json["ok"]
    assert nashboard("league", "standings", played["round_id"], "--json").json["state"] == "settled"
    assert nashboard("league", "standings", host["round_id"], "--json").json["state"] == "rejected"
    agreed = value["consensus"]
    assert agreed["converged"] and agreed["on_chain"]["certified"] and agreed["verification"]["ok"]
    assert agreed["on_chain"]["equilibrium"] == pytest.approx(agreed["equilibrium"], abs=1e-8)
    (guilty,) = agreed["convicted"]
    assert list(agreed["on_chain"]["slashed_wei"]) == [guilty]
    assert guilty not in [agent["agent"] for agent in agreed["agents"]]
    assert [(step["key"], step["state"]) for step in value["steps"]] == [(key, "done") for key in KEYS]
    assert value["skipped"] == []
    assert all(step["why"].endswith(".") and step["result"] for step in value["steps"])
    replayed = value["replay"]
    assert replayed["forth_and_back"] and replayed["steps"] > replayed["step"] > 0
    assert replayed["name"].startswith(f"step {replayed['step']}: ")
    learned = value["learning"]
    assert learned["ok"] and learned["training"] == "replayed"
    (update,) = [update for update in learned["updates"] if update["stage"] == "merged"]
    assert update["acks"] >= update["quorum"] > 0
    assert learned["finalized_epoch"] >= 2
    assert learned["loss_last"] < learned["loss_first"]
    assert left(data_root) == []


def test_it_runs_again_on_the_same_data_directory_with_the_same_results(nashboard) -> None:
    first, second = nashboard("demo", "--json").json, nashboard("demo", "--json").json
    assert first["round"]["results_hash"] == second["round"]["results_hash"]
    assert first["round"]["round_id"] != second["round"]["round_id"]
    assert second["contracts"] == first["contracts"]
    assert second["consensus"]["convicted"] != first["consensus"]["convicted"]
    assert second["consensus"]["task_hash"] != first["consensus"]["task_hash"]
    assert second["round"]["anchored"]["block"] > first["round"]["anchored"]["block"]


def test_interrupted_it_leaves_nothing_and_says_so(started, data_root) -> None:
    process = started("demo")
    until_step(process, "Replay a match")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert left(data_root) == []


def test_killed_half_way_it_can_be_run_again_and_without_torch_it_goes_on(
    started, nashboard, data_root, tmp_path, until
) -> None:
    process = started("demo")
    until_step(process, "Prove a step on chain")
    process.kill()
    process.wait()
    until(lambda: not left(data_root))
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text(WITHOUT_TORCH)
    ran = nashboard("demo", "--json", env={"PYTHONPATH": str(tmp_path / "hidden")})
    states = {step["key"]: step["state"] for step in ran.json["steps"]}
    assert ran.json["ok"] and ran.json["skipped"] == ["consensus", "learning"]
    assert [key for key in KEYS if states[key] == "done"] == KEYS[:-2]
    assert "torch" in ran.json["steps"][-1]["result"]
    assert "Train on the learning chain: left out" in ran.err
    assert not any(row["differs"] for row in ran.json["settled"]["stakes"])


def test_without_anvil_it_exits_with_4(nashboard, tmp_path) -> None:
    error = nashboard("demo", "--json", status=4, env={"NASHBOARD_ANVIL": str(tmp_path / "none")}).json
    assert str(tmp_path / "none") in error["why"]


def test_bench_knows_its_fields(nashboard) -> None:
    assert "league" in nashboard("bench", "chess", status=2).err
