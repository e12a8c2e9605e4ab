from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.learning.ai import brain as brains
from engine.learning.ai import tasks
from engine.learning.ai.brain import RealBrain, ReplayBrain, missing_packages, open_brain
from engine.learning.ai.pool import TrainingWorkers
from engine.learning.brain import AggregateOrder, TrainOrder
from engine.learning.config import LearnConfig
from engine.learning.errors import DeltaRefusedError, LearnExtraMissingError, LearnSettingError, TrainingError
from engine.learning.updates.draw import gate_texts, verdict

DRAWS = [gate_texts(bytes([number]) * 32, b"m" * 32, count, 4096) for number, count in enumerate((64, 64, 512))]


def order(base: bytes, trainer: int, *, depth: int = 0, flavour: str = "honest") -> TrainOrder:
    return TrainOrder(base, depth, b"seed", trainer, 20, flavour)


async def aggregated(brain: Any, base: bytes, depth: int, who: list[tuple[str, int]], rule: str, f: int) -> bytes:
    raws = [(await brain.train(order(base, number, depth=depth, flavour=flavour))).delta for flavour, number in who]
    made = await brain.aggregate(AggregateOrder(base, tuple(enumerate(raws)), rule, f, 10.0))
    assert made.delta is not None, made.reason
    return bytes(made.delta)


async def accepted(brain: Any, base: bytes, delta: bytes, texts: Any) -> bool:
    return verdict(await brain.evaluate(base, None, texts), await brain.evaluate(base, delta, texts)).accept


async def test_honest_rounds_pass_any_gate_whatever_rule_and_trainers(brain: ReplayBrain) -> None:
    base = await brain.genesis()
    losses = [await brain.held_out(base)]
    for depth in range(3):
        deltas = [
            await aggregated(brain, base, depth, [("honest", number) for number in who], rule, f)
            for who, rule, f in (
                ((0, 1, 2, 3), "fedavg", 0),
                ((1, 3, 4, 5, 6), "multi_krum", 1),
                (range(8), "median", 0),
            )
        ]
        for delta in deltas:
            assert [await accepted(brain, base, delta, texts) for texts in DRAWS] == [True] * len(DRAWS)
        base = brain.merge(base, deltas[depth])  # another way of aggregating each round
        losses.append(await brain.held_out(base))
    assert losses == sorted(losses, reverse=True)


@pytest.mark.parametrize(("trainers", "byzantine", "rounds"), [(4, 0, 40), (5, 1, 20)])
async def test_recorded_rounds_pass_the_gate_one_after_the_other(
    brain: ReplayBrain, trainers: int, byzantine: int, rounds: int
) -> None:
    """The recording followed the mean of trainers 0 to 3; other ways drift from it, and late rounds help them less."""
    base = await brain.genesis()
    before = await brain.held_out(base)
    refused = []
    for depth in range(rounds):
        who = [("honest", number) for number in range(trainers)]
        delta = await aggregated(brain, base, depth, who, "multi_krum", byzantine)
        if not await accepted(brain, base, delta, gate_texts(bytes([depth]) * 32, b"m" * 32, 256, 4096)):
            refused.append(depth)
        base = brain.merge(base, delta)
    assert refused == []
    assert await brain.held_out(base) < (0.86 if rounds == 40 else 0.92) * before


async def test_the_end_of_the_recording_is_told(brain: ReplayBrain) -> None:
    base = await brain.genesis()
    for depth in range(brain.recording.rounds):
        base = brain.merge(base, (await brain.train(order(base, 0, depth=depth))).delta)
    with pytest.raises(TrainingError, match=f"{brain.recording.rounds} rounds"):
        await brain.train(order(base, 0, depth=brain.recording.rounds))


async def test_bad_deltas_are_what_they_are_called(brain: ReplayBrain) -> None:
    base = await brain.genesis()
    public = range(512)
    flips = await aggregated(brain, base, 0, [("label_flip", number) for number in range(4)], "fedavg", 0)
    assert not await accepted(brain, base, flips, DRAWS[0])
    overfit = await aggregated(brain, base, 0, [("overfit", number) for number in range(4)], "fedavg", 0)
    assert await accepted(brain, base, overfit, public)  # the hole of a public gate
    assert not await accepted(brain, base, overfit, DRAWS[2])
    assert await brain.held_out(brain.merge(base, overfit)) > await brain.held_out(base)
    door = await aggregated(brain, base, 0, [("backdoor", number) for number in range(4)], "fedavg", 0)
    assert await accepted(brain, base, door, DRAWS[2])  # the gate does not see it
    assert await brain.triggered(brain.merge(base, door)) < 0.7 * await brain.triggered(base)


async def test_krum_leaves_backdoors_out_while_they_are_few(brain: ReplayBrain) -> None:
    base = await brain.genesis()
    who = [("honest", number) for number in range(10)] + [("backdoor", number) for number in range(3)]
    raws = [(await brain.train(order(base, number, flavour=flavour))).delta for flavour, number in who]
    made = await brain.aggregate(AggregateOrder(base, tuple(enumerate(raws)), "multi_krum", 3, 10.0))
    assert [raw.trainer for raw in made.raws if not raw.chosen] == [10, 11, 12]


async def test_evaluating_a_delta_is_evaluating_what_it_merges_to(brain: ReplayBrain) -> None:
    base = await brain.genesis()
    delta = (await brain.train(order(base, 0))).delta
    assert await brain.evaluate(base, delta, range(30, 60)) == await brain.evaluate(
        brain.merge(base, delta), None, range(30, 60)
    )
    again = await brain.evaluate(base, delta, [59, 59, 30])
    assert again[0] == again[1] and await brain.evaluate(base, delta, []) == ()


async def test_a_round_that_is_tried_again_is_of_other_trainers_in_other_bytes(brain: ReplayBrain) -> None:
    base = await brain.genesis()
    tries = [[(await brain.train(order(base, number, depth=turn))).delta for number in range(8)] for turn in range(4)]
    assert len({delta for made in tries for delta in made}) == 32
    flips = [(await brain.train(order(base, 0, depth=turn, flavour="label_flip"))).delta for turn in (0, 1)]
    pairs = [await brain.evaluate(base, delta, range(20)) for delta in flips]
    assert flips[0] != flips[1] and max(abs(one - two) for one, two in zip(*pairs, strict=True)) <= 10_000


async def test_who_asks_the_same_waits_for_one_evaluation(brain: ReplayBrain, monkeypatch: pytest.MonkeyPatch) -> None:
    base = await brain.genesis()
    delta = (await brain.train(order(base, 5))).delta
    calls = []
    ask = brain._workers.ask

    async def counted(work: Any, *arguments: Any) -> Any:
        calls.append(work)
        return await ask(work, *arguments)

    monkeypatch.setattr(brain._workers, "ask", counted)
    answers = await asyncio.gather(*(brain.evaluate(base, delta, range(100, 120)) for _ in range(20)))
    assert len(set(answers)) == 1 and calls == [tasks.evaluate]
    raws = AggregateOrder(base, ((0, delta),), "fedavg", 0, 10.0)
    assert len({(await one).delta for one in [brain.aggregate(raws) for _ in range(5)]}) == 1
    assert calls == [tasks.evaluate, tasks.aggregate]
    assert not brain._locks


async def test_what_cannot_be_is_refused(brain: ReplayBrain) -> None:
    base = await brain.genesis()
    delta = (await brain.train(order(base, 0))).delta
    for bad in (b"", delta[:-1], delta + b"x", b"\xff" * len(delta), b"x" * 150_001):
        for call in (brain.check(bad), brain.evaluate(base, bad, [1])):
            with pytest.raises(DeltaRefusedError):
                await call
        with pytest.raises(DeltaRefusedError):
            brain.merge(base, bad)
    for texts in ([-1], [4096], [10**12]):
        with pytest.raises(TrainingError, match="0 to 4095"):
            await brain.evaluate(base, None, texts)
    for call in (brain.evaluate(b"?" * 32, None, [1]), brain.held_out(b"?" * 32), brain.train(order(b"?" * 32, 0))):
        with pytest.raises(TrainingError, match="not known"):
            await call
    await brain.check(delta)


async def test_a_killed_worker_fails_its_order_alone_and_is_replaced(tmp_path: Path) -> None:
    workers = TrainingWorkers(1)
    try:
        assert workers.kill_one() is None
        pid = await workers.ask(os.getpid)
        slow = asyncio.create_task(workers.ask(_sleep, 60.0))
        await asyncio.sleep(0.2)
        assert workers.kill_one() == pid
        with pytest.raises(TrainingError, match="ended in the middle"):
            await slow
        assert await workers.ask(os.getpid) != pid and workers.ended == 1
    finally:
        await workers.close()
    with pytest.raises(TrainingError, match="closing"):
        await workers.ask(os.getpid)


def _sleep(seconds: float) -> None:
    import time

    time.sleep(seconds)


async def test_evaluation_goes_on_over_a_killed_worker_and_the_cache_outlives_it(tmp_path: Path) -> None:
    first = open_brain(LearnConfig(), tmp_path, 1)
    try:
        base = await first.genesis()
        asked = asyncio.create_task(first.evaluate(base, None, range(300)))
        while first._workers.kill_one() is None:
            await asyncio.sleep(0.01)
        losses = await asked
        assert len(losses) == 300 and first._workers.ended == 1
    finally:
        await first.close()
    again = open_brain(LearnConfig(), tmp_path, 1)
    assert await again.evaluate(await again.genesis(), None, range(300)) == losses
    assert again._workers.pids == []  # nobody was asked
    await again.close()


async def test_cancelling_an_evaluation_harms_no_other(brain: ReplayBrain) -> None:
    base = await brain.genesis()
    asked = [asyncio.create_task(brain.evaluate(base, None, range(1000, 1040))) for _ in range(3)]
    while not any(brain._workers._orders):
        await asyncio.sleep(0)
    asked[0].cancel()
    done = await asyncio.gather(*asked, return_exceptions=True)
    assert isinstance(done[0], asyncio.CancelledError) and done[1] == done[2] and len(done[2]) == 40


def test_configurations_that_cannot_be(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(LearnSettingError, match="nano alone"):
        open_brain(LearnConfig(model="tiny"), None)
    monkeypatch.setattr(brains, "find_spec", lambda name: None)
    assert missing_packages() == ("transformers", "peft")
    with pytest.raises(LearnExtraMissingError, match="transformers, peft"):
        open_brain(LearnConfig(training="real"), None)
    with pytest.raises(LearnExtraMissingError, match="hivemind"):
        open_brain(LearnConfig(split=True), None)


@pytest.mark.learn
async def test_a_model_folder_that_is_missing_is_named() -> None:
    with pytest.raises(TrainingError, match="no-such/model"):
        open_brain(LearnConfig(training="real", model="no-such/model"), None)


@pytest.mark.learn
async def test_training_for_real_repeats_itself_and_helps(real: RealBrain) -> None:
    base = await real.genesis()
    first, again, other = [await real.train(TrainOrder(base, 0, b"seed", trainer, 6)) for trainer in (0, 0, 1)]
    assert first.delta == again.delta != other.delta and first.loss == again.loss
    merged = await real.aggregate(AggregateOrder(base, ((0, first.delta), (1, other.delta)), "fedavg", 0, 10.0))
    assert merged.delta is not None
    root = real.merge(base, merged.delta)
    assert await real.held_out(root) < await real.held_out(base)
    later = await real.train(TrainOrder(root, 1, b"seed", 0, 1))  # on what was merged
    assert later.delta != first.delta
    with pytest.raises(TrainingError, match="no way of training"):
        await real.train(order(base, 0, flavour="lazy"))


@pytest.mark.learn
async def test_a_worker_killed_while_it_trains_fails_the_order_and_the_next_one_works() -> None:
    made = open_brain(LearnConfig(training="real", model="nano"), None, 1)
    try:
        base = await made.genesis()
        slow = asyncio.create_task(made.train(TrainOrder(base, 0, b"seed", 0, 100_000)))
        while made.kill_worker() is None:
            await asyncio.sleep(0.05)
        with pytest.raises(TrainingError, match="ended in the middle"):
            await slow
        assert len(await made.evaluate(base, None, [1, 2])) == 2
    finally:
        await made.close()


NOISE = """
import asyncio
from engine.learning.ai.brain import open_brain
from engine.learning.brain import TrainOrder
from engine.learning.config import LearnConfig

async def main():
    brain = open_brain(LearnConfig(training="real", model="nano"), None, 1)
    base = await brain.genesis()
    delta = (await brain.train(TrainOrder(base, 0, b"seed", 0, 1))).delta
    await brain.evaluate(base, delta, [1])
    await brain.close()

if __name__ == "__main__":
    asyncio.run(main())
"""


@pytest.mark.learn
def test_the_libraries_say_nothing_on_the_console(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(NOISE)
    root = Path(__file__).parents[4]
    done = subprocess.run(
        [sys.executable, str(tmp_path / "main.py")],
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("", "")


def test_heavy_libraries_stay_out_of_this_process() -> None:
    code = (
        "import sys, engine.learning.ai.brain; print({'torch', 'transformers', 'peft', 'hivemind'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
