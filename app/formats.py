"""How values read on screen: amounts, hashes, durations, counts."""

from __future__ import annotations

import time
from functools import lru_cache

WEI = 10**18


@lru_cache(maxsize=8192)
def ether(wei: int, *, places: int = 4) -> str:
    """Return wei as ETH; exact amounts stay in tooltips, so trailing zeros go."""
    sign = "-" if wei < 0 else ""
    whole, part = divmod(abs(wei), WEI)
    digits = f"{part:018d}"[:places].rstrip("0")
    shown = f"{sign}{whole:,}" + (f".{digits}" if digits else "")
    if wei and not whole and not digits:
        return f"{wei} wei" if abs(wei) < 10**6 else f"{wei / 10**9:,.4g} gwei"
    return f"{shown} ETH"


def short(value: str, head: int = 8, tail: int = 6) -> str:
    """Return a long hash or address with its middle left out."""
    return value if len(value) <= head + tail + 1 else f"{value[:head]}…{value[-tail:]}"


@lru_cache(maxsize=8192)
def count(value: int) -> str:
    """Return a count with thousands separated."""
    return f"{value:,}"


def spoken(name: str) -> str:
    """Return a constant's name as people write it: ``OUT_OF_GAS`` is Out of gas."""
    return name.replace("_", " ").capitalize()


def plural(value: int, one: str, many: str = "") -> str:
    """Return ``3 agents`` or ``1 agent``."""
    return f"{value:,} {one if value == 1 else many or one + 's'}"


def duration(seconds: float) -> str:
    """Return seconds as people say them."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def moment(timestamp: float) -> str:
    """Return a Unix time as local date and time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(timestamp)) if timestamp else ""


def brief_moment(timestamp: float) -> str:
    """Return a Unix time as the time of day, with the date where it is not today's."""
    then = time.localtime(timestamp)
    today = then[:3] == time.localtime()[:3]
    return time.strftime("%H:%M:%S" if today else "%d %b %H:%M", then)


def size(octets: int) -> str:
    """Return a file size."""
    if octets < 1024:
        return f"{octets} B"
    if octets < 1024**2:
        return f"{octets / 1024:.1f} KiB"
    return f"{octets / 1024**2:.1f} MiB"
