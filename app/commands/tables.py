"""How rounds and seasons read on a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from app.commands.output import Output, table

if TYPE_CHECKING:
    from engine.league.results import RoundResult
    from engine.league.seasons import Season
    from engine.league.table import Cell, Standing


def show_round(output: Output, result: RoundResult) -> None:
    """Print a round's table."""
    solo = result.format == "solo"
    head = f"{result.name} #{result.number} ({result.tier}, {result.format}, {result.state}): "
    head += f"{result.done} of {result.total} matches"
    tail = [f"round    {result.round_id}", f"results  {result.results_hash or 'not complete'}"]
    if result.anchored is not None:
        tail.append(f"anchored {result.anchored.root} in block {result.anchored.block}")
    names = ("rank", "agent", "played", "won", *(() if solo else ("drawn",)), "lost")
    names += ("score", *(() if solo else ("points", "Buchholz", "S-B", "rating")), "reward ETH")
    lines = [head, "", table(names, [_line(line, solo) for line in result.standings]), "", *tail]
    output.result(result.to_json(), "\n".join(lines))


def _line(line: Standing, solo: bool) -> tuple[object, ...]:
    from engine.league.config import format_eth

    rank, reward = line.rank if line.rank is not None else "out", format_eth(line.reward_wei)
    if solo:
        return (rank, line.agent, line.played, line.won, line.lost, line.score, reward)
    breaks = line.tiebreaks
    numbers = (f"{line.points:g}", f"{breaks.buchholz:g}", f"{breaks.sonneborn_berger:g}", f"{line.rating or 0:.0f}")
    return (rank, line.agent, line.played, line.won, line.drawn, line.lost, line.score, *numbers, reward)


def show_crosstable(output: Output, result: RoundResult, cells: Mapping[tuple[int, int], Cell]) -> None:
    """Print who did what against whom, the best first."""
    seats = [line.seat for line in result.standings]
    names = {line.seat: line.agent for line in result.standings}
    rows = []
    for place, seat in enumerate(seats, 1):
        found = [cells.get((seat, other)) for other in seats]
        rows.append((place, names[seat], *(f"{c.won}-{c.drawn}-{c.lost}" if c else "" for c in found)))
    text = table(("", "won-drawn-lost", *(str(place) for place in range(1, len(seats) + 1))), rows)
    value = [
        {"agent": names[a], "opponent": names[b], "won": c.won, "drawn": c.drawn, "lost": c.lost, "score": c.score}
        for (a, b), c in sorted(cells.items())
    ]
    output.result({"round_id": result.round_id, "cells": value}, text)


def show_season(output: Output, season: Season) -> None:
    """Print the rounds of a league and its agents."""
    from engine.league.config import format_eth

    rounds = [
        (
            item.number,
            item.state,
            item.system,
            item.format,
            item.agents,
            item.matches,
            item.winner,
            ", ".join(
                f"{move.agent} {'up' if move.up else 'down'} to {move.after or 'no tier'}" for move in item.moves
            ),
        )
        for item in season.rounds
    ]
    agents = [
        (
            line.agent,
            " ".join(str(rank or "-") for rank in line.ranks),
            line.wins,
            f"{line.points:g}",
            f"{line.rating:.0f}" if line.rating else "",
            line.tier,
            format_eth(line.reward_wei),
        )
        for line in season.lines
    ]
    first = table(("round", "state", "system", "format", "agents", "matches", "winner", "moves"), rounds)
    second = table(("agent", "ranks", "first", "points", "rating", "tier", "reward ETH"), agents)
    output.result(season.to_json(), f"{season.name}\n\n{first}\n\n{second}")
