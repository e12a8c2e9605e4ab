"""Measures the cells of a byzantine sweep.

A cell: 1. bad trainers replace some of the honest ones, by the attack. 2. The rule aggregates, told the true number of
bad ones. 3. The result is judged by the gate on texts drawn for it, by the held-out loss, and by the loss on what a
backdoor is to answer; beside it stand the honest deltas alone and the bad ones alone. All trainers start from the
genesis model, so that every cell answers the same question.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

import numpy as np

from engine.learning.adversary.deltas import attacked
from engine.learning.brain import Aggregated, AggregateOrder, Brain, TrainOrder
from engine.learning.errors import LearningError
from engine.learning.sweep.cells import Measured, Sweep, SweepCell, judged, sentence
from engine.learning.sweep.spec import SweepSpec
from engine.learning.updates.draw import gate_texts, verdict
from engine.learning.updates.manifest import manifest_of

TRAINED = ("label_flip", "backdoor", "overfit")  # attacks by training on something else
STEPS = 20  # of training where it is done for real

OnCell = Callable[[SweepCell, int, int], None]


async def run_sweep(spec: SweepSpec, brain: Brain, on_cell: OnCell | None = None) -> Sweep:
    """Return the sweep of a specification; ``on_cell(cell, done, total)`` hears of each cell.

    Cancel it by cancelling its task. Raises TrainingError where the brain has not enough trainers.
    """
    work = _Work(spec, brain, await brain.genesis())
    cells: list[SweepCell] = []
    for attack in spec.attacks:
        for rule in spec.rules:
            for fraction in spec.fractions:
                cells.append(await work.cell(attack, rule, fraction))
                if on_cell is not None:
                    on_cell(cells[-1], len(cells), spec.total)
    return Sweep(spec, work.base.hex(), brain.training, tuple(cells))


class _Work:
    """One sweep at work; the brain remembers what it evaluated before."""

    def __init__(self, spec: SweepSpec, brain: Brain, base: bytes) -> None:
        self.spec = spec
        self.brain = brain
        self.base = base
        self._seed = sha256(b"POL-AI sweep|%d" % spec.seed).digest()
        self._trained: dict[tuple[str, int], bytes] = {}

    async def cell(self, attack: str, rule: str, fraction: float) -> SweepCell:
        spec, f = self.spec, self.spec.byzantine(fraction)
        places = self._places(f)
        honest = [await self._delta("honest", place) for place in range(spec.trainers) if place not in places]
        bad = await self._bad(attack, places, honest)
        raws = self._filled(honest, dict(zip(places, bad, strict=True)))
        order = AggregateOrder(self.base, tuple(enumerate(raws)), rule, f, spec.clip_norm)
        made = await self.brain.aggregate(order)
        shown = made if made.delta is not None else await self.brain.aggregate(replace(order, guarded=False))
        measured, accepted, public = await asyncio.gather(
            self._measured(shown.delta, honest, bad),
            self._gate(order, shown.delta, drawn=True),
            self._gate(order, shown.delta, drawn=False) if attack == "overfit" else _nothing(),
        )
        broken, gain, took = judged(measured, attack if bad else "")
        cell = SweepCell(
            attack=attack,
            rule=rule,
            fraction=fraction,
            trainers=spec.trainers,
            byzantine=f,
            verdict="refused" if made.reason else "broken" if broken else "safe",
            broken=broken,
            refused=made.reason,
            chosen=sum(raw.chosen for raw in shown.raws),
            chosen_bad=sum(raw.chosen for raw in shown.raws if raw.trainer in places),
            accepted=accepted,
            accepted_public=public,
            loss_before=measured.base / 1e9,
            loss_after=measured.after / 1e9,
            trigger_before=measured.trigger_base / 1e9,
            trigger_after=measured.trigger_after / 1e9,
            gain=gain,
            took=took,
            text="",
        )
        return replace(cell, text=sentence(cell, _formula(made)))

    async def _measured(self, delta: bytes | None, honest: Sequence[bytes], bad: Sequence[bytes]) -> Measured:
        base, trigger_base = await self._losses(None)
        alone, trigger_alone = await self._losses(await self._mean(honest))
        _, trigger_bad = await self._losses(await self._mean(bad)) if bad else (0, trigger_base)
        after, trigger_after = await self._losses(delta)
        return Measured(base, alone, after, trigger_base, trigger_alone, trigger_bad, trigger_after)

    async def _losses(self, delta: bytes | None) -> tuple[int, int]:
        root = self.base if delta is None else self.brain.merge(self.base, delta)
        held, trigger = await asyncio.gather(self.brain.held_out(root), self.brain.triggered(root))
        return held, trigger

    async def _gate(self, order: AggregateOrder, delta: bytes | None, *, drawn: bool) -> bool:
        if delta is None:
            return False
        count = self.spec.gate_texts
        texts: Sequence[int] = range(count)
        if drawn:
            texts = gate_texts(manifest_of(order, delta).update_id, self._seed, count, self.brain.pool)
        before, after = await asyncio.gather(
            self.brain.evaluate(self.base, None, texts), self.brain.evaluate(self.base, delta, texts)
        )
        return verdict(before, after).accept

    async def _mean(self, deltas: Sequence[bytes]) -> bytes:
        order = AggregateOrder(self.base, tuple(enumerate(deltas)), "fedavg", 0, self.spec.clip_norm)
        made = await self.brain.aggregate(order)
        if made.delta is None:
            raise LearningError("The deltas cannot be averaged", made.reason)
        return made.delta

    async def _bad(self, attack: str, places: Sequence[int], honest: Sequence[bytes]) -> list[bytes]:
        """Return what the bad trainers publish. What is published can be read: ALIE knows the honest deltas."""
        made = []
        for number, place in enumerate(places[:1] if self.spec.collude else places):
            if attack in TRAINED:
                made.append(await self._delta(attack, number))
                continue
            own, seed = await self._delta("honest", place), self._seed + b"|%d" % place
            n, f = self.spec.trainers, len(places)
            made.append(attacked(attack, own, seen=honest, trainers=n, byzantine=f, seed=seed))
        return made * len(places) if self.spec.collude else made

    async def _delta(self, flavour: str, trainer: int) -> bytes:
        if (flavour, trainer) not in self._trained:
            order = TrainOrder(self.base, 0, self._seed, trainer, STEPS, flavour)
            self._trained[flavour, trainer] = (await self.brain.train(order)).delta
        return self._trained[flavour, trainer]

    def _places(self, byzantine: int) -> tuple[int, ...]:
        """Return which trainers are bad: the first f of a shuffle, so that more of them include the fewer."""
        rng = np.random.default_rng(list(self._seed))
        return tuple(rng.permutation(self.spec.trainers)[:byzantine].tolist())

    def _filled(self, honest: Sequence[bytes], bad: dict[int, bytes]) -> list[bytes]:
        rest = iter(honest)
        return [bad[place] if place in bad else next(rest) for place in range(self.spec.trainers)]


async def _nothing() -> None:
    return None


def _formula(made: Aggregated) -> str:
    return next((raw.detail for raw in made.raws if raw.reason == made.reason), made.reason)
