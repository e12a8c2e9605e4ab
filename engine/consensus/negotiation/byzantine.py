"""Agents that do not keep to the protocol, for tests and to watch what becomes of them.

Any participant can be made to misbehave, and to stop again, while a round runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import LIMIT, from_fixed, pack, to_fixed, unpack
from engine.consensus.messages import Domain, Key, PositionMessage, SignedPosition, position_hash
from engine.consensus.participants import Participant, Proposal, Signer
from engine.consensus.tasks import Task
from engine.core.hashing import keccak
from engine.games.games import Floats

HONEST = "honest"
BEHAVIOURS = {
    "outlier": "It proposes a position as far from all others as the task allows.",
    "colluding": "It proposes what all colluding agents have agreed on, with full confidence.",
    "silent": "It does not answer.",
    "equivocating": "It tells some of its peers another position than the others, and signs both.",
    "wrong_signature": "Its signatures are of a key that is not its own.",
    "stale_nonce": "It signs with a nonce that is used up.",
    "nan": "Its position holds no numbers.",
}
_SIGNING = ("equivocating", "wrong_signature", "stale_nonce")


class Misbehaving:
    """A participant with a ``behaviour`` that can be changed at any time; "honest" is the participant itself."""

    def __init__(self, honest: Participant, behaviour: str = HONEST) -> None:
        self._honest = honest
        self.become(behaviour)

    def become(self, behaviour: str) -> None:
        """Behave so from the next question on. Raises ConsensusError for a behaviour that there is not."""
        if behaviour != HONEST and behaviour not in BEHAVIOURS:
            known = ", ".join((HONEST, *BEHAVIOURS))
            raise ConsensusError(f"There is no behaviour {behaviour!r}", f"known are {known}")
        self.behaviour = behaviour

    @property
    def agent_id(self) -> str:
        """The honest one's name."""
        return self._honest.agent_id

    @property
    def strategy(self) -> str:
        """The honest one's strategy."""
        return self._honest.strategy

    @property
    def signer(self) -> Signer:
        """The honest one's signer."""
        return self._honest.signer

    async def propose(self, task: Task, state: Floats | None, iteration: int) -> Proposal:
        """Return what the behaviour makes of the honest proposal."""
        if self.behaviour == "silent":
            await asyncio.Event().wait()
        if self.behaviour == "colluding":
            return Proposal(_target(task))
        honest = await self._honest.propose(task, state, iteration)
        if self.behaviour == "nan":
            return Proposal(np.full(task.dims, np.nan), honest.confidence)
        if self.behaviour == "outlier":
            return Proposal(_farthest(task, honest.position if state is None else state))
        if self.behaviour in _SIGNING:  # nothing is signed unless it changes
            return Proposal(honest.position, honest.confidence * (1.0 - 1e-4 * (iteration % 1_000)))
        return honest

    async def learn(self, task: Task, outcome: Floats) -> None:
        """Let the honest one learn."""
        await self._honest.learn(task, outcome)

    def announce(self, message: PositionMessage, packed: bytes, domain: Domain) -> Sequence[SignedPosition]:
        """Return what it tells its peers when it is to sign ``message``."""
        signer = self.signer
        if self.behaviour == "wrong_signature":
            return (SignedPosition(message, packed, Key(keccak(message.agent.encode())).sign(message, domain)),)
        if self.behaviour == "stale_nonce":
            message = replace(message, nonce=(message.nonce - 1) % (1 << 32))
        words = [SignedPosition(message, packed, signer.sign(message, domain))]
        if self.behaviour == "equivocating":
            twisted = _twisted(packed)
            other = replace(message, position_hash=position_hash(twisted))
            words.append(SignedPosition(other, twisted, signer.sign(other, domain)))
        return words


def misbehave(participant: Participant, behaviour: str = HONEST) -> Misbehaving:
    """Return the participant with a behaviour, to be changed by ``become``. Raises ConsensusError."""
    if isinstance(participant, Misbehaving):
        participant.become(behaviour)
        return participant
    return Misbehaving(participant, behaviour)


def _farthest(task: Task, seen: Floats) -> Floats:
    """Return the point of the space that is farthest from a position (d,)."""
    if task.space == "simplex":
        return _corner(task, int(np.argmin(seen)))
    if task.space == "box":
        return np.where(np.asarray(seen) < 0.5, 1.0, 0.0)
    return np.where(np.asarray(seen) < 0, 1.0, -1.0) * (LIMIT - 1.0)


def _corner(task: Task, coordinate: int) -> Floats:
    corner = np.zeros(task.dims)
    corner[coordinate] = 1.0
    return corner


def _target(task: Task) -> Floats:
    """Return what colluding agents agree on without a word: a point that the task's hash gives."""
    seed = np.frombuffer(keccak(b"collusion" + task.hash), dtype="<u4")
    if task.space == "simplex":
        return _corner(task, int(seed[0]) % task.dims)
    bits = np.random.default_rng(seed).integers(0, 2, task.dims).astype(np.float64)
    return bits if task.space == "box" else (2.0 * bits - 1.0) * (LIMIT / 2.0)


def _twisted(packed: bytes) -> bytes:
    """Return another position of the same kind: the coordinates backwards, or the first one shifted if that is none."""
    values = unpack(packed)[::-1]
    if pack(values) == packed:
        moved = from_fixed(values)
        moved[0] += -0.25 if moved[0] > 0.5 else 0.25
        values = to_fixed(moved)
    return pack(values)
