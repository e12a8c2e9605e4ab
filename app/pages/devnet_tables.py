"""The tables of the Devnet page."""

from __future__ import annotations

from app.formats import count, ether, moment
from app.links import address_link, block_link, tx_link
from widgets.table import Column, DataTable


def contracts_table() -> DataTable:
    """Return the table of the deployed contracts."""
    return DataTable(
        (
            Column("Contract"),
            Column("Address", kind="hash", link=address_link, width=172),
            Column("Transaction", kind="hash", link=tx_link, width=172),
            Column("Gas", align="right", kind="number", format=count, width=110),
        ),
        name="Contracts",
    )


def accounts_table() -> DataTable:
    """Return the table of the accounts."""
    return DataTable(
        (
            Column("No.", align="right", kind="number", width=56),
            Column("Role"),
            Column("Address", kind="hash", link=address_link, width=380),
            Column("Balance", align="right", kind="number", format=ether, width=140),
        ),
        name="Accounts",
    )


def blocks_table() -> DataTable:
    """Return the table of the blocks."""
    return DataTable(
        (
            Column("Block", align="right", kind="link", format=count, link=block_link, width=84),
            Column("Hash", kind="hash", link=block_link),
            Column("Time", format=moment, width=170),
            Column("Transactions", align="right", kind="number", width=110),
            Column("Gas used", align="right", kind="number", format=count, width=124),
        ),
        name="Blocks",
    )


def transactions_table() -> DataTable:
    """Return the table of the transactions."""
    return DataTable(
        (
            Column("Transaction", kind="hash", link=tx_link, width=162),
            Column("Block", align="right", kind="link", format=count, link=block_link, width=76),
            Column("Call"),
            Column("From", kind="hash", link=address_link, width=162),
            Column("To", kind="hash", link=address_link, width=162),
            Column("Value", align="right", kind="number", format=ether, width=104),
            Column("Gas", align="right", kind="number", format=count, width=96),
            Column("Result", kind="pill", pill=lambda v: "ok" if v == "Success" else "error", width=124),
        ),
        name="Transactions",
    )
