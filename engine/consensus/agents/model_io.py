"""Any torch module as a function of a task: how wide its input is, and what its output says."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.consensus.agents.encoding import MAX_WIDTH, features
from engine.consensus.errors import ConsensusError
from engine.consensus.tasks import Task
from engine.games.games import Floats

_log = logging.getLogger(__name__)
_USUAL = (64, 128, 32, 256, 16, 512, 10, 8, 100, 784, 5, 4, 3, 2, 1)  # tried where nothing tells the width
_SIDES = (16, 8, 28, 32, 64)  # of a convolution's other dimensions
_TRIALS = 64
_WORDS = 16  # numbers of tokens that a model with an embedding reads
MAX_OUTPUT = 1 << 24
Layout = tuple[tuple[int, ...], int]  # shape of the input; size of the vocabulary, 0 for numbers


@lru_cache(maxsize=16)
def usable(device: str) -> str:
    """Return the device, or cpu where it asks for CUDA and there is none. Raises ConsensusError for an unknown one."""
    try:
        kind = torch.device(device).type
    except (RuntimeError, TypeError) as error:
        raise ConsensusError(f"The device {device!r} is unknown", str(error).splitlines()[0]) from error
    if kind not in ("cpu", "cuda"):
        raise ConsensusError(f"The device {device!r} is not supported", "agents run on cpu or cuda")
    if kind == "cuda" and not torch.cuda.is_available():
        _log.info("there is no CUDA device, so agents run on the processor")
        return "cpu"
    if kind == "cuda" and (torch.device(device).index or 0) >= torch.cuda.device_count():
        raise ConsensusError(f"There is no device {device}", f"this machine has {torch.cuda.device_count()}")
    return device


class ModelRunner:
    """Runs a module on tasks: in evaluation mode, without gradients, one draw of luck a task."""

    def __init__(self, model: nn.Module, device: str) -> None:
        self.model = model
        self.device = device
        self._layout: Layout | None = None

    def to(self, device: str) -> None:
        """Move the module."""
        self.model.to(device)
        self.device = device

    def run(self, task: Task, seed: int) -> tuple[Floats, float | None]:
        """Return the module's numbers (k,), and how sure it is where it says so as the second of two outputs.

        Raises ConsensusError for a module that fails, takes no task, or gives no real numbers.
        """
        self.model.eval()
        with torch.no_grad(), torch.random.fork_rng(devices=[] if self.device == "cpu" else [self.device]):
            torch.manual_seed(seed)  # a module that draws gives one answer a task
            try:
                return _read(self._forward(task))
            except ConsensusError:
                raise
            except Exception as error:  # the module is the user's, and may raise anything
                raise _failed(error) from error

    def dtype(self) -> torch.dtype:
        """Return the type of numbers that the module works in."""
        for part in self.model.parameters():
            if part.is_floating_point():
                return part.dtype
        return torch.get_default_dtype()

    def _forward(self, task: Task) -> Any:
        if self._layout is not None:
            return self.model(self._input(task, self._layout))
        first: Exception | None = None
        narrow = None
        for layout in _layouts(self.model):
            try:
                output = self.model(self._input(task, layout))
                numbers, _ = _read(output)
            except Exception as error:  # not this layout
                first = first or error
                continue
            if len(numbers) < task.dims:  # a layer that takes a batch for a sequence, say
                narrow = output if narrow is None else narrow
                continue
            self._layout = layout
            return output
        if narrow is not None:
            return narrow
        raise first if isinstance(first, ConsensusError) else _failed(first)

    def _input(self, task: Task, layout: Layout) -> torch.Tensor:
        shape, words = layout
        numbers = features(task, int(np.prod(shape)))
        if words:
            return torch.tensor((np.abs(numbers) * 1e6).astype(np.int64) % words, device=self.device).reshape(shape)
        return torch.tensor(numbers, dtype=self.dtype(), device=self.device).reshape(shape)


def _layouts(model: nn.Module) -> Iterator[Layout]:
    """Yield shapes of inputs that the module may take, the likeliest first."""
    given = list(dict.fromkeys(_by_layers(model)))
    for layout in given[:_TRIALS]:
        yield layout
    for width in _USUAL:
        for layout in (((1, width), 0), ((width,), 0)):
            if layout not in given:
                yield layout


def _by_layers(model: nn.Module) -> Iterator[Layout]:
    for layer in model.modules():
        for name in ("in_features", "input_size", "embed_dim", "in1_features"):
            width = getattr(layer, name, None)
            if isinstance(width, int) and 1 <= width <= MAX_WIDTH:
                yield from (((1, width), 0), ((1, 1, width), 0), ((width,), 0))
        words = getattr(layer, "num_embeddings", None)
        if isinstance(words, int) and words >= 1:
            yield ((1, _WORDS), words)
        channels = getattr(layer, "in_channels", None)
        if isinstance(channels, int) and 1 <= channels <= 1024:
            kernel = getattr(layer, "kernel_size", (1, 1))
            for side in _SIDES:
                yield ((1, channels, *(side,) * len(kernel)), 0)
        for part in getattr(layer, "normalized_shape", None) or ():
            if isinstance(part, int) and 1 <= part <= MAX_WIDTH:
                yield ((1, part), 0)
    for name, part in model.named_parameters():
        if not isinstance(part, nn.parameter.UninitializedParameter) and part.ndim == 2 and "embed" not in name:
            yield from (((1, part.shape[1]), 0), ((1, part.shape[0]), 0))


def _read(output: Any) -> tuple[Floats, float | None]:
    """Return numbers and confidence of what a module gave."""
    sure: float | None = None
    if isinstance(output, Mapping):
        named = [output[name] for name in ("position", "logits", "output") if name in output]
        output = (named or [part for part in output.values() if isinstance(part, torch.Tensor)] or [None])[0]
    if isinstance(output, tuple | list) and output:
        second = output[1] if len(output) == 2 else None
        if (isinstance(second, torch.Tensor) and second.numel() == 1) or isinstance(second, float):
            sure = float(second)
        output = output[0]
    if not isinstance(output, torch.Tensor):
        raise ConsensusError("The model gives no tensor", f"its output is of type {type(output).__name__}")
    if output.is_complex() or output.numel() == 0 or output.numel() > MAX_OUTPUT:
        raise ConsensusError("The model's output cannot be used", f"it is {output.dtype} of shape {list(output.shape)}")
    dense = output.detach() if output.layout == torch.strided else output.detach().to_dense()
    return dense.to(device="cpu", dtype=torch.float64).numpy().reshape(-1).copy(), sure


def _failed(error: Exception | None) -> ConsensusError:
    return ConsensusError("The model failed", _line(error), "Run it by itself on a tensor of its input's shape.")


def _line(error: Exception | None) -> str:
    lines = [line.strip() for line in str(error or "").splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]
