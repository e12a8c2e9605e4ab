"""How fast agents agree off chain, beside plain ways to the same end, measured in the same run.

``nashboard bench consensus`` loads this file from the source tree and calls :func:`measure` and :func:`describe`. A
negotiation is everything but the models: asking, signing, checking signatures, judging, playing to the gap of 1e-6,
the exact equilibrium and its verification. Nothing here asserts a time.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import scipy.linalg
from eth_account import Account
from eth_account.messages import encode_typed_data

from app.commands.output import table
from engine.consensus.config import ConsensusConfig
from engine.consensus.fixed import pack, to_fixed
from engine.consensus.messages import NEVER, Domain, Key, PositionMessage, position_hash
from engine.consensus.negotiation.agreement import Agreement
from engine.consensus.negotiation.equilibrium import WeightedGame
from engine.consensus.negotiation.talks import Negotiation
from engine.consensus.participants import Proposal
from engine.consensus.tasks import Task
from engine.core.hashing import keccak
from engine.games.verify import gap_of

AGENTS, DIMS, EPSILON = 100, 64, 1e-6
GOAL_MS = 16.0
PHASES = ("asking", "signing", "checking", "judging", "playing", "verifying")


class Agent:
    """A participant whose model takes no time."""

    strategy = "pure"

    def __init__(self, number: int, proposal: Proposal, spent: dict[str, float]) -> None:
        self.agent_id = f"agent_{number}"
        self.address = (key := Key(keccak(self.agent_id.encode()))).address
        self.signer = self
        self._key, self._proposal, self._spent = key, proposal, spent

    async def propose(self, task: Task, state: Any, iteration: int) -> Proposal:
        return self._proposal

    async def learn(self, task: Task, outcome: Any) -> None:
        return None

    def sign(self, message: PositionMessage, domain: Domain) -> bytes:
        began = time.perf_counter()
        signature = self._key.sign(message, domain)
        self._spent["signing"] += time.perf_counter() - began
        return signature


class Timed(Negotiation):
    """A negotiation that says where its time goes; ``spent`` in seconds."""

    spent: dict[str, float]

    async def _ask(self, number: int) -> None:
        began = time.perf_counter()
        await super()._ask(number)
        self.spent["asking"] += time.perf_counter() - began

    def _announce(self, number: int) -> None:
        began, signing = time.perf_counter(), self.spent["signing"]
        super()._announce(number)
        self.spent["checking"] += time.perf_counter() - began - (self.spent["signing"] - signing)

    def _outvote(self, number: int) -> None:
        began = time.perf_counter()
        super()._outvote(number)
        self.spent["judging"] += time.perf_counter() - began

    async def _play(self, number: int) -> None:
        began = time.perf_counter()
        await super()._play(number)
        self.spent["playing"] += time.perf_counter() - began


def game_of(agents: int = AGENTS, dims: int = DIMS, seed: int = 0) -> WeightedGame:
    """Return the game that is measured: ideals in the unit box, reputations and confidences that differ."""
    random = np.random.default_rng(seed)
    weights = random.integers(50, 200, agents).astype(np.float64)
    return WeightedGame(random.random((agents, dims)), random.uniform(0.5, 1.0, agents), weights, 0.01)


async def negotiate(game: WeightedGame, spent: dict[str, float]) -> tuple[Agreement, float, float]:
    """Return what a round of such agents comes to, its seconds, and those that the processor worked for it."""
    count, dims = game.ideals.shape
    task = Task("bench", {}, tuple(map(str, range(dims))), "box", b"\x01" * 32)
    pairs = zip(game.ideals, game.confidences, strict=True)
    agents = [Agent(number, Proposal(*pair), spent) for number, pair in enumerate(pairs)]
    weights = {agent.agent_id: int(game.weights[i]) for i, agent in enumerate(agents)}
    config = ConsensusConfig(convergence_threshold=EPSILON, coupling=game.coupling)
    began, idle = time.perf_counter(), time.process_time()
    negotiation = Timed(task, task.hash, agents, config, weights=weights)
    negotiation.spent = spent
    made = await negotiation.run()
    checked = time.perf_counter()
    assert made.gap <= EPSILON and made.converged and len(made.agents) == count
    spent["verifying"] += time.perf_counter() - checked
    return made, time.perf_counter() - began, time.process_time() - idle


def negotiate_plainly(game: WeightedGame) -> np.ndarray:
    """Do the same by the definition: eth-account signs and recovers, and everybody moves over all pairs."""
    domain = Domain()
    for number, ideal in enumerate(game.ideals):
        account = Account.from_key(keccak(f"agent_{number}".encode()))
        hashed = position_hash(pack(to_fixed(ideal)))
        message = PositionMessage(b"\x01" * 32, account.address, hashed, 10**6, 1, 0, NEVER)
        encoded = encode_typed_data(domain.fields(), message.TYPES, message.message())
        assert Account.recover_message(encoded, signature=account.sign_message(encoded).signature) == account.address
    return iterate(game)


def iterate(game: WeightedGame) -> np.ndarray:
    """Return where simultaneous best responses over the matrix of influence come to a gap of EPSILON."""
    whole = game.to_game()
    here, ranges = game.ideals, whole.ranges()
    while (gap_of(whole, tuple(here)).regrets / ranges).max() > EPSILON:
        here = whole.best_responses(here)
    return here


def by_numpy(game: WeightedGame) -> np.ndarray:
    """Return the equilibrium by numpy.linalg.solve."""
    matrix, right = _system(game)
    return np.linalg.solve(matrix, right)


def by_scipy(game: WeightedGame) -> np.ndarray:
    """Return the equilibrium by scipy's LU."""
    matrix, right = _system(game)
    return np.asarray(scipy.linalg.solve(matrix, right, overwrite_a=True, overwrite_b=True, check_finite=False))


def _system(game: WeightedGame) -> tuple[np.ndarray, np.ndarray]:
    matrix = np.tile(-game.coupling * game.weights, (len(game.weights), 1))
    np.fill_diagonal(matrix, game.confidences + game.coupling * (game.weights.sum() - game.weights))
    return matrix, game.confidences[:, None] * game.ideals


def measure(note: Callable[[str], None] = lambda _: None, *, seconds: float = 1.5) -> dict[str, Any]:
    """Return all rows, ready for JSON; each measurement takes about ``seconds``."""
    game, rows, spent = game_of(), [], dict.fromkeys(PHASES, 0.0)
    note(f"{AGENTS} agents x {DIMS} dimensions negotiate")
    times: list[float] = []
    worked: list[float] = []
    with asyncio.Runner() as runner:
        runner.run(negotiate(game, dict(spent)))
        until = time.perf_counter() + seconds
        while not times or time.perf_counter() < until:
            made, took, busy = runner.run(negotiate(game, spent))
            times.append(took)
            worked.append(busy)
    plain = _median(lambda: negotiate_plainly(game), seconds / 3)
    name = f"negotiation of {AGENTS} x {DIMS} to a gap of {EPSILON:g}, signed"
    line = row(name, median(times) * 1e3, "eth-account and all pairs", plain, goal_ms=GOAL_MS)
    rows.append(
        {
            **line,
            "best_ms": min(times) * 1e3,
            "cpu_ms": median(worked) * 1e3,
            "iterations": made.iterations,
            "gap": made.gap,
        }
    )
    rows += [row(f"  of that: {phase}", spent[phase] / len(times) * 1e3, "", None) for phase in PHASES]
    for count in (AGENTS, 1_000):
        note(f"the equilibrium of {count} agents")
        game = game_of(count)
        ours = _median(game.equilibrium, seconds / 3)
        for peer, work in (
            ("best responses", iterate),
            ("numpy.linalg.solve", by_numpy),
            ("scipy.linalg.solve", by_scipy),
        ):
            if count == AGENTS or work is by_numpy:
                apart = float(np.abs(work(game) - game.equilibrium()).max())
                took = _median(lambda work=work, game=game: work(game), seconds / 3)
                rows.append({**row(f"equilibrium of {count} x {DIMS}", ours, peer, took), "apart": apart})
    return {"processors": os.cpu_count(), "rows": rows}


def row(
    name: str, ours_ms: float, peer_name: str, peer_ms: float | None, *, goal_ms: float | None = None
) -> dict[str, Any]:
    """One line, in milliseconds; ``ratio`` above 1: ours is faster."""
    ratio = None if peer_ms is None else peer_ms / ours_ms
    met = None if goal_ms is None else ours_ms <= goal_ms
    line = {"name": name, "ours_ms": ours_ms, "peer_name": peer_name, "peer_ms": peer_ms, "ratio": ratio}
    return {**line, "goal_ms": goal_ms, "met": met}


def describe(value: dict[str, Any]) -> str:
    """Return the rows as a text table."""
    cells = [
        (
            line["name"],
            _duration(line["ours_ms"]),
            line["peer_name"],
            "" if line["peer_ms"] is None else _duration(line["peer_ms"]),
            "" if line["ratio"] is None else f"{line['ratio']:,.3g}x",
            "" if line["goal_ms"] is None else _duration(line["goal_ms"]),
            "" if line["met"] is None else "met" if line["met"] else "missed",
        )
        for line in value["rows"]
    ]
    first = value["rows"][0]
    about = f"{value['processors']} processors, medians; the quickest negotiation took {_duration(first['best_ms'])}"
    about += f", the median {_duration(first['cpu_ms'])} of processor time"
    return f"{about}, in {first['iterations']} iterations\n\n" + table(
        ("", "ours", "peer", "", "ratio", "goal", ""), cells
    )


def _median(work: Callable[[], Any], seconds: float) -> float:
    work()
    times: list[float] = []
    until = time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return median(times) * 1e3


def _duration(milliseconds: float) -> str:
    if milliseconds >= 1000:
        return f"{milliseconds / 1000:.3g} s"
    return f"{milliseconds:.3g} ms" if milliseconds >= 0.1 else f"{milliseconds * 1000:.3g} us"
