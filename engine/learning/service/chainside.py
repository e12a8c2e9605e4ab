"""A run beside its stakes: finalised blocks and slashings go to the staking contract, deposits come from it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING

from engine.core.errors import EngineError
from engine.learning.crypto.keys import ValidatorKeys
from engine.learning.events import LearnFinality, LearnPhase, LearnRefused, LearnSlashed
from engine.learning.results import PHASES
from engine.learning.staking.mirror import Mark, StakingMirror
from engine.learning.types import ZERO, root_of

if TYPE_CHECKING:
    from engine.core.bus import Subscription
    from engine.learning.run.world import World
    from engine.learning.service.run import LearnRun
    from engine.learning.service.service import LearnParts

_LAST_S = 30.0  # for what is still to be told at a run's end


class ChainSide:
    """An async context manager around a run's life. What cannot be mirrored is told as an event and the run goes on."""

    def __init__(self, parts: LearnParts, run: LearnRun, world: World, created: float) -> None:
        self._parts = parts
        self._run = run
        self._world = world
        self._created = created
        self._work: asyncio.Queue[Callable[[], Awaitable[None]]] = asyncio.Queue()
        self._joined = 0
        self._subscriptions: list[Subscription] = []

    async def __aenter__(self) -> ChainSide:
        run, bus = self._run, self._parts.bus
        chain = await self._parts.connect()
        genesis = self._world.kit.tree.root
        self._mirror = StakingMirror(chain, self._parts.store, run.run_id, run.config, genesis, self._created)
        await self._mirror.open()
        self._world.on_newcomer = self._stake
        self._task = asyncio.get_running_loop().create_task(self._serve(), name=f"stakes of run {run.run_id}")
        self._subscriptions = [
            bus.subscribe(self._finalized, LearnFinality),
            bus.subscribe(self._slashed, LearnSlashed),
            bus.subscribe(self._phase, LearnPhase),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for subscription in self._subscriptions:
            subscription.close()
        if kind is None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._work.join(), _LAST_S)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _serve(self) -> None:
        while True:
            step = await self._work.get()
            try:
                await step()
            except EngineError as error:
                slot = self._run.slot
                text = f"the staking contract was not told: {error}"
                self._parts.bus.publish(LearnRefused(self._run.run_id, slot, "deposit", "staking", -1, text))
            finally:
                self._work.task_done()

    def _finalized(self, event: LearnFinality) -> None:
        if event.run_id == self._run.run_id and event.finalized_epoch > 0:
            mark = self._mark(bytes.fromhex(event.finalized_root))
            self._work.put_nowait(lambda: self._checkpoint(mark))

    def _slashed(self, event: LearnSlashed) -> None:
        if event.run_id == self._run.run_id and not event.tx:
            self._work.put_nowait(lambda: self._punish(event))

    def _phase(self, event: LearnPhase) -> None:
        first = event.phase == PHASES[0] and event.slot % self._run.config.slots_per_epoch == 0
        if event.run_id == self._run.run_id and first:
            self._work.put_nowait(self._take_deposits)

    def _stake(self, keys: ValidatorKeys) -> None:
        self._work.put_nowait(lambda: self._deposit(keys))

    async def _deposit(self, keys: ValidatorKeys) -> None:
        await self._mirror.deposit_for(keys)

    async def _checkpoint(self, mark: Mark) -> None:
        await self._mirror.checkpoint(mark)

    async def _punish(self, event: LearnSlashed) -> None:
        tx = await self._mirror.slashed(event.validator, event.reason, bytes.fromhex(event.evidence))
        if tx:
            self._world.mirrored(event.validator, tx)
            self._parts.bus.publish(replace(event, tx=tx))

    async def _take_deposits(self) -> None:
        for deposit in await self._mirror.deposits(self._joined):
            self._joined = int(deposit.index) + 1
            self._world.deposit(deposit)

    def _mark(self, root: bytes) -> Mark:
        """Return what the contract is told of a block."""
        signed = self._world.kit.tree.block(root)
        assert signed is not None  # only the genesis has none
        block = signed.message
        execution = block.body.execution
        certificates = block.body.certificates
        return Mark(
            int(block.slot),
            root,
            bytes(block.parent_root),
            bytes(execution.model_root),
            bytes(execution.extra_data)[32:],
            root_of(certificates[0]) if len(certificates) else ZERO,
        )
