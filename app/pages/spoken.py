"""The verdict of a run, said to screen readers: who cannot see it change hears how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtWidgets import QWidget

from app.viewmodels.consensus_runs import Verdict
from widgets.access import announce


class SpokenVerdict:
    """Says the verdict of the run on a page once it has ended, or when a run that had ended is put there.

    ``part`` shows the run; while it is out of sight nothing is said, the end of the job is. ``known`` says whether all
    that belongs to the verdict is there, for a run that has ended.
    """

    def __init__(
        self, part: QWidget, verdict_of: Callable[[Any], Verdict], known: Callable[[Any], bool] = lambda record: True
    ) -> None:
        self._part = part
        self._verdict_of = verdict_of
        self._known = known
        self._told: Any = None

    def take(self, state: Any) -> None:
        """Look at a state of the page, whose run is ``state.run``."""
        record = state.run
        ended = record if record is not None and record.ended and self._known(record) else None
        if ended is self._told:
            return
        self._told = ended
        if ended is not None and self._part.isVisible():
            verdict = self._verdict_of(ended)
            announce(self._part, f"{ended.title}. {verdict.word}: {verdict.text}")
