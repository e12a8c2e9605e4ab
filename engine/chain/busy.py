"""Whether a port is taken, and by whom."""

from __future__ import annotations

import socket

from engine.chain.rpc import Rpc
from engine.core.errors import EngineError


def taken(port: int) -> bool:
    """Return whether somebody listens on a port of this machine's loopback, or it may not be used."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def alternatives(port: int, count: int = 3) -> list[int]:
    """Return free ports after one that is taken, at most ``count``."""
    found: list[int] = []
    for free in range(port + 1, min(port + 50, 65_536)):
        if len(found) == count:
            break
        if not taken(free):
            found.append(free)
    return found


async def occupant(port: int) -> str:
    """Return who listens on a port: an Ethereum node by its own words, or another program."""
    rpc = Rpc(f"http://127.0.0.1:{port}", deadline=1.0)
    try:
        name = str(await rpc.request("web3_clientVersion"))
        return f"another Ethereum node ({name[:80]})"
    except EngineError:
        return "another program"
    finally:
        await rpc.close()
