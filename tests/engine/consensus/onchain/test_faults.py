"""What goes wrong with a chain in the middle of a round: it is said clearly, and the round goes on afterwards."""

import asyncio
import os
import signal

import numpy as np
import pytest

from engine.chain.errors import RpcError, WrongChainError
from engine.chain.rpc import hex_data
from engine.chain.session import Chain
from engine.consensus.errors import ConsensusError
from engine.consensus.messages import Domain, PositionMessage, SignedPosition, position_hash
from engine.consensus.onchain.logs import TaskLog
from engine.consensus.onchain.phase import OnChainPhase
from engine.consensus.onchain.steps import ChainSteps, ShortOfPositionsError
from engine.consensus.rounds.protocol import reach_consensus
from engine.consensus.rounds.records import Records, WalletSigner
from engine.core.errors import VerificationError
from engine.core.hashing import keccak

pytestmark = pytest.mark.chain
ETHER = 10**18


def before(monkeypatch, step, do):
    """Do something once, just before a step of the next round."""
    real, left = getattr(ChainSteps, step), [1]

    async def disturbed(self, *arguments, **named):
        if left:
            left.pop()
            await do(self._chain)
        return await real(self, *arguments, **named)

    monkeypatch.setattr(ChainSteps, step, disturbed)


async def finished(runtime, run_id):
    """Resume a round and check that it came out as any other."""
    result = await (await runtime.consensus.resume(run_id)).result()
    assert result.on_chain.certified
    assert np.abs(result.on_chain.equilibrium - result.equilibrium).max() < 1e-8
    assert len(result.agents) == 5
    return result


def participants(runtime, stand_ins, spec):
    records = Records(runtime.store, runtime.wallet.address)
    return [
        stand_ins(agent.name, WalletSigner(runtime.wallet, records.account(agent.name).account))
        for agent in spec.agents
    ]


async def test_a_paused_contract_reverts_and_the_round_waits(tmp_path, runtime_at, spec_of, send):
    async with runtime_at(tmp_path) as runtime:
        chain = await runtime.chain()
        await (await runtime.consensus.start(spec_of(on_chain=True))).result()
        contract, role = chain.consensus, keccak(b"PAUSER_ROLE")
        await send(chain, chain.operator, contract._send("grantRole", role, chain.operator))
        await send(chain, chain.operator, contract._send("pause"))
        run = await runtime.consensus.start(spec_of())
        with pytest.raises(ConsensusError, match=r"refused to create a consensus task.*EnforcedPause.*resume"):
            await run.result()
        assert runtime.consensus.runs()[0].state == "signed"
        await send(chain, chain.operator, contract._send("unpause"))
        result = await finished(runtime, run.run_id)
        assert result.task_hash == run.task_hash  # nobody signed again
        assert (await chain.vault.totals()).active == 5 * ETHER // 10


async def test_positions_that_come_too_late(tmp_path, runtime_at, spec_of, monkeypatch):
    async with runtime_at(tmp_path) as runtime:
        before(monkeypatch, "submit", lambda chain: chain.control.warp(3_600))
        run = await runtime.consensus.start(spec_of())
        with pytest.raises(ShortOfPositionsError, match="0 of at least 3 positions were in when the window closed"):
            await run.result()
        chain = await runtime.chain()
        assert (await chain.consensus.task_of(run.task_hash)).status == 4  # void: nothing stays open
        result = await finished(runtime, run.run_id)
        assert result.task_hash != run.task_hash


@pytest.mark.parametrize("step", ["create", "submit", "prove", "finalize", "credit"])
async def test_a_reorganisation_between_two_steps(tmp_path, runtime_at, spec_of, monkeypatch, step):
    """All blocks since the stakes are lost, with the transactions in them."""
    async with runtime_at(tmp_path) as runtime:

        async def reorganise(chain):
            rows = runtime.store.outbox.under(f"{chain.book}:consensus:stake:")
            lost = await chain.block_number() - max(row.block for row in rows)
            assert lost > 0
            await chain.rpc.request("anvil_reorg", lost, [])

        before(monkeypatch, step, reorganise)
        run = await runtime.consensus.start(spec_of())
        result = await run.result()
        chain = await runtime.chain()
        await chain.drain()
        assert (await chain.consensus.result_of(result.task_hash))[1]
        assert (await runtime.consensus.verify(result.task_hash.hex())).ok
        assert (await chain.vault.totals()).active == 5 * ETHER // 10
        assert len((await TaskLog.read(chain, result.task_hash)).taken) == 5
        assert (await chain.consensus.task_of(result.task_hash)).count == 5


async def test_a_registration_that_comes_back_after_the_positions(tmp_path, runtime_at, spec_of, monkeypatch):
    """After a reorganisation others put our transactions back in their own order: the batch stands without eve."""
    async with runtime_at(tmp_path) as runtime:
        outbox = runtime.store.outbox

        async def disorder(chain):
            eve = Records(runtime.store, runtime.wallet.address).account("eve").address
            rows = outbox.under(f"{chain.book}:consensus:")
            staked = max(row.block for row in rows if ":stake:" in row.tx.key)
            lost = await chain.block_number() - staked
            await chain.rpc.request("anvil_reorg", lost, [])
            early = [row for row in rows if ":stake:" not in row.tx.key and ":prove:" not in row.tx.key]
            for row in sorted(early, key=lambda row: row.block):
                if row.tx.account != eve:
                    await chain.rpc.request("eth_sendRawTransaction", hex_data(row.raw))
                    await chain.control.mine()

        before(monkeypatch, "finalize", disorder)
        run = await runtime.consensus.start(spec_of())
        result = await run.result()
        chain = await runtime.chain()
        log = await TaskLog.read(chain, result.task_hash)
        assert list(log.rejected.values()) == ["not registered"]
        assert len(log.taken) == 5
        assert len(result.agents) == 5
        assert result.verdicts == ()
        assert (await runtime.consensus.verify(result.task_hash.hex())).ok


async def test_positions_lost_while_the_deadline_is_waited_for(tmp_path, runtime_at, spec_of, stand_ins, monkeypatch):
    async with runtime_at(tmp_path) as runtime:
        dev, spec = await runtime.chain(), spec_of(submission_window=8)
        chain = Chain(dev.rpc, runtime._parts, dev.deployment, development=False)
        agents = participants(runtime, stand_ins, spec)
        for address in (chain.operator, *(agent.signer.address for agent in agents)):
            await dev.control.fund(address, 100 * ETHER)

        async def reorganise(chain):
            (created,) = runtime.store.outbox.under(f"{chain.book}:consensus:{phase.task_hash.hex()}:create:")
            await chain.rpc.request("anvil_reorg", await chain.block_number() - created.block, [])

        before(monkeypatch, "wait", reorganise)
        phase = OnChainPhase(chain, runtime.store, spec.config)
        result = await reach_consensus(spec.task, agents, spec.config, phase=phase)
        assert len((await TaskLog.read(chain, result.task_hash)).taken) == 5


async def test_a_node_killed_in_the_middle(tmp_path, runtime_at, spec_of, monkeypatch):
    async with runtime_at(tmp_path) as runtime:

        async def kill(chain):
            await asyncio.sleep(1.2)  # the node writes its state every second
            os.kill(runtime.devnet.status.pid, signal.SIGKILL)

        before(monkeypatch, "prove", kill)
        run = await runtime.consensus.start(spec_of())
        with pytest.raises(RpcError, match=r"cannot be reached.*resume the round: its number is 1"):
            await run.result()
        assert runtime.consensus.runs()[0].state == "signed"
        while runtime.devnet.status.state == "running":
            await asyncio.sleep(0.05)
        await runtime.devnet.up()
        result = await finished(runtime, run.run_id)
        assert result.task_hash == run.task_hash


async def test_a_chain_that_began_anew(tmp_path, runtime_at, spec_of, monkeypatch):
    async with runtime_at(tmp_path) as runtime:
        before(monkeypatch, "prove", lambda chain: chain.rpc.request("anvil_reset"))
        run = await runtime.consensus.start(spec_of())
        with pytest.raises(WrongChainError, match="contracts are not on this chain"):
            await run.result()
        old = runtime.consensus.runs()[0].place
        await finished(runtime, run.run_id)  # the agents sign again: for other contracts
        assert runtime.consensus.runs()[0].place != old


async def test_another_chain_id_is_refused(tmp_path, runtime_at, spec_of, stand_ins):
    async with runtime_at(tmp_path / "a") as runtime, runtime_at(tmp_path / "b", node=False) as other:
        await other.devnet.up(chain_id=137)
        chain, spec = await runtime.chain(), spec_of()
        astray = Chain((await other.chain()).rpc, runtime._parts, chain.deployment, development=True)
        phase = OnChainPhase(astray, runtime.store, spec.config)
        with pytest.raises(WrongChainError):
            await reach_consensus(spec.task, participants(runtime, stand_ins, spec), spec.config, phase=phase)
        assert not runtime.store.outbox.counts(chain.book)


async def test_without_a_development_node(tmp_path, runtime_at, spec_of, stand_ins):
    """Nobody's account is filled, and deadlines are waited for."""
    async with runtime_at(tmp_path) as runtime:
        dev, spec = await runtime.chain(), spec_of(submission_window=2, gas_optimization=False)
        chain = Chain(dev.rpc, runtime._parts, dev.deployment, development=False)
        agents = participants(runtime, stand_ins, spec)
        phase = OnChainPhase(chain, runtime.store, spec.config)
        with pytest.raises(
            ConsensusError, match=r"5 accounts are too empty: ann \(0x.*has 0 ETH and lacks 0\.1.*nothing"
        ):
            await reach_consensus(spec.task, agents, spec.config, phase=phase)
        assert not runtime.store.outbox.counts(chain.book)
        for agent in agents:
            await dev.control.fund(agent.signer.address, ETHER)
        steps = []
        phase = OnChainPhase(chain, runtime.store, spec.config, steps.append)
        result = await reach_consensus(spec.task, agents, spec.config, phase=phase)
        assert result.on_chain.certified
        assert any("for the deadline" in step.text for step in steps)
        assert (await runtime.consensus.verify(result.task_hash.hex())).ok


async def test_a_stranger_that_joins_is_counted_and_named(tmp_path, runtime_at, spec_of, monkeypatch, send):
    async with runtime_at(tmp_path) as runtime:
        chain = await runtime.chain()
        stranger = runtime.wallet.address(9)
        await send(chain, stranger, chain.vault.stake(), ETHER)
        await send(chain, stranger, chain.consensus.register(bytes(32)))

        async def join(_):
            position = [1 << 47] * 5
            await send(chain, stranger, chain.consensus.submit_position(stranger, position, 500_000, run.task_hash))

        before(monkeypatch, "submit", join)
        run = await runtime.consensus.start(spec_of())
        result = await run.result()
        assert len((await TaskLog.read(chain, run.task_hash)).taken) == 6
        assert "1 agents more" in result.message
        assert np.array_equal(result.equilibrium, result.on_chain.equilibrium)
        found = await runtime.consensus.verify(run.task_hash.hex())
        assert found.ok, found.checks
        assert any("joined by themselves" in check.text for check in found.checks)


async def as_account(send, chain, address, call):
    """Send a call from an account whose key the test does not use."""
    await chain.rpc.request("anvil_impersonateAccount", address)
    await send(chain, address, call)
    await chain.rpc.request("anvil_stopImpersonatingAccount", address)


async def test_a_position_that_the_contract_does_not_take(tmp_path, runtime_at, spec_of, monkeypatch, send):
    async with runtime_at(tmp_path) as runtime:
        address = Records(runtime.store, runtime.wallet.address).account("ben").address
        before(monkeypatch, "submit", lambda chain: as_account(send, chain, address, chain.consensus.advance_nonce()))
        plain = await (await runtime.consensus.start(spec_of(["ann", "cleo", "dan", "eve"], on_chain=False))).result()
        run = await runtime.consensus.start(spec_of(["ann", "ben", "cleo", "dan", "eve"]))
        result = await run.result()
        (verdict,) = result.verdicts
        assert (verdict.agent, verdict.reason, verdict.detail) == ("ben", "not accepted", "stale nonce")
        assert result.agents == ("ann", "cleo", "dan", "eve")
        assert np.abs(result.equilibrium - plain.equilibrium).max() < 1e-12
        assert np.abs(result.on_chain.equilibrium - plain.equilibrium).max() < 1e-8
        rows = {row.name: row for row in await runtime.consensus.agents()}
        assert rows["ben"].stake == ETHER // 10  # a lost word is no fault
        assert (await (await runtime.consensus.start(spec_of())).result()).verdicts == ()


def two_words(runtime, name, task_hash, domain):
    """Two positions that an agent signed for one round."""
    signer = WalletSigner(runtime.wallet, Records(runtime.store, runtime.wallet.address).account(name).account)
    words = []
    for packed in (bytes(30), bytes(29) + b"\x01"):
        message = PositionMessage(task_hash, signer.address, position_hash(packed), 5, 7, 0, 2**39)
        words.append(SignedPosition(message, packed, signer.sign(message, domain)))
    return words


@pytest.mark.parametrize("step", ["prove", "finalize"])
async def test_evidence_that_somebody_else_brings_meanwhile(tmp_path, runtime_at, spec_of, monkeypatch, step, send):
    """Before the proof the agent's weight is gone; after it the certificate is revoked, and another one made."""
    async with runtime_at(tmp_path) as runtime:

        async def accuse(chain):
            one, two = two_words(runtime, "ben", run.task_hash, Domain(31337, chain.consensus.address))
            call = chain.consensus.prove_equivocation(
                one.message.values(), one.signature, two.message.values(), two.signature
            )
            await send(chain, runtime.wallet.address(8), call)

        before(monkeypatch, step, accuse)
        plain = await (await runtime.consensus.start(spec_of(["ann", "cleo", "dan", "eve"], on_chain=False))).result()
        run = await runtime.consensus.start(spec_of())
        result = await run.result()
        assert [(verdict.agent, verdict.reason) for verdict in result.verdicts] == [("ben", "equivocation")]
        assert np.abs(result.on_chain.equilibrium - plain.equilibrium).max() < 1e-8
        assert np.abs(result.equilibrium - plain.equilibrium).max() < 1e-12
        assert (await runtime.consensus.verify(run.task_hash.hex())).ok


async def test_another_result_on_chain_is_an_error_that_shows_both(tmp_path, runtime_at, spec_of, monkeypatch):
    async with runtime_at(tmp_path) as runtime:

        async def corrupt(chain):
            address = chain.consensus.address
            data = hex_data(chain.consensus.abi.encode_call("getConsensusResult", run.task_hash))
            access = await chain.rpc.request("eth_createAccessList", {"to": address, "data": data})
            for key in access["accessList"][0]["storageKeys"]:
                value = int(await chain.rpc.request("eth_getStorageAt", address, key, "latest"), 16)
                if value.bit_length() > 200:  # the word that holds five coordinates
                    await chain.rpc.request("anvil_setStorageAt", address, key, f"0x{value ^ 1:064x}")

        before(monkeypatch, "credit", corrupt)
        run = await runtime.consensus.start(spec_of())
        with pytest.raises(
            VerificationError, match="another result than was computed: they differ in 1 coord"
        ) as raised:
            await run.result()
        assert raised.value.exit_code == 3
        apart = [a - b for a, b in zip(raised.value.data["chain"], raised.value.data["computed"], strict=True)]
        assert sorted(map(abs, apart)) == [0, 0, 0, 0, 1]
        found = await runtime.consensus.verify(run.task_hash.hex())
        assert {check.name for check in found.checks if not check.ok} >= {"result"}
