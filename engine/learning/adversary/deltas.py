"""What dishonest trainers make of an honestly trained delta, as bytes that they publish.

Everything is fixed by a seed. What is trained in another way (turned labels, a backdoor, public texts) comes from the
trainers themselves: :data:`FLAVOURS` names how.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from engine.learning.adversary.alie import alie, reach
from engine.learning.config import DELTA_LIMIT
from engine.learning.errors import LearnSettingError
from engine.learning.updates.delta import Delta, DeltaSpec, encode, pack, parse, spec_in
from engine.learning.updates.product import norms, products

FLAVOURS = {
    "trainer_label_flip": "label_flip",
    "trainer_backdoor": "backdoor",
    "trainer_overfit": "overfit",
}
SCALE = 100.0


@dataclass(frozen=True, slots=True)
class Attack:
    """What an attacker has: its own honest delta, those it has seen, how many trainers and colluders there are."""

    spec: DeltaSpec
    own: Delta
    seen: tuple[Delta, ...]
    trainers: int
    byzantine: int
    rng: np.random.Generator


def attacked(
    kind: str, own: bytes, *, seen: Sequence[bytes] = (), trainers: int = 1, byzantine: int = 1, seed: bytes = b""
) -> bytes:
    """Return the bytes published instead of ``own``; ``kind`` is one of :data:`KINDS`.

    ``seen`` are honest deltas that colluders put together (ALIE); whoever sees the same publishes the same.
    Raises LearnSettingError for another kind.
    """
    if kind not in KINDS:
        raise LearnSettingError(f"There is no attack {kind!r} on a delta", "", f"There are: {', '.join(KINDS)}.")
    spec = spec_in(own, 1.0)
    rng = np.random.default_rng(list(sha256(b"POL-AI attack|" + kind.encode() + b"|" + seed).digest()))
    known = tuple(parse(data, spec) for data in seen)
    return KINDS[kind](Attack(spec, parse(own, spec), known, trainers, byzantine, rng))


def scaled(delta: Delta, factor: float) -> Delta:
    """Return a delta whose product is ``factor`` times as large, the factors sharing it so that FP16 holds both."""
    root = np.sqrt(abs(factor))
    return {
        key: ((a * root).astype(np.float32), (b * np.copysign(root, factor)).astype(np.float32))
        for key, (a, b) in delta.items()
    }


def noise(attack: Attack) -> Delta:
    """Return Gaussian noise of the norm that the attacker's own delta has."""
    spec = attack.spec
    made: Delta = {}
    for key, out, inner in spec.targets:
        a, b = attack.rng.normal(size=(spec.rank, inner)), attack.rng.normal(size=(out, spec.rank))
        made[key] = (a.astype(np.float32), b.astype(np.float32))
    wanted, got = norms(products([attack.own, made], spec))
    return scaled(made, wanted / got)


def _alie(attack: Attack) -> bytes:
    return pack(alie(attack.seen or (attack.own,), reach(attack.trainers, attack.byzantine)))


def _with_nan(attack: Attack) -> bytes:
    tensors = _tensors(attack.own)
    name = sorted(tensors)[attack.rng.integers(len(tensors))]
    flat = tensors[name].ravel()
    flat[attack.rng.integers(flat.size)] = np.nan
    return encode({**tensors, name: flat.reshape(tensors[name].shape)})


def _misshapen(attack: Attack) -> bytes:
    tensors = _tensors(attack.own)
    name = sorted(tensors)[attack.rng.integers(len(tensors))]
    return encode({**tensors, name: np.pad(tensors[name], ((0, 0), (0, 1)))})


def _oversize(attack: Attack) -> bytes:
    return encode({**_tensors(attack.own), "padding": attack.rng.normal(size=DELTA_LIMIT // 2 + 1)})


def _tensors(delta: Delta) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return {
        f"{key}.{part}": tensor.copy() for key, pair in delta.items() for part, tensor in zip("AB", pair, strict=True)
    }


KINDS: dict[str, Callable[[Attack], bytes]] = {
    "scale": lambda attack: pack(scaled(attack.own, SCALE)),
    "sign_flip": lambda attack: pack(scaled(attack.own, -1.0)),
    "noise": lambda attack: pack(noise(attack)),
    "alie": _alie,
    "oversize": _oversize,
    "nan": _with_nan,
    "shape": _misshapen,
}
