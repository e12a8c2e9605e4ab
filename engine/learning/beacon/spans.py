"""Which votes exclude each other: a history of votes that finds double and surround votes without looking at each.

Source: the min-max surround method of P. Daian's and protolambda's slashers. For a validator and an epoch e, ``low`` is
the lowest target of its votes with a source after e, ``high`` the highest target of those with a source before e. A new
vote s to t surrounds an earlier one if low[s] < t, and is surrounded by one if high[s] > t. All voters of an
attestation are looked at in one step.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from engine.learning.beacon.messages import Vote
from engine.learning.beacon.registry import Ints
from engine.learning.types import MAX_VALIDATORS, AttestationData

HISTORY = 512  # epochs that are looked back
_NEVER = np.int32(2**31 - 1)


class SignedVote(NamedTuple):
    """An attestation by rising validator indices."""

    indices: Ints
    vote: Vote
    data: AttestationData
    signature: bytes


class Conflict(NamedTuple):
    """Two attestations that some validators signed both; where one surrounds the other, it is ``first``."""

    first: SignedVote
    second: SignedVote


class VoteHistory:
    """The votes of all validators over the last HISTORY epochs."""

    def __init__(self) -> None:
        self._base = 0  # the epoch of column 0
        self._low: NDArray[np.int32] = np.full((0, 0), _NEVER, np.int32)
        self._high: NDArray[np.int32] = np.full((0, 0), -1, np.int32)
        self._records: dict[int, dict[int, SignedVote]] = {}  # target epoch -> number -> attestation
        self._numbers: dict[int, NDArray[np.int32]] = {}  # target epoch -> validator -> number, 0 for none
        self._next = 1

    def add(self, signed: SignedVote) -> list[Conflict]:
        """Take an attestation in and return the earlier ones that it excludes, one for each set of signers."""
        source, target, indices = signed.vote.source.epoch, signed.vote.target.epoch, signed.indices
        if source > target or source < self._base or not len(indices) or int(indices[-1]) >= MAX_VALIDATORS:
            return []
        if target >= self._base + 2 * HISTORY and not self._forget(target):
            return []
        self._grow(int(indices[-1]) + 1, target + 1)
        found = self._doubles(signed)
        if found is None:
            return []
        column = source - self._base
        found += self._around(signed, indices[self._low[indices, column] < target], surrounds=True)
        found += self._around(signed, indices[self._high[indices, column] > target], surrounds=False)
        rows = indices[:, None]
        before, after = np.arange(column), np.arange(column + 1, self._high.shape[1])
        self._low[rows, before] = np.minimum(self._low[rows, before], np.int32(target))
        self._high[rows, after] = np.maximum(self._high[rows, after], np.int32(target))
        return found

    def _doubles(self, signed: SignedVote) -> list[Conflict] | None:
        """Note who voted in the target epoch; None where all these votes are known."""
        target, indices = signed.vote.target.epoch, signed.indices
        records = self._records.setdefault(target, {})
        numbers = self._numbers.get(target)
        if numbers is None or len(numbers) < len(self._low):
            larger = np.zeros(len(self._low), np.int32)
            larger[: 0 if numbers is None else len(numbers)] = 0 if numbers is None else numbers
            numbers = self._numbers[target] = larger
        earlier = numbers[indices]
        others = [records[number] for number in np.unique(earlier[earlier > 0]).tolist()]
        if (earlier > 0).all() and all(other.vote.key == signed.vote.key for other in others):
            return None
        records[self._next] = signed
        numbers[indices[earlier == 0]] = self._next
        self._next += 1
        return [Conflict(other, signed) for other in others if other.vote.key != signed.vote.key]

    def _around(self, signed: SignedVote, voters: Ints, *, surrounds: bool) -> list[Conflict]:
        source, target = signed.vote.source.epoch, signed.vote.target.epoch
        found: list[Conflict] = []
        for epoch in sorted(self._records) if len(voters) else ():
            if epoch == target or (epoch < target) != surrounds:
                continue
            numbers = self._numbers[epoch]
            for number in np.unique(numbers[voters[voters < len(numbers)]]).tolist():
                other = self._records[epoch].get(number)
                if other is not None and (
                    other.vote.source.epoch > source if surrounds else other.vote.source.epoch < source
                ):
                    found.append(Conflict(signed, other) if surrounds else Conflict(other, signed))
        return found

    def _forget(self, newest: int) -> bool:
        """Drop what is older than HISTORY epochs; False where the vote is of an epoch too far ahead to be true."""
        if newest >= self._base + 8 * HISTORY:
            return False
        drop = newest - HISTORY - self._base
        self._base += drop
        self._low, self._high = self._low[:, drop:].copy(), self._high[:, drop:].copy()
        for epoch in [epoch for epoch in self._records if epoch < self._base]:
            del self._records[epoch], self._numbers[epoch]
        return True

    def _grow(self, validators: int, epochs: int) -> None:
        rows, columns = self._low.shape
        more = max(rows, validators), columns
        if epochs - self._base > columns:
            more = more[0], max(epochs - self._base, min(2 * columns, 2 * HISTORY), 16)
        if more == (rows, columns):
            return
        low, high = np.full(more, _NEVER, np.int32), np.full(more, -1, np.int32)
        low[:rows, :columns] = self._low
        high[:rows, :columns] = self._high
        if columns:  # a vote with a source before the last column stands in every column after it
            high[:rows, columns:] = self._high[:, -1:]
        self._low, self._high = low, high
