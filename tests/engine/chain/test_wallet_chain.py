"""A key of one's own on a chain that is not for development: nothing without consent, nothing with public keys."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from engine.chain.errors import UnfundedError, WrongChainError
from engine.chain.rpc import Rpc
from engine.chain.session import Chain, Parts
from engine.chain.wallet import OPERATOR, Wallet
from engine.core.bus import EventBus
from engine.store.database import Store
from engine.store.outbox import OutboxTx

pytestmark = pytest.mark.chain
ETHER = 10**18
SECRET = bytes.fromhex("7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d")


@asynccontextmanager
async def real_node(devnet):
    """A line to the node behind which it says that it is another program."""
    tasks = set()

    async def serve(reader, writer):
        tasks.add(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-l"))
        body = await reader.readexactly(length)
        node_reader, node_writer = await asyncio.open_connection("127.0.0.1", devnet.status.port)
        node_writer.write(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") + body)
        answer = await node_reader.read()
        writer.write(answer.replace(b'"anvil/', b'"other/'))
        await writer.drain()
        for end in (node_writer, writer):
            end.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
    finally:
        listening.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await listening.wait_closed()


def parts_of(path, wallet):
    numbers = {wallet.address(number): number for number in range(5)}
    return Parts(Store.open(path), EventBus(), wallet, numbers.__getitem__)


async def test_public_keys_deploy_nothing_there(tmp_path, devnet_at):
    async with devnet_at(tmp_path / "node") as devnet:
        await devnet.up()
        parts = parts_of(tmp_path / "store.db", Wallet.development())
        async with real_node(devnet) as url:
            with pytest.raises(WrongChainError, match=r"public.*wallet new"):
                await Chain.connect(url, parts, consent=True)
        parts.store.close()


async def test_an_own_key_deploys_with_consent_once_it_can_pay_and_sends_from_then_on(tmp_path, devnet_at):
    async with devnet_at(tmp_path / "node") as devnet:
        await devnet.up()
        wallet = Wallet.of_key(SECRET)
        parts, operator = parts_of(tmp_path / "store.db", wallet), wallet.address(OPERATOR)
        async with real_node(devnet) as url:
            with pytest.raises(WrongChainError, match=operator):
                await Chain.connect(url, parts)
            with pytest.raises(UnfundedError, match=f"{operator} cannot pay to deploy") as caught:
                await Chain.connect(url, parts, consent=True)
            assert caught.value.data["free"] == "0" and int(caught.value.data["missing"]) > 10**15
            rpc = Rpc(url)
            assert await rpc.block_number() == 0
            await rpc.request("anvil_setBalance", operator, hex(ETHER))
            chain = await Chain.connect(url, parts, consent=True)
            assert not chain.development and chain.operator == operator
            agent = wallet.address(1)
            call = chain.vault.stake()
            with parts.store.transaction():
                tx = OutboxTx("stake", chain.book, agent, call.to, call.data, ETHER, "stake")
                parts.store.outbox.enqueue(tx)
            with pytest.raises(UnfundedError, match=agent):
                await chain.drain()
            await rpc.request("anvil_setBalance", agent, hex(2 * ETHER))
            await chain.drain()
            assert (await chain.vault.account_of(agent)).active == ETHER
            await chain.close()
            await rpc.close()
        parts.store.close()
