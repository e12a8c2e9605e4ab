"""Linear programs, solved by HiGHS through its own interface (highspy)."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from engine.games.games import Floats
from engine.games.solvers.sparse import SparseRows


class Program(NamedTuple):
    """Minimise ``cost @ x`` with ``least <= rows @ x <= most`` and ``lower <= x <= upper``; bounds may be infinite."""

    cost: Floats
    rows: SparseRows
    least: Floats
    most: Floats
    lower: Floats
    upper: Floats


class Solution(NamedTuple):
    """What HiGHS found: ``x`` is None where it has no feasible point; ``message`` says in its words how it ended."""

    x: Floats | None
    optimal: bool
    timed_out: bool
    message: str
    iterations: int


def minimise(program: Program, *, tolerance: float, time_limit_s: float = math.inf, presolve: bool = True) -> Solution:
    """Solve a program; ``tolerance`` is by how much bounds, and optimality, may be missed."""
    import highspy  # ten milliseconds, and few methods need it

    engine: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (
        ("output_flag", False),
        ("threads", 1),  # its simplex uses one, and would start others all the same
        ("primal_feasibility_tolerance", tolerance),
        ("dual_feasibility_tolerance", tolerance),
        ("time_limit", time_limit_s),
        ("presolve", "on" if presolve else "off"),
    ):
        engine.setOptionValue(option, value)
    if engine.passModel(_model(highspy, program)) == highspy.HighsStatus.kError:
        return Solution(None, False, False, "numbers too large or too many", 0)
    engine.run()
    status, info = engine.getModelStatus(), engine.getInfo()
    feasible = info.primal_solution_status == highspy.kSolutionStatusFeasible
    return Solution(
        x=np.array(engine.getSolution().col_value) if feasible else None,
        optimal=status == highspy.HighsModelStatus.kOptimal,
        timed_out=status == highspy.HighsModelStatus.kTimeLimit,
        message=str(engine.modelStatusToString(status)).lower(),
        iterations=max(0, info.simplex_iteration_count) or max(0, info.ipm_iteration_count),
    )


def _model(highspy: Any, program: Program) -> Any:
    model, rows = highspy.HighsLp(), program.rows
    model.num_col_, model.num_row_ = len(program.cost), len(program.least)
    model.col_cost_, model.col_lower_, model.col_upper_ = program.cost, program.lower, program.upper
    model.row_lower_, model.row_upper_ = program.least, program.most
    matrix = model.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kRowwise
    matrix.num_col_, matrix.num_row_ = model.num_col_, model.num_row_
    matrix.start_, matrix.index_, matrix.value_ = rows.starts, rows.columns, rows.values
    return model
