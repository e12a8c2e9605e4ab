"""Claims: match bundles in which owners say what their agents scored, judged by the replayed match."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.league.bundle import Bundle, read_bundle
from engine.league.errors import LeagueError
from engine.league.events import AgentSlashed
from engine.league.history import ClaimRow, Disqualification, EntryRow, History, MatchRow, RoundRow
from engine.league.rounds import slash
from engine.league.schedule import Fixture
from engine.league.settlement import Settlement, StoredRound


@dataclass(frozen=True, slots=True)
class ClaimOutcome:
    """What became of a claim. ``slashed`` is set when this very claim was found false; ``honest`` when it holds."""

    agent: str
    fixture: int
    claimed: int
    replayed: int
    honest: bool
    slashed: AgentSlashed | None
    note: str

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "agent": self.agent,
            "fixture": self.fixture,
            "claimed": self.claimed,
            "replayed": self.replayed,
            "honest": self.honest,
            "slashed_wei": self.slashed.wei if self.slashed else "0",
            "note": self.note,
        }


@dataclass(frozen=True, slots=True)
class HandedIn:
    """A claim as its owner hands it in: a bundle, whose scores are what it claims."""

    name: str
    bundle: Bundle

    @property
    def agent(self) -> str:
        """The hash of the agent that claims: the one the bundle's claim names, else the one on the first seat."""
        named = (self.bundle.claim or {}).get("agent")
        return named if isinstance(named, str) else self.bundle.match.agents[0]

    def row(self, fixture: int, seat: int) -> ClaimRow:
        """Return the claim's row for the agent's seat in the roster."""
        match = self.bundle.match
        scores = dict(zip(match.agents, match.scores, strict=False))
        return ClaimRow(fixture, seat, scores.get(self.agent, 0), self.bundle.commitment, self.name)


class Claims:
    """Judges claims on the rounds of one store."""

    def __init__(self, history: History) -> None:
        self._history = history

    def read(self, paths: Sequence[Path]) -> list[HandedIn]:
        """Read the bundles handed in. Raises BundleError for a damaged one.

        A commitment that does not bind the claimed score is no damage (the container's checksums tell that) but
        part of a false claim.
        """
        return [HandedIn(path.name, read_bundle(path, bound=False)) for path in paths]

    def enter(
        self, row: RoundRow, claims: Sequence[HandedIn], entries: Sequence[EntryRow], fixtures: Sequence[Fixture]
    ) -> None:
        """Write the claims of a round that opens, in the caller's transaction; they are judged as it is played."""
        for claim in claims:
            entry, fixture = _place(claim, row, entries, fixtures)
            self._history.add_claim(row.round_id, claim.row(fixture, entry.seat))

    def submit(self, stored: StoredRound, claim: HandedIn, settlement: Settlement) -> ClaimOutcome:
        """Judge a claim on a played round. Raises LeagueError when the round is not open to claims."""
        row = stored.row
        if row.state != "played":
            why = {"settled": "it is settled", "rejected": "it was rejected"}
            raise LeagueError("The round takes no claims now", why.get(row.state, "it is not played to its end"))
        fixtures = [Fixture(m.fixture, m.a, m.b, m.seed) for m in stored.matches if m.outcome != "BYE"]
        entry, index = _place(claim, row, stored.entries, fixtures)
        match = next(m for m in stored.matches if m.fixture == index)
        replayed = _score(match, entry.seat)
        claimed = claim.row(index, entry.seat)
        outcome = ClaimOutcome(entry.name, index, claimed.score, replayed, claimed.score == replayed, None, "")
        if outcome.honest:
            return replace(outcome, note="the claim is what the replay gives")
        if claimed.score == _posted(stored, index, entry.seat):
            raise LeagueError(
                "The host posted the score that is claimed", f"the replay gives {replayed}", "Dispute the round."
            )
        return self._punish(stored, entry, claimed, outcome, settlement)

    def _punish(
        self, stored: StoredRound, entry: EntryRow, claim: ClaimRow, outcome: ClaimOutcome, settlement: Settlement
    ) -> ClaimOutcome:
        round_id = stored.row.round_id
        found = Disqualification(entry.seat, claim.fixture, claim.score, outcome.replayed)
        with settlement.transaction():
            if any(item.seat == entry.seat for item in self._history.disqualifications(round_id)):
                return replace(outcome, note="the agent is disqualified already; nobody is slashed twice")
            self._history.replace_claim(round_id, claim)
            event = slash(self._history, settlement.accounts, round_id, entry, found)
            settlement.prove(stored, found)
        return replace(outcome, slashed=event, note="the replay gives another score: slashed and disqualified")


def _score(match: MatchRow, seat: int) -> int:
    if seat == match.a:
        return match.score_a
    assert match.score_b is not None
    return match.score_b


def _posted(stored: StoredRound, fixture: int, seat: int) -> int:
    """Return what the host posted for a seat, which of a dishonest one is not what was played."""
    leaf = stored.commitment.leaves[stored.leaf_index(fixture)]
    return leaf.d_a if seat == leaf.a else leaf.d_b


def _place(
    claim: HandedIn, row: RoundRow, entries: Sequence[EntryRow], fixtures: Sequence[Fixture]
) -> tuple[EntryRow, int]:
    """Return the agent and the fixture that a claim speaks of. Raises LeagueError when it is no match of the round."""
    what, match = f"{claim.name} is no match of this round", claim.bundle.match
    if match.system != row.system:
        raise LeagueError(what, "it was played on another System")
    if match.budget != row.config["budget"]:
        raise LeagueError(what, f"it was played with a budget of {match.budget} gas, not {row.config['budget']}")
    if match.params != row.config["params"]:
        raise LeagueError(what, f"it was played with the parameters {match.params}, not {row.config['params']}")
    by_hash = {entry.sha256: entry for entry in entries}
    strangers = [sha256 for sha256 in match.agents if sha256 not in by_hash]
    if strangers or claim.agent not in match.agents:
        raise LeagueError(what, f"the agent {(strangers or [claim.agent])[0]} does not take part")
    seats: list[int | None] = [by_hash[sha256].seat for sha256 in match.agents]
    pairing = [*seats, None][:2]
    fixture = next((f.index for f in fixtures if [f.a, f.b] == pairing and f.seed == match.seed), None)
    if fixture is None:
        raise LeagueError(what, f"{by_hash[claim.agent].name} plays no match with the seed {match.seed}")
    return by_hash[claim.agent], fixture
