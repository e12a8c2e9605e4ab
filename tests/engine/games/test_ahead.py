"""Kernels compiled before packing: the same bits as Numba's own, for every kernel that plain Python calls."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from engine.core.errors import EngineError
from engine.games import ahead

ROOT = Path(__file__).parents[3]
Arguments = tuple[Any, ...]

# Solves with every method that has compiled parts, and says how often another thread ran while one long solve did.
SOLVES = """
import json, sys, threading, time
if "ahead" in sys.argv:
    sys.modules["numba"] = sys.modules["llvmlite"] = sys.modules["scipy"] = None
import numpy as np
from engine.games.batch import solve_batch
from engine.games.errors import GameError
from engine.games.games import BimatrixGame, MatrixGame, PolymatrixGame, TensorGame
from engine.games.methods import METHODS
from engine.games.options import SolveOptions
from engine.games.solve import solve
from engine.games.solvers.lemke_howson import lemke_howson
from engine.games.solvers.vertices import all_equilibria
random = np.random.default_rng(1)
a, b = random.random((2, 9, 8))
batch = solve_batch(random.random((5, 3, 4)), random.random((5, 3, 4)))
found = [batch.x.tolist(), [x.tolist() for x in lemke_howson(a, b)], solve_batch(random.random((5, 3, 4))).y.tolist()]
random_game = TensorGame(tuple(random.random((3, 3, 3, 2))))
edges = {(i, j): random.random((3, 3)) for i in range(3) for j in range(3) if i != j}
some = [BimatrixGame(a, b), BimatrixGame(np.eye(3), np.eye(3)), MatrixGame(a), random_game]
for game in [*some, PolymatrixGame((3, 3, 3), edges)]:
    for method in METHODS:
        if game.kind in method.kinds:
            options = SolveOptions(iterations=300, time_limit_s=60.0)
            try:
                profiles = [one.profile for one in solve(game, method.key, options).equilibria]
            except GameError:  # a method for some games only
                profiles = []
            found.append([[x.tolist() for x in profile] for profile in profiles if profile is not None])
ticks, large = 0, random.random((2, 13, 13))
busy = threading.Thread(target=all_equilibria, args=tuple(large))
busy.start()
while busy.is_alive():
    time.sleep(0.0005)
    ticks += 1
print(json.dumps({"solutions": found, "ticks": ticks, "numba": bool(sys.modules.get("numba"))}))
"""


@pytest.fixture(scope="module", autouse=True)
def on_path() -> Iterator[None]:
    """Let the scripts of packaging/ be imported as they import each other."""
    sys.path.insert(0, str(ROOT / "packaging"))
    yield
    sys.path.remove(str(ROOT / "packaging"))


def kernel_of(key: str) -> tuple[ModuleType, Any]:
    short, _, name = key.partition(".")
    module = next(importlib.import_module(name) for name in ahead.modules() if name.endswith(f".{short}"))
    return module, getattr(module, name)


# What there is to compile ----------------------------------------------------------------------------------------


def called_from_python() -> set[str]:
    """The compiled functions that modules of plain Python name, read from their imports and uses."""
    found: set[str] = set()
    for path in sorted((ROOT / "engine").rglob("*.py")):
        if path.stem.endswith("_jit"):
            continue
        tree = ast.parse(path.read_text("utf-8"))
        aliases: dict[str, set[str]] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module is not None:
                for name in node.names:
                    if name.name.endswith("_jit"):
                        aliases.setdefault(name.asname or name.name, set()).add(name.name)
                    elif node.module.endswith("_jit"):
                        found.add(f"{node.module.rpartition('.')[2]}.{name.name}")
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                found |= {f"{short}.{node.attr}" for short in aliases.get(node.value.id, ())}
    modules = {path.stem: path for path in (ROOT / "engine/games").rglob("*_jit.py")}
    return {key for key in found if is_compiled(modules[key.partition(".")[0]], key.partition(".")[2])}


def is_compiled(path: Path, name: str) -> bool:
    return any(
        isinstance(node, ast.FunctionDef) and node.name == name and node.decorator_list
        for node in ast.parse(path.read_text("utf-8")).body
    )


def test_every_kernel_that_python_calls_is_compiled_ahead() -> None:
    assert called_from_python() == set(ahead.FORMS)


@pytest.mark.parametrize("key", ahead.FORMS)
def test_each_form_has_the_kernels_arguments(key: str) -> None:
    _, kernel = kernel_of(key)
    assert len(ahead.FORMS[key].split()) == len(inspect.signature(kernel.py_func).parameters)
    assert ahead.key_of(kernel.py_func) == key
    assert key in CALLS


# What is checked before machine code runs ------------------------------------------------------------------------


def checked(key: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
    return ahead.checked(key, kernel, vars(kernel_of(key)[0]))


def test_what_a_kernel_was_not_compiled_for_is_refused() -> None:
    seen: list[Arguments] = []
    solve = checked("simplex_jit.solve", lambda *values: seen.append(values))
    a, x, y = np.eye(2), np.ones(2), np.ones(2)
    solve(a, x, y, np.int64(5))
    assert len(seen) == 1 and seen[0][0] is a
    for wrong in (
        (a.astype(np.float32), x, y, 5),
        (a[0], x, y, 5),
        (a.tolist(), x, y, 5),
        (a, x, y, 5.0),
        (a, x, y),
        (a, x, y, 5, 6),
        (a.astype(">f8"), x, y, 5),
    ):
        with pytest.raises(EngineError, match="cannot take this"):
            solve(*wrong)
    assert len(seen) == 1


def test_tuples_are_looked_into() -> None:
    tableau, kernel = kernel_of("lemke_howson_tableau_jit.rebuild")[0], lambda *_: None
    rebuild = checked("lemke_howson_tableau_jit.rebuild", kernel)
    tab, units = tableau.empty(2, 3, 3), tableau.Units(0.0, 1.0, 1.0)
    rebuild(tab, np.ones((2, 3)), units)
    for wrong in (tuple(tab), tab._replace(t=tab.t[0]), tab._replace(slacks=1.5), None):
        with pytest.raises(EngineError, match="cannot take this"):
            rebuild(wrong, np.ones((2, 3)), units)


def test_what_lies_otherwise_in_memory_is_copied_and_written_back() -> None:
    def double(table: Any, row: int, column: int) -> None:
        assert table.flags.c_contiguous
        table *= 2.0

    pivot = checked("simplex_jit.pivot", double)
    whole = np.ones((4, 6))
    pivot(whole[:, ::2], 0, 0)
    assert whole.tolist() == [[2.0, 1.0, 2.0, 1.0, 2.0, 1.0]] * 4
    pivot(np.asfortranarray(whole), 0, 0)
    frozen = np.ones((3, 4)).T
    frozen.flags.writeable = False
    pivot(frozen, 0, 0)
    assert frozen.max() == 1.0


def test_a_library_that_cannot_be_loaded_is_an_error_with_a_way_on(tmp_path: Path) -> None:
    (tmp_path / ahead.file_name()).write_bytes(b"no library")
    with pytest.raises(EngineError, match="Install the program again"):
        ahead.load(tmp_path / ahead.file_name())


def test_places_of_the_machine_are_written_over(tmp_path: Path) -> None:
    library = tmp_path / "library"
    library.write_bytes(b"\x10/a/b/site/x.py\x00/a/b/y.py\x00/a/c")
    importlib.import_module("kernels").forget(library, Path("/a/b"), Path("/a/b/site"))
    assert library.read_bytes() == b"\x10........./x.py\x00..../y.py\x00/a/c"


# The same bits ---------------------------------------------------------------------------------------------------


def random(*shape: int) -> Any:
    return np.random.default_rng(sum(shape)).random(shape)


def learning() -> Arguments:
    """What a dynamic begins with, not of whole registers: two matrices, two states, numbers."""
    from engine.games.solvers import learning as names

    a, b, states = random(45, 47), random(47, 45), [np.zeros((6, 47)), np.zeros((6, 45))]
    for state, matrix in zip(states, (a, b), strict=True):
        state[names.X] = state[names.SX] = 1.0 / state.shape[1]
        state[names.U] = state[names.SU] = matrix.mean(axis=0)
    numbers = np.zeros(names.NUMBERS)
    numbers[[names.TIME, names.WEIGHT, names.AVERAGE, names.POWER, names.RATE]] = 1.0, 1.0, names.NEARER, 1.5, 0.7
    return a, b, *states, numbers, 40, 1e-9


def tensors() -> Arguments:
    """Payoffs of three players with two, three and four actions, their sizes, and where each one's actions begin."""
    return random(3, 24), np.array([2, 3, 4]), np.array([0, 2, 5, 9])


def paths() -> Arguments:
    """Both tableaux of a game, and where a path along them begins."""
    tableau = kernel_of("lemke_howson_tableau_jit.rebuild")[0]
    a, b = random(6, 5), random(5, 6).T.copy()
    tabs = tableau.empty(5, 6, 6), tableau.empty(6, 5, 0)
    tableau.fill(tabs[0], b, tableau.units_of(b))
    tableau.fill(tabs[1], a, tableau.units_of(a))
    return *tabs, np.array([0, 0, 0, 0])


def remade() -> Arguments:
    """A tableau after some pivots, to be made anew, with the payoffs that it came from."""
    tableau, path = kernel_of("lemke_howson_tableau_jit.rebuild")[0], kernel_of("lemke_howson_jit.advance")[1]
    first, second, state = paths()
    path(first, second, state, 3)
    a = random(6, 5)
    return second, a, tableau.units_of(a)


def lines() -> Arguments:
    """The tableau of a polymatrix game after its first pivot, and what enters next."""
    from engine.games.games import PolymatrixGame
    from engine.games.solvers.howson import Path as Lines

    edges = {(i, j): random(3 + i, 3 + j) for i in range(3) for j in range(3) if i != j}
    path = Lines(game := PolymatrixGame((3, 4, 5), edges), game.uniform())
    made = path.tableau
    return made.t, made.basic, made.free, made.place, path._entering, 500


def cover() -> Arguments:
    """A tableau of complementary pivoting from a prior."""
    from engine.games.solvers.ipa_lemke import Pivoting

    made = Pivoting(random(9, 9), np.array([2, 3, 4]), np.repeat([1 / 2, 1 / 3, 1 / 4], [2, 3, 4]))
    return made.table, made.basis, made.place, 50


def pivoting() -> Arguments:
    """The tableau of a zero-sum game."""
    from engine.games.solvers.simplex import cold

    made = cold(random(9, 8))
    return made.table, made.basic, made.free


def walk() -> Arguments:
    """A walk over vertices at its start, and where to write what is found."""
    jit = kernel_of("vertices_jit.run")[0]
    return jit.start(jit.polytope(random(8, 8))[0]), np.zeros(1, np.int64), np.empty(64, np.int64)


def whole_walk() -> Any:
    """The same of a game in small integers, with little room."""
    return kernel_of("rational_jit.start")[1]((9 * random(6, 6)).astype(np.int64) + 1, 16)


def triangle() -> Any:
    """A lower triangular matrix."""
    return np.tril(random(20, 20)) + np.eye(20)


def sparse() -> Arguments:
    """A matrix of mostly zeros by its rows, three vectors, and where their products go."""
    from engine.games.solvers.sparse import SparseRows

    rows = SparseRows.of(np.where(random(9, 8) < 0.4, random(9, 8), 0.0))
    return rows.values, rows.columns, rows.starts, random(3, 8), np.empty((3, 9))


def logit() -> Arguments:
    """The start of a path: the tensors, the prior, the state with its tangent and step."""
    sizes = np.array([2, 3, 4])
    start = np.repeat(-np.log(sizes), sizes)
    tangent = np.zeros(10)
    tangent[9] = 1.0
    return *tensors(), start, np.concatenate([start, [0.0], tangent, [0.1, 1.0]]), 40, 1e9


CALLS: dict[str, Callable[[], Arguments]] = {
    "batch_jit.bimatrix_games": lambda: (
        *(random(40, 4, 5), random(5, 40, 4).reshape(40, 4, 5)),
        *(np.zeros((40, 4)), np.zeros((40, 5)), (32, 10_000), np.zeros(40, np.int64)),
    ),
    "batch_jit.gaps": lambda: (
        *(random(9, 4, 5), random(5, 9, 4).reshape(9, 4, 5), -1.0),
        *(np.zeros((9, 4)), random(9, 5), np.empty((9, 2))),
    ),
    "batch_jit.zero_sum_games": lambda: (
        *(random(9, 4, 5), np.zeros((9, 4)), np.zeros((9, 5)), 1000, np.zeros(9, np.int64)),
    ),
    "cholesky_jit.downwards": lambda: (triangle(), random(20, 3), 4, 18),
    "cholesky_jit.upwards": lambda: (triangle(), random(20, 3), 4, 18),
    "howson_jit.exchange_all": lines,
    "ipa_jit.pivot": cover,
    "lemke_howson_jit.advance": lambda: (*paths(), 4),
    "lemke_howson_jit.solve_alone": lambda: (random(30, 31), random(31, 30).T.copy(), 2, 100, 10_000),
    "lemke_howson_tableau_jit.rebuild": remade,
    "lemke_howson_tableau_jit.units_of": lambda: (random(5, 6),),
    "logit_jit.advance": logit,
    "rational_jit.run": lambda: (whole_walk(), 2000),
    "rational_jit.start": lambda: (np.arange(12).reshape(3, 4), 16),
    "simplex_jit.pivot": lambda: (random(20, 21), 3, 4),
    "simplex_jit.pivots": lambda: (*pivoting(), 1000),
    "simplex_jit.solve": lambda: (random(30, 31), random(30), random(31), 5000),
    "sparse_jit.multiply_rows": sparse,
    "tensor_form_jit.contract": lambda: (*tensors(), random(9), np.empty(9), np.zeros((9, 9))),
    "tensor_newton_jit.newton": lambda: (
        *(*tensors(), np.ones(9, bool), np.repeat([1 / 2, 1 / 3, 1 / 4], [2, 3, 4]), 10),
    ),
    "vertices_drop_jit.drop": lambda: (random(4, 3), np.ones(4, bool), np.ones(3, bool)),
    "vertices_jit.both": lambda: (random(7, 8), random(8, 7), np.empty(4096, np.int64), 10**6),
    "vertices_jit.points": lambda: (walk()[0], np.array([510, 1020]), np.ones(8)),
    "vertices_jit.polytope": lambda: (random(5, 6),),
    "vertices_jit.run": lambda: (*walk(), 5000),
    "vertices_jit.start": lambda: (random(5, 6),),
    "vertices_jit.swapped": lambda: (np.array([5, 9, 12]), 3, 4),
    **{
        f"{name}_jit.{what}_steps": learning
        for name, what in (
            *(("fictitious_play", "fictitious"), ("regret", "regret")),
            *(("replicator", "replicator"), ("weights", "weights")),
        )
    },
}


SCRATCH = {"enter", "leave", "floats", "rows", "ties", "tied", "ratios", "line"}  # room that nobody wrote to yet


def bits(value: Any) -> Any:
    """Everything in a value that means something, to the last bit."""
    if isinstance(value, np.ndarray):
        return str(value.dtype), value.shape, value.tobytes()
    if isinstance(value, tuple):
        names = getattr(value, "_fields", range(len(value)))
        return type(value).__name__, [
            bits(part) for name, part in zip(names, value, strict=True) if name not in SCRATCH
        ]
    return type(value).__name__, np.float64(value).tobytes() if isinstance(value, float) else value


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_both_ways_give_the_same_bits(tmp_path: Path) -> None:
    made = importlib.import_module("kernels").build(tmp_path)
    assert [path.name for path in made] == [ahead.file_name()]
    assert str(ROOT).encode() not in made[0].read_bytes()
    compare(tmp_path)
    found, known = solved("ahead", **{ahead.VARIABLE: str(tmp_path)}), solved()
    assert found["solutions"] == known["solutions"]
    assert known["numba"] and not found["numba"]
    assert found["ticks"] > 3  # the lock is let go: another thread ran all the time


def compare(built: Path) -> None:
    """Call every kernel both ways."""
    library = ahead.load(built / ahead.file_name())
    for key, arguments in CALLS.items():
        module, kernel = kernel_of(key)
        ours = arguments()
        theirs = copy.deepcopy(ours)
        answer = ahead.checked(key, getattr(library, ahead.symbol_of(key)), vars(module))(*ours)
        assert bits(answer) == bits(kernel(*theirs)), key
        assert bits(ours) == bits(theirs), key


def solved(*words: str, **environment: str) -> dict[str, Any]:
    """What a process of its own found."""
    command = [sys.executable, "-c", SOLVES, *words]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
