"""Kernels compiled before the program was packed, so that an installed build needs neither Numba nor its compiler.

``FORMS`` names every kernel that plain Python calls, with the arguments it is compiled for: ``packaging/kernels.py``
compiles just those, and :func:`find` hands them out, checked: machine code believes what it is given. From source there
is no such library, and Numba compiles on first use as ever.
"""

from __future__ import annotations

import functools
import os
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from engine.core.errors import EngineError
from engine.core.paths import is_frozen

NAME = "_ahead"
# A folder with the library, to use it from source too: for tests.
VARIABLE = "NASHBOARD_KERNELS"

# The fields of the tuples that kernels pass on, as Numba would write their types; f8[:,::1] is a matrix by rows.
TUPLES = {
    "Tableau": "f8[:,::1] i8[::1] i8[::1] i8[::1] i8 i8[::1] f8[::1] f8[::1]",
    "Units": "f8 f8 f8",
    "vertices_jit.Walk": (
        "f8[:,::1] f8[:,::1] f8[::1] i8[::1] i8[::1] u1[:,::1] u1[:,::1] u1[::1] u1[::1] u1[::1]"
        " i8[::1] u1[::1] i8[::1] f8[::1] i8[::1]"
    ),
    "rational_jit.Walk": (
        "i8[:,::1] i8[::1] i8[::1] u1[:,::1] u1[:,::1] u1[::1] u1[::1] i8[::1] u1[::1] i8[::1] i8[:,::1] i8[::1]"
        " i8[::1]"
    ),
}
_LEARNING = "f8[:,::1] f8[:,::1] f8[:,::1] f8[:,::1] f8[::1] i8 f8"
_TENSORS = "f8[:,::1] i8[::1] i8[::1]"
FORMS = {
    "batch_jit.bimatrix_games": "f8[:,:,::1] f8[:,:,::1] f8[:,::1] f8[:,::1] caps i8[::1]",
    "batch_jit.gaps": "f8[:,:,::1] f8[:,:,::1] f8 f8[:,::1] f8[:,::1] f8[:,::1]",
    "batch_jit.zero_sum_games": "f8[:,:,::1] f8[:,::1] f8[:,::1] i8 i8[::1]",
    "cholesky_jit.downwards": "f8[:,::1] f8[:,::1] i8 i8",
    "cholesky_jit.upwards": "f8[:,::1] f8[:,::1] i8 i8",
    "fictitious_play_jit.fictitious_steps": _LEARNING,
    "howson_jit.exchange_all": "f8[:,::1] i8[::1] i8[::1] i8[::1] i8 i8",
    "ipa_jit.pivot": "f8[:,::1] i8[::1] i8[::1] i8",
    "lemke_howson_jit.advance": "Tableau Tableau i8[::1] i8",
    "lemke_howson_jit.solve_alone": "f8[:,::1] f8[:,::1] i8 i8 i8",
    "lemke_howson_tableau_jit.rebuild": "Tableau f8[:,::1] Units",
    "lemke_howson_tableau_jit.units_of": "f8[:,::1]",
    "logit_jit.advance": f"{_TENSORS} f8[::1] f8[::1] i8 f8",
    "rational_jit.run": "rational_jit.Walk i8",
    "rational_jit.start": "i8[:,::1] i8",
    "regret_jit.regret_steps": _LEARNING,
    "replicator_jit.replicator_steps": _LEARNING,
    "simplex_jit.pivot": "f8[:,::1] i8 i8",
    "simplex_jit.pivots": "f8[:,::1] i8[::1] i8[::1] i8",
    "simplex_jit.solve": "f8[:,::1] f8[::1] f8[::1] i8",
    "sparse_jit.multiply_rows": "f8[::1] i4[::1] i4[::1] f8[:,::1] f8[:,::1]",
    "tensor_form_jit.contract": f"{_TENSORS} f8[::1] f8[::1] f8[:,::1]",
    "tensor_newton_jit.newton": f"{_TENSORS} b1[::1] f8[::1] i8",
    "vertices_drop_jit.drop": "f8[:,::1] b1[::1] b1[::1]",
    "vertices_jit.both": "f8[:,::1] f8[:,::1] i8[::1] i8",
    "vertices_jit.points": "vertices_jit.Walk i8[::1] f8[::1]",
    "vertices_jit.polytope": "f8[:,::1]",
    "vertices_jit.run": "vertices_jit.Walk i8[::1] i8[::1] i8",
    "vertices_jit.start": "f8[:,::1]",
    "vertices_jit.swapped": "i8[::1] i8 i8",
    "weights_jit.weights_steps": _LEARNING,
}
_PAIR = "caps"  # a pair of integers
_TYPES = {
    "f8": np.dtype(np.float64),
    "i8": np.dtype(np.int64),
    "i4": np.dtype(np.int32),
    "u1": np.dtype(np.uint8),
    "b1": np.dtype(np.bool_),
}
_WHOLE = (int, np.integer)
_NUMBER = (float, np.floating, *_WHOLE)

Function = Callable[..., Any]
Back = list[tuple[Any, Any]]  # arrays as they were given, and the copies that the kernel wrote into
Fit = Callable[[Any, Back], Any]


def key_of(function: Function) -> str:
    """Return the name of a kernel among ``FORMS``: its module's last part and its own."""
    return f"{function.__module__.rpartition('.')[2]}.{function.__qualname__}"


def symbol_of(key: str) -> str:
    """Return the name of a kernel in the library."""
    return key.replace(".", "__")


def file_name() -> str:
    """Return how the library is called on this system."""
    return f"{NAME}{sysconfig.get_config_var('EXT_SUFFIX')}"


@functools.cache
def library() -> ModuleType | None:
    """Return the compiled kernels; None where Numba is to compile. Raises EngineError where they cannot be loaded."""
    given = os.environ.get(VARIABLE)
    if not given and not is_frozen():
        return None
    path = (Path(given) if given else Path(__file__).parent) / file_name()
    return load(path) if given or path.is_file() else None


def load(path: Path) -> ModuleType:
    """Load a library of kernels. Raises EngineError."""
    spec = spec_from_file_location(NAME, path, loader=ExtensionFileLoader(NAME, str(path)))
    assert spec is not None and spec.loader is not None
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError as error:
        raise EngineError("The compiled solvers cannot be loaded", str(error), "Install the program again") from error
    return module


def find(function: Function, made: ModuleType) -> Function:
    """Return what runs in a kernel's place: compiled code, or itself where only other kernels call it."""
    key = key_of(function)
    return checked(key, getattr(made, symbol_of(key)), function.__globals__) if key in FORMS else function


def checked(key: str, kernel: Function, names: Mapping[str, Any]) -> Function:
    """Return a compiled kernel that looks at its arguments first; ``names`` are those of its module.

    It raises EngineError for what the kernel was not compiled for. Arrays that only lie otherwise in memory are copied,
    and what the kernel wrote is copied back.
    """
    fits = [_fit_of(token, names) for token in FORMS[key].split()]
    count = len(fits)

    def call(*values: Any) -> Any:
        back: Back = []
        if len(values) != count:
            raise _refusal(key, f"{len(values)} arguments instead of {count}")
        try:
            ready = [fit(value, back) for fit, value in zip(fits, values, strict=True)]
        except TypeError as error:
            raise _refusal(key, str(error)) from None
        answer = kernel(*ready)
        for array, copy in back:
            if array.flags.writeable:
                array[...] = copy
        return answer

    return call


def _refusal(key: str, why: str) -> EngineError:
    return EngineError(f"The compiled solver {key} cannot take this", why, "Report this: it is a fault of the program")


def _fit_of(token: str, names: Mapping[str, Any]) -> Fit:
    """Return what checks one argument, and brings it into the form that the kernel wants."""
    if token in TUPLES:
        return _tuple_fit(names[token.rpartition(".")[2]], [_fit_of(part, names) for part in TUPLES[token].split()])
    if token == _PAIR:
        return _tuple_fit(tuple, [_whole, _whole])
    if "[" in token:
        return _array_fit(token)
    return _whole if token == "i8" else _number


def _whole(value: Any, back: Back) -> Any:
    if isinstance(value, _WHOLE):
        return value
    raise TypeError(f"{type(value).__name__} instead of a whole number")


def _number(value: Any, back: Back) -> Any:
    if isinstance(value, _NUMBER):
        return value
    raise TypeError(f"{type(value).__name__} instead of a number")


def _array_fit(token: str) -> Fit:
    kind, ndim = _TYPES[token[:2]], token.count(":") - 1

    def fit(value: Any, back: Back) -> Any:
        if not isinstance(value, np.ndarray) or value.dtype != kind or value.ndim != ndim:
            found = f"{value.dtype} in {value.ndim} dimensions" if isinstance(value, np.ndarray) else type(value)
            raise TypeError(f"{found} instead of {kind} in {ndim}")
        if value.flags.c_contiguous:
            return value
        back.append((value, np.ascontiguousarray(value)))
        return back[-1][1]

    return fit


def _tuple_fit(kind: Any, fits: list[Fit]) -> Fit:
    def fit(value: Any, back: Back) -> Any:
        if type(value) is not kind or len(value) != len(fits):
            raise TypeError(f"{type(value).__name__} instead of {kind.__name__} of {len(fits)}")
        before = len(back)
        ready = [part(one, back) for part, one in zip(fits, value, strict=True)]
        # Only what had to be copied is a tuple of its own: a walk has many fields.
        return value if len(back) == before else kind(*ready) if kind is not tuple else tuple(ready)

    return fit


def modules() -> Iterator[str]:
    """Yield the names of the modules that the kernels are in."""
    for short in sorted({key.partition(".")[0] for key in FORMS}):
        yield f"engine.games.{short}" if short == "batch_jit" else f"engine.games.solvers.{short}"
