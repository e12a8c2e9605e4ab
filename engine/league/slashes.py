"""Who was slashed, for what, by which transaction, and what that left: read from the ledger and the outbox."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.league.accounts import Book
from engine.league.disputes.cases import UPHELD, Cases
from engine.league.history import History
from engine.store.database import Store
from engine.store.ledger import Entry
from engine.store.outbox import OutboxRow

HELD, TAKEN, RETURNED = "held", "taken", "returned"


@dataclass(frozen=True, slots=True)
class SlashRow:
    """One slashing in wei. ``before`` and ``after`` are the account's stake around it, what is held or being unbonded
    included. ``match`` is the match that proves it, None where the whole round does.

    ``state``: held (until the round is settled), taken, or returned with the rejection of the round. ``tx`` is the
    transaction that proved or took it, None without a chain.
    """

    key: str
    address: str
    round_id: str
    match: int | None
    why: str
    wei: int
    before: int
    after: int
    state: str
    tx: str | None
    block: int | None


@dataclass(slots=True)
class _Slash:
    key: str
    address: str
    round_id: str
    wei: int
    before: int
    state: str


@dataclass(slots=True)
class _Known:
    """What the ledger said up to a row: it is append-only, so that no row is read twice."""

    row: int = 0
    stakes: dict[str, int] = field(default_factory=dict)
    found: dict[str, _Slash] = field(default_factory=dict)  # in the order in which they began


class Slashes:
    """Reads the slashings of a book, and what was added to it since."""

    def __init__(self, store: Store, history: History) -> None:
        self._store = store
        self._history = history
        self._cases = Cases(store.db)
        self._known: dict[str, _Known] = {}  # of each book

    def all(self, book: Book) -> list[SlashRow]:
        """Return every slashing of a book, newest first."""
        known = self._known.setdefault(book.name, _Known())
        entries, known.row = self._store.ledger.entries_after(book.name, known.row)
        for entry in entries:
            _take(known, book.name, entry)
        return [self._row(book, item) for item in reversed(known.found.values())]

    def _row(self, book: Book, item: _Slash) -> SlashRow:
        match, why, sent = self._evidence(book, item)
        after = item.before - (item.wei if item.state == TAKEN else 0)
        return SlashRow(
            key=item.key,
            address=item.address,
            round_id=item.round_id,
            match=match,
            why=why,
            wei=item.wei,
            before=item.before,
            after=after,
            state=item.state,
            tx=sent.hash if sent is not None else None,
            block=sent.block if sent is not None else None,
        )

    def _evidence(self, book: Book, item: _Slash) -> tuple[int | None, str, OutboxRow | None]:
        """Return the match, the reason, and the transaction."""
        if item.key.startswith("dispute:"):
            return None, "signed two results for one match", self._store.outbox.get(f"{book.name}:{item.key}")
        if item.key.endswith(":rejected"):
            case = next((c for c in reversed(self._cases.all(item.round_id)) if c.state == UPHELD), None)
            if case is None:
                return None, "posted a false round", None
            sent = self._store.outbox.under(f"{book.name}:dispute:{case.dispute_id}:")
            return case.match, f"posted a false round: {case.detail}", sent[-1] if sent else None
        return self._claim(book, item)

    def _claim(self, book: Book, item: _Slash) -> tuple[int | None, str, OutboxRow | None]:
        seats = {entry.seat: entry.address for entry in self._history.entries(item.round_id)}
        for out in self._history.disqualifications(item.round_id):
            if seats[out.seat] == item.address:
                taken = self._store.outbox.get(f"{book.name}:{item.round_id}:penalty:{out.seat}")
                proof = self._store.outbox.get(f"{book.name}:{item.round_id}:proof:{out.seat}")
                why = f"claimed {out.claimed}, the replay gives {out.replayed}"
                return out.fixture, why, taken if item.state == TAKEN and taken is not None else proof
        return None, "a false claim", None


def _take(known: _Known, book: str, entry: Entry) -> None:
    """Take an entry in; a penalty that is held becomes taken or returned."""
    debit, credit = _owner(entry.debit), _owner(entry.credit)
    if debit is not None:
        before = known.stakes.get(debit, 0)
        if entry.round_id is not None:
            _enter(known.found, entry.key.removeprefix(f"{book}:"), entry, debit, before)
        known.stakes[debit] = before - entry.wei
    if credit is not None:
        known.stakes[credit] = known.stakes.get(credit, 0) + entry.wei


def _enter(found: dict[str, _Slash], key: str, entry: Entry, address: str, before: int) -> None:
    """Take an entry in: a false claim is one slashing from the hold to its end, any other has a key of its own."""
    round_id = entry.round_id or ""
    claim = f"{round_id}:{address}"
    if entry.kind == "hold" and ":slash:" in key:
        found[claim] = _Slash(claim, address, round_id, entry.wei, before, HELD)
    elif entry.kind == "release" and claim in found:
        found[claim].state = RETURNED
    elif entry.kind == "slash":
        base = claim if ":penalty:" in key else key.rpartition(":")[0]
        known = found.get(base)
        if known is None or known.state != TAKEN:
            found[base] = known = _Slash(base, address, round_id, 0, before, TAKEN)
        known.wei += entry.wei


def _owner(account: str) -> str | None:
    kind, _, owner = account.partition(":")
    return owner if kind in ("stake", "held", "pending") else None
