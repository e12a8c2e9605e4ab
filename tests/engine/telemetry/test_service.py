"""The service as its clients see it: a Prometheus scrape, WebSocket clients, and who is kept out."""

from __future__ import annotations

import asyncio
import io
import json
import socket
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.chain.events import BlockMined, DevnetChanged, TransactionMoved
from engine.consensus.events import ConsensusAgentJudged, ConsensusEnded, ConsensusIterated
from engine.consensus.rounds.run import ConsensusRun
from engine.consensus.specs import RunSpec
from engine.consensus.state import NashEthereumState
from engine.core.access import Access, is_loopback, read_token
from engine.core.bus import EventBus
from engine.core.errors import EngineError, UsageError, VerificationError
from engine.core.events import JobEnded, JobStarted, LogLine
from engine.telemetry.hub import LIMIT, QUEUE, Client
from engine.telemetry.messages import ConsensusWebSocketHandler
from engine.telemetry.routes import routes_of
from engine.telemetry.server import MAX_BODY, Routes, TelemetryServer

TOKEN = "a-token-of-sufficient-length"
UPDATE = ConsensusIterated(
    1, "0xab", 3, ("ann", "bob"), ((0.25, 0.75), (0.5, 0.5)), ((0.0, 1.0), (1.0, 0.0)), (0.4, 0.6), 0.125, False
)
SPEC_FORM = {
    "type": "consensus_update",
    "task_hash": "0xab",
    "iteration": 3,
    "positions": {"ann": [0.25, 0.75], "bob": [0.5, 0.5]},
    "converged": False,
}


def ended(outcome: str = "done", *, converged: bool = True, gas: int = 0) -> ConsensusEnded:
    return ConsensusEnded(1, "0xab", outcome, converged, 7, 1e-7, 0.03, (0.4, 0.6), gas, 12, "")


@pytest.fixture
def bus() -> EventBus:
    return EventBus()


@asynccontextmanager
async def serving(bus: EventBus, token: str | None = None, routes: Routes | None = None) -> Iterator[TelemetryServer]:
    async with TelemetryServer(bus, Access("127.0.0.1", token), routes) as server:
        await server.start("127.0.0.1", 0)
        yield server


async def samples(url: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        text = await answer.text()
    families = text_string_to_metric_families(text)
    return {(s.name, frozenset(s.labels.items())): s.value for family in families for s in family.samples}


async def test_a_scrape_reads_the_names_of_the_specification(bus: EventBus) -> None:
    async with serving(bus) as server:
        bus.publish(ended(gas=400_000))
        bus.publish(ended(gas=100_000))
        bus.publish(ended(converged=False))
        bus.publish(ended("failed"))
        bus.publish(ConsensusAgentJudged(1, "0xab", "bob", "silent", 2, ""))
        bus.publish(BlockMined(9, "0x1", 1, 2, 50_000, 30_000_000))
        bus.publish(TransactionMoved("k", "p", "mined", "0x2", 9, 21_000, ""))
        bus.publish(DevnetChanged("running", "http://127.0.0.1:1", 31337, 1, "1", ""))
        bus.publish(JobStarted(1, "work", True))
        bus.publish(JobStarted(2, "work", True))
        bus.publish(JobEnded(1, "done", ""))
        found = await samples(server.url)
    none = frozenset()
    assert found["consensus_iterations_total_count", none] == 2
    assert found["consensus_iterations_total_sum", none] == 14
    assert found["consensus_iterations_total_bucket", frozenset({("le", "5.0")})] == 0
    assert found["consensus_iterations_total_bucket", frozenset({("le", "10.0")})] == 2
    assert found["consensus_gas_used_total", none] == 500_000
    assert found["consensus_convergence_seconds_count", none] == 2
    assert found["consensus_convergence_seconds_sum", none] == pytest.approx(0.06)
    assert found["consensus_rounds_total", frozenset({("outcome", "not converged")})] == 1
    assert found["consensus_rounds_total", frozenset({("outcome", "failed")})] == 1
    assert found["consensus_agents_judged_total", frozenset({("reason", "silent")})] == 1
    assert found["nashboard_chain_head", none] == 9
    assert found["nashboard_devnet_up", none] == 1
    assert found["nashboard_jobs_running", none] == 1
    assert found["nashboard_transactions_total", frozenset({("state", "mined")})] == 1


async def test_two_servers_count_apart_and_a_closed_one_no_more(bus: EventBus) -> None:
    async with serving(bus) as first, serving(EventBus()) as second:
        bus.publish(ended(gas=5))
        assert (await samples(first.url))["consensus_gas_used_total", frozenset()] == 5
        assert (await samples(second.url))["consensus_gas_used_total", frozenset()] == 0
        counted = first.metrics
    bus.publish(ended(gas=5))
    assert b"consensus_gas_used_total 5.0" in counted.text()


async def test_a_client_hears_updates_in_the_form_of_the_specification(bus: EventBus) -> None:
    async with serving(bus) as server, aiohttp.ClientSession() as session:
        async with (
            session.ws_connect(f"{server.url}/ws") as plain,
            session.ws_connect(f"{server.url}/ws?events=") as all_,
        ):
            bus.publish(LogLine("INFO", "test", "not for the first client"))
            bus.publish(UPDATE)
            assert await plain.receive_json(timeout=30) == SPEC_FORM
            kinds = [(await all_.receive_json(timeout=30))["type"] for _ in range(3)]
            assert kinds == ["log.line", "consensus_update", "consensus.iterated"]


async def test_the_handler_sends_a_state_with_tensors(bus: EventBus) -> None:
    sent = []

    class Socket:
        async def send_json(self, data: object) -> None:
            sent.append(json.loads(json.dumps(data, allow_nan=False)))

    torch = pytest.importorskip("torch")
    state = NashEthereumState("0xab", 3, {"ann": torch.tensor([0.25, 0.75]), "bob": torch.tensor([0.5, 0.5])})
    await ConsensusWebSocketHandler(Socket()).broadcast_state(state)
    state.positions["bob"] = np.array([np.nan, 1.0])
    await ConsensusWebSocketHandler(Socket()).broadcast_state(state)
    assert sent[0] == SPEC_FORM
    assert sent[1]["positions"]["bob"] == [None, 1.0]


async def test_a_client_that_does_not_read_costs_bounded_memory_and_delays_nobody(bus: EventBus) -> None:
    async with serving(bus) as server, aiohttp.ClientSession() as session:
        async with session.ws_connect(f"{server.url}/ws?events=log.") as quick:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rsplit(":", 1)[1]))
            writer.write(
                b"GET /ws?events=log. HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            await reader.readuntil(b"\r\n\r\n")
            for number in range(3 * QUEUE):
                bus.publish(LogLine("INFO", "test", f"{number} " + "x" * 2_000))
                if number % 100 == 0:
                    await asyncio.sleep(0.001)
            assert max(len(client._waiting) for client in server._hub._clients) <= QUEUE
            last = ""
            while not last.startswith(f"{3 * QUEUE - 1} "):
                last = (await quick.receive_json(timeout=30)).get("text", "")
            writer.close()


async def test_a_client_is_told_what_it_missed() -> None:
    sent: list[dict[str, object]] = []
    lost: list[int] = []

    async def send(text: str) -> None:
        sent.append(json.loads(text))

    client = Client("n", lost.append)
    for number in range(QUEUE + 5):
        client.put(json.dumps({"type": "n", "number": number}))
    pump = asyncio.ensure_future(client.pump(send))
    while len(sent) < QUEUE + 1:
        await asyncio.sleep(0)
    pump.cancel()
    await asyncio.gather(pump, return_exceptions=True)
    assert sent[0] == {"type": "dropped", "messages": 5} and sum(lost) == 5
    assert sent[1]["number"] == 5 and sent[-1]["number"] == QUEUE + 4


async def test_clients_are_limited_and_a_leaving_one_makes_room(bus: EventBus) -> None:
    async with serving(bus) as server, aiohttp.ClientSession() as session:
        sockets = [await session.ws_connect(f"{server.url}/ws") for _ in range(LIMIT)]
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await session.ws_connect(f"{server.url}/ws")
        assert refused.value.status == 503
        await sockets.pop().close()
        while server._hub.full:
            await asyncio.sleep(0.01)
        sockets.append(await session.ws_connect(f"{server.url}/ws"))
        for one in sockets:
            await one.close()


async def test_closing_ends_the_clients(bus: EventBus) -> None:
    async with aiohttp.ClientSession() as session:
        async with serving(bus) as server:
            client = await session.ws_connect(f"{server.url}/ws")
        assert (await client.receive(timeout=30)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED)


async def test_closing_waits_for_all_silent_clients_at_once(bus: EventBus, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients that never answer a goodbye: one after the other they would hold the program up for a minute."""
    parting = most = 0

    async def part(*_: object) -> None:
        nonlocal parting, most
        parting += 1
        most = max(most, parting)
        await asyncio.sleep(0.01)
        parting -= 1

    monkeypatch.setattr("engine.telemetry.server.part", part)
    async with aiohttp.ClientSession() as session:
        async with serving(bus) as server:
            clients = [await session.ws_connect(f"{server.url}/ws") for _ in range(5)]
            while len(server._sockets) < len(clients):
                await asyncio.sleep(0)
    assert most == 5


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, "", 401),
        ({"Authorization": "Bearer wrong"}, "", 401),
        ({"Authorization": f"Bearer {TOKEN}x"}, "", 401),
        ({"Authorization": "Bearer "}, "?token=", 401),
        ({}, "?token=%F0%9F%98%80", 401),
        ({"Authorization": f"Bearer {TOKEN}"}, "", 200),
        ({}, f"?token={TOKEN}", 200),
        ({"Authorization": f"Bearer {TOKEN}", "Origin": "http://elsewhere.example"}, "", 403),
    ],
)
async def test_a_token_is_asked_for(bus: EventBus, headers: dict[str, str], query: str, status: int) -> None:
    async with serving(bus, TOKEN) as server, aiohttp.ClientSession() as session:
        for path in ("/", "/metrics"):
            async with session.get(f"{server.url}{path}{query}", headers=headers) as answer:
                assert answer.status == status
                assert TOKEN not in await answer.text()
        if status != 200:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(f"{server.url}/ws{query}", headers=headers)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:9"}, 200),
        ({"Host": "attacker.example"}, 403),  # a name that an attacker lets point to 127.0.0.1
        ({"Origin": "https://attacker.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "["}, 403),
        ({"Origin": "http://[::1"}, 403),
    ],
)
async def test_on_loopback_pages_of_others_are_kept_out(bus: EventBus, headers: dict[str, str], status: int) -> None:
    async with serving(bus) as server, aiohttp.ClientSession() as session:
        async with session.get(f"{server.url}/metrics", headers=headers) as answer:
            assert answer.status == status


def test_other_addresses_need_a_token() -> None:
    with pytest.raises(UsageError, match="needs a token"):
        Access("0.0.0.0", None)
    Access("0.0.0.0", TOKEN)
    assert [is_loopback(host) for host in ("::1", "127.0.0.2", "localhost", "0.0.0.0", "10.0.0.1", "", "example")] == [
        True,
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def test_a_token_file_is_made_once_and_read_again(tmp_path: Path) -> None:
    path = tmp_path / "token"
    token = read_token(path)
    assert len(token) >= 32 and read_token(path) == token
    assert path.stat().st_mode & 0o777 == 0o600
    for bad in ("", "short", "x" * 15, "with a\nline break inside"):
        path.write_text(bad)
        with pytest.raises(UsageError, match="cannot be used"):
            read_token(path)
    path.write_bytes(b"\xff\xfe" * 20)
    with pytest.raises(EngineError, match="cannot be read"):
        read_token(path)
    with pytest.raises(UsageError, match="cannot be used"):
        read_token(Path("/dev/zero"))
    with pytest.raises(EngineError, match="cannot be made"):
        read_token(tmp_path / "missing" / "token")


async def test_a_port_in_use_is_named(bus: EventBus) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        server = TelemetryServer(bus, Access("127.0.0.1", None))
        with pytest.raises(EngineError, match=f"port {taken.getsockname()[1]} is taken"):
            await server.start("127.0.0.1", taken.getsockname()[1])


@pytest.mark.expects_log
async def test_answers_and_failures_are_json(bus: EventBus) -> None:
    async def echo(value: object) -> object:
        return value

    async def fail(value: dict[str, str]) -> object:
        raise {"usage": UsageError("u"), "proof": VerificationError("p"), "other": EngineError("o", "w", "n")}[
            value["how"]
        ]

    routes: Routes = {("POST", "/echo/{name}"): echo, ("GET", "/fail/{how}"): fail}
    async with serving(bus, routes=routes) as server, aiohttp.ClientSession() as session:
        async with session.post(f"{server.url}/echo/a", json=[1]) as answer:
            assert await answer.json() == {"name": "a", "body": [1]}
        statuses = {}
        for how in ("usage", "proof", "other", "bug"):
            async with session.get(f"{server.url}/fail/{how}") as answer:
                statuses[how] = answer.status
                assert (await answer.json())["what"]
        assert statuses == {"usage": 400, "proof": 409, "other": 422, "bug": 500}
        for body, kind in (
            (b"{", "application/json"),
            (b"{}", "text/plain"),
            (b"[" * 100_000, "application/json"),
            (b'{"a": 1, "a": 2}', "application/json"),
            (b"{}", "application/json; charset=nonsense"),
        ):
            async with session.post(f"{server.url}/echo/a", data=body, headers={"Content-Type": kind}) as answer:
                assert answer.status == 400, (body[:5], await answer.text())
        huge = io.BytesIO(json.dumps("x" * MAX_BODY).encode())
        async with session.post(
            f"{server.url}/echo/a", data=huge, headers={"Content-Type": "application/json"}
        ) as answer:
            assert answer.status == 400 and "too large" in await answer.text()


async def test_a_started_run_is_named_by_the_hash_of_its_own_round() -> None:
    """The second round of a task has another hash on chain: by the task's own the first one would be verified."""

    class Consensus:
        async def start(self, spec: RunSpec) -> ConsensusRun:
            return ConsensusRun(7, spec, b"\7" * 32)

    routes = routes_of(cast(Any, None), cast(Any, Consensus()), cast(Any, None))
    body = {"task": {"type": "custom", "labels": ["a", "b"]}}
    assert await routes["POST", "/api/consensus/runs"]({"body": body}) == {"run_id": 7, "task_hash": "0x" + "07" * 32}
