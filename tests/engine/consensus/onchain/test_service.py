"""The service: rounds as jobs that are watched, disturbed, cancelled, resumed; several at once; on several chains."""

import asyncio
import time

import numpy as np
import pytest

from engine.consensus.config import ConsensusConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.events import ConsensusAgentJudged, ConsensusChainStep, ConsensusEnded, ConsensusIterated
from engine.consensus.rounds.service import ConsensusService, RunSpec
from engine.consensus.tasks import task_of
from engine.core.errors import EngineError, UsageError
from engine.core.events import JobEnded, JobProgressed

pytestmark = pytest.mark.chain
SLOW = {"on_chain": False, "convergence_threshold": 1e-12, "max_iterations": 500}


async def until(condition):
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


async def test_a_round_is_stepped_and_slowed_and_comes_out_the_same(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path, node=False) as runtime:
        seen = []
        runtime.bus.subscribe(lambda event: seen.append(event.iteration), ConsensusIterated)
        plain = await (await runtime.consensus.start(spec_of(**SLOW))).result()
        count = len(seen)
        assert seen == list(range(1, count + 1))
        run = await runtime.consensus.start(spec_of(**SLOW))
        run.step(2)
        await until(lambda: len(seen) == count + 2)
        await asyncio.sleep(0.05)
        assert (len(seen), run.state) == (count + 2, "paused")
        run.step()
        await until(lambda: len(seen) == count + 3)
        run.set_speed(1.0)
        run.resume()
        await asyncio.sleep(0.05)
        assert (len(seen), run.state) == (count + 3, "running")
        run.set_speed(0)
        result = await run.result()
        assert np.array_equal(result.equilibrium, plain.equilibrium)
        assert np.array_equal(result.positions, plain.positions)
        assert (run.state, run.done) == ("done", True)


async def test_an_agent_that_goes_bad_on_the_way_is_judged(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path, node=False) as runtime:
        judged, seen = [], []
        runtime.bus.subscribe(judged.append, ConsensusAgentJudged)
        runtime.bus.subscribe(seen.append, ConsensusIterated)
        run = await runtime.consensus.start(spec_of(**SLOW))
        run.step(3)
        await until(lambda: len(seen) == 3)
        run.inject("eve", "nan")
        with pytest.raises(ConsensusError, match="no agent 'zoe'"):
            run.inject("zoe", "nan")
        with pytest.raises(ConsensusError, match="no behaviour 'rude'"):
            run.inject("eve", "rude")
        run.resume()
        result = await run.result()
        assert "eve" not in result.agents
        assert [(event.agent, event.reason, event.iteration) for event in judged] == [("eve", "not finite", 4)]


async def test_cancelling_ends_within_two_seconds_and_says_so(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path) as runtime:
        ended, jobs, steps = [], [], []
        runtime.bus.subscribe(ended.append, ConsensusEnded)
        runtime.bus.subscribe(jobs.append, JobEnded)
        runtime.bus.subscribe(steps.append, ConsensusChainStep)
        chain = await runtime.chain()
        await chain.control.set_mining("interval", 30)  # a transaction waits for half a minute
        for place, where in enumerate(("at once", "while paused", "on chain")):
            run = await runtime.consensus.start(spec_of(on_chain=where == "on chain"))
            if where == "while paused":
                run.pause()
                await until(lambda paused=run: paused.state == "paused")
            if where == "on chain":
                await until(lambda: steps)
            began = time.monotonic()
            run.cancel()
            with pytest.raises(ConsensusError, match="cancelled"):
                await run.result()
            assert time.monotonic() - began < 2
            assert (len(ended), ended[-1].outcome, jobs[-1].outcome) == (place + 1, "cancelled", "cancelled")
            assert run.state == "cancelled"
        await chain.control.set_mining("automine")
        assert (await (await runtime.consensus.resume(run.run_id)).result()).on_chain.certified


async def test_several_rounds_at_once_share_the_chain(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path) as runtime:
        progressed = []
        runtime.bus.subscribe(progressed.append, JobProgressed)
        runs = [await runtime.consensus.start(spec_of(title=str(n % 2))) for n in range(4)]
        results = await asyncio.gather(*(run.result() for run in runs))
        assert len({result.task_hash for result in results}) == 4
        assert [result.message for result in results if result.on_chain is None] == []
        assert all(result.on_chain.certified and len(result.agents) == 5 for result in results)
        chain = await runtime.chain()
        assert (await chain.vault.totals()).active == 5 * 10**17
        for result in results:
            assert (await runtime.consensus.verify(result.task_hash.hex())).ok
        assert len({event.job_id for event in progressed}) == 4


async def test_what_cannot_be_started_or_resumed_is_refused(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path, node=False) as runtime:
        service = runtime.consensus
        with pytest.raises(EngineError, match="No devnet runs"):
            await service.start(spec_of())
        with pytest.raises(ConsensusError, match="no behaviour 'rude'"):
            await service.start(spec_of(on_chain=False, behaviours={"ann": "rude"}))
        with pytest.raises(UsageError, match="no round 5"):
            await service.resume(5)
        assert service.runs() == []
        run = await service.start(spec_of(**SLOW))
        run.pause()
        with pytest.raises(ConsensusError, match="is running"):
            await service.resume(run.run_id)
        run.resume()
        await run.result()
        with pytest.raises(ConsensusError, match="is over"):
            await service.resume(run.run_id)


async def test_closing_the_program_ends_rounds_and_keeps_them(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path, node=False) as runtime:
        run = await runtime.consensus.start(spec_of(**SLOW))
        run.pause()
        await until(lambda: run.state == "paused")
    assert run.state == "cancelled"
    async with runtime_at(tmp_path, node=False) as runtime:
        (record,) = runtime.consensus.runs()
        assert (record.state, record.resumable) == ("cancelled", True)
        assert (await (await runtime.consensus.resume(record.run_id)).result()).converged


async def test_a_round_without_a_quorum_is_a_result_that_says_so(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path) as runtime:
        spec = spec_of(behaviours={"ann": "nan", "ben": "equivocating", "cleo": "silent"}, answer_timeout=0.2)
        result = await (await runtime.consensus.start(spec)).result()
        assert not result.converged
        assert result.on_chain is None
        assert "quorum" in result.message
        rows = {row.name: row for row in await runtime.consensus.agents()}
        assert [name for name, row in rows.items() if row.banned] == ["ben"]  # the others only lacked an answer
        assert {row.stake for name, row in rows.items() if name != "ben"} == {10**17}


async def test_three_chains_come_to_one_result(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path, node=False) as runtime:
        chains = ["ethereum", "polygon", "arbitrum"]
        task = task_of({"type": "bridge_parameters", "chains": chains, "parameters": {}})
        steps = []
        runtime.bus.subscribe(
            lambda event: steps.append((event.chain_id, event.phase, event.state)), ConsensusChainStep
        )
        result = await (await runtime.consensus.start(RunSpec(task, spec_of().agents, ConsensusConfig()))).result()
        assert [chain.chain_id for chain in result.chains] == [1, 137, 42161]
        assert all(np.abs(chain.equilibrium - result.equilibrium).max() < 1e-8 for chain in result.chains)
        assert {chain_id for chain_id, phase, state in steps if (phase, state) == ("finalize", "done")} == {
            1,
            137,
            42161,
        }
        (record,) = runtime.consensus.runs()  # the rounds of each chain are parts of this one
        assert record.state == "done"
        found = await runtime.consensus.verify(result.task_hash.hex())
        assert found.ok, [check for check in found.checks if not check.ok]
        assert {check.name.split(":")[0] for check in found.checks} >= set(chains)


async def test_models_in_a_process_of_their_own(tmp_path, runtime_at, spec_of):
    async with runtime_at(tmp_path, node=False) as runtime:
        r = runtime
        r.consensus = ConsensusService(r.store, r.bus, r.jobs, r.wallet, r.chain, r.data.devnet)
        result = await (await r.consensus.start(spec_of(on_chain=False, seed=4))).result()
        assert len(result.agents) >= 3
        assert (await r.consensus.verify(result.task_hash.hex())).ok
