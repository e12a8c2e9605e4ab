"""The kinds of tasks: what a document must say, and what the coordinates of a position mean in each.

A document is a JSON object. Its keys are fixed, so that a slip of the pen is found; inside ``parameters`` and
``features`` further keys are free, since agents read them, unless one looks like a known key misspelt.
"""

from __future__ import annotations

import difflib
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.consensus.errors import ConsensusError
from engine.consensus.tasks import SPACES

ASSETS = ("stocks", "bonds", "real estate", "commodities", "cash")
RISKS = ("conservative", "moderate", "aggressive")
CHAINS = ("ethereum", "polygon", "arbitrum")
POLICIES = ("hate_speech", "violence", "misinformation")  # the shipped model knows them; a task may have others
MAX_LABELS = 1_024
MAX_LABEL = 64  # characters
MAX_TITLE = 200
MAX_CONTENT = 200_000
MAX_PRICES = 20_000
MAX_AMOUNT = 1e18
_COMMON = ("type", "title", "description")
_PERIOD = re.compile(r"([1-9]\d{0,3})_(day|week|month|year)s?")
_DAYS = {"day": 1.0, "week": 7.0, "month": 30.4375, "year": 365.25}


@dataclass(frozen=True, slots=True)
class Kind:
    """Labels of the coordinates, the space of positions, and the chains of a cross-chain task."""

    labels: tuple[str, ...]
    space: str
    chains: tuple[str, ...] = ()


def describe(document: Mapping[str, Any]) -> Kind:
    """Return what kind of task a document describes. Raises ConsensusError."""
    if not isinstance(document, Mapping):
        raise ConsensusError("A task is a JSON object", f"this is of type {type(document).__name__}")
    kind = document.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        what = f"There is no kind of task {_short(kind)}" if "type" in document else "The task has no type"
        hint = _near(kind, KINDS) or "For anything else take the type custom, with labels and a space."
        raise ConsensusError(what, f"known are {', '.join(KINDS)}", hint)
    for name, limit in (("title", MAX_TITLE), ("description", MAX_CONTENT)):
        if name in document:
            _text(document, name, limit)
    return KINDS[kind](document)


def days(period: object, name: str = "horizon") -> float:
    """Return how many days a period like ``5_years`` has. Raises ConsensusError."""
    match = _PERIOD.fullmatch(period) if isinstance(period, str) else None
    if match is None:
        raise _bad(name, period, "it is a number and a unit, like 1_day, 2_weeks, 6_months or 5_years")
    return int(match[1]) * _DAYS[match[2]]


def portfolio(document: Mapping[str, Any]) -> Kind:
    """Shares of assets in a sum of money; ``parameters`` has amount, risk tolerance and horizon."""
    _keys(document, ("parameters",), ("assets",))
    parameters = _mapping(document, "parameters")
    _free(parameters, ("total_amount", "risk_tolerance", "investment_horizon"), ("assets",))
    _number(parameters, "total_amount", 0.0, MAX_AMOUNT, positive=True)
    _choice(parameters, "risk_tolerance", RISKS)
    days(parameters["investment_horizon"], "investment_horizon")
    places = [place for place in (document, parameters) if "assets" in place]
    if len(places) > 1:
        raise ConsensusError("The task names its assets twice", "in the task and in its parameters")
    return Kind(names(places[0], "assets", least=2) if places else ASSETS, "simplex")


def market(document: Mapping[str, Any]) -> Kind:
    """Chances that a price falls or rises within the horizon; ``data`` is a series, or names a shipped one."""
    _keys(document, ("data", "horizon"), ())
    days(document["horizon"])
    data = document["data"]
    if isinstance(data, Mapping) and "series" in data:
        _keys(data, ("series",), ("until", "since", "name"), where="data")
        for name in data:
            _text(data, name, MAX_LABEL)
    elif isinstance(data, Mapping):
        _keys(data, ("prices",), ("dates", "name"), where="data")
        prices = _prices(data["prices"])
        if "dates" in data:
            given = data["dates"]
            if not _is_list(given) or len(given) != prices or not all(isinstance(day, str) and day for day in given):
                raise _bad("data.dates", given, "it is a list of days (text), one a price")
        if "name" in data:
            _text(data, "name", MAX_LABEL)
    else:
        _prices(data)
    return Kind(("fall", "rise"), "simplex")


def moderation(document: Mapping[str, Any]) -> Kind:
    """How much a text violates each of the ``policies``, from 0 to 1."""
    _keys(document, ("content", "policies"), ())
    _text(document, "content", MAX_CONTENT)
    return Kind(names(document, "policies"), "box")


def bridge(document: Mapping[str, Any]) -> Kind:
    """Fee, confirmations and a cap a chain of a bridge, each as a share of its range."""
    _keys(document, ("chains",), ("parameters",))
    if "parameters" in document:
        _mapping(document, "parameters")
    found = chains(document)
    return Kind(("fee", "confirmations", *(f"cap {chain}" for chain in found)), "box", found)


def custom(document: Mapping[str, Any]) -> Kind:
    """Any vote: ``labels`` and their ``space`` (box when it is left out), ``features`` that agents may read."""
    _keys(document, ("labels",), ("space", "features", "parameters", "chains"))
    for name in ("features", "parameters"):
        if name in document:
            _mapping(document, name)
    if "space" in document:
        _choice(document, "space", SPACES)
    found = names(document, "labels")
    space = str(document.get("space", "box"))
    if space == "simplex" and len(found) < 2:
        raise ConsensusError("The task leaves nothing to agree on", "a single share is always 1", "Give two labels.")
    return Kind(found, space, chains(document) if "chains" in document else ())


KINDS: dict[str, Callable[[Mapping[str, Any]], Kind]] = {
    "portfolio_allocation": portfolio,
    "market_prediction": market,
    "content_moderation": moderation,
    "bridge_parameters": bridge,
    "parameter_vote": custom,
    "custom": custom,
}


# Parts of documents, for other kinds too


def names(document: Mapping[str, Any], name: str, *, least: int = 1) -> tuple[str, ...]:
    """Return a list of distinct names, at most 1,024 of at most 64 characters. Raises ConsensusError."""
    given: Any = document.get(name)
    if not _is_list(given) or not least <= len(given) <= MAX_LABELS:
        raise _bad(name, given, f"it is a list of {least} to {MAX_LABELS} names")
    for item in given:
        if not isinstance(item, str) or not item.strip() or len(item) > MAX_LABEL or not item.isprintable():
            raise _bad(name, item, f"a name is text of 1 to {MAX_LABEL} printable characters")
    twice = sorted(item for item, times in Counter(given).items() if times > 1)
    if twice:
        raise ConsensusError(f"{name} holds names twice", ", ".join(map(_short, twice[:3])))
    return tuple(given)


def chains(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the chains that a document names. Raises ConsensusError for an unknown one."""
    found = names(document, "chains")
    for chain in found:
        if chain not in CHAINS:
            raise ConsensusError(f"There is no chain {chain!r}", f"known are {', '.join(CHAINS)}", _near(chain, CHAINS))
    return found


def _keys(document: Mapping[str, Any], needed: Sequence[str], optional: Sequence[str], where: str = "task") -> None:
    known = (*needed, *optional, *(_COMMON if where == "task" else ()))
    for name in document:
        if name not in known:
            raise ConsensusError(
                f"The {where} has an unknown entry {_short(name)}", f"known are {', '.join(known)}", _near(name, known)
            )
    for name in needed:
        if name not in document:
            raise ConsensusError(f"The {where} has no {name}", f"it needs {', '.join(needed)}")


def _free(document: Mapping[str, Any], needed: Sequence[str], optional: Sequence[str]) -> None:
    """Check a part whose further keys are free, but for those that look like a known one misspelt."""
    known = (*needed, *optional)
    for name in document:
        missed = [key for key in known if key not in document]
        if name not in known and difflib.get_close_matches(str(name), missed, 1, 0.8):
            raise ConsensusError(f"The task has an unknown parameter {_short(name)}", "", _near(name, missed))
    for name in needed:
        if name not in document:
            raise ConsensusError(f"The task has no parameter {name}", f"it needs {', '.join(needed)}")


def _mapping(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = document[name]
    if not isinstance(part, Mapping):
        raise _bad(name, part, "it is a JSON object")
    return part


def _text(document: Mapping[str, Any], name: str, limit: int) -> str:
    text = document[name]
    if not isinstance(text, str) or not text.strip() or len(text) > limit:
        raise _bad(name, text, f"it is text of 1 to {limit:,} characters")
    return text


def _choice(document: Mapping[str, Any], name: str, choices: Sequence[str]) -> None:
    value = document[name]
    if value not in choices:
        hint = _near(value, choices)
        raise ConsensusError(f"{name} cannot be {_short(value)}", f"it is one of {', '.join(choices)}", hint)


def _number(document: Mapping[str, Any], name: str, low: float, high: float, *, positive: bool = False) -> None:
    value = document[name]
    if not _is_number(value) or not low <= value <= high or (positive and value == 0):
        raise _bad(name, value, f"it is a number {'above' if positive else 'from'} {low:g} and up to {high:g}")


def _prices(given: Any) -> int:
    if not _is_list(given) or not 2 <= len(given) <= MAX_PRICES:
        raise _bad("data", given, f"it is a list of 2 to {MAX_PRICES:,} prices, or has one as prices or series")
    for price in given:
        if not _is_number(price) or not 0 < price <= MAX_AMOUNT:
            raise _bad("data", price, "a price is a positive number")
    return len(given)


def _is_list(value: object) -> bool:
    return isinstance(value, list | tuple)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= MAX_AMOUNT if isinstance(value, int) else math.isfinite(value)


def _near(value: object, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(str(value)[:100], list(known), 1)
    return f"Did you mean {near[0]}?" if near else ""


def _short(value: object) -> str:
    if isinstance(value, int) and abs(value) > MAX_AMOUNT:
        return "a number that large"
    if not isinstance(value, str | int | float | None):
        return f"of type {type(value).__name__}"
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _bad(name: str, value: object, why: str) -> ConsensusError:
    return ConsensusError(f"{name} cannot be {_short(value)}", why)
