"""The money of a league in one book: stakes, credits, pots. Each movement has a key, so none happens twice."""

from __future__ import annotations

from dataclasses import dataclass

from engine.league.config import WEI
from engine.store.database import Store
from engine.store.ledger import LOCAL_BOOK, Entry


@dataclass(frozen=True, slots=True)
class Book:
    """One set of accounts and its rules: on chain these are the deployment's, here the paper ones.

    ``penalty_wei`` is what a false claim costs, ``reporter_bps`` the share of it that the reporter gets.
    """

    name: str = LOCAL_BOOK
    operator: str = "operator"
    treasury: str = "treasury"
    penalty_wei: int = WEI // 20
    reporter_bps: int = 5_000

    @property
    def on_chain(self) -> bool:
        """Whether a deployment stands behind the book."""
        return self.name != LOCAL_BOOK


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account holds, in wei."""

    stake: int
    credit: int
    slashed: int

    @property
    def capital(self) -> int:
        """What decides which tier the agent may enter."""
        return self.stake + self.credit


class Accounts:
    """Movements in one book; the caller holds the transaction."""

    def __init__(self, store: Store, book: Book) -> None:
        self._ledger = store.ledger
        self.book = book

    def balance(self, address: str) -> Balance:
        """Return what the account holds."""
        name = self.book.name
        stake = self._ledger.balance(name, f"stake:{address}")
        credit = self._ledger.balance(name, f"credit:{address}")
        return Balance(stake, credit, self._ledger.moved(name, f"stake:{address}", "slash"))

    def known(self, address: str) -> bool:
        """Return whether the account was ever used in this book."""
        return f"stake:{address}" in self._ledger.balances(self.book.name)

    def deposit(self, key: str, address: str, wei: int) -> bool:
        """Stake ``wei`` from outside. Returns False when that was done already."""
        return self._append(key, "stake", f"world:{address}", f"stake:{address}", wei)

    def fill_pot(self, key: str, round_id: str, wei: int) -> bool:
        """Put the round's reward aside."""
        return self._append(key, "pot", f"world:{self.book.operator}", f"pot:{round_id}", wei, round_id)

    def slash(self, key: str, address: str, round_id: str) -> int:
        """Take the penalty from the stake, a share to the reporter (the operator), the rest to the treasury.

        Returns what was taken in wei: never more than the stake. The split rounds as the contract does.
        """
        wei = min(self.book.penalty_wei, self._ledger.balance(self.book.name, f"stake:{address}"))
        share = wei * self.book.reporter_bps // 10_000
        parts = (("reporter", self.book.operator, share), ("treasury", self.book.treasury, wei - share))
        for part, receiver, amount in parts:
            if amount:
                self._append(f"{key}:{part}", "slash", f"stake:{address}", f"credit:{receiver}", amount, round_id)
        return wei

    def pay(self, key: str, round_id: str, address: str, wei: int) -> None:
        """Credit a reward, or the dust, from the pot."""
        if wei:
            self._append(key, "reward", f"pot:{round_id}", f"credit:{address}", wei, round_id)

    def _append(self, key: str, kind: str, debit: str, credit: str, wei: int, round_id: str | None = None) -> bool:
        entry = Entry(f"{self.book.name}:{key}", kind, debit, credit, wei, round_id)
        return self._ledger.append(self.book.name, entry)
