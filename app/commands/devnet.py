"""``nashboard devnet``: the local chain."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import JsonOption, Output

if TYPE_CHECKING:
    from engine.chain.anvil import Devnet, DevnetStatus
    from engine.core.bus import EventBus

group = typer.Typer(help="The local Ethereum chain (Anvil).", no_args_is_help=True)


@group.command()
def up(
    context: typer.Context,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: a free one.")] = None,
    chain_id: Annotated[int, typer.Option("--chain-id", min=1, help="Chain id.")] = 31337,
    foreground: Annotated[bool, typer.Option("--foreground", help="Stay until Ctrl+C, then stop it.")] = False,
    json: JsonOption = False,
) -> None:
    """Start the chain and return when it answers. It runs on until 'nashboard devnet down'."""
    output: Output = context.obj

    async def work(devnet: Devnet, bus: EventBus) -> DevnetStatus:
        status = await devnet.up(port=port, chain_id=chain_id, detached=not foreground)
        if foreground:
            await _hold(devnet, bus, output)
        return status

    status = _with_devnet(output, work)
    if not foreground:
        _show(output, status)


@group.command()
def status(context: typer.Context, json: JsonOption = False) -> None:
    """Say whether the chain runs, and where."""

    async def work(devnet: Devnet, bus: EventBus) -> DevnetStatus:
        return await devnet.refresh()

    _show(context.obj, _with_devnet(context.obj, work))


@group.command()
def down(context: typer.Context, json: JsonOption = False) -> None:
    """Stop the chain; its state is saved and loaded at the next start."""

    async def work(devnet: Devnet, bus: EventBus) -> DevnetStatus:
        await devnet.refresh()
        return await devnet.down()

    _show(context.obj, _with_devnet(context.obj, work))


def _with_devnet(output: Output, work: Any) -> DevnetStatus:
    """Run ``work`` with the data directory's devnet, without the rest of the engine."""
    from app.commands.session import logged, run_async

    data = output.data()

    async def main() -> DevnetStatus:
        from engine.chain.anvil import Devnet
        from engine.core.bus import EventBus

        bus = EventBus()
        devnet = Devnet(data.devnet, bus)
        try:
            return await work(devnet, bus)
        finally:
            await devnet.close()

    with logged(output, data.logs):
        return run_async(main)


async def _hold(devnet: Devnet, bus: EventBus, output: Output) -> None:
    """Keep the chain up until the command is interrupted or the chain ends by itself."""
    import asyncio

    from engine.chain.events import DevnetChanged
    from engine.core.errors import EngineError

    ended = asyncio.Event()
    bus.subscribe(lambda event: None if event.state == "running" else ended.set(), DevnetChanged)
    _show(output, devnet.status)
    output.note("Ctrl+C stops it.")
    try:
        await ended.wait()
        cause = devnet.status.cause
    finally:
        await devnet.down()
    raise EngineError("The devnet ended", cause, "See the log for its last lines.")


def _show(output: Output, status: DevnetStatus) -> None:
    text = f"devnet {status.state}"
    if status.url:
        text += f" at {status.url}, chain id {status.chain_id}, block {status.block}, process {status.pid}"
    if status.cause:
        text += f" ({status.cause})"
    output.result(asdict(status), text)
