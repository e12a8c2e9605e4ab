"""The validators as columns. A registry never changes: whatever changes a validator makes a new one.

Copies of a state share it, so that a block that touches no validator costs nothing here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.learning.crypto.keys import peer_id_of

if TYPE_CHECKING:
    from engine.learning.genesis import Genesis

FAR = 2**62  # an epoch that never comes
EXIT_DELAY = 2  # epochs until a change takes effect: the duties of the epochs before are known already
Ints = NDArray[np.int64]


class Registry:
    """Columns of n validators: ``activation``, ``exit``, ``joined`` in epochs, ``balance`` in 1e9 base units of POL.

    ``joined`` is the epoch whose block took the deposit in. Indices are int64 arrays, in rising order.
    """

    def __init__(
        self,
        pubkeys: tuple[bytes, ...],
        node_keys: tuple[bytes, ...],
        columns: dict[str, NDArray[Any]],
    ) -> None:
        self.pubkeys = pubkeys
        self.node_keys = node_keys
        self._columns = columns
        for column in columns.values():
            column.flags.writeable = False
        self.joined: Ints = columns["joined"]
        self.activation: Ints = columns["activation"]
        self.exit: Ints = columns["exit"]
        self.balance: Ints = columns["balance"]
        self.slashed: NDArray[np.bool_] = columns["slashed"]
        self._active: dict[int, Ints] = {}

    @classmethod
    def of_genesis(cls, genesis: Genesis) -> Registry:
        """Return the genesis validators, active from epoch 0."""
        count = len(genesis.validators)
        columns = {
            "joined": np.zeros(count, np.int64),
            "activation": np.zeros(count, np.int64),
            "exit": np.full(count, FAR, np.int64),
            "balance": np.array([validator.amount for validator in genesis.validators], np.int64),
            "slashed": np.zeros(count, bool),
        }
        pubkeys = tuple(bytes(validator.pubkey) for validator in genesis.validators)
        return cls(pubkeys, tuple(bytes(validator.node_key) for validator in genesis.validators), columns)

    def __len__(self) -> int:
        return len(self.pubkeys)

    def changed(self, indices: Sequence[int] | Ints, **values: int | bool | Ints) -> Registry:
        """Return a registry with columns set for some validators."""
        columns = dict(self._columns)
        chosen = np.asarray(indices, np.int64)
        for name, value in values.items():
            columns[name] = columns[name].copy()
            columns[name][chosen] = value
        made = Registry(self.pubkeys, self.node_keys, columns)
        for shared in ("_keys_root", "_by_pubkey", "peer_ids", "node_key_set"):
            if shared in self.__dict__:
                made.__dict__[shared] = self.__dict__[shared]
        return made

    def joined_by(self, pubkey: bytes, node_key: bytes, balance: int, epoch: int) -> Registry:
        """Return a registry with one more validator, which is not active yet."""
        new: dict[str, int | bool] = {
            "joined": epoch,
            "activation": FAR,
            "exit": FAR,
            "balance": balance,
            "slashed": False,
        }
        columns = {name: np.append(column, column.dtype.type(new[name])) for name, column in self._columns.items()}
        return Registry((*self.pubkeys, pubkey), (*self.node_keys, node_key), columns)

    def active(self, epoch: int) -> Ints:
        """Return the indices of who is active in an epoch."""
        found = self._active.get(epoch)
        if found is None:
            found = np.flatnonzero((self.activation <= epoch) & (epoch < self.exit))
            found.flags.writeable = False
            if len(self._active) > 16:
                self._active.clear()
            self._active[epoch] = found
        return found

    def total_active(self, epoch: int) -> int:
        """Return the stake that is active in an epoch; at least one POL, so that it can be divided by."""
        return max(10**9, int(self.balance[self.active(epoch)].sum()))

    def keys_of(self, indices: Iterable[int] | Ints) -> list[bytes]:
        """Return public keys."""
        chosen = indices.tolist() if isinstance(indices, np.ndarray) else indices
        return [self.pubkeys[index] for index in chosen]

    def index_of(self, pubkey: bytes) -> int | None:
        """Return whose key it is, None where it is nobody's."""
        return self._by_pubkey.get(pubkey)

    @cached_property
    def _by_pubkey(self) -> dict[bytes, int]:
        return {pubkey: index for index, pubkey in enumerate(self.pubkeys)}

    @cached_property
    def peer_ids(self) -> frozenset[str]:
        """The DHT names of all validators."""
        return frozenset(map(peer_id_of, self.pubkeys))

    @cached_property
    def node_key_set(self) -> frozenset[bytes]:
        """The DHT keys of all validators."""
        return frozenset(self.node_keys)

    @cached_property
    def _keys_root(self) -> bytes:
        return sha256(b"".join(self.pubkeys) + b"".join(self.node_keys)).digest()

    @cached_property
    def root(self) -> bytes:
        """SHA-256 over the number of validators, their keys and every column, little-endian."""
        digest = sha256(b"POL-AI/registry/" + len(self).to_bytes(8, "little") + self._keys_root)
        for name in sorted(self._columns):
            digest.update(self._columns[name].tobytes())
        return digest.digest()
