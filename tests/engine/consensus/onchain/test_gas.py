"""The optimiser's transactions do what the given ones do, for less."""

import numpy as np
import pytest

from engine.chain.bindings import Call
from engine.chain.neural import TIERS
from engine.consensus.errors import ConsensusError
from engine.consensus.fixed import pack, to_fixed
from engine.consensus.messages import Domain, PositionMessage, position_hash
from engine.consensus.onchain.gas import GasOptimizer, choose_fees
from engine.consensus.onchain.logs import TaskLog
from engine.consensus.rounds.records import WalletSigner

pytestmark = pytest.mark.chain
ETHER = 10**18


async def gas_of(send, chain, txs):
    receipts = [await send(chain, tx["from"], Call(tx["to"], tx["data"])) for tx in txs]
    return sum(int(receipt["gasUsed"], 16) for receipt in receipts)


async def test_batches_take_the_same_positions_for_less(tmp_path, runtime_at, send):
    async with runtime_at(tmp_path) as runtime:
        chain, wallet = await runtime.chain(), runtime.wallet
        contract, agents = chain.consensus, range(1, 10)
        for number in agents:
            await send(chain, wallet.address(number), chain.vault.stake(), ETHER)
            await send(chain, wallet.address(number), contract.register(bytes(32)))
        domain = Domain(31337, contract.address)
        spent, logs = [], []
        for place in range(2):
            task_hash = bytes([place + 1]) * 32
            txs = [tx_of(chain, contract.create_task(task_hash, 8, 2**33, 10_000, 10**12, 20))]
            for number in agents:
                position = to_fixed(np.random.default_rng(number).uniform(-1, 1, 8))
                message = PositionMessage(
                    task_hash, wallet.address(number), position_hash(pack(position)), 10**6, 0, 0, 2**32
                )
                signature = WalletSigner(wallet, number).sign(message, domain)
                txs.append(tx_of(chain, contract.submit_signed(position.tolist(), message.values(), signature)))
            if place:
                plain, txs = txs, GasOptimizer(batch=8).optimize_transaction(txs)
                assert len(plain) == 10
                assert len(txs) == 3  # the task, eight positions, one
            spent.append(await gas_of(send, chain, txs))
            logs.append(await TaskLog.read(chain, task_hash))
            tier = (await contract.task_of(task_hash)).tier
            assert TIERS[tier] == ("accumulator" if place else "slots")
        assert [(t.agent, t.packed) for t in logs[0].taken] == [(t.agent, t.packed) for t in logs[1].taken]
        assert spent[1] < 0.6 * spent[0]

        fees = await GasOptimizer.fees(chain.rpc)
        base = int((await chain.rpc.request("eth_getBlockByNumber", "latest", False))["baseFeePerGas"], 16)
        assert fees.max_fee >= fees.priority
        assert base <= fees.max_fee <= 3 * base + fees.priority


def tx_of(chain, call):
    return {"from": chain.operator, "to": call.to, "data": call.data}


def test_what_is_none_of_its_business_stays_as_it_is():
    optimizer = GasOptimizer()
    for tx in (
        {"to": "0x" + "11" * 20, "data": b"", "value": 5},
        {"to": "0x" + "11" * 20, "data": b"\x01\x02\x03\x04 no call"},
    ):
        assert optimizer.optimize_transaction(tx) == [tx]
    assert optimizer.optimize_transaction([]) == []
    with pytest.raises(ConsensusError):
        GasOptimizer(batch=0)


def test_fees_follow_full_blocks():
    history = {
        "baseFeePerGas": ["0x64", "0x6e"],
        "gasUsedRatio": [0.9, 0.01],
        "reward": [["0x5"], ["0xffffff"]],  # an empty block's tip says nothing
    }
    fees = choose_fees(history)
    assert (fees.max_fee, fees.priority) == (2 * 110 + 5, 5)
    assert choose_fees({"baseFeePerGas": ["0x1"]}).priority == 1
