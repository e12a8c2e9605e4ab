"""The solver of torch tensors: consensus of positions, play from mixed strategies, and the equilibrium condition."""

from __future__ import annotations

import logging
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError
from engine.games.nash_solver import NashEquilibriumSolver, compute_best_response, nash_equilibrium_condition
from engine.games.tensor_cores import Plan, TensorCoreOptimizer

RPS = torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
COORDINATE = torch.tensor([[2.0, 0], [0, 1]])


def named(*rows: object, dtype: torch.dtype = torch.float64) -> dict[str, torch.Tensor]:
    return {f"agent_{i}": torch.as_tensor(row, dtype=dtype) for i, row in enumerate(rows)}


def test_positions_agree_exactly() -> None:
    x, converged = NashEquilibriumSolver().compute_equilibrium(named([0.0, 0.0], [3.0, 6.0]))
    assert converged
    assert x.numpy() == pytest.approx(np.array([[1.0, 2.0], [2.0, 4.0]]))


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 6), st.sampled_from([(), (1,), (4,), (2, 3), (2, 1, 2)]), st.integers(0, 10**6))
def test_any_shape_is_that_of_the_answer(count: int, shape: tuple[int, ...], seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    positions = {f"a{i}": torch.randn(shape, generator=generator, dtype=torch.float64) for i in range(count)}
    x, converged = NashEquilibriumSolver("cpu").compute_equilibrium(positions)
    assert converged and x.shape == (count, *shape)
    game = ConsensusGame(np.stack([p.reshape(-1).numpy() for p in positions.values()]))
    assert nash_equilibrium_condition(dict(zip(positions, x, strict=True)), game)


def test_weights_are_those_of_the_consensus_game() -> None:
    solver = NashEquilibriumSolver("cpu", confidence=torch.tensor([2.0, 1.0]), influence=3.0)
    x, _ = solver.compute_equilibrium(named([0.0], [1.0]))
    assert x.flatten().tolist() == pytest.approx([3 / 11, 5 / 11])
    deaf = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    x, _ = NashEquilibriumSolver("cpu", influence=deaf).compute_equilibrium(named([0.0], [1.0]))
    assert x.flatten().tolist() == pytest.approx([0.0, 0.5])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_the_type_is_kept(dtype: torch.dtype) -> None:
    x, converged = NashEquilibriumSolver("cpu").compute_equilibrium(named([0.0], [3.0], dtype=dtype))
    assert x.dtype is dtype and converged
    assert x.flatten().double().tolist() == pytest.approx([1.0, 2.0], rel=1e-2)
    strategies = named([0.3, 0.3, 0.4], [0.1, 0.2, 0.7], dtype=dtype)
    x, converged = NashEquilibriumSolver("cpu").compute_equilibrium(strategies, RPS.to(dtype))
    assert x.dtype is dtype and converged
    assert x.double().numpy() == pytest.approx(np.full((2, 3), 1 / 3), rel=1e-2)


def test_integers_become_the_default_type_and_types_mix() -> None:
    x, _ = NashEquilibriumSolver("cpu").compute_equilibrium(named([0], [3], dtype=torch.int64))
    assert x.dtype is torch.get_default_dtype()
    mixed = {"a": torch.zeros(1, dtype=torch.float16), "b": torch.ones(1, dtype=torch.float64)}
    assert NashEquilibriumSolver("cpu").compute_equilibrium(mixed)[0].dtype is torch.float64
    x, converged = NashEquilibriumSolver("cpu").compute_equilibrium(
        named([1, 0], [1, 0], dtype=torch.int32), COORDINATE
    )
    assert converged and x.tolist() == [[1, 0], [1, 0]]


def test_gradients_are_left_alone() -> None:
    position = torch.tensor([1.0, 2.0], requires_grad=True)
    x, _ = NashEquilibriumSolver("cpu").compute_equilibrium({"a": position * 2, "b": position})
    assert not x.requires_grad and position.grad is None


def test_play_leads_to_the_equilibrium_that_is_near() -> None:
    solver = NashEquilibriumSolver("cpu")
    first, converged = solver.compute_equilibrium(named([0.7, 0.3], [0.6, 0.4], [0.8, 0.2]), COORDINATE)
    assert converged and first.numpy() == pytest.approx(np.array([[1.0, 0.0]] * 3), abs=1e-3)
    second, converged = solver.compute_equilibrium(named([0.1, 0.9], [0.2, 0.8], [0.1, 0.9]), COORDINATE)
    assert converged and second.numpy() == pytest.approx(np.array([[0.0, 1.0]] * 3), abs=1e-3)
    pure = named([1.0, 0], [1, 0], [1, 0])
    kept, converged = solver.compute_equilibrium(pure, COORDINATE)
    assert converged and kept.tolist() == [[1, 0]] * 3


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(2, 4), st.integers(1, 4), st.booleans(), st.integers(0, 10**6))
def test_every_game_ends_in_an_equilibrium_that_the_condition_confirms(
    agents: int, actions: int, common: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shape = (actions, actions) if common else (agents, agents, actions, actions)
    payoffs = torch.from_numpy(rng.normal(size=shape))
    positions = named(*rng.dirichlet(np.ones(actions), agents))
    x, converged = NashEquilibriumSolver("cpu").compute_equilibrium(positions, payoffs)
    assert converged
    assert x.sum(1).numpy() == pytest.approx(np.ones(agents))
    assert nash_equilibrium_condition(dict(zip(positions, x, strict=True)), payoffs)


def test_payoffs_by_pair_are_read_by_pair() -> None:
    payoffs = torch.zeros(2, 2, 2, 2)
    payoffs[0, 1] = torch.tensor([[1.0, -1], [-1, 1]])  # the first wants to match
    payoffs[1, 0] = -payoffs[0, 1].T
    payoffs[0, 0] = float(7)  # against itself: not read
    x, converged = NashEquilibriumSolver("cpu").compute_equilibrium(named([0.9, 0.1], [0.2, 0.8]), payoffs)
    assert converged and x.numpy() == pytest.approx(np.full((2, 2), 0.5), abs=1e-3)


def test_the_condition_holds_where_it_should_only() -> None:
    third = [1 / 3, 1 / 3, 1 / 3]
    assert nash_equilibrium_condition(named(third, third), RPS)
    assert nash_equilibrium_condition(named(third, third, dtype=torch.float16), RPS)
    assert not nash_equilibrium_condition(named(third, [0.5, 0.3, 0.2]), RPS)
    assert not nash_equilibrium_condition(named([1.0, 0, 0], third), RPS[:, [0, 0, 0]])
    game = ConsensusGame(np.array([[0.0], [3.0]]))
    assert nash_equilibrium_condition(named([1.0], [2.0]), game)
    assert nash_equilibrium_condition(named([1.0005], [2.0]), game)
    assert not nash_equilibrium_condition(named([1.01], [2.0]), game)


def test_the_best_response_is_the_nearest_of_many() -> None:
    tie = torch.tensor([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    square = torch.cat([tie, tie[:, :1]], dim=1)
    best = compute_best_response("agent_0", named([0.6, 0.2, 0.2], [1.0, 0, 0]), square)
    assert best.tolist() == pytest.approx([0.7, 0.3, 0.0])
    with pytest.raises(GameError, match="no agent 'zoe'"):
        compute_best_response("zoe", named([1.0, 0]), COORDINATE)


@pytest.mark.parametrize(
    ("positions", "payoffs", "named_in_it"),
    [
        ({}, None, "no positions"),
        ({"a": torch.tensor([float("nan")])}, None, "position of a"),
        ({"a": torch.tensor([1.0]), "b": torch.tensor([float("inf")])}, None, "position of b"),
        ({"a": torch.zeros(2), "b": torch.zeros(3)}, None, r"a \(2,\), b \(3,\)"),
        ({"a": torch.zeros(0)}, None, "empty"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, None, "complex"),
        ({"a": [1.0, 2.0]}, None, "no tensor"),
        (named([0.5, 0.5], [0.5, 0.5]), torch.zeros(3, 3), r"\(3, 3\); 2 agents with 2 actions"),
        (named([0.5, 0.5], [0.5, 0.5]), torch.zeros(2, 2, 2), "do not fit"),
        (named([0.5, 0.5], [0.5, 0.5]), torch.full((2, 2), float("nan")), "payoff matrix"),
        (named([0.5, 0.5], [0.5, 0.5]), [[1.0, 0], [0, 1]], "not a tensor"),
        (named([0.5, 0.6], [0.5, 0.5]), COORDINATE, "agent_0 is no mixed strategy"),
        (named([0.5, 0.5], [-0.5, 1.5]), COORDINATE, "agent_1 is no mixed strategy"),
    ],
)
def test_what_makes_no_sense_is_refused(positions: object, payoffs: object, named_in_it: str) -> None:
    with pytest.raises(GameError, match=named_in_it):
        NashEquilibriumSolver("cpu").compute_equilibrium(positions, payoffs)  # type: ignore[arg-type]


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_without_a_cuda_device_the_processor_computes(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="engine"):
        solver = NashEquilibriumSolver()
    assert solver.device == "cpu" and "no CUDA device" in solver.fallback
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert NashEquilibriumSolver("cpu").fallback == ""


@pytest.mark.parametrize("device", ["tpu9", "meta", "cuda:x"])
def test_other_devices_are_refused(device: str) -> None:
    with pytest.raises(GameError, match="device"):
        NashEquilibriumSolver(device)


def test_the_number_format_suits_the_device() -> None:
    optimizer = TensorCoreOptimizer()
    assert optimizer.plan(torch.device("cpu")) == Plan("float64")
    assert optimizer.plan_for((9, 0)) == Plan("float64", 8)
    assert optimizer.plan_for((8, 9)) == Plan("float32", 8, True)
    assert optimizer.plan_for((7, 5)) == Plan("float32", 8, False)


@pytest.mark.parametrize("size", [1, 8, 37])
def test_fp32_factors_refined_are_as_good_as_fp64(size: int) -> None:
    rng = np.random.default_rng(size)
    weights = rng.random((size, size))
    matrix = torch.from_numpy(np.diag(weights.sum(axis=1) + 0.1) - weights)
    right = torch.from_numpy(rng.normal(size=(size, 5)))
    before = torch.backends.cuda.matmul.allow_tf32
    found = TensorCoreOptimizer().solve(matrix, right, Plan("float32", 8, True))
    assert found.shape == right.shape and torch.backends.cuda.matmul.allow_tf32 == before
    assert found.numpy() == pytest.approx(np.linalg.solve(matrix.numpy(), right.numpy()), rel=1e-9, abs=1e-11)


def test_where_fp32_is_too_coarse_fp64_solves() -> None:
    hilbert = torch.from_numpy(1.0 / (np.arange(9)[:, None] + np.arange(9) + 1))
    right = hilbert @ torch.ones(9, 1, dtype=torch.float64)
    found = TensorCoreOptimizer().solve(hilbert, right, Plan("float32", 8))
    assert float((hilbert @ found - right).abs().max()) < 1e-12
    assert found.flatten().tolist() == pytest.approx([1.0] * 9, abs=1e-2)


def test_torch_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, engine.games.nash_solver; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_a_cuda_device_computes_the_same() -> None:
    rng = np.random.default_rng(7)
    count = 300
    positions = {f"a{i}": torch.from_numpy(row) for i, row in enumerate(rng.normal(size=(count, 5)))}
    weights = torch.from_numpy(rng.random((count, count)) * (1 - np.eye(count)))
    solver = NashEquilibriumSolver("cuda", influence=weights)
    assert solver.device == "cuda"
    x, converged = solver.compute_equilibrium({name: position.cuda() for name, position in positions.items()})
    y, _ = NashEquilibriumSolver("cpu", influence=weights).compute_equilibrium(positions)
    assert converged and x.is_cuda
    assert x.cpu().numpy() == pytest.approx(y.numpy(), abs=1e-9)
    played = {name: position.cuda().softmax(0) for name, position in positions.items()}
    x, converged = solver.compute_equilibrium(played, torch.from_numpy(rng.normal(size=(5, 5))).cuda())
    assert converged and x.is_cuda


def test_tensors_without_numbers_are_refused() -> None:
    with pytest.raises(GameError, match="no numbers"):
        NashEquilibriumSolver("cpu").compute_equilibrium({"a": torch.empty(3, device="meta")})
