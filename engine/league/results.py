"""What a round came to: standings, its hash, what stands on chain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.core.hashing import canonical_json, sha
from engine.league.history import Disqualification, EntryRow, MatchRow, RoundRow
from engine.league.standings import Played, RoundCommitment, commit_round
from engine.league.table import Standing
from engine.store.ledger import LOCAL_BOOK

_RESULTS = b"\x07"


@dataclass(frozen=True, slots=True)
class Anchor:
    """Where the round's root stands on chain."""

    root: str
    tx: str | None
    block: int | None
    commitment_id: str | None
    contract: str


@dataclass(frozen=True, slots=True)
class RoundResult:
    """A round as the operator sees it. ``state``: playing, played, anchored, settled or rejected.

    ``done`` counts matches and byes; ``total`` is what it will be while nobody is disqualified. ``ineligible`` says
    who was kept out and why.
    """

    round_id: str
    number: int
    name: str
    state: str
    book: str
    system: str
    tier: str
    format: str
    stages: int
    params: dict[str, int]
    seed: int
    matches: int
    done: int
    total: int
    pot_wei: int
    results_hash: str | None
    standings: tuple[Standing, ...]
    disqualified: tuple[Disqualification, ...]
    anchored: Anchor | None
    ineligible: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form of the command line; amounts in wei are decimal text."""
        data = asdict(self)
        data["pot_wei"] = str(self.pot_wei)
        data["standings"] = [{**asdict(line), "reward_wei": str(line.reward_wei)} for line in self.standings]
        return data


@dataclass(frozen=True, slots=True)
class RoundSummary:
    """A round as a list shows it."""

    round_id: str
    number: int
    name: str
    state: str
    book: str
    agents: int
    done: int
    results_hash: str | None
    created: float

    @property
    def stands(self) -> bool:
        """Whether it stays so until the store says otherwise: of one that is sent to a chain only the chain tells."""
        return self.state in ("settled", "rejected") or (self.state == "played" and self.book == LOCAL_BOOK)


@dataclass(frozen=True, slots=True)
class Payout:
    """A line of the settlement's preview, in wei: the credit now, the reward, the credit after."""

    agent: str
    address: str
    before: int
    reward: int
    after: int


def results_hash(row: RoundRow, entries: Sequence[EntryRow], matches: Sequence[MatchRow], out: Sequence[int]) -> str:
    """Return the hash that the same file and modules give on any machine: it knows no addresses, names or workers.

    Every match commitment binds System, agents, seed, budget, trace and scores.
    """
    played = sorted(
        [entries[m.a].sha256, "" if m.b is None else entries[m.b].sha256, m.seed, m.commitment.hex()] for m in matches
    )
    value = {
        "format": row.config["format"],
        "params": row.config["params"],
        "system": row.system,
        "seed": row.config["seed"],
        "played": played,
        "disqualified": sorted(entries[seat].sha256 for seat in out),
    }
    return sha(_RESULTS, canonical_json(value)).hex()


def commitment_of(
    roster_size: int, matches: Sequence[MatchRow], go_on: Callable[[], object] = lambda: None
) -> RoundCommitment:
    """Return the leaves, tree and final scores of the stored matches; ``go_on`` as in :func:`commit_round`."""
    played = [Played(m.a, m.b, m.score_a, m.score_b, m.commitment) for m in matches]
    return commit_round(roster_size, played, go_on)
