"""The byzantine sweep: share of bad trainers x attack x rule, each cell measured on recorded or trained deltas."""

from engine.learning.sweep.cells import Sweep, SweepCell
from engine.learning.sweep.export import to_csv
from engine.learning.sweep.run import run_sweep
from engine.learning.sweep.spec import SweepSpec

__all__ = ["Sweep", "SweepCell", "SweepSpec", "run_sweep", "to_csv"]
