from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from engine.learning.ai import tasks
from engine.learning.ai.lineage import Lineage, merged_root
from engine.learning.ai.model import PRESETS, spec_of
from engine.learning.ai.recording import Recording
from engine.learning.ai.tasks import NeedsMoreError, network_of
from engine.learning.ai.weights import read_preset, root_of_weights
from engine.learning.errors import TrainingError

NANO = PRESETS["nano"]


def test_roots_name_the_way_to_a_model() -> None:
    lineage = Lineage(NANO, b"g" * 32)
    one = lineage.merge(b"g" * 32, b"first")
    two, other = lineage.merge(one, b"second"), lineage.merge(one, b"else")
    assert one == merged_root(b"g" * 32, b"first") and len({one, two, other}) == 3
    assert [lineage.depth(root) for root in (b"g" * 32, one, two, other)] == [0, 1, 2, 2]
    assert lineage.merge(one, b"second") == two
    assert lineage.line(two).steps == ((one, b"first"), (two, b"second")) and lineage.line(two).complete
    assert lineage.line(two, 1).steps == ((two, b"second"),) and not lineage.line(two, 1).complete
    assert lineage.line(b"g" * 32, 1).complete and lineage.line(b"g" * 32).root == b"g" * 32


def test_unknown_roots_are_refused() -> None:
    lineage = Lineage(NANO, b"g" * 32)
    for call in (lineage.depth, lineage.line, lambda root: lineage.merge(root, b"x")):
        with pytest.raises(TrainingError, match="not known"):
            call(b"?" * 32)


def test_a_worker_builds_the_same_model_by_any_way(monkeypatch: pytest.MonkeyPatch) -> None:
    tasks._models.clear()
    recording, spec = Recording.shipped("nano"), spec_of(NANO)
    lineage = Lineage(NANO, recording.base)
    first, second = (recording.trained(depth, "honest", 0, 0, spec).delta for depth in (0, 1))
    root = lineage.merge(lineage.merge(recording.base, first), second)
    with pytest.raises(NeedsMoreError):
        network_of(lineage.line(root, 1), None)
    whole = network_of(lineage.line(root), None)
    step = network_of(lineage.line(lineage.merge(recording.base, first), 1), second)
    for name, value in whole.weights.items():
        assert torch.equal(value, step.weights[name]), name
    assert network_of(lineage.line(root, 1), None).weights is whole.weights  # it knows this one now
    monkeypatch.setattr(tasks, "KEPT", 1)
    network_of(replace(lineage.line(recording.base)), None)
    assert len(tasks._models) <= 4
    tasks._models.clear()


def test_a_root_is_of_every_weight() -> None:
    arrays = read_preset(NANO)
    root = root_of_weights(arrays)
    assert root == root_of_weights(dict(reversed(arrays.items()))) and len(root) == 32
    changed = {name: value.copy() for name, value in arrays.items()}
    changed["model.norm.weight"][3] += 1
    assert root_of_weights(changed) != root
    assert root_of_weights({name: value for name, value in arrays.items() if name != "model.norm.weight"}) != root
