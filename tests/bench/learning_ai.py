"""How fast the gate evaluates and trainers train, beside transformers alone, in the same run; one thread each.

The gate's peer is transformers' Qwen2 on the same texts, in batches of 32 as they come, in single precision; a training
step's is one of all weights instead of LoRA's. Where transformers is not installed there are no peers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from engine.learning.ai.batches import padded
from engine.learning.ai.brain import missing_packages
from engine.learning.ai.lineage import Line
from engine.learning.ai.model import PRESETS, Model, spec_of
from engine.learning.ai.qwen import Network, losses
from engine.learning.ai.recording import Recording
from engine.learning.ai.tasks import network_of
from engine.learning.ai.texts import text
from engine.learning.ai.tokens import encode
from engine.learning.brain import TrainOrder

GOALS = {"nano": 300.0, "tiny": 1_700.0}  # milliseconds for 512 texts
STEP_GOAL = 109.0
BATCH = 32


def rows(note: Callable[[str], None], seconds: float) -> list[dict[str, Any]]:
    """Return the table's lines; ``seconds``: about how long each measurement may take."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        count = 512 if seconds >= 0.1 else 16
        found = []
        for name in PRESETS:
            note(f"{name} reads {count} texts")
            found.append(_gate(PRESETS[name], count, seconds))
        if not missing_packages():
            note("tiny takes training steps")
            found.append(_step(PRESETS["tiny"], seconds))
        found.append(_replay(seconds))
    finally:
        torch.set_num_threads(threads)
    return found


def _gate(model: Model, count: int, seconds: float) -> dict[str, Any]:
    network = _network(model)
    texts = [encode(text("pool", number)) for number in range(0, 4096, 4096 // count)]
    ours = _milliseconds(lambda: losses(network, texts), seconds)
    peer = None
    if not missing_packages():
        from engine.learning.ai.trainer import language_model

        theirs = language_model(model, network.weights).eval()
        peer = _milliseconds(lambda: _plainly(theirs, texts), seconds)
    goal = GOALS[model.name] if count == 512 else None
    return _row(f"loss gate of {model.name}, {count} texts", ours, "transformers, float32", peer, goal)


def _plainly(theirs: Any, texts: list[list[int]]) -> list[float]:
    """Return the loss of each text by transformers."""
    found: list[float] = []
    with torch.inference_mode():
        for at in range(0, len(texts), BATCH):
            tokens, labels, inside = padded(texts[at : at + BATCH])
            logits = theirs(input_ids=tokens, attention_mask=inside.long()).logits[:, :-1].transpose(1, 2)
            each = torch.nn.functional.cross_entropy(logits, labels[:, 1:], reduction="none")
            found += (each.sum(1) / inside[:, 1:].sum(1)).tolist()
    return found


def _step(model: Model, seconds: float) -> dict[str, Any]:
    from engine.learning.ai.trainer import language_model, train

    weights = _network(model).weights
    steps = 8 if seconds >= 0.1 else 1
    once, more = (
        median(train(model, weights, TrainOrder(b"", 0, b"bench", 0, taken)).seconds for _ in range(3))
        for taken in (1, 1 + steps)
    )
    theirs = language_model(model, weights).train()
    optimiser = torch.optim.AdamW(theirs.parameters(), lr=1e-4)
    tokens, labels, inside = padded([encode(text("train/0", number)) for number in range(model.batch)])

    def whole() -> None:
        optimiser.zero_grad()
        theirs(input_ids=tokens, attention_mask=inside.long(), labels=labels).loss.backward()
        optimiser.step()

    name = f"training step of {model.name}, batch {model.batch}"
    ours = max(1e-3, 1e3 * (more - once) / steps)
    return _row(
        name, ours, "transformers, all weights", _milliseconds(whole, seconds), STEP_GOAL if steps > 1 else None
    )


def _replay(seconds: float) -> dict[str, Any]:
    recording, spec = Recording.shipped("nano"), spec_of(PRESETS["nano"])
    ours = _milliseconds(lambda: recording.trained(0, "honest", 0, 0, spec), seconds / 4)
    return _row("a recorded delta of nano", ours, "", None, None)


def _network(model: Model) -> Network:
    return network_of(Line(model, b"bench", (), True), None)


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


def _row(name: str, ours: float, peer_name: str, peer: float | None, goal: float | None) -> dict[str, Any]:
    ratio = None if peer is None else peer / ours
    named = {"name": name, "ours": ours, "unit": "ms", "peer_name": peer_name, "peer": peer, "ratio": ratio}
    return {**named, "goal": goal, "met": None if goal is None else ours <= goal}
