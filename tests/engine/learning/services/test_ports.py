"""Ports: what is taken is named with who has it, what is free, and the setting; nothing is left half open."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from engine.learning.env import Ports
from engine.learning.errors import LearnPortError, LearnSettingError
from engine.learning.services import Services

SECRET = bytes(32)


@contextmanager
def listening() -> Iterator[int]:
    """Another program on a port, that never answers."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


async def test_every_service_listens_on_loopback_alone_and_says_where(chain) -> None:
    async with Services(chain.view, Ports.automatic(), SECRET) as services:
        assert [address.name for address in services.listening] == ["beacon", "eth", "engine", "dht"]
        assert [address.setting for address in services.listening] == [
            "PRYSM_REST_PORT",
            "GETH_HTTP_PORT",
            "AI_ENGINE_PORT",
            "DHT_PORT",
        ]
        assert len(set(services.addresses.values())) == 4
        assert all(url.startswith("http://127.0.0.1:") for url in services.addresses.values())
    assert services.addresses == {}


async def test_a_taken_port_is_told_with_its_setting_and_a_free_one(chain) -> None:
    with listening() as port:
        with pytest.raises(LearnPortError) as caught:
            await Services(chain.view, replace(Ports.automatic(), geth_http=port), SECRET).__aenter__()
    (fact,) = caught.value.data["ports"]
    assert (fact["port"], fact["setting"]) == (port, "GETH_HTTP_PORT")
    assert fact["free"] > port
    text = str(caught.value)
    assert f"The port {port} is taken" in text
    assert f"GETH_HTTP_PORT={fact['free']}" in text
    assert "auto" in text


async def test_another_ethereum_node_is_called_by_its_name(chain) -> None:
    """8545 is Anvil's and Geth's usual port: it is most often they who have it."""
    async with Services(chain.view, Ports.automatic(), SECRET) as first:
        port = int(first.addresses["eth"].rpartition(":")[2])
        with pytest.raises(LearnPortError, match=r"another Ethereum node \(nashboard/v"):
            async with Services(chain.view, {"GETH_HTTP_PORT": port, "DHT_PORT": 0}, SECRET):
                pass


async def test_all_taken_ports_are_told_at_once_and_nothing_stays_open(chain) -> None:
    with listening() as one, listening() as two:
        ports = replace(Ports.automatic(), prysm_rest=one, dht=two)
        services = Services(chain.view, ports, SECRET)
        with pytest.raises(LearnPortError) as caught:
            await services.__aenter__()
        assert {fact["setting"] for fact in caught.value.data["ports"]} == {"PRYSM_REST_PORT", "DHT_PORT"}
        free = {fact["free"] for fact in caught.value.data["ports"]}
        assert len(free) == 2
        assert services.addresses == {}


async def test_a_port_is_free_again_afterwards(chain) -> None:
    async with Services(chain.view, Ports.automatic(), SECRET) as services:
        ports = [int(url.rpartition(":")[2]) for url in services.addresses.values()]
        async with aiohttp.ClientSession() as session, session.get(f"{services.addresses['dht']}/dht/peers") as answer:
            assert answer.status == 200
    assert all(is_free(port) for port in ports)
    named = dict(zip(("PRYSM_REST_PORT", "GETH_HTTP_PORT", "AI_ENGINE_PORT", "DHT_PORT"), ports, strict=True))
    async with Services(chain.view, named, SECRET) as again:
        assert [int(url.rpartition(":")[2]) for url in again.addresses.values()] == ports


async def test_a_cancelled_start_leaves_nothing_open(chain) -> None:
    with listening() as port:  # it never answers who it is, so that the start waits for it
        services = Services(chain.view, replace(Ports.automatic(), dht=port), SECRET)
        task = asyncio.create_task(services.__aenter__())
        while len(services.addresses) < 3:
            await asyncio.sleep(0.01)
        opened = [int(url.rpartition(":")[2]) for url in services.addresses.values()]
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert services.addresses == {}
    assert all(is_free(one) for one in opened)


@pytest.mark.parametrize("ports", [{"GETH_PORT": 1}, {"DHT_PORT": 70_000}, {"DHT_PORT": -1}, {"SLASHER_PORT": 0}])
def test_ports_that_are_none_are_refused(chain, ports: dict[str, int]) -> None:
    with pytest.raises(LearnSettingError, match=next(iter(ports))):
        Services(chain.view, ports, SECRET)


def test_ports_go_by_either_name() -> None:
    assert Ports.of({"dht": 5, "GETH_HTTP_PORT": 0}) == Ports(dht=5, geth_http=0)


async def test_the_secret_is_made_beside_the_run(chain, tmp_path: Path) -> None:
    async with Services(chain.view, Ports.automatic(), tmp_path / "jwt.hex"):
        assert len((tmp_path / "jwt.hex").read_text("ascii").strip()) == 64
