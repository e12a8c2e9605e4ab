"""How much one client may ask for: a bucket of tokens each, filled at a steady rate. Source: token bucket, RFC 2697."""

from __future__ import annotations

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

RATE = 50.0  # requests a second that a client may make for long
BURST = 4  # seconds of that rate that may come at once
CLIENTS = 1_024  # buckets that are kept; the one that was used longest ago goes
WRONG = 10.0  # what a refused request costs: whoever guesses tokens waits


class Bucket:
    """Tokens of one client: ``rate`` a second, at most ``size``. It begins full."""

    def __init__(self, rate: float, size: float, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._size, self._now = rate, size, now
        self._tokens, self._then = size, now()

    def take(self, cost: float = 1.0) -> float:
        """Take tokens and return 0, or leave them and return the seconds until there are enough."""
        now = self._now()
        self._tokens = min(self._size, self._tokens + (now - self._then) * self._rate)
        self._then = now
        if self._tokens < cost:
            return (cost - self._tokens) / self._rate
        self._tokens -= cost
        return 0.0

    def fine(self, cost: float) -> None:
        """Take tokens whether they are there or not, down to none."""
        self._tokens = max(0.0, self._tokens - cost)


class RateLimit:
    """Buckets by the address of the client; memory is bounded whoever comes."""

    def __init__(self, rate: float = RATE, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._now = rate, now
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def wait(self, address: str | None) -> int:
        """Return 0 where a request may pass, else the whole seconds after which it may be tried again."""
        return math.ceil(self._bucket(address).take())

    def fine(self, address: str | None) -> None:
        """Make a client pay for a request that was refused."""
        self._bucket(address).fine(WRONG)

    def _bucket(self, address: str | None) -> Bucket:
        name = _network(address)
        bucket = self._buckets.pop(name, None) or Bucket(self._rate, max(1.0, self._rate * BURST), self._now)
        self._buckets[name] = bucket
        if len(self._buckets) > CLIENTS:
            self._buckets.popitem(last=False)
        return bucket


def _network(address: str | None) -> str:
    """Return what counts as one client: an IPv4 address, or the network of 64 bits that one IPv6 user has."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
