"""``nashboard dispute``: a dishonest host is found, disputed and slashed from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

AGENTS = Path(__file__).parents[2] / "assets" / "agents" / "snake"
GOOD = [AGENTS / f"{name}.wasm" for name in ("greedy", "cautious", "drunkard")]


def run(*more: object) -> tuple[object, ...]:
    return ("league", "run", "--system", "snake", "--agents", *GOOD, "--matches", 2, "--seed", 9, *more)


@pytest.mark.chain
def test_a_dishonest_host_is_checked_disputed_and_listed(nashboard) -> None:
    nashboard("devnet", "up")
    try:
        played = nashboard(*run("--anchor", "--dishonest", "inflate", "--json")).json
        found = nashboard("dispute", "check", played["round_id"][:8], "--json", status=3).json
        assert [fraud["kind"] for fraud in found["frauds"]] == ["replay"]
        assert (found["clean"], found["replayed"]) == (False, 6)
        assert "the replay gives" in nashboard("dispute", "check", status=3).out
        opened = nashboard("dispute", "open", played["round_id"], "--json")
        (dispute,) = opened.json["disputes"]
        assert (dispute["state"], dispute["match"]) == ("upheld", found["frauds"][0]["match"])
        assert "draw the committee" in opened.err
        assert nashboard("dispute", "open", "--json").json == opened.json, "what is decided stays so"
        assert nashboard("dispute", "list", "--json").json == opened.json
        assert "the round is rejected" in nashboard("dispute", "list", played["round_id"]).out
        assert nashboard("league", "standings", "--json").json["state"] == "rejected"
        assert "rejected" in nashboard("league", "settle", status=1).err
        stakes = nashboard("stakes", "--json").json
        assert not stakes["differs"]
        assert {"auditor", "verifier 1", "verifier 4"} <= {row["name"] for row in stakes["accounts"]}
        honest = nashboard(*run("--anchor", "--json")).json
        assert nashboard("dispute", "check", "--json").json["clean"]
        assert "Nothing is wrong" in nashboard("dispute", "open", status=1).err
        (lost,) = nashboard("dispute", "open", "--match", 1, "--json").json["disputes"]
        assert (lost["state"], lost["round_id"]) == ("dismissed", honest["round_id"])
        assert nashboard("league", "settle", "--json").json["state"] == "settled"
        assert not nashboard("stakes", "--json").json["differs"]
    finally:
        nashboard("devnet", "down")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["dispute", "check"], "no round yet"),
        (["dispute", "open"], "no round yet"),
        (["dispute", "open", "--withheld"], "--match"),
        (["dispute", "list", "abc"], "abc"),
        (["dispute", "open", "--offline", 9], "offline"),
        (run("--dishonest", "inflate"), "on paper"),
        (run("--anchor", "--dishonest", "politely"), "politely"),
    ],
)
def test_bad_requests_exit_with_2(nashboard, arguments: list[object], text: str) -> None:
    assert text in nashboard(*arguments, status=2).err


def test_there_is_nothing_to_list_and_paper_is_not_disputed(nashboard) -> None:
    assert nashboard("dispute", "list", "--json").json == {"disputes": []}
    assert nashboard("dispute", "list").out == "None.\n"
    nashboard(*run("--json"))
    assert "not anchored" in nashboard("dispute", "check", status=1).err
