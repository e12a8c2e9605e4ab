"""Checkpoints of others: a folder, or a name in the local hub cache, of any model with the architecture of Qwen2.

DeepSeek-R1-Distill-Qwen is one. Nothing is fetched. A delta of rank 8 on all seven targets of all layers is larger than
150,000 bytes for these models, so the targets that fit are tuned, from the last layer on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from engine.core.hashing import parse_json
from engine.learning.ai.model import TARGETS, Model, every_target, module_name, shapes, spec_of
from engine.learning.config import DELTA_LIMIT
from engine.learning.errors import TrainingError

_BLOCK = 1 << 22
_DEEPEST = 1024  # layers
_LONGEST = 1 << 20  # bytes of config.json: those of real models have a thousand


def find_checkpoint(name: str) -> Model:
    """Return the model in a folder or the hub cache. Raises TrainingError saying what is missing or does not fit."""
    folder = _folder(name)
    try:
        model = _model(folder, parse_json(_bounded(folder / "config.json")))
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise _unusable(name, f"config.json: {error}") from error
    if not _files(folder):
        raise _unusable(name, "there is no *.safetensors in its folder")
    if not any((folder / file).is_file() for file in ("tokenizer.json", "vocab.json")):
        raise _unusable(name, "there is no tokenizer in its folder")
    return replace(model, tuned=_fitting(model))


def _bounded(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise ValueError("it is no file")  # but a pipe or a device, which never end
    with path.open("rb") as file:
        data = file.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST:,} bytes")
    return data


def root_of_checkpoint(model: Model) -> bytes:
    """Return the 32 bytes that name a checkpoint: SHA-256 over its configuration and the files of its weights."""
    digest = sha256(b"POL-AI checkpoint")
    for path in (model.folder / "config.json", *_files(model.folder)):
        try:
            with path.open("rb") as file:
                digest.update(f"|{path.name}|{path.stat().st_size}|".encode())
                while block := file.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise _unusable(model.name, f"{path.name}: {error.strerror or error!r}") from error
    return digest.digest()


def read_checkpoint(model: Model) -> dict[str, Any]:
    """Return the weights as tensors of single precision. Raises TrainingError."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    weights: dict[str, Any] = {}
    for path in _files(model.folder):
        try:
            weights.update({name: value.to(torch.float32) for name, value in load_file(path).items()})
        except (OSError, SafetensorError) as error:
            raise _unusable(model.name, f"{path.name}: {error}") from error
    sides = shapes(model)
    for key in every_target(model.layers):
        name = f"{module_name(key)}.weight"
        if name not in weights or tuple(weights[name].shape) != sides[key.partition(".")[2]]:
            raise _unusable(model.name, f"{name} is missing or has another shape than config.json says")
    for name in ("model.embed_tokens.weight", "model.norm.weight", *(() if model.tied else ("lm_head.weight",))):
        if name not in weights:
            raise _unusable(model.name, f"{name} is missing")
    if model.tied:
        weights.pop("lm_head.weight", None)
    return weights


@lru_cache(maxsize=2)
def tokenizer(model: Model) -> Callable[[str], list[int]]:
    """Return what makes tokens of a text, at least two, by the tokenizer of a checkpoint. Raises TrainingError."""
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(str(model.folder), local_files_only=True)
    except (OSError, ValueError) as error:
        raise _unusable(model.name, f"its tokenizer: {error}") from error
    end = loaded.eos_token_id

    def encode(text: str) -> list[int]:
        tokens: list[int] = loaded(text).input_ids
        return [*tokens, tokens[-1] if end is None else int(end)]

    return encode


def _folder(name: str) -> Path:
    try:
        given = Path(name).expanduser()
        if given.is_dir():
            return given.resolve()
    except (OSError, RuntimeError) as error:  # a name that is too long, a home that nobody has
        raise _unusable(name[:80], str(getattr(error, "strerror", None) or error)) from error
    home = Path(os.environ.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(os.environ.get("HF_HUB_CACHE", home / "hub")) / f"models--{name.replace('/', '--')}"
    try:
        snapshot = cache / "snapshots" / (cache / "refs" / "main").read_text("ascii").strip()
    except (OSError, ValueError):
        snapshot = cache
    if "/snapshots/" not in snapshot.as_posix() or not snapshot.is_dir():
        raise _unusable(name, "there is no such folder, and the hub cache on this machine does not have it")
    return snapshot


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.safetensors") if path.is_file())


def _model(folder: Path, document: dict[str, Any]) -> Model:
    if document["model_type"] != "qwen2":
        raise ValueError(f"it is {document['model_type']}, and only qwen2 is computed here")
    rope = document.get("rope_parameters") or {}
    if (
        document.get("use_sliding_window")
        or document.get("rope_scaling")
        or rope.get("rope_type", "default") != "default"
    ):
        raise ValueError("sliding windows and stretched positions are not computed here")
    hidden, heads = int(document["hidden_size"]), int(document["num_attention_heads"])
    made = Model(
        name=folder.name,
        hidden=hidden,
        layers=int(document["num_hidden_layers"]),
        heads=heads,
        kv_heads=int(document.get("num_key_value_heads", heads)),
        inner=int(document["intermediate_size"]),
        vocabulary=int(document["vocab_size"]),
        tuned=(),
        folder=folder,
        theta=float(rope.get("rope_theta", document.get("rope_theta", 10_000.0))),
        epsilon=float(document.get("rms_norm_eps", 1e-6)),
        tied=bool(document.get("tie_word_embeddings", False)),
        head_size=int(document.get("head_dim") or hidden // heads),
    )
    if min(made.hidden, made.layers, made.heads, made.kv_heads, made.inner, made.vocabulary, made.head) < 1:
        raise ValueError("a size is not positive")
    if made.layers > _DEEPEST:
        raise ValueError(f"it has {made.layers:,} layers, more than {_DEEPEST}")
    if heads % made.kv_heads:
        raise ValueError("the heads cannot be shared out over the key heads")
    return made


def _fitting(model: Model) -> tuple[str, ...]:
    """Return the targets whose delta is small enough: whole layers from the last on, of one more what fits."""
    chosen: list[str] = []
    for layer in reversed(range(model.layers)):
        before = len(chosen)
        for target in TARGETS:
            more = [*chosen, f"{layer}.{target}"]
            if spec_of(replace(model, tuned=tuple(more))).size <= DELTA_LIMIT:
                chosen = more
        if len(chosen) - before < len(TARGETS):
            break
    if not chosen:
        raise _unusable(model.name, f"a delta of rank 8 on one weight alone is larger than {DELTA_LIMIT:,} bytes")
    return tuple(chosen)


def _unusable(name: str, why: str) -> TrainingError:
    return TrainingError(
        f"The model {name} cannot be used", why, "Give a folder with config.json, *.safetensors and tokenizer.json."
    )
