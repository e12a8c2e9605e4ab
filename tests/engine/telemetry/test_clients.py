"""What one client can do to the service: ask too often, say too much, read nothing, come from elsewhere."""

from __future__ import annotations

import asyncio
import json
import math
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import WSCloseCode, WSMsgType

from engine.core.access import Access
from engine.core.bus import EventBus
from engine.core.events import LogLine
from engine.learning import events as learning
from engine.learning.events import LearnLoss, LearnSlot, LearnStarted
from engine.telemetry import talk
from engine.telemetry.hub import QUEUE_BYTES, Client, wire
from engine.telemetry.limits import BURST, CLIENTS, WRONG, RateLimit
from engine.telemetry.server import TelemetryServer

TOKEN = "a-token-of-sufficient-length"


@asynccontextmanager
async def serving(bus: EventBus, token: str | None = None, rate: float = 1_000.0) -> AsyncIterator[TelemetryServer]:
    async with TelemetryServer(bus, Access("127.0.0.1", token), rate=rate) as server:
        await server.start("127.0.0.1", 0)
        yield server


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_client_gets_its_rate_and_others_theirs() -> None:
    clock = Clock()
    limit = RateLimit(10.0, clock)
    assert [limit.wait("10.0.0.1") for _ in range(10 * BURST)] == [0] * 10 * BURST
    assert limit.wait("10.0.0.1") == 1  # whole seconds, rounded up
    assert limit.wait("10.0.0.2") == 0
    clock.now += 0.5
    assert [limit.wait("10.0.0.1") > 0 for _ in range(6)] == [False] * 5 + [True]
    clock.now += 3600
    assert [limit.wait("10.0.0.1") for _ in range(10 * BURST + 1)].count(0) == 10 * BURST  # no more is saved up


def test_guessing_costs_more_and_one_network_is_one_client() -> None:
    clock = Clock()
    limit = RateLimit(10.0, clock)
    guesses = 0
    while not limit.wait("2001:db8:0:1::5"):
        limit.fine("2001:db8:0:1::5")
        guesses += 1
    assert guesses == pytest.approx(10 * BURST / WRONG, abs=1)
    assert limit.wait("2001:db8:0:1:ffff::1") > 0  # the same network
    assert limit.wait("2001:db8:0:2::5") == 0
    limit.fine("::ffff:10.0.0.9")
    assert limit.wait(None) == 0


def test_memory_is_bounded_whoever_comes() -> None:
    limit = RateLimit(10.0, Clock())
    for number in range(3 * CLIENTS):
        limit.wait(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    assert len(limit._buckets) == CLIENTS


async def test_too_many_requests_are_told_when_to_come_back() -> None:
    async with serving(EventBus(), rate=2.0) as server, aiohttp.ClientSession() as session:
        statuses = []
        for _ in range(2 * BURST + 1):
            async with session.get(f"{server.url}/") as answer:
                statuses.append(answer.status)
        assert statuses == [200] * 2 * BURST + [429]
        assert answer.headers["Retry-After"] == "1"
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{server.url}/ws")
        assert refused.value.status == 429
        text = server.metrics.text().decode()
    assert 'nashboard_service_refused_total{reason="rate"} 2.0' in text


async def test_who_guesses_tokens_is_slowed_down_and_then_even_the_right_one_waits() -> None:
    async with serving(EventBus(), TOKEN, rate=5.0) as server, aiohttp.ClientSession() as session:
        statuses = []
        for number in range(5):
            async with session.get(f"{server.url}/?token=guess-{number}") as answer:
                statuses.append(answer.status)
        assert statuses[0] == 401 and statuses[-1] == 429
        async with session.get(f"{server.url}/?token={TOKEN}") as answer:
            assert answer.status == 429


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://token.example"},
        {"Sec-Fetch-Site": "cross-site"},  # an image or a simple fetch of a page elsewhere: it bears no Origin
        {"Sec-Fetch-Site": "same-site"},
        {"Host": "attacker.example"},
    ],
)
async def test_a_page_elsewhere_cannot_use_up_the_operators_rate(headers: dict[str, str]) -> None:
    async with serving(EventBus(), rate=0.5) as server, aiohttp.ClientSession() as session:
        for _ in range(20):
            async with session.get(f"{server.url}/metrics", headers=headers) as answer:
                assert answer.status == 403
        for own in ({}, {"Sec-Fetch-Site": "none"}):
            async with session.get(f"{server.url}/metrics", headers=own) as answer:
                assert answer.status == 200
        assert b'nashboard_service_refused_total{reason="origin"} 20.0' in server.metrics.text()


async def test_a_client_that_says_too_much_is_let_go_with_a_reason() -> None:
    async with serving(EventBus()) as server, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{server.url}/ws") as quiet, session.ws_connect(f"{server.url}/ws") as loud:
            for _ in range(int(talk.SAID_AT_ONCE) + 5):
                await loud.send_str("hello")
            message = await loud.receive(timeout=30)
            assert message.type is WSMsgType.CLOSE and message.data == WSCloseCode.POLICY_VIOLATION
            assert "too many messages" in message.extra
            await quiet.ping(b"still?")
            server._hub._tell(LogLine("info", "t", "t"))
            assert not quiet.closed and len(server._hub._clients) <= 2
        while server._hub._clients:
            await asyncio.sleep(0.01)


async def test_pings_are_answered_and_a_message_that_is_too_large_ends_it() -> None:
    async with serving(EventBus()) as server, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{server.url}/ws", autoping=False) as client:
            await client.ping(b"12")
            answer = await client.receive(timeout=30)
            assert (answer.type, answer.data) == (WSMsgType.PONG, b"12")
            await client.send_str("x" * (talk.LARGEST + 1))
            assert (await client.receive(timeout=30)).data == WSCloseCode.MESSAGE_TOO_BIG


async def stuck(server: TelemetryServer, bus: EventBus) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Return a client that reads nothing, with so much sent to it that the system takes no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]), limit=2**16)
    writer.write(
        b"GET /ws?events=log. HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    await reader.readuntil(b"\r\n\r\n")
    for _ in range(300):
        bus.publish(LogLine("info", "test", "x" * 100_000))
        await asyncio.sleep(0)
    return reader, writer


async def test_a_client_that_reads_nothing_is_dropped_with_a_code_and_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.telemetry.hub.PATIENCE", 2.0)
    bus = EventBus()
    async with serving(bus) as server:
        reader, writer = await stuck(server, bus)
        (client,) = server._hub._clients
        assert client._size <= QUEUE_BYTES
        (socket,) = server._sockets
        while not socket.closed:  # it was given up
            await asyncio.sleep(0.01)
        got = bytearray()  # it wakes up and reads: what was on its way, then the goodbye
        async with asyncio.timeout(60):
            while chunk := await reader.read(2**16):
                got += chunk
        while server._hub._clients:
            await asyncio.sleep(0.01)
        writer.close()
    close = got[got.rindex(b"\x88", len(got) - 130) :]
    assert struct.unpack(">H", close[2:4])[0] == WSCloseCode.TRY_AGAIN_LATER
    assert close[4:].startswith(b"too slow: nothing was read")
    assert b"nashboard_service_messages_dropped_total" in server.metrics.text()
    assert server.metrics.dropped._value.get() > 100


async def test_a_client_that_never_wakes_up_is_freed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.telemetry.hub.PATIENCE", 0.2)
    monkeypatch.setattr(talk, "LINGER_S", 0.2)
    monkeypatch.setattr(talk, "CLOSE_S", 0.2)
    bus = EventBus()
    async with serving(bus) as server:
        reader, writer = await stuck(server, bus)
        async with asyncio.timeout(60):
            while server._hub._clients or server._sockets:
                await asyncio.sleep(0.01)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(2**30)
        writer.close()


async def test_large_messages_are_bounded_by_their_size() -> None:
    client = Client("")
    for _ in range(10):
        client.put("x" * (QUEUE_BYTES // 3))
    assert client._size <= QUEUE_BYTES and len(client._waiting) == 3
    client.put("y" * (QUEUE_BYTES + 1))
    assert client._size == 0
    sent: list[str] = []

    async def send(text: str) -> None:
        sent.append(text)

    pump = asyncio.ensure_future(client.pump(send))
    await asyncio.sleep(0.01)
    pump.cancel()
    await asyncio.gather(pump, return_exceptions=True)
    assert [json.loads(text) for text in sent] == [{"type": "dropped", "messages": 11}]


async def test_the_learning_chain_is_heard_without_the_seed_of_its_keys() -> None:
    bus, seed = EventBus(), "5e" * 32
    started = LearnStarted(1, "solo", "Solo", "ab", 4, 1, 1, "replayed", "sim", {"genesis_seed": seed, "slots": 8})
    told = (
        started,
        LearnSlot(1, 3, "proposed", 2, "ab", "cd", "", 0.5, ""),
        LearnLoss(1, 3, 1, "ab", math.nan, (1.5, math.inf)),
    )
    async with serving(bus) as server, aiohttp.ClientSession() as session:
        async with (
            session.ws_connect(f"{server.url}/ws?events=learn.") as heard,
            session.ws_connect(f"{server.url}/ws?events=") as all_,
        ):
            bus.publish(LogLine("info", "t", "not of learning"))
            for event in told:
                bus.publish(event)
            texts = [(await heard.receive(timeout=30)).data for _ in told]
            more = [(await all_.receive(timeout=30)).data for _ in range(4)]
    assert more[1:] == texts and not any(seed in text for text in texts)

    def refuse(name: str) -> None:
        raise AssertionError(f"{name} is no JSON")

    first, slot, loss = (json.loads(text, parse_constant=refuse) for text in texts)
    assert first["settings"] == {"slots": 8} and started.settings["genesis_seed"] == seed
    assert (slot["type"], slot["state"]) == ("learn.slot", "proposed")
    assert loss["held_out"] is None and loss["trainers"] == [1.5, None]


def test_every_event_of_the_learning_chain_can_be_said_in_json() -> None:
    kinds = [item for item in vars(learning).values() if isinstance(item, type) and getattr(item, "kind", "")]
    assert len(kinds) >= 15
    for kind in kinds:
        event = kind(*[() for _ in kind.__slots__])
        assert json.loads(wire(event.to_json()))["type"] == kind.kind


@pytest.mark.parametrize(
    ("token", "headers", "status"),
    [
        (None, {}, 101),
        (None, {"Origin": "https://attacker.example"}, 403),
        (None, {"Origin": "http://localhost:1"}, 403),  # another program's page on this machine
        (None, {"Origin": "null"}, 403),
        (None, {"Host": "attacker.example"}, 403),
        (None, {"Host": "attacker.example", "Origin": "http://attacker.example"}, 403),  # a name let point to 127.0.0.1
        (TOKEN, {"Authorization": f"Bearer {TOKEN}"}, 101),
        (TOKEN, {"Authorization": f"Bearer {TOKEN}", "Origin": "https://attacker.example"}, 403),
        (TOKEN, {"Authorization": f"Basic {TOKEN}"}, 401),
        (TOKEN, {"Authorization": f"Bearer {TOKEN[:-1]}"}, 401),
        (TOKEN, {"Authorization": "Bearer"}, 401),
        (TOKEN, {}, 401),
    ],
)
async def test_who_may_open_a_websocket(token: str | None, headers: dict[str, str], status: int) -> None:
    async with serving(EventBus(), token) as server, aiohttp.ClientSession() as session:
        if status == 101:
            own = {"Origin": server.url} | headers
            for given in (headers, own):
                async with session.ws_connect(f"{server.url}/ws", headers=given):
                    pass
            return
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{server.url}/ws", headers=headers)
        assert refused.value.status == status
