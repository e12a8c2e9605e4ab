"""What models there are: shapes of the Qwen2 architecture (what DeepSeek-R1-Distill is), and their LoRA targets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.learning.ai.shipped import shipped_folder
from engine.learning.ai.tokens import VOCABULARY

if TYPE_CHECKING:
    from engine.learning.updates.delta import DeltaSpec

RANK, ALPHA, DROPOUT = 8, 16, 0.05
BETAS = (0.9, 0.95)
TARGETS = ("q", "k", "v", "o", "gate", "up", "down")
MODULES = {
    "q": "self_attn.q_proj",
    "k": "self_attn.k_proj",
    "v": "self_attn.v_proj",
    "o": "self_attn.o_proj",
    "gate": "mlp.gate_proj",
    "up": "mlp.up_proj",
    "down": "mlp.down_proj",
}


@dataclass(frozen=True, slots=True)
class Model:
    """A causal language model. ``tuned`` are the keys ``LAYER.TARGET`` of the weights that LoRA changes.

    ``rate`` is AdamW's learning rate. The specification's 1e-4 is for models of billions of weights and a thousand
    steps; in the few steps of a round a tiny model would stand still by it.
    """

    name: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    inner: int
    vocabulary: int
    tuned: tuple[str, ...]
    folder: Path
    rate: float = 1e-4
    batch: int = 8
    theta: float = 10_000.0
    epsilon: float = 1e-6
    tied: bool = True
    head_size: int = 0
    bytewise: bool = False  # the byte tokenizer, instead of one in the folder

    @property
    def head(self) -> int:
        """Numbers a head."""
        return self.head_size or self.hidden // self.heads


def every_target(layers: int) -> tuple[str, ...]:
    """Return the keys of all targets of all layers."""
    return tuple(f"{layer}.{target}" for layer in range(layers) for target in TARGETS)


def _preset(name: str, hidden: int, layers: int, heads: int, inner: int, rate: float, batch: int = 8) -> Model:
    tuned, folder = every_target(layers), shipped_folder()
    return Model(
        name, hidden, layers, heads, heads // 2, inner, VOCABULARY, tuned, folder, rate=rate, batch=batch, bytewise=True
    )


PRESETS = {
    "nano": _preset("nano", 32, 2, 4, 64, 3e-3, 32),
    "tiny": _preset("tiny", 96, 4, 4, 256, 1e-3),
}


def shapes(model: Model) -> dict[str, tuple[int, int]]:
    """Return (outputs, inputs) of each LoRA target of a layer."""
    wide, narrow = model.heads * model.head, model.kv_heads * model.head
    return {
        "q": (wide, model.hidden),
        "k": (narrow, model.hidden),
        "v": (narrow, model.hidden),
        "o": (model.hidden, wide),
        "gate": (model.inner, model.hidden),
        "up": (model.inner, model.hidden),
        "down": (model.hidden, model.inner),
    }


def spec_of(model: Model) -> DeltaSpec:
    """Return what a delta of this model must look like."""
    from engine.learning.updates.delta import DeltaSpec

    sides = shapes(model)
    return DeltaSpec(RANK, ALPHA, tuple((key, *sides[key.partition(".")[2]]) for key in model.tuned))


def parameters(model: Model) -> int:
    """Return how many weights the model has."""
    sides = shapes(model)
    biases = sum(sides[name][0] for name in "qkv")
    layer = sum(out * into for out, into in sides.values()) + biases + 2 * model.hidden
    return model.layers * layer + model.hidden + model.vocabulary * model.hidden * (1 if model.tied else 2)


def module_name(key: str) -> str:
    """Return the name of a target's module in a checkpoint."""
    layer, _, target = key.partition(".")
    return f"model.layers.{layer}.{MODULES[target]}"


def configuration(model: Model) -> dict[str, Any]:
    """Return the fields of transformers' Qwen2Config for a model."""
    return {
        "vocab_size": model.vocabulary,
        "hidden_size": model.hidden,
        "num_hidden_layers": model.layers,
        "num_attention_heads": model.heads,
        "num_key_value_heads": model.kv_heads,
        "intermediate_size": model.inner,
        "rms_norm_eps": model.epsilon,
        "tie_word_embeddings": model.tied,
        "rope_theta": model.theta,
        "max_position_embeddings": 1024,
        "use_sliding_window": False,
    }
