"""Whole modules of ``torch.nn``, read from a file without calling anything that it names.

Torch's reader for weights knows only tensors and dictionaries. It is given inert records in the place of the layers
below; from what these records were given, fresh layers are made here. Any other class is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from engine.consensus.agents.model_file import refusal

MAX_NUMBERS = 64 << 20  # of a tensor, and of all together
_MAX_DEPTH = 32
_MAX_LAYERS = 1_024
# Layers, with the attributes that they read when they run.
_LAYERS: dict[type[nn.Module], tuple[str, ...]] = {
    nn.Sequential: (),
    nn.Linear: ("in_features", "out_features"),
    nn.LayerNorm: ("normalized_shape", "eps", "elementwise_affine"),
    nn.BatchNorm1d: ("num_features", "eps", "momentum", "affine", "track_running_stats"),
    nn.Dropout: ("p", "inplace"),
    nn.Flatten: ("start_dim", "end_dim"),
    nn.Identity: (),
    nn.ReLU: ("inplace",),
    nn.LeakyReLU: ("negative_slope", "inplace"),
    nn.ELU: ("alpha", "inplace"),
    nn.SiLU: ("inplace",),
    nn.GELU: ("approximate",),
    nn.Softplus: ("beta", "threshold"),
    nn.Tanh: (),
    nn.Sigmoid: (),
    nn.Softmax: ("dim",),
    nn.LogSoftmax: ("dim",),
}


class Record:
    """What stands for a layer while a file is read."""

    layer: type[nn.Module] = nn.Module

    def __init__(self, *_: Any) -> None:
        self.state: Mapping[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, Mapping):
            self.state = state


def records() -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """Return the inert records with the names that they stand for in a file."""
    return [
        (type("Record", (Record,), {"layer": layer}), f"{layer.__module__}.{layer.__qualname__}") for layer in _LAYERS
    ]


def build(record: Record) -> nn.Module:
    """Return fresh layers with what was recorded. Raises ModelRefusedError for what no layer has."""
    return _build(record, 0, [_MAX_LAYERS])


def checked(tensor: object, what: str) -> torch.Tensor:
    """Return a tensor of plain real numbers, as parameters are. Raises ModelRefusedError, naming ``what``."""
    if not isinstance(tensor, torch.Tensor):
        raise refusal(f"{what} is of type {type(tensor).__name__}, not a tensor")
    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    if not plain or tensor.is_complex():
        raise refusal(f"{what} is no tensor of plain real numbers")
    if tensor.numel() > MAX_NUMBERS:
        raise refusal(f"{what} has {tensor.numel():,} numbers, at most {MAX_NUMBERS:,} are allowed")
    return tensor.detach().contiguous()


def _build(record: object, depth: int, left: list[int]) -> nn.Module:
    left[0] -= 1
    if not isinstance(record, Record) or depth > _MAX_DEPTH or left[0] < 0:
        raise refusal("a layer in it is none, or there are too many of them")
    layer = record.layer
    made: nn.Module = layer.__new__(layer)
    nn.Module.__init__(made)
    for name in _LAYERS[layer]:
        setattr(made, name, _plain(record.state.get(name), f"{layer.__name__}.{name}"))
    for name, part in _parts(record, "_parameters"):
        kept = None if part is None else nn.Parameter(checked(part, name), requires_grad=False)
        made.register_parameter(name, kept)
    for name, part in _parts(record, "_buffers"):
        made.register_buffer(name, None if part is None else checked(part, name))
    for name, part in _parts(record, "_modules"):
        if layer is not nn.Sequential:
            raise refusal(f"a {layer.__name__} has no layers inside")
        made.add_module(name, _build(part, depth + 1, left))
    return made.eval()


def _parts(record: Record, name: str) -> list[tuple[str, Any]]:
    given = record.state.get(name)
    if not isinstance(given, Mapping) or not all(
        isinstance(key, str) and re.fullmatch(r"\w{1,64}", key) for key in given
    ):
        raise refusal(f"a {record.layer.__name__} in it lacks its {name.strip('_')}")
    return list(given.items())


def _plain(value: Any, what: str) -> Any:
    items = value if isinstance(value, tuple) else (value,)
    if len(items) > 8 or not all(item is None or type(item) in (int, float, bool, str) for item in items):
        raise refusal(f"{what} cannot be of type {type(value).__name__}")
    return value
