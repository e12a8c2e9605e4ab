"""Tasks as numbers: a document becomes a vector of any width, the same in every process and on every machine.

Every leaf of the document is a token, its path and, for words, its value. A token adds to a few coordinates that its
hash picks, by amounts that its hash gives (feature hashing: Weinberger et al., 2009, with real amounts, so that even a
single coordinate tells tasks apart). Numbers weigh their token by their logarithm. Text adds its words and its groups
of three letters, lists of numbers what a series is about. The title and the description are for people and left out.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.consensus.errors import ConsensusError
from engine.consensus.task_kinds import days
from engine.consensus.tasks import Task
from engine.games.games import Floats

if TYPE_CHECKING:
    import torch

MAX_WIDTH = 1 << 20
_SLOTS = 4  # coordinates that a token adds to
_WORD = 32  # characters; longer text is read word by word too
_MAX_TEXT = 16_384  # characters of a text that are read; the rest counts by its hash
_MAX_ITEMS = 64  # of a list that are read one by one
_LARGE = 1e140  # of a number in a series: its square is still one
_FOR_PEOPLE = ("title", "description")
_PERIODS = ("horizon", "investment_horizon")


def encode(task: Task, width: int) -> torch.Tensor:
    """Return a task as a float32 tensor (width,) on the processor. Raises ConsensusError for a width that is none."""
    import torch

    return torch.tensor(features(task, width), dtype=torch.float32)


def features(task: Task, width: int) -> Floats:
    """Return a task as numbers (width,), of order 1 and rounded to 1e-6. The same document gives the same numbers."""
    if not 1 <= width <= MAX_WIDTH:
        raise ConsensusError(f"A task cannot be encoded as {width} numbers", f"1 to {MAX_WIDTH:,} are possible")
    return _features(_Key(task), width).copy()


class _Key:
    """Lets a task be looked up by what it says."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __hash__(self) -> int:
        return hash(self.task.hash)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.task.hash == other.task.hash


@lru_cache(maxsize=64)
def _features(key: _Key, width: int) -> Floats:
    document = {name: part for name, part in key.task.document.items() if name not in _FOR_PEOPLE}
    vector = np.zeros(width)
    for token, weight in _tokens("", document):
        digest = hashlib.blake2b(token.encode("utf-8", "surrogatepass"), digest_size=8 * _SLOTS).digest()
        for part in range(0, len(digest), 8):
            place = int.from_bytes(digest[part : part + 4], "little") % width
            amount = int.from_bytes(digest[part + 4 : part + 8], "little", signed=True) / 2**31
            vector[place] += weight * amount
    size = float(np.sqrt(np.mean(vector**2)))
    return np.round(vector / (1.0 + 0.1 * size), 6) + 0.0  # large sums grow slowly; no negative zero


def _tokens(path: str, value: Any) -> Iterator[tuple[str, float]]:
    """Yield the tokens of a part of a document with their weights, keys in their order."""
    if isinstance(value, Mapping):
        for name in sorted(value):
            yield from _tokens(f"{path}/{name}", value[name])
        if not value:
            yield f"{path}={{}}", 1.0
    elif isinstance(value, list | tuple):
        yield from _list(path, value)
    elif isinstance(value, str):
        yield from _text(path, value)
    elif isinstance(value, bool) or value is None:
        yield f"{path}={value}", 1.0
    else:
        yield f"{path}#", _log(value)
        yield f"{path}={json.dumps(value)}", 0.02  # tells apart what the logarithm hardly does


def _list(path: str, items: Sequence[Any]) -> Iterator[tuple[str, float]]:
    yield f"{path}/length#", _log(len(items))
    series = len(items) >= 2 and all(isinstance(item, int | float) and not isinstance(item, bool) for item in items)
    if series:
        yield from _series(path, np.array([_float(item) for item in items]))
    if items and all(isinstance(item, str) for item in items):
        for item in items[:_MAX_ITEMS]:  # a set of words, whatever their order ...
            yield f"{path}[]={item}", 1.0
        yield f"{path}={_digest(json.dumps(items))}", 0.25  # ... which still tells two lists apart
        return
    for index, item in enumerate(items[:_MAX_ITEMS]):
        yield from _tokens(f"{path}/{index}", item)
    if len(items) > _MAX_ITEMS:
        yield f"{path}={_digest(json.dumps(items))}", 0.25


def _series(path: str, values: Floats) -> Iterator[tuple[str, float]]:
    """Yield what a series of numbers is about: where it ends, how it lies, and how it moved of late."""
    scale = float(np.abs(values).mean()) or 1.0
    yield f"{path}/last#", float(np.clip(values[-1] / scale, -10.0, 10.0))
    yield f"{path}/mean#", _log(float(values.mean()))
    yield f"{path}/spread#", float(np.clip(values.std() / scale, 0.0, 10.0))
    for back in (1, 5, 20, 60):
        if len(values) > back:
            yield f"{path}/change {back}#", float(np.clip(10.0 * (values[-1] - values[-1 - back]) / scale, -10.0, 10.0))


def _text(path: str, text: str) -> Iterator[tuple[str, float]]:
    if path.rpartition("/")[2] in _PERIODS:
        try:
            yield f"{path}#", _log(days(text))
        except ConsensusError:
            pass
        else:
            return
    yield f"{path}={_digest(text)}", 1.0
    if len(text) <= _WORD:
        return
    words = text[:_MAX_TEXT].casefold().split()
    found = Counter(f"{path}~{word}" for word in words)
    for word in words:
        marked = f" {word} "
        found.update(f"{path}~~{marked[at : at + 3]}" for at in range(len(marked) - 2))
    total = math.sqrt(sum(count * count for count in found.values())) or 1.0
    for token, count in found.items():
        yield token, 4.0 * count / total
    yield f"{path}/length#", _log(len(text))


def _log(value: float) -> float:
    if isinstance(value, int) and value.bit_length() > 1_000:
        return (1 if value > 0 else -1) * value.bit_length() * math.log(2.0) / 4.0  # too large for a float
    return math.copysign(math.log1p(abs(value)), value) / 4.0


def _float(value: float) -> float:
    return float(max(-_LARGE, min(_LARGE, value)))


def _digest(text: str) -> str:
    return text if len(text) <= 2 * _WORD else hashlib.blake2b(text.encode("utf-8", "surrogatepass")).hexdigest()
