"""Named scenarios: settings, faults, and what must come of them. Each is a run, a test and a button."""

from __future__ import annotations

from engine.learning.scenario.files import dump, load
from engine.learning.scenario.model import Scenario
from engine.learning.scenario.named import SCENARIOS

__all__ = ["SCENARIOS", "Scenario", "dump", "load"]
