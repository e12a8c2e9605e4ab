"""The guided demo: from an empty chain to a merged update, every claim of the program checked on the way."""

from engine.demo.demo import STEPS, Demo, DemoStep, DemoTurn
from engine.demo.walk import Step

__all__ = ["STEPS", "Demo", "DemoStep", "DemoTurn", "Step"]
