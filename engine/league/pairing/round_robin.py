"""Everyone meets everyone once: the circle method.

1. Seat 0 stands still, the others turn around it by one place a stage. 2. Who stands opposite plays. 3. With an odd
number a ghost takes part, and its opponent rests; all rest equally often, so that is no bye.
4. Of two with an odd sum the lower sits first, of two with an even sum the higher: everybody sits first half the time.

Source: R. Schurig, 1886; in the form of the FIDE handbook, C.05, Berger tables.
"""

from __future__ import annotations

from engine.league.pairing.table import Table, pair


def stages(size: int) -> int:
    """Return the number of stages: everyone plays at most once in each."""
    return size - 1 + size % 2 if size > 1 else 0


def pairs(table: Table, stage: int) -> list[tuple[int, int]]:
    """Return who plays whom in a stage, first seat first. The disqualified stay in: their opponents win by default."""
    count = table.size + table.size % 2
    turning = [1 + (place + stage) % (count - 1) for place in range(count - 1)]
    circle = [0, *turning]
    found = []
    for place in range(count // 2):
        a, b = circle[place], circle[count - 1 - place]
        if max(a, b) < table.size:
            low, high = pair(a, b)
            found.append((low, high) if (low + high) % 2 else (high, low))
    return found
