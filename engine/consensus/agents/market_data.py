"""Price series: the one that ships, and those that users bring, checked before an agent sees them."""

from __future__ import annotations

import csv
import datetime
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from engine.consensus.errors import ConsensusError
from engine.core.paths import assets_dir
from engine.games.games import Floats

SHIPPED = ("wti",)
LEAST, MOST = 60, 20_000  # prices in a series
LARGEST = 1e12
JUMP = 100.0  # a price that is so many times the one before is a mistake in the data


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Daily prices (n,), oldest first; ``dates`` (ISO) are as many, or none."""

    name: str
    prices: Floats
    dates: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.prices)

    def until(self, count: int) -> Series:
        """Return the first ``count`` prices."""
        return Series(self.name, self.prices[:count], self.dates[:count])

    def to_data(self) -> dict[str, Any]:
        """Return the form that a task's ``data`` has."""
        data: dict[str, Any] = {"name": self.name, "prices": self.prices.tolist()}
        return {**data, "dates": list(self.dates)} if self.dates else data


def series_of(data: Any) -> Series:
    """Return the series that is meant: prices, a mapping with ``prices`` and perhaps ``dates``, or a shipped one.

    ``{"series": "wti", "since": "2015-01-01", "until": "2018-12-31"}`` is of the shipped one; both ends belong to it.
    Prices may be any sequence or array of numbers. Raises ConsensusError that says what is wrong, and where.
    """
    if isinstance(data, Series):
        data = data.to_data()
    if isinstance(data, Mapping):
        if "series" in data:
            return _part(data)
        if "prices" not in data:
            raise ConsensusError(
                "The market data has no prices", f"it has {', '.join(map(str, data))[:80] or 'nothing'}"
            )
        return checked(str(data.get("name", "prices")), data["prices"], data.get("dates"))
    return checked("prices", data, None)


def checked(name: str, prices: Any, dates: Any) -> Series:
    """Return a series, or raise ConsensusError that says what is wrong with it."""
    values = _numbers(prices)
    if not LEAST <= len(values) <= MOST:
        raise _refused(f"it has {len(values)} prices; agents need {LEAST} to {MOST:,}")
    for bad, why in (
        (~np.isfinite(values), "is not a number"),
        (values <= 0, "is not above 0"),
        (values > LARGEST, f"is above {LARGEST:g}"),
    ):
        if bad.any():
            at = int(np.argmax(bad))
            raise _refused(f"price {at + 1} ({values[at]:g}) {why}", "Leave such days out, or correct them.")
    steps = values[1:] / values[:-1]
    wild = (steps > JUMP) | (steps < 1 / JUMP)
    if wild.any():
        at = int(np.argmax(wild))
        raise _refused(f"price {at + 2} ({values[at + 1]:g}) follows {values[at]:g}", "Adjust for splits first.")
    return Series(name, values, _dates(dates, len(values)))


@lru_cache(maxsize=4)
def shipped(name: str = "wti") -> Series:
    """Return a series that ships. Raises ConsensusError for an unknown name."""
    if name not in SHIPPED:
        raise ConsensusError(f"There is no shipped series {name!r:.80}", f"there is {', '.join(SHIPPED)}")
    with (assets_dir() / "corpus" / f"{name}.csv").open(newline="", encoding="ascii") as file:
        rows = list(csv.DictReader(file))
    return checked(name, [float(row["price"]) for row in rows], [row["date"] for row in rows])


def _part(data: Mapping[str, Any]) -> Series:
    whole = shipped(str(data["series"]))
    first = _day(data["since"], "since") if "since" in data else whole.dates[0]
    last = _day(data["until"], "until") if "until" in data else whole.dates[-1]
    kept = [at for at, day in enumerate(whole.dates) if first <= day <= last]
    return checked(whole.name, whole.prices[kept], [whole.dates[at] for at in kept])


def _numbers(prices: Any) -> Floats:
    if hasattr(prices, "detach"):
        prices = prices.detach().cpu().numpy()
    if isinstance(prices, str | bytes | Mapping) or not (isinstance(prices, Sequence) or hasattr(prices, "__array__")):
        raise _refused(f"it is of type {type(prices).__name__}", "Give a list of prices.")
    try:
        values = np.asarray(prices, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise _refused(f"a price is no number ({error})"[:200]) from error
    if values.ndim != 1:
        raise _refused(f"it has the shape {values.shape}", "Give one price a day.")
    return values


def _dates(dates: Any, count: int) -> tuple[str, ...]:
    if dates is None:
        return ()
    days = [_day(day, f"date {at}") for at, day in enumerate(dates, 1)]
    if len(days) != count:
        raise _refused(f"{len(days)} dates stand beside {count} prices")
    for before, day in itertools.pairwise(days):
        if day == before:
            raise _refused(f"{day} is there twice")
        if day < before:
            raise _refused(f"{day} comes after {before}", "Sort the days, the oldest first.")
    return tuple(days)


def _day(value: object, what: str) -> str:
    text = value.isoformat()[:10] if isinstance(value, datetime.date) else str(value)
    try:
        return datetime.date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise _refused(f"the {what} is {value!r:.40}", "Write days as 2018-12-31.") from error


def _refused(why: str, next_step: str = "") -> ConsensusError:
    return ConsensusError("The price series cannot be used", why, next_step)
