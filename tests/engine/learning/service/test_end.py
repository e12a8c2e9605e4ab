"""What is left of a run when it is over: nothing that waits for the collector of cycles."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

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


@pytest.fixture
def by_count_alone() -> Iterator[None]:
    """Free what nobody refers to any more, and nothing else."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def left() -> list[str]:
    kinds = (Node, Watch, BlockTree, BeaconState)
    return [type(one).__name__ for one in gc.get_objects() if isinstance(one, kinds)]


@pytest.mark.usefixtures("by_count_alone")
@pytest.mark.parametrize("cancelled", [False, True])
async def test_a_run_is_freed_when_it_ends(tmp_path, cancelled):
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
