"""One equilibrium of a polymatrix game: the linear program where it is zero-sum, else Howson's pivoting, then logit."""

from __future__ import annotations

from engine.games.games import PolymatrixGame
from engine.games.options import SolveOptions
from engine.games.results import Outcome, Steps
from engine.games.solvers import howson, polymatrix_lp
from engine.games.solvers.bimatrix import after

_TRACEABLE = 1 << 22  # payoffs in tensor form up to which logit tracing is tried


def steps(game: PolymatrixGame, options: SolveOptions) -> Steps:
    """Run through the phases until one reaches epsilon; ``Step.note`` names the one."""
    done, messages = 0, []
    answers: list[tuple[float, str, Outcome]] = []
    for method in ("polymatrix-lp", "howson", "logit"):
        phase = _phase(method, game, options)
        if phase is None:
            continue
        outcome = yield from after(done, phase)
        done += outcome.iterations
        messages += [f"{method}: {outcome.message}"] if outcome.message else []
        if outcome.profiles:
            gap = float((game.regrets(outcome.profiles[0]) / game.ranges()).sum())
            answers.append((gap, method, outcome))
            if gap <= options.epsilon:
                break
    if not answers:
        return Outcome(iterations=done, complete=False, message="; ".join(messages))
    gap, method, best = min(answers, key=lambda answer: answer[0])
    reached = gap <= options.epsilon
    message = "" if reached else "; ".join(messages)
    return Outcome(best.profiles, iterations=done, complete=reached, method=method, message=message)


def _phase(method: str, game: PolymatrixGame, options: SolveOptions) -> Steps | None:
    if method == "howson":
        return howson.steps(game, options)
    if method == "polymatrix-lp":
        edges = polymatrix_lp.pairwise_zero_sum(game)
        return None if edges is None else polymatrix_lp.program(game, edges, options)
    outcomes = 1.0
    for size in game.sizes:
        outcomes *= size
    if outcomes * len(game.sizes) > _TRACEABLE:
        return None
    from engine.games.solvers import logit

    return logit.steps(game.to_tensor(), options)
