"""``nashboard solve``: the program itself, on files and games by name; and the README's section, run as it stands."""

from __future__ import annotations

import csv
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from app.commands.solve import Interrupts
from engine.games.catalogue import make
from engine.games.files import read_game, write_game
from engine.games.games import BimatrixGame
from engine.games.generators import random_start, random_zero_sum
from engine.games.options import SolveOptions
from engine.games.reference import references
from engine.games.solve import solve
from engine.games.trace import TraceDigest

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "README.md").read_text("utf-8").split("## Solve a game", 1)[1].split("\n## ", 1)[0]


def test_one_equilibrium_as_text(nashboard) -> None:
    ran = nashboard("solve", "--game", "nau")
    assert "Nau's irrational game (tensor, 2 x 2 x 2)" in ran.out
    assert "solved: 1 equilibrium" in ran.out
    assert "1 0.619233, 2 0.380767" in ran.out
    assert ran.err == ""


def test_the_json_names_everything(nashboard) -> None:
    value = nashboard("solve", "--game", "battle", "--all", "--json").json
    assert {"equilibria", "method", "status", "iterations", "seconds", "epsilon", "device"} <= set(value)
    assert value["status"] == "solved"
    assert value["game"]["kind"] == "bimatrix"
    assert value["game"]["actions"][0] == ["ballet", "boxing"]
    known = next(item for item in references() if item.key == "battle")
    for profile in known.equilibria:
        assert any(np.allclose(profile, found["profile"], atol=1e-9) for found in value["equilibria"])
    for found in value["equilibria"]:
        assert found["nashconv"] < 1e-9
        assert len(found["payoffs"]) == 2


def test_correlated_equilibria_list_their_outcomes(nashboard) -> None:
    ran = nashboard("solve", "--game", "chicken", "--method", "correlated")
    assert re.search(r"0\.5 +swerve +swerve", ran.out)
    assert "5.25" in ran.out


def test_consensus_games_list_positions(nashboard) -> None:
    ran = nashboard("solve", "--game", "two-agents")
    assert re.search(r"Player 1 +-0\.24 +0\.2\n", ran.out)


def test_robust_agreement_is_a_good_ending(nashboard) -> None:
    call = ("solve", "--game", "byzantine", "--size", "12x1x3", "--method", "trimmed")
    value = nashboard(*call, "--tune", "byzantine=3", "--json").json
    assert value["status"] == "robust"
    assert value["equilibria"][0]["reduced"]["relative_gap"] < 1e-6 < value["equilibria"][0]["relative_gap"]
    assert "robust agreement" in nashboard(*call).out


def test_the_methods_parameters_are_numbers_by_name(nashboard) -> None:
    worst = nashboard("solve", "--game", "chicken", "--method", "correlated", "--tune", "objective=2", "--json").json
    assert sum(worst["equilibria"][0]["payoffs"]) == pytest.approx(7.2)
    call = ("solve", "--game", "rps", "--method", "lemke-howson", "--tune")
    assert "'x' is not a number" in nashboard(*call, "label=x", status=2).err
    assert "nan is not a whole number" in nashboard(*call, "label=nan", status=2).err
    assert "no parameter 'lable'" in nashboard(*call, "lable=1", status=2).err


def test_files_go_in_and_out(nashboard, tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("g.nfg", "g.npz", "g.json"))
    game = BimatrixGame(
        np.array([[1 / 3, 0], [0, 2]]), np.array([[2, 0.1], [0, 3]]), title="A game", players=("x", "y")
    )
    write_game(first, game)
    answers = []
    for source, target in ((first, second), (second, third), (third, tmp_path / "again.nfg")):
        value = nashboard("solve", source, "--out", target, "--json").json
        assert value["out"] == str(target)
        assert value["game"]["players"] == ["x", "y"]
        answers.append([found["profile"] for found in value["equilibria"]])
    assert answers[0] == answers[1] == answers[2]
    assert (tmp_path / "again.nfg").read_bytes() == first.read_bytes()


def test_the_trace_holds_every_iteration_and_its_hash_stays(nashboard, tmp_path: Path) -> None:
    path = tmp_path / "trace.csv"
    call = ("solve", "--game", "shapley", "--method", "mwu", "--iterations", 50, "--trace", path, "--json")
    value = nashboard(*call, status=1).json
    assert value["status"] == "not_converged"
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert rows[0][:3] == ["iteration", "nashconv", "Player 1:1"]
    assert len(rows) == value["trace"]["rows"] + 1
    numbers = [int(row[0]) for row in rows[1:]]
    assert numbers == list(range(numbers[0], 51))
    best = min(rows[1:], key=lambda row: float(row[1]))
    assert float(best[1]) == pytest.approx(value["equilibria"][0]["nashconv"], abs=1e-12)
    assert [float(cell) for cell in best[2:5]] == pytest.approx(value["equilibria"][0]["profile"][0], abs=1e-12)
    again = nashboard(*call, status=1).json
    assert again["trace"] == value["trace"]
    digest, game = TraceDigest(), make("shapley")
    solve(game, "mwu", SolveOptions(iterations=50, stride=1, start=random_start(game, 0)), digest.update)
    assert digest.hexdigest() == value["trace"]["hash"]  # whoever drives it
    other = nashboard(*call, "--seed", 1, status=1).json
    assert other["trace"]["hash"] != value["trace"]["hash"]
    even = nashboard(*call, "--start", "uniform").json  # which solves it
    assert even["trace"]["rows"] == 1


def test_what_does_not_converge_exits_with_1_and_shows_the_best(nashboard) -> None:
    ran = nashboard("solve", "--game", "shapley", "--method", "fictitious-play", "--iterations", 100, status=1)
    assert "not converged: the best profile found" in ran.out
    assert "plays" in ran.out
    assert "Not converged" in ran.err


def test_the_time_limit_holds(nashboard) -> None:
    call = ("solve", "--game", "zero-sum", "--size", "300x300", "--method", "rm", "--epsilon", 1e-9)
    value = nashboard(*call, "--time-limit", 0.5, "--json", status=1).json
    assert value["status"] == "not_converged"
    assert "0.5 s" in value["message"]
    assert 0.4 < value["seconds"] < 10


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_what_belongs_together(number: signal.Signals) -> None:
    done, before = [], signal.getsignal(number)
    with pytest.raises(KeyboardInterrupt), Interrupts() as interrupts:
        for part in range(3):
            with interrupts.whole():
                if part == 1:
                    signal.raise_signal(number)
                done.append(part)
    assert done == [0, 1]
    with pytest.raises(KeyboardInterrupt), Interrupts():
        signal.raise_signal(number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_keeps_the_best_so_far(started, tmp_path: Path, stop: signal.Signals) -> None:
    path = tmp_path / "game.npz"
    write_game(path, random_zero_sum(400, 400, 1))
    process = started("solve", path, "--method", "rm", "--epsilon", 1e-12, "--trace", tmp_path / "t.csv", "--json")
    deadline = time.monotonic() + 60
    while not any(item.name.startswith(".t.csv") and item.stat().st_size > 0 for item in tmp_path.iterdir()):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(stop)
    out, err = process.communicate(timeout=90)
    assert process.returncode == 130
    assert "Interrupted" in err
    value = json.loads(out)
    assert value["error"] == "Interrupted"
    assert value["status"] == "cancelled"
    assert len(value["equilibria"][0]["profile"][0]) == 400
    rows = (tmp_path / "t.csv").read_text().splitlines()
    assert len(rows) == value["trace"]["rows"] + 1
    assert value["trace"]["left_out"] == "736 of 800 numbers a step"
    assert sorted(item.name for item in tmp_path.iterdir()) == ["game.npz", "t.csv"]


def test_lists(nashboard) -> None:
    games = nashboard("solve", "--games", "--json").json
    assert {"rps", "winkels", "blotto", "consensus"} <= {entry["key"] for entry in games}
    assert "12x4" in nashboard("solve", "--help").out
    assert "stengel" in nashboard("solve", "--games").out
    methods = nashboard("solve", "--methods", "--json").json
    assert {"auto", "simplex", "logit", "howson", "trimmed"} <= {method["key"] for method in methods}
    fitting = nashboard("solve", "--game", "nau", "--methods").out
    assert "ipa" in fitting
    assert "objective  0 most welfare" in fitting
    assert "simplex" not in fitting


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "--games lists the keys"),
        (["--game", "chiken"], "Did you mean 'chicken'?"),
        (["x.nfg", "--game", "rps"], "two games"),
        (["nowhere.nfg"], "No such file"),
        (["README.md"], "no suffix of a game file"),
        (["--game", "rps", "--method", "none"], "There is no method 'none'"),
        (["--game", "rps", "--method", "howson"], "does not fit"),
        (["--game", "rps", "--method", "rm", "--all"], "does not find all"),
        (["--game", "two-agents", "--all"], "no method for a consensus game"),
        (["--game", "rps", "--epsilon", "0"], "epsilon"),
        (["--game", "rps", "--seed", "-1"], "seed"),
        (["--game", "rps", "--time-limit", "0"], "time limit"),
        (["--game", "rps", "--device", "tpu"], "tpu"),
        (["--game", "rps", "--method", "vertices", "--device", "cuda"], "does not run on cuda"),
        (["--game", "rps", "--out", "game.txt"], "Known: .nfg, .npz, .json"),
        (["--game", "two-agents", "--out", "game.nfg"], "no table of payoffs"),
        (["--game", "blotto", "--size", "1x2x3"], "too many numbers"),
        (["--game", "blotto", "--size", "big"], "not a number"),
        (["--game", "blotto", "--param", "soldiers"], "not NAME=N"),
        (["--game", "blotto", "--param", "sailors=3"], "Known: soldiers, fields"),
        (["--size", "3x3"], "no --game KEY"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_asked_for_exits_with_2(nashboard, arguments: list[str], text: str) -> None:
    ran = nashboard("solve", *arguments, status=2)
    assert text in ran.err
    assert ran.out == ""
    assert not (ROOT / "game.txt").exists()


def test_a_wrong_file_is_refused_at_its_line(nashboard, tmp_path: Path) -> None:
    path = tmp_path / "wrong.nfg"
    path.write_text('NFG 1 R "" { "a" "b" } { 1 2 }\n1 2\n3 x\n')
    error = nashboard("solve", path, "--json", status=2).json
    assert (error["error"], error["line"], error["column"]) == ("GameFileError", 3, 3)
    assert "expected a number, found 'x'" in error["why"]


@pytest.mark.parametrize("role", ["read", "written"])
def test_a_trace_never_takes_the_place_of_its_game(nashboard, tmp_path: Path, role: str) -> None:
    game = tmp_path / "game.nfg"
    write_game(game, make("chicken"))
    before = game.read_bytes()
    asked = [str(game)] if role == "read" else ["--game", "battle", "--out", str(game)]
    ran = nashboard("solve", *asked, "--trace", str(tmp_path / "." / "game.nfg"), status=2)
    assert "is the file of the game" in ran.err
    assert game.read_bytes() == before


def test_without_a_gpu_the_status_is_4(nashboard, monkeypatch: pytest.MonkeyPatch) -> None:
    ran = nashboard(
        "solve", "--game", "rps", "--method", "interior-point", "--device", "cuda", status=None,
        env={"CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert ran.status == 4
    assert "CUDA" in ran.err


def test_the_readme_runs_as_it_stands(data_root: Path, tmp_path: Path) -> None:
    (tmp_path / "ball.json").write_text(re.findall(r"```json\n(.*?)```", SECTION, re.DOTALL)[0])
    commands = re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL)[0].splitlines()
    assert len(commands) == 8
    program = str(Path(sys.executable).with_name("nashboard"))
    for command in [*commands, "nashboard solve ball.json --all"]:
        words = command.split()
        assert words[0] == "nashboard"
        done = subprocess.run(
            [program, "--data-dir", str(data_root), *words[1:]],
            cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    assert "3 equilibria" in done.stdout
    assert read_game(tmp_path / "three.nfg").sizes == (4, 4, 4)
    assert (tmp_path / "path.csv").read_text().startswith("iteration,nashconv,Player 1:1")
