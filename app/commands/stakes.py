"""``nashboard stakes``: what everybody holds, in the ledger and on chain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from app.commands.output import JsonOption, Output, table

if TYPE_CHECKING:
    from engine.league.stakes import StakeRow
    from engine.runtime import Runtime


def stakes(context: typer.Context, json: JsonOption = False) -> None:
    """Show who holds what, in the ledger and on chain.

    The contract's amounts are read while the devnet runs. Exit status 3 when they differ from the ledger's."""
    from app.commands.session import run_engine

    output: Output = context.obj

    async def work(runtime: Runtime) -> list[StakeRow]:
        status = await runtime.devnet.refresh()
        chain = await runtime.chain() if status.state == "running" else None
        return await runtime.league.stakes(chain)

    rows = run_engine(output, work)
    differ = any(row.differs for row in rows)
    output.result({"accounts": [row.to_json() for row in rows], "differs": differ}, _text(rows))
    if differ:
        raise typer.Exit(3)


def _text(rows: list[StakeRow]) -> str:
    from engine.league.config import format_eth

    def chain(row: StakeRow) -> str:
        if row.chain_free is None or row.chain_locked is None:
            return "-"
        pending = f", {format_eth(row.chain_pending)} pending" if row.chain_pending else ""
        return f"{format_eth(row.chain_free)} free, {format_eth(row.chain_locked)} locked{pending}"

    lines = [
        (
            row.name,
            row.address,
            format_eth(row.stake),
            format_eth(row.held),
            format_eth(row.credit),
            format_eth(row.slashed),
            chain(row),
            "DIFFERS" if row.differs else "",
        )
        for row in rows
    ]
    block = next((row.block for row in rows if row.block is not None), None)
    text = table(("account", "address", "stake ETH", "held ETH", "credit ETH", "slashed ETH", "contract", ""), lines)
    return text + (f"\n\nThe contract was read at block {block}." if block is not None else "")
