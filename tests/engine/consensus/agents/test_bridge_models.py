from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.consensus.agents.bridge_models import KINDS, model
from engine.consensus.errors import ConsensusError
from engine.consensus.tasks import Task, read_task, task_of

ROOT = Path(__file__).parents[4]
SHIPPED = read_task(ROOT / "assets" / "tasks" / "bridge.json")


def task(**parameters: Any) -> Task:
    return task_of({**SHIPPED.document, "parameters": {**SHIPPED.document["parameters"], **parameters}})


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_voters_stay_in_the_space(kind: str) -> None:
    for asked in (SHIPPED, task_of({"type": "bridge_parameters", "chains": ["polygon", "ethereum"]})):
        position, sure = model(kind).propose_for(asked, None)
        assert position.shape == (asked.dims,)
        assert ((position >= 0) & (position <= 1)).all()
        assert 0 < sure <= 1


def test_voters_differ_and_caution_costs() -> None:
    said = {kind: model(kind).propose_for(SHIPPED, None)[0] for kind in KINDS}
    assert len({tuple(position) for position in said.values()}) == len(KINDS)
    assert (said["security"][2:] < said["liquidity"][2:]).all()  # caps
    assert said["security"][1] > said["throughput"][1]  # confirmations


def test_what_a_chain_is_like_moves_its_cap() -> None:
    calm, wild = (task(deepest_reorganisation={"ethereum": depth, "polygon": 2, "arbitrum": 0}) for depth in (1, 90))
    for kind in KINDS:
        before, after = (model(kind).propose_for(asked, None)[0] for asked in (calm, wild))
        assert after[2] < before[2]
        assert after[3:] == pytest.approx(before[3:])
        assert after[1] >= before[1]


@pytest.mark.parametrize(
    "parameters",
    [
        {"daily_volume_ether": [1, 2, 3]},
        {"daily_volume_ether": {"ethereum": "much"}},
        {"daily_volume_ether": {"ethereum": True}},
        {"block_seconds": {"ethereum": -1}},
        {"deepest_reorganisation": {"polygon": 1e300}},
        {"max_confirmations": None},
    ],
)
def test_parameters_that_are_no_numbers_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ConsensusError, match="cannot be"):
        model("security").propose_for(task(**parameters), None)


@pytest.mark.parametrize(
    "parameters", [{"block_seconds": {}}, {"max_cap_ether": 0}, {"daily_volume_ether": {"arbitrum": 1e14}}]
)
def test_extreme_parameters_give_finite_votes(parameters: dict[str, Any]) -> None:
    position, _ = model("economy").propose_for(task(**parameters), None)
    assert np.isfinite(position).all() and (position <= 1).all()


def test_others_tasks_and_names_are_refused() -> None:
    with pytest.raises(ConsensusError, match="cannot vote"):
        model("security").propose_for(task_of({"type": "custom", "labels": ["a", "b"], "space": "box"}), None)
    with pytest.raises(ConsensusError, match="known are security"):
        model("luck")
