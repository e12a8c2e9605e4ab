"""The rules agree with Flower's, which runs in an environment of its own and knows nothing of factors."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.learning.updates.aggregate import RULES
from engine.learning.updates.choice import Choice
from engine.learning.updates.delta import Delta, DeltaSpec
from engine.learning.updates.product import Products, distances, gram, products

ROOT = Path(__file__).parents[4]
PEERS = ROOT / "build" / "peers"
PYTHON = next((path for path in (PEERS / "bin/python", PEERS / "Scripts/python.exe") if path.is_file()), None)
CASES = 40


@pytest.mark.skipif(PYTHON is None, reason="Flower is not installed: make setup installs it into build/peers")
def test_every_rule_agrees_with_flower(draw: Callable[..., Delta], spec: DeltaSpec, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    cases: list[tuple[Products, int, np.ndarray]] = []
    for _ in range(CASES):
        f = int(rng.integers(0, 6))
        n = int(rng.integers(2 * f + 3, 15))
        deltas = [draw(spec, int(rng.integers(1 << 30)), 10.0 ** rng.uniform(-3, 0)) for _ in range(n)]
        updates = products(deltas, spec)
        cases.append((updates, f, np.concatenate([change.reshape(n, -1) for change in updates.dense()], axis=1)))
    vectors = {f"v{number}": vector for number, (_, _, vector) in enumerate(cases)}
    np.savez(tmp_path / "in.npz", f=[f for _, f, _ in cases], **vectors)
    answer = _flower(tmp_path / "in.npz", tmp_path / "out.npz")
    compared = 0
    for number, (updates, f, vector) in enumerate(cases):
        unit = np.linalg.norm(vector, axis=1).max()
        theirs = answer[f"distances{number}"]
        np.testing.assert_allclose(distances(gram(updates)), theirs, rtol=1e-6, atol=1e-6 * unit**2)
        for name, rule in RULES.items():
            made = _vector(updates, rule(updates, f))
            assert np.linalg.norm(made - answer[f"{name}{number}"]) <= 1e-6 * unit, (name, number)
            compared += 1
    assert compared == CASES * len(RULES)


def _vector(updates: Products, choice: Choice) -> np.ndarray:
    blocks = choice.blocks
    if blocks is None:
        assert choice.weights is not None
        blocks = tuple(np.tensordot(choice.weights, change, 1) for change in updates.dense())
    return np.concatenate([block.ravel() for block in blocks])


def _flower(source: Path, target: Path) -> dict[str, np.ndarray]:
    worker = Path(__file__).with_name("flower_worker.py")
    quiet = {**os.environ, "FLWR_TELEMETRY_ENABLED": "0", "PYTHONPATH": ""}
    argv = [str(PYTHON), str(worker), str(source), str(target)]
    done = subprocess.run(argv, env=quiet, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(target) as answer:
        return dict(answer)
