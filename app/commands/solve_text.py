"""What ``nashboard solve`` says: games, methods and solutions, as JSON-ready values and as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from app.commands.output import table

if TYPE_CHECKING:
    from engine.games.games import Game

_ACTIONS = 12  # of a strategy, the likeliest first
_OUTCOMES = 20  # of a distribution
_EQUILIBRIA = 100
_SMALL = 5e-7  # probabilities below are not shown


def games_json() -> list[dict[str, Any]]:
    """Return the catalogue."""
    from engine.games.catalogue import catalogue

    return [
        {
            "key": entry.key,
            "title": entry.title,
            "group": entry.group,
            "kind": entry.kind,
            "summary": entry.summary,
            "parameters": {parameter.name: parameter.default for parameter in entry.parameters},
            "known_equilibria": entry.reference.count if entry.reference else None,
            "source": entry.reference.source if entry.reference else None,
        }
        for entry in catalogue()
    ]


def games_text(listed: list[dict[str, Any]]) -> str:
    """Return the catalogue as a table; parameters with their defaults, in the order that --size takes."""
    rows = [
        (
            entry["key"],
            entry["kind"],
            " ".join(f"{name}={default:g}" for name, default in entry["parameters"].items()),
            f"{entry['title']}: {entry['summary']}",
        )
        for entry in listed
    ]
    return table(("key", "kind", "parameters", ""), rows)


def methods_json(game: Game | None) -> list[dict[str, Any]]:
    """Return the methods for a game, or all."""
    from engine.games.methods import METHODS, methods_for
    from engine.games.parameters import tunable

    return [
        {
            "key": method.key,
            "title": method.title,
            "games": list(method.kinds),
            "finds": method.finds.value,
            "devices": list(method.devices),
            "summary": method.summary,
            "parameters": {number.name: number.title for number in tunable(method)},
        }
        for method in (METHODS if game is None else methods_for(game))
    ]


def methods_text(listed: list[dict[str, Any]]) -> str:
    """Return methods as a table, and what their parameters mean below it."""
    rows = [
        (
            m["key"],
            ", ".join(m["games"]),
            m["finds"],
            ", ".join(m["devices"]),
            " ".join(m["parameters"]),
            f"{m['title']}: {m['summary']}",
        )
        for m in listed
    ]
    meanings = {name: title for m in listed for name, title in m["parameters"].items()}
    text = table(("method", "games", "finds", "devices", "parameters", ""), rows)
    return f"{text}\n\n{table(('parameter', 'of --tune'), list(meanings.items()))}" if meanings else text


def game_json(game: Game) -> dict[str, Any]:
    """Return what a game is, without its payoffs."""
    actions = [list(names) for names in getattr(game, "actions", ())]
    return {
        "kind": game.kind,
        "title": game.title,
        "sizes": list(game.sizes),
        "players": list(game.players),
        **({"actions": actions} if actions else {}),
    }


def solution_text(game: Game, value: dict[str, Any]) -> str:
    """Return the answer for people."""
    found = value["equilibria"]
    sizes = f"{len(game.sizes)} players" if len(game.sizes) > 4 else " x ".join(map(str, game.sizes))
    head = [f"{game.title or 'A game'} ({game.kind}, {sizes})", _ending(value), ""]
    parts = [_equilibrium(game, value, number) for number in range(min(len(found), _EQUILIBRIA))]
    if len(found) > _EQUILIBRIA:
        parts.append(f"and {len(found) - _EQUILIBRIA} more; --json prints all")
    tail = []
    if "trace" in value:
        without = f", without {value['trace']['left_out']}" if "left_out" in value["trace"] else ""
        tail.append(f"trace  {value['trace']['file']}: {value['trace']['rows']} rows{without}")
        tail.append(f"hash   {value['trace']['hash']}")
    if "out" in value:
        tail.append(f"game   {value['out']}")
    return "\n".join([*head, "\n\n".join(parts), *([""] if tail and parts else []), *tail])


def _ending(value: dict[str, Any]) -> str:
    count = len(value["equilibria"])
    words = {
        "solved": f"solved: {count} equilibri{'um' if count == 1 else 'a'}",
        "incomplete": f"incomplete: {count} found, there may be more",
        "robust": "robust agreement: an equilibrium once outvoted influence is taken away",
        "not_converged": "not converged: the best profile found",
        "cancelled": "stopped: the best profile so far" if count else "stopped before the first step",
    }[value["status"]]
    rate = "" if value["rate"] is None else f", shrinking by the factor {value['rate']:.3g} an iteration"
    # A message that belongs to a failure goes to stderr.
    good = value["status"] not in ("not_converged", "cancelled")
    message = f"\n{value['message']}" if value["message"] and good else ""
    where = "" if value["device"] == "cpu" else f" on {value['device']}"
    turns = f"{value['iterations']:,} iteration{'' if value['iterations'] == 1 else 's'}"
    return f"{words}\n{value['method']}{where}, {turns}, {value['seconds']:.3g} s{rate}{message}"


def _equilibrium(game: Game, value: dict[str, Any], number: int) -> str:
    item = value["equilibria"][number]
    gap = _gap(item) + (f"; without the outvoted influence {_gap(item['reduced'])}" if "reduced" in item else "")
    shown = _rounded(game, item["payoffs"])
    rows = [
        (name, payoff, _strategy(game, player, part))
        for player, (name, payoff, part) in enumerate(zip(game.players, shown, item["profile"], strict=True))
    ]
    count = len(value["equilibria"])
    title = f"{number + 1} of {count}: {gap}" if count > 1 else gap
    lines = [title, table(("player", "payoff", "position" if game.kind == "consensus" else "plays"), rows)]
    if "joint" in item:
        lines += ["", _joint(game, item["joint"])]
    return "\n".join(lines)


def _gap(item: dict[str, Any]) -> str:
    return f"NashConv {item['nashconv']:.3g}, {item['relative_gap']:.3g} of the payoffs' range"


def _rounded(game: Game, payoffs: list[float]) -> list[str]:
    """Return payoffs as text, zero where they are only rounding away from it."""
    ranges = game.ranges().tolist()
    return ["0" if abs(p) < 1e-12 * r else f"{p:.9g}" for p, r in zip(payoffs, ranges, strict=True)]


def _strategy(game: Game, player: int, part: list[float]) -> str:
    if game.kind == "consensus":
        return ", ".join(f"{number:.9g}" for number in part[:_ACTIONS]) + (", ..." if len(part) > _ACTIONS else "")
    names = getattr(game, "actions")[player]  # noqa: B009
    likely = sorted((-p, index) for index, p in enumerate(part) if p >= _SMALL)
    words = [f"{names[index]} {-p:.6g}" for p, index in likely[:_ACTIONS]]
    if len(likely) > _ACTIONS:
        words.append(f"{len(likely) - _ACTIONS} more")
    return ", ".join(words)


def _joint(game: Game, joint: Any) -> str:
    import numpy as np

    array = np.array(joint)
    order = np.argsort(-array, axis=None, kind="stable")[:_OUTCOMES]
    rows: list[tuple[Any, ...]] = []
    for flat in order:
        at = np.unravel_index(int(flat), array.shape)
        if array[at] >= _SMALL:
            names = (getattr(game, "actions")[player][index] for player, index in enumerate(at))  # noqa: B009
            rows.append((f"{array[at]:.6g}", *names))
    more = int((array >= _SMALL).sum()) - len(rows)
    text = table(("probability", *game.players), rows)
    return text + (f"\nand {more} more outcomes" if more else "")
