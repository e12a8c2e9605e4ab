"""One replaying brain for all tests: its workers start once, and what was evaluated is remembered."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from engine.learning.ai.brain import ReplayBrain, open_brain
from engine.learning.config import LearnConfig


@pytest.fixture(scope="session")
def brain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReplayBrain]:
    found = open_brain(LearnConfig(), tmp_path_factory.mktemp("losses"), 1)
    assert isinstance(found, ReplayBrain)

    async def warm() -> None:
        await found.evaluate(await found.genesis(), None, (0,))

    asyncio.run(warm())
    yield found
    asyncio.run(found.close())
