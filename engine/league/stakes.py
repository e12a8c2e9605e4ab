"""Stakes as the operator sees them: the ledger's balances, the contract's beside them, differences marked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from engine.chain.session import Chain
from engine.chain.wallet import service_accounts
from engine.league.accounts import Accounts
from engine.league.roster import Roster
from engine.store.database import Store


@dataclass(frozen=True, slots=True)
class StakeRow:
    """One account in wei. ``chain_*`` are None without a chain; ``block`` is the one they were read at.

    ``free`` can be unbonded, ``locked`` stands behind open commitments, ``pending`` is being unbonded (until
    ``unlock_at``, seconds since the epoch), ``slashed`` is what was taken so far, ``held`` a penalty that is taken when
    its round is settled: the contract counts it as stake until then.
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
    held: int = 0
    pending: int = 0
    chain_pending: int | None = None
    unlock_at: int | None = None

    @property
    def differs(self) -> bool:
        """Whether ledger and contract disagree in any amount."""
        if self.chain_free is None or self.chain_locked is None:
            return False
        chain = (self.chain_free + self.chain_locked, self.chain_pending, self.chain_credit, self.chain_slashed)
        return chain != (self.stake + self.held, self.pending, self.credit, self.slashed)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form; amounts in wei are decimal text."""
        values = {name: getattr(self, name) for name in _AMOUNTS}
        return {
            "name": self.name,
            "address": self.address,
            **{name: None if value is None else str(value) for name, value in values.items()},
            "block": self.block,
            "differs": self.differs,
        }


_LEDGER = ("stake", "held", "pending", "credit", "slashed")
_AMOUNTS = (*_LEDGER, *(f"chain_{name}" for name in ("free", "locked", "pending", "credit", "slashed")))


async def stake_rows(store: Store, accounts: Accounts, roster: Roster, chain: Chain | None) -> list[StakeRow]:
    """Return the rows of all accounts that the book or the roster knows: agents by name, the operator, the treasury,
    then agents of consensus rounds, auditor and verifiers where they took part."""
    names = _names(store, accounts, roster, chain)
    rows = []
    block = await chain.block_number() if chain is not None else None
    for address, name in names.items():
        held = accounts.balance(address)
        row = StakeRow(name, address, held.stake, held.credit, held.slashed, held=held.held, pending=held.pending)
        rows.append(row if chain is None or block is None else await _beside(row, chain, block))
    return rows


def _names(store: Store, accounts: Accounts, roster: Roster, chain: Chain | None) -> dict[str, str]:
    """Return the accounts to show, in order, with their names."""
    book = accounts.book
    used = store.ledger.owners(book.name)
    agents = {record.address: record.name for record in roster.all(removed=True)}
    names = {
        address: agents[address]
        for address in sorted(agents, key=lambda a: agents[a])
        if address in used or book.on_chain
    }
    names |= {book.operator: "operator", book.treasury: "treasury"}
    others = store.db.execute("SELECT address, name FROM consensus_agents ORDER BY name").fetchall()
    names |= {row["address"]: row["name"] for row in others if row["address"] in used}
    if chain is not None:
        names |= {address: name for address, name in service_accounts(chain.wallet).items() if address in used}
    return names


async def _beside(row: StakeRow, chain: Chain, block: int) -> StakeRow:
    held = await chain.vault.account_of(row.address, block=block)
    locked = min(held.exposure, held.active)
    return replace(
        row,
        chain_free=held.active - locked,
        chain_locked=locked,
        chain_pending=held.pending,
        unlock_at=held.unlock_at if held.pending else None,
        chain_credit=held.credit,
        chain_slashed=held.slashed,
        block=block,
    )
