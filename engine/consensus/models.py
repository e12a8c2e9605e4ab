"""Where agents' models come from: shipped kinds, files of weights, TorchScript. No file's own code runs on loading."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from engine.consensus.errors import ConsensusError

if TYPE_CHECKING:
    from torch import nn

# Families of models that the program ships, by the function that makes them: model(kind, seed) -> nn.Module.
FAMILIES = {
    "builtin": "engine.consensus.models:builtin",
}


def builtin(kind: str = "", seed: int = 0) -> nn.Module:
    """Return a shipped model; without a kind the seed chooses one. Raises ConsensusError for an unknown kind."""
    from engine.consensus.builtin import KINDS, Perspective

    return Perspective(kind or list(KINDS)[seed % len(KINDS)], seed)


def resolve(model: str, seed: int) -> nn.Module:
    """Return the model that a text names: FAMILY, FAMILY:KIND, FAMILY:KIND:SEED, or a file.

    Raises ConsensusError for what names none, ModelRefusedError for a file that is not to be loaded.
    """
    family, _, rest = model.partition(":")
    if family not in FAMILIES:
        return load_model(Path(model))
    kind, _, own = rest.partition(":")
    if own and not own.isdecimal():
        raise ConsensusError(f"The model {model!r} has no seed", f"{own!r} is no number", f"Write {family}:{kind}:7.")
    module, _, function = FAMILIES[family].partition(":")
    made: nn.Module = getattr(importlib.import_module(module), function)(kind, int(own) if own else seed)
    return made


def load_model(path: Path) -> nn.Module:
    """Return the model in a file."""
    raise ConsensusError("not yet")
