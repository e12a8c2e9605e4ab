"""The parts that a run is put together from: clock, gossip and DHT. Each has a real and a simulated form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

Steps = Iterator[None] | None  # a generator where an action comes in pieces


class Scheduler(Protocol):
    """The one source of time and order. Actions run one at a time, on the loop, in the order of their times.

    Everything that comes from outside (training, the DHT) comes in by ``ask``; its answers are what a journal holds,
    so that a run that was killed is played again to the same state.

    An action that takes long is a generator: where it yields, the loop may do other work, while no other action runs.
    """

    @property
    def now(self) -> float:
        """Seconds since genesis."""

    def at(self, when: float, action: Callable[..., Steps], *arguments: Any) -> None:
        """Run an action at a time; at once where that is past. Equal times keep the order of the calls."""

    def ask(
        self,
        name: str,
        work: Callable[[], Awaitable[Any]],
        then: Callable[[Any], Steps],
        *,
        seconds: float | Callable[[Any], float] = 0.0,
    ) -> None:
        """Do work outside and hand its answer to ``then``.

        A clock that passes runs the work beside everything else and answers when it ends; the simulated one does it
        at once and answers ``seconds`` later (a number, or computed from the answer). ``name`` is unique in a run. An
        answer is bytes, numbers, str, tuples, None, or a frozen dataclass of :mod:`engine.learning.brain`; an
        EngineError that the work raises is handed over as an answer.
        """


@dataclass(frozen=True, slots=True)
class Record:
    """A signed value in the DHT. ``key`` and ``subkey`` as in :mod:`engine.learning.transport.records`."""

    key: str
    subkey: str
    value: bytes
    expiry: float  # seconds of the chain's clock
    author: bytes  # Ed25519 public key, 32 bytes
    signature: bytes  # 64 bytes


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a record: how many peers hold it, or why it was refused; the seconds that it took."""

    replicas: int
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """Valid records under a key, one a subkey, sorted by it; the seconds and messages that it took."""

    records: tuple[Record, ...]
    seconds: float
    messages: int = 0


@dataclass(frozen=True, slots=True)
class Peer:
    """A DHT peer. ``group`` is its side of a partition."""

    number: int
    peer_id: str
    address: str
    up: bool
    records: int
    group: int


class Dht(Protocol):
    """A Kademlia of ``len(peers)`` nodes; ``peer`` says which of them is asked."""

    async def store(self, peer: int, record: Record) -> Stored:
        """Put a record to the peers nearest to its key."""

    async def fetch(self, peer: int, key: str) -> Fetched:
        """Return the records under a key."""

    def peers(self) -> tuple[Peer, ...]:
        """Return the peers as they are."""

    async def kill(self, peer: int) -> None:
        """End a peer, as by SIGKILL."""

    async def revive(self, peer: int) -> None:
        """Start a peer that was ended, empty."""

    def partition(self, groups: tuple[tuple[int, ...], ...]) -> None:
        """Let only peers of one group hear each other; () heals."""

    def register(self, author: bytes, peer_id: str, role: str) -> None:
        """Let a key write: ``role`` is validator or trainer; ``peer_id`` 16 hexadecimal digits."""

    def advance(self, now: float) -> None:
        """Tell the time of the chain's clock: records expire by it."""

    async def close(self) -> None:
        """End everything."""
