import pytest

from engine.core import events
from engine.core.bus import EventBus
from engine.core.errors import UsageError
from engine.core.events import JobEnded, JobProgressed, JobStarted, LogLine


def test_delivers_in_order_and_by_type():
    bus, all_events, ends = EventBus(), [], []
    bus.subscribe(all_events.append)
    subscription = bus.subscribe(ends.append, JobEnded)
    bus.publish(JobStarted(1, "a", True))
    bus.publish(JobEnded(1, "done", ""))
    subscription.close()
    subscription.close()
    bus.publish(JobEnded(2, "done", ""))
    assert [event.job_id for event in all_events] == [1, 1, 2]
    assert [event.job_id for event in ends] == [1]


def test_an_event_published_by_a_handler_comes_after_the_current_one():
    bus, seen = EventBus(), []
    bus.subscribe(lambda event: bus.publish(LogLine("info", "test", "second")), JobStarted)
    bus.subscribe(lambda event: seen.append(event.kind))
    bus.publish(JobStarted(1, "a", True))
    assert seen == ["job.started", "log.line"]


@pytest.mark.expects_log
def test_a_failing_subscriber_is_logged_and_harms_nobody(caplog):
    bus, seen = EventBus(), []

    def fail(event):
        raise ValueError("broken view")

    bus.subscribe(fail)
    bus.subscribe(seen.append)
    bus.publish(LogLine("info", "test", "x"))
    assert len(seen) == 1
    assert "broken view" in caplog.text


def test_json_round_trip():
    event = JobProgressed(3, 1, 2, "half")
    assert event.to_json() == {"type": "job.progressed", "job_id": 3, "done": 1, "total": 2, "note": "half"}
    assert events.from_json(event.to_json()) == event


@pytest.mark.parametrize("message", [{}, {"type": "no.such"}, {"type": "job.progressed", "job_id": 1}])
def test_a_malformed_message_is_refused(message):
    with pytest.raises(UsageError):
        events.from_json(message)
