"""What goes in and comes out: read off the description, and by the agent exactly as by the twin."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.league.neural.actions import Actions, actions_of
from engine.league.neural.build import NeuralAgent, choose_features, describe_inputs
from engine.league.neural.errors import ModelError
from engine.league.neural.features import feature_map, rows_of
from engine.league.neural.model import load_mlp
from engine.league.neural.play import Table, explorer
from engine.league.sandbox import Sandbox
from engine.league.system import SystemSpec

CHOICE = {"kind": "choice", "values": [{"value": value, "name": str(value)} for value in (5, -7, 2**40)]}


def spec(packed: list[dict[str, Any]] | None = None, **fields: Any) -> SystemSpec:
    given: dict[str, Any] = {
        "id": "odd", "version": 1, "title": "Odd", "seats": 1, "max_steps": 10, "score_min": 0, "score_max": 1,
        "observation": {"packed": packed or []}, "action": CHOICE, "state": {},
    }  # fmt: skip
    return SystemSpec(**given | fields)


def encode(described: SystemSpec, scheme: str, packed: int, full: bytes = b"") -> dict[str, int]:
    features = feature_map(described, scheme, len(full))
    assert features is not None
    values = features.encode(rows_of([(packed, full)], features.reach))[0].tolist()
    return dict(zip(features.names(), values, strict=True))


def test_snake_reads_as_its_description_says(kit: Any) -> None:
    described = kit.system("snake").spec
    # head (3, 4), no apple, heading left, 7 long, deadly up and left, running
    packed = int.from_bytes(bytes((3, 4, 255, 255, 3, 7, 0b1001, 0)), "little")
    assert encode(described, "packed", packed) == {
        "head x": 3, "head y": 4, "apple x": 0, "apple x: none": 1, "apple y": 0, "apple y: none": 1,
        "direction = up": 0, "direction = right": 0, "direction = down": 0, "direction = left": 1, "length": 7,
        "deadly moves: up": 1, "deadly moves: right": 0, "deadly moves: down": 0, "deadly moves: left": 1,
        "status = running": 1, "status = hit a wall": 0, "status = hit its body": 0, "status = time is up": 0,
        "status = board full": 0,
    }  # fmt: skip
    full = bytes((3, 4, 9, 9, 3, 7, 9, 0, 1, 2, 10, 10, 44, 1, 44, 1)) + bytes([5]) + bytes(98) + bytes([6])
    board = encode(described, "board", packed, full)
    assert board["steps"] == board["step limit"] == 300
    assert board["cell 0 = head"] == board["cell 99 = apple"] == board["cell 50 = empty"] == 1
    assert sum(value for name, value in board.items() if name.startswith("cell")) == 100
    raw = encode(described, "bytes", packed, full)
    assert list(raw.values()) == list(full)
    assert list(raw)[:2] == ["byte 0", "byte 1"]


FIELDS: list[tuple[dict[str, Any], int, dict[str, int]]] = [
    ({"byte": 1, "size": 2, "name": "n"}, 0x123400, {"n": 0x1234}),
    ({"byte": 1, "size": 2, "name": "n", "big": True}, 0x123400, {"n": 0x3412}),
    ({"byte": 1, "size": 2, "name": "n", "signed": True}, 0xFFFE00, {"n": -2}),
    ({"byte": 0, "size": 8, "name": "n", "signed": True}, 2**64 - 9, {"n": -9}),
    ({"byte": 0, "name": "n", "signed": True, "none": 255}, 255, {"n": 0, "n: none": 1}),
    ({"byte": 0, "name": "n", "signed": True, "none": 255}, 254, {"n": -2, "n: none": 0}),
    ({"bit": 39, "bits": 2, "name": "n", "names": ["a", "b", "c"]}, 2 << 39, {"n = a": 0, "n = b": 0, "n = c": 1}),
    ({"bit": 39, "bits": 2, "name": "n", "names": ["a", "b", "c"]}, 3 << 39, {"n = a": 0, "n = b": 0, "n = c": 0}),
    ({"bit": 53, "bits": 11, "name": "n"}, 0x7FF << 53, {"n": 0x7FF}),
    ({"bit": 3, "bits": 7, "name": "n", "none": 127}, 127 << 3, {"n": 0, "n: none": 1}),
    ({"byte": 7, "name": "n", "bits": ["x", "y"]}, 0b10 << 56, {"n: x": 0, "n: y": 1}),
    ({"bit": 0, "bits": 17, "name": "n"}, 1 << 16, {f"n: {at}": int(at == 16) for at in range(17)}),
    ({"byte": 2, "name": "n", "names": ["a", "b"], "none": 9}, 0x010000, {"n = a": 0, "n = b": 1}),
]


@pytest.mark.parametrize(("field", "packed", "inputs"), FIELDS)
def test_each_kind_of_field(field: dict[str, Any], packed: int, inputs: dict[str, int]) -> None:
    assert encode(spec([field]), "packed", packed) == inputs


def test_what_describes_no_field_is_left_out() -> None:
    good = {"byte": 0, "name": "n"}
    odd: list[Any] = [
        5, {}, {"byte": "0"}, {"byte": -1}, {"byte": 8}, {"byte": 7, "size": 2}, {"byte": 0, "size": 0},
        {"bit": 60, "bits": 5}, {"bit": 0, "bits": 65}, {"bit": -1, "bits": 2}, {"bit": 3},
    ]  # fmt: skip
    features = feature_map(spec([*odd, good]), "packed")
    assert features is not None
    assert features.names() == ["n"]
    assert feature_map(spec(odd), "packed") is None
    assert feature_map(spec(), "board") is None
    assert feature_map(spec(), "bytes", 0) is None


GRID = {
    "kind": "grid", "width": 3, "height": 2, "cells_offset": 9,
    "fields": [
        {"offset": 0, "size": 4, "name": "wide", "signed": True},
        {"offset": 4, "size": 3, "name": "three", "big": True},
        {"offset": 7, "size": 1, "name": "some", "bits": ["p", "q", "r"]},
        {"offset": 8, "name": "named", "names": ["z"]},
    ],
    "cells": [{"value": 0, "name": "empty"}, {"value": 9, "name": "nine"}, {"value": 255, "name": "full"}],
}  # fmt: skip


@pytest.mark.parametrize("scheme", ["packed", "board", "bytes"])
def test_agent_and_twin_read_odd_fields_alike(kit: Any, tmp_path: Path, scheme: str) -> None:
    packed = [field for field, _, _ in FIELDS]
    described = spec(state=GRID, observation={"packed": packed, "bytes": "same as state"})
    features = feature_map(described, scheme, 13)
    assert features is not None
    rng = np.random.default_rng(4)
    rows = rng.integers(0, 256, (600, features.reach), dtype=np.uint8)
    rows[::3] = 255
    rows[1::3] &= 9
    path = kit.save(kit.network(features.inputs, 11, 3), tmp_path)
    for seen in (rows, rows[:1] & 0):  # calibrated on all, and on nothing but zeros
        agent = NeuralAgent.of(load_mlp(path), features, actions_of(described), features.encode(seen))
        kit.assert_equal_to_twin(agent, rows)


LEGAL: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
    ({}, [{"byte": 3, "name": "Legal columns", "bits": ["a", "b", "c"]}]),
    ({"legal": "open"}, [{"byte": at, "name": name, "bits": ["a", "b", "c"]} for at, name in ((1, "no"), (7, "open"))]),
    ({"legal": "how many"}, [{"bit": 62, "bits": 2, "name": "how many"}]),
    ({"legal": "how many"}, [{"byte": 0, "size": 8, "name": "how many"}]),
    ({"legal": {"bit": 6, "step": 8, "value": 0}}, []),
    ({"legal": {"bit": 61}}, []),
]  # fmt: skip


@pytest.mark.parametrize(("legal", "packed"), LEGAL)
def test_illegal_actions_are_never_chosen(
    kit: Any, tmp_path: Path, legal: dict[str, Any], packed: list[dict[str, Any]]
) -> None:
    described = spec(packed, action=CHOICE | legal)
    actions = actions_of(described)
    assert actions.legal is not None
    features = feature_map(described, "bytes", 6)
    assert features is not None
    rows = np.random.default_rng(5).integers(0, 256, (500, features.reach), dtype=np.uint8)
    rows[:100, :8] = 0
    path = kit.save(kit.network(6, 9, 3), tmp_path)
    agent = NeuralAgent.of(load_mlp(path), features, actions, features.encode(rows))
    kit.assert_equal_to_twin(agent, rows)
    table = actions.legal.table(rows, 3)
    chosen = [actions.values.index(action) for action in agent.twin().decide(rows)]
    for allowed, index in zip(table, chosen, strict=True):
        assert allowed[index] if allowed.any() else index == 0
    assert len(set(chosen)) == 3


def test_a_legal_field_that_tells_nothing_is_refused() -> None:
    for packed in ([], [{"byte": 0, "name": "open", "bits": ["a"]}], [{"byte": 0, "name": "open", "signed": True}]):
        with pytest.raises(ModelError, match="what tells the legal actions"):
            actions_of(spec(packed, action=CHOICE | {"legal": "open"}))


@pytest.mark.parametrize(
    "legal",
    [
        {}, {"bit": "6"}, {"bit": 62}, {"bit": -1},
        {"bit": 0, "step": 0}, {"bit": 0, "step": 40}, {"bit": 0, "value": 2},
    ],
)  # fmt: skip
def test_bits_outside_the_packed_observation_are_refused(legal: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="its description of the legal actions"):
        actions_of(spec(action=CHOICE | {"legal": legal}))


@pytest.mark.parametrize(
    ("action", "values"),
    [
        (CHOICE, (5, -7, 2**40)),
        ({"kind": "number", "min": -1, "max": 2}, (-1, 0, 1, 2)),
    ],
)
def test_lists_and_ranges_of_actions_are_outputs(action: dict[str, Any], values: tuple[int, ...]) -> None:
    assert actions_of(spec(action=action)).values == values


@pytest.mark.parametrize(
    "action",
    [
        {"kind": "chess"}, {"kind": "packed", "parts": []}, {}, {"kind": 5}, {"kind": "choice"},
        {"kind": "choice", "values": []}, {"kind": "choice", "values": [{"name": "a"}]},
        {"kind": "number", "min": 0, "max": 5000}, {"kind": "number", "min": 0}, {"kind": "number", "min": 2, "max": 1},
    ],
)  # fmt: skip
def test_other_kinds_of_actions_are_refused(action: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match="A model cannot play Odd"):
        actions_of(spec(action=action))


def test_two_schemes_of_one_size_must_be_told_apart(kit: Any, tmp_path: Path) -> None:
    described = spec([{"byte": 0, "name": "n"}, {"byte": 1, "name": "m"}])
    mlp = load_mlp(kit.save(kit.network(2, 4, 3), tmp_path))
    with pytest.raises(ModelError, match="packed and bytes both have 2"):
        choose_features(described, mlp, "", 2)
    assert choose_features(described, mlp, "bytes", 2).scheme == "bytes"
    assert choose_features(described, mlp, "", 3).scheme == "packed"


def test_explorers_keep_to_legal_actions_and_differ(kit: Any) -> None:
    image = kit.system("sequence")  # half of its matches have an alphabet of two, and three actions
    with Sandbox() as sandbox:
        table = Table(image, actions_of(image.spec), sandbox)
        played = table.explore(4000)
        again = table.explore(4000)
    assert set(played.outcomes) == {"FINISHED"}
    assert {record.action for _, record in played.records} == {0, 1, 2}
    assert all(record.action < record.packed >> 58 & 3 for _, record in played.records)
    assert [record.action for _, record in played.records] == [record.action for _, record in again.records]
    assert len({explorer(number, Actions((0, 1), ("a", "b"))) for number in range(8)}) == 8


def test_the_inputs_of_every_scheme_are_listed(kit: Any) -> None:
    listed = describe_inputs(kit.system("snake"))
    assert {scheme: len(names) for scheme, names in listed.items()} == {"packed": 20, "board": 726, "bytes": 116}
    assert len(set(listed["board"])) == 726
