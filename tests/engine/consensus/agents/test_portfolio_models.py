from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.consensus.agents.agent_file import default_agents
from engine.consensus.agents.host_worker import seed_of
from engine.consensus.agents.mind import Mind
from engine.consensus.agents.models import resolve
from engine.consensus.agents.portfolio_models import CLASSES, OTHER, SCHOOLS, appetite, class_of, market_of, model
from engine.consensus.errors import ConsensusError
from engine.consensus.negotiation.judging import outliers
from engine.consensus.task_kinds import RISKS
from engine.consensus.tasks import Task, read_task, task_of
from engine.core.paths import assets_dir
from engine.games.games import Floats

HORIZONS = ("1_week", "1_year", "2_years", "5_years", "10_years", "40_years")
STOCKS, BONDS, CASH = 0, 1, 4


def portfolio(risk: str = "moderate", horizon: str = "5_years", **rest: Any) -> Task:
    parameters = {"total_amount": 1e6, "risk_tolerance": risk, "investment_horizon": horizon}
    return task_of({"type": "portfolio_allocation", "parameters": parameters, **rest})


def shares(school: str, task: Task) -> Floats:
    return model(school).propose_for(task, None)[0]


@pytest.mark.parametrize("school", SCHOOLS)
def test_more_appetite_is_more_stocks_and_less_cash(school: str) -> None:
    by_risk = [shares(school, portfolio(risk)) for risk in RISKS]
    by_horizon = [shares(school, portfolio(horizon=horizon)) for horizon in HORIZONS]
    for rows in (by_risk, by_horizon):
        table = np.array(rows)
        assert table.min() > 0
        assert table.sum(axis=1) == pytest.approx(1.0)
        assert (np.diff(table[:, STOCKS]) > 0).all()
        assert (np.diff(table[:, CASH]) < 0).all()
        swing = table @ market_of(portfolio()).swing
        assert (np.diff(swing) > 0).all()
    assert by_risk[2][STOCKS] > by_risk[0][STOCKS] + 0.05


def test_appetite_is_a_half_in_the_middle() -> None:
    assert appetite("moderate", "5_years") == pytest.approx(0.5)
    assert appetite("conservative", "30_years") < appetite("aggressive", "30_years")
    assert 0 < appetite("conservative", "1_day") < appetite("aggressive", "9999_years") < 1


def test_the_mean_variance_school_is_at_its_optimum() -> None:
    """No small move between two assets gains anything, by the function that the school says it maximises."""
    market = market_of(portfolio())
    found = shares("markowitz", portfolio())

    def worth(w: Floats) -> float:
        aversion = 3.0 / (0.1 + market.appetite)
        risk = aversion / 2 * w @ market.covariance @ w
        return float(w @ market.gain - risk - 0.015 * (w * np.log(w)).sum())

    for source in range(5):
        for target in range(5):
            moved = found.copy()
            moved[source] -= 1e-3
            moved[target] += 1e-3
            assert worth(moved) <= worth(found) + 1e-12


def test_labels_tell_the_class() -> None:
    assert class_of("World ETF") is CLASSES["stocks"]
    assert class_of("US treasuries (10y)") is CLASSES["bonds"]
    assert class_of("Bitcoin") is CLASSES["crypto"]
    assert class_of("cashmere") is OTHER
    task = portfolio("conservative", assets=["gold", "silver", "stablecoin", "shares", "ether", "baseball cards"])
    for school in SCHOOLS:
        found = shares(school, task)
        assert found.shape == (6,)
        assert found[4] < found[3]  # less of what swings most
    covariance = market_of(task).covariance
    assert (np.linalg.eigvalsh(covariance) > 0).all()


def test_many_assets_are_allocated() -> None:
    names = [f"{kind} {number}" for number in range(50) for kind in CLASSES]
    for school in SCHOOLS:
        found = shares(school, portfolio(assets=names))
        assert found.sum() == pytest.approx(1.0)
        assert found.min() > 0


def test_other_tasks_are_refused() -> None:
    with pytest.raises(ConsensusError, match="of type custom"):
        model("glide").propose_for(task_of({"type": "custom", "labels": ["a", "b"]}), None)
    with pytest.raises(ConsensusError, match="no portfolio model 'astrology'"):
        resolve("portfolio:astrology", 0)


def first_proposals(task: Task, seed: int) -> dict[str, Floats]:
    found = {}
    for agent in default_agents(task):
        own = seed_of(seed, agent.name)
        mind = Mind(agent.name, resolve(agent.model, own), agent.config, "cpu", openness=None, seed=own)
        found[agent.name] = mind.propose(task, None).position
    return found


@pytest.mark.parametrize("name", ["portfolio", "market", "moderation", "bridge"])
def test_no_default_agent_is_an_outlier_of_a_shipped_task(name: str) -> None:
    task = read_task(assets_dir() / "tasks" / f"{name}.json")
    for seed in range(51):
        found = first_proposals(task, seed)
        assert not outliers(task, np.array(list(found.values()))), (seed, found)


def test_seeds_move_what_adaptive_agents_try_and_nothing_else() -> None:
    task = read_task(assets_dir() / "tasks" / "portfolio.json")
    seen: dict[str, set[bytes]] = {}
    for seed in range(30):
        for name, position in first_proposals(task, seed).items():
            seen.setdefault(name, set()).add(position.tobytes())
    counts = {name: len(positions) for name, positions in seen.items()}
    assert counts.pop("markowitz") > 1
    assert counts.pop("glide") > 1
    assert set(counts.values()) == {1}
