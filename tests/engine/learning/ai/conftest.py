"""Brains and models that the tests share: starting a worker takes seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from engine.learning.ai.brain import RealBrain, ReplayBrain, missing_packages, open_brain
from engine.learning.ai.model import PRESETS
from engine.learning.ai.qwen import Network
from engine.learning.ai.tasks import _first_weights
from engine.learning.config import LearnConfig

torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("learn") and missing_packages():
            item.add_marker(pytest.mark.skip(f"not installed: {', '.join(missing_packages())}"))


def started(brain: Any) -> Any:
    """Return a brain whose workers run already, so that no test is blamed for starting them."""
    asyncio.run(_ask(brain))
    return brain


async def _ask(brain: Any) -> None:
    await brain.evaluate(await brain.genesis(), None, [0])


@pytest.fixture(scope="session")
def brain() -> Iterator[ReplayBrain]:
    """The replayed brain, with one worker."""
    made = started(open_brain(LearnConfig(), None, 1))
    assert isinstance(made, ReplayBrain)
    yield made
    asyncio.run(made.close())


@pytest.fixture(scope="session")
def real() -> Iterator[RealBrain]:
    """A brain that trains nano."""
    made = started(open_brain(LearnConfig(training="real", model="nano"), None, 1))
    assert isinstance(made, RealBrain)
    yield made
    asyncio.run(made.close())


@pytest.fixture(scope="session")
def nano() -> Network:
    """The nano model."""
    return Network(PRESETS["nano"], _first_weights(PRESETS["nano"]))
