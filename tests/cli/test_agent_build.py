"""``nashboard agent build`` and ``nashboard agent inputs``."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "assets" / "models" / "snake.pt"
AGENTS = ROOT / "assets" / "agents" / "snake"


def saved(folder: Path, *layers: nn.Module) -> Path:
    torch.manual_seed(0)
    path = folder / "model.pt"
    torch.save(nn.Sequential(*layers), path)
    return path


def test_a_model_becomes_an_agent_that_plays_a_verifiable_match(nashboard, tmp_path: Path) -> None:
    out, bundle = tmp_path / "neural.wasm", tmp_path / "m.nets"
    built = nashboard("agent", "build", MODEL, "--system", "snake", "--out", out, "--json").json
    assert built["file"] == str(out)
    assert built["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert built["bytes"] == out.stat().st_size
    assert (built["system"], built["features"], built["layers"]) == ("snake", "board", [726, 64, 64, 5])
    assert built["calibrated_on"] == 4000
    assert built["verified"] >= 2000
    assert built["agreement"] > 0.97
    assert built["gas"] < built["budget"] // 10
    assert set(built["outcomes"]) == {"FINISHED"}
    verdict = nashboard("agent", "check", out, "--json").json[0]
    assert (verdict["accepted"], verdict["abi"]) == (True, "mailbox")
    played = nashboard("match", "run", "--system", "snake", "--agent", out, "--seed", 7, "--out", bundle, "--json").json
    assert played["outcome"] == "FINISHED"
    assert nashboard("match", "verify", bundle, "--json").json["ok"]


def test_it_eats_far_more_than_the_drunkard(nashboard, tmp_path: Path) -> None:
    out = tmp_path / "neural.wasm"
    nashboard("agent", "build", MODEL, "--system", "snake", "--out", out)
    players = (out, AGENTS / "drunkard.wasm")
    scores = []
    for player in players:
        scores.append(0)
        for seed in range(3):
            call = (
                "match",
                "run",
                "--system",
                "snake",
                "--agent",
                player,
                "--seed",
                seed,
                "--out",
                tmp_path / "m.nets",
            )
            scores[-1] += nashboard(*call, "--json").json["scores"][0]
    assert scores[0] > scores[1] + 15


def test_the_report_as_text_and_the_same_bytes_twice(nashboard, tmp_path: Path) -> None:
    model = saved(tmp_path, nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 5))
    state = tmp_path / "state.pt"
    torch.save(torch.load(model, weights_only=False).state_dict(), state)
    first, second = tmp_path / "a.wasm", tmp_path / "b.wasm"
    ran = nashboard("agent", "build", model, "--system", "snake", "--out", first, "--calibrate", 300)
    for part in ("20 - 8 - 5, 213 parameters", "packed of snake", "of 1,000,000 a decision", "equal in", "FINISHED"):
        assert part in ran.out
    assert "assumed" not in ran.out
    ran = nashboard("agent", "build", state, "--system", "snake", "--out", second, "--calibrate", 300)
    assert "assumed" in ran.out
    assert first.read_bytes() == second.read_bytes()


def test_a_hostile_file_is_refused_and_nothing_of_it_runs(nashboard, tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self):  # type: ignore[no-untyped-def]
            return os.system, (f"touch {tmp_path / 'ran'}",)

    model = tmp_path / "model.pt"
    torch.save(Hostile(), model)
    call = ("agent", "build", model, "--system", "snake", "--out", tmp_path / "a.wasm", "--json")
    error = nashboard(*call, status=2).json
    assert error["error"] == "ModelError"
    assert "system" in error["why"]
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "a.wasm").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--system", "snaek", "--out", "a.wasm"), "Did you mean 'snake'"),
        (("--system", "chess", "--out", "a.wasm"), "A model cannot play"),
        (("--system", "snake", "--out", "none/a.wasm"), "Choose another --out"),
        (("--system", "snake", "--out", "."), "Choose another --out"),
        (("--system", "snake", "--out", "model.pt"), "Choose another --out"),
        (("--system", "snake", "--out", "a.wasm", "--features", "smell"), "not to be had"),
        (("--system", "snake", "--out", "a.wasm", "--budget", "10"), "the budget is 10"),
        (("--system", "snake", "--out", "a.wasm", "--calibrate", "0"), "The calibration does not fit"),
        (("--system", "kuhn", "--out", "a.wasm"), "5 outputs"),
    ],
)
def test_what_is_wrong_is_said(nashboard, tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    model = saved(tmp_path, nn.Linear(20, 8), nn.ReLU(), nn.Linear(8, 5))
    placed = [
        str(tmp_path / item) if before == "--out" else item
        for before, item in zip(("", *options), options, strict=False)
    ]
    ran = nashboard("agent", "build", model, *placed, status=2)
    assert words in ran.err
    assert ran.out == ""
    assert not (tmp_path / "a.wasm").exists()


def test_a_missing_model_is_a_usage_error(nashboard, tmp_path: Path) -> None:
    call = ("agent", "build", tmp_path / "none.pt", "--system", "snake", "--out", tmp_path / "a.wasm")
    assert "no such file" in nashboard(*call, status=2).err


def test_inputs_and_outputs_are_listed(nashboard) -> None:
    listed = nashboard("agent", "inputs", "--system", "snake", "--json").json
    assert listed["outputs"] == ["straight on", "up", "right", "down", "left"]
    assert {scheme: len(names) for scheme, names in listed["inputs"].items()} == {
        "packed": 20,
        "board": 726,
        "bytes": 116,
    }
    text = nashboard("agent", "inputs", "--system", "snake").out
    assert "inputs of packed, 20:" in text
    assert "deadly moves: left" in text


def test_help_and_the_league_do_not_load_torch() -> None:
    code = (
        "import sys, app.cli, engine.league.league, engine.league.gate\n"
        "assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
