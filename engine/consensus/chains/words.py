"""What a negotiation leaves for chains that are asked later, also by a program that was not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from engine.consensus.negotiation.voices import Voice
from engine.consensus.participants import Participant, Proposal
from engine.consensus.results import ConsensusResult, Equivocation, Verdict


@dataclass(frozen=True, slots=True, eq=False)
class Words:
    """Each agent's last proposal by its name, also of those that were left out, and how the negotiation went.

    The fields below ``proposals`` are as in a ConsensusResult.
    """

    proposals: Mapping[str, Proposal]
    converged: bool
    convergence_rate: float
    iterations: int
    seconds: float
    verdicts: tuple[Verdict, ...] = ()
    evidence: tuple[Equivocation, ...] = ()  # not kept: every chain has its own

    @classmethod
    def of(cls, voices: Sequence[Voice], agreed: ConsensusResult) -> Self:
        """Return what voices said last. What is no position of the task at all was judged, and is left out."""
        said = {voice.agent_id: _plain(voice.last, agreed.task.dims) for voice in voices}
        return cls(
            {name: proposal for name, proposal in said.items() if proposal is not None},
            agreed.converged,
            agreed.convergence_rate,
            agreed.iterations,
            agreed.seconds,
            agreed.verdicts,
            agreed.evidence,
        )

    def voices(self, participants: Sequence[Participant]) -> list[Voice]:
        """Return those of the participants that said something: they say it again, and are asked nothing."""
        heard = [Voice(participant) for participant in participants if participant.agent_id in self.proposals]
        for voice in heard:
            voice.last, voice.settled = self.proposals[voice.agent_id], True
        return heard

    def to_json(self) -> dict[str, Any]:
        """Return a JSON form, vectors in full precision."""
        return {
            "proposals": {name: [each.position.tolist(), each.confidence] for name, each in self.proposals.items()},
            "converged": bool(self.converged),
            "convergence_rate": float(self.convergence_rate),
            "iterations": int(self.iterations),
            "seconds": float(self.seconds),
            "verdicts": [asdict(verdict) for verdict in self.verdicts],
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """Read what ``to_json`` gives."""
        said = {
            name: Proposal(np.array(row, dtype=np.float64), sure) for name, (row, sure) in value["proposals"].items()
        }
        verdicts = tuple(Verdict(**item) for item in value["verdicts"])
        return cls(**{**value, "proposals": said, "verdicts": verdicts})


def _plain(said: Proposal | None, dims: int) -> Proposal | None:
    """Return a proposal in numbers (d,), None for what is none."""
    try:
        position, sure = np.array(said.position, dtype=np.float64), float(said.confidence)  # type: ignore[union-attr]
    except Exception:  # whatever a foreign agent gave instead
        return None
    return Proposal(position, sure) if position.shape == (dims,) else None
