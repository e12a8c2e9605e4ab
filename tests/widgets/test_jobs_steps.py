import pytest
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from widgets.jobs import JobRow, JobsState, JobsTray, duration
from widgets.steps import StepList, StepRow, StepsState

LEFT = Qt.MouseButton.LeftButton


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0.0 s"), (8.24, "8.2 s"), (59.9, "59.9 s"), (65, "1:05"), (3723, "1:02:03")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_a_job_from_start_to_end(qtbot):
    tray = JobsTray()
    qtbot.addWidget(tray)
    tray.resize(600, 300)
    tray.show()
    assert tray._empty.isVisible()
    tray.set_state(JobsState((JobRow(7, "Playing", 0.25, 1.5, note="25 of 100"),)))
    card = tray._cards[7]
    assert not tray._empty.isVisible()
    assert (card._bar.value(), card._bar.maximum()) == (250, 1000)
    with qtbot.waitSignal(tray.cancelRequested) as caught:
        qtbot.mouseClick(card._cancel, LEFT)
    assert caught.args == [7]
    assert not card._cancel.isEnabled()
    assert card._cancel.text() == "Stopping…"
    tray.set_state(JobsState((JobRow(7, "Playing", 0.3, 2.0, "cancelled"),)))
    assert tray._cards[7] is card
    assert not card._cancel.isVisible()
    assert card.accessibleName() == "Playing: cancelled"
    with qtbot.waitSignal(tray.dismissed) as caught:
        qtbot.mouseClick(card._dismiss, LEFT)
    assert caught.args == [7]
    tray.set_state(JobsState())
    assert tray._empty.isVisible()


def test_unknown_progress_and_no_cancel(qtbot):
    tray = JobsTray(JobsState((JobRow(1, "Deploying", None, cancellable=False),)))
    qtbot.addWidget(tray)
    tray.show()
    card = tray._cards[1]
    assert card._bar.maximum() == 0
    assert not card._cancel.isVisible()


def test_the_room_of_a_job_that_ended_is_kept_for_the_next(qtbot, settle):
    holder = QWidget()
    layout = QVBoxLayout(holder)
    above = QLabel("The page above")
    tray = JobsTray(JobsState((JobRow(1, "Long"), JobRow(2, "Short"))))
    layout.addWidget(above, 1)
    layout.addWidget(tray)
    qtbot.addWidget(holder)
    holder.resize(600, 600)
    holder.show()
    settle()
    two, page = tray.height(), above.height()
    tray.set_state(JobsState((JobRow(1, "Long"),)))
    settle()
    assert (tray.height(), above.height()) == (two, page)
    tray.set_state(JobsState((JobRow(1, "Long"), JobRow(3, "The next"))))
    settle()
    assert (tray.height(), above.height()) == (two, page)
    tray.set_state(JobsState((JobRow(1, "Long"),)))
    qtbot.waitUntil(lambda: tray.height() < two and above.height() > page, timeout=60_000)


def test_jobs_come_and_go(qtbot, settle):
    tray = JobsTray(JobsState(tuple(JobRow(i, f"Job {i}") for i in range(5))))
    qtbot.addWidget(tray)
    tray.set_state(JobsState(tuple(JobRow(i, f"Job {i}") for i in (9, 3))))
    settle()
    assert list(tray._cards) == [9, 3]
    assert tray._rows.count() == 2


def test_steps(qtbot):
    steps = StepList(StepsState((StepRow("a", "Start", "running", "Starting."), StepRow("b", "Deploy"))))
    qtbot.addWidget(steps)
    steps.resize(500, 300)
    steps.show()
    views = list(steps._views)
    assert views[0].accessibleName() == "Step 1, Start: running. Starting."
    steps.set_state(StepsState((
        StepRow("a", "Start", "done", "Up.", link="page:devnet"), StepRow("b", "Deploy", "failed", "No."),
    )))  # fmt: skip
    assert steps._views == views
    assert "failed" in views[1].accessibleName()
    with qtbot.waitSignal(steps.linkActivated) as caught:
        qtbot.mouseClick(views[0].findChild(QPushButton), LEFT)
    assert caught.args == ["page:devnet"]
    assert not views[1].findChild(QPushButton).isVisible()


def test_step_states_look_different(qtbot, settle, differing):
    pictures = []
    for state in ("pending", "running", "done", "failed", "skipped"):
        steps = StepList(StepsState((StepRow("a", "Start", state),)))
        qtbot.addWidget(steps)
        steps.resize(300, 60)
        steps._views[0]._word.setText("")
        steps.show()
        settle()
        pictures.append(steps.grab().toImage())
    pairs = [(a, b) for i, a in enumerate(pictures) for b in pictures[i + 1 :]]
    assert all(differing(a, b) > 0 for a, b in pairs)
