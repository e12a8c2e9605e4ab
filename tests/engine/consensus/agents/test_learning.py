from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from engine.consensus.agents.encoding import features
from engine.consensus.agents.learning import MAX_HEADS, Learner
from engine.consensus.agents.strategies import distribution
from engine.consensus.config import AgentConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.tasks import Task, task_of
from engine.games.games import Floats

RISKS = ("conservative", "moderate", "aggressive")


def portfolios(seed: int, count: int = 50) -> Iterator[tuple[Task, Floats]]:
    """Yield tasks with a truth that follows from risk and horizon in a way that only the seed knows."""
    draw = np.random.default_rng(seed)
    base, slope = draw.normal(size=5), 0.3 * draw.normal(size=5)
    by_risk = {risk: draw.normal(size=5) for risk in RISKS}
    for _ in range(count):
        risk, years = RISKS[draw.integers(3)], int(draw.integers(1, 30))
        parameters = {
            "total_amount": float(10 ** draw.uniform(3, 8)),
            "risk_tolerance": risk,
            "investment_horizon": f"{years}_years",
        }
        task = task_of({"type": "portfolio_allocation", "parameters": parameters})
        yield task, distribution(base + by_risk[risk] + slope * np.log(years), "simplex")


class Agent:
    """A learner on top of a fixed random model."""

    def __init__(self, seed: int = 0, **config: Any) -> None:
        self.learner = Learner(AgentConfig(strategy_type="adaptive", **config), seed, "ada")
        self._weights = 0.1 * np.random.default_rng(seed).normal(size=(32, 5))

    def output(self, task: Task) -> Floats:
        return np.asarray(features(task, 32) @ self._weights)

    def position(self, task: Task) -> Floats:
        return distribution(self.learner.improve(task, self.output(task)), task.space)

    def learn(self, task: Task, truth: Floats) -> bool:
        return self.learner.learn(task, self.output(task), truth)

    def live(self, tasks: Iterator[tuple[Task, Floats]]) -> list[float]:
        """Answer each task, then see its truth; return the distances."""
        errors = []
        for task, truth in tasks:
            errors.append(float(np.abs(self.position(task) - truth).sum()))
            self.learn(task, truth)
        return errors


def frozen(seed: int, **config: Any) -> list[float]:
    twin = Agent(seed, **config)
    return [float(np.abs(twin.position(task) - truth).sum()) for task, truth in portfolios(seed)]


@pytest.mark.parametrize("seed", range(5))
def test_an_agent_with_the_default_rates_improves_over_fifty_tasks(seed: int) -> None:
    errors, twin = Agent(seed).live(portfolios(seed)), frozen(seed)
    assert np.mean(errors[-10:]) < 0.5 * np.mean(errors[:10])
    assert np.mean(errors[-10:]) < 0.5 * np.mean(twin[-10:])


def test_it_learns_in_a_box_and_on_the_line() -> None:
    for space, truth in (("box", np.array([0.9, 0.2])), ("real", np.array([250.0, -30.0]))):
        learner = Learner(AgentConfig(strategy_type="adaptive", exploration_rate=0.0), 0, "ada")
        distances = []
        for number in range(60):
            task = task_of({"type": "custom", "labels": ["a", "b"], "space": space, "features": {"n": number}})
            found = distribution(learner.improve(task, np.zeros(2)), space)
            distances.append(float(np.abs(found - truth).max() / np.abs(truth).max()))
            learner.learn(task, np.zeros(2), truth)
        assert distances[-1] < 0.3 * distances[0]


def test_update_frequency_is_when_it_learns() -> None:
    agent = Agent(update_frequency=4)
    assert [agent.learn(*pair) for pair in portfolios(0, 9)] == [False, False, False, True] * 2 + [False]


def test_learning_rate_is_how_far_it_goes() -> None:
    ends = {}
    for rate in (0.0, 0.0001, 0.001):
        ends[rate] = np.mean(Agent(1, learning_rate=rate, exploration_rate=0.0).live(portfolios(1))[-10:])
    assert ends[0.0] == pytest.approx(np.mean(frozen(1, exploration_rate=0.0)[-10:]))
    assert ends[0.001] < ends[0.0001] < ends[0.0]


def test_memory_size_is_what_it_can_remember() -> None:
    def final(memory: int) -> float:
        agent = Agent(2, memory_size=memory, exploration_rate=0.0, learning_rate=0.01)
        agent.live(portfolios(2))
        return float(np.mean([np.abs(agent.position(task) - truth).sum() for task, truth in portfolios(2)]))

    assert final(50) < 0.7 * final(1)


def test_exploration_rate_is_how_often_it_tries_something_else() -> None:
    def explored(rate: float) -> int:
        agent = Agent(3, exploration_rate=rate)
        return sum(
            not np.array_equal(agent.learner.improve(task, agent.output(task)), agent.output(task))
            for task, _ in portfolios(3, 200)
        )

    assert explored(0.0) == 0
    assert explored(1.0) == 200
    assert 5 <= explored(0.1) <= 40


def test_it_stands_by_what_it_tries() -> None:
    agent = Agent(4, exploration_rate=1.0)
    task, truth = next(portfolios(4))
    first = agent.position(task)
    assert agent.position(task).tolist() == first.tolist()
    agent.learn(task, truth)
    assert agent.position(task).tolist() != first.tolist()  # another day, another try


def test_the_same_past_gives_the_same_answers() -> None:
    assert Agent(5).live(portfolios(5)) == Agent(5).live(portfolios(5))
    other = Learner(AgentConfig(exploration_rate=1.0), 5, "bob")
    task, _ = next(portfolios(5))
    ada = Learner(AgentConfig(exploration_rate=1.0), 5, "ada")
    assert other.improve(task, np.zeros(5)).tolist() != ada.improve(task, np.zeros(5)).tolist()


def test_kinds_of_tasks_are_learned_apart() -> None:
    agent = Agent(6, exploration_rate=0.0)
    agent.live(portfolios(6))
    vote = task_of({"type": "custom", "labels": ["a", "b"]})
    assert agent.learner.improve(vote, np.zeros(2)).tolist() == [0, 0]
    for number in range(MAX_HEADS + 5):
        agent.learner.learn(task_of({"type": "custom", "labels": [str(number)]}), np.zeros(1), np.zeros(1))
    task, _ = next(portfolios(6))
    assert agent.learner.improve(task, agent.output(task)).tolist() == agent.output(task).tolist()  # the oldest went


@pytest.mark.parametrize("outcome", [[], [1.0], [0.2] * 6, [float("nan")] * 5, [[0.2] * 5] * 2])
def test_an_outcome_that_is_none_is_refused(outcome: Any) -> None:
    agent = Agent()
    task, _ = next(portfolios(0))
    with pytest.raises(ConsensusError, match="cannot be learned from"):
        agent.learn(task, np.array(outcome))


def test_an_output_that_is_not_finite_teaches_nothing() -> None:
    learner = Learner(AgentConfig(update_frequency=1), 0, "ada")
    task, truth = next(portfolios(0))
    assert not learner.learn(task, np.full(5, np.nan), truth)
    assert not learner.used


def test_numbers_too_large_to_learn_from_are_forgotten() -> None:
    learner = Learner(AgentConfig(update_frequency=1, exploration_rate=0.0), 0, "ada")
    task = task_of({"type": "custom", "labels": ["a"], "space": "real"})
    learner.learn(task, np.array([1e300]), np.array([-1e300]))
    assert not learner.used
    assert learner.improve(task, np.array([2.0])).tolist() == [2.0]


def test_long_memories_and_many_coordinates_are_learned_from() -> None:
    labels = [f"x{number}" for number in range(200)]
    learner = Learner(AgentConfig(update_frequency=1500, learning_rate=0.01, exploration_rate=0.0), 0, "ada")
    truth = np.linspace(0.1, 0.9, 200)
    for number in range(1500):
        task = task_of({"type": "custom", "labels": labels, "features": {"n": number}})
        learner.learn(task, np.zeros(200), truth)
    found = distribution(learner.improve(task, np.zeros(200)), "box")
    assert np.abs(found - truth).max() < 0.05


def test_what_was_learned_outlives_the_process() -> None:
    agent, again = Agent(7), Agent(7)
    pairs = list(portfolios(7))
    agent.live(iter(pairs[:25]))
    again.learner.load(agent.learner.to_bytes())
    assert again.live(iter(pairs[25:])) == agent.live(iter(pairs[25:]))


def test_a_smaller_memory_takes_the_latest() -> None:
    agent, small = Agent(8), Agent(8, memory_size=3)
    agent.live(portfolios(8, 10))
    small.learner.load(agent.learner.to_bytes())
    assert small.learner.to_bytes() != agent.learner.to_bytes()
    assert len(small.learner.to_bytes()) < len(agent.learner.to_bytes())


def test_what_is_no_memory_is_refused() -> None:
    agent = Agent(9)
    agent.live(portfolios(9, 10))
    good = agent.learner.to_bytes()
    evil = np.lib.format.magic(1, 0) + b"x"
    for bad in (b"", b"PK", good[:200], good[:-30], good[:300] + b"\0" * 50 + good[350:], evil, b"\0" * 1000):
        with pytest.raises(ConsensusError, match="cannot be read"):
            Agent(9).learner.load(bad)
