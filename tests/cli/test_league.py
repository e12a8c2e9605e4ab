"""``nashboard league`` and ``nashboard stakes``: rounds on paper and on a chain, interrupted and resumed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shlex
import signal
import sqlite3
import time
from pathlib import Path

import pytest

from engine.league.bundle import read_bundle, write_bundle

ROOT = Path(__file__).parents[2]
AGENTS = ROOT / "assets" / "agents" / "snake"
GOOD = [AGENTS / f"{name}.wasm" for name in ("greedy", "sweeper", "wall_follower")]
PROMISED = set("agent played won drawn lost points score disqualified reward_wei".split())  # noqa: SIM905  as in the docs


def run(*more: object) -> tuple[object, ...]:
    return ("league", "run", "--system", "snake", "--agents", *GOOD, "--matches", 4, "--seed", 9, *more)


def test_a_round_reports_all_that_it_promises_whatever_the_workers(nashboard, tmp_path: Path) -> None:
    one = nashboard(*run("--workers", 1, "--json")).json
    two = nashboard(*run("--workers", 2, "--json")).json
    assert {"round_id", "seed", "standings", "results_hash", "anchored"} <= set(one)
    assert one["results_hash"] == two["results_hash"]
    assert one["round_id"] != two["round_id"]
    assert one["anchored"] is None
    assert one["seed"] == 9
    for line in one["standings"]:
        assert set(line) >= PROMISED
        assert line["played"] == line["won"] + line["drawn"] + line["lost"] == 4
    assert sum(int(line["reward_wei"]) for line in one["standings"]) <= int(one["pot_wei"]) == 10**18


def test_a_league_file_gives_the_same_hash_and_options_override_it(nashboard, tmp_path: Path) -> None:
    lines = ['name = "spring"', 'system = "snake"', "matches = 4", "seed = 9"]
    for path in GOOD:
        lines += ["[[agents]]", f'path = "{path}"', f'name = "{path.stem}"', 'owner = "somebody"']
    file = tmp_path / "league.toml"
    file.write_text("\n".join(lines))
    from_file = nashboard("league", "run", file, "--json").json
    assert from_file["name"] == "spring"
    assert from_file["results_hash"] == nashboard(*run("--json")).json["results_hash"]
    other = nashboard("league", "run", file, "--seed", "0xa", "--json").json
    assert other["seed"] == 10
    assert other["results_hash"] != from_file["results_hash"]


def test_a_round_is_settled_once_and_the_ledger_shows_it(nashboard) -> None:
    played = nashboard(*run("--json")).json
    assert nashboard("league", "standings", "--json").json["results_hash"] == played["results_hash"]
    settled = nashboard("league", "settle", played["round_id"][:8], "--json").json
    assert settled["state"] == "settled"
    again = nashboard("league", "settle", "--json", status=1).json
    assert "already" in again["what"]
    accounts = {row["name"]: row for row in nashboard("stakes", "--json").json["accounts"]}
    for line in settled["standings"]:
        assert accounts[line["agent"]]["credit"] == line["reward_wei"]
        assert accounts[line["agent"]]["stake"] == str(10**18)


@pytest.mark.chain
def test_a_round_is_anchored_and_settled_on_the_chain(nashboard) -> None:
    error = nashboard(*run("--anchor", "--json"), status=1).json
    assert "nashboard devnet up" in error["next"]
    nashboard("devnet", "up")
    try:
        played = nashboard(*run("--anchor", "--json")).json
        assert {"root", "tx", "block"} <= set(played["anchored"])
        assert played["anchored"]["block"] > 0
        assert nashboard("league", "settle", "--json").json["state"] == "settled"
        stakes = nashboard("stakes", "--json").json
        assert not stakes["differs"]
        rewards = {line["agent"]: line["reward_wei"] for line in played["standings"]}
        on_chain = {row["name"]: row["chain_credit"] for row in stakes["accounts"] if row["name"] in rewards}
        assert on_chain == rewards
    finally:
        nashboard("devnet", "down")


@pytest.mark.parametrize("wanted_signal", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_round_names_the_command_that_goes_on(nashboard, started, data_root, wanted_signal) -> None:
    def call(*more: object) -> tuple[object, ...]:
        return ("league", "run", "--system", "snake", "--agents", *GOOD, "--matches", 3000, "--seed", 5, *more)

    process = started(*call("--workers", 1, "--json"))
    _wait_for_matches(data_root / "nashboard.db")
    process.send_signal(wanted_signal)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 130, err
    report = json.loads(out)
    assert report["resume"] in err
    words = shlex.split(report["resume"])
    assert words[:3] == ["nashboard", "--data-dir", str(data_root)]
    stored = nashboard("league", "standings", "--json").json
    assert 0 < stored["done"] < stored["total"]
    resumed = nashboard(*words[3:], "--workers", 2, "--json").json
    assert resumed["round_id"] == report["round_id"]
    assert resumed["done"] == resumed["total"] == 9000
    assert nashboard(*call("--json")).json["results_hash"] == resumed["results_hash"]


def _wait_for_matches(database: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(database)) as connection:
            if connection.execute("SELECT count(*) FROM matches").fetchone()[0]:
                return
        time.sleep(0.01)
    raise AssertionError("no match was stored")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["league", "run"], "league file or agents"),
        (["league", "run", "nowhere.toml"], "nowhere.toml"),
        (["league", "run", "pyproject.toml"], "unknown field"),
        (["league", "run", "--agents", GOOD[0], "--tier", "iron"], "bronze, silver, gold"),
        (["league", "run", "--agents", GOOD[0], "--tier", "gold"], "capital"),
        (["league", "run", "--agents", GOOD[0], "--seed", "x"], "seed"),
        (["league", "run", "--agents", GOOD[0], "--stake", "much"], "stake"),
        (["league", "run", "--agents", GOOD[0], GOOD[0]], "twice"),
        (["league", "run", "--agents", GOOD[0], "--system", "quake"], "quake"),
        (["league", "run", "--agents", GOOD[0], "--system", "chess"], "two agents"),
        (["league", "run", "--agents", "nowhere.wasm"], "no such file"),
        (["league", "run", "--agents", "README.md"], "not admitted"),
        (["league", "standings"], "no round yet"),
        (["league", "settle", "abc"], "abc"),
        (["league", "resume"], "no round yet"),
    ],
)
def test_bad_requests_exit_with_2(nashboard, arguments: list[object], text: str) -> None:
    assert text in nashboard(*arguments, status=2).err


def test_stakes_of_an_empty_book(nashboard) -> None:
    value = nashboard("stakes", "--json").json
    assert value["differs"] is False
    assert [row["name"] for row in value["accounts"]] == ["operator", "treasury"]


def test_a_bundle_of_a_round_verifies_and_a_false_claim_is_slashed(nashboard, tmp_path: Path) -> None:
    played = nashboard(*run("--json")).json
    bundle = tmp_path / "match.nets"
    assert Path(nashboard("league", "bundle", "--match", 0, "--out", bundle, "--json").json["path"]) == bundle
    assert nashboard("match", "verify", bundle, "--json").status == 0
    honest = nashboard("league", "claim", bundle, "--json").json
    assert (honest["honest"], honest["slashed_wei"]) == (True, "0")
    content = read_bundle(bundle)
    false = content.match.model_copy(update={"scores": [content.match.scores[0] + 1]})
    write_bundle(bundle, dataclasses.replace(content, match=false))
    caught = nashboard("league", "claim", bundle, "--json").json
    assert caught["claimed"] == caught["replayed"] + 1
    assert caught["slashed_wei"] == str(5 * 10**16)
    nashboard("match", "verify", bundle, "--json", status=3)
    table = {line["agent"]: line for line in nashboard("league", "standings", "--json").json["standings"]}
    assert table[caught["agent"]]["disqualified"]
    assert played["results_hash"] == nashboard("league", "standings", "--json").json["results_hash"]
    assert nashboard("league", "bundle", "--match", 999, "--out", bundle, "--json", status=2).json["what"]
