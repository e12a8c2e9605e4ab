"""``nashboard demo``: the main job, whole, unattended, on a data directory that is new and on one that is not."""

from __future__ import annotations

import psutil
import pytest

pytestmark = pytest.mark.chain


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
    left = [p.info for p in psutil.process_iter(["cmdline"]) if str(data_root) in " ".join(p.info["cmdline"] or ())]
    assert left == []


def test_it_runs_again_on_the_same_data_directory_with_the_same_results(nashboard) -> None:
    first, second = nashboard("demo", "--json").json, nashboard("demo", "--json").json
    assert first["round"]["results_hash"] == second["round"]["results_hash"]
    assert first["round"]["round_id"] != second["round"]["round_id"]
    assert second["contracts"] == first["contracts"]
    assert second["consensus"]["convicted"] != first["consensus"]["convicted"]
    assert second["consensus"]["task_hash"] != first["consensus"]["task_hash"]
    assert second["round"]["anchored"]["block"] > first["round"]["anchored"]["block"]


def test_without_anvil_it_exits_with_4(nashboard, tmp_path) -> None:
    error = nashboard("demo", "--json", status=4, env={"NASHBOARD_ANVIL": str(tmp_path / "none")}).json
    assert str(tmp_path / "none") in error["why"]


def test_bench_knows_its_fields(nashboard) -> None:
    assert "league" in nashboard("bench", "chess", status=2).err
