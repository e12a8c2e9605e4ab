"""The verdict of a run is said once, when it is known, and where it can be seen."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from PySide6.QtWidgets import QWidget

from app.pages.spoken import SpokenVerdict
from app.viewmodels.consensus_runs import Verdict


@dataclass(eq=False)
class Run:
    title: str
    ended: bool = False
    known: bool = True


def spoken(part: QWidget) -> Any:
    told = SpokenVerdict(part, lambda run: Verdict("ok", "Converged", f"{run.title} is over."), lambda run: run.known)
    return lambda run: told.take(SimpleNamespace(run=run))


def test_once_when_it_ends(qtbot: Any, heard: list[str]) -> None:
    part = QWidget()
    qtbot.addWidget(part)
    part.show()
    take, run = spoken(part), Run("one")
    take(None)
    take(run)
    assert heard == []
    run.ended = True
    take(run)
    take(run)
    assert heard == ["one. Converged: one is over."]
    take(None)
    take(Run("two", ended=True))  # opened from a list: who cannot see it hears what it came to
    assert heard[1:] == ["two. Converged: two is over."]


def test_not_before_all_of_it_is_there(qtbot: Any, heard: list[str]) -> None:
    part = QWidget()
    qtbot.addWidget(part)
    part.show()
    take, run = spoken(part), Run("one", ended=True, known=False)
    take(run)
    assert heard == []
    run.known = True
    take(run)
    assert len(heard) == 1


def test_not_of_a_page_out_of_sight(qtbot: Any, heard: list[str]) -> None:
    part = QWidget()
    qtbot.addWidget(part)
    take, run = spoken(part), Run("one", ended=True)
    take(run)
    part.show()
    take(run)
    assert heard == []
