"""What a model does: one output an action, as a System's description lists them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.league.neural.errors import ModelError
from engine.league.neural.features import Bits, Number, Rows, feature_map
from engine.league.system import SystemSpec

MAX_ACTIONS: Final = 1024


@dataclass(frozen=True, slots=True)
class Legal:
    """What of the packed observation tells which actions are legal: how many from the first on (``counts``: the number
    in ``bits`` bits from ``first``), or a bit for each, ``step`` bits apart from ``first``, which is ``on`` or off."""

    first: int
    bits: int = 1
    counts: bool = False
    step: int = 1
    on: bool = True

    def table(self, rows: Rows, actions: int) -> NDArray[np.bool_]:
        """Return whether each action (columns) is legal in each row."""
        packed = np.ascontiguousarray(rows[:, :8]).view("<u8")
        index = np.arange(actions, dtype=np.uint64)
        legal: NDArray[np.bool_]
        if self.counts:
            legal = index < packed << np.uint64(64 - self.first - self.bits) >> np.uint64(64 - self.bits)
        else:
            told = packed >> (np.uint64(self.first) + np.uint64(self.step) * index) & np.uint64(1)
            legal = told == np.uint64(self.on)
        return legal


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
    """Return what tells the legal actions, by ``action.legal``: the name of a packed field, which has a bit for every
    action or is the number of legal ones; or ``{"bit": B, "step": S, "value": V}``, where bit B + S * i of the packed
    observation is V (1 unless given) for a legal action i. Without it, a field whose name begins with "legal" does."""
    wanted = spec.action.get("legal")
    if isinstance(wanted, Mapping):
        return _legal_bits(spec, wanted, count)
    packed = feature_map(spec, "packed")
    for item in packed.items if packed is not None else ():
        named = item.name == wanted if isinstance(item, Bits | Number) else False
        if isinstance(item, Bits) and item.width == count and (named or item.name.lower().startswith("legal")):
            return Legal(item.first)
        if isinstance(item, Number) and named and not item.signed and not item.big:
            return Legal(8 * item.offset + item.low, item.bits, counts=True)
    if wanted is not None:
        raise _unfit(
            spec, f"its description names {str(wanted)[:60]!r} as what tells the legal actions, which does not"
        )
    return None


def _legal_bits(spec: SystemSpec, wanted: Mapping[str, Any], count: int) -> Legal:
    first, step, value = wanted.get("bit"), wanted.get("step", 1), wanted.get("value", 1)
    if type(first) is not int or type(step) is not int or type(value) is not int:
        raise _unfit(spec, "its description of the legal actions is not made of whole numbers")
    if not 0 <= first <= 63 or not 1 <= step <= 63 or first + step * (count - 1) > 63 or value not in (0, 1):
        raise _unfit(spec, "its description of the legal actions leaves the packed observation")
    return Legal(first, step=step, on=value == 1)


def _unfit(spec: SystemSpec, why: str) -> ModelError:
    return ModelError(f"A model cannot play {spec.title}", why, "Write this agent in C; see CONTRIBUTING.md.")
