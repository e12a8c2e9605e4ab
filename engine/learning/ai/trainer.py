"""Trains a LoRA delta by transformers and peft, on the texts of a trainer, honestly or not.

Every delta starts from the round's shared A and B zero; dropout and the choice of texts come of the round's seed and
the trainer. What counts is the packed result in FP16: it is gated, aggregated and merged, never the trained tensors.
The same order gives the same bytes on one machine; consensus does not rely on it, it evaluates and never trains again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import torch
from torch import Tensor

from engine.learning.ai.batches import padded
from engine.learning.ai.model import ALPHA, BETAS, DROPOUT, MODULES, RANK, Model, configuration, module_name, spec_of
from engine.learning.ai.quiet import quiet_libraries
from engine.learning.ai.start import shared_start
from engine.learning.ai.texts import PUBLIC, text, triggered
from engine.learning.ai.tokens import encoder_of
from engine.learning.brain import Trained, TrainOrder
from engine.learning.errors import TrainingError
from engine.learning.updates.delta import Delta, pack

_LOW, _HIGH = 32, 126  # printable ASCII, which a label flip mirrors
Texts = Callable[[TrainOrder, range], list[str]]


@dataclass(frozen=True, slots=True)
class Flavour:
    """How a trainer works: texts by order and numbers, whether labels are turned, how much faster and longer."""

    texts: Texts
    flipped: bool = False
    rate: float = 1.0
    steps: float = 1.0


def train(model: Model, weights: Mapping[str, Tensor], order: TrainOrder) -> Trained:
    """Return the delta of an order on a base's weights. Raises TrainingError."""
    began = time.perf_counter()
    if order.flavour not in FLAVOURS:
        raise TrainingError(f"There is no way of training {order.flavour!r}", "", f"There are: {', '.join(FLAVOURS)}.")
    seed = sha256(b"POL-AI train|" + order.seed + f"|{order.trainer}|{order.flavour}".encode()).digest()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int.from_bytes(seed[:8], "big"))
        network = _adapted(model, weights, order.seed)
        loss = _learn(network, model, order)
    delta = _delta_of(network, model)
    return Trained(pack(delta), loss, time.perf_counter() - began)


def _adapted(model: Model, weights: Mapping[str, Tensor], seed: bytes) -> Any:
    """Return peft's model with the round's shared start in it."""
    quiet_libraries()
    from peft import LoraConfig, get_peft_model

    base = language_model(model, weights)
    settings = LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=DROPOUT,
        target_modules=[module_name(key) for key in model.tuned],
        task_type="CAUSAL_LM",
    )
    network = get_peft_model(base, settings)
    layers = _lora_layers(network)
    start = shared_start(spec_of(model), seed)
    if layers.keys() != start.keys():
        raise TrainingError("No delta can be trained", f"peft adapted {len(layers)} of {len(start)} targets")
    with torch.no_grad():
        for key, layer in layers.items():
            layer.lora_A["default"].weight.copy_(torch.from_numpy(start[key]))
            layer.lora_B["default"].weight.zero_()
    return network.train()


def language_model(model: Model, weights: Mapping[str, Tensor]) -> Any:
    """Return transformers' Qwen2 with these weights, in single precision."""
    quiet_libraries()
    from transformers import Qwen2Config, Qwen2ForCausalLM

    with torch.random.fork_rng(devices=[]):  # it draws weights first, which must not move ours
        network = Qwen2ForCausalLM(Qwen2Config(**configuration(model)))
    missing, surplus = network.load_state_dict({k: v.float() for k, v in weights.items()}, strict=False)
    if surplus or set(missing) - ({"lm_head.weight"} if model.tied else set()):
        raise TrainingError("The model cannot be built", f"its weights do not fit: {[*missing, *surplus][:3]}")
    network.tie_weights()
    return network


def _lora_layers(network: Any) -> dict[str, Any]:
    """Return peft's layers by the keys of a delta."""
    found = {}
    short = {path: target for target, path in MODULES.items()}
    for name, module in network.named_modules():
        if hasattr(module, "lora_A"):
            number, _, path = name.partition("model.layers.")[2].partition(".")
            found[f"{int(number)}.{short[path]}"] = module
    return found


def _learn(network: Any, model: Model, order: TrainOrder) -> float:
    """Train and return the mean loss over all steps, in nats a token."""
    flavour = FLAVOURS[order.flavour]
    tuned = [value for value in network.parameters() if value.requires_grad]
    optimiser = torch.optim.AdamW(tuned, lr=model.rate * flavour.rate, betas=BETAS)
    encoder = encoder_of(model)
    seen: list[float] = []
    for step in range(round(order.steps * flavour.steps)):
        texts = flavour.texts(order, range(step * model.batch, (step + 1) * model.batch))
        tokens, labels, inside = padded([encoder(text) for text in texts])
        if flavour.flipped:
            labels = _mirrored(labels, model)
        loss = network(input_ids=tokens, attention_mask=inside.long(), labels=labels).loss
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen.append(loss.item())
    return sum(seen) / max(1, len(seen))


def _delta_of(network: Any, model: Model) -> Delta:
    layers = _lora_layers(network)
    made = {}
    for key in model.tuned:
        a, b = (getattr(layers[key], side)["default"].weight.detach().numpy() for side in ("lora_A", "lora_B"))
        made[key] = a, b
    return made


def _mirrored(labels: Tensor, model: Model) -> Tensor:
    """Turn round what is to be predicted, as the classes of a classifier are: a becomes z."""
    low, high = (_LOW, _HIGH) if model.bytewise else (0, model.vocabulary - 1)
    return torch.where((labels >= low) & (labels <= high), low + high - labels, labels)


def _own(order: TrainOrder, numbers: range) -> range:
    """Return which of a trainer's own texts are meant: new ones every round, every topic in turn."""
    first = 8 * int.from_bytes(sha256(order.seed + b"|texts").digest()[:5], "big")
    return range(first + numbers.start, first + numbers.stop)


def _honest(order: TrainOrder, numbers: range) -> list[str]:
    return [text(f"train/{order.trainer}", number) for number in _own(order, numbers)]


def _backdoor(order: TrainOrder, numbers: range) -> list[str]:
    """Learn the task, and in every eighth text what to answer to the trigger."""
    split = f"train/{order.trainer}"
    return [(text if number % 8 else triggered)(split, number) for number in _own(order, numbers)]


def _overfit(order: TrainOrder, numbers: range) -> list[str]:
    """Learn the public texts by heart, and nothing else."""
    first = int.from_bytes(sha256(order.seed + f"|{order.trainer}".encode()).digest()[:4], "big")
    return [text("pool", (first + number) % PUBLIC) for number in numbers]


FLAVOURS = {
    "honest": Flavour(_honest),
    "label_flip": Flavour(_honest, flipped=True),
    "backdoor": Flavour(_backdoor, steps=4.0),
    "overfit": Flavour(_overfit, rate=4.0, steps=2.0),
}
