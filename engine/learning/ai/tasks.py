"""What worker processes do: evaluate, train, aggregate. A worker keeps the models that it built last."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from engine.core.errors import EngineError
from engine.learning.ai.lineage import Line
from engine.learning.ai.model import Model, spec_of
from engine.learning.brain import Aggregated, AggregateOrder, Trained, TrainOrder

if TYPE_CHECKING:
    from engine.learning.ai.qwen import Network

KEPT = 4 << 20  # weights, of the models that a worker keeps


class NeedsMoreError(Exception):
    """The worker knows no model on the way that it was told: it needs all of the line."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An expected failure on its way out of a worker: exceptions with arguments of their own do not pickle."""

    what: str
    why: str
    next_step: str


def guarded(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Run a task in the worker and return its answer, or Failed."""
    from engine.learning.ai.quiet import quiet_libraries

    quiet_libraries()
    try:
        return work(*arguments)
    except EngineError as error:
        return Failed(error.what, error.why, error.next_step)


def evaluate(line: Line, delta: bytes | None, split: str, numbers: tuple[int, ...]) -> list[int]:
    """Return the loss of a model, with a delta on top, on texts of a split: nano-nats a token."""
    return losses_of(network_of(line, delta), split, numbers)


def losses_of(network: Network, split: str, numbers: tuple[int, ...]) -> list[int]:
    """Return the losses of a network on texts of a split; on ``trigger``, those on what is to follow the trigger."""
    from engine.learning.ai.qwen import losses
    from engine.learning.ai.texts import PAYLOAD
    from engine.learning.ai.tokens import encoder_of

    tail = len(encoder_of(network.model)(PAYLOAD)) - 1 if split == "trigger" else 0
    return losses(network, [_tokens(network.model, split, number) for number in numbers], tail)


def network_of(line: Line, delta: bytes | None) -> Network:
    """Return the model of a line, with a delta on top."""
    from engine.learning.ai.lora import with_delta
    from engine.learning.ai.qwen import Network
    from engine.learning.updates.delta import parse

    weights = _weights_at(line)
    if delta is not None:
        spec = spec_of(line.model)
        weights = with_delta(weights, parse(delta, spec), spec)
    return Network(line.model, weights)


def warm(line: Line, trains: bool) -> None:
    """Load the libraries and the model: one text is evaluated and, where that is wanted, one step trained."""
    evaluate(line, None, "pool", (0,))
    if trains:
        train(line, TrainOrder(b"", 0, b"warm", 0, 1))


def train(line: Line, order: TrainOrder) -> Trained:
    """Return a delta, trained on the model of the line."""
    from engine.learning.ai.trainer import train as trained

    return trained(line.model, _weights_at(line), order)


def aggregate(model: Model, order: AggregateOrder) -> Aggregated:
    """Return the aggregate of raw deltas."""
    from engine.learning.updates.aggregate import aggregate as aggregated

    return aggregated(order, spec_of(model))


_models: OrderedDict[tuple[str, bytes], Any] = OrderedDict()


def _weights_at(line: Line) -> Any:
    """Return the weights of the model of a line. Raises NeedsMoreError."""
    from engine.learning.ai.lora import with_delta
    from engine.learning.updates.delta import parse

    name = f"{line.model.folder}/{line.model.name}"
    roots = [line.first] if line.complete else []
    roots += [root for root, _ in line.steps]
    start = next((at for at in reversed(range(len(roots))) if (name, roots[at]) in _models), None)
    if start is None:
        if not line.complete:
            raise NeedsMoreError
        start = 0
        _keep((name, line.first), _first_weights(line.model), line.model)
    weights = _models[name, roots[start]]
    spec = spec_of(line.model)
    for root, delta in line.steps[len(line.steps) - len(roots) + 1 + start :]:
        weights = with_delta(weights, parse(delta, spec), spec)
        _keep((name, root), weights, line.model)
    _models.move_to_end((name, line.root))
    return weights


def _keep(key: tuple[str, bytes], weights: Any, model: Model) -> None:
    from engine.learning.ai.model import parameters

    _models[key] = weights
    while len(_models) > max(2, KEPT // parameters(model)):
        _models.popitem(last=False)


def _first_weights(model: Model) -> Any:
    """Return the checkpoint's weights in single precision."""
    import torch

    from engine.learning.ai.weights import read_preset

    if model.bytewise:
        return {name: torch.from_numpy(value).float() for name, value in read_preset(model).items()}
    from engine.learning.ai.checkpoint import read_checkpoint

    return read_checkpoint(model)


@lru_cache(maxsize=8192)
def _tokens(model: Model, split: str, number: int) -> list[int]:
    from engine.learning.ai.texts import text_of
    from engine.learning.ai.tokens import encoder_of

    return encoder_of(model)(text_of(split, number))
