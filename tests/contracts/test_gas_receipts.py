"""Gas as receipts of a real Anvil say it: positions in batches against the plain way, a certificate against its limit.

The same code measures for ``nashboard bench chain``; the ratios are the project's goals.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from engine.chain.neural import CERTIFIED
from engine.consensus.fixed import unpack
from engine.consensus.messages import head
from engine.consensus.onchain.certificate import certify

pytestmark = [pytest.mark.chain, pytest.mark.slow]
AGENTS, DIMS, KAPPA = 8, 8, 10_000


@pytest.fixture(scope="module")
def bench() -> Iterator[ModuleType]:
    path = Path(__file__).parents[1] / "bench" / "bench_chain.py"
    spec = importlib.util.spec_from_file_location("bench_chain", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


async def test_batches_save_what_they_are_to_save(bench: ModuleType, tmp_path: Path) -> None:
    size = bench.Size(agents=bench.BATCH)
    async with bench.agents_at(tmp_path, size.agents) as (_, agents):
        rows = await bench._gas(agents, size, lambda note: None)
    goals = {name: row for row in rows if "goal_ratio" in row for name in [row["name"]]}
    assert len(goals) == 6, "two tiers, three sizes"
    missed = {name: (row["ours"], row["peer"], row["ratio"]) for name, row in goals.items() if not row["met"]}
    assert not missed
    alone = [row["ours"] for row in rows if "alone" in row["name"]]
    assert all(one < 120_000 for one in alone), "no position is kept in storage, however long it is"


@pytest.mark.parametrize("tier", ["slots", "accumulator"])
async def test_a_certificate_is_the_chains_to_the_last_digit(bench: ModuleType, tmp_path: Path, tier: str) -> None:
    async with bench.agents_at(tmp_path, AGENTS) as (_, agents):
        consensus, task = agents.consensus, await agents.task(DIMS, tier)
        signed = [agents.signed(who, task, DIMS) for who in sorted(agents.addresses, key=lambda who: int(who, 16))]
        await agents.send([(agents.chain.operator, agents.batch(signed), 0)])
        await agents.chain.control.warp_to((await consensus.task_of(task)).deadline)
        heads = [head(item.message.agent, item.message.confidence, 100) for item in signed]
        found = certify(
            [[int(value) for value in unpack(item.packed)] for item in signed],
            [item.message.confidence for item in signed],
            [100] * AGENTS,
            KAPPA,
            bench.ETHER,
        )
        values = b"".join(item.packed for item in signed)
        call = consensus.prove_equilibrium(task, heads, values, found.aggregate)
        (gas,), _ = await agents.send([(agents.addresses[0], call, 0)])
        assert gas <= 160_000
        assert (await consensus.task_of(task)).status == CERTIFIED
        assert await consensus.compute(task) == (found.consensus, True)
        assert await regret_of(agents, consensus, task) == found.regret


async def regret_of(agents: Any, consensus: Any, task: bytes) -> int:
    """Return the regret that the contract found."""
    logs = await agents.chain.rpc.request("eth_getLogs", {"address": consensus.address, "fromBlock": "0x0"})
    events = [
        consensus.abi.decode_log([bytes.fromhex(topic[2:]) for topic in log["topics"]], bytes.fromhex(log["data"][2:]))
        for log in logs
    ]
    (regret,) = [event.arguments["regret"] for event in events if event and event.name == "CertificateVerified"]
    return int(regret)
