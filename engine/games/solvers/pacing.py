"""How many iterations a method runs between two steps that it tells."""

from __future__ import annotations

from collections.abc import Iterator

WORK = 40_000_000  # multiplications in one go: some tens of milliseconds, so that cancelling stays quick


def batches(limit: int, stride: int, cost: float) -> Iterator[int]:
    """Yield batch sizes that add up to ``limit`` iterations, each costing ``cost`` multiplications.

    With a stride every batch has that size. Without one they double, which suits logarithmic plots, until they cost
    WORK. Sizes follow from the arguments alone, never from a clock: the same run must tell the same steps.
    """
    largest = stride or max(1, int(WORK / max(cost, 1.0)))
    size, done = stride or 1, 0
    while done < limit:
        now = min(size, largest, limit - done)
        yield now
        done += now
        if not stride:
            size *= 2
