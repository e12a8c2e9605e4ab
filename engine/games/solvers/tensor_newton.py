"""Newton's method on a support: the actions in use pay alike, the probabilities of each player sum to one.

As many equations as unknowns (the probabilities and each player's payoff), solved in fp64 on the game cut down to the
support. What comes out is an equilibrium only where nothing is negative and no other action pays more: see
:func:`polish`, which takes it only where it is better than what was there.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats
from engine.games.solvers.tensor_form import TensorForm, payoffs_and_jacobian, regrets_of

MOST_TURNS = 16
CLOSE, NEAR = 1e-13, 1e-8  # a correction that small ends it; one that is as small as rounding lets it be
WILD = 1e3  # a probability that large ends it in failure
CUT_DOWN = 20_000  # payoffs in all from which a game is worth cutting down to the support
THRESHOLDS = (1e-9, 1e-3, 1e-5)  # of the likeliest action's probability: below, an action is out of use


def restrict(form: TensorForm, keep: NDArray[np.bool_]) -> TensorForm:
    """Return the game in which only the actions marked in ``keep`` (width,) exist, payoffs as before."""
    marks = [np.flatnonzero(keep[a:b]) for a, b in zip(form.starts, form.starts[1:], strict=False)]
    sizes = np.array([mark.size for mark in marks], dtype=np.int64)
    payoffs = np.empty((sizes.size, int(np.prod(sizes))))
    for player, row in enumerate(form.payoffs):
        order = [player, *(other for other in range(sizes.size) if other != player)]
        tensor = row.reshape([int(form.sizes[other]) for other in order])
        payoffs[player] = tensor[np.ix_(*(marks[other] for other in order))].ravel()
    starts = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    return TensorForm(payoffs, sizes, starts, form.players, tuple(int(size) for size in sizes))


def newton(form: TensorForm, flat: Floats, turns: int = MOST_TURNS) -> tuple[bool, Floats]:
    """Return whether the equations of a full support were solved from ``flat``, and where it ended.

    Where the matrix is singular, the smallest correction is taken.
    """
    width, count = form.width, form.sizes.size
    owner = np.repeat(np.arange(count), form.sizes)
    border = (owner[:, None] == np.arange(count)).astype(np.float64)
    point, levels, before = flat.copy(), np.zeros(count), 1.0
    for _ in range(turns):
        payoffs, slopes = payoffs_and_jacobian(form, point)
        matrix = np.block([[slopes, -border], [border.T, np.zeros((count, count))]])
        values = np.concatenate((payoffs - levels[owner], np.add.reduceat(point, form.starts[:-1]) - 1.0))
        correction = np.linalg.lstsq(matrix, values, rcond=1e-12)[0]
        point -= correction[:width]
        levels -= correction[width:]
        if not np.abs(point).max() <= WILD:
            return False, point
        moved = float(np.abs(correction).max())
        if moved <= CLOSE or (moved <= NEAR and moved > 0.25 * before):
            return True, point
        before = moved
    return False, point


def polish(form: TensorForm, flat: Floats, regrets: float, *, least: float = 0.0) -> tuple[Floats, float]:
    """Return the better one of ``flat`` and what Newton makes of it on its support, and the sum of regrets there.

    ``regrets`` is that sum at ``flat``. ``least``: a sum that is good enough to stop.
    """
    if form.width == 0:
        return flat, regrets
    best = np.repeat(np.maximum.reduceat(flat, form.starts[:-1]), form.sizes)
    tried: list[bytes] = []
    for threshold in THRESHOLDS:
        keep = flat > threshold * best
        if keep.tobytes() in tried:
            continue
        tried.append(keep.tobytes())
        new = newton_on(form, keep, flat)
        if new is None:
            continue
        found = float(regrets_of(form, new, action_payoffs(form, new)).sum())
        if found < regrets:
            flat, regrets = new, found
        if regrets <= least:
            break
    return flat, regrets


def newton_on(form: TensorForm, keep: NDArray[np.bool_], flat: Floats, *, singular: bool = True) -> Floats | None:
    """Return the solution on a support near ``flat``, as a profile of the whole game; None where there is none.

    ``singular``: try again with smallest corrections where the support is not regular.
    """
    from engine.games.solvers.tensor_newton_jit import newton as compiled_newton

    part = np.where(keep, flat, 0.0)
    part /= np.repeat(np.add.reduceat(part, form.starts[:-1]), form.sizes)
    small = restrict(form, keep) if form.payoffs.size > CUT_DOWN else None
    new = part.copy() if small is None else part[keep]
    if small is None:
        well = compiled_newton(form.payoffs, form.sizes, form.starts, keep, new, MOST_TURNS)
    else:
        well = compiled_newton(small.payoffs, small.sizes, small.starts, np.ones(new.size, bool), new, MOST_TURNS)
    if not well and singular:
        well, new = newton(small or restrict(form, keep), part[keep])
    if not well or new.min() < -1e-9:
        return None
    if new.size < form.width:
        part[keep] = new
        new = part
    new = np.maximum(new, 0.0)
    return np.asarray(new / np.repeat(np.add.reduceat(new, form.starts[:-1]), form.sizes))


def action_payoffs(form: TensorForm, flat: Floats) -> Floats:
    """Return every action's payoff, by the compiled contraction."""
    from engine.games.solvers.tensor_form_jit import contract

    payoffs, slopes = np.empty(form.width), np.empty((form.width, form.width))
    contract(form.payoffs, form.sizes, form.starts, flat, payoffs, slopes)
    return payoffs
