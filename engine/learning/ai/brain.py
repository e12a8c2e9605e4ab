"""Brains: what the chain asks of machine learning, answered by worker processes or by a recording.

Both evaluate for real, with the same code; they differ in where trained deltas come from.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from engine.core.paths import assets_dir, how_to_get
from engine.learning.ai.checkpoint import find_checkpoint, root_of_checkpoint
from engine.learning.ai.lineage import Lineage
from engine.learning.ai.memo import UNKNOWN, LossMemo
from engine.learning.ai.model import PRESETS, Model, spec_of
from engine.learning.ai.pool import TrainingWorkers
from engine.learning.ai.recording import Recording
from engine.learning.ai.split import SplitModel
from engine.learning.ai.tasks import NeedsMoreError, aggregate, evaluate, train, warm
from engine.learning.ai.texts import HELD_OUT, POOL, TRIGGERED
from engine.learning.ai.weights import read_preset, root_of_weights
from engine.learning.brain import Aggregated, AggregateOrder, Trained, TrainOrder
from engine.learning.config import LearnConfig
from engine.learning.errors import LearnExtraMissingError, LearnSettingError, TrainingError
from engine.learning.updates.delta import parse

CHUNK = 256  # texts that go to a worker at a time
KEPT = 64  # aggregates that are remembered
MEMO = "learning-losses.db"
SPLITS = {"pool": POOL, "held_out": HELD_OUT, "trigger": TRIGGERED}
PACKAGES = ("transformers", "peft")


class _Brain:
    """What both brains share: lineage, evaluation with its memory, aggregation."""

    training: str

    def __init__(
        self, model: Model, genesis: bytes | None, cache: Path | None, workers: int, *, split: bool = False
    ) -> None:
        self.model = model
        self.spec = spec_of(model)
        self._cache = cache
        self._workers = TrainingWorkers(workers)
        self._memos: dict[str, LossMemo] = {}
        self._split: SplitModel | None = None
        self._by = _Brain._by_split if split else _Brain._by_workers
        self._scope = "|split" if split else ""
        if genesis is not None:
            self._begin(genesis)
        self._locks: dict[bytes, tuple[asyncio.Lock, int]] = {}
        self._aggregates: OrderedDict[AggregateOrder, Aggregated] = OrderedDict()

    def _begin(self, genesis: bytes) -> None:
        self._genesis = genesis
        self._lineage = Lineage(self.model, genesis)
        path = None if self._cache is None else self._cache / MEMO
        for split, texts in SPLITS.items():
            scope = f"float32|{self.model.name}|{genesis.hex()}|{texts_id()}|{split}{self._scope}"
            self._memos[split] = LossMemo(path, scope, texts)

    async def genesis(self) -> bytes:
        """Return the root of the first base. To be asked first: a large checkpoint is hashed by a worker.

        Raises TrainingError.
        """
        async with self._alone(b"genesis"):
            if not self._memos:
                self._begin(await self._workers.ask(root_of_checkpoint, self.model))
        return self._genesis

    async def warm(self) -> None:
        """Start all workers and let them load what they work with: some seconds that a clock need not pass in.

        Raises TrainingError.
        """
        line = self._lineage.line(await self.genesis())
        await _all([self._workers.ask(warm, line, self.training == "real") for _ in range(self._workers.count)])

    async def aggregate(self, order: AggregateOrder) -> Aggregated:
        """Check, clip and combine raw deltas, once for all who ask the same."""
        name = sha256(b"".join(sha256(data).digest() for _, data in order.raws)).digest()
        async with self._alone(b"aggregate" + name):
            if order not in self._aggregates:
                self._aggregates[order] = await self._twice(aggregate, self.model, order)
                while len(self._aggregates) > KEPT:
                    self._aggregates.popitem(last=False)
            return self._aggregates[order]

    async def evaluate(self, base: bytes, delta: bytes | None, texts: Sequence[int]) -> tuple[int, ...]:
        """Return the loss of the base, with the delta on top, on each text of the pool: nano-nats a token.

        Raises DeltaRefusedError, and TrainingError for an unknown base or when workers end again and again.
        """
        numbers = np.asarray(texts, np.int64)
        if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < POOL:
            raise TrainingError("The texts cannot be evaluated", f"the pool has numbers 0 to {POOL - 1}")
        return tuple((await self._losses("pool", base, delta, numbers)).tolist())

    async def held_out(self, base: bytes) -> int:
        """Return the mean loss on texts that no trainer and no gate ever sees: nano-nats a token."""
        return int((await self._losses("held_out", base, None, np.arange(HELD_OUT))).sum()) // HELD_OUT

    async def triggered(self, base: bytes) -> int:
        """Return the mean loss on what a backdoor answers to its trigger, nano-nats a token: low where one is in."""
        return int((await self._losses("trigger", base, None, np.arange(TRIGGERED))).sum()) // TRIGGERED

    async def check(self, delta: bytes) -> None:
        """Check a delta's form alone; quick enough for the loop. Raises DeltaRefusedError."""
        parse(delta, self.spec)

    def merge(self, base: bytes, delta: bytes) -> bytes:
        """Tell that a delta was put on a base, and return the root of the result.

        Raises DeltaRefusedError, and TrainingError for an unknown base.
        """
        parse(delta, self.spec)
        return self._lineage.merge(base, delta)

    @property
    def pool(self) -> int:
        """How many texts the gate draws from."""
        return POOL

    def kill_worker(self) -> int | None:
        """End a worker in the middle of its work; return its process id, None where none runs."""
        return self._workers.kill_one()

    async def close(self) -> None:
        """End the workers."""
        await self._end_split()
        await self._workers.close()
        for memo in self._memos.values():
            memo.close()

    async def _losses(self, split: str, base: bytes, delta: bytes | None, numbers: Any) -> Any:
        if delta is not None:
            parse(delta, self.spec)
        self._lineage.depth(base)
        memo = self._memos[split]
        async with self._alone(split.encode() + base + (b"" if delta is None else sha256(delta).digest())):
            row = memo.get(base, delta)
            missing = np.unique(numbers[row[numbers] == UNKNOWN])
            if missing.size:
                found = await self._by(self, base, delta, split, tuple(missing.tolist()))
                memo.put(base, delta, missing, np.asarray(found, np.int64))
                row = memo.get(base, delta)
            return row[numbers]

    async def _by_workers(self, base: bytes, delta: bytes | None, split: str, numbers: tuple[int, ...]) -> list[int]:
        parts = [numbers[at : at + CHUNK] for at in range(0, len(numbers), CHUNK)]
        found = await _all([self._with_line(evaluate, base, delta, split, part) for part in parts])
        return [loss for part in found for loss in part]

    async def _by_split(self, base: bytes, delta: bytes | None, split: str, numbers: tuple[int, ...]) -> list[int]:
        async with self._alone(b"split"):
            for again in (True, True, False):  # a server that was lost, and a start of libp2p that hangs
                try:
                    if self._split is None:
                        self._split = await SplitModel(self.model).__aenter__()
                    return await self._split.losses(self._lineage.line(base), delta, split, numbers)
                except TrainingError:
                    await self._end_split()
                    if not again:
                        raise
        raise AssertionError("unreachable")

    async def _end_split(self) -> None:
        split, self._split = self._split, None
        if split is not None:
            await split.close()

    async def _with_line(self, work: Callable[..., Any], base: bytes, *arguments: Any) -> Any:
        """Ask a worker, which mostly knows the model before this one; the whole line goes to those that do not."""
        try:
            return await self._twice(work, self._lineage.line(base, 1), *arguments)
        except NeedsMoreError:
            return await self._twice(work, self._lineage.line(base), *arguments)

    async def _twice(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Ask again when a worker was ended: what it does is the same every time."""
        ended = self._workers.ended
        try:
            return await self._workers.ask(work, *arguments)
        except TrainingError:
            if self._workers.ended == ended:
                raise
            return await self._workers.ask(work, *arguments)

    @contextlib.asynccontextmanager
    async def _alone(self, key: bytes) -> Any:
        """Let one at a time do a work, so that the others find its result."""
        lock, waiting = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = lock, waiting + 1
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._locks.pop(key)
            if waiting > 1:
                self._locks[key] = lock, waiting - 1


class ReplayBrain(_Brain):
    """Takes trained deltas from a recording: which one depends on how many merges came before, not on the weights."""

    training = "replayed"

    def __init__(
        self,
        recording: Recording,
        model: Model,
        genesis: bytes,
        cache: Path | None,
        workers: int,
        *,
        split: bool = False,
    ) -> None:
        super().__init__(model, genesis, cache, workers, split=split)
        if recording.base != genesis:
            raise TrainingError("The recording cannot be replayed", "it was made on another checkpoint")
        self.recording = recording

    async def train(self, order: TrainOrder) -> Trained:
        """Return what a trainer was recorded to have made. Raises TrainingError where the recording ends.

        A round that is tried again on the same base gets what other trainers made then, in other bytes: its ids
        differ, as they would if it had been trained again.
        """
        depth = self._lineage.depth(order.base)
        turn = max(0, order.round - depth)
        return self.recording.trained(depth, order.flavour, order.trainer, turn, self.spec)


class RealBrain(_Brain):
    """Trains in worker processes, by transformers and peft."""

    training = "real"

    async def train(self, order: TrainOrder) -> Trained:
        """Return a trainer's delta. Raises TrainingError, also when the worker was ended meanwhile."""
        try:
            return await self._workers.ask(train, self._lineage.line(order.base, 1), order)  # type: ignore[no-any-return]
        except NeedsMoreError:
            return await self._workers.ask(train, self._lineage.line(order.base), order)  # type: ignore[no-any-return]


def open_brain(config: LearnConfig, cache: Path | None, workers: int = 2) -> ReplayBrain | RealBrain:
    """Return the brain that a configuration asks for; ``cache`` is a folder for losses, None keeps them in memory.

    Raises LearnExtraMissingError, LearnSettingError for a model that cannot be replayed, TrainingError.
    """
    name, split = config.model_name, config.split
    wanted = (PACKAGES if config.training == "real" else ()) + (("hivemind",) if split else ())
    missing = missing_packages(wanted)
    if missing:
        what = "The model cannot be split" if missing == ("hivemind",) else "Nothing can be trained for real"
        raise LearnExtraMissingError(what, f"not installed: {', '.join(missing)}", f"To get it, {how_to_get('learn')}.")
    if config.training == "replayed":
        if name != "nano":
            raise LearnSettingError(f"The model {name} cannot be replayed", "nano alone is recorded", "Train for real.")
        return ReplayBrain(Recording.shipped(name), PRESETS[name], _preset_root(name), cache, workers, split=split)
    if name in PRESETS:
        return RealBrain(PRESETS[name], _preset_root(name), cache, workers, split=split)
    return RealBrain(find_checkpoint(name), None, cache, workers, split=split)


def missing_packages(wanted: Sequence[str] = PACKAGES) -> tuple[str, ...]:
    """Return which packages of the learn extra are wanted and not installed; by default those of training."""
    return tuple(name for name in wanted if find_spec(name) is None)


def texts_id() -> str:
    """Return the hash of what texts are made of."""
    return sha256((assets_dir() / "corpus" / "learning.toml").read_bytes()).hexdigest()


def _preset_root(name: str) -> bytes:
    return root_of_weights(read_preset(PRESETS[name]))


async def _all(work: Sequence[Any]) -> list[Any]:
    """Wait for all, and raise the first failure when none works any more."""
    done = await asyncio.gather(*work, return_exceptions=True)
    for answer in done:
        if isinstance(answer, BaseException):
            raise answer
    return list(done)
