"""``nashboard serve`` among clients that mean it ill: a process of its own, real sockets, somebody honest beside."""

from __future__ import annotations

import asyncio
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import psutil

from engine.telemetry.doors import ASK_S, OPEN, Doors
from tests.cli.test_serve import url_of

TOKEN = "a-token-of-sufficient-length"
GROWTH = 96 << 20  # bytes that the process may gain by all of it
Start = Callable[..., subprocess.Popen[str]]


class Connection:
    """A connection of a server as the doors see it."""

    def __init__(self) -> None:
        self.transport: Connection | None = self
        self.ended = False

    def abort(self) -> None:
        self.ended = True


def test_who_asks_nothing_goes_after_a_while_and_at_once_when_there_are_many() -> None:
    clock = [0.0]
    there = [Connection() for _ in range(5)]
    doors = Doors(lambda: [one for one in there if not one.ended], lambda: clock[0])
    assert doors.look() == 0
    doors.asked(there[3])
    clock[0] = ASK_S
    assert doors.look() == 4 and [one.ended for one in there] == [True, True, True, False, True]
    clock[0] = 10 * ASK_S
    assert doors.look() == 0 and not there[3].ended  # who asked is the server's own to time out
    there += [Connection() for _ in range(OPEN + 20)]
    assert doors.look() == 21  # the one that asked stays
    assert sum(not one.ended for one in there) == OPEN
    assert not doors._asked - {id(there[3])} and len(doors._since) <= OPEN + 21  # and nothing is kept of who went


async def raw(url: str, *lines: str, begun: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send a request by hand, or what is ``begun`` of one."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(begun.encode() if not lines else "".join(f"{line}\r\n" for line in (*lines, "")).encode())
    await writer.drain()
    return reader, writer


async def status_of(url: str, *lines: str) -> int:
    reader, writer = await raw(url, *lines)
    first = await reader.readline()
    writer.close()
    return int(first.split()[1])


async def test_hostile_clients_cost_little_and_honest_ones_are_served(started: Start, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    process = started("serve", "--port", 0, "--token-file", tmp_path / "token", "--json")
    url = url_of(process)
    service = psutil.Process(process.pid)
    key = f"Authorization: Bearer {TOKEN}"
    upgrade = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
               "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")  # fmt: skip
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as honest:
        before = service.memory_info().rss

        # Strangers: another page, another name for this machine (DNS rebinding), no token, a wrong one.
        assert await status_of(url, "GET /metrics HTTP/1.1", "Host: 127.0.0.1", key, "Origin: https://a.example") == 403
        assert await status_of(url, "GET /metrics HTTP/1.1", "Host: rebound.example") == 401
        assert await status_of(url, "GET /metrics HTTP/1.1", "Host: 127.0.0.1") == 401
        assert await status_of(url, "GET /metrics HTTP/1.1", "Host: 127.0.0.1", "Authorization: Bearer no") == 401

        # Half-open ones: connected and silent, or amid a header.
        silent = [await raw(url) for _ in range(40)]
        silent += [await raw(url, begun=f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\nX-{n}: ") for n in range(20)]

        # A hundred listeners, of whom none reads; the service has room for sixty-four.
        handshake = ("GET /ws?events= HTTP/1.1", "Host: 127.0.0.1", key, *upgrade)
        deaf = [await raw(url, *handshake) for _ in range(100)]
        heads = [(await reader.readline()).split()[1] for reader, _ in deaf]
        assert heads.count(b"101") == 64 and set(heads) == {b"101", b"503"}

        # Thousands of events for them, and a frame of a gigabyte from one.
        body = {"scenario": "committee", "settings": {"slots": 16, "round_every": 4, "gate_texts": 16}}
        async with honest.post(f"{url}/api/learning/runs", json=body) as answer:
            assert answer.status == 200, await answer.text()
        giant = next(writer for (_, writer), head in zip(deaf, heads, strict=True) if head == b"101")
        giant.write(b"\x82\xff" + (1 << 30).to_bytes(8, "big") + b"mask" + b"x" * 65536)

        # A flood of requests: most are told to wait, and when.
        answers = await asyncio.gather(*(honest.get(f"{url}/api/status") for _ in range(400)))
        assert {answer.status for answer in answers} == {200, 429}
        assert all(int(a.headers["Retry-After"]) >= 1 for a in answers if a.status == 429)

        async def scraped() -> str:
            while True:
                async with honest.get(f"{url}/metrics") as answer:
                    if answer.status == 200:
                        return await answer.text()
                await asyncio.sleep(int(answer.headers["Retry-After"]))

        async with asyncio.timeout(240):  # the run ends, and who reads nothing is let go
            while 'learning_runs_total{outcome="done"} 1.0' not in (text := await scraped()):
                await asyncio.sleep(0.5)
            for reader, writer in silent:
                try:
                    while await reader.read(4096):
                        pass
                except ConnectionError:
                    pass
                writer.close()
        assert 'nashboard_service_refused_total{reason="origin"} 1.0' in text
        assert 'nashboard_service_refused_total{reason="full"}' in text
        assert service.memory_info().rss - before < GROWTH
        for _, writer in deaf:
            writer.transport.abort()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=90) == 130
