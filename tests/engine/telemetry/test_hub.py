"""What the WebSocket tells, and what it keeps to itself."""

from __future__ import annotations

import json

from engine.core.events import JobStarted
from engine.learning.config import LearnConfig
from engine.learning.events import LearnStarted
from engine.telemetry.hub import public_form


def test_the_seed_of_a_chains_keys_stays_here() -> None:
    settings = LearnConfig(genesis_seed="5eed" * 16).model_dump(mode="json")
    event = LearnStarted(1, "solo", "Solo", "ab", 1, 1, 0, "replayed", "sim", settings)
    told = public_form(event)
    assert "5eed5eed" not in json.dumps(told)
    assert told["settings"]["validators"] == settings["validators"]
    assert told["type"] == "learn.started"


def test_other_events_are_told_whole() -> None:
    event = JobStarted(1, "work", True)
    assert public_form(event) == event.to_json()
