"""Rounds in the store: entries, matches, claims, disqualifications. Reads and writes rows, decides nothing."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from engine.core.errors import UsageError
from engine.league.disputes.published import Publications
from engine.store.database import Store


@dataclass(frozen=True, slots=True)
class RoundRow:
    """A round as stored. ``state`` is playing, played, settled or rejected; ``config`` its settings as JSON."""

    round_id: str
    number: int
    name: str
    book: str
    config: dict[str, Any]
    system: str
    state: str
    results_hash: str | None
    root: str | None
    created: float


@dataclass(frozen=True, slots=True)
class EntryRow:
    """An agent's seat in a round; seats follow the order of the addresses."""

    seat: int
    sha256: str
    name: str
    owner: str
    address: str


@dataclass(frozen=True, slots=True)
class MatchRow:
    """A played match: seats of the roster ``a`` and ``b``, ``seat`` who lost by fault (0 or 1), scores, hashes.

    The outcome BYE stands for a match that found no opponent: ``a`` has the full score, nothing was played.
    """

    fixture: int
    a: int
    b: int | None
    seed: int
    outcome: str
    cause: str | None
    seat: int | None
    score_a: int
    score_b: int | None
    steps: int
    gas: int
    trace_root: bytes
    commitment: bytes
    stage: int = 0


@dataclass(frozen=True, slots=True)
class RatingRow:
    """An agent's rating in its league after a round."""

    sha256: str
    rating: float
    deviation: float
    volatility: float


@dataclass(frozen=True, slots=True)
class TierRow:
    """The highest tier that an agent's capital opened before a round and after its settlement; "" is none."""

    sha256: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """A score that an agent's owner claims for a match, ``evidence`` being the commitment of the claimed bundle."""

    fixture: int
    seat: int
    score: int
    evidence: bytes
    source: str


@dataclass(frozen=True, slots=True)
class Disqualification:
    """An agent that claimed a score which the replay does not give."""

    seat: int
    fixture: int
    claimed: int
    replayed: int


class History:
    """All rounds of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._db = store.db
        self._moved: set[str] = set()
        self.publications = Publications(store.db)

    @property
    def path(self) -> Path:
        """Where the store lies."""
        return self._store.path

    def next_number(self, name: str) -> int:
        """Return the number that the next round of that league gets, from 1."""
        row = self._db.execute("SELECT COALESCE(MAX(number), 0) + 1 FROM rounds WHERE name = ?", (name,)).fetchone()
        return int(row[0])

    def open_round(self, row: RoundRow, entries: Iterable[EntryRow]) -> None:
        """Write a new round and its roster."""
        self._moved.add(row.round_id)
        with self._store.transaction() as db:
            db.execute(
                "INSERT INTO rounds (round_id, number, name, book, config, system, state, created) "
                "VALUES (?,?,?,?,?,?,?,?)",
                (
                    row.round_id,
                    row.number,
                    row.name,
                    row.book,
                    json.dumps(row.config),
                    row.system,
                    row.state,
                    time.time(),
                ),
            )
            db.executemany(
                "INSERT INTO entries VALUES (?,?,?,?,?,?)",
                ((row.round_id, e.seat, e.sha256, e.name, e.owner, e.address) for e in entries),
            )

    def rounds(self) -> list[RoundRow]:
        """Return all rounds, newest first."""
        return [_round(row) for row in self._db.execute("SELECT * FROM rounds ORDER BY created DESC, number DESC")]

    def version(self) -> int:
        """Return a number that changes whenever another program, or another connection, has written."""
        return int(self._db.execute("PRAGMA data_version").fetchone()[0])

    def take_moved(self) -> set[str]:
        """Return the ids of the rounds that were written here since the last time; some may have been taken back."""
        moved = set(self._moved)
        if not self._db.in_transaction:  # else it may yet be taken back
            self._moved.clear()
        return moved

    def states(self) -> list[tuple[str, str, str | None]]:
        """Return id, state and results hash of all rounds: what tells whether one has moved."""
        return [tuple(row) for row in self._db.execute("SELECT round_id, state, results_hash FROM rounds")]

    def round(self, round_id: str) -> RoundRow:
        """Return one round, by its id or an unambiguous beginning of it. Raises UsageError."""
        # As a range, which the index answers; ids are hexadecimal.
        rows = self._db.execute(
            "SELECT * FROM rounds WHERE round_id >= ?1 AND round_id < ?1 || 'g' LIMIT 2", (round_id,)
        ).fetchall()
        if len(rows) != 1 or not round_id:
            why = "the id fits several rounds" if rows else "the store holds none of that id"
            raise UsageError(f"There is no round {round_id!r}", why, "See `nashboard league standings`.")
        return _round(rows[0])

    def find(self, round_id: str) -> RoundRow | None:
        """Return one round by its whole id, None where the store holds none."""
        row = self._db.execute("SELECT * FROM rounds WHERE round_id = ?", (round_id,)).fetchone()
        return _round(row) if row else None

    def entries(self, round_id: str) -> list[EntryRow]:
        """Return the roster of a round by seat."""
        rows = self._db.execute("SELECT * FROM entries WHERE round_id = ? ORDER BY seat", (round_id,))
        return [EntryRow(*tuple(row)[1:]) for row in rows]

    def add_matches(self, round_id: str, matches: Sequence[MatchRow]) -> None:
        """Write played matches; the caller holds the transaction. A fixture is never written twice."""
        self._db.executemany(
            "INSERT INTO matches VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                (
                    round_id,
                    m.fixture,
                    m.a,
                    m.b,
                    str(m.seed),
                    m.outcome,
                    m.cause,
                    m.seat,
                    m.score_a,
                    m.score_b,
                    m.steps,
                    m.gas,
                    m.trace_root,
                    m.commitment,
                    m.stage,
                )
                for m in matches
            ),
        )

    def matches(self, round_id: str) -> list[MatchRow]:
        """Return the played matches of a round in their order."""
        rows = self._db.execute(f"SELECT {_MATCH} FROM matches WHERE round_id = ? ORDER BY fixture", (round_id,))
        return [_match(row) for row in rows]

    def scores(self, round_id: str, roster_size: int) -> list[int]:
        """Return the sums of what each seat scored in the matches of a round."""
        rows = self._db.execute(
            "SELECT seat, SUM(score) FROM (SELECT a AS seat, score_a AS score FROM matches WHERE round_id = ?1 "
            "UNION ALL SELECT b, score_b FROM matches WHERE round_id = ?1 AND b IS NOT NULL) GROUP BY seat",
            (round_id,),
        )
        found = dict(rows.fetchall())
        return [found.get(seat) or 0 for seat in range(roster_size)]

    def by_commitment(self, commitment: bytes) -> tuple[str, int] | None:
        """Return the newest round and the fixture that hold a match commitment."""
        row = self._db.execute(
            "SELECT round_id, fixture FROM matches JOIN rounds USING (round_id) WHERE commitment = ? "
            "ORDER BY rounds.created DESC LIMIT 1",
            (commitment,),
        ).fetchone()
        return (row[0], row[1]) if row else None

    def counts(self, round_id: str) -> tuple[int, int]:
        """Return how many agents take part in a round and how many of its matches are played."""
        row = self._db.execute(
            "SELECT (SELECT COUNT(*) FROM entries WHERE round_id = ?1), "
            "(SELECT COUNT(*) FROM matches WHERE round_id = ?1)",
            (round_id,),
        ).fetchone()
        return row[0], row[1]

    def match(self, round_id: str, fixture: int) -> MatchRow | None:
        """Return one played match."""
        wanted = (round_id, fixture)
        row = self._db.execute(f"SELECT {_MATCH} FROM matches WHERE round_id = ? AND fixture = ?", wanted).fetchone()
        return _match(row) if row else None

    def add_claim(self, round_id: str, claim: ClaimRow) -> None:
        """Write a claim; the first one for a match and seat stands. The caller holds the transaction."""
        self._db.execute(
            "INSERT INTO claims VALUES (?,?,?,?,?,?) ON CONFLICT DO NOTHING",
            (round_id, claim.fixture, claim.seat, claim.score, claim.evidence, claim.source),
        )

    def replace_claim(self, round_id: str, claim: ClaimRow) -> None:
        """Write a claim over an earlier one, which held; the caller holds the transaction."""
        self._db.execute(
            "INSERT OR REPLACE INTO claims VALUES (?,?,?,?,?,?)",
            (round_id, claim.fixture, claim.seat, claim.score, claim.evidence, claim.source),
        )

    def claims(self, round_id: str) -> list[ClaimRow]:
        """Return the claims of a round in the order of the fixtures."""
        rows = self._db.execute("SELECT * FROM claims WHERE round_id = ? ORDER BY fixture, seat", (round_id,))
        return [ClaimRow(*tuple(row)[1:]) for row in rows]

    def disqualify(self, round_id: str, item: Disqualification) -> bool:
        """Write a disqualification in the caller's transaction. Returns False when the agent is out already."""
        cursor = self._db.execute(
            "INSERT INTO disqualifications VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING",
            (round_id, item.seat, item.fixture, item.claimed, item.replayed),
        )
        return cursor.rowcount > 0

    def disqualifications(self, round_id: str) -> list[Disqualification]:
        """Return the disqualified agents of a round."""
        rows = self._db.execute("SELECT * FROM disqualifications WHERE round_id = ? ORDER BY seat", (round_id,))
        return [Disqualification(*tuple(row)[1:]) for row in rows]

    def add_ratings(self, round_id: str, ratings: Iterable[RatingRow]) -> None:
        """Write the ratings after a round; the caller holds the transaction."""
        self._db.executemany(
            "INSERT OR REPLACE INTO ratings VALUES (?,?,?,?,?)",
            ((round_id, r.sha256, r.rating, r.deviation, r.volatility) for r in ratings),
        )

    def ratings(self, round_id: str) -> dict[str, RatingRow]:
        """Return the ratings after a round, by agent."""
        rows = self._db.execute("SELECT * FROM ratings WHERE round_id = ?", (round_id,))
        return {row["sha256"]: RatingRow(*tuple(row)[1:]) for row in rows}

    def latest_ratings(self, name: str, before: int) -> dict[str, RatingRow]:
        """Return the last rating of each agent in a league, in its rounds before number ``before``."""
        rows = self._db.execute(
            # SQLite takes the other columns from the row that holds the maximum.
            "SELECT sha256, rating, deviation, volatility, MAX(number) FROM rounds JOIN ratings USING (round_id) "
            "WHERE name = ? AND number < ? AND state != 'rejected' GROUP BY sha256",
            (name, before),
        )
        return {row["sha256"]: RatingRow(*tuple(row)[:-1]) for row in rows}

    def add_tiers(self, round_id: str, tiers: Iterable[TierRow]) -> None:
        """Write what each agent's capital opened before and after a round; the caller holds the transaction."""
        self._db.executemany(
            "INSERT OR REPLACE INTO capital_tiers VALUES (?,?,?,?)",
            ((round_id, t.sha256, t.before, t.after) for t in tiers),
        )

    def tiers(self, round_id: str) -> list[TierRow]:
        """Return what each agent's capital opened before and after a round."""
        rows = self._db.execute("SELECT * FROM capital_tiers WHERE round_id = ? ORDER BY sha256", (round_id,))
        return [TierRow(*tuple(row)[1:]) for row in rows]

    def count(self, book: str, state: str) -> int:
        """Return how many rounds of a book are in a state."""
        row = self._db.execute("SELECT COUNT(*) FROM rounds WHERE book = ? AND state = ?", (book, state)).fetchone()
        return int(row[0])

    def rounds_of(self, name: str) -> list[RoundRow]:
        """Return the rounds of a league in their order."""
        return [_round(row) for row in self._db.execute("SELECT * FROM rounds WHERE name = ? ORDER BY number", (name,))]

    def set_state(self, round_id: str, state: str, *, results_hash: str | None = None, root: str | None = None) -> None:
        """Move the round on; the caller holds the transaction."""
        self._moved.add(round_id)
        self._db.execute(
            "UPDATE rounds SET state = ?, results_hash = COALESCE(?, results_hash), root = COALESCE(?, root) "
            "WHERE round_id = ?",
            (state, results_hash, root, round_id),
        )


def _round(row: sqlite3.Row) -> RoundRow:
    return RoundRow(**{**dict(row), "config": json.loads(row["config"])})


_MATCH = ", ".join(field.name for field in fields(MatchRow))


def _match(row: sqlite3.Row) -> MatchRow:
    fixture, a, b, seed, *rest = row
    return MatchRow(fixture, a, b, int(seed), *rest)
