"""Swiss: every stage pairs agents of about equal score that have not met, for as many stages as were asked.

1. Order the active seats by score. With an odd number the lowest that had the fewest byes rests, with full score.
2. Walk down the order in windows. 3. In each window find the matching of most pairs, and among those the one that
joins the nearest in the order, without rematches. 4. Who is left over floats into the next window; at the end pairs
are taken back, the last first, until everybody fits. 5. Where that cannot be, the fewest rematches are played.

The matching is Edmonds' blossom algorithm as networkx has it, on whole numbers, so every machine pairs alike.
Source of the rules: FIDE handbook, C.04.1, basic rules for Swiss systems.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, log2

from engine.league.pairing.table import Table, pair

WINDOW = 24
_REMATCH = 1_000_000


def default_stages(size: int) -> int:
    """Return as many stages as separate a winner, and two more to order the rest."""
    return min(ceil(log2(size)) + 2, size - 1 + size % 2) if size > 2 else 1


def pairs(table: Table, order: Sequence[int]) -> tuple[list[tuple[int, int]], int | None]:
    """Return who plays whom, first seat first, and who rests. ``order`` holds the active seats, best first."""
    waiting = list(order)
    rests = _rests(table, waiting)
    if rests is not None:
        waiting.remove(rests)
    place = {seat: number for number, seat in enumerate(order)}
    found: list[tuple[int, int]] = []
    floating: list[int] = []
    while waiting:
        window, waiting = floating + waiting[:WINDOW], waiting[WINDOW:]
        matched, floating = _match(table, window)
        found += matched
    back = WINDOW // 2
    while floating:
        window, found = [seat for places in found[-back:] for seat in places] + floating, found[:-back]
        matched, floating = _match(table, sorted(window, key=place.__getitem__), rematch=not found)
        found, back = found + matched, 2 * back
    return [table.seated(a, b) for a, b in found], rests


def score_order(table: Table) -> list[int]:
    """Return the active seats by score, best first, equal ones by seat."""
    return sorted(table.active(), key=lambda seat: (-table.scores[seat], seat))


def _rests(table: Table, order: Sequence[int]) -> int | None:
    if len(order) % 2 == 0:
        return None
    fewest = min(table.byes[seat] for seat in order)
    return next(seat for seat in reversed(order) if table.byes[seat] == fewest)


def _match(table: Table, window: Sequence[int], *, rematch: bool = False) -> tuple[list[tuple[int, int]], list[int]]:
    """Return the pairs of a window in its order, and who is left over."""
    import networkx as nx  # a third of a second and thirty megabytes, which only leagues in pairs need

    graph = nx.Graph()
    graph.add_nodes_from(range(len(window)))
    for i, a in enumerate(window):
        for j in range(i + 1, len(window)):
            times = table.met[pair(a, window[j])]
            if not times or rematch:
                graph.add_edge(i, j, weight=-(times * _REMATCH + (j - i) ** 2))
    matching = sorted(pair(i, j) for i, j in nx.max_weight_matching(graph, maxcardinality=True))
    taken = {place for places in matching for place in places}
    left = [seat for place, seat in enumerate(window) if place not in taken]
    return [(window[i], window[j]) for i, j in matching], left
