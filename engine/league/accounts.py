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
    """What an account holds, in wei. ``held`` is a penalty that waits for the end of its round, ``pending`` stake that
    is being unbonded: it opens no tier any more, and can still be slashed."""

    stake: int
    credit: int
    slashed: int
    held: int = 0
    pending: int = 0

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
        taken = sum(self._ledger.moved(self.book.name, f"{kind}:{address}", "slash") for kind in ("stake", "held"))
        kinds = ("stake", "credit", "held", "pending")
        stake, credit, held, pending = (self._balance(f"{kind}:{address}") for kind in kinds)
        return Balance(stake, credit, taken, held, pending)

    def known(self, address: str) -> bool:
        """Return whether the account was ever used in this book."""
        return address in self._ledger.owners(self.book.name)

    def deposit(self, key: str, address: str, wei: int) -> bool:
        """Stake ``wei`` from outside. Returns False when that was done already."""
        return self._append(key, "stake", f"world:{address}", f"stake:{address}", wei)

    def unbond(self, key: str, address: str, wei: int) -> bool:
        """Begin to take ``wei`` of the stake out. Returns False when that was done already."""
        return self._append(key, "unbond", f"stake:{address}", f"pending:{address}", wei)

    def withdraw(self, key: str, address: str) -> bool:
        """Pay out all that was unbonded."""
        return self._append(
            key, "withdraw", f"pending:{address}", f"world:{address}", self._balance(f"pending:{address}")
        )

    def claim(self, key: str, address: str) -> bool:
        """Pay out the whole credit."""
        return self._append(key, "claim", f"credit:{address}", f"world:{address}", self._balance(f"credit:{address}"))

    def fill_pot(self, key: str, round_id: str, wei: int) -> bool:
        """Put the round's reward aside."""
        return self._append(key, "pot", f"world:{self.book.operator}", f"pot:{round_id}", wei, round_id)

    def slash(self, key: str, address: str, round_id: str) -> int:
        """Put the penalty of a false claim aside until the round is settled; returns its wei, at most the stake.

        It counts as no capital any more. ``collect_penalty`` takes it at the settlement; where the round itself is
        rejected, the claim said nothing false of it and ``release_penalty`` gives it back.
        """
        wei = min(self.book.penalty_wei, self._balance(f"stake:{address}"))
        if wei:
            self._append(key, "hold", f"stake:{address}", f"held:{address}", wei, round_id)
        return wei

    def collect_penalty(self, key: str, address: str, round_id: str) -> int:
        """Take the penalty: a share to the reporter (the operator), the rest to the treasury. Returns its wei.

        As in the contract it is up to what the account has at that time, not at the time of the claim.
        """
        held = self._balance(f"held:{address}")
        stake = self._reach(key, address, self.book.penalty_wei - held, round_id)
        wei = min(self.book.penalty_wei, held + stake)
        if held < wei:
            self._append(f"{key}:rest", "hold", f"stake:{address}", f"held:{address}", wei - held, round_id)
        self._split(key, f"held:{address}", wei, self.book.operator, round_id)
        return wei

    def release_penalty(self, key: str, address: str, round_id: str) -> None:
        """Give what a round put aside of an account back to its stake."""
        account = f"held:{address}"
        entries = self._ledger.entries(self.book.name, round_id=round_id)
        wei = min(sum(entry.wei for entry in entries if entry.credit == account), self._balance(account))
        if wei:
            self._append(key, "release", f"held:{address}", f"stake:{address}", wei, round_id)

    def slash_now(self, key: str, address: str, wei: int, reporter: str, round_id: str) -> int:
        """Take up to ``wei`` of the stake at once: the reporter's share and the treasury's. Returns what was taken."""
        wei = min(wei, self._reach(key, address, wei, round_id))
        self._split(key, f"stake:{address}", wei, reporter, round_id)
        return wei

    def bond(self, key: str, address: str, dispute: str, wei: int, round_id: str) -> None:
        """Put a dispute's bond aside; it comes from outside the vault."""
        self._append(key, "bond", f"world:{address}", f"bond:{dispute}", wei, round_id)

    def return_bond(self, key: str, dispute: str, address: str, round_id: str) -> None:
        """Credit the whole bond to the one who laid it down."""
        self._append(key, "bond", f"bond:{dispute}", f"credit:{address}", self._balance(f"bond:{dispute}"), round_id)

    def forfeit_bond(self, key: str, dispute: str, winner: str, round_id: str) -> None:
        """Credit half of a lost bond, rounded down, to the winner and the rest to the treasury."""
        wei = self._balance(f"bond:{dispute}")
        for part, receiver, amount in (("winner", winner, wei // 2), ("treasury", self.book.treasury, wei - wei // 2)):
            if amount:
                self._append(f"{key}:{part}", "bond", f"bond:{dispute}", f"credit:{receiver}", amount, round_id)

    def take_bond_back(self, key: str, dispute: str, address: str, round_id: str) -> None:
        """Undo a bond that the chain never took."""
        self._append(key, "bond", f"bond:{dispute}", f"world:{address}", self._balance(f"bond:{dispute}"), round_id)

    def return_pot(self, key: str, round_id: str) -> None:
        """Credit the pot of a rejected round to the operator, who filled it."""
        wei = self._balance(f"pot:{round_id}")
        if wei:
            self._append(key, "pot back", f"pot:{round_id}", f"credit:{self.book.operator}", wei, round_id)

    def pay(self, key: str, round_id: str, address: str, wei: int) -> None:
        """Credit a reward, or the dust, from the pot."""
        if wei:
            self._append(key, "reward", f"pot:{round_id}", f"credit:{address}", wei, round_id)

    def _reach(self, key: str, address: str, wei: int, round_id: str) -> int:
        """Return the stake after pulling back from what is being unbonded as much as ``wei`` needs: leaving is no way
        out, as in the contract."""
        stake, pending = self._balance(f"stake:{address}"), self._balance(f"pending:{address}")
        back = min(pending, wei - stake)
        if back > 0:
            self._append(f"{key}:pending", "rebond", f"pending:{address}", f"stake:{address}", back, round_id)
            stake += back
        return stake

    def _split(self, key: str, account: str, wei: int, reporter: str, round_id: str) -> None:
        """Take ``wei`` from an account for a fault. The split rounds as the contract does."""
        share = wei * self.book.reporter_bps // 10_000
        for part, receiver, amount in (("reporter", reporter, share), ("treasury", self.book.treasury, wei - share)):
            if amount:
                self._append(f"{key}:{part}", "slash", account, f"credit:{receiver}", amount, round_id)

    def _balance(self, account: str) -> int:
        return self._ledger.balance(self.book.name, account)

    def _append(self, key: str, kind: str, debit: str, credit: str, wei: int, round_id: str | None = None) -> bool:
        entry = Entry(f"{self.book.name}:{key}", kind, debit, credit, wei, round_id)
        return self._ledger.append(self.book.name, entry)
