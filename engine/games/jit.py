"""Numba with types: the twins of the clear solvers are compiled once and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile a function of arrays and numbers without Python objects; it releases the interpreter lock."""
    made: Any = numba.njit(cache=True, nogil=True)(function)
    return cast("Callable[P, R]", made)


def compiled_ieee(function: Callable[P, R]) -> Callable[P, R]:
    """Compile like :func:`compiled`; division by zero gives infinity or NaN, as in NumPy: faster loops."""
    made: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast("Callable[P, R]", made)


def compiled_parallel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile like :func:`compiled`, with the ``numba.prange`` loops spread over the cores."""
    made: Any = numba.njit(cache=True, nogil=True, parallel=True)(function)
    return cast("Callable[P, R]", made)
