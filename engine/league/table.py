"""The table of a round: ranks, results, tie-breaks, and who scored what against whom."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from engine.league.history import Disqualification, EntryRow, MatchRow
from engine.league.ratings import Rating
from engine.league.rewards import payouts


@dataclass(frozen=True, slots=True)
class TieBreaks:
    """What orders agents of equal score: ``buchholz`` is the points of all opponents, ``sonneborn_berger`` those of the
    beaten and half of those drawn with; then who won more."""

    buchholz: float = 0.0
    sonneborn_berger: float = 0.0
    wins: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """An agent's line in the table. ``rank`` is None for the disqualified; ``reward_wei`` is what it earns.

    The rank goes by ``score``, the sum of the match scores, then by the tie-breaks; rewards are shared equally by
    agents of equal score. With an opponent, ``points`` are 1 a match won or without opponent and 1/2 a drawn one;
    solo, a finished match counts as won, one lost by fault as lost, and the points are the score. A VOID match
    counts as played alone. ``rating`` and its ``deviation`` are Glicko-2's, None where nobody was rated.
    """

    seat: int
    agent: str
    sha256: str
    owner: str
    address: str
    rank: int | None
    played: int
    won: int
    drawn: int
    lost: int
    byes: int
    points: float
    score: int
    tiebreaks: TieBreaks
    rating: float | None
    deviation: float | None
    disqualified: bool
    reward_wei: int


@dataclass(frozen=True, slots=True)
class Cell:
    """What one agent did against another: matches won, drawn and lost, and its score in them."""

    won: int = 0
    drawn: int = 0
    lost: int = 0
    score: int = 0


@dataclass(slots=True)
class _Line:
    played: int = 0
    won: int = 0
    drawn: int = 0
    lost: int = 0
    byes: int = 0
    score: int = 0
    beaten: Counter[int] = field(default_factory=Counter)
    drew: Counter[int] = field(default_factory=Counter)
    met: Counter[int] = field(default_factory=Counter)

    def points(self, solo: bool) -> float:
        return float(self.score) if solo else self.won + self.drawn / 2 + self.byes


def standings(
    entries: Sequence[EntryRow],
    matches: Sequence[MatchRow],
    disqualified: Sequence[Disqualification],
    pot: int,
    *,
    solo: bool,
    ratings: Mapping[str, Rating] | None = None,
) -> tuple[Standing, ...]:
    """Return the table: by rank, the disqualified last, fully equal ones by name. ``ratings`` are by module hash."""
    lines = _lines(len(entries), matches, solo)
    out = {item.seat for item in disqualified}
    rewards = payouts([line.score for line in lines], out, pot).wei
    breaks = _tiebreaks(lines, solo)
    ranks = _ranks(lines, breaks, out)
    found = []
    for entry in entries:
        line, seat = lines[entry.seat], entry.seat
        rating = ratings.get(entry.sha256) if ratings else None
        found.append(
            Standing(
                seat=seat,
                agent=entry.name,
                sha256=entry.sha256,
                owner=entry.owner,
                address=entry.address,
                rank=ranks.get(seat),
                played=line.played,
                won=line.won,
                drawn=line.drawn,
                lost=line.lost,
                byes=line.byes,
                points=line.points(solo),
                score=line.score,
                tiebreaks=breaks[seat],
                rating=rating.rating if rating else None,
                deviation=rating.deviation if rating else None,
                disqualified=seat in out,
                reward_wei=rewards[seat],
            )
        )
    return tuple(sorted(found, key=lambda line: (line.rank is None, line.rank or 0, line.agent)))


def crosstable(matches: Sequence[MatchRow]) -> Mapping[tuple[int, int], Cell]:
    """Return what each seat did against each other: (seat, opponent) -> Cell. Byes and VOID matches are left out."""
    cells: dict[tuple[int, int], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for match in matches:
        if match.b is None or match.score_b is None or match.outcome == "VOID":
            continue
        pairs = ((match.a, match.b, match.score_a, match.score_b), (match.b, match.a, match.score_b, match.score_a))
        for own, other, mine, theirs in pairs:
            cell = cells[own, other]
            cell[0 if mine > theirs else 1 if mine == theirs else 2] += 1
            cell[3] += mine
    return {pair: Cell(*cell) for pair, cell in cells.items()}


def _lines(size: int, matches: Sequence[MatchRow], solo: bool) -> list[_Line]:
    lines = [_Line() for _ in range(size)]
    for match in matches:
        first = lines[match.a]
        first.score += match.score_a
        if match.outcome == "BYE":
            first.byes += 1
            continue
        first.played += 1
        if match.b is not None and match.score_b is not None:
            second = lines[match.b]
            second.score += match.score_b
            second.played += 1
        if match.outcome != "VOID":
            _count(lines, match, solo)
    return lines


def _count(lines: list[_Line], match: MatchRow, solo: bool) -> None:
    """Enter who won. In solo the only opponent is the game: to finish is to win."""
    if solo or match.b is None or match.score_b is None:
        lines[match.a].won += match.outcome == "FINISHED"
        lines[match.a].lost += match.outcome == "LOSS"
        return
    pairs = ((match.a, match.b, match.score_a, match.score_b), (match.b, match.a, match.score_b, match.score_a))
    for own, other, mine, theirs in pairs:
        line = lines[own]
        line.met[other] += 1
        if mine > theirs:
            line.won += 1
            line.beaten[other] += 1
        elif mine == theirs:
            line.drawn += 1
            line.drew[other] += 1
        else:
            line.lost += 1


def _tiebreaks(lines: Sequence[_Line], solo: bool) -> list[TieBreaks]:
    points = [line.points(solo) for line in lines]
    return [
        TieBreaks(
            sum(points[other] * times for other, times in line.met.items()),
            sum(points[other] * times for other, times in line.beaten.items())
            + sum(points[other] * times for other, times in line.drew.items()) / 2,
            line.won,
        )
        for line in lines
    ]


def _ranks(lines: Sequence[_Line], breaks: Sequence[TieBreaks], out: set[int]) -> dict[int, int]:
    """Return the ranks from 1; those equal in everything share the better one."""

    def key(seat: int) -> tuple[int, float, float, int]:
        own = breaks[seat]
        return (-lines[seat].score, -own.buchholz, -own.sonneborn_berger, -own.wins)

    ranks: dict[int, int] = {}
    order = sorted((seat for seat in range(len(lines)) if seat not in out), key=key)
    for place, seat in enumerate(order):
        tied = place and key(seat) == key(order[place - 1])
        ranks[seat] = ranks[order[place - 1]] if tied else place + 1
    return ranks
