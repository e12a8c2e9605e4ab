"""The shipped moderation models and the consensus of the agents that have them."""

from __future__ import annotations

import importlib.util
import pickle
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from engine.chain.anvil import Devnet
from engine.consensus.agents.moderation_models import KINDS, load_readers, model, new_readers
from engine.consensus.agents.text_features import normalise
from engine.consensus.errors import ConsensusError, ModelRefusedError
from engine.consensus.library.moderation import (
    POLICIES,
    content_moderation_consensus,
    create_moderation_agents,
    interpret_consensus,
)
from engine.consensus.library.nash_ethereum import NashEthereumConsensus
from engine.consensus.tasks import read_task, task_of
from engine.core.bus import EventBus

ROOT = Path(__file__).parents[4]
MODEL = ROOT / "assets" / "models" / "moderation.pt"
# Of the three models' mean on held-out texts, what it must at least reach.
FLOORS = {"hate_speech": (0.7, 0.62, 0.66), "violence": (0.7, 0.62, 0.66), "misinformation": (0.72, 0.5, 0.6)}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = ROOT / "assets" / "models" / "train_moderation.py"
    spec = importlib.util.spec_from_file_location("train_moderation", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


def scores(path: Path, texts: list[str]) -> np.ndarray:
    readers = load_readers(path).values()
    return np.stack([[torch.sigmoid(reader.logits(normalise(text))).numpy() for text in texts] for reader in readers])


@pytest.fixture(scope="module")
def plain(script: ModuleType) -> dict[str, dict[str, Any]]:
    """The figures on held-out texts as they are."""
    found: dict[str, dict[str, Any]] = script.evaluate(MODEL)
    return found


# The models ----------------------------------------------------------------------------------------------------


def test_training_again_gives_the_same_models(script: ModuleType, tmp_path: Path) -> None:
    script.train(tmp_path / "again.pt")
    texts = [example.text for example in script.read_corpus() if example.held_out]
    # Here they are the same to the last bit. Another processor may round otherwise on the way.
    assert np.abs(scores(tmp_path / "again.pt", texts) - scores(MODEL, texts)).max() < 0.01
    assert MODEL.stat().st_size < 1_000_000


def test_fitting_depends_on_nothing_but_its_texts(script: ModuleType) -> None:
    examples = script.read_corpus()[::8]
    wanted = torch.tensor([example.labels for example in examples], dtype=torch.float64)
    made = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        reader = new_readers().double()["words"]
        torch.nn.init.zeros_(reader.bag.weight)
        script.fit(reader, [example.text for example in examples], wanted)
        made.append(torch.stack([reader.logits(normalise(example.text)) for example in examples]))
    assert (made[0] - made[1]).abs().max() <= 1e-6


def test_the_models_find_what_is_forbidden_in_texts_they_never_saw(script: ModuleType, plain: Any) -> None:
    for policy, (precision, recall, f1) in FLOORS.items():
        ours, listed = plain["mean"][policy], plain["keywords"][policy]
        assert (ours.precision >= precision, ours.recall >= recall, ours.f1 >= f1) == (True, True, True), (policy, ours)
        assert ours.f1 > listed.f1 + 0.1
    held = [example.held_out for example in script.read_corpus()]
    assert 0.2 < np.mean(held) < 0.3


@pytest.mark.parametrize("disguise", ["upper case", "leetspeak", "homoglyphs", "zero width", "dots", "stretched"])
def test_disguises_do_not_help(script: ModuleType, plain: Any, disguise: str) -> None:
    found = script.evaluate(MODEL, disguise)["mean"]
    assert all(found[policy].f1 > plain["mean"][policy].f1 - 0.03 for policy in POLICIES)


def test_the_corpus_holds_no_text_twice_and_hundreds_of_each_kind(script: ModuleType) -> None:
    examples = script.read_corpus()
    texts = [example.text.casefold() for example in examples]
    assert len(set(texts)) == len(texts)
    labels = np.array([example.labels for example in examples])
    assert (labels.sum(axis=0) >= 150).all()
    assert (labels.sum(axis=1) == 0).sum() >= 300
    made = {example.text for example in script.made_up(150, script.random.Random(1))}
    assert not made & {example.text for example in examples if example.held_out}


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (print, ("executed",))


@pytest.mark.parametrize("kind", ["pickle", "empty", "cut", "other", "nan", "large", "missing", "shape"])
def test_other_files_are_refused(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.pt"
    state = torch.load(MODEL, weights_only=True)
    if kind == "pickle":
        torch.save({"letters.bias": Evil()}, path)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "cut":
        path.write_bytes(MODEL.read_bytes()[:-1000])
    elif kind == "other":
        path.write_bytes(pickle.dumps([1, 2], protocol=2))
    elif kind == "nan":
        torch.save(state | {"letters.bias": torch.full((3,), float("nan"))}, path)
    elif kind == "large":
        path.write_bytes(b"\0" * ((1 << 20) + 1))
    elif kind == "shape":
        torch.save(state | {"letters.bias": torch.zeros(4)}, path)
    with pytest.raises(ModelRefusedError):
        load_readers(path)
    assert "executed" not in capsys.readouterr().out


# The agents ----------------------------------------------------------------------------------------------------


def task(content: str, policies: tuple[str, ...] = POLICIES):
    return task_of({"type": "content_moderation", "content": content, "policies": list(policies)})


def test_the_agents_differ_and_are_real() -> None:
    text = task("those people are vermin, and they hide that the vaccine has chips")
    said = {kind: model(kind).propose_for(text, None) for kind in KINDS}
    assert len({tuple(np.round(position, 6)) for position, _ in said.values()}) == len(KINDS)
    guardian, advocate = said["guardian"][0], said["advocate"][0]
    assert (guardian >= said["network"][0]).all() and (advocate <= said["letters"][0]).all()
    assert all(((position >= 0) & (position <= 1)).all() and 0 < sure <= 1 for position, sure in said.values())


@pytest.mark.parametrize(
    ("text", "middle"),
    [
        ("\U0001f4a3\U0001f525\U0001f4a3", 0.0),
        ("12345 !!! ...", 0.0),
        ("\u0645\u0631\u062d\u0628\u0627", 0.5),
        ("\x00\x01\x7f", 0.0),
    ],
)
def test_what_cannot_be_read_is_said_with_little_confidence(text: str, middle: float) -> None:
    for kind in KINDS:
        position, sure = model(kind).propose_for(task(text), None)
        assert position == pytest.approx(middle, abs=1e-6)
        assert sure == pytest.approx(0.05)


def test_a_policy_that_no_model_knows_needs_a_person() -> None:
    position, sure = model("letters").propose_for(task("good morning", ("spam", "violence")), None)
    assert position[0] == 0.5
    assert position[1] < 0.4
    assert sure < model("letters").propose_for(task("good morning"), None)[1]


@pytest.mark.parametrize("kind", ["", "nobody", "letters:1"])
def test_unknown_moderators_are_named(kind: str) -> None:
    with pytest.raises(ConsensusError, match="known are letters, words, network"):
        model(kind)


def test_a_moderator_judges_texts_only() -> None:
    document = {"type": "custom", "labels": ["a", "b"], "space": "box"}
    with pytest.raises(ConsensusError, match="cannot judge"):
        model("letters").propose_for(task_of(document), None)


# Decisions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "action", "violations"),
    [
        ([0.1, 0.2, 0.3], "allow", []),
        ([0.1, 0.55, 0.3], "review", ["violence"]),
        ([0.75, 0.1, 0.9], "remove", ["misinformation", "hate_speech"]),
        (None, "review", []),
    ],
)
def test_scores_become_a_decision(values: list[float] | None, action: str, violations: list[str]) -> None:
    found = interpret_consensus(None if values is None else torch.tensor(values))
    assert (found["action"], found["violations"]) == (action, violations)


def test_scores_of_another_number_are_refused() -> None:
    with pytest.raises(ConsensusError, match="2 scores for 3 policies"):
        interpret_consensus([0.1, 0.2])


@pytest.mark.parametrize(
    ("content", "action"),
    [
        ("the orchestra played beethoven last night", "allow"),
        ("I will kill you tomorrow", "remove"),
        ("1 W1LL k!ll y0u t0m0rr0w", "remove"),
        ("immigrants are vermin, throw them out", "remove"),
        ("vaccines contain microchips, share before they delete this", "remove"),
        ("\U0001f600\U0001f600", "allow"),
        ("\u0645\u0631\u062d\u0628\u0627 \u0628\u0643\u0645", "review"),
        ("bad \ud800 surrogate, nice garden", "allow"),
    ],
)
async def test_texts_are_judged(content: str, action: str) -> None:
    async with NashEthereumConsensus(config={"hybrid_mode": False}) as consensus:
        found = await content_moderation_consensus(content, consensus=consensus)
    assert found["decision"]["action"] == action, found["decision"]
    assert set(found) == {"decision", "consensus_strength", "agent_votes"}
    assert 0.0 <= found["consensus_strength"] <= 1.0
    assert all(vote.shape == (3,) for vote in found["agent_votes"].values())


@pytest.mark.parametrize("content", ["", "  \n"])
async def test_an_empty_text_is_allowed_without_asking(content: str) -> None:
    found = await content_moderation_consensus(content)
    assert found["decision"]["action"] == "allow"
    assert found["agent_votes"] == {}


@pytest.mark.parametrize("content", [b"bytes", None, 7, "a" * 1_000_001])
async def test_what_is_no_text_is_refused(content: object) -> None:
    async with NashEthereumConsensus(config={"hybrid_mode": False}) as consensus:
        with pytest.raises(ConsensusError):
            await content_moderation_consensus(content, consensus=consensus)  # type: ignore[arg-type]


@pytest.mark.chain
async def test_moderators_agree_on_a_chain_as_off_it(tmp_path: Path) -> None:
    task = read_task(ROOT / "assets" / "tasks" / "moderation.json")
    async with NashEthereumConsensus(config={"hybrid_mode": False}) as consensus:
        off = await consensus.orchestrate_consensus(task, create_moderation_agents(consensus))
    (tmp_path / "node").mkdir()
    devnet = Devnet(tmp_path / "node", EventBus())
    try:
        status = await devnet.up()
        assert status.url is not None
        async with NashEthereumConsensus(status.url) as consensus:
            found = await content_moderation_consensus(task.document["content"], consensus=consensus)
            alone = await consensus.orchestrate_consensus(task, create_moderation_agents())  # accounts of their own
    finally:
        await devnet.down()
        await devnet.close()
    assert off.nash_equilibrium is not None
    scores = [found["decision"]["scores"][policy] for policy in POLICIES]
    assert scores == pytest.approx(off.nash_equilibrium.tolist(), abs=1e-6)
    assert set(found["agent_votes"]) == set(KINDS)
    assert alone.tx_hash is not None
