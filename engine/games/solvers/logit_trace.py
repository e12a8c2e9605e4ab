"""A logit path being followed, in the part of the game that still matters.

An action whose probability has fallen below what changes anybody's payoff in fp64 is left out of the equations; its
own probability follows from its payoff. Where it comes back, so does the path: to before that was missed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.games.games import Floats
from engine.games.solvers import logit_reference as reference
from engine.games.solvers.tensor_form import TensorForm
from engine.games.solvers.tensor_newton import action_payoffs, restrict

COMPILED_WIDTH = 300  # above, LAPACK is faster than the compiled elimination
SPAN = 6  # points from one look at the actions left out to the next
LEAVES, BACK = -60.0, -40.0  # log-probability below which an action is left out, above which it comes back
WORTH = 0.8  # cut the game down when so much of its outcomes, or less, is left


class Trace:
    """A path through the quantal response equilibria of ``whole``, from ``prior``, log-probabilities, at lambda 0.

    ``keep`` (width,): the actions in the equations; ``state``: as in :func:`logit_reference.first_state`, of these.
    """

    def __init__(self, whole: TensorForm, prior: Floats, compiled: bool = True) -> None:
        """Begin at lambda 0."""
        self.whole = self.form = whole
        self.prior = prior
        self.keep: NDArray[np.bool_] = np.ones(whole.width, dtype=bool)
        self.state = reference.first_state(whole, prior)
        self._compiled = compiled

    @property
    def pace(self) -> float:
        """Lambda, for payoffs from 0 to 1."""
        return float(self.state[self.form.width])

    @property
    def flat(self) -> Floats:
        """The quantal response equilibrium at the point reached."""
        made = np.zeros(self.whole.width)
        made[self.keep] = np.exp(self.state[: self.form.width])
        return made

    def advance(self, steps: int, until: float) -> tuple[int, int]:
        """Go on by at most ``steps`` points or to lambda ``until``; return how it ended and how many they were."""
        done = 0
        while True:
            self._leave_out()
            ended, taken = self._walk(min(SPAN, steps - done), until)
            done += taken
            if ended != reference.WENT_ON or done >= steps or self.pace >= until:
                return ended, done

    def _walk(self, steps: int, until: float) -> tuple[int, int]:
        """Walk in the part of the game, again with more of it until no action left out has come back."""
        while True:
            begin = self.state.copy()
            ended, done = self._walk_on(steps, until)
            if self.keep.all():
                return ended, done
            back = ~self.keep & (self._logs() > BACK)
            if not back.any():
                return ended, done
            self.state = begin
            self._cut(self.keep | back)

    def _walk_on(self, steps: int, until: float) -> tuple[int, int]:
        form, prior = self.form, self.prior[self.keep]
        if not self._compiled or form.width > COMPILED_WIDTH:
            return reference.advance(form, prior, self.state, steps, until)
        from engine.games.solvers import logit_jit

        return logit_jit.advance(form.payoffs, form.sizes, form.starts, prior, self.state, steps, until)

    def _leave_out(self) -> None:
        """Leave out what is hardly played, if that makes the game much smaller."""
        keep = self.keep.copy()
        keep[self.keep] = self.state[: self.form.width] > LEAVES
        sizes = np.add.reduceat(keep, self.whole.starts[:-1], dtype=np.int64)
        if np.prod(sizes / self.form.sizes) <= WORTH:
            self._cut(keep)

    def _logs(self) -> Floats:
        """Return the log-probability of every action; of those left out by what their payoffs make of lambda."""
        payoffs = action_payoffs(self.whole, self.flat)
        logs = np.full(self.whole.width, -np.inf)
        logs[self.keep] = self.state[: self.form.width]
        for begin, end in zip(self.whole.starts, self.whole.starts[1:], strict=False):
            best = begin + int(np.argmax(logs[begin:end]))
            own = np.arange(begin, end)[~self.keep[begin:end]]
            logs[own] = logs[best] + self.pace * (payoffs[own] - payoffs[best]) + self.prior[own] - self.prior[best]
        return logs

    def _cut(self, keep: NDArray[np.bool_]) -> None:
        """Write the equations for the actions in ``keep`` from here on; the same point, direction and step in space."""
        width = self.form.width
        logs, pace = self._logs(), self.pace
        tangent = np.zeros(self.whole.width)
        tangent[self.keep] = self.state[width + 1 : 2 * width + 1]
        ahead = np.append(tangent[keep], self.state[2 * width + 1])
        step, sign = self.state[-2], self.state[-1]
        self.form = self.whole if keep.all() else restrict(self.whole, keep)
        point = np.append(logs[keep], pace)
        if (keep & ~self.keep).any():
            _, matrix = reference.equations(self.form, self.prior[keep], point)
            regular, solved = reference.signed_solve(np.vstack((matrix, ahead)), np.eye(point.size)[:, -1:])
            ahead = solved[:, 0] if regular else ahead
        else:
            step *= reference.length(ahead, point)
        self.keep = keep
        self.state = np.concatenate((point, ahead / reference.length(ahead, point), [step, sign]))
