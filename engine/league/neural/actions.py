"""What a model does: one output an action, as a System's description lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.league.neural.errors import ModelError
from engine.league.neural.features import Bits, Number, Rows, feature_map
from engine.league.system import SystemSpec

MAX_ACTIONS: Final = 1024


@dataclass(frozen=True, slots=True)
class Legal:
    """The part of the packed observation that tells which actions are legal: a bit each, or, when ``counts``, how many
    from the first on."""

    first: int
    bits: int
    counts: bool

    def table(self, rows: Rows, actions: int) -> NDArray[np.bool_]:
        """Return whether each action (columns) is legal in each row."""
        packed = np.ascontiguousarray(rows[:, :8]).view("<u8")
        value = packed << np.uint64(64 - self.first - self.bits) >> np.uint64(64 - self.bits)
        index = np.arange(actions, dtype=np.uint64)
        return index < value if self.counts else (value >> index & np.uint64(1)).astype(np.bool_)


@dataclass(frozen=True, slots=True)
class Actions:
    """The actions in the order of a model's outputs; the greatest output among the ``legal`` ones (None: among all)
    decides, the first of equals."""

    values: tuple[int, ...]
    names: tuple[str, ...]
    legal: Legal | None = None

    def choose(self, logits: NDArray[np.int64], rows: Rows) -> NDArray[np.int64]:
        """Return the action of each row. Where none is legal, the first action."""
        if self.legal is not None:
            logits = np.where(self.legal.table(rows, len(self.values)), logits, np.iinfo(np.int64).min)
        chosen: NDArray[np.int64] = np.array(self.values, np.int64)[logits.argmax(axis=1)]
        return chosen


def actions_of(spec: SystemSpec) -> Actions:
    """Return the actions of a System. Raises ModelError where they are no short list."""
    kind = spec.action.get("kind")
    if kind == "choice":
        return _choice(spec)
    if kind == "number":
        return _number(spec)
    if kind == "chess":
        raise _unfit(
            spec, "its moves are chosen from a list that changes with the position, and a model has fixed outputs"
        )
    raise _unfit(spec, f"its actions are of the kind {str(kind)[:40]!r}; a model's outputs need a fixed list")


def _choice(spec: SystemSpec) -> Actions:
    values = spec.action.get("values")
    if not isinstance(values, list) or not 0 < len(values) <= MAX_ACTIONS:
        raise _unfit(spec, f"its description does not list 1 to {MAX_ACTIONS} actions")
    if not all(isinstance(value, Mapping) and type(value.get("value")) is int for value in values):
        raise _unfit(spec, "its description lists an action without a value")
    numbers = tuple(int(value["value"]) for value in values)
    names = tuple(str(value.get("name", value["value"])) for value in values)
    return Actions(numbers, names, _legal(spec, len(numbers)))


def _number(spec: SystemSpec) -> Actions:
    low, high = spec.action.get("min"), spec.action.get("max")
    if type(low) is not int or type(high) is not int or not 0 <= high - low < MAX_ACTIONS:
        raise _unfit(spec, f"its actions are not a range of at most {MAX_ACTIONS} numbers")
    numbers = tuple(range(low, high + 1))
    return Actions(numbers, tuple(map(str, numbers)), _legal(spec, len(numbers)))


def _legal(spec: SystemSpec, count: int) -> Legal | None:
    """Return what tells the legal actions: the packed field that ``action.legal`` names, else one whose name begins
    with "legal" and which has a bit for every action. A number tells how many are legal, from the first on."""
    packed = feature_map(spec, "packed")
    wanted = spec.action.get("legal")
    for item in packed.items if packed is not None else ():
        named = item.name == wanted if isinstance(item, Bits | Number) else False
        if isinstance(item, Bits) and item.width == count and (named or item.name.lower().startswith("legal")):
            return Legal(item.first, count, counts=False)
        if isinstance(item, Number) and named and not item.signed and not item.big:
            return Legal(8 * item.offset + item.low, item.bits, counts=True)
    if wanted is not None:
        raise _unfit(
            spec, f"its description names {str(wanted)[:60]!r} as what tells the legal actions, which does not"
        )
    return None


def _unfit(spec: SystemSpec, why: str) -> ModelError:
    return ModelError(f"A model cannot play {spec.title}", why, "Write this agent in C; see assets/README.md.")
