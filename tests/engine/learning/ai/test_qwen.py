from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learning.ai.batches import padded
from engine.learning.ai.lora import with_delta
from engine.learning.ai.model import PRESETS, parameters, spec_of
from engine.learning.ai.qwen import Network, losses
from engine.learning.ai.tasks import _first_weights
from engine.learning.ai.texts import text
from engine.learning.ai.tokens import encode
from engine.learning.config import EVALUATION_TOLERANCE
from engine.learning.updates.delta import pack, parse

TEXTS = [encode(text("pool", number)) for number in range(0, 4096, 64)]


def test_the_shipped_models_are_what_their_presets_say(nano: Network) -> None:
    assert sum(value.numel() for value in nano.weights.values()) == parameters(nano.model)
    assert (
        parameters(PRESETS["tiny"]) + sum(8 * (out + into) for _, out, into in spec_of(PRESETS["tiny"]).targets)
        == 487_776
    )
    assert spec_of(PRESETS["nano"]).size < 25_000 and spec_of(PRESETS["tiny"]).size <= 150_000


def test_it_learnt_to_read(nano: Network) -> None:
    known, noise = losses(nano, TEXTS[:8]), losses(nano, [encode("zqxj kvbw qqzz"), encode("0123456789")])
    assert max(known) < 2.7e9 < min(noise)


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_losses_do_not_depend_on_the_rest_of_the_batch(nano: Network, data: st.DataObject) -> None:
    whole = losses(nano, TEXTS)
    picked = data.draw(st.lists(st.integers(0, len(TEXTS) - 1), min_size=1, max_size=12))
    assert losses(nano, [TEXTS[at] for at in picked]) == [whole[at] for at in picked]


def test_single_precision_stays_within_the_tolerance(nano: Network) -> None:
    double = Network(nano.model, {name: value.double() for name, value in nano.weights.items()})
    apart = [abs(one - two) for one, two in zip(losses(nano, TEXTS), losses(double, TEXTS), strict=True)]
    assert 0 < max(apart) <= EVALUATION_TOLERANCE / 2


def test_the_tail_is_of_the_last_tokens_alone(nano: Network) -> None:
    row = TEXTS[3]
    stream = nano.blocks(nano.embed(torch.tensor([row[:-1]])), 0, nano.model.layers)
    each = torch.nn.functional.cross_entropy(nano.logits(stream)[0], torch.tensor(row[1:]), reduction="none").double()
    assert abs(losses(nano, [row], 5)[0] - each[-5:].mean().item() * 1e9) < EVALUATION_TOLERANCE
    assert abs(losses(nano, [row])[0] - each.mean().item() * 1e9) < EVALUATION_TOLERANCE


def test_texts_of_any_length_have_a_loss(nano: Network) -> None:
    assert all(value > 0 for value in losses(nano, [encode(""), encode("a"), encode("x" * 256), encode("ä€😀" * 80)]))
    assert losses(nano, []) == []


def test_a_delta_is_alpha_over_rank_times_the_product(nano: Network) -> None:
    spec, numbers = spec_of(nano.model), np.random.default_rng(0)
    delta = {
        key: (numbers.normal(size=(8, into)) / 8, numbers.normal(size=(out, 8)) / 8) for key, out, into in spec.targets
    }
    parsed = parse(pack(delta), spec)
    changed = with_delta(nano.weights, parsed, spec)
    key = "1.gate"
    name = "model.layers.1.mlp.gate_proj.weight"
    wanted = nano.weights[name].numpy() + 2.0 * parsed[key][1].astype(float) @ parsed[key][0].astype(float)
    assert np.abs(changed[name].numpy() - wanted).max() < 1e-7
    assert changed["model.norm.weight"] is nano.weights["model.norm.weight"]
    assert losses(Network(nano.model, changed), TEXTS[:2]) != losses(nano, TEXTS[:2])


@pytest.mark.learn
@pytest.mark.parametrize("name", ["nano", "tiny"])
def test_it_is_transformers_qwen2(name: str) -> None:
    from engine.learning.ai.trainer import language_model

    model = PRESETS[name]
    ours = Network(model, _first_weights(model))
    theirs = language_model(model, ours.weights).eval()
    rows = random.Random(1).sample(TEXTS, 6)
    tokens, labels, inside = padded(rows)
    with torch.no_grad():
        wanted = theirs(input_ids=tokens, attention_mask=inside.long()).logits
        found = ours.logits(ours.blocks(ours.embed(tokens), 0, model.layers))
    assert (found - wanted)[inside].abs().max() < 1e-5
    each = torch.nn.functional.cross_entropy(wanted[:, :-1].transpose(1, 2), labels[:, 1:], reduction="none")
    mean = each.sum(1) / inside[:, 1:].sum(1)
    assert max(abs(value / 1e9 - other) for value, other in zip(losses(ours, rows), mean.tolist(), strict=True)) < 1e-5
