"""Where agents' models come from: shipped kinds, files of weights, TorchScript. No file's own code runs on loading."""

from __future__ import annotations

import difflib
import importlib
import io
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.consensus.agents.model_file import read_archive, refusal
from engine.consensus.errors import ConsensusError

if TYPE_CHECKING:
    import torch
    from torch import nn

# Families of models that the program ships, by the function that makes them: model(kind, seed) -> nn.Module.
FAMILIES = {
    "builtin": "engine.consensus.agents.models:builtin",
    "bridge": "engine.consensus.agents.bridge_models:model",
    "finance": "engine.consensus.agents.finance_models:model",
    "portfolio": "engine.consensus.agents.portfolio_models:model",
    "moderation": "engine.consensus.agents.moderation_models:model",
}
_GLOBAL = re.compile(r"GLOBAL ([\w.]+)")


def builtin(kind: str = "", seed: int = 0) -> nn.Module:
    """Return a shipped model; without a kind the seed chooses one. Raises ConsensusError for an unknown kind."""
    from engine.consensus.agents.builtin import KINDS, Perspective

    return Perspective(kind or list(KINDS)[seed % len(KINDS)], seed)


def resolve(model: str, seed: int) -> nn.Module:
    """Return the model that a text names: FAMILY, FAMILY:KIND, FAMILY:KIND:SEED, or a file.

    Raises ConsensusError for what names none, ModelRefusedError for a file that is not to be loaded.
    """
    family, _, rest = model.partition(":")
    if family not in FAMILIES:
        near = difflib.get_close_matches(family, FAMILIES, 1)
        if not _exists(model):
            raise ConsensusError(
                f"There is no model {model[:200]!r}",
                f"it is no file, and the kinds of models are {', '.join(FAMILIES)}",
                f"Did you mean {near[0]}?" if near else "",
            )
        return load_model(Path(model))
    kind, _, own = rest.partition(":")
    if own and not (own.isascii() and own.isdecimal() and len(own) <= 18):
        raise ConsensusError(
            f"The model {family}:{kind[:50]} has no seed", f"{own[:50]!r} is no number", f"Write {family}:{kind}:7."
        )
    module, _, function = FAMILIES[family].partition(":")
    made: nn.Module = getattr(importlib.import_module(module), function)(kind, int(own) if own else seed)
    return made


def _exists(name: str) -> bool:
    try:
        return bool(name) and Path(name).exists()
    except (OSError, ValueError):  # a name that no file can have
        return False


def load_model(path: Path) -> nn.Module:
    """Return the model in a file, ready to run on the processor.

    It is TorchScript, a module of common layers (:mod:`engine.consensus.agents.module_reader`), or the ``state_dict``
    of linear layers, in their order, which get a ReLU between them. Raises ModelRefusedError for anything else.
    """
    content, scripted = read_archive(Path(path))
    if scripted:
        return _script(content)
    found = _weights(content)
    if isinstance(found, Mapping):
        return _linear(_state(found))
    from engine.consensus.agents.module_reader import Record, build

    if isinstance(found, Record):
        return build(found)
    raise refusal(f"it holds an object of type {type(found).__name__}")


def read_state(path: Path) -> dict[str, torch.Tensor]:
    """Return a ``state_dict`` from a file: named tensors of real numbers. Raises ModelRefusedError."""
    content, scripted = read_archive(Path(path))
    found = None if scripted else _weights(content)
    if not isinstance(found, Mapping):
        raise refusal("it is no state_dict")
    return _state(found)


def _weights(content: bytes) -> Any:
    """Return what torch's reader for weights finds, with inert records in the place of layers."""
    import torch

    from engine.consensus.agents.module_reader import records

    try:
        with torch.serialization.safe_globals(records()):
            return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # a hostile pickle can make its reader fail in any way
        named = _GLOBAL.search(str(error))
        if named and named[1].startswith("torch.nn."):
            raise refusal(f"{named[1]} is none of the layers that are read from files") from None
        if named:
            raise refusal(f"its pickle names {named[1]}, which a model has no use for and which could run") from None
        raise refusal(f"its pickle is malformed ({_first_line(error)})") from None


def _state(found: Mapping[Any, Any]) -> dict[str, torch.Tensor]:
    from engine.consensus.agents.module_reader import MAX_NUMBERS, checked

    if not found or not all(isinstance(name, str) for name in found):
        raise refusal("it is no state_dict: names of tensors are text, and there is at least one")
    state = {name: checked(tensor, name) for name, tensor in found.items()}
    if sum(tensor.numel() for tensor in state.values()) > MAX_NUMBERS:
        raise refusal(f"it has more than {MAX_NUMBERS:,} numbers")
    return state


def _linear(state: Mapping[str, torch.Tensor]) -> nn.Module:
    """Return linear layers, in the order of their weights, with ReLU between them."""
    from torch import nn

    layers: list[nn.Module] = []
    width, used = 0, 0
    for name, weight in state.items():
        if not name.endswith("weight"):
            continue
        bias = state.get(f"{name[:-6]}bias")
        fits = weight.ndim == 2 and weight.is_floating_point() and weight.numel() and width in (0, weight.shape[1])
        if not fits or (bias is not None and (bias.shape != weight.shape[:1] or bias.dtype != weight.dtype)):
            raise refusal(f"its weights are not those of linear layers, one after the other ({name})")
        layer = nn.Linear(weight.shape[1], weight.shape[0], bias is not None, device="meta")
        layer.weight = nn.Parameter(weight, requires_grad=False)
        if bias is not None:
            layer.bias = nn.Parameter(bias, requires_grad=False)
        layers += [nn.ReLU(), layer] if layers else [layer]
        width, used = weight.shape[0], used + (1 if bias is None else 2)
    if not layers or used != len(state):
        raise refusal("its weights are not those of linear layers alone: save the model whole, or as TorchScript")
    return nn.Sequential(*layers).eval()


def _script(content: bytes) -> nn.Module:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # it is still what runs models without their source
            module: nn.Module = torch.jit.load(io.BytesIO(content), map_location="cpu")  # type: ignore[no-untyped-call]
        return module.eval()
    except Exception as error:  # the file is foreign, and torch's reader may fail in any way
        raise refusal(f"torch cannot read its code ({_first_line(error)})") from None


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:200]
