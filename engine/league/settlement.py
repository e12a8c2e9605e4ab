"""What a round sends to the chain, and when: stakes, the root, proofs of false claims, the settlement.

Every step writes the ledger and the outbox in one SQLite transaction; the chain follows by ``Chain.drain``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from engine.chain.bindings import Call, ScoreClaim
from engine.chain.session import Chain
from engine.core.hashing import keccak
from engine.core.turns import beside
from engine.league.accounts import Accounts, Book
from engine.league.disputes.published import Dishonesty, Publication, Published
from engine.league.history import ClaimRow, Disqualification, EntryRow, History, MatchRow, RoundRow
from engine.league.results import commitment_of
from engine.league.rewards import Payouts, payouts
from engine.league.schedule import league_round_id
from engine.league.standings import RoundCommitment
from engine.store.database import Store
from engine.store.outbox import OutboxTx

AT_ONCE = 100_000  # agents times matches: scores that are hashed within some milliseconds


def book_of(chain: Chain) -> Book:
    """Return the book that stands for the chain's deployment, with its rules."""
    rules = chain.deployment.rules
    treasury = chain.deployment.treasury
    return Book(chain.book, chain.operator, treasury, rules.claim_penalty, rules.reporter_bps)


def commitment_id(poster: str, league_id: bytes) -> bytes:
    """Return LeagueAnchor's id of a poster's commitment to a round, 32 bytes."""
    return keccak(bytes.fromhex(poster[2:]).rjust(32, b"\x00") + league_id)


@dataclass(frozen=True, slots=True)
class StoredRound:
    """A played round with all that its transactions are made of."""

    row: RoundRow
    entries: tuple[EntryRow, ...]
    matches: tuple[MatchRow, ...]
    disqualified: tuple[Disqualification, ...]
    commitment: RoundCommitment

    publication: Publication | None = None

    @classmethod
    def load(cls, history: History, round_id: str, go_on: Callable[[], object] = lambda: None) -> StoredRound:
        """Read the round from the store. ``commitment`` is what its host posts: of a dishonest one not the truth.

        ``go_on`` as in :func:`~engine.league.standings.commit_round`.
        """
        row = history.round(round_id)
        entries = tuple(history.entries(row.round_id))
        matches = tuple(history.matches(row.round_id))
        out = tuple(history.disqualifications(row.round_id))
        publication = history.publications.get(row.round_id)
        commitment = commitment_of(len(entries), matches, go_on) if publication is None else publication.commitment
        return cls(row, entries, matches, out, commitment, publication)

    @classmethod
    async def read(cls, history: History, round_id: str) -> StoredRound:
        """Load the round without holding up the loop: ten thousand agents in as many matches are hashed for seconds."""
        row = history.round(round_id)
        agents, matches = history.counts(row.round_id)
        if agents * matches <= AT_ONCE:
            return cls.load(history, row.round_id)
        return await beside(partial(cls._load_beside, history.path, row.round_id))

    @classmethod
    def _load_beside(cls, database: Path, round_id: str, go_on: Callable[[], object]) -> StoredRound:
        with Store.reading(database) as store:
            return cls.load(History(store), round_id, go_on)

    def published(self) -> Published:
        """Return what others see of the round."""
        return (self.publication or Publication(Dishonesty.HONEST, self.commitment)).shown()

    @property
    def league_id(self) -> bytes:
        """The round's name on chain, 32 bytes."""
        return league_round_id(self.row.name, self.row.number, self.row.config["seed"])

    @property
    def addresses(self) -> list[str]:
        """The roster's addresses, ascending."""
        return [entry.address for entry in self.entries]

    @property
    def pot(self) -> int:
        """The pot in wei."""
        return int(self.row.config["pot_wei"])

    def payouts(self) -> Payouts:
        """Return what each seat earns as things stand."""
        return payouts(self.commitment.scores, {item.seat for item in self.disqualified}, self.pot)

    @classmethod
    def preview(cls, history: History, row: RoundRow) -> tuple[list[EntryRow], Payouts]:
        """Return the roster and what :meth:`payouts` will be, without hashing the round for it."""
        entries, publication = history.entries(row.round_id), history.publications.get(row.round_id)
        scores = history.scores(row.round_id, len(entries)) if publication is None else publication.commitment.scores
        out = {item.seat for item in history.disqualifications(row.round_id)}
        return entries, payouts(scores, out, int(row.config["pot_wei"]))

    def leaf_index(self, fixture: int) -> int:
        """Return the position of a fixture among the played matches: the index of its leaf."""
        return next(index for index, match in enumerate(self.matches) if match.fixture == fixture)

    def commitment_id(self, poster: str) -> bytes:
        """Return the id that LeagueAnchor gives this round when ``poster`` posts it."""
        return commitment_id(poster, self.league_id)


class Settlement:
    """Writes the money side of rounds: with a chain into ledger and outbox, without one into the ledger alone."""

    def __init__(self, store: Store, history: History, accounts: Accounts, chain: Chain | None) -> None:
        self._store = store
        self._history = history
        self._accounts = accounts
        self._chain = chain

    @property
    def accounts(self) -> Accounts:
        """The book's accounts."""
        return self._accounts

    def transaction(self, *, repeatable: bool = False) -> AbstractContextManager[sqlite3.Connection]:
        """Return the store's transaction; nothing that goes to the chain is ``repeatable``."""
        return self._store.transaction(repeatable=repeatable and self._chain is None)

    def stake(self, address: str, wei: int, key: str) -> None:
        """Deposit a stake, on chain from the account itself."""
        with self._store.transaction():
            fresh = self._accounts.deposit(key, address, wei)
            if fresh and self._chain is not None:
                self.send(key, address, self._chain.vault.stake(), wei, "stake")

    def finish(
        self, stored: StoredRound, results_hash: str, *, bound: int, publication: Publication | None = None
    ) -> None:
        """Close a played round; on chain: post its root with the pot and prove the false claims.

        A ``publication`` is what a dishonest host posts instead of the truth.
        """
        row = stored.row
        if publication is not None:
            stored = replace(stored, commitment=publication.commitment, publication=publication)
        root = stored.commitment.tree.root.hex()
        with self._store.transaction():
            self._history.set_state(row.round_id, "played", results_hash=results_hash, root=root)
            if publication is not None:
                self._history.publications.add(row.round_id, publication)
            if stored.pot:
                self._accounts.fill_pot(f"{row.round_id}:pot", row.round_id, stored.pot)
            if self._chain is None:
                return
            self._enqueue_post(self._chain, stored, bound)
            for item in stored.disqualified:
                self._enqueue_proof(self._chain, stored, item)

    def prove(self, stored: StoredRound, found: Disqualification) -> None:
        """Send the proof of a false claim that came after the round was posted; the caller holds the transaction."""
        if self._chain is not None and stored.row.state != "playing":
            self._enqueue_proof(self._chain, stored, found)

    def settle(self, stored: StoredRound) -> None:
        """Pay the pot out by rank and take the penalties, once; on chain: settle, credit every payout, collect."""
        row, shares = stored.row, stored.payouts()
        with self._store.transaction():
            if self._history.round(row.round_id).state != "played":
                return
            for entry, wei in zip(stored.entries, shares.wei, strict=True):
                self._accounts.pay(f"{row.round_id}:reward:{entry.seat}", row.round_id, entry.address, wei)
            operator = self._accounts.book.operator
            self._accounts.pay(f"{row.round_id}:dust", row.round_id, operator, shares.dust)
            for item in stored.disqualified:
                address = stored.entries[item.seat].address
                self._accounts.collect_penalty(f"{row.round_id}:penalty:{item.seat}", address, row.round_id)
            self._history.set_state(row.round_id, "settled")
            if self._chain is not None:
                self._enqueue_settlement(self._chain, stored, shares)

    def reject(self, stored: StoredRound, reporter: str, exposure: int) -> int:
        """Close a round that the chain rejected, once: its host loses ``exposure`` of its stake, a share of it to the
        ``reporter``; the pot goes back, and so do penalties held for claims on it. Returns what the host lost in wei.
        """
        row, accounts = stored.row, self._accounts
        with self._store.transaction():
            if self._history.round(row.round_id).state != "played":
                return 0
            key = f"{row.round_id}:rejected"
            lost = accounts.slash_now(key, accounts.book.operator, exposure, reporter, row.round_id)
            accounts.return_pot(f"{key}:pot", row.round_id)
            for item in stored.disqualified:
                address = stored.entries[item.seat].address
                accounts.release_penalty(f"{key}:penalty:{item.seat}", address, row.round_id)
            self._history.set_state(row.round_id, "rejected")
            self.reclaim_pot(stored)
            return lost

    def reclaim_pot(self, stored: StoredRound) -> None:
        """Have the chain credit a rejected round's pot to its host, in the caller's transaction.

        Sent again where the chain refused it: it had forgotten the rejection.
        """
        if self._chain is None or not stored.pot:
            return
        call = self._chain.anchor.reclaim_pot(stored.commitment_id(self._chain.operator))
        self.send_again(f"{stored.row.round_id}:rejected:pot", self._chain.operator, call, "reclaim the pot")

    def _enqueue_post(self, chain: Chain, stored: StoredRound, bound: int) -> None:
        self._back_exposure(chain, stored.row)
        tree, scores = stored.commitment.tree, list(stored.commitment.scores)
        system, league = bytes.fromhex(stored.row.system), stored.league_id
        call = chain.anchor.post(system, league, tree.root, tree.size, tree.depth, bound, stored.addresses, scores)
        self.send(f"{stored.row.round_id}:post", chain.operator, call, stored.pot, "anchor round")

    def _back_exposure(self, chain: Chain, row: RoundRow) -> None:
        """Stake for the operator what its open rounds and this one reserve."""
        needed = chain.deployment.rules.exposure * self._history.count(row.book, "played")
        missing = needed - self._accounts.balance(chain.operator).stake
        if missing > 0:
            self.stake(chain.operator, max(missing, chain.deployment.rules.exposure), f"{row.round_id}:exposure")

    def _enqueue_proof(self, chain: Chain, stored: StoredRound, found: Disqualification) -> None:
        entry = stored.entries[found.seat]
        claimed = self._claim(stored.row.round_id, found)
        index = stored.leaf_index(found.fixture)
        claim = ScoreClaim(stored.league_id, index, entry.address, claimed.score, claimed.evidence)
        call = chain.anchor.prove_score_mismatch(
            stored.commitment_id(chain.operator),
            stored.addresses,
            list(stored.commitment.scores),
            stored.commitment.leaves[index].as_tuple(),
            stored.commitment.tree.proof(index),
            claim,
            chain.sign_claim(entry.address, claim),
        )
        self.send(f"{stored.row.round_id}:proof:{found.seat}", chain.operator, call, 0, "prove score mismatch")

    def _claim(self, round_id: str, found: Disqualification) -> ClaimRow:
        claims = self._history.claims(round_id)
        return next(claim for claim in claims if (claim.fixture, claim.seat) == (found.fixture, found.seat))

    def _enqueue_settlement(self, chain: Chain, stored: StoredRound, shares: Payouts) -> None:
        scores = list(stored.commitment.scores)
        order = sorted(range(len(scores)), key=lambda seat: -scores[seat])
        identity, addresses = stored.commitment_id(chain.operator), stored.addresses
        key = stored.row.round_id
        self.send(f"{key}:settle", chain.operator, chain.anchor.settle(identity, addresses, scores, order), 0, "settle")
        for seat, wei in enumerate(shares.wei):
            if wei:
                call = chain.anchor.claim_payout(identity, addresses, scores, seat)
                self.send(f"{key}:payout:{seat}", chain.operator, call, 0, "credit payout")
        for item in stored.disqualified:
            call = chain.anchor.collect_penalty(identity, stored.entries[item.seat].address)
            self.send(f"{key}:penalty:{item.seat}", chain.operator, call, 0, "collect penalty")

    def send(self, key: str, account: str, call: Call, value: int, purpose: str) -> bool:
        """Put a transaction into the outbox; the caller holds the transaction. False when the key is there already."""
        book = self._accounts.book.name
        return self._store.outbox.enqueue(
            OutboxTx(
                key=f"{book}:{key}",
                book=book,
                account=account,
                to=call.to,
                data=call.data,
                value=value,
                purpose=purpose,
            )
        )

    def send_again(self, key: str, account: str, call: Call, purpose: str) -> bool:
        """Like ``send``; what the chain had refused under that key is tried once more."""
        if self.send(key, account, call, 0, purpose):
            return True
        full = f"{self._accounts.book.name}:{key}"
        if self._store.outbox.state(full) == "failed":
            self._store.outbox.requeue(full)
        return False
