from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from engine.chain.anvil import Devnet
from engine.consensus.agents.neural import EthereumNeuralAgent
from engine.consensus.errors import ConsensusError
from engine.consensus.library.hierarchical import HierarchicalConsensus
from engine.consensus.library.nash_ethereum import NashEthereumConsensus
from engine.consensus.tasks import Task, task_of
from engine.core.bus import EventBus

OFF = {"hybrid_mode": False}
TASK = {"type": "custom", "labels": ["a", "b", "c"], "space": "box"}


def ideals(count: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.3, 0.7, size=(count, 3))  # near enough: nobody is an outlier


def in_groups(members: list[Any], size: int) -> list[list[Any]]:
    return [members[at : at + size] for at in range(0, len(members), size)]


async def flat(agents: list[Any], task: Task) -> np.ndarray:
    async with NashEthereumConsensus(config=OFF) as consensus:
        state = await consensus.orchestrate_consensus(task, agents)
    assert state.nash_equilibrium is not None
    return state.nash_equilibrium.numpy()


async def test_equal_groups_agree_as_all_agents_at_once(make_agent: Callable[..., Any]) -> None:
    task = task_of(TASK)
    agents = [make_agent(f"a{at}", row, 0.6) for at, row in enumerate(ideals(27))]
    plan = {0: in_groups(agents, 3), 1: in_groups([make_agent(f"b{at}", [0, 0, 0]) for at in range(9)], 3)}
    async with HierarchicalConsensus(levels=3, config=OFF) as consensus:
        assert len(consensus.consensus_layers) == 3
        state = await consensus.hierarchical_consensus(task, plan)
    assert [len(level) for level in state.levels] == [9, 3, 1]
    assert state.nash_equilibrium is not None
    assert state.nash_equilibrium.numpy() == pytest.approx(await flat(agents, task), abs=1e-8)
    assert state.converged
    assert set(state.positions) == {"b0", "b3", "b6"}  # the first of each group leads it


async def test_groups_count_alike_whatever_their_size(make_agent: Callable[..., Any]) -> None:
    task, rows = task_of(TASK), ideals(7)
    agents = [make_agent(f"a{at}", row) for at, row in enumerate(rows)]
    async with HierarchicalConsensus(levels=2, config=OFF) as consensus:
        state = await consensus.hierarchical_consensus(task, [[agents[:2], agents[2:]]])
    assert state.nash_equilibrium is not None
    means = (rows[:2].mean(axis=0) + rows[2:].mean(axis=0)) / 2
    assert state.nash_equilibrium.numpy() == pytest.approx(means, abs=1e-8)
    assert np.abs(means - await flat(agents, task)).max() > 1e-3


async def test_agents_beyond_the_representatives_speak_for_themselves(make_agent: Callable[..., Any]) -> None:
    rows = ideals(4)
    low = [make_agent(f"a{at}", row) for at, row in enumerate(rows[:2])]
    high = [make_agent("leader", [0.0, 0.0, 0.0]), make_agent("guest", rows[2]), make_agent("other", rows[3])]
    async with HierarchicalConsensus(levels=2, config=OFF) as consensus:
        state = await consensus.hierarchical_consensus(TASK, [low, high])
    expected = np.stack([rows[:2].mean(axis=0), rows[2], rows[3]]).mean(axis=0)
    assert state.nash_equilibrium is not None
    assert state.nash_equilibrium.numpy() == pytest.approx(expected, abs=1e-8)


async def test_one_level_is_a_consensus(make_agent: Callable[..., Any]) -> None:
    agents = [make_agent(f"a{at}", row) for at, row in enumerate(ideals(5))]
    async with HierarchicalConsensus(levels=1, config=OFF) as consensus:
        state = await consensus.hierarchical_consensus(TASK, [agents])
    assert state.nash_equilibrium is not None
    assert state.nash_equilibrium.numpy() == pytest.approx(await flat(agents, task_of(TASK)), abs=1e-12)


async def test_a_group_without_a_quorum_is_left_out(make_agent: Callable[..., Any]) -> None:
    rows = ideals(6)
    agents = [make_agent(f"a{at}", row) for at, row in enumerate(rows)]
    agents[0].ideal = np.full(3, np.nan)
    groups = in_groups(agents, 2)
    async with HierarchicalConsensus(levels=2, config=OFF) as consensus:
        state = await consensus.hierarchical_consensus(TASK, [groups])
    assert [below.nash_equilibrium is None for below in state.levels[0]] == [True, False, False]
    assert state.nash_equilibrium is not None
    assert state.nash_equilibrium.numpy() == pytest.approx(rows[2:].mean(axis=0), abs=1e-8)


async def test_nobody_agrees_anywhere(make_agent: Callable[..., Any]) -> None:
    agents = [make_agent(f"a{at}", [np.nan] * 3) for at in range(4)]
    async with HierarchicalConsensus(levels=2, config=OFF) as consensus:
        with pytest.raises(ConsensusError, match="Level 1 came to no result"):
            await consensus.hierarchical_consensus(TASK, [in_groups(agents, 2)])


@pytest.mark.parametrize("levels", [0, -1, 17, 2.5, True, "three", None])
def test_levels_are_a_small_number(levels: Any) -> None:
    with pytest.raises(ConsensusError, match="levels"):
        HierarchicalConsensus(levels, config=OFF)


def shapes(make: Callable[[int], Any]) -> dict[str, tuple[Any, str]]:
    return {
        "nobody": ([], "Level 1 has a group of 0"),
        "a lonely group": ([[[make(0)], [make(1), make(2)]]], "Level 1 has a group of 1"),
        "too few levels": ([[make(0), make(1)], [make(2), make(3)], [make(4), make(5)]], "do not fit the levels"),
        "no level joins them": (
            [in_groups([make(at) for at in range(8)], 2), in_groups([make(at) for at in range(8, 12)], 2)],
            "more than one group",
        ),
        "too few representatives": (
            [in_groups([make(at) for at in range(6)], 2), [make(7), make(8)]],
            "cannot represent",
        ),
        "mixed": ([[make(0), [make(1), make(2)]]], "mixes agents and groups"),
        "one group below": ([[make(0), make(1)]], "Level 2 has a group of 1"),
    }


@pytest.mark.parametrize("kind", sorted(shapes(lambda at: None)))
async def test_agents_that_do_not_fit_are_refused_before_anybody_is_asked(
    kind: str, make_agent: Callable[..., Any]
) -> None:
    agents, why = shapes(lambda at: make_agent(f"a{at}", [0.5] * 3))[kind]
    consensus = HierarchicalConsensus(levels=2)  # with a chain that is not there
    with pytest.raises(ConsensusError, match=why):
        await consensus.hierarchical_consensus(TASK, agents)
    await consensus.close()


class Says(nn.Module):
    def __init__(self, values: np.ndarray) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.tensor(values))

    def propose_for(self, task: Task, state: Any) -> tuple[np.ndarray, float]:
        return self.values.detach().numpy(), 0.8


@pytest.mark.chain
async def test_levels_on_a_chain_agree_as_off_it(tmp_path: Path) -> None:
    (tmp_path / "node").mkdir()
    devnet = Devnet(tmp_path / "node", EventBus())
    found = []
    try:
        status = await devnet.up()
        assert status.url is not None
        for config in ({}, OFF):
            async with HierarchicalConsensus(levels=2, web3_provider=status.url, config=config) as consensus:
                agents = [
                    EthereumNeuralAgent(f"a{at}", Says(row), consensus.create_agent_identity(f"a{at}"), openness=0.0)
                    for at, row in enumerate(ideals(4))
                ]
                found.append(await consensus.hierarchical_consensus(TASK, [in_groups(agents, 2)]))
    finally:
        await devnet.down()
        await devnet.close()
    on, off = found
    assert on.nash_equilibrium is not None and off.nash_equilibrium is not None
    assert on.nash_equilibrium.tolist() == pytest.approx(off.nash_equilibrium.tolist(), abs=1e-6)
    assert on.nash_equilibrium.tolist() == pytest.approx(ideals(4).mean(axis=0).tolist(), abs=1e-6)
    hashes = [state.tx_hash for level in on.levels for state in level]
    assert len(set(hashes)) == 3 and None not in hashes
    assert off.tx_hash is None
