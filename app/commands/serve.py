"""``nashboard serve``: the engine without a window, for scrapers and clients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import JsonOption, Output

if TYPE_CHECKING:
    from engine.runtime import Runtime

PORT = 8787


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = PORT,
    token_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The token that clients must know; made where missing.")
    ] = None,
    rate: Annotated[
        float, typer.Option(min=0.1, max=1e6, metavar="N", help="Requests a second that one client may make for long.")
    ] = 50.0,
    devnet: Annotated[bool, typer.Option("--devnet", help="Start the devnet too.")] = False,
    json: JsonOption = False,
) -> None:
    """Serve metrics (/metrics), events (/ws) and JSON (/api) until Ctrl+C.

    Anywhere but on loopback a token is required."""
    from app.commands.session import run_engine
    from engine.core.access import Access, read_token

    output: Output = context.obj
    access = Access(host, None if token_file is None else read_token(token_file.expanduser()))

    async def work(runtime: Runtime) -> None:
        import asyncio
        import sys

        from engine.telemetry.routes import routes_of
        from engine.telemetry.server import TelemetryServer

        status = await (runtime.devnet.up() if devnet else runtime.devnet.refresh())
        routes = routes_of(runtime.devnet, runtime.consensus, runtime.learning)
        async with TelemetryServer(runtime.bus, access, routes, rate) as server:
            server.metrics.devnet_up.set(status.state == "running")
            await server.start(host, port)
            facts: dict[str, Any] = {"url": server.url, "token_file": str(token_file) if token_file else None}
            output.result(facts, f"Listening on {server.url}. Ctrl+C ends it.")
            sys.stdout.flush()
            await asyncio.Event().wait()

    run_engine(output, work)
