"""The layers of a multilayer perceptron, taken out of what a file holds.

What is understood, all as ``torch.save`` writes it:

- a module, ``torch.save(model, PATH)``, and TorchScript: an ``nn.Sequential`` of the layers below, nested or not
- a state_dict of such a module, ``torch.save(model.state_dict(), PATH)``; it does not say what stands between the
  linear layers, so ReLU is assumed there
- ``{"format": "nashboard-mlp", "layers": [...], "system": ID, "features": NAME}``; a layer is ``{"kind": "linear",
  "weight": W, "bias": B}``, ``{"kind": "relu"}`` or ``{"kind": "hardtanh", "min": -1.0, "max": 1.0}``; bias, system and
  features may be left out

Layers: Linear, ReLU, ReLU6, Hardtanh, BatchNorm1d (folded into its neighbour); Identity, Dropout and Flatten do nothing
when a model plays, and neither does a Softmax or LogSoftmax at the end.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from engine.league.neural.archive import MAX_NUMBERS, Node, Tensor, open_model
from engine.league.neural.errors import ModelError

FORMAT: Final = "nashboard-mlp"
MAX_INPUTS: Final = 8192
MAX_LAYERS: Final = 16
MAX_WEIGHT: Final = 1e9
_TINY: Final = 1e-20
_MAX_ENTRIES: Final = 1000
_MAX_DEPTH: Final = 8
_IDLE: Final = ("Identity", "Dropout", "Flatten")
_STATE_KEY: Final = re.compile(r"(?P<prefix>.*?)(?P<number>\d+)\.(?P<name>weight|bias|running_mean|running_var)")
_SUPPORTED: Final = "Supported are Linear, ReLU, ReLU6, Hardtanh and BatchNorm1d in an nn.Sequential."

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Dense:
    """A linear layer and the clamp behind it: ``low`` and ``high`` are None for the last layer, high may be inf."""

    name: str
    weight: Floats
    bias: Floats
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Mlp:
    """A multilayer perceptron. ``system`` and ``features`` are what the file says it was trained for, "" if nothing.

    ``assumed`` tells what the file left open and was assumed.
    """

    layers: tuple[Dense, ...]
    system: str = ""
    features: str = ""
    assumed: str = ""

    @property
    def inputs(self) -> int:
        """How many numbers go in."""
        return int(self.layers[0].weight.shape[1])

    @property
    def outputs(self) -> int:
        """How many come out."""
        return int(self.layers[-1].weight.shape[0])

    @property
    def sizes(self) -> tuple[int, ...]:
        """The width of the input and of every layer."""
        return (self.inputs, *(layer.weight.shape[0] for layer in self.layers))

    @property
    def parameters(self) -> int:
        """How many weights and biases it has."""
        return sum(layer.weight.size + layer.bias.size for layer in self.layers)


@dataclass(frozen=True, slots=True, eq=False)
class _Clamp:
    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class _Affine:
    """y = scale * x + shift, number by number: what BatchNorm1d does when a model plays."""

    name: str
    scale: Floats
    shift: Floats


_Step = Dense | _Clamp | _Affine


def load_mlp(path: Path) -> Mlp:
    """Return the perceptron in a file. Raises ModelError naming the layer or the fault."""
    tree, scripted = open_model(path)
    if isinstance(tree, Node):
        return Mlp(_assemble(list(_module_steps(tree, "", 0, scripted))))
    if isinstance(tree, Mapping) and tree.get("format") == FORMAT:
        return _from_format(tree)
    if isinstance(tree, Mapping) and tree and all(isinstance(item, Tensor) for item in tree.values()):
        return Mlp(_assemble(_state_steps(tree)), assumed="ReLU between the linear layers: a state_dict names none")
    raise ModelError(
        "The model cannot be read",
        "it is neither an nn.Sequential nor the state_dict of one",
        "Save it with torch.save(model, PATH) or torch.save(model.state_dict(), PATH).",
    )


def _from_format(tree: Mapping[Any, Any]) -> Mlp:
    layers = tree.get("layers")
    texts = [tree.get(name, "") for name in ("system", "features")]
    if not isinstance(layers, list) or not all(isinstance(layer, Mapping) for layer in layers):
        raise ModelError("The model cannot be read", f'"layers" of a {FORMAT} file is not a list of tables')
    if not all(isinstance(text, str) for text in texts):
        raise ModelError("The model cannot be read", '"system" and "features" must be texts')
    return Mlp(_assemble([_format_step(str(at), layer) for at, layer in enumerate(layers[:_MAX_ENTRIES])]), *texts)


def _format_step(name: str, layer: Mapping[Any, Any]) -> _Step:
    kind = layer.get("kind")
    if kind == "linear":
        return _linear(name, layer.get("weight"), layer.get("bias"))
    if kind == "relu":
        return _Clamp(name, 0.0, math.inf)
    if kind == "hardtanh":
        return _clamp(name, layer.get("min", -1.0), layer.get("max", 1.0))
    raise _wrong(name, f"its kind is {str(kind)[:60]!r}", 'A layer is of the kind "linear", "relu" or "hardtanh".')


def _state_steps(state: Mapping[Any, Tensor]) -> list[_Step]:
    """Group the entries "NUMBER.weight" and so on by number, with a ReLU in every gap."""
    groups: dict[int, dict[str, Tensor]] = {}
    prefixes = set()
    for key, tensor in state.items():
        if str(key).endswith("num_batches_tracked"):
            continue
        found = _STATE_KEY.fullmatch(str(key))
        if found is None or len(found["number"]) > 4:
            raise _wrong(
                str(key)[:60], "its name is not that of an nn.Sequential's parameter", "Name them like '0.weight'."
            )
        prefixes.add(found["prefix"])
        groups.setdefault(int(found["number"]), {})[found["name"]] = tensor
    if len(prefixes) != 1:
        raise ModelError("The model cannot be read", f"it mixes several networks: {', '.join(sorted(prefixes)[:4])}")
    steps: list[_Step] = []
    for number in sorted(groups):
        entries, name = groups[number], str(number)
        step = _affine(name, entries, 1e-5) if "running_mean" in entries else _linear_of(name, entries)
        if isinstance(step, Dense) and any(isinstance(item, Dense) for item in steps):
            steps.append(_Clamp(f"between {steps[-1].name} and {name}", 0.0, math.inf))
        steps.append(step)
    return steps


def _linear_of(name: str, entries: Mapping[str, Any]) -> Dense:
    return _linear(name, entries.get("weight"), entries.get("bias"))


def _module_steps(node: Node, path: str, depth: int, scripted: bool) -> Iterator[_Step]:
    """Yield the layers of an nn.Sequential in order."""
    kind, name = _class_of(node), path or "the whole"
    if kind != "Sequential":
        step = _module_step(node, kind, name, scripted)
        if step is not None:
            yield step
        return
    if depth >= _MAX_DEPTH:
        raise _wrong(name, f"it is nested deeper than {_MAX_DEPTH}")
    for key, child in _children(node, name, scripted):
        yield from _module_steps(child, f"{path}.{key}".lstrip("."), depth + 1, scripted)


def _children(node: Node, name: str, scripted: bool) -> list[tuple[str, Node]]:
    table = node.attributes if scripted else node.attributes.get("_modules")
    if not isinstance(table, Mapping) or len(table) > _MAX_ENTRIES:
        raise _wrong(name, "its layers are not listed as torch does")
    return [(str(key), child) for key, child in table.items() if isinstance(child, Node)]


def _class_of(node: Node) -> str:
    """Return the class of torch.nn that a record stands for; another class as it is written."""
    whole = re.sub(r"\.___torch_mangle_\d+", "", node.kind)
    found = re.fullmatch(r"(?:__torch__\.)?torch\.nn\.modules\.\w+\.(\w+)", whole)
    return found[1] if found else whole.removeprefix("__torch__.")


def _module_step(node: Node, kind: str, name: str, scripted: bool) -> _Step | None:
    values = node.constants | node.attributes
    for group in ("_parameters", "_buffers"):
        inner = values.get(group)
        values |= inner if isinstance(inner, Mapping) else {}
    if kind == "Linear":
        return _linear_of(name, values)
    if kind in ("ReLU", "ReLU6"):
        return _Clamp(name, 0.0, 6.0 if kind == "ReLU6" else math.inf)
    if kind == "Hardtanh":
        return _clamp(name, values.get("min_val"), values.get("max_val"))
    if kind == "BatchNorm1d":
        return _affine(name, values, values.get("eps"))
    if kind in ("Softmax", "LogSoftmax"):
        return _Clamp(name, -math.inf, math.inf)
    if kind in _IDLE:
        return None
    raise _wrong(name, f"it is a {kind[:80]}", _SUPPORTED)


def _clamp(name: str, low: Any, high: Any) -> _Clamp:
    if not isinstance(low, int | float) or not isinstance(high, int | float):
        raise _wrong(
            name, "its bounds are not in the file, as in a traced model", "Use torch.jit.script or torch.save."
        )
    if not -MAX_WEIGHT <= low < high <= MAX_WEIGHT or low > 0 or high <= 0:
        raise _wrong(name, f"it clamps to {low:g} .. {high:g}", "Bounds must be finite and hold zero.")
    return _Clamp(name, float(low), float(high))


def _affine(name: str, entries: Mapping[str, Any], eps: Any) -> _Affine:
    if not isinstance(eps, int | float) or not 0 <= eps < 1:
        raise _wrong(name, "its eps is not in the file, as in a traced model", "Use torch.jit.script or torch.save.")
    mean, variance = (_vector(name, entries.get(key), key) for key in ("running_mean", "running_var"))
    gain = _vector(name, entries["weight"], "weight") if entries.get("weight") is not None else np.ones_like(mean)
    bias = _vector(name, entries["bias"], "bias") if entries.get("bias") is not None else np.zeros_like(mean)
    if not mean.shape == variance.shape == gain.shape == bias.shape:
        raise _wrong(name, "its parts have different lengths")
    if (variance + eps <= 0).any():
        raise _wrong(name, "its running_var is not positive")
    scale = gain / np.sqrt(variance + eps)
    return _Affine(name, scale, bias - mean * scale)


def _linear(name: str, weight: Any, bias: Any) -> Dense:
    if not isinstance(weight, Tensor) or len(weight.shape) != 2 or 0 in weight.shape:
        shape = weight.shape if isinstance(weight, Tensor) else "none"
        raise _wrong(name, f"its weight must be a table of outputs by inputs, the shape is {shape}")
    if weight.shape[1] > MAX_INPUTS or weight.shape[0] > MAX_INPUTS:
        raise _wrong(name, f"it is {weight.shape[1]:,} by {weight.shape[0]:,}, at most {MAX_INPUTS:,} each are allowed")
    numbers = _bounded(name, weight.numbers(f"The weight of layer {name!r}"))
    offsets = np.zeros(weight.shape[0]) if bias is None else _vector(name, bias, "bias")
    if offsets.shape != weight.shape[:1]:
        raise _wrong(name, f"its bias has {offsets.size} numbers for {weight.shape[0]} outputs")
    return Dense(name, numbers, offsets)


def _vector(name: str, tensor: Any, what: str) -> Floats:
    if not isinstance(tensor, Tensor) or len(tensor.shape) != 1 or tensor.shape[0] > MAX_INPUTS:
        raise _wrong(name, f"its {what} is not a list of numbers")
    return _bounded(name, tensor.numbers(f"The {what} of layer {name!r}"))


def _bounded(name: str, values: Floats) -> Floats:
    if values.size and np.abs(values).max() > MAX_WEIGHT:
        raise _wrong(
            name, f"it holds {np.abs(values).max():g}, at most {MAX_WEIGHT:g} is allowed", "Train with weight decay."
        )
    return np.where(np.abs(values) < _TINY, 0.0, values)


def _assemble(steps: list[_Step]) -> tuple[Dense, ...]:
    """Return the linear layers with their clamps, everything else folded in. Raises ModelError."""
    while steps and isinstance(steps[-1], _Clamp) and steps[-1].low == -math.inf:
        steps.pop()
    layers: list[Dense] = []
    waiting: _Affine | None = None
    for step in steps:
        closed = not layers or layers[-1].low is not None
        if isinstance(step, Dense):
            if not closed:
                raise _wrong(step.name, f"nothing stands between it and layer {layers[-1].name!r}", "Put a ReLU there.")
            layers.append(_behind(waiting, step))
            waiting = None
        elif isinstance(step, _Affine) and closed and waiting is None:
            waiting = step
        elif isinstance(step, _Affine) and not closed:
            layers[-1] = _before(layers[-1], step)
        elif isinstance(step, _Clamp) and not closed and math.isfinite(step.low):
            layers[-1] = replace(layers[-1], low=step.low, high=step.high)
        else:
            raise _wrong(step.name, "it does not follow a linear layer")
    _check_chain(layers, waiting)
    return tuple(layers)


def _check_chain(layers: list[Dense], waiting: _Affine | None) -> None:
    if not layers or waiting is not None or layers[-1].low is not None:
        raise ModelError("The model cannot become an agent", "its last layer is not Linear", "End it with one.")
    if len(layers) > MAX_LAYERS or sum(layer.weight.size for layer in layers) > MAX_NUMBERS:
        count = sum(layer.weight.size for layer in layers)
        why = f"{len(layers)} linear layers with {count:,} weights; at most {MAX_LAYERS} with {MAX_NUMBERS:,} fit"
        raise ModelError("The model is too large for an agent", why)
    for left, right in pairwise(layers):
        if right.weight.shape[1] != left.weight.shape[0]:
            raise _wrong(
                right.name, f"it takes {right.weight.shape[1]} numbers, layer {left.name!r} gives {len(left.bias)}"
            )


def _behind(affine: _Affine | None, layer: Dense) -> Dense:
    """Fold what stands before a layer into it. Sums are exact, so that every machine gets the same."""
    if affine is None:
        return layer
    if affine.scale.size != layer.weight.shape[1]:
        raise _wrong(
            affine.name, f"it has {affine.scale.size} numbers, layer {layer.name!r} takes {layer.weight.shape[1]}"
        )
    added = [math.fsum(row) for row in layer.weight * affine.shift]
    return replace(layer, weight=layer.weight * affine.scale, bias=layer.bias + np.array(added))


def _before(layer: Dense, affine: _Affine) -> Dense:
    if affine.scale.shape != layer.bias.shape:
        raise _wrong(affine.name, f"it has {affine.scale.size} numbers, layer {layer.name!r} gives {layer.bias.size}")
    weight = layer.weight * affine.scale[:, None]
    return replace(layer, weight=weight, bias=layer.bias * affine.scale + affine.shift)


def _wrong(name: str, why: str, next_step: str = "") -> ModelError:
    return ModelError(f"Layer {name!r} cannot become part of an agent", why, next_step)
