"""A league over its rounds: ratings that go on, promotion and relegation by capital, who won when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.league.accounts import Accounts
from engine.league.config import Tier
from engine.league.history import EntryRow, History, MatchRow, RatingRow, RoundRow, TierRow
from engine.league.ratings import Rating, rate
from engine.league.schedule import SOLO
from engine.league.table import Standing

LIVE_GAMES = 1_000  # rated anew at every look
Game = tuple[str, str | None, int, int | None]


@dataclass(frozen=True, slots=True)
class Move:
    """An agent whose capital opens another tier than before; "" is none. ``up`` is a promotion."""

    agent: str
    sha256: str
    before: str
    after: str

    @property
    def up(self) -> bool:
        """Whether the agent was promoted."""
        return _level(self.after) > _level(self.before)


@dataclass(frozen=True, slots=True)
class SeasonRound:
    """One round of a season: its winner (empty while it is not played), who moved between tiers."""

    round_id: str
    number: int
    state: str
    system: str
    format: str
    agents: int
    matches: int
    winner: str
    moves: tuple[Move, ...]


@dataclass(frozen=True, slots=True)
class SeasonLine:
    """An agent over a season: rank by round (None: not there, or disqualified), sums, rating after the last round.

    Rounds that were rejected count in nothing but the ranks.
    """

    agent: str
    sha256: str
    ranks: tuple[int | None, ...]
    rounds: int
    wins: int
    points: float
    reward_wei: int
    disqualified: int
    rating: float | None
    tier: str


@dataclass(frozen=True, slots=True)
class Season:
    """All rounds of the leagues of one name, and the agents by reward, then by points."""

    name: str
    rounds: tuple[SeasonRound, ...]
    lines: tuple[SeasonLine, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; amounts in wei are decimal text."""
        data = asdict(self)
        data["lines"] = [{**asdict(line), "reward_wei": str(line.reward_wei)} for line in self.lines]
        return data


class Seasons:
    """Keeps what goes on from round to round."""

    def __init__(self, history: History) -> None:
        self._history = history

    def games(
        self, row: RoundRow, entries: Sequence[EntryRow], matches: Sequence[MatchRow]
    ) -> tuple[dict[str, Rating], list[Game]]:
        """Return the league's ratings before a round, and the round's games, as :func:`rate` takes them."""
        if row.config["format"] == SOLO:
            return {}, []
        known = self._history.latest_ratings(row.name, row.number)
        before = {sha: Rating(r.rating, r.deviation, r.volatility) for sha, r in known.items()}
        games = [
            (entries[m.a].sha256, None if m.b is None else entries[m.b].sha256, m.score_a, m.score_b)
            for m in matches
            if m.outcome != "VOID"
        ]
        return before, games

    def keep_ratings(self, round_id: str, ratings: Mapping[str, Rating]) -> None:
        """Write the league's ratings after a round; the caller holds the transaction."""
        self._history.add_ratings(
            round_id, (RatingRow(key, r.rating, r.deviation, r.volatility) for key, r in ratings.items())
        )

    def ratings(self, row: RoundRow, entries: Sequence[EntryRow], matches: Sequence[MatchRow]) -> dict[str, Rating]:
        """Return the ratings after a round; of one that is being played, as far as it is, unless it is long."""
        stored = self._history.ratings(row.round_id)
        if stored or len(matches) > LIVE_GAMES:
            return {key: Rating(r.rating, r.deviation, r.volatility) for key, r in stored.items()}
        return rate(*self.games(row, entries, matches))

    def note_capital(self, round_id: str, entries: Sequence[EntryRow], accounts: Accounts) -> None:
        """Keep which tier each agent's capital opens, at the opening of a round and again after its settlement.

        The caller holds the transaction.
        """
        before = {tier.sha256: tier.before for tier in self._history.tiers(round_id)}
        tiers = []
        for entry in entries:
            now = highest_tier(accounts.balance(entry.address).capital)
            tiers.append(TierRow(entry.sha256, before.get(entry.sha256, now), now))
        self._history.add_tiers(round_id, tiers)

    def moves(self, round_id: str) -> tuple[Move, ...]:
        """Return who was promoted and relegated by a round's settlement."""
        names = {entry.sha256: entry.name for entry in self._history.entries(round_id)}
        tiers = self._history.tiers(round_id)
        return tuple(Move(names[t.sha256], t.sha256, t.before, t.after) for t in tiers if t.before != t.after)

    def season(self, name: str, tables: Sequence[tuple[RoundRow, str, tuple[Standing, ...]]]) -> Season:
        """Return the season of a league from its rounds with their states and tables, in order."""
        rounds, lines = [], dict[str, list[Standing | None]]()
        for place, (row, state, table) in enumerate(tables):
            rounds.append(self._round(row, state, table))
            for standing in table:
                lines.setdefault(standing.sha256, [None] * len(tables))[place] = standing
        ratings = self._history.latest_ratings(name, len(tables) + 1_000_000)
        found = [self._line(sha256, line, ratings.get(sha256), tables) for sha256, line in lines.items()]
        return Season(name, tuple(rounds), tuple(sorted(found, key=lambda x: (-x.reward_wei, -x.points, x.agent))))

    def _round(self, row: RoundRow, state: str, table: tuple[Standing, ...]) -> SeasonRound:
        entries, matches = self._history.counts(row.round_id)
        winner = ", ".join(line.agent for line in table if line.rank == 1) if row.results_hash else ""
        title, form = row.config["title"], row.config["format"]
        moves = self.moves(row.round_id)
        return SeasonRound(row.round_id, row.number, state, title, form, entries, matches, winner, moves)

    def _line(
        self,
        sha256: str,
        places: Sequence[Standing | None],
        rating: RatingRow | None,
        tables: Sequence[tuple[RoundRow, str, tuple[Standing, ...]]],
    ) -> SeasonLine:
        there = [standing for standing in places if standing is not None]
        counts = [s for (_, state, _), s in zip(tables, places, strict=True) if s and state != "rejected"]
        paid = [s.reward_wei for (_, state, _), s in zip(tables, places, strict=True) if s and state == "settled"]
        tiers = [t for row, _, _ in tables for t in self._history.tiers(row.round_id) if t.sha256 == sha256]
        return SeasonLine(
            agent=there[-1].agent,
            sha256=sha256,
            ranks=tuple(standing.rank if standing else None for standing in places),
            rounds=len(counts),
            wins=sum(standing.rank == 1 for standing in counts),
            points=sum(standing.points for standing in counts),
            reward_wei=sum(paid),
            disqualified=sum(standing.disqualified for standing in there),
            rating=rating.rating if rating else None,
            tier=tiers[-1].after if tiers else "",
        )


def highest_tier(capital: int) -> str:
    """Return the highest tier that a capital in wei opens, "" when it opens none."""
    return next((tier.label for tier in reversed(Tier) if capital >= tier.min_stake), "")


def _level(label: str) -> int:
    return next((place for place, tier in enumerate(Tier, 1) if tier.label == label), 0)
