"""The specification's "Manual Testing": its three lines, run by the real curl."""

from __future__ import annotations

import shutil

import pytest

from engine.learning.env import Ports
from tests.engine.learning.services.small_chain import Chain, curl

pytestmark = pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")


def local(url: str) -> str:
    """The specification writes localhost."""
    return url.replace("127.0.0.1", "localhost")


def test_the_ports_are_those_of_the_specification() -> None:
    ports = Ports()
    assert (ports.dht, ports.geth_http, ports.prysm_rest, ports.ai_engine) == (13337, 8545, 3500, 8552)


async def test_dht_connectivity(chain, serving) -> None:
    async with serving(chain) as client:
        answer = await curl(f"{local(client.services.addresses['dht'])}/dht/peers")
    assert (answer["count"], answer["up"]) == (2, 1)
    assert [peer["up"] for peer in answer["peers"]] == [True, False]
    assert all(len(bytes.fromhex(peer["peer_id"])) == 8 for peer in answer["peers"])


async def test_geth_sync(serving) -> None:
    chain = Chain()
    chain.extend(10)
    call = '{"jsonrpc":"2.0","method":"eth_blockNumber","params":[],"id":1}'
    async with serving(chain) as client:
        url = local(client.services.addresses["eth"])
        answer = await curl("-X", "POST", "-H", "Content-Type: application/json", "--data", call, url)
        assert answer == {"jsonrpc": "2.0", "id": 1, "result": "0xa"}
        chain.extend(1)
        answer = await curl("-X", "POST", "-H", "Content-Type: application/json", "--data", call, url)
        assert answer["result"] == "0xb"


async def test_beacon_status(chain, serving) -> None:
    async with serving(chain) as client:
        answer = await curl(f"{local(client.services.addresses['beacon'])}/eth/v1/beacon/headers/head")
    head = chain.view.head()
    assert answer["data"]["root"] == "0x" + head.root.hex()
    assert answer["data"]["canonical"] is True
    assert answer["data"]["header"]["message"]["slot"] == "10"
    assert answer["finalized"] is False
