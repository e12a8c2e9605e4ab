"""Requests that mean no good: other pages, other names, endless bodies, deep JSON, and whatever bytes come."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.learning.services import http
from engine.learning.services.hexes import read_data, read_quantity
from engine.learning.services.http import MAX_BODY
from engine.learning.services.payload import form_of, read_payload
from engine.learning.types import ExecutionHeader

CALL = {"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
HEX = st.from_regex(r"0x[0-9a-f]{0,130}", fullmatch=True)


@pytest.mark.parametrize("name", ["beacon", "eth", "engine", "dht"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://example.com"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "rebound.example.com"},
        {"Host": "[::1"},
    ],
    ids=lambda headers: next(iter(headers.items()))[1],
)
async def test_a_page_elsewhere_reaches_no_service(chain, serving, name: str, headers: dict[str, str]) -> None:
    async with serving(chain) as client:
        if name in ("eth", "engine"):
            status, answer = await client.post(name, CALL, **headers)
        else:
            path = "/dht/peers" if name == "dht" else "/eth/v1/node/version"
            status, answer = await client.get(name, path, **headers)
    assert status in (400, 403)  # 400: no server takes such a Host
    if status == 403:
        assert "result" not in answer


async def test_a_form_of_a_page_is_no_call(chain, serving) -> None:
    """A page may send text and forms anywhere without being asked for leave; JSON it may not."""
    async with serving(chain) as client:
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
            status, answer = await client.post("eth", json.dumps(CALL).encode(), **{"Content-Type": kind})
            assert status == 415
            assert "application/json" in answer["error"]["message"]


async def test_bodies_are_limited(chain, serving) -> None:
    async with serving(chain) as client:
        padded = json.dumps(CALL).encode()
        assert (await client.post("eth", padded.ljust(MAX_BODY)))[0] == 200
        status, answer = await client.post("eth", padded.ljust(MAX_BODY + 2))
        assert (status, str(MAX_BODY) in answer["error"]["message"]) == (413, True)
        _, answer = await client.post("eth", b'{"a":' * 100_000)
        assert answer["error"]["code"] == -32700
        kind = {"Content-Type": "application/json; charset=nothing"}
        assert (await client.post("eth", padded, **kind))[0] == 415


async def test_a_body_that_never_ends_is_given_up(chain, serving, monkeypatch) -> None:
    monkeypatch.setattr(http, "READ_S", 0.1)
    async with serving(chain) as client:
        port = int(client.services.addresses["eth"].rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(
            b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        )
        await writer.drain()
        assert (await asyncio.wait_for(reader.readline(), 10)).startswith(b"HTTP/1.1 408")
        await asyncio.wait_for(reader.read(), 10)  # until the service hangs up
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize(
    ("name", "path", "status"),
    [("beacon", "/eth/v1/beacon/headers/head", 405), ("dht", "/dht/peers", 405), ("dht", "/", 404)],
)
async def test_other_methods_are_refused_in_the_services_form(
    chain, serving, name: str, path: str, status: int
) -> None:
    async with serving(chain) as client:
        url = client.services.addresses[name] + path
        async with client.session.post(url, json={}) as answer:
            assert answer.status == status
            assert isinstance(await answer.json(), dict)
        async with client.session.get(client.services.addresses["eth"]) as answer:
            assert answer.status == 405
            assert (await answer.json())["error"]["code"] == -32600


@pytest.mark.expects_log
async def test_a_bug_is_an_internal_error_that_tells_nothing(chain, serving, monkeypatch, caplog) -> None:
    def broken() -> Any:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(chain.view, "head", broken)
    async with serving(chain) as client:
        assert await client.call("eth", "eth_blockNumber") == (-32603, "the call failed; the log says why")
        status, answer = await client.get("beacon", "/eth/v1/beacon/headers/head")
        assert (status, answer["code"]) == (500, 500)
        assert "secret" not in json.dumps(answer)
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    JSON
    | st.fixed_dictionaries(
        {"jsonrpc": st.just("2.0"), "method": st.just("eth_getBlockByNumber"), "params": JSON, "id": JSON}
    )
)
def test_any_json_is_answered_by_the_form_of_json_rpc(long_chain, body: Any) -> None:
    from engine.learning.services import eth, jsonrpc

    methods = eth.methods_of(long_chain.view)
    calls = body if isinstance(body, list) else [body]
    for call in calls:
        answer = asyncio.run(jsonrpc._answer(call, methods))
        if answer is not jsonrpc._NOTHING:
            assert ("result" in answer) != ("error" in answer)
            json.dumps(answer, allow_nan=False)


@settings(max_examples=150, deadline=None)
@given(JSON | HEX)
def test_hexadecimal_forms_are_read_or_refused(value: Any) -> None:
    for read in (read_data, read_quantity):
        try:
            found = read(value, "it")
        except ValueError as error:
            assert str(error).startswith("it ")
        else:
            assert isinstance(value, str)
            assert (hex(found) if isinstance(found, int) else "0x" + found.hex()) == value.lower()


PAYLOAD = form_of(ExecutionHeader(number=3, extra_data=b"\x01" * 64), None)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(PAYLOAD)), JSON | HEX)
def test_any_payload_is_read_or_refused(name: str, value: Any) -> None:
    try:
        payload = read_payload(PAYLOAD | {name: value})
    except ValueError as error:
        assert name in str(error)
    else:
        assert payload.header.encode_bytes()


def test_a_payload_is_read_as_it_was_written() -> None:
    payload = read_payload(PAYLOAD)
    assert form_of(payload.header, payload.certificate) == PAYLOAD
    assert (payload.strange, payload.extra) == ("", b"\x01" * 64)
