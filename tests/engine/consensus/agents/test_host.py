from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import torch
from torch import nn

from engine.consensus.agents.host import AgentHost, HostedAgent, HostedSpec
from engine.consensus.agents.mind import Mind
from engine.consensus.agents.models import builtin
from engine.consensus.config import AgentConfig
from engine.consensus.errors import ConsensusError, ModelRefusedError
from engine.consensus.messages import Key
from engine.consensus.tasks import Task, task_of
from engine.core.hashing import keccak

TASK = task_of(
    {
        "type": "portfolio_allocation",
        "parameters": {"total_amount": 1000000, "risk_tolerance": "moderate", "investment_horizon": "5_years"},
    }
)
QUICK = {"update_frequency": 1, "learning_rate": 0.05, "exploration_rate": 0.0}


def agents_of(host: AgentHost) -> list[HostedAgent]:
    return host.participants({name: Key(keccak(name.encode())) for name in host.specs})


async def ask(agents: list[HostedAgent], task: Task = TASK, state: Any = None) -> list[Any]:
    return await asyncio.gather(*(agent.propose(task, state, 0) for agent in agents), return_exceptions=True)


def scripted(module: nn.Module, path: Path) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.save(torch.jit.script(module), str(path))
    return str(path)


class Hangs(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count = 0
        while count >= 0:
            count = (count + 1) % 1000
        return x


class Eats(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.ones([1 << 20, 1 << 20])


class Echoes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :5] * float("nan")


async def test_hosted_agents_answer_as_they_would_here() -> None:
    specs = [
        HostedSpec("ada", AgentConfig(strategy_type="pure"), "builtin:bold", seed=3),
        HostedSpec("bob", AgentConfig(), "builtin:balanced", seed=4, openness=0.5),
        HostedSpec("cyd", AgentConfig(strategy_type="adaptive", **QUICK), "builtin:cautious", seed=5),
        HostedSpec("dan"),
    ]
    async with AgentHost.start(specs, seed=1) as host:
        agents = agents_of(host)
        assert [(agent.agent_id, agent.strategy) for agent in agents] == [
            ("ada", "pure"), ("bob", "mixed"), ("cyd", "adaptive"), ("dan", "mixed"),
        ]  # fmt: skip
        assert agents[0].signer.address == Key(keccak(b"ada")).address
        state = np.array([0.6, 0.1, 0.1, 0.1, 0.1])
        first, then = await ask(agents), await ask(agents, state=state)
        for agent in agents:
            await agent.learn(TASK, state)
        learned = await ask(agents)
        saved = await host.snapshot()
    for spec, before, after, last in zip(specs[:3], first, then, learned, strict=False):
        kind, seed = spec.model.partition(":")[2], spec.seed or 0
        mind = Mind(spec.name, builtin(kind, seed), spec.config, "cpu", openness=spec.openness, seed=seed)
        assert mind.propose(TASK, None).position.tolist() == before.position.tolist()
        assert mind.propose(TASK, state).position.tolist() == after.position.tolist()
        mind.learn(TASK, state)
        assert mind.propose(TASK, None).position.tolist() == last.position.tolist()
    assert list(saved) == ["cyd"]
    again = [HostedSpec("cyd", specs[2].config, "builtin:cautious", seed=5, learned=saved["cyd"]), HostedSpec("dan")]
    async with AgentHost.start(again, seed=1) as host:
        remembered, same = await ask(agents_of(host))
    assert remembered.position.tolist() == learned[2].position.tolist()
    assert same.position.tolist() == first[3].position.tolist()  # from the host's seed and the name alone
    async with AgentHost.start([HostedSpec("dan")], seed=2) as host:
        assert (await ask(agents_of(host)))[0].position.tolist() != same.position.tolist()


async def test_a_model_that_hangs_or_eats_memory_harms_no_other(tmp_path: Path) -> None:
    specs = [
        HostedSpec("loop", model=scripted(Hangs(), tmp_path / "loop.pt")),
        HostedSpec("ada"),
        HostedSpec("glutton", model=scripted(Eats(), tmp_path / "eats.pt")),
        HostedSpec("nan", model=scripted(Echoes(), tmp_path / "nan.pt")),
        HostedSpec("bob"),
    ]
    async with AgentHost.start(specs, deadline_s=1.0) as host:
        agents = agents_of(host)
        waiting = asyncio.gather(*(agent.propose(TASK, None, 0) for agent in agents), return_exceptions=True)
        done = asyncio.gather(*(agents[place].propose(TASK, None, 0) for place in (1, 4)))
        for proposal in await done:  # while the first one still hangs
            assert np.isfinite(proposal.position).all()
        assert not waiting.done()
        loop, ada, glutton, nan, bob = await waiting
        assert isinstance(loop, ConsensusError)
        assert "loop hangs" in str(loop)
        assert isinstance(glutton, ConsensusError)
        assert "memory" in str(glutton)
        assert np.isnan(nan.position).all()
        assert np.isfinite(ada.position).all()
        again = await ask(agents)
        assert "asked nothing more" in str(again[0])
        assert again[4].position.tolist() == bob.position.tolist()
        pid = host.pid
    assert not psutil.pid_exists(pid)


async def test_a_crowd_that_hangs_is_given_up(tmp_path: Path) -> None:
    path = scripted(Hangs(), tmp_path / "loop.pt")
    specs = [HostedSpec(f"loop {number}", model=path) for number in range(10)] + [HostedSpec("ada")]
    async with AgentHost.start(specs, deadline_s=0.3) as host:
        *hung, ada = await ask(agents_of(host))
    assert all("hangs" in str(answer) for answer in hung)
    assert np.isfinite(ada.position).all()


async def test_leaving_ends_a_process_that_computes(tmp_path: Path) -> None:
    specs = [HostedSpec("loop", model=scripted(Hangs(), tmp_path / "loop.pt"))]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            async with AgentHost.start(specs, deadline_s=600.0) as host:
                agent, pid = agents_of(host)[0], host.pid
                waiting = asyncio.create_task(agent.propose(TASK, None, 0))
                await asyncio.sleep(0.2)
                waiting.cancel()
                raise TimeoutError
    assert not psutil.pid_exists(pid)
    with pytest.raises(ConsensusError, match="was ended"):
        await agent.propose(TASK, None, 0)


async def test_a_killed_process_is_told_to_all(tmp_path: Path) -> None:
    specs = [HostedSpec("ada"), HostedSpec("loop", model=scripted(Hangs(), tmp_path / "loop.pt"))]
    async with AgentHost.start(specs, deadline_s=600.0) as host:
        ada, loop = agents_of(host)
        waiting = asyncio.create_task(loop.propose(TASK, None, 0))
        await ada.propose(TASK, None, 0)
        os.kill(host.pid, signal.SIGKILL)
        with pytest.raises(ConsensusError, match="process was lost"):
            await waiting
        for call in (ada.propose(TASK, None, 0), ada.learn(TASK, np.full(5, 0.2)), host.snapshot()):
            with pytest.raises(ConsensusError, match="process was lost"):
                await call


async def test_a_process_that_says_nothing_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.consensus.agents.host.GRACE_S", 0.5)
    async with AgentHost.start([HostedSpec("ada")], deadline_s=0.5) as host:
        agent = agents_of(host)[0]
        await agent.propose(TASK, None, 0)
        os.kill(host.pid, signal.SIGSTOP)
        with pytest.raises(ConsensusError, match="said nothing"):
            await agent.propose(TASK, None, 0)


async def test_a_large_task_and_many_agents_pass() -> None:
    task = task_of({"type": "content_moderation", "content": "a word, " * 20_000, "policies": ["spam"]})
    specs = [HostedSpec(f"agent {number}") for number in range(100)]
    async with AgentHost.start(specs) as host:
        found = await ask(agents_of(host), task)
    assert len({tuple(proposal.position) for proposal in found}) == 100
    assert all(proposal.position.shape == (1,) for proposal in found)


async def test_errors_of_agents_are_theirs_alone() -> None:
    wide = task_of({"type": "custom", "labels": [f"x{number}" for number in range(6)]})
    async with AgentHost.start([HostedSpec("ada"), HostedSpec("bob")]) as host:
        agents = agents_of(host)
        good, bad = await asyncio.gather(
            agents[0].propose(wide, None, 0), agents[1].propose(wide, np.zeros(3), 0), return_exceptions=True
        )
        assert good.position.shape == (6,)
        assert isinstance(bad, ConsensusError)
        stuck = dataclasses.replace(TASK, document={"type": "test", "stuck": lambda: None}, hash=b"1" * 32)
        with pytest.raises(ConsensusError, match="cannot be sent"):
            await agents[0].propose(stuck, None, 0)
        assert (await agents[0].propose(TASK, None, 0)).position.shape == (5,)
        with pytest.raises(ConsensusError, match="has no signer"):
            host.participants({"ada": Key(keccak(b"ada"))})


@pytest.mark.parametrize(
    ("specs", "words"),
    [
        ([], "cannot be 0 agents"),
        ([HostedSpec(f"{number}") for number in range(1025)], "cannot be 1025 agents"),
        ([HostedSpec("ada"), HostedSpec("ada")], "Two agents are called ada"),
        ([HostedSpec("")], "name cannot be"),
        ([HostedSpec("ada"), HostedSpec("bob", learned=b"junk")], "agent bob cannot start.*cannot be read"),
    ],
)
async def test_specs_that_do_not_fit_are_refused(specs: list[HostedSpec], words: str) -> None:
    with pytest.raises(ConsensusError, match=words):
        async with AgentHost.start(specs):
            raise AssertionError("it started")


async def test_a_malicious_file_is_refused_by_name(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> Any:
            return os.system, (f"touch {tmp_path / 'pwned'}",)

    torch.save({"weight": Evil()}, tmp_path / "evil.pt")
    with pytest.raises(ModelRefusedError, match=r"agent eve cannot start.*system"):
        async with AgentHost.start([HostedSpec("eve", model=str(tmp_path / "evil.pt"))]):
            raise AssertionError("it started")
    assert not (tmp_path / "pwned").exists()


ALONE = """
import asyncio, sys
from engine import runtime
from engine.consensus.agents.host import AgentHost, HostedSpec
from engine.consensus.tasks import task_of

class Signer:
    address = "0x"

async def main():
    async with AgentHost.start([HostedSpec("ada")]) as host:
        proposal = await host.participants({"ada": Signer()})[0].propose(
            task_of({"type": "custom", "labels": ["a", "b"]}), None, 0
        )
        assert proposal.position.shape == (2,)
        assert not [name for name in sys.modules if name.partition(".")[0] == "torch"], "torch is imported"
        print(host.pid, flush=True)
        await asyncio.sleep(600)

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_torch_stays_out_and_no_process_outlives_its_parent(tmp_path: Path) -> None:
    script = tmp_path / "alone.py"
    script.write_text(ALONE)
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[4]))
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout is not None
        line = parent.stdout.readline()
        parent.kill()
    assert line, "the script failed"
    worker = int(line)
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(worker).wait(30)
    assert not psutil.pid_exists(worker)
