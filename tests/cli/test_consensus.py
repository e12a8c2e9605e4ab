"""``nashboard consensus``: the shipped tasks are agreed on, certified by real chains, and verified again."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest

from engine.consensus.rounds.records import NewRound, Records, attempt_hash
from engine.store.database import Store
from tests.cli.conftest import ROOT, Run

TASKS = ROOT / "assets" / "tasks"
PORTFOLIO = TASKS / "portfolio.json"


def close(a: list[float], b: list[float], by: float = 1e-6) -> bool:
    return len(a) == len(b) and all(abs(x - y) <= by for x, y in zip(a, b, strict=True))


def test_off_chain_the_same_seed_gives_the_same_equilibrium(nashboard: Run) -> None:
    first = nashboard("consensus", "run", PORTFOLIO, "--off-chain", "--seed", 3, "--json").json
    again = nashboard("consensus", "run", PORTFOLIO, "--off-chain", "--seed", 3, "--json").json
    assert first["converged"] and first["gap"] < 1e-6 and first["on_chain"] is None
    assert sum(first["equilibrium"]) == pytest.approx(1.0)
    assert first["equilibrium"] == again["equilibrium"]
    assert len(first["agents"]) == 5 and not first["verdicts"]
    listed = nashboard("consensus", "list", "--json").json
    assert [item["state"] for item in listed] == ["done", "done"]


@pytest.mark.chain
@pytest.mark.parametrize("name", ["portfolio", "market", "moderation"])
def test_a_shipped_task_is_certified_on_chain_and_verified(nashboard: Run, name: str) -> None:
    ran = nashboard("consensus", "run", TASKS / f"{name}.json", "--json").json
    chain = ran["on_chain"]
    assert ran["converged"] and chain["certified"]
    assert close(chain["equilibrium"], ran["equilibrium"])
    assert len(chain["tx"]) == 66 and chain["block"] > 0 and chain["gas_used"] > 100_000
    found = nashboard("consensus", "verify", ran["task_hash"], "--json").json
    assert found["ok"] and found["checks"] and all(check["ok"] for check in found["checks"])
    off_chain = nashboard("consensus", "run", TASKS / f"{name}.json", "--off-chain", "--json").json
    assert close(off_chain["equilibrium"], ran["equilibrium"])


@pytest.mark.chain
def test_the_cross_chain_task_is_certified_on_three_chains(nashboard: Run) -> None:
    ran = nashboard("consensus", "run", TASKS / "bridge.json", "--json").json
    assert ran["converged"]
    assert [chain["chain_id"] for chain in ran["chains"]] == [1, 137, 42161]
    assert all(chain["certified"] and close(chain["equilibrium"], ran["equilibrium"]) for chain in ran["chains"])
    assert len({chain["contract"] for chain in ran["chains"]} | {chain["tx"] for chain in ran["chains"]}) >= 4


@pytest.mark.chain
def test_chains_that_count_rounds_differently_are_verified_by_hashes_of_their_own(
    nashboard: Run, data_root: Path
) -> None:
    """As after a kill between two chains: one of them has begun a round more than the others."""
    nashboard("consensus", "run", TASKS / "bridge.json", "--json")
    with contextlib.closing(Store.open(data_root / "nashboard.db")) as store:
        records = Records(store, lambda number: "")
        last = records.get(store.db.execute("SELECT MAX(run_id) FROM consensus_rounds").fetchone()[0])
        assert last.place.startswith("42161:")
        lost = records.create(NewRound(last.task, last.config, last.agents, part=True), last.base_hash)
        assert records.claim(lost.run_id, last.place, attempt_hash(last.base_hash, 1))
    ran = nashboard("consensus", "run", TASKS / "bridge.json", "--json").json
    assert len({chain["task_hash"] for chain in ran["chains"]}) == 2
    nashboard("consensus", "verify", ran["task_hash"])


@pytest.mark.chain
def test_who_signs_twice_is_slashed_and_the_others_agree(nashboard: Run) -> None:
    agents = nashboard("consensus", "run", PORTFOLIO, "--off-chain", "--json").json["agents"]
    guilty = agents[1]["agent"]
    ran = nashboard("consensus", "run", PORTFOLIO, "--byzantine", f"{guilty}=equivocating", "--json").json
    assert ran["converged"] and ran["on_chain"]["certified"]
    assert ran["convicted"] == [guilty]
    assert list(ran["on_chain"]["slashed_wei"]) == [guilty] and int(ran["on_chain"]["slashed_wei"][guilty]) > 0
    assert guilty not in [agent["agent"] for agent in ran["agents"]]
    nashboard("consensus", "verify", ran["task_hash"])


def test_a_round_without_a_quorum_says_why(nashboard: Run) -> None:
    lost = [word for name in ("markowitz", "income", "glide") for word in ("--byzantine", f"{name}=nan")]
    ran = nashboard("consensus", "run", PORTFOLIO, "--off-chain", *lost, status=1)
    assert "No quorum remains" in ran.out and "0 agents did NOT come to agree" in ran.out


def test_a_round_of_an_impossible_number_is_refused(nashboard: Run) -> None:
    assert "RUN" in nashboard("consensus", "resume", 10**30, status=2).err


def test_a_round_that_does_not_converge_says_so(nashboard: Run) -> None:
    limits = ("--set", "max_iterations=1", "--set", "convergence_threshold=1e-12")
    ran = nashboard("consensus", "run", PORTFOLIO, "--off-chain", *limits, "--json", status=1).json
    assert not ran["converged"] and ran["message"] and ran["iterations"] == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.json"], "cannot be read"),
        (["{task}", "--set", "max_iteration=3"], "Did you mean max_iterations"),
        (["{task}", "--set", "max_iterations"], "NAME=VALUE"),
        (["{task}", "--set", "epsilon=NaN"], "epsilon"),
        (["{task}", "--byzantine", "nobody=nan"], "no agent 'nobody'"),
        (["{task}", "--agents", "missing.toml"], "missing.toml"),
        (["{task}", "--seed", "-1"], "seed"),
    ],
)
def test_wrong_requests_are_refused_by_what_is_wrong(nashboard: Run, arguments: list[str], says: str) -> None:
    ran = nashboard(
        "consensus", "run", *(item.format(task=PORTFOLIO) for item in arguments), "--off-chain", status=None
    )
    assert ran.status in (1, 2) and says in ran.err, ran.err


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", '{"type": 1}', '{"type": "portfolio"}', "\ufeff{}", "[" * 5_000, '{"type": "\\ud800"}'],
)
def test_what_is_no_task_is_refused(nashboard: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "task.json"
    path.write_text(text, encoding="utf-8")
    failed: dict[str, Any] = nashboard("consensus", "run", path, "--off-chain", "--json", status=1).json
    assert failed["error"] == "ConsensusError" and failed["what"]


@pytest.mark.chain
def test_an_unknown_hash_is_no_result(nashboard: Run) -> None:
    failed = nashboard("consensus", "verify", "0x" + "ab" * 32, "--json", status=None)
    assert failed.status in (1, 2, 3) and "0xabab" in json.dumps(failed.json)
