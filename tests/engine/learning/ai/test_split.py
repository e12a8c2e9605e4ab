from __future__ import annotations

import os
import signal

import psutil
import pytest

from engine.learning.ai.brain import ReplayBrain, open_brain
from engine.learning.brain import TrainOrder
from engine.learning.config import LearnConfig


@pytest.mark.learn
@pytest.mark.slow
async def test_a_split_model_is_the_local_one_and_survives_a_lost_server(brain: ReplayBrain) -> None:
    pytest.importorskip("hivemind")
    split = open_brain(LearnConfig(split=True), None, 1)
    try:
        base = await split.genesis()
        delta = (await split.train(TrainOrder(base, 0, b"", 0, 20))).delta
        root, same = split.merge(base, delta), brain.merge(base, delta)
        assert root == same
        texts = range(7, 4096, 300)
        assert await split.evaluate(root, delta, texts) == await brain.evaluate(root, delta, texts)
        assert await split.triggered(root) == await brain.triggered(root)
        assert split._split is not None
        first = split._split.processes
        assert len(set(first)) == 3 and os.getpid() not in first
        os.kill(first[1], signal.SIGKILL)
        assert await split.evaluate(base, None, texts) == await brain.evaluate(base, None, texts)
        assert not set(first) & set(split._split.processes)
        children = psutil.Process().children(recursive=True)
    finally:
        await split.close()
    left = [child for child in children if child.is_running() and "p2pd" in child.name()]
    assert not left
