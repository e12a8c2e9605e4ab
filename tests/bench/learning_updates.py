"""How fast deltas are combined on their factors, beside dense matrices by NumPy and beside Flower, in the same run.

Flower runs in the environment of the peers and gets the flattened dense vectors ready made; what it takes to make them
of the factors is not counted against it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from engine.learning.brain import AggregateOrder
from engine.learning.updates.aggregate import aggregate
from engine.learning.updates.delta import Delta, DeltaSpec, pack, parse
from engine.learning.updates.krum import krum, ranking, scores
from engine.learning.updates.product import Products, products

TRAINERS, BYZANTINE, RANK = 13, 4, 8
SIDES = {
    "q": (96, 96),
    "k": (48, 96),
    "v": (48, 96),
    "o": (96, 96),
    "gate": (256, 96),
    "up": (256, 96),
    "down": (96, 256),
}
TINY = DeltaSpec(RANK, 16.0, tuple((f"{n}.{name}", *sides) for n in range(4) for name, sides in SIDES.items()))
WIDE = DeltaSpec(4, 16.0, (("0.q", 1536, 1536), ("1.down", 1536, 8960)))  # DeepSeek-R1-Distill-Qwen-1.5B, two targets
QUICK = 0.1  # seconds: below, nothing is measured, the code is merely run
ROOT = Path(__file__).parents[2]
PEERS = ROOT / "build" / "peers"
WORKER = Path(__file__).with_name("learning_updates_peer.py")


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return the table's lines; ``seconds``: about how long each measurement may take."""
    note("13 deltas are combined on factors, densely, and by Flower")
    spec = TINY if seconds >= QUICK else DeltaSpec(RANK, 16.0, TINY.targets[:2])
    raws = [pack(delta) for delta in _deltas(spec)]
    order = AggregateOrder(bytes(32), tuple(enumerate(raws)), "multi_krum", BYZANTINE, 10.0)
    found = [
        _row(
            f"aggregate {TRAINERS} deltas of {len(spec.targets)} targets by Multi-Krum",
            _milliseconds(lambda: aggregate(order, spec), seconds),
            "dense matrices and their SVD, NumPy",
            _milliseconds(lambda: _densely([parse(raw, spec) for raw in raws]), seconds),
        )
    ]
    updates = products([parse(raw, spec) for raw in raws], spec)
    ours = _milliseconds(lambda: krum(updates, BYZANTINE), seconds)
    found.append(_row("Krum of the same deltas", ours, "Flower, on vectors ready made", _flower(updates, seconds)))
    if seconds >= QUICK:
        note("two targets of a model of 1.5 billion weights")
        wide = products(_deltas(WIDE), WIDE)
        ours, peer = (
            _milliseconds(work, seconds) for work in (lambda: krum(wide, BYZANTINE), lambda: _dense_krum(wide))
        )
        found.append(_row("Krum of 13 deltas, 1536 x 1536 and 1536 x 8960", ours, "dense matrices, NumPy", peer))
    return found


def _deltas(spec: DeltaSpec) -> list[Delta]:
    """Return deltas as a round gives them: a shared A that training moved a little, and B."""
    rng = np.random.default_rng(0)
    a = {key: rng.uniform(-0.1, 0.1, (spec.rank, inner)) for key, _, inner in spec.targets}
    return [
        {
            key: (
                (a[key] + rng.normal(0, 1e-3, a[key].shape)).astype(np.float32),
                rng.normal(0, 2e-3, (out, spec.rank)).astype(np.float32),
            )
            for key, out, _ in spec.targets
        }
        for _ in range(TRAINERS)
    ]


def _densely(deltas: list[Delta]) -> bytes:
    """Do the whole aggregation the plain way."""
    changes = [np.stack([b.astype(float) @ a for a, b in (delta[key] for delta in deltas)]) for key in deltas[0]]
    chosen = ranking(scores(_dense_distances(changes), BYZANTINE))[: TRAINERS - BYZANTINE]
    made = {}
    for key, change in zip(deltas[0], changes, strict=True):
        u, s, v = np.linalg.svd(change[chosen].mean(axis=0), full_matrices=False)
        root = np.sqrt(s[:RANK])
        made[key] = (root[:, None] * v[:RANK], u[:, :RANK] * root)
    return pack(made)


def _dense_krum(updates: Products) -> int:
    return int(ranking(scores(_dense_distances(list(updates.dense())), BYZANTINE))[0])


def _dense_distances(changes: list[np.ndarray]) -> np.ndarray:
    inner = np.zeros((TRAINERS, TRAINERS))
    for change in changes:
        flat = change.reshape(TRAINERS, -1)
        inner += flat @ flat.T
    squares = np.diag(inner)
    apart: np.ndarray = squares[:, None] + squares - 2 * inner
    return apart


def _flower(updates: Products, seconds: float) -> float | None:
    """Return Flower's milliseconds for a Krum of the dense vectors, None where it is not installed, or in a hurry."""
    python = next((path for path in (PEERS / "bin/python", PEERS / "Scripts/python.exe") if path.is_file()), None)
    if python is None or seconds < QUICK:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "vectors.npy"
        np.save(source, np.concatenate([change.reshape(TRAINERS, -1) for change in updates.dense()], axis=1))
        quiet = {**os.environ, "FLWR_TELEMETRY_ENABLED": "0", "PYTHONPATH": ""}
        argv = [str(python), str(WORKER), str(source), str(BYZANTINE), str(seconds)]
        done = subprocess.run(argv, env=quiet, capture_output=True, text=True, timeout=300, check=True)
    return float(done.stdout)


def _milliseconds(work: Callable[[], object], seconds: float) -> float:
    """Return the median of as many runs as the time allows, at least one after a first that is not counted."""
    work()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while not taken or (time.perf_counter() < end and len(taken) < 99):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return 1e3 * median(taken)


def _row(name: str, ours: float, peer_name: str, peer: float | None) -> dict[str, Any]:
    ratio = None if peer is None else peer / ours
    named = {"name": name, "ours": ours, "unit": "ms", "peer_name": peer_name, "peer": peer, "ratio": ratio}
    return {**named, "goal": None, "met": None}
