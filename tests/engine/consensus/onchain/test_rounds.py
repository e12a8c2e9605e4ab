"""A round from start to end on a real chain."""

import asyncio
import time

import numpy as np
import pytest

from engine.consensus.events import ConsensusAgentJudged, ConsensusChainStep, ConsensusEnded, ConsensusStarted
from engine.consensus.fixed import from_fixed
from engine.consensus.onchain.certificate import certify
from engine.consensus.onchain.logs import TaskLog

pytestmark = pytest.mark.chain
ETHER = 10**18


async def test_a_round_ends_with_what_the_agents_agreed_on(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path) as runtime:
        events = []
        runtime.bus.subscribe(events.append, ConsensusStarted, ConsensusChainStep, ConsensusEnded)
        run = await runtime.consensus.start(spec_of())
        result = await run.result()
        chain = await runtime.chain()

        assert result.converged
        assert len(result.agents) == 5
        assert result.on_chain.certified
        assert np.abs(result.on_chain.equilibrium - result.equilibrium).max() < 1e-8
        assert [step.phase for step in result.on_chain.steps] == [
            *("stake", "register", "create", "submit", "prove", "finalize", "reputation")
        ]
        assert all(step.txs and step.gas for step in result.on_chain.steps)
        assert result.on_chain.gas_used == sum(step.gas for step in result.on_chain.steps)
        receipt = await chain.rpc.request("eth_getTransactionReceipt", result.on_chain.tx)
        assert int(receipt["blockNumber"], 16) == result.on_chain.block
        assert events[0].task_hash == events[-1].task_hash == "0x" + result.task_hash.hex()
        assert events[-1].outcome == "done"
        assert events[-1].gas_used == result.on_chain.gas_used

        rows = {row.name: row for row in await runtime.consensus.agents()}
        assert {row.stake for row in rows.values()} == {ETHER // 10}
        assert all(row.registered and not row.banned for row in rows.values())
        assert max(row.reputation for row in rows.values()) == 102
        assert not runtime.store.ledger.audit(chain.book)
        assert runtime.store.ledger.balance(chain.book, f"stake:{rows['ann'].address}") == ETHER // 10

        again = await (await runtime.consensus.start(spec_of())).result()
        assert again.task_hash != result.task_hash  # nobody signs twice for one
        assert (await chain.vault.totals()).active == 5 * ETHER // 10  # staked once
        assert [record.state for record in runtime.consensus.runs()] == ["done", "done"]


@pytest.mark.parametrize("settings", [{"gas_optimization": False}, {"tier": "accumulator"}])
async def test_the_other_ways_to_submit_give_the_same(tmp_path, runtime_at, spec_of, settings):
    async with runtime_at(tmp_path) as runtime:
        plain = await (await runtime.consensus.start(spec_of(on_chain=False))).result()
        result = await (await runtime.consensus.start(spec_of(**settings))).result()
        assert np.abs(result.equilibrium - plain.equilibrium).max() < 1e-12
        assert np.abs(result.on_chain.equilibrium - plain.equilibrium).max() < 1e-8
        submit = next(step for step in result.on_chain.steps if step.phase == "submit")
        assert len(submit.txs) == (1 if result.config.gas_optimization else 5)
        assert (await runtime.consensus.verify("0x" + result.task_hash.hex())).ok


async def test_without_a_chain_nothing_is_sent(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path, node=False) as runtime:
        for spec in (spec_of(on_chain=False), spec_of(hybrid_mode=False)):
            result = await (await runtime.consensus.start(spec)).result()
            assert result.converged
            assert result.on_chain is None
            assert result.task_hash == spec.task.hash
        assert not runtime.store.outbox.counts("local")
        rows = await runtime.consensus.agents()
        assert [row.name for row in rows] == ["ann", "ben", "cleo", "dan", "eve"]
        assert {row.stake for row in rows} == {None}


async def test_equivocation_is_slashed_once_and_shown_in_the_books(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path) as runtime:
        judged = []
        runtime.bus.subscribe(judged.append, ConsensusAgentJudged)
        spec = spec_of(behaviours={"eve": "equivocating"})
        result = await (await runtime.consensus.start(spec)).result()
        chain = await runtime.chain()
        rules = chain.deployment.rules
        assert result.on_chain.slashed_wei == {"eve": rules.equivocation_penalty}
        assert [(item.agent, item.reason) for item in judged] == [("eve", "equivocation")]
        assert "eve" not in result.agents
        rows = {row.name: row for row in await runtime.consensus.agents()}
        assert rows["eve"].banned
        assert rows["eve"].stake == ETHER // 10 - rules.equivocation_penalty
        held = {name: await chain.vault.account_of(row.address) for name, row in rows.items()}
        for name, row in rows.items():
            assert runtime.store.ledger.balance(chain.book, f"stake:{row.address}") == held[name].active
        for address in (chain.operator, chain.deployment.treasury):
            credit = (await chain.vault.account_of(address)).credit
            assert credit == runtime.store.ledger.balance(chain.book, f"credit:{address}") > 0
        assert not runtime.store.ledger.audit(chain.book)
        shown = {row.name: row for row in await runtime.league.stakes(await runtime.chain())}
        assert not [row for row in shown.values() if row.differs]
        assert (shown["eve"].stake, shown["eve"].slashed) == (ETHER // 20, ETHER // 20)

        later = await (await runtime.consensus.start(spec_of())).result()  # who is banned stays out, and is told why
        assert [(v.agent, v.reason) for v in later.verdicts] == [("eve", "not accepted")]
        assert "banned" in later.verdicts[0].detail
        assert later.on_chain.certified


async def test_python_and_the_contract_certify_the_same_to_the_last_digit(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path) as runtime:
        chain = await runtime.chain()
        rng = np.random.default_rng(7)
        for number in range(4):
            names = [f"{number}-{place}" for place in range(int(rng.integers(2, 9)))]
            settings = {
                "coupling": float(rng.choice([1e-6, 0.01, 1.0, 100.0])),
                "tier": str(rng.choice(["slots", "accumulator"])),
                "convergence_threshold": 1.0,
            }
            result = await (await runtime.consensus.start(spec_of(names, title=str(number), **settings))).result()
            log = await TaskLog.read(chain, result.task_hash)
            task = await chain.consensus.task_of(result.task_hash)
            made = certify(
                [item.position for item in log.taken],
                [item.confidence for item in log.taken],
                [item.weight for item in log.taken],
                task.kappa,
                task.eps,
            )
            found, final = await chain.consensus.result_of(result.task_hash)
            assert final
            assert found == made.consensus
            assert log.certified == (made.regret, made.total_weight)
            assert np.array_equal(from_fixed(found), result.on_chain.equilibrium)


async def test_pause_step_and_cancel(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path, node=False) as runtime:
        spec = spec_of(on_chain=False, convergence_threshold=1e-12, max_iterations=1000)
        run = await runtime.consensus.start(spec)
        run.pause()
        assert run.state in ("starting", "paused")
        run.step(2)
        while run.iteration < 2:
            await asyncio.sleep(0.01)
        assert run.state == "paused"
        run.inject("eve", "silent")
        began = time.monotonic()
        run.cancel()
        with pytest.raises(Exception, match="cancelled"):
            await run.result()
        assert time.monotonic() - began < 2
        assert run.state == "cancelled"
        assert runtime.consensus.runs()[0].state == "cancelled"
        resumed = await runtime.consensus.resume(run.run_id)
        assert (await resumed.result()).converged
