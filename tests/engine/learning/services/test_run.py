"""The services over a run: a real world of validators, trainers and a DHT, asked while it goes on."""

from __future__ import annotations

import shutil
from typing import Any

import aiohttp
import pytest

from engine.learning.ai.brain import open_brain
from engine.learning.config import LearnConfig
from engine.learning.env import Ports
from engine.learning.run.scheduler import SimScheduler
from engine.learning.run.world import World
from engine.learning.services import Services
from engine.learning.services.jwt import make_token
from engine.learning.services.payload import form_of
from engine.learning.transport import open_dht
from tests.engine.learning.services.small_chain import NOW, SECRET, Client, curl, next_header

CONFIG = LearnConfig(validators=4, nodes=2, slots=10, gate_texts=4, trainers=5, pow_bits=4)
ASKED = 7  # the slot in which the services are asked


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
async def test_the_manual_tests_of_the_specification_hold_while_a_run_goes_on() -> None:
    said: dict[str, Any] = {}
    brain = open_brain(CONFIG, None, 1)
    dht = await open_dht(CONFIG)
    scheduler = SimScheduler()
    try:
        world = await World.open(CONFIG, brain, dht, scheduler)
        services = Services(world.view(), Ports.automatic(), SECRET, now=lambda: NOW)
        async with services, aiohttp.ClientSession() as session:
            client = Client(services, session, make_token(SECRET, NOW))

            async def before_phase(slot: int, phase: str) -> None:
                if (slot, phase) == (ASKED, "finalise"):
                    said.update(await asked(client, world))

            await world.run(CONFIG.slots, before_phase)
    finally:
        await scheduler.close()
        await dht.close()
        await brain.close()
    head = said["head"]["data"]
    assert (head["header"]["message"]["slot"], head["canonical"]) == (str(ASKED), True)
    assert said["number"] == {"jsonrpc": "2.0", "id": 1, "result": hex(ASKED)}
    assert (said["peers"]["count"], said["peers"]["up"]) == (4, 4)
    assert sum(peer["records"] for peer in said["peers"]["peers"]) > 0
    updates = [int(block["updateId"], 16) for block in said["blocks"]]
    assert any(updates), "no update was included"
    assert all(block["extraData"] == block["parentHash"] + block["updateId"][2:] for block in said["blocks"])
    assert said["valid"]["status"] == "VALID"
    assert said["invalid"]["status"] == "INVALID"


async def asked(client: Client, world: World) -> dict[str, Any]:
    """Return what the specification's lines and an engine client are told."""
    urls = {name: url.replace("127.0.0.1", "localhost") for name, url in client.services.addresses.items()}
    call = '{"jsonrpc":"2.0","method":"eth_blockNumber","params":[],"id":1}'
    payload = form_of(next_header(world.view()), None)
    return {
        "peers": await curl(f"{urls['dht']}/dht/peers"),
        "number": await curl("-X", "POST", "-H", "Content-Type: application/json", "--data", call, urls["eth"]),
        "head": await curl(f"{urls['beacon']}/eth/v1/beacon/headers/head"),
        "blocks": [await client.call("eth", "eth_getBlockByNumber", hex(n), False) for n in range(1, ASKED + 1)],
        "valid": await client.call("engine", "engine_newPayloadV1", payload),
        "invalid": await client.call("engine", "engine_newPayloadV1", payload | {"extraData": "0x" + "00" * 63}),
    }
