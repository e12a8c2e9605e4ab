"""Agents built from models: equal to their twins bit for bit, within the limits, the same on every machine."""

from __future__ import annotations

import hashlib
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.core.paths import assets_dir, source_root
from engine.league.config import DEFAULT_BUDGET
from engine.league.gate.verdict import SystemImage
from engine.league.neural.actions import actions_of
from engine.league.neural.build import BuildRequest, NeuralAgent, build_agent, describe_inputs
from engine.league.neural.errors import ModelError
from engine.league.neural.features import SCHEMES, feature_map, rows_of
from engine.league.neural.model import load_mlp
from engine.league.neural.play import Table
from engine.league.sandbox import Sandbox

SYSTEMS = sorted(path.stem for path in (assets_dir() / "systems").glob("*.wasm"))
MODEL = assets_dir() / "models" / "snake.pt"
OBSERVATIONS = 10_000


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def snake_table(kit: Any, sandbox: Sandbox) -> Table:
    image = kit.system("snake")
    return Table(image, actions_of(image.spec), sandbox)


def agent_of(path: Path, image: SystemImage, scheme: str, observations: list[tuple[int, bytes]]) -> NeuralAgent:
    features = feature_map(image.spec, scheme, max(len(full) for _, full in observations))
    assert features is not None
    raw = features.encode(rows_of(observations, features.reach))
    return NeuralAgent.of(load_mlp(path), features, actions_of(image.spec), raw)


@pytest.mark.parametrize(("scheme", "inputs"), [("board", 726), ("bytes", 116), ("packed", 20)])
def test_ten_thousand_observations_from_matches_give_equal_outputs_and_actions(
    kit: Any, snake_table: Table, tmp_path: Path, scheme: str, inputs: int
) -> None:
    path = MODEL if scheme == "board" else kit.save(kit.network(inputs, 64, 64, 5), tmp_path)
    observations = snake_table.explore(2000).observations
    first = agent_of(path, snake_table.system, scheme, observations)
    # What the agent itself gets to see; with the board shown beside it for those that do not ask for it.
    shipped = snake_table.admit((assets_dir() / "agents" / "snake" / "cautious.wasm").read_bytes())
    observations += snake_table.try_out(snake_table.admit(first.wasm), 4000).observations
    observations += snake_table.try_out(shipped, OBSERVATIONS - len(observations)).observations
    assert len(observations) >= OBSERVATIONS
    kit.assert_equal_to_twin(first, rows_of(observations, first.features.reach))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_random_bytes_give_equal_outputs_and_actions_too(
    kit: Any, snake_table: Table, tmp_path: Path, scheme: str
) -> None:
    seen = snake_table.explore(300).observations
    width = {"board": 726, "bytes": 116, "packed": 20}[scheme]
    agent = agent_of(kit.save(kit.network(width, 24, 5), tmp_path), snake_table.system, scheme, seen)
    rows = np.random.default_rng(1).integers(0, 256, (2000, agent.features.reach), dtype=np.uint8)
    rows[:1000] &= 15  # values near those that have a meaning
    kit.assert_equal_to_twin(agent, rows)


@pytest.mark.parametrize("name", [name for name in SYSTEMS if name not in ("chess", "blotto")])
def test_models_play_every_system_with_a_list_of_actions(kit: Any, sandbox: Sandbox, tmp_path: Path, name: str) -> None:
    image = kit.system(name)
    actions = actions_of(image.spec)
    seen = Table(image, actions, sandbox).explore(400).observations
    rng = np.random.default_rng(2)
    for scheme, names in describe_inputs(image).items():
        path = kit.save(kit.network(len(names), 16, len(actions.values)), tmp_path)
        agent = agent_of(path, image, scheme, seen)
        rows = rows_of(seen, agent.features.reach)
        kit.assert_equal_to_twin(agent, rows)
        kit.assert_equal_to_twin(agent, rng.integers(0, 256, rows.shape, dtype=np.uint8))
    path = kit.save(kit.network(len(describe_inputs(image)["packed"]), 16, len(actions.values)), tmp_path)
    built = build_agent(BuildRequest(path, image, features="packed", calibrate=200))
    assert built.verified >= 150
    assert set(built.outcomes) == {"FINISHED"}, "it never does what is illegal"
    assert 0 < built.gas < 20_000


def test_other_shapes_and_activations(kit: Any, snake_table: Table, tmp_path: Path) -> None:
    seen = snake_table.explore(300).observations
    torch.manual_seed(3)
    models = {
        "linear": nn.Sequential(nn.Linear(116, 5)),
        "odd": kit.network(116, 7, 3, 13, 5),
        "clipped": nn.Sequential(
            nn.Linear(116, 9), nn.Hardtanh(-0.5, 2.0), nn.Linear(9, 9), nn.ReLU6(), nn.Linear(9, 5)
        ),
        "normed": nn.Sequential(nn.BatchNorm1d(116), nn.Linear(116, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 5)),
        "dead": nn.Sequential(nn.Linear(116, 8), nn.ReLU(), nn.Linear(8, 5)),
        "zero": nn.Sequential(nn.Linear(116, 8), nn.ReLU(), nn.Linear(8, 5)),
    }
    with torch.no_grad():
        models["dead"][0].bias.fill_(-1e6)
        for parameter in models["zero"].parameters():
            parameter.zero_()
    for name, model in models.items():
        agent = agent_of(kit.save(model.eval(), tmp_path, f"{name}.pt"), snake_table.system, "bytes", seen)
        kit.assert_equal_to_twin(agent, rows_of(seen[:100], agent.features.reach))
        snake_table.admit(agent.wasm)


def test_ties_go_to_the_first_action(kit: Any, snake_table: Table, tmp_path: Path) -> None:
    model = nn.Sequential(nn.Linear(116, 5))
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.copy_(torch.tensor([0.0, 1.0, 1.0, 0.5, 1.0]))
    seen = snake_table.explore(50).observations
    agent = agent_of(kit.save(model, tmp_path), snake_table.system, "bytes", seen)
    assert set(agent.twin().decide(rows_of(seen, 124))) == {0}  # the second of the values -1, 0, 1, 2, 3
    kit.assert_equal_to_twin(agent, rows_of(seen, 124))


def test_a_model_of_the_size_in_the_guide_takes_little_gas(kit: Any, tmp_path: Path) -> None:
    built = build_agent(
        BuildRequest(kit.save(kit.network(116, 64, 64, 5), tmp_path), kit.system("snake"), calibrate=300)
    )
    assert built.sizes == (116, 64, 64, 5)
    assert built.gas < DEFAULT_BUDGET // 40
    assert len(built.wasm) < 20_000


def test_every_decision_costs_the_same_gas(kit: Any, snake_table: Table) -> None:
    seen = snake_table.explore(300).observations
    agent = agent_of(MODEL, snake_table.system, "board", seen)
    played = snake_table.try_out(snake_table.admit(agent.wasm), 1000)
    assert len({record.gas_used for _, record in played.records}) == 1


def test_the_shipped_model_eats_and_does_what_it_does_in_floats(kit: Any) -> None:
    built = build_agent(BuildRequest(MODEL, kit.system("snake"), calibrate=3000))
    assert built.features == "board"
    assert built.agreement > 0.97
    assert built.verified >= 3000
    assert set(built.outcomes) == {"FINISHED"}
    assert built.mean_score > 12, "drunkard eats none"


def test_the_shipped_model_beats_the_drunkard_by_far(kit: Any, snake_table: Table) -> None:
    drunkard = snake_table.admit((assets_dir() / "agents" / "snake" / "drunkard.wasm").read_bytes())
    seen = snake_table.explore(2000).observations
    agent = agent_of(MODEL, snake_table.system, "board", seen)
    ours, theirs = (snake_table.try_out(item, 4000) for item in (snake_table.admit(agent.wasm), drunkard))
    assert ours.score / ours.outcomes.total() > theirs.score / theirs.outcomes.total() + 10


def test_another_process_with_other_threads_builds_the_same_bytes(kit: Any, tmp_path: Path) -> None:
    path = kit.save(kit.network(116, 20, 5), tmp_path)
    built = build_agent(BuildRequest(path, kit.system("snake"), calibrate=500))
    code = (
        "import hashlib, sys\n"
        "from pathlib import Path\n"
        "from engine.core.paths import assets_dir\n"
        "from engine.league.gate.inspect import Inspector\n"
        "from engine.league.neural.build import BuildRequest, build_agent\n"
        "snake = Inspector().check((assets_dir() / 'systems' / 'snake.wasm').read_bytes(), 'system').system()\n"
        "built = build_agent(BuildRequest(Path(sys.argv[1]), snake, calibrate=500))\n"
        "print(hashlib.sha256(built.wasm).hexdigest())\n"
    )
    environment = {**os.environ, "OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "OPENBLAS_CORETYPE": "Nehalem"}
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, cwd=source_root(), env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == hashlib.sha256(built.wasm).hexdigest()


@pytest.mark.parametrize(
    ("sizes", "why"),
    [
        ((116, 1200, 1200, 5), "gas, the budget is"),
        ((116, 1980, 1980, 5), "bytes of memory"),
        ((116, 2040, 2040, 5), "3 linear layers with 4,408,440 weights"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_figure(
    kit: Any, tmp_path: Path, sizes: tuple[int, ...], why: str
) -> None:
    path = kit.save(kit.network(*sizes), tmp_path)
    with pytest.raises(ModelError, match=why) as caught:
        build_agent(BuildRequest(path, kit.system("snake"), calibrate=20))
    assert caught.value.exit_code == 2


def test_code_that_an_agent_may_not_have_is_refused_with_the_figure(kit: Any, tmp_path: Path) -> None:
    fields = [{"offset": at, "size": 8, "name": f"n{at}"} for at in range(600)]
    cells = {"kind": "grid", "width": 1, "height": 1, "cells_offset": 0, "cells": [{"value": 0, "name": "empty"}]}
    spec = kit.system("snake").spec.model_copy(update={"state": {**cells, "fields": fields}})
    features = feature_map(spec, "board")
    assert features is not None
    mlp = load_mlp(kit.save(kit.network(features.inputs, 4, 5), tmp_path))
    with pytest.raises(ModelError, match=r"reading the inputs has [\d,]+ bytes, at most 65,536"):
        NeuralAgent.of(mlp, features, actions_of(spec), np.zeros((2, features.inputs), np.int64))


def test_request_and_report_travel_between_processes(kit: Any, tmp_path: Path) -> None:
    request = BuildRequest(kit.save(kit.network(20, 5), tmp_path), kit.system("snake"), calibrate=50)
    built = build_agent(pickle.loads(pickle.dumps(request)))
    assert pickle.loads(pickle.dumps(built)) == built


def test_a_budget_of_ones_own_is_held_too(kit: Any, tmp_path: Path) -> None:
    path = kit.save(kit.network(20, 8, 5), tmp_path)
    with pytest.raises(ModelError, match="the budget is 100"):
        build_agent(BuildRequest(path, kit.system("snake"), calibrate=20, budget=100))


@pytest.mark.parametrize("count", [0, -1, 100_001])
def test_a_calibration_out_of_range_is_refused(kit: Any, tmp_path: Path, count: int) -> None:
    with pytest.raises(ModelError, match="calibration"):
        build_agent(BuildRequest(tmp_path / "none.pt", kit.system("snake"), calibrate=count))


def test_what_does_not_fit_the_system_is_refused(kit: Any, tmp_path: Path) -> None:
    snake = kit.system("snake")
    with pytest.raises(ModelError, match="4 outputs, Snake has 5 actions: straight on, up"):
        build_agent(BuildRequest(kit.save(kit.network(20, 8, 4), tmp_path), snake))
    with pytest.raises(ModelError, match="it takes 21 numbers, Snake gives: packed 20, board 726, bytes 116"):
        build_agent(BuildRequest(kit.save(kit.network(21, 8, 5), tmp_path), snake, calibrate=20))
    with pytest.raises(ModelError, match="it takes 20 numbers, Snake gives: bytes 116"):
        build_agent(BuildRequest(kit.save(kit.network(20, 8, 5), tmp_path), snake, features="bytes", calibrate=20))
    with pytest.raises(ModelError, match="'smells' are not to be had on Snake"):
        build_agent(BuildRequest(kit.save(kit.network(20, 8, 5), tmp_path), snake, features="smells", calibrate=20))
    layers = [{"kind": "linear", "weight": torch.ones(5, 20), "bias": torch.zeros(5)}]
    other = kit.save({"format": "nashboard-mlp", "system": "chess", "layers": layers}, tmp_path)
    with pytest.raises(ModelError, match="it says 'chess', this is 'snake'"):
        build_agent(BuildRequest(other, snake, calibrate=20))


def test_chess_is_refused_with_its_reason(kit: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="chosen from a list that changes"):
        build_agent(BuildRequest(kit.save(kit.network(20, 8, 5), tmp_path), kit.system("chess")))
