"""Checkpoints of the presets as arrays, and the root that names a model by its weights."""

from __future__ import annotations

from hashlib import sha256

import numpy as np
from numpy.typing import NDArray

from engine.learning.ai.model import Model
from engine.learning.ai.shipped import shipped_bytes

Arrays = dict[str, NDArray[np.float16]]


def read_preset(model: Model) -> Arrays:
    """Return the weights of a shipped checkpoint by their names. Raises TrainingError when the file is not the one."""
    from safetensors.numpy import load

    arrays: Arrays = load(shipped_bytes(f"{model.name}.safetensors", model.folder))
    return arrays


def root_of_weights(arrays: Arrays) -> bytes:
    """Return the 32 bytes that name a model: SHA-256 over names, shapes and FP16 weights, in the order of the names."""
    digest = sha256(b"POL-AI model")
    for name in sorted(arrays):
        shape = ",".join(map(str, arrays[name].shape))
        digest.update(f"|{name}|{shape}|".encode())
        digest.update(np.ascontiguousarray(arrays[name], dtype="<f2").tobytes())
    return digest.digest()
