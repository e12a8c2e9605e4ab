"""A sweep as CSV: one line a cell, raw figures in full precision."""

from __future__ import annotations

import csv
import dataclasses
import io

from engine.learning.sweep.cells import Sweep, SweepCell

COLUMNS = tuple(field.name for field in dataclasses.fields(SweepCell))


def to_csv(sweep: Sweep) -> str:
    """Return the cells with a header line; numbers read back to the same floats, None is empty."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for cell in sweep.cells:
        writer.writerow([getattr(cell, column) for column in COLUMNS])
    return out.getvalue()
