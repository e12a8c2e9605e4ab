"""Disputes in the store, and what a page shows of them."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.core.errors import UsageError
from engine.league.disputes.checks import Fraud, FraudKind

OPEN, UPHELD, DISMISSED, REFUNDED, REFUSED = "open", "upheld", "dismissed", "refunded", "refused"


@dataclass(frozen=True, slots=True)
class Case:
    """A dispute or a proof of fraud as stored. ``state``: open, upheld (the round is rejected), dismissed (the host
    won), refunded (nobody won) or refused (the chain did not take it up).

    ``index`` is the leaf in dispute, ``match`` the match's number in the round; ``posted`` is the leaf's hash,
    ``replayed`` that of what an honest replay puts there; ``number`` is the court's, ``deadline`` in seconds since the
    epoch, ``slashed`` what the host lost in wei.
    """

    dispute_id: str
    round_id: str
    kind: FraudKind
    index: int | None
    match: int | None
    challenger: str
    bond: int
    state: str
    detail: str
    posted: bytes | None
    replayed: bytes | None
    number: int | None
    deadline: int | None
    extended: bool
    slashed: int
    created: float


@dataclass(frozen=True, slots=True)
class Attestation:
    """What a verifier signed: the leaf that its replay gives."""

    verifier: str
    leaf: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction of a dispute. ``state`` as in the outbox; ``error`` says why the chain refused it."""

    purpose: str
    state: str
    hash: str | None
    block: int | None
    error: str


@dataclass(frozen=True, slots=True)
class Ballot:
    """A verifier's word: the leaf's hash as hex, and whether that is the posted one."""

    verifier: str
    leaf: str
    confirms: bool


@dataclass(frozen=True, slots=True)
class DisputeView:
    """A dispute as the operator sees it; amounts in wei. ``match`` is the match's number in the round."""

    dispute_id: str
    round_id: str
    round_name: str
    kind: str
    match: int | None
    index: int | None
    challenger: str
    bond_wei: int
    state: str
    detail: str
    posted: str | None
    replayed: str | None
    number: int | None
    deadline: int | None
    extended: bool
    slashed_wei: int
    created: float
    ballots: tuple[Ballot, ...]
    transactions: tuple[Transaction, ...]

    @property
    def outcome(self) -> str:
        """What came of it, for a person."""
        return _OUTCOMES[self.state]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; amounts in wei are decimal text."""
        amounts = {"bond_wei": str(self.bond_wei), "slashed_wei": str(self.slashed_wei)}
        return {**asdict(self), **amounts, "outcome": self.outcome}


_OUTCOMES = {
    OPEN: "not decided yet",
    UPHELD: "the host was slashed and the round is rejected",
    DISMISSED: "the host was right; the challenger lost its bond",
    REFUNDED: "nobody won; the bond went back",
    REFUSED: "the chain did not take it up",
}


class Cases:
    """The tables of disputes and attestations; the caller holds the transaction for writes."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def add(
        self, round_id: str, fraud: Fraud, match: int | None, challenger: str, bond: int, leaves: Sequence[bytes | None]
    ) -> Case:
        """Write a new dispute; ``leaves`` are the hashes of the posted and the replayed leaf where they matter."""
        (number,) = self._db.execute("SELECT COUNT(*) + 1 FROM disputes WHERE round_id = ?", (round_id,)).fetchone()
        dispute_id = f"{round_id}-{number}"
        self._db.execute(
            "INSERT INTO disputes (dispute_id, round_id, kind, idx, match, challenger, bond, state, detail, posted, "
            "replayed, created) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                dispute_id,
                round_id,
                fraud.kind.value,
                fraud.index,
                match,
                challenger,
                str(bond),
                OPEN,
                fraud.detail,
                *leaves,
                time.time(),
            ),
        )
        return self.get(dispute_id)

    def get(self, dispute_id: str) -> Case:
        """Return a dispute. Raises UsageError for an unknown one."""
        row = self._db.execute("SELECT * FROM disputes WHERE dispute_id = ?", (dispute_id,)).fetchone()
        if row is None:
            raise UsageError(f"There is no dispute {dispute_id!r}", "", "See `nashboard dispute list`.")
        return _case(row)

    def all(self, round_id: str | None = None) -> list[Case]:
        """Return the disputes, of one round or of all, oldest first."""
        where, values = ("WHERE round_id = ? ", (round_id,)) if round_id is not None else ("", ())
        rows = self._db.execute(f"SELECT * FROM disputes {where}ORDER BY created, dispute_id", values)
        return [_case(row) for row in rows]

    def place(self, dispute_id: str, number: int, deadline: int, extended: bool) -> bool:
        """Note where the dispute stands in the court. Returns False when that is known."""
        cursor = self._db.execute(
            "UPDATE disputes SET number = ?1, deadline = ?2, extended = ?3 WHERE dispute_id = ?4 "
            "AND (number IS NOT ?1 OR deadline IS NOT ?2 OR extended IS NOT ?3)",
            (number, deadline, int(extended), dispute_id),
        )
        return cursor.rowcount > 0

    def end(self, dispute_id: str, state: str, slashed: int = 0) -> bool:
        """Note how an open dispute ended. Returns False when it had ended before."""
        cursor = self._db.execute(
            "UPDATE disputes SET state = ?, slashed = ? WHERE dispute_id = ? AND state = 'open'",
            (state, str(slashed), dispute_id),
        )
        return cursor.rowcount > 0

    def attest(self, dispute_id: str, item: Attestation) -> None:
        """Keep a verifier's signature; the first one for a leaf stays."""
        self._db.execute(
            "INSERT INTO attestations VALUES (?,?,?,?) ON CONFLICT DO NOTHING",
            (dispute_id, item.verifier, item.leaf, item.signature),
        )

    def attestations(self, dispute_id: str) -> list[Attestation]:
        """Return what was signed, in the order of the verifiers' addresses."""
        rows = self._db.execute(
            "SELECT verifier, leaf, signature FROM attestations WHERE dispute_id = ? ORDER BY verifier, leaf",
            (dispute_id,),
        )
        return [Attestation(*tuple(row)) for row in rows]


def _case(row: sqlite3.Row) -> Case:
    values = {**dict(row), "kind": FraudKind(row["kind"]), "bond": int(row["bond"]), "slashed": int(row["slashed"])}
    values["index"], values["extended"] = values.pop("idx"), bool(row["extended"])
    return Case(**values)
