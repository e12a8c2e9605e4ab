"""From raw deltas to one update: check, clip, choose and average in product space, cut back to rank r."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256

from engine.learning.brain import Aggregated, AggregateOrder
from engine.learning.errors import DeltaRefusedError, LearnSettingError
from engine.learning.results import RawDelta
from engine.learning.updates.choice import Choice, TooFewError
from engine.learning.updates.delta import Delta, DeltaSpec, pack, parse
from engine.learning.updates.fedavg import fedavg
from engine.learning.updates.krum import krum
from engine.learning.updates.krum import required as enough_for_krum
from engine.learning.updates.median import median
from engine.learning.updates.multi_krum import multi_krum
from engine.learning.updates.product import Array, Products, clipped, mean, products, shrunk
from engine.learning.updates.trimmed_mean import trimmed_mean

RULES: dict[str, Callable[[Products, int], Choice]] = {
    "fedavg": fedavg,
    "krum": krum,
    "multi_krum": multi_krum,
    "trimmed_mean": trimmed_mean,
    "median": median,
}
REQUIRED = {"krum": enough_for_krum, "multi_krum": enough_for_krum}


@dataclass(frozen=True, slots=True)
class _Usable:
    trainer: int
    data: bytes
    delta: Delta


def aggregate(order: AggregateOrder, spec: DeltaSpec) -> Aggregated:
    """Return the update of an order, and for each raw delta whether it went in and why not.

    Steps: 1. parse, refusing what is no delta; 2. clip norms; 3. the rule chooses; 4. mean, rank r, FP16.
    Raises LearnSettingError where there is no such rule.
    """
    if order.rule not in RULES:
        raise LearnSettingError(f"There is no rule {order.rule!r}", "", f"There are: {', '.join(RULES)}.")
    usable, refused = _parsed(order, spec)
    if not usable:
        return Aggregated(None, _sorted(refused), "no_deltas")
    updates, norms = clipped(products([item.delta for item in usable], spec), order.clip_norm)
    try:
        if order.guarded and order.rule in REQUIRED:
            REQUIRED[order.rule](len(updates), order.byzantine)
        choice = RULES[order.rule](updates, order.byzantine)
    except TooFewError as error:
        few = [_raw(item, norm, None, False, "too_few", str(error)) for item, norm in zip(usable, norms, strict=True)]
        return Aggregated(None, _sorted(few + refused), "too_few")
    raws = _sorted(_judged(usable, norms, choice, order.clip_norm) + refused)
    try:
        return Aggregated(pack(combined(updates, choice)), raws)
    except DeltaRefusedError as error:  # a mean of huge deltas is beyond FP16
        return Aggregated(None, raws, error.reason)


def combined(updates: Products, choice: Choice) -> Delta:
    """Return what a rule chose, cut to rank r."""
    if choice.weights is not None:
        return mean(updates, choice.weights)
    assert choice.blocks is not None
    keys = (key for key, _, _ in updates.spec.targets)
    return {key: shrunk(block, updates.spec) for key, block in zip(keys, choice.blocks, strict=True)}


def raw_id(data: bytes) -> str:
    """Return a raw delta's name: SHA-256, hexadecimal."""
    return sha256(data).hexdigest()


def _parsed(order: AggregateOrder, spec: DeltaSpec) -> tuple[list[_Usable], list[RawDelta]]:
    usable: list[_Usable] = []
    refused: list[RawDelta] = []
    seen: set[int] = set()
    for trainer, data in order.raws:
        try:
            if trainer in seen:
                raise DeltaRefusedError("duplicate", f"trainer {trainer} has one in this round already")
            seen.add(trainer)
            usable.append(_Usable(trainer, data, parse(data, spec)))
        except DeltaRefusedError as error:
            refused.append(RawDelta(trainer, raw_id(data), len(data), 0.0, None, False, error.reason, error.why))
    return usable, refused


def _judged(usable: list[_Usable], norms: Array, choice: Choice, limit: float) -> list[RawDelta]:
    made = []
    worst = None if choice.scores is None else float(choice.scores[choice.chosen].max())
    for number, (item, norm) in enumerate(zip(usable, norms, strict=True)):
        score = None if choice.scores is None else float(choice.scores[number])
        chosen = bool(choice.chosen[number])
        cut = f"its norm of {norm:.3g} was cut to {limit:g}" if norm > limit else ""
        if chosen:
            made.append(_raw(item, norm, score, True, "clipped" if cut else "", cut))
            continue
        detail = f"its score of {score:.4g} lies above {worst:.4g}, the worst that was chosen"
        made.append(_raw(item, norm, score, False, "outlier", f"{detail}; {cut}" if cut else detail))
    return made


def _raw(item: _Usable, norm: float, score: float | None, chosen: bool, reason: str, detail: str) -> RawDelta:
    return RawDelta(item.trainer, raw_id(item.data), len(item.data), float(norm), score, chosen, reason, detail)


def _sorted(raws: list[RawDelta]) -> tuple[RawDelta, ...]:
    return tuple(sorted(raws, key=lambda raw: raw.trainer))
