"""What is left of a run when it is over: nothing that waits for the collector of cycles."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator

import pytest

from engine.core.paths import DataDir
from engine.learning.beacon.state import BeaconState
from engine.learning.beacon.tree import BlockTree
from engine.learning.errors import LearningError
from engine.learning.run.node import Node
from engine.learning.run.watch import Watch
from engine.learning.service.specs import LearnSpec
from engine.runtime import Runtime

SPEC = LearnSpec("committee", {"slots": 12, "gate_texts": 16})


def parts() -> list[object]:
    kinds = (Node, Watch, BlockTree, BeaconState)
    # By type(): isinstance asks an object for its __class__, and some of torch's warn when they are asked.
    return [one for one in gc.get_objects() if issubclass(type(one), kinds)]


@pytest.fixture
def left() -> Iterator[Callable[[], list[str]]]:
    """Tell which parts of runs are there that were not before, while what is in circles is kept."""
    gc.collect()
    gc.disable()
    before = {id(one): one for one in parts()}  # of tests that ran before, kept so that no other takes its address
    yield lambda: [type(one).__name__ for one in parts() if id(one) not in before]
    gc.enable()


@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_run_is_freed_when_it_ends(tmp_path, left, cancelled):
    async with await Runtime.open(DataDir.open(tmp_path), workers=1) as runtime:
        run = await runtime.learning.start(SPEC)
        if cancelled:
            run.pause()
            while run.state != "paused" or not left():
                await asyncio.sleep(0.01)
            assert {"Node", "Watch", "BlockTree", "BeaconState"} <= set(left())
            run.cancel()
            with pytest.raises(LearningError):
                await run.result()
            with pytest.raises(LearningError):
                run.inject("offline", (1,))
        else:
            assert (await run.result()).slots == 12
        run.step()  # an operator's hand may be slower than the end
        del run
        await asyncio.sleep(0)
        assert left() == []
