"""What peers hold, against a plain model with a shelf for every peer."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from engine.learning.ports import Record
from engine.learning.transport.kademlia.shelves import Shelves, bits, bits_of
from tests.engine.learning.transport.writers import writers

PEERS = 6
AUTHORS = writers(2)
KEYS = ("ack:" + "0" * 16, "ack:" + "1" * 16)


def test_bits_and_peers() -> None:
    assert bits_of(bits([5, 0, 900])) == [0, 5, 900]
    assert bits([]) == 0 and bits_of(0) == []


class Model(RuleBasedStateMachine):
    """One dict a peer, written to as the rules say."""

    def __init__(self) -> None:
        super().__init__()
        self.shelves = Shelves()
        self.model: list[dict[tuple[str, str], Record]] = [{} for _ in range(PEERS)]
        self.down: set[int] = set()
        self.now = 0.0

    @rule(
        author=st.integers(0, 1),
        key=st.sampled_from(KEYS),
        value=st.sampled_from([b"\x00", b"\x01"]),
        life=st.sampled_from([5.0, 10.0, 20.0]),
        peers=st.sets(st.integers(0, PEERS - 1), min_size=1),
    )
    def put(self, author: int, key: str, value: bytes, life: float, peers: set[int]) -> None:
        record = AUTHORS[author].record(key, value, self.now + life)
        peers -= self.down
        kept = 0
        for peer in peers:
            held = self.model[peer].get((key, record.subkey))
            if held is None or held.expiry <= self.now or (held.value == value and held.expiry < record.expiry):
                self.model[peer][key, record.subkey] = record
            kept += held is None or held.expiry <= self.now or held.value == value
        assert self.shelves.put(record, bits(peers), self.now).bit_count() == kept

    @rule(peer=st.integers(0, PEERS - 1))
    def kill(self, peer: int) -> None:
        self.shelves.kill(peer)
        self.model[peer].clear()
        self.down.add(peer)

    @rule(peer=st.integers(0, PEERS - 1))
    def revive(self, peer: int) -> None:
        if peer in self.down:
            self.shelves.revive(peer)
            self.down.discard(peer)

    @rule(seconds=st.sampled_from([1.0, 4.0, 30.0]))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds
        self.shelves.expire(self.now)
        for shelf in self.model:
            for name in [name for name, record in shelf.items() if record.expiry <= self.now]:
                del shelf[name]

    @invariant()
    def agree(self) -> None:
        for peer in range(PEERS):
            assert self.shelves.count(peer) == len(self.model[peer])
            for key in KEYS:
                mine = sorted((r for (k, _), r in self.model[peer].items() if k == key), key=lambda r: r.subkey)
                assert self.shelves.get(key, 1 << peer, self.now) == mine

    @invariant()
    def majority(self) -> None:
        """Asked together, one record an author comes, which as many hold as any other."""
        for key in KEYS:
            for record in self.shelves.get(key, bits(range(PEERS)), self.now):
                held = [shelf[key, record.subkey] for shelf in self.model if (key, record.subkey) in shelf]
                assert held.count(record) == max(map(held.count, held))

    def teardown(self) -> None:
        self.shelves.expire(self.now + 21.0)
        assert len(self.shelves) == 0
        assert self.shelves.names() == []


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
