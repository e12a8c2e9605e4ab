from __future__ import annotations

import copy
import logging
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from eth_account import Account
from eth_account.messages import encode_typed_data
from torch import nn

from engine.consensus.agents.identity import EthereumAgentIdentity
from engine.consensus.agents.model_io import usable
from engine.consensus.agents.neural import EthereumNeuralAgent
from engine.consensus.agents.secure import SecureEthereumAgent, signer_of
from engine.consensus.config import AgentConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.messages import ON_CHAIN, Domain, PositionMessage, recover
from engine.consensus.tasks import Task, task_of
from engine.games.games import Floats

PORTFOLIO = {
    "type": "portfolio_allocation",
    "parameters": {"total_amount": 1000000, "risk_tolerance": "moderate", "investment_horizon": "5_years"},
}
TASK = task_of(PORTFOLIO)


def agent_of(model: nn.Module, agent_id: str = "ada", **rest: Any) -> EthereumNeuralAgent:
    return EthereumNeuralAgent(agent_id, model, EthereumAgentIdentity.create(agent_id), "cpu", **rest)


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    torch.manual_seed(1)
    return make()


class Twice(nn.Module):
    """Registers its layers against the order in which they run."""

    def __init__(self) -> None:
        super().__init__()
        self.last = nn.Linear(7, 5)
        self.first = nn.Linear(19, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x))


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gru = nn.GRU(11, 6, batch_first=True)

    def forward(self, x: torch.Tensor) -> Any:
        output, _ = self.gru(x)
        return {"hidden": output, "logits": output[:, -1]}


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(50, 8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.words(x).mean(dim=1))


class Sure(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, torch.tensor(0.75)


MODELS: dict[str, Callable[[], nn.Module]] = {
    "one layer": lambda: nn.Linear(10, 5),
    "more outputs": lambda: nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 32)),
    "double": lambda: nn.Linear(10, 5).double(),
    "half": lambda: nn.Linear(10, 5).to(torch.bfloat16),
    "layers out of order": Twice,
    "recurrent": Recurrent,
    "transformer": lambda: nn.TransformerEncoderLayer(16, 2, 8, batch_first=True),
    "embedding": Reader,
    "convolution": lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(5)),
    "batch norm": lambda: nn.Sequential(nn.BatchNorm1d(12), nn.Linear(12, 5), nn.Dropout(0.9)),
    "no layers": nn.Identity,
}


@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
@pytest.mark.parametrize("name", MODELS)
async def test_any_module_takes_part(name: str) -> None:
    agent = agent_of(seeded(MODELS[name]))
    position = await agent.generate_position(PORTFOLIO)
    assert position.shape == (5,)
    assert not position.requires_grad
    assert float(position.sum()) == pytest.approx(1.0, abs=1e-2 if name == "half" else 1e-6)
    again = await agent.generate_position(PORTFOLIO)
    assert torch.equal(again, position)
    twin = agent_of(seeded(MODELS[name]))
    assert torch.equal(await twin.generate_position(PORTFOLIO), position)
    other = await agent.generate_position({"type": "custom", "labels": ["a", "b", "c"], "space": "real"})
    assert other.shape == (3,)


async def test_models_with_luck_in_them_are_deterministic() -> None:
    class Lucky(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.randn(1, 5)

    before = torch.random.get_rng_state()
    one, other = agent_of(Lucky()), agent_of(Lucky())
    assert torch.equal(await one.generate_position(TASK), await other.generate_position(TASK))
    apart = agent_of(Lucky(), seed=1)
    assert not torch.equal(await one.generate_position(TASK), await apart.generate_position(TASK))
    assert torch.equal(torch.random.get_rng_state(), before)  # the user's own draws go on undisturbed


async def test_a_model_may_say_how_sure_it_is() -> None:
    assert (await agent_of(Sure()).propose(TASK, None, 0)).confidence == 0.75


async def test_a_model_that_proposes_itself_is_asked() -> None:
    class Asked(nn.Module):
        revises = True

        def propose_for(self, task: Task, state: Floats | None) -> tuple[Floats, float]:
            return np.array([0.5, 0.2, 0.1, 0.1, 0.1] if state is None else state), 0.6

    mixed, pure = agent_of(Asked()), agent_of(Asked(), config={"strategy_type": "pure"})
    proposal = await mixed.propose(TASK, None, 0)
    assert proposal.position == pytest.approx([0.5, 0.2, 0.1, 0.1, 0.1])
    assert proposal.confidence == 0.6
    assert (await mixed.propose(TASK, np.full(5, 0.2), 1)).position == pytest.approx([0.2] * 5)
    assert (await pure.propose(TASK, None, 0)).position.tolist() == [1, 0, 0, 0, 0]

    class Wrong(nn.Module):
        def propose_for(self, task: Task, state: Floats | None) -> Any:
            raise KeyError("no idea")

    with pytest.raises(ConsensusError, match="KeyError: 'no idea'"):
        await agent_of(Wrong()).propose(TASK, None, 0)


class Returns(nn.Module):
    def __init__(self, what: Any) -> None:
        super().__init__()
        self.what = what

    def forward(self, x: torch.Tensor) -> Any:
        return self.what


@pytest.mark.parametrize(
    ("output", "words"),
    [
        ("text", "gives no tensor"),
        (None, "gives no tensor"),
        ({}, "gives no tensor"),
        ((), "gives no tensor"),
        (torch.zeros(0), "cannot be used"),
        (torch.zeros(5, dtype=torch.complex64), "cannot be used"),
        (torch.zeros(3), "gives 3 number"),
    ],
)
async def test_outputs_that_are_no_position_are_refused(output: Any, words: str) -> None:
    with pytest.raises(ConsensusError, match=words):
        await agent_of(Returns(output)).propose(TASK, None, 0)


async def test_errors_of_a_model_are_ours() -> None:
    class Raises(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise ZeroDivisionError("a slip")

    with pytest.raises(ConsensusError, match="a slip"):
        await agent_of(Raises()).propose(TASK, None, 0)


async def test_nan_goes_through() -> None:
    for space in ("simplex", "box", "real"):
        task = task_of({"type": "custom", "labels": ["a", "b"], "space": space})
        position = await agent_of(Returns(torch.tensor([float("nan"), 1.0]))).generate_position(task)
        assert bool(position.isnan().any())


async def test_training_mode_and_gradients_are_switched_off() -> None:
    model = nn.Sequential(nn.Linear(4, 5), nn.Dropout(0.99))
    model.train()
    assert (await agent_of(model).generate_position(TASK)).grad_fn is None
    assert not model.training
    assert all(part.grad is None for part in model.parameters())


async def test_a_model_that_was_trained_in_between_is_asked_anew() -> None:
    model = seeded(lambda: nn.Linear(10, 5))
    agent = agent_of(model)
    before = await agent.generate_position(PORTFOLIO)
    with torch.no_grad():
        next(model.parameters()).neg_()
    assert not torch.equal(await agent.generate_position(PORTFOLIO), before)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
async def test_agents_run_on_cuda() -> None:
    here = await agent_of(seeded(lambda: nn.Linear(10, 5))).generate_position(PORTFOLIO)
    before = torch.cuda.get_rng_state()
    there = await agent_of(seeded(lambda: nn.Linear(10, 5))).to("cuda").generate_position(PORTFOLIO)
    assert there.device.type == "cuda"
    assert there.cpu().numpy() == pytest.approx(here.numpy(), abs=1e-5)
    assert torch.equal(torch.cuda.get_rng_state(), before)


async def test_open_agents_go_towards_the_consensus_and_settle() -> None:
    agent = agent_of(seeded(lambda: nn.Linear(10, 5)), openness=0.5)
    own = (await agent.propose(TASK, None, 0)).position
    consensus = np.array([1.0, 0, 0, 0, 0])
    first = await agent.propose(TASK, consensus, 1)
    assert first.position == pytest.approx(0.5 * own + 0.5 * consensus)
    near = await agent.propose(TASK, consensus + np.array([-1e-4, 1e-4, 0, 0, 0]), 2)
    assert near is first  # bit for bit: it signs nothing anew
    far = await agent.propose(TASK, np.array([0.0, 1, 0, 0, 0]), 3)
    assert far.position == pytest.approx(0.5 * own + 0.5 * np.eye(5)[1])
    assert (await agent.propose(TASK, None, 0)).position.tolist() == own.tolist()
    given = await agent.generate_position(PORTFOLIO, torch.eye(5)[1])
    assert given.numpy() == pytest.approx(far.position, abs=1e-6)


async def test_a_crowd_of_open_agents_settles() -> None:
    agents = [agent_of(seeded(lambda: nn.Linear(10, 5)), str(i), openness=0.9) for i in range(2)]
    agents += [agent_of(nn.Linear(10, 5).double(), str(i), openness=0.9) for i in range(2, 4)]
    state, last = None, None
    for iteration in range(200):
        now = [await agent.propose(TASK, state, iteration) for agent in agents]
        if last is not None and all(one is other for one, other in zip(now, last, strict=True)):
            break
        state, last = np.mean([proposal.position for proposal in now], axis=0), now
    assert iteration < 100


async def test_a_state_of_another_shape_is_refused() -> None:
    with pytest.raises(ConsensusError, match="does not fit"):
        await agent_of(nn.Linear(10, 5)).generate_position(PORTFOLIO, torch.zeros(3))


async def test_pure_agents_stay_where_they_are() -> None:
    agent = agent_of(seeded(lambda: nn.Linear(10, 5)), config=AgentConfig(strategy_type="pure"))
    own = await agent.generate_position(PORTFOLIO)
    assert sorted(own.tolist()) == [0, 0, 0, 0, 1]
    assert torch.equal(await agent.generate_position(PORTFOLIO, torch.full((5,), 0.2)), own)


async def test_only_adaptive_agents_learn() -> None:
    truth = np.array([0.9, 0.1, 0, 0, 0])
    ends = {}
    for strategy in ("mixed", "adaptive"):
        config = {"strategy_type": strategy, "update_frequency": 1, "learning_rate": 0.05, "exploration_rate": 0.0}
        agent = agent_of(seeded(lambda: nn.Linear(10, 5)), config=config)
        before = (await agent.propose(TASK, None, 0)).position
        await agent.learn(TASK, truth)
        ends[strategy] = before, (await agent.propose(TASK, None, 0)).position
    assert ends["mixed"][0].tolist() == ends["mixed"][1].tolist()
    assert np.abs(ends["adaptive"][1] - truth).sum() < 0.3 * np.abs(ends["adaptive"][0] - truth).sum()


@pytest.mark.parametrize("seed", range(3))
async def test_an_adaptive_agent_improves_over_fifty_tasks_and_its_frozen_twin_does_not(seed: int) -> None:
    draw = np.random.default_rng(seed)
    truths = {risk: draw.dirichlet(np.ones(5)) for risk in ("conservative", "moderate", "aggressive")}
    model = nn.Sequential(nn.Linear(20, 16), nn.Tanh(), nn.Linear(16, 5))
    learner, twin = (agent_of(model, config={"strategy_type": "adaptive"}, seed=seed) for _ in range(2))
    errors: dict[str, list[float]] = {"learner": [], "twin": []}
    for _ in range(50):
        risk = str(draw.choice(list(truths)))
        parameters = {
            "total_amount": float(draw.integers(1, 10**6)),
            "risk_tolerance": risk,
            "investment_horizon": f"{draw.integers(1, 40)}_years",
        }
        task = task_of({"type": "portfolio_allocation", "parameters": parameters})
        for name, agent in (("learner", learner), ("twin", twin)):
            position = (await agent.propose(task, None, 0)).position
            errors[name].append(float(np.abs(position - truths[risk]).sum()))
        await learner.learn(task, truths[risk])
    first, last = np.mean(errors["learner"][:10]), np.mean(errors["learner"][-10:])
    assert last < 0.5 * first
    assert last < 0.5 * np.mean(errors["twin"][-10:])


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
async def test_without_cuda_agents_run_on_the_processor(caplog: pytest.LogCaptureFixture) -> None:
    usable.cache_clear()
    with caplog.at_level(logging.INFO, "engine"):
        agent = EthereumNeuralAgent("ada", nn.Linear(3, 5), EthereumAgentIdentity.create("ada"))
    assert agent.device == "cpu"
    assert "no CUDA device" in caplog.text
    assert agent.to("cuda:1") is agent
    assert (await agent.generate_position(PORTFOLIO)).device.type == "cpu"


def test_what_cannot_be_an_agent() -> None:
    identity = EthereumAgentIdentity.create("ada")
    with pytest.raises(ConsensusError, match="no torch module"):
        EthereumNeuralAgent("ada", lambda x: x, identity, "cpu")  # type: ignore[arg-type]
    with pytest.raises(ConsensusError, match="device 'mps' is not supported"):
        EthereumNeuralAgent("ada", nn.Identity(), identity, "mps")
    with pytest.raises(ConsensusError, match="is unknown"):
        agent_of(nn.Identity()).to("gpu")
    with pytest.raises(ConsensusError, match="Did you mean learning_rate"):
        agent_of(nn.Identity(), config={"learning_rat": 1})
    with pytest.raises(ConsensusError, match="openness"):
        agent_of(nn.Identity(), openness=1.0)
    for name in ("", "a\nb", "x" * 65, 7):
        with pytest.raises(ConsensusError, match="name cannot be"):
            EthereumAgentIdentity.create(name)  # type: ignore[arg-type]


async def test_a_task_that_is_none_is_refused() -> None:
    with pytest.raises(ConsensusError, match="no kind of task"):
        await agent_of(nn.Identity()).generate_position({"type": "nothing"})


class Consensus:
    """Takes what an agent submits, as the real one does before it sends."""

    def __init__(self) -> None:
        self.taken: list[Any] = []

    async def submit_position(self, agent: Any, position: Floats, task_hash: str, confidence: float) -> dict[str, Any]:
        self.taken.append((agent.agent_id, position.tolist(), task_hash, confidence))
        return {"tx_hash": "0x01"}


async def test_positions_are_submitted_through_the_consensus() -> None:
    agent, consensus = agent_of(Sure()), Consensus()
    position = await agent.generate_position(PORTFOLIO)
    assert await agent.submit_to_blockchain(position, "0xab", consensus) == {"tx_hash": "0x01"}
    assert consensus.taken == [("ada", position.double().tolist(), "0xab", 0.75)]
    for bad in (torch.tensor([float("nan")]), torch.zeros(0), torch.zeros(2, 2), [0.5], torch.zeros(2) * 1j):
        with pytest.raises(ConsensusError, match="no position to submit"):
            await agent.submit_to_blockchain(bad, "0xab", consensus)  # type: ignore[arg-type]
    assert len(consensus.taken) == 1


# Identity and signatures


def message() -> PositionMessage:
    return PositionMessage(b"\1" * 32, Account.create().address, b"\2" * 32, 900_000, ON_CHAIN, 3, 2**33)


def test_an_identity_signs_as_wallets_do() -> None:
    identity, domain = EthereumAgentIdentity.create("ada"), Domain(31337, "0x" + "12" * 20)
    signature = identity.sign(message(), domain)
    whole = message()
    expected = identity.account.sign_message(encode_typed_data(domain.fields(), whole.TYPES, whole.message()))
    assert identity.sign(whole, domain) == expected.signature
    assert len(signature) == 65
    assert recover(whole, expected.signature, domain) == identity.address


def test_keys_stay_inside() -> None:
    identity = EthereumAgentIdentity.create("ada")
    key = identity.account.key.hex().removeprefix("0x")
    agent = SecureEthereumAgent("ada", nn.Identity(), identity, "cpu")
    for shown in (repr(identity), str(identity), repr(agent), str(vars(agent))):
        assert key not in shown
    for take in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="neither copied nor pickled"):
            take(identity)


async def test_secure_agents_sign_their_positions_as_text() -> None:
    identity = EthereumAgentIdentity.create("ada")
    agent = SecureEthereumAgent("ada", seeded(lambda: nn.Linear(4, 5)), identity, "cpu")
    position = await agent.generate_position(PORTFOLIO)
    signature = agent.sign_position(position)
    assert len(signature) == 65
    assert signer_of(position, signature) == identity.address
    assert agent.verify_position(position, signature)
    assert not agent.verify_position(position + 0.1, signature)
    other = SecureEthereumAgent("bob", nn.Identity(), EthereumAgentIdentity.create("bob"), "cpu")
    assert not other.verify_position(position, signature)
    for bad in (b"", b"\0" * 65, signature[:-1], signature + b"\0", b"\xff" * 65):
        assert not agent.verify_position(position, bad)
