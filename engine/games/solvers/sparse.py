"""Matrices of mostly zeros, row by row: what linear programs take, and products with vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats

Places = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class SparseRows:
    """Row i holds ``values[starts[i]:starts[i + 1]]`` in the ``columns`` of these places; all else is zero."""

    values: Floats
    columns: Places
    starts: Places
    width: int

    @classmethod
    def of(cls, matrix: Floats) -> SparseRows:
        """Return what is not zero of a matrix."""
        rows, columns = np.nonzero(matrix)
        return cls._sorted(rows, columns, matrix[rows, columns], matrix.shape)

    @classmethod
    def from_entries(
        cls, rows: NDArray[np.intp], columns: NDArray[np.intp], values: Floats, shape: tuple[int, int]
    ) -> SparseRows:
        """Return the matrix of these entries, each place given once; entries that are zero are left out."""
        kept = np.flatnonzero(values)
        order = kept[np.argsort(rows[kept], kind="stable")]
        return cls._sorted(rows[order], columns[order], values[order], shape)

    @classmethod
    def _sorted(
        cls, rows: NDArray[np.intp], columns: NDArray[np.intp], values: Floats, shape: tuple[int, ...]
    ) -> SparseRows:
        starts = np.zeros(shape[0] + 1, np.int32)
        np.cumsum(np.bincount(rows, minlength=shape[0]), out=starts[1:])
        return cls(np.ascontiguousarray(values, np.float64), columns.astype(np.int32), starts, shape[1])

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return len(self.values)

    def __matmul__(self, x: Floats) -> Floats:
        """Return the product with a vector (width,), or with several side by side (width, d)."""
        from engine.games.solvers.sparse_jit import multiply_rows

        columns = np.ascontiguousarray(np.atleast_2d(x.T), np.float64)
        made = np.empty((len(columns), len(self.starts) - 1))
        multiply_rows(self.values, self.columns, self.starts, columns, made)
        return made[0] if x.ndim == 1 else made.T
