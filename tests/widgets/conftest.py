"""Every widget test runs under the light theme and leaves no widget behind."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from PySide6.QtCore import QCoreApplication, QEvent
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication

from tests.ears import heard  # noqa: F401
from widgets.theme import apply_theme


def _settle() -> None:
    """Run what is posted, deletions too."""
    app = QApplication.instance()
    for _ in range(3):
        app.processEvents()
        QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def _differing(first: QImage, second: QImage) -> float:
    """Share of pixels that differ between two pictures of one size."""
    assert first.size() == second.size()
    a = first.convertToFormat(QImage.Format.Format_RGB32)
    b = second.convertToFormat(QImage.Format.Format_RGB32)
    left, right = (np.frombuffer(picture.constBits(), np.uint32) for picture in (a, b))
    return float(np.mean(left != right))


@pytest.fixture
def settle() -> Callable[[], None]:
    """Runs what is posted, deletions too."""
    return _settle


@pytest.fixture
def differing() -> Callable[[QImage, QImage], float]:
    """Gives the share of pixels that differ between two pictures of one size."""
    return _differing


@pytest.fixture(autouse=True)
def _themed_and_leakless(qapp: QApplication) -> Iterator[None]:
    apply_theme(qapp, "light")
    gc.collect()
    _settle()
    before = {id(w) for w in qapp.allWidgets()}
    yield
    for popup in qapp.topLevelWidgets():
        if id(popup) not in before and not popup.isVisible() and popup.parent() is None:
            popup.deleteLater()
    gc.collect()
    _settle()
    left = [w for w in qapp.allWidgets() if id(w) not in before and "QTip" not in type(w).__name__]
    left = [w for w in left if w.metaObject().className() not in ("QTipLabel", "QComboBoxPrivateContainer")]
    assert not left, f"widgets left behind: {left[:5]}"
