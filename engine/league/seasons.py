"""A league over its rounds: ratings that go on, promotion and relegation by capital, who won when."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.core.turns import own_turn
from engine.league.accounts import Accounts
from engine.league.config import Tier
from engine.league.history import EntryRow, History, MatchRow, RatingRow, RoundRow, TierRow
from engine.league.ratings import Rating, rate
from engine.league.results import RoundResult, RoundSummary
from engine.league.schedule import SOLO
from engine.league.table import Standing

LIVE_GAMES = 1_000  # rated anew at every look
PIECE = 100  # rounds that are summed up in one turn of the loop
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
        self._kept_of = ""
        self._kept: dict[str, _Part] = {}

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

    async def season(self, name: str, rounds: Sequence[RoundSummary], read: Callable[[str], RoundResult]) -> Season:
        """Return the season of a league from its rounds, in order. ``read`` gives a round with its table.

        It takes as many turns of the loop as it needs. Rounds that stand still are kept: a season is read again
        whenever one of them moves.
        """
        kept = self._kept if self._kept_of == name else {}
        sums: dict[str, _Sums] = {}
        parts: dict[str, _Part] = {}
        for place, summary in enumerate(rounds):
            part = kept.get(summary.round_id)
            if part is None or part.summary != summary:
                await own_turn()
                part = self._part(summary, read(summary.round_id))
            elif place % PIECE == PIECE - 1:
                await own_turn()
            parts[summary.round_id] = part
            for standing in part.table:
                sums.setdefault(standing.sha256, _Sums(standing.sha256, len(rounds))).add(place, part, standing)
        self._kept_of, self._kept = name, {key: part for key, part in parts.items() if part.stands}
        ratings = self._history.latest_ratings(name, rounds[-1].number + 1)
        lines = [one.line(ratings.get(sha256)) for sha256, one in sums.items()]
        lines.sort(key=lambda line: (-line.reward_wei, -line.points, line.agent))
        return Season(name, tuple(part.round for part in parts.values()), tuple(lines))

    def _part(self, summary: RoundSummary, result: RoundResult) -> _Part:
        title = self._history.round(summary.round_id).config["title"]
        winner = ", ".join(line.agent for line in result.standings if line.rank == 1) if result.results_hash else ""
        moves = self.moves(summary.round_id)
        shown = SeasonRound(
            summary.round_id,
            summary.number,
            summary.state,
            title,
            result.format,
            summary.agents,
            summary.done,
            winner,
            moves,
        )
        tiers = {tier.sha256: tier.after for tier in self._history.tiers(summary.round_id)}
        return _Part(summary, shown, result.standings, tiers)


@dataclass(frozen=True, slots=True)
class _Part:
    """What a round adds to its season; ``tiers`` are those that the agents' capital opens after it."""

    summary: RoundSummary
    round: SeasonRound
    table: tuple[Standing, ...]
    tiers: Mapping[str, str]

    @property
    def stands(self) -> bool:
        """Whether nothing in it can move any more; a played round's agents may yet be disqualified."""
        return self.summary.state in ("settled", "rejected")


class _Sums:
    """An agent's line of a season, while it is summed up in the order of the rounds."""

    def __init__(self, sha256: str, rounds: int) -> None:
        self._sha256 = sha256
        self._agent = self._tier = ""
        self._ranks: list[int | None] = [None] * rounds
        self._rounds = self._wins = self._reward = self._disqualified = 0
        self._points = 0.0

    def add(self, place: int, part: _Part, standing: Standing) -> None:
        """Add its line of the table of the round at a place."""
        self._agent = standing.agent
        self._ranks[place] = standing.rank
        self._disqualified += standing.disqualified
        self._tier = part.tiers.get(self._sha256, self._tier)
        state = part.summary.state
        if state != "rejected":
            self._rounds += 1
            self._wins += standing.rank == 1
            self._points += standing.points
        if state == "settled":
            self._reward += standing.reward_wei

    def line(self, rating: RatingRow | None) -> SeasonLine:
        """Return the sums."""
        return SeasonLine(
            agent=self._agent,
            sha256=self._sha256,
            ranks=tuple(self._ranks),
            rounds=self._rounds,
            wins=self._wins,
            points=self._points,
            reward_wei=self._reward,
            disqualified=self._disqualified,
            rating=rating.rating if rating else None,
            tier=self._tier,
        )


def highest_tier(capital: int) -> str:
    """Return the highest tier that a capital in wei opens, "" when it opens none."""
    return next((tier.label for tier in reversed(Tier) if capital >= tier.min_stake), "")


def _level(label: str) -> int:
    return next((place for place, tier in enumerate(Tier, 1) if tier.label == label), 0)
