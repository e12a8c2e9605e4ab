"""A model whose layers lie on two servers, as Petals splits large ones: each holds half of the blocks.

Source: "Petals: Collaborative Inference and Fine-tuning of Large Models" (Borzunov et al. 2022). The servers are
``hivemind.moe``'s, which find each other by a DHT of their own. Streams go over the wire unchanged, so that losses
are those of the local model to the last nano-nat. Three processes: two servers, and a front that asks them.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
from collections.abc import Sequence
from typing import Any

from engine.learning.ai.lineage import Line
from engine.learning.ai.model import Model
from engine.learning.ai.split_host import serve_blocks, serve_front
from engine.learning.errors import TrainingError

START, ANSWER, END = 60.0, 120.0, 10.0  # seconds to wait for a process to come up, to answer, to end


class SplitModel:
    """A running split; an async context manager. ``processes`` are the ids of first half, second half and front."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._hosts: list[_Host] = []

    async def __aenter__(self) -> SplitModel:
        """Start the processes. Raises TrainingError when one does not come up."""
        half = (self._model.layers + 1) // 2
        peers: list[str] = []
        try:
            for number, layers in enumerate(((0, half), (half, self._model.layers))):
                self._hosts.append(_Host(serve_blocks, number, layers))
            self._hosts.append(_Host(serve_front))
            for host in self._hosts:  # all import their libraries meanwhile; each joins those before it
                host.send(peers)
                peers = peers + await host.answer(START)
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def processes(self) -> tuple[int, ...]:
        """Process ids."""
        return tuple(host.process.pid or 0 for host in self._hosts)

    async def losses(self, line: Line, delta: bytes | None, split: str, numbers: Sequence[int]) -> list[int]:
        """Return the loss of a model, with a delta on top, on texts of a split: nano-nats a token.

        ``line`` is complete. Raises TrainingError when a server is gone.
        """
        for host in self._hosts:
            host.send(("use", line, delta))
        for host in self._hosts:
            await host.answer(ANSWER)
        self._hosts[-1].send(("losses", split, tuple(numbers)))
        found: list[int] = await self._hosts[-1].answer(ANSWER)
        return found

    async def close(self) -> None:
        """End the processes and what they started."""
        hosts, self._hosts = self._hosts, []
        await asyncio.gather(*(host.stop() for host in reversed(hosts)))


class _Host:
    """A process and the pipe to it."""

    def __init__(self, work: Any, *arguments: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, far = context.Pipe()
        self.process = context.Process(target=work, args=(os.getpid(), far, *arguments), daemon=True)
        self.process.start()
        far.close()

    def send(self, order: Any) -> None:
        try:
            self._pipe.send(order)
        except OSError as error:
            raise _gone(repr(error)) from error

    async def answer(self, seconds: float) -> Any:
        """Return the next answer. Raises TrainingError."""
        deadline = asyncio.get_running_loop().time() + seconds
        while not self._pipe.poll():
            if not self.process.is_alive() and not self._pipe.poll():
                raise _gone(f"its exit code is {self.process.exitcode}")
            if asyncio.get_running_loop().time() > deadline:
                raise _gone(f"it says nothing for {seconds:g} seconds")
            await asyncio.sleep(0.002)
        try:
            kind, value = self._pipe.recv()
        except (EOFError, OSError) as error:
            raise _gone("it ended") from error
        if kind == "failed":
            raise TrainingError("The split model failed", value)
        return value

    async def stop(self) -> None:
        """Ask it to end, then end it with all that it started."""
        with contextlib.suppress(OSError):
            self._pipe.send(None)
        await asyncio.to_thread(self.process.join, END)
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid or 0, signal.SIGKILL)
        await asyncio.to_thread(self.process.join, END)
        self._pipe.close()


def _gone(why: str) -> TrainingError:
    return TrainingError("A server of the split model is gone", why, "Split the model again.")
