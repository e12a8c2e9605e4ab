"""Questions to machine learning and to the DHT, each asked once: nodes on one machine share what it worked out."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from engine.core.errors import EngineError
from engine.learning.brain import AggregateOrder, Brain, TrainOrder
from engine.learning.config import ACK_TTL
from engine.learning.crypto import ed25519
from engine.learning.ports import Dht, Fetched, Scheduler, Steps, Stored
from engine.learning.transport.records import sign_record

# What work takes on a clock that does not pass while it is done: seconds of the chain, about what was measured.
TRAIN_SECONDS = 3.0
AGGREGATE_SECONDS = 0.5
EVALUATE_SECONDS = 1.5

Then = Callable[[Any], Steps]


class Desk:
    """Asks a brain; the same question has one answer, however many ask it."""

    def __init__(self, scheduler: Scheduler, brain: Brain) -> None:
        self._scheduler = scheduler
        self.brain = brain
        self._known: dict[str, Any] = {}
        self._waiting: dict[str, list[Then]] = {}
        self._tries: dict[str, int] = {}

    def train(self, order: TrainOrder, then: Then) -> None:
        """Hand a :class:`Trained`, or the error that came instead, to ``then``."""
        what = f"{order.base.hex()}/{order.round}/{order.seed.hex()}/{order.trainer}/{order.steps}/{order.flavour}"
        self._ask(f"train/{_name(what)}", lambda: self.brain.train(order), then, TRAIN_SECONDS)

    def aggregate(self, order: AggregateOrder, then: Then) -> None:
        """Hand an :class:`Aggregated` to ``then``."""
        raws = "/".join(f"{trainer}:{sha256(data).hexdigest()}" for trainer, data in order.raws)
        what = f"{order.base.hex()}/{raws}/{order.rule}/{order.byzantine}/{order.clip_norm}"
        self._ask(f"aggregate/{_name(what)}", lambda: self.brain.aggregate(order), then, AGGREGATE_SECONDS)

    def evaluate(self, base: bytes, delta: bytes | None, texts: tuple[int, ...], then: Then) -> None:
        """Hand the losses on the texts to ``then``."""
        which = sha256(delta).hexdigest() if delta is not None else ""
        name = f"evaluate/{_name(f'{base.hex()}/{which}/{texts}')}"
        self._ask(name, lambda: self.brain.evaluate(base, delta, texts), then, EVALUATE_SECONDS)

    def held_out(self, base: bytes, then: Then) -> None:
        """Hand the mean loss on held-out texts to ``then``."""
        self._ask(f"held_out/{base.hex()[:32]}", lambda: self.brain.held_out(base), then, 0.0)

    def _ask(self, name: str, work: Callable[[], Awaitable[Any]], then: Then, seconds: float) -> None:
        if name in self._known:
            self._scheduler.at(self._scheduler.now + seconds, then, self._known[name])
            return
        waiting = self._waiting.setdefault(name, [])
        waiting.append(then)
        if len(waiting) == 1:
            number = self._tries[name] = self._tries.get(name, 0) + 1
            self._scheduler.ask(f"{name}/{number}", work, lambda answer: self._answered(name, answer), seconds=seconds)

    def _answered(self, name: str, answer: Any) -> None:
        if not isinstance(answer, EngineError):
            self._known[name] = answer
        # Each by itself: a thousand members that sign at one answer would keep a window waiting for a second.
        for then in self._waiting.pop(name):
            self._scheduler.at(self._scheduler.now, then, answer)

    def forget(self, keep: int) -> None:
        """Keep only the last answers: what is asked again is worked out again."""
        while len(self._known) > keep:
            del self._known[next(iter(self._known))]


class Post:
    """Writes signed records to a DHT and reads them."""

    def __init__(self, scheduler: Scheduler, dht: Dht) -> None:
        self._scheduler = scheduler
        self.dht = dht
        self._count = 0

    def store(
        self, peer: int, name: tuple[str, str], value: bytes, secret: ed25519.SecretKey, then: Then | None = None
    ) -> None:
        """Sign a value under (key, subkey) and put it in; ``then`` gets :class:`Stored` or an error."""
        key, subkey = name
        record = sign_record(key, subkey, value, self._scheduler.now + ACK_TTL, secret)
        self._ask("store", lambda: self.dht.store(peer, record), then or _nothing)

    def fetch(self, peer: int, key: str, then: Then) -> None:
        """Read what is under a key; ``then`` gets :class:`Fetched` or an error."""
        self._ask("fetch", lambda: self.dht.fetch(peer, key), then)

    def order(self, what: str, work: Callable[[], Awaitable[None]]) -> None:
        """Do something to the DHT itself (end a peer, start it again)."""
        self._ask(what, work, _nothing)

    def _ask(self, what: str, work: Callable[[], Awaitable[Any]], then: Then) -> None:
        self._count += 1
        self.dht.advance(self._scheduler.now)
        self._scheduler.ask(f"dht/{what}/{self._count}", work, then, seconds=_taken)


def _taken(answer: Stored | Fetched | None) -> float:
    return 0.0 if answer is None else answer.seconds


def _nothing(_: Any) -> None:
    return None


def _name(what: str) -> str:
    return sha256(what.encode()).hexdigest()[:32]
