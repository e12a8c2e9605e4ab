"""Trains the checkpoints that ship, from nothing.

    python -m engine.learning.ai.pretrain nano --steps 220 --out assets/models/learning/nano.safetensors

Uses transformers' Qwen2 and AdamW on made sentences, one thread; a minute for ``tiny``. Training bytes differ between
machines, so what ships is named by its hash in assets/models/learning/hashes.json; a recording is of one checkpoint.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from engine.learning.ai.model import BETAS, PRESETS, Model, configuration
from engine.learning.ai.quiet import quiet_libraries
from engine.learning.ai.shipped import ship

STEPS = {"nano": 220, "tiny": 150}
RATE, BATCH, WARM = 3e-3, 32, 20


def pretrain(model: Model, steps: int, out: Path) -> None:
    """Train a model and write it as FP16 safetensors."""
    quiet_libraries()
    import torch
    from safetensors.torch import save
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from engine.learning.ai.batches import padded
    from engine.learning.ai.texts import text
    from engine.learning.ai.tokens import encode

    torch.set_num_threads(1)
    torch.manual_seed(1)
    network = Qwen2ForCausalLM(Qwen2Config(**configuration(model), bos_token_id=256, eos_token_id=257)).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, betas=BETAS)
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM, (steps - step) / (steps * 0.2))
        tokens, labels, _ = padded([encode(text("train/base", step * BATCH + row)) for row in range(BATCH)])
        loss = network(input_ids=tokens, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad()
        if step % 50 == 0 or step == steps - 1:
            sys.stderr.write(f"{model.name} step {step} loss {loss.item():.3f}\n")
    weights = {name: value.detach().half().contiguous() for name, value in network.state_dict().items()}
    ship(out, save({name: value for name, value in weights.items() if not (model.tied and name == "lm_head.weight")}))


def main() -> None:
    """Read the command line and train."""
    parser = argparse.ArgumentParser(description="Train a checkpoint of the learning chain.")
    parser.add_argument("model", choices=sorted(PRESETS))
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    model = PRESETS[given.model]
    pretrain(model, given.steps or STEPS[model.name], given.out or model.folder / f"{model.name}.safetensors")


if __name__ == "__main__":
    main()
