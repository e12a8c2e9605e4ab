"""Qwen2's forward pass and its losses, so that a gate can be judged where transformers is not installed.

Source: "Qwen2 Technical Report" (Yang et al. 2024): pre-norm decoder, RMSNorm, rotary positions, grouped-query
attention with biases on query, key and value, SwiGLU. Steps of a layer:

1. normalise; project to queries, keys and values; turn pairs of numbers by the angle of their position.
2. attend to what came before; project back; add to the stream.
3. normalise; SwiGLU; add to the stream.

All in single precision, sums over a text in double. Lengths are padded to multiples of 16, so that on one machine a
text's loss is the same to the nano-nat whatever else is in the batch; another machine's differs by some 1e-7 nats, a
tenth of EVALUATION_TOLERANCE.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from engine.learning.ai.model import Model, module_name
from engine.learning.ai.tokens import PAD

NANO = 1_000_000_000
BATCH_TOKENS = 2048  # of a batch: what one core's cache likes best
LOGITS = 1 << 24  # numbers of a piece of the output
STEP = 16  # texts are padded to multiples of it: few shapes, little padding


class Network:
    """A model with its weights, all of one precision; ``weights`` has the names of a checkpoint."""

    def __init__(self, model: Model, weights: Mapping[str, Tensor]) -> None:
        self.model = model
        self.weights = weights
        self.dtype = weights["model.norm.weight"].dtype
        self._turns: tuple[Tensor, Tensor] | None = None

    def embed(self, tokens: Tensor) -> Tensor:
        """Return the stream (texts, length, hidden) of tokens (texts, length)."""
        return functional.embedding(tokens, self.weights["model.embed_tokens.weight"])

    def blocks(self, stream: Tensor, first: int, last: int) -> Tensor:
        """Return the stream after the layers ``first`` to ``last - 1``."""
        cos, sin = self._rotation(stream.shape[1])
        for layer in range(first, last):
            stream = stream + self._attend(layer, self._norm(stream, f"model.layers.{layer}.input_layernorm"), cos, sin)
            stream = stream + self._feed(layer, self._norm(stream, f"model.layers.{layer}.post_attention_layernorm"))
        return stream

    def logits(self, stream: Tensor) -> Tensor:
        """Return the logits (..., vocabulary) of a stream that passed all layers."""
        head = self.weights["model.embed_tokens.weight" if self.model.tied else "lm_head.weight"]
        return functional.linear(self._norm(stream, "model.norm"), head)

    def _norm(self, stream: Tensor, name: str) -> Tensor:
        scale = torch.rsqrt(stream.square().mean(-1, keepdim=True) + self.model.epsilon)
        return self.weights[f"{name}.weight"] * (stream * scale)

    def _linear(self, layer: int, target: str, stream: Tensor) -> Tensor:
        name = module_name(f"{layer}.{target}")
        return functional.linear(stream, self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias"))

    def _attend(self, layer: int, stream: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        model, (texts, length, _) = self.model, stream.shape
        query = self._linear(layer, "q", stream).view(texts, length, model.heads, model.head).transpose(1, 2)
        key = self._linear(layer, "k", stream).view(texts, length, model.kv_heads, model.head).transpose(1, 2)
        value = self._linear(layer, "v", stream).view(texts, length, model.kv_heads, model.head).transpose(1, 2)
        query, key = _turn(query, cos, sin), _turn(key, cos, sin)
        repeat = model.heads // model.kv_heads
        key, value = key.repeat_interleave(repeat, 1), value.repeat_interleave(repeat, 1)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self._linear(layer, "o", mixed.transpose(1, 2).reshape(texts, length, -1))

    def _feed(self, layer: int, stream: Tensor) -> Tensor:
        gate = functional.silu(self._linear(layer, "gate", stream))
        return self._linear(layer, "down", gate * self._linear(layer, "up", stream))

    def _rotation(self, length: int) -> tuple[Tensor, Tensor]:
        if self._turns is None or self._turns[0].shape[0] < length:
            half = torch.arange(0, self.model.head, 2, dtype=torch.float32) / self.model.head
            angles = torch.outer(torch.arange(max(length, 256), dtype=torch.float32), 1.0 / self.model.theta**half)
            angles = torch.cat((angles, angles), -1)
            self._turns = angles.cos().to(self.dtype), angles.sin().to(self.dtype)
        return self._turns[0][:length], self._turns[1][:length]


def _turn(pairs: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = pairs.chunk(2, -1)
    return pairs * cos + torch.cat((-second, first), -1) * sin


@torch.inference_mode()
def losses(network: Network, texts: Sequence[Sequence[int]], tail: int = 0) -> list[int]:
    """Return the mean loss of each text in nano-nats a token; texts are tokens, at least two each.

    ``tail``: of the last so many tokens alone.
    """
    found = [0] * len(texts)
    for batch in _batches(texts):
        length = max(len(texts[at]) for at in batch)
        tokens = torch.full((len(batch), -(-(length - 1) // STEP) * STEP + 1), PAD)
        for row, at in enumerate(batch):
            tokens[row, : len(texts[at])] = torch.tensor(texts[at])
        stream = network.blocks(network.embed(tokens[:, :-1]), 0, network.model.layers)
        lengths = [len(texts[at]) for at in batch]
        for at, loss in zip(batch, _text_losses(network, stream, tokens, lengths, tail), strict=True):
            found[at] = loss
    return found


def _batches(texts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return the numbers of the texts in batches of like lengths."""
    made: list[list[int]] = []
    longest = 0
    for at in sorted(range(len(texts)), key=lambda at: len(texts[at])):
        padded = -(-(len(texts[at]) - 1) // STEP) * STEP
        if not made or padded != longest or (len(made[-1]) + 1) * padded > BATCH_TOKENS:
            made.append([])
            longest = padded
        made[-1].append(at)
    return made


def _text_losses(network: Network, stream: Tensor, tokens: Tensor, lengths: Sequence[int], tail: int) -> list[int]:
    ends = torch.tensor(lengths)[:, None] - 1
    places = torch.arange(stream.shape[1])
    inside = (places < ends) & (places >= ends - tail if tail else places >= 0)
    wanted, rows = tokens[:, 1:][inside], stream[inside]
    piece = max(1, LOGITS // network.model.vocabulary)
    parts = []
    for at in range(0, len(rows), piece):
        logits = network.logits(rows[at : at + piece])
        parts.append(functional.cross_entropy(logits, wanted[at : at + piece], reduction="none"))
    each = torch.zeros(inside.shape, dtype=torch.float64)
    each[inside] = torch.cat(parts).double()
    return [int(value) for value in (each.sum(1) / inside.sum(1) * NANO).round().to(torch.int64)]
