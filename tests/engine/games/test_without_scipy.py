"""An installed build carries no SciPy: nothing of ours imports it, and every method that once did runs without."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

SOLVES = """
import json, sys
sys.modules["scipy"] = None  # as if it were not installed
import numpy as np
from engine.games.consensus import ConsensusGame
from engine.games.games import BimatrixGame, MatrixGame, PolymatrixGame
from engine.games.options import SolveOptions
from engine.games.solve import solve
from engine.games.solvers import agreement, learning
from engine.games.solvers.zero_sum_basis import refined

chance = np.random.default_rng(3)
a, b = chance.random((2, 9, 8))
large = chance.normal(size=(230, 220))
edges = {}
for i in range(4):
    for j in range(i):
        edges[i, j] = chance.random((3, 3))
        edges[j, i] = -edges[i, j].T
polymatrix = PolymatrixGame((3,) * 4, edges)
found = {}

def done(name, game, method, **options):
    found[name] = solve(game, method, SolveOptions(**options)).status.name

done("correlated", BimatrixGame(a, b), "correlated")
done("coarse", BimatrixGame(a, b), "coarse")
done("polymatrix-lp", polymatrix, "polymatrix-lp")
done("interior point", MatrixGame(large), "interior-point")
done("logit by LAPACK", MatrixGame(chance.normal(size=(160, 150))), "logit", epsilon=1e-8)
learning.DENSE = 10
for key in ("rm+", "mwu", "replicator", "fictitious-play"):
    done(key + ", compiled", BimatrixGame(a, b), key, iterations=200)
    done(key + ", sparse", polymatrix, key, iterations=50)
known = (np.full(9, 1 / 9), np.full(9, 1 / 9))
square = np.eye(9)[::-1] + 0.1
found["basis"] = "SOLVED" if abs(refined(square, np.arange(9), np.arange(9), known)[0].sum() - 1) < 1e-9 else "WRONG"
for symmetric in (False, True):
    weights = np.where(chance.random((300, 300)) < 0.05, chance.random((300, 300)), 0.0)
    weights = weights + weights.T if symmetric else weights
    np.fill_diagonal(weights, 0.0)
    game = ConsensusGame(chance.normal(size=(300, 2)), chance.random(300), weights)
    agreement.DIRECT = 1000
    done(f"factors, symmetric {symmetric}", game, "auto")
    agreement.DIRECT = 100
    done(f"Krylov, symmetric {symmetric}", game, "auto")
done("without confidence", ConsensusGame(chance.random((4, 1)), np.zeros(4), np.eye(4, k=1)), "auto")
print(json.dumps(found))
"""


@pytest.mark.parametrize("package", ["app", "engine", "widgets"])
def test_no_module_imports_scipy(package: str) -> None:
    found = []
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [name.name for name in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path}:{node.lineno}" for name in names if name.partition(".")[0] == "scipy"]
    assert found == []


def test_every_method_that_once_needed_scipy_runs_without() -> None:
    done = subprocess.run([sys.executable, "-c", SOLVES], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found) == 19
    learners = {name: status for name, status in found.items() if name.startswith(("rm+", "mwu", "repl", "fict"))}
    assert set(learners.values()) <= {"SOLVED", "NOT_CONVERGED"}
    assert found.pop("without confidence") == "INCOMPLETE"  # there are many equilibria, and it says so
    assert {name: status for name, status in found.items() if name not in learners and status != "SOLVED"} == {}


def test_ratings_are_computed_without_scipy() -> None:
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from engine.league.ratings import Rating, rate\n"
        "made = rate({}, [('a', 'b', 1, 0)])\n"
        "assert made['a'].rating > 1500 > made['b'].rating, made"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
