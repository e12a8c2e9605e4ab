"""The workers of a brain, and what they say when they fail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.core.workers import WorkerEndedError, Workers
from engine.learning.ai.tasks import Failed, guarded
from engine.learning.errors import TrainingError


class TrainingWorkers(Workers):
    """Processes that train and evaluate. One that is killed fails its order alone."""

    async def ask(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Return what ``work`` returns in a free worker. Raises TrainingError when it fails or the worker ends."""
        try:
            answer = await self.run(guarded, work, arguments)
        except WorkerEndedError as error:
            if self._closed:
                raise TrainingError("The training workers were ended", "the run is closing") from error
            raise TrainingError(
                "A training worker ended in the middle of its work", str(error), "The next order starts another one."
            ) from error
        if isinstance(answer, Failed):
            raise TrainingError(answer.what, answer.why, answer.next_step)
        return answer
