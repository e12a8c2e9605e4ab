"""The validators' accounts of the wallet. Imports nothing heavy: the runtime asks here for every address that signs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from engine.chain.wallet import Wallet
from engine.store.database import Store

FIRST_ACCOUNT = 1_500_000  # of the wallet: between the services' and the consensus agents'


def account_of(validator: int) -> int:
    """Return the wallet's account number of a validator, which it has on every chain."""
    return FIRST_ACCOUNT + validator


def number_of(db: sqlite3.Connection, address: str) -> int | None:
    """Return the account number of a validator's address, None where it is no validator's."""
    row = db.execute("SELECT account FROM staking_accounts WHERE address = ?", (address,)).fetchone()
    return None if row is None else int(row["account"])


def enrol(store: Store, wallet: Wallet, validators: Iterable[int]) -> list[str]:
    """Return the validators' addresses, and keep whose they are."""
    rows = [(account_of(number), wallet.address(account_of(number))) for number in validators]
    with store.transaction() as db:
        db.executemany("INSERT OR REPLACE INTO staking_accounts (account, address) VALUES (?, ?)", rows)
    return [address for _, address in rows]
