"""The off-chain phase: agents propose, sign what they propose, and play best responses until nobody wants to move.

Steps of iteration t:
1. Every agent is asked for its proposal, all at once and with one deadline; who does not answer blocks nobody.
2. Whose proposal changed signs it for round t, and what it tells its peers is compared.
3. Outliers are outvoted (:mod:`engine.consensus.negotiation.judging`).
4. One after another they move to their best response, from the first to the last and back.
It has converged when the largest relative regret is at most the threshold and no proposal moved by more than that
(squared, relative to the box around all). Then those who remain sign their position for the chain (round 0).

Whatever an agent does wrong leaves it out with a verdict; nothing of that stops the others while a quorum remains.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from engine.consensus.config import ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import MILLION
from engine.consensus.messages import NEVER, ON_CHAIN, Domain, PositionMessage, SignedPosition, position_hash
from engine.consensus.negotiation.agreement import Agreement, dissolved, quorum_of
from engine.consensus.negotiation.equilibrium import START_WEIGHT, WeightedGame, capped
from engine.consensus.negotiation.judging import Fault, Ideal, ideals_of, least_distance, outliers, word_of
from engine.consensus.participants import Participant, Proposal
from engine.consensus.results import Equivocation, Iteration, Verdict
from engine.consensus.tasks import Task
from engine.core.turns import own_turn
from engine.games.games import Floats
from engine.games.results import Step
from engine.games.trace import TraceDigest

MAX_AGENTS = 1_024
NEAR = 0.01  # of the distance within which nobody is an outlier: moves are small beside that
GRACE_S = 0.5  # for agents to take note that they are not waited for any more
Hook = Callable[[int], Awaitable[None]]
OnIteration = Callable[[Iteration], Awaitable[None] | None]
OnVerdict = Callable[[Verdict], None]


@dataclass(slots=True, eq=False)
class _Seat:
    """An agent in the round: its last proposal, whether it moved, and where it stands in play (d,)."""

    participant: Participant
    name: str
    address: str
    weight: int
    nonce: int
    ideal: Ideal | None = None
    signed: Ideal | None = None
    moved: float = np.inf
    position: Floats | None = None
    final: SignedPosition | None = None


@dataclass(slots=True)
class _Log:
    verdicts: list[Verdict] = field(default_factory=list)
    evidence: list[Equivocation] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    trace: TraceDigest = field(default_factory=TraceDigest)
    converged: bool = False


class Negotiation:
    """One round off chain. ``nonces`` and ``weights`` are by agent; ``deadline`` is that of the signatures.

    ``everybody``: how many agents came, of whom more than half must remain, where some are not even seated.
    ``before(iteration)`` is awaited before each iteration: a round is paused, stepped or slowed there. ``on_iteration``
    may be a coroutine function. With a ``domain`` of a chain the agents sign their last position for it.
    """

    def __init__(
        self,
        task: Task,
        task_hash: bytes,
        participants: Sequence[Participant],
        config: ConsensusConfig,
        *,
        domain: Domain | None = None,
        nonces: Mapping[str, int] | None = None,
        weights: Mapping[str, int] | None = None,
        deadline: int = NEVER,
        everybody: int = 0,
        on_iteration: OnIteration | None = None,
        on_verdict: OnVerdict | None = None,
        before: Hook | None = None,
    ) -> None:
        self._task = task
        self._hash = task_hash
        self._config = config
        self._domain = domain or Domain()
        self._deadline = deadline
        self._on_iteration = on_iteration
        self._on_verdict = on_verdict
        self._before = before
        self._seats = _seats(participants, nonces or {}, weights or {})
        self._everybody = max(everybody, len(self._seats))
        self._log = _Log()
        self._outvoted: list[Ideal] = []
        self._consensus: Floats | None = None
        self._diagonal = 0.0
        self._same_game: WeightedGame | None = None  # while nobody revises or is left out
        needed = self._needed()
        if len(self._seats) < needed:
            why = f"{len(self._seats)} came, {needed} are needed"
            raise ConsensusError("There are too few agents for a consensus", why)

    async def run(self) -> Agreement:
        """Negotiate to the end. Cancelling ends it within GRACE_S."""
        for number in range(1, self._config.max_iterations + 1):
            if self._before is not None:
                await self._before(number)
            await self._ask(number)
            if number == 1:
                await own_turn()  # now everybody signs for the first time, which takes as long as to hear them all
            self._announce(number)
            self._outvote(number)
            if not self._quorate():
                break
            await self._play(number)
            if self._settled():
                self._log.converged = True
                break
        if self._quorate() and self._domain.chain_id:
            self._sign_for_chain()
        return self._agreement()

    # Asking ------------------------------------------------------------------------------------------------------

    async def _ask(self, number: int) -> None:
        """Take everybody's proposal; who gives none that can be used is out."""
        asked = {asyncio.ensure_future(self._proposal(seat, number)): seat for seat in self._seats}
        try:
            await asyncio.sleep(0)  # most answer at once: they need not be watched
            slow = [answer for answer in asked if not answer.done()]
            if slow:
                await asyncio.wait(slow, timeout=self._config.answer_timeout)
        finally:
            late = [answer for answer in asked if not answer.done()]
            await dismiss(late)
        answered = [(answer, seat) for answer, seat in asked.items() if not (late and answer in late)]
        for answer in late:
            found = Fault("silent", f"no answer within {self._config.answer_timeout:g} s")
            self._judge(asked[answer], found, number)
        self._hear(answered, number)

    async def _proposal(self, seat: _Seat, number: int) -> Proposal:
        """Return an agent's proposal; whatever is wrong with it is wrong in a task of its own."""
        state = None if self._consensus is None else self._consensus.copy()
        return await seat.participant.propose(self._task, state, number)

    def _hear(self, answered: Sequence[tuple[asyncio.Future[Proposal], _Seat]], number: int) -> None:
        told: list[tuple[_Seat, Proposal]] = []
        for answer, seat in answered:
            error = asyncio.CancelledError() if answer.cancelled() else answer.exception()
            if error is None:
                told.append((seat, answer.result()))
            else:
                self._judge(seat, Fault("failed", f"{type(error).__name__}: {error}"[:200]), number)
        found = ideals_of(self._task, [(proposal, seat.ideal) for seat, proposal in told])
        for (seat, _), made in zip(told, found, strict=True):
            self._take(seat, made, number)

    def _take(self, seat: _Seat, found: Ideal | Fault, number: int) -> None:
        if isinstance(found, Fault):
            self._judge(seat, found, number)
            return
        before, seat.ideal = seat.ideal, found
        if found is before:
            seat.moved = 0.0
            return
        seat.moved = np.inf if before is None else float(np.linalg.norm(found.position - before.position))
        self._same_game = None

    # Judging -----------------------------------------------------------------------------------------------------

    def _announce(self, number: int) -> None:
        """Let those sign whose proposal changed, and compare what they tell their peers."""
        for seat in tuple(self._seats):
            assert seat.ideal is not None
            if not seat.ideal.same(seat.signed):
                word = self._word(seat, number)
                if isinstance(word, Fault):
                    self._judge(seat, word, number)
                seat.signed = seat.ideal

    def _word(self, seat: _Seat, number: int) -> SignedPosition | Fault:
        assert seat.ideal is not None
        ideal = seat.ideal
        message = PositionMessage(
            self._hash,
            seat.address,
            position_hash(ideal.packed),
            ideal.confidence,
            number,
            seat.nonce,
            self._deadline,
        )
        try:
            announce = getattr(seat.participant, "announce", None)
            if announce is None:
                signature = seat.participant.signer.sign(message, self._domain)
                told: Sequence[Any] = (SignedPosition(message, ideal.packed, signature),)
            else:
                told = tuple(announce(message, ideal.packed, self._domain))
        except Exception as error:  # whatever a foreign signer raises is its own fault, not the round's
            return Fault("failed", f"it could not sign: {type(error).__name__}")
        return word_of(SignedPosition(message, ideal.packed, b""), told, self._domain)

    def _outvote(self, number: int) -> None:
        """Leave out who is far from all others; those who were left out before still count for what is far."""
        if self._same_game is not None:
            return
        here, before = tuple(self._seats), [ideal.position for ideal in self._outvoted]
        everybody = np.concatenate([self._ideals(), before]) if before else self._ideals()
        for row, why in outliers(self._task, everybody).items():
            seat = here[row] if row < len(here) else None
            if seat is not None and seat.ideal is not None:
                self._outvoted.append(seat.ideal)
                self._judge(seat, Fault("outlier", why), number)

    def _judge(self, seat: _Seat, fault: Fault, number: int) -> None:
        """Leave an agent out from here on, and say why."""
        self._seats.remove(seat)
        self._same_game = None
        verdict = Verdict(seat.name, fault.reason, number, fault.detail)
        self._log.verdicts.append(verdict)
        if fault.evidence is not None:
            found = fault.evidence
            self._log.evidence.append(Equivocation(seat.name, found.first, found.second))
        if self._on_verdict is not None:
            self._on_verdict(verdict)

    def _needed(self) -> int:
        return quorum_of(self._config, self._everybody)

    def _quorate(self) -> bool:
        return len(self._seats) >= self._needed()

    # Playing -----------------------------------------------------------------------------------------------------

    def _ideals(self) -> Floats:
        rows = [seat.ideal.position for seat in self._seats if seat.ideal is not None]
        return np.stack(rows) if rows else np.empty((0, self._task.dims))

    def _confidences(self) -> Floats:
        return np.array([seat.ideal.confidence for seat in self._seats if seat.ideal is not None]) / MILLION

    def _game(self) -> WeightedGame:
        if self._same_game is None:
            weights = np.array(capped([seat.weight for seat in self._seats]), dtype=np.float64)
            self._same_game = WeightedGame(self._ideals(), self._confidences(), weights, self._config.coupling)
        return self._same_game

    async def _play(self, number: int) -> None:
        game = self._game()
        pairs = zip(self._seats, game.ideals, strict=True)
        before = np.stack([ideal if seat.position is None else seat.position for seat, ideal in pairs])
        if number == 1:
            self._log.gaps.append(game.gap(before))
        positions = game.there_and_back(before)
        for seat, position in zip(self._seats, positions, strict=True):
            seat.position = position
        self._consensus, self._diagonal = game.consensus(), game.diagonal()
        gap = game.gap(positions)
        self._log.gaps.append(gap)
        self._log.trace.update(Step(number, (game.ideals, positions, self._consensus), gap))
        if self._on_iteration is not None:
            names = tuple(seat.name for seat in self._seats)
            told = self._on_iteration(Iteration(number, names, game.ideals, positions, self._consensus, gap))
            if inspect.isawaitable(told):
                await told

    def _settled(self) -> bool:
        threshold = self._config.convergence_threshold
        assert self._consensus is not None
        moved = max(seat.moved for seat in self._seats)
        # Agents that come ever closer to each other have agreed, however small the box around them is.
        size = max(self._diagonal, NEAR * least_distance(self._task, self._consensus))
        return self._log.gaps[-1] <= threshold and moved**2 <= threshold * size**2

    # Ending ------------------------------------------------------------------------------------------------------

    def _sign_for_chain(self) -> None:
        for seat in tuple(self._seats):
            word = self._word(seat, ON_CHAIN)
            if isinstance(word, Fault):
                self._judge(seat, word, ON_CHAIN)
            else:
                seat.final = word

    def _agreement(self) -> Agreement:
        log, names = self._log, tuple(seat.name for seat in self._seats)
        iterations = max(0, len(log.gaps) - 1)
        kept: dict[str, Any] = {
            "iterations": iterations,
            "evidence": tuple(log.evidence),
            "trace": log.trace.hexdigest(),
        }
        if not self._quorate():
            return dissolved(names, self._everybody, self._needed(), self._task.dims, log.verdicts, **kept)
        return Agreement(
            agents=names,
            ideals=self._ideals(),
            confidences=self._confidences(),
            reputations=tuple(seat.weight for seat in self._seats),
            coupling=self._config.coupling,
            converged=log.converged,
            convergence_rate=_rate(log.gaps),
            message="" if log.converged else self._unsettled(),
            verdicts=tuple(log.verdicts),
            signed=tuple(seat.final for seat in self._seats if seat.final is not None),
            **kept,
        )

    def _unsettled(self) -> str:
        limit, threshold = self._config.max_iterations, self._config.convergence_threshold
        if self._log.gaps[-1] > threshold:
            return f"The gap is {self._log.gaps[-1]:.3g} after {limit} iterations, more than {threshold:g}."
        restless = max(self._seats, key=lambda seat: seat.moved).name
        return f"Agents still revise their proposals after {limit} iterations, most of all {restless}."


def _seats(participants: Sequence[Participant], nonces: Mapping[str, int], weights: Mapping[str, int]) -> list[_Seat]:
    if len(participants) > MAX_AGENTS:
        raise ConsensusError("There are too many agents", f"{len(participants)}; a round has at most {MAX_AGENTS}")
    seats = []
    for participant in participants:
        name = participant.agent_id
        weight = weights.get(name, START_WEIGHT)
        if weight < 1:
            raise ConsensusError(f"The weight of {name} cannot be used", f"{weight} is below 1")
        seats.append(_Seat(participant, name, participant.signer.address, weight, nonces.get(name, 0)))
    for what, values in (("name", [seat.name for seat in seats]), ("address", [seat.address for seat in seats])):
        twice = sorted({value for value in values if values.count(value) > 1})
        if twice:
            raise ConsensusError(f"Two agents have the same {what}", twice[0], "Every agent needs its own.")
    return seats


def _rate(gaps: Sequence[float]) -> float:
    """Return the share of the gap that an iteration took away, as a geometric mean, in [0, 1]."""
    if not gaps:
        return 0.0
    if gaps[0] <= 0 or gaps[-1] <= 0:
        return 1.0
    return float(np.clip(1.0 - (gaps[-1] / gaps[0]) ** (1 / (len(gaps) - 1)), 0.0, 1.0))


async def dismiss(late: Sequence[asyncio.Future[Any]]) -> None:
    """Cancel what is not waited for any more; what does not mind being cancelled is left after GRACE_S."""
    for answer in late:
        answer.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # nobody else takes note of it
        answer.cancel()
    if late:
        await asyncio.wait(late, timeout=GRACE_S)
