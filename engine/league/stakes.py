"""Stakes as the operator sees them: the ledger's balances, the contract's beside them, differences marked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.chain.session import Chain
from engine.league.accounts import Accounts
from engine.league.roster import Roster
from engine.store.database import Store


@dataclass(frozen=True, slots=True)
class StakeRow:
    """One account in wei. ``chain_*`` are None without a chain; ``block`` is the one they were read at.

    ``free`` can be unbonded, ``locked`` stands behind open commitments, ``slashed`` is what was taken so far.
    """

    name: str
    address: str
    stake: int
    credit: int
    slashed: int
    chain_free: int | None = None
    chain_locked: int | None = None
    chain_credit: int | None = None
    chain_slashed: int | None = None
    block: int | None = None

    @property
    def differs(self) -> bool:
        """Whether ledger and contract disagree in any amount."""
        if self.chain_free is None or self.chain_locked is None:
            return False
        chain = (self.chain_free + self.chain_locked, self.chain_credit, self.chain_slashed)
        return chain != (self.stake, self.credit, self.slashed)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; amounts in wei are decimal text."""
        amounts = ("stake", "credit", "slashed", "chain_free", "chain_locked", "chain_credit", "chain_slashed")
        values = {name: getattr(self, name) for name in amounts}
        return {
            "name": self.name,
            "address": self.address,
            **{name: None if value is None else str(value) for name, value in values.items()},
            "block": self.block,
            "differs": self.differs,
        }


async def stake_rows(store: Store, accounts: Accounts, roster: Roster, chain: Chain | None) -> list[StakeRow]:
    """Return the rows of all accounts that the book or the roster knows: agents by name, then operator and treasury."""
    book = accounts.book
    names = {record.address: record.name for record in roster.all(removed=True)}
    used = {account.split(":", 1)[1] for account in store.ledger.balances(book.name) if not account.startswith("pot:")}
    agents = [address for address in sorted(names, key=lambda a: names[a]) if address in used or book.on_chain]
    names |= {book.operator: "operator", book.treasury: "treasury"}
    order = [*agents, book.operator, book.treasury]
    rows = []
    block = await chain.block_number() if chain is not None else None
    for address in order:
        held = accounts.balance(address)
        row = StakeRow(names[address], address, held.stake, held.credit, held.slashed)
        rows.append(row if chain is None or block is None else await _beside(row, chain, block))
    return rows


async def _beside(row: StakeRow, chain: Chain, block: int) -> StakeRow:
    held = await chain.vault.account_of(row.address, block=block)
    locked = min(held.exposure, held.active) + held.pending
    return StakeRow(
        row.name,
        row.address,
        row.stake,
        row.credit,
        row.slashed,
        chain_free=held.active + held.pending - locked,
        chain_locked=locked,
        chain_credit=held.credit,
        chain_slashed=held.slashed,
        block=block,
    )
