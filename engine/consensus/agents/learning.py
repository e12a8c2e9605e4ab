"""How an adaptive agent learns: a small linear head on top of its model, trained on the outcomes that it remembers.

1. Each outcome joins the replay memory, with the model's output and the task's features at the time.
2. After every ``update_frequency`` outcomes the head takes STEPS steps of Adam (Kingma and Ba, 2015), each of size
   ``learning_rate``, on draws from the memory; what it minimises is the cross-entropy of the agent's distribution
   against the outcome (simplex, box) or the squared distance in units of the outcomes' spread (real).
3. With probability ``exploration_rate`` a task is answered by trying something else: the output plus noise that is
   drawn once a task, so that the agent stands by it through all iterations.

All draws come from the seed, the agent's name and what it has lived through: the same past gives the same answers.
"""

from __future__ import annotations

import hashlib
import io
import math
import zipfile
from collections import OrderedDict, deque
from dataclasses import dataclass, field

import numpy as np

from engine.consensus.agents.encoding import features
from engine.consensus.agents.strategies import distribution
from engine.consensus.config import AgentConfig
from engine.consensus.errors import ConsensusError
from engine.consensus.tasks import Task
from engine.games.games import Floats

STEPS = 200
WIDTH = 32  # features of the task that the head sees
MAX_HEADS = 16  # kinds of tasks that an agent keeps apart
MAX_BYTES = 256 << 20  # of what was learned, as a file
_OUTPUTS = 64  # of the model, that the head sees
_BATCH = 64
_DRAWN = 1_024  # outcomes of the memory that an update looks at
_NOISE = 0.7  # of exploration, in logits or in spreads of the outcomes
_BETAS = (0.9, 0.999)
_TINY = 1e-8


@dataclass(eq=False)
class Head:
    """A linear map from (model's output, task's features, 1) to corrections (d,), with its memory."""

    space: str
    memory: deque[tuple[Floats, Floats, Floats]]  # inputs (k,), model's output (d,), outcome (d,)
    weights: Floats  # (k, d)
    scale: float = 1.0  # of a correction
    moments: Floats = field(default_factory=lambda: np.zeros(0))  # (2, k, d), of Adam
    steps: int = 0
    seen: int = 0  # outcomes


class Learner:
    """What one agent has learned. ``config`` has its rates; ``seed`` and ``name`` its luck."""

    def __init__(self, config: AgentConfig, seed: int, name: str) -> None:
        self.config = config
        self._luck = f"{seed}/{name}"
        self._heads: OrderedDict[str, Head] = OrderedDict()

    def improve(self, task: Task, output: Floats) -> Floats:
        """Return the model's output (d,) as learning corrects it, or, now and then, as exploration changes it."""
        head = self._heads.get(_kind(task))
        improved, scale = output, 1.0
        if head is not None and head.seen >= self.config.update_frequency:
            improved = output + head.scale * (_inputs(task, output) @ head.weights)
            scale = head.scale
        draw = self._draws(task.hash.hex(), head.seen if head is not None else 0)
        if draw.random() < self.config.exploration_rate:
            improved = improved + _NOISE * scale * draw.uniform(-1.0, 1.0, size=output.shape)
        return improved

    def learn(self, task: Task, output: Floats, outcome: Floats) -> bool:
        """Remember how a task came out, learn when it is time; return whether it was.

        Raises ConsensusError for an outcome that is no position of the task.
        """
        target = np.asarray(outcome, dtype=np.float64).reshape(-1)
        if target.shape != (task.dims,) or not np.isfinite(target).all():
            raise ConsensusError(
                "The outcome cannot be learned from", f"it is not {task.dims} finite number(s), as the task has"
            )
        if not np.isfinite(output).all():
            return False  # the model itself gave nothing to correct
        head = self._head(task)
        head.memory.append((_inputs(task, output), output, target))
        head.seen += 1
        if head.seen % self.config.update_frequency or self.config.learning_rate == 0.0:
            return False
        self._update(head, self._draws("update", head.seen))
        return True

    @property
    def used(self) -> bool:
        """Whether it has seen any outcome."""
        return bool(self._heads)

    def to_bytes(self) -> bytes:
        """Return what was learned, memory included, as an archive of arrays."""
        arrays: dict[str, Floats | np.ndarray] = {}
        for number, (kind, head) in enumerate(self._heads.items()):
            arrays[f"{number}.kind"] = np.array([kind, head.space])
            arrays[f"{number}.weights"], arrays[f"{number}.moments"] = head.weights, head.moments
            arrays[f"{number}.counts"] = np.array([head.scale, head.steps, head.seen])
            for part, rows in zip(("inputs", "outputs", "outcomes"), zip(*head.memory, strict=True), strict=True):
                arrays[f"{number}.{part}"] = np.stack(rows)
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        return buffer.getvalue()

    def load(self, data: bytes) -> None:
        """Take in what ``to_bytes`` gave. Raises ConsensusError for anything else."""
        try:
            if len(data) > MAX_BYTES:
                raise ValueError(f"{len(data):,} bytes are too many")
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if sum(item.file_size for item in archive.infolist()) > MAX_BYTES:
                    raise ValueError("unpacked it is too large")
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                heads = [_read(arrays, number, self.config) for number in range(len(arrays.files) // 7)]
        except Exception as error:  # a damaged archive can fail in any way
            raise ConsensusError(
                "What an agent has learned cannot be read", str(error) or "it is damaged", "Let it learn anew."
            ) from error
        self._heads = OrderedDict(heads)

    # Inside

    def _head(self, task: Task) -> Head:
        kind = _kind(task)
        if kind not in self._heads:
            weights = np.zeros((_rows(task.dims), task.dims))
            memory: deque[tuple[Floats, Floats, Floats]] = deque(maxlen=self.config.memory_size)
            self._heads[kind] = Head(task.space, memory, weights, moments=np.zeros((2, *weights.shape)))
            while len(self._heads) > MAX_HEADS:
                self._heads.popitem(last=False)
        self._heads.move_to_end(kind)
        return self._heads[kind]

    def _update(self, head: Head, draw: np.random.Generator) -> None:
        kept = list(head.memory)
        if len(kept) > _DRAWN:
            kept = [kept[place] for place in np.sort(draw.choice(len(kept), _DRAWN, replace=False))]
        inputs, outputs, targets = (np.stack(rows) for rows in zip(*kept, strict=True))
        with np.errstate(over="ignore", invalid="ignore"):
            if head.steps == 0 and head.space == "real":
                head.scale = float(np.sqrt(np.mean((targets - outputs) ** 2))) or 1.0
            for _ in range(STEPS):
                rows = slice(None) if len(inputs) <= _BATCH else draw.integers(len(inputs), size=_BATCH)
                now = outputs[rows] + head.scale * (inputs[rows] @ head.weights)
                wrong = distribution_rows(now, head.space) - targets[rows]
                self._step(head, inputs[rows].T @ (wrong / head.scale) / len(wrong))
        if not (np.isfinite(head.weights).all() and np.isfinite(head.moments).all() and np.isfinite(head.scale)):
            self._heads.popitem()  # numbers too large to learn from: it begins anew

    def _step(self, head: Head, gradient: Floats) -> None:
        head.steps += 1
        first, second = head.moments
        first += (1.0 - _BETAS[0]) * (gradient - first)
        second += (1.0 - _BETAS[1]) * (gradient**2 - second)
        size = math.sqrt(1.0 - _BETAS[1] ** head.steps) / (1.0 - _BETAS[0] ** head.steps)
        head.weights -= self.config.learning_rate * size * first / (np.sqrt(second) + _TINY)

    def _draws(self, *what: object) -> np.random.Generator:
        digest = hashlib.blake2b("/".join(map(str, (self._luck, *what))).encode(), digest_size=8).digest()
        return np.random.default_rng(int.from_bytes(digest, "little"))


def distribution_rows(logits: Floats, space: str) -> Floats:
    """Return rows of numbers (n, d) as points of a space."""
    if space != "simplex":
        return distribution(logits, space)
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def _inputs(task: Task, output: Floats) -> Floats:
    # Outputs of any size, so that one large number does not drown the features.
    return np.concatenate([np.tanh(output[:_OUTPUTS]), features(task, WIDTH), [1.0]])


def _rows(dims: int) -> int:
    return min(dims, _OUTPUTS) + WIDTH + 1


def _kind(task: Task) -> str:
    return "\n".join((task.type, task.space, *task.labels))


def _read(arrays: np.lib.npyio.NpzFile, number: int, config: AgentConfig) -> tuple[str, Head]:
    kind, space = (str(part) for part in arrays[f"{number}.kind"])
    scale, steps, seen = (float(part) for part in arrays[f"{number}.counts"])
    weights, moments = (np.asarray(arrays[f"{number}.{part}"], np.float64) for part in ("weights", "moments"))
    rows = [np.asarray(arrays[f"{number}.{part}"], np.float64) for part in ("inputs", "outputs", "outcomes")]
    dims = weights.shape[-1]
    shapes = [(len(rows[0]), _rows(dims)), (len(rows[0]), dims), (len(rows[0]), dims)]
    if weights.shape != (_rows(dims), dims) or moments.shape != (2, *weights.shape) or len(rows[0]) < 1:
        raise ValueError("its weights have another shape")
    if [row.shape for row in rows] != shapes or space not in ("simplex", "box", "real"):
        raise ValueError("its memory has another shape")
    if not all(np.isfinite(part).all() for part in (weights, moments, *rows)) or not 0 < scale < math.inf:
        raise ValueError("it holds numbers that are not finite")
    memory = deque(zip(*rows, strict=True), maxlen=config.memory_size)
    return kind, Head(space, memory, weights, scale, moments, int(steps), int(seen))
