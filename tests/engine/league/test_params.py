"""Parameters of a System: set before the match, bound by its commitment, refused where they do not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.core.errors import UsageError
from engine.league.bundle import Bundle
from engine.league.config import parse_params
from engine.league.match import MatchRequest, run_match
from engine.league.replay import Replay
from engine.league.verify import verify_bundle

BONUS = [
    {"name": "bonus", "title": "Points at the start", "min": -5, "max": 900, "default": 7},
    {"name": "other", "min": 0, "max": 3, "default": 0},
]
PRESETS = [{"id": "rich", "title": "Rich", "params": {"bonus": 500, "other": 1}}]
# Keeps the first parameter beyond the reset and adds it to the score; the second is shown in the state.
SET_PARAM = """
  (func (export "set_param") (param i32 i64)
    (i64.store (i32.add (i32.const 512) (i32.mul (local.get 0) (i32.const 8))) (local.get 1)))
"""


def system_file(arena, *, export: bool = True, **spec: object) -> bytes:
    source = arena.duel.format(seats=1, steps=10, shown="16", in_step="", legal=SET_PARAM if export else "")
    source = source.replace("(i64.load (i32.mul (local.get 0) (i32.const 8)))))", "(i64.load (i32.const 512))))")
    source = source.replace(
        "(i64.store (i32.const 1032) (global.get $last))", "(i64.store (i32.const 1032) (i64.load (i32.const 520)))"
    )
    return arena.described(arena.wasm(source), **({"params": BONUS, "presets": PRESETS} | spec))


def test_parameters_reach_the_system_and_the_commitment(arena) -> None:
    system, agent = arena.gate.check(system_file(arena), "system").system(), arena.agent(arena.one)
    default = MatchRequest(system, (agent,), 1)
    assert default.params == {"bonus": 7, "other": 0}
    rich = MatchRequest(system, (agent,), 1, params=system.spec.resolve({"bonus": -5}, "rich"))
    results = [run_match(request, arena.sandbox) for request in (default, rich)]
    assert [result.scores for result in results] == [(7,), (-5,)]
    assert b'"params":{"bonus":-5,"other":1}' in (results[1].header or b"")
    assert results[0].commitment != results[1].commitment


def test_a_bundle_is_replayed_with_its_parameters(arena) -> None:
    file, agent = system_file(arena), arena.wasm(arena.one)
    system = arena.gate.check(file, "system").system()
    request = MatchRequest(system, (arena.agent(agent),), 1, params={"bonus": 42, "other": 3})
    bundle = Bundle.of(request, run_match(request, arena.sandbox), file, (agent,))
    assert verify_bundle(Bundle.decode(bundle.encode()), arena.gate, arena.sandbox).ok
    assert Replay(bundle, system, arena.sandbox).state(4)[8] == 3
    other = bundle.match.model_copy(update={"params": {"bonus": 41, "other": 3}})
    forged = verify_bundle(replace(bundle, match=other), arena.gate, arena.sandbox)
    assert forged.differences == ("the scores is claimed as (42,), replayed as (41,)",)
    for params, why in (({"bonus": 42}, "every parameter"), ({"bonus": 42, "x": 1}, "no parameter 'x'")):
        header = bundle.match.model_copy(update={"params": params})
        assert why in verify_bundle(replace(bundle, match=header), arena.gate, arena.sandbox).differences[0]


@pytest.mark.parametrize(
    ("params", "preset", "why"),
    [
        ({"bonus": 901}, "", "901 is not between -5 and 900"),
        ({"luck": 1}, "", "known are: bonus, other"),
        ({}, "poor", "known are: rich"),
    ],
)
def test_what_does_not_fit_is_refused(arena, params: dict[str, int], preset: str, why: str) -> None:
    spec = arena.gate.check(system_file(arena), "system").system().spec
    with pytest.raises(UsageError, match=why):
        spec.resolve(params, preset)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"params": [{**BONUS[0], "default": 901}], "presets": []}, "the default 901"),
        ({"params": [BONUS[0], BONUS[0]], "presets": []}, "repeat a name"),
        ({"presets": [{"id": "half", "title": "Half", "params": {"bonus": 1}}]}, "must give every parameter"),
        ({"presets": [{"id": "odd", "title": "Odd", "params": {"bonus": 1, "x": 2}}]}, "no parameter 'x'"),
        ({"params": [BONUS[0]] * 33, "presets": []}, "at most 32"),
    ],
)
def test_a_wrong_description_is_rejected(arena, spec: dict[str, object], why: str) -> None:
    verdict = arena.gate.check(system_file(arena, **spec), "system")
    assert not verdict.accepted
    assert why in verdict.reason


def test_a_system_with_parameters_must_take_them(arena) -> None:
    verdict = arena.gate.check(system_file(arena, export=False), "system")
    assert verdict.reason == "does not export the function 'set_param' (its description has parameters)"


def test_parameters_as_text() -> None:
    assert parse_params(["a=3", "b=-0x10"]) == {"a": 3, "b": -16}
    for wrong in (["a"], ["a=1", "a=2"], ["a=x"]):
        with pytest.raises(UsageError):
            parse_params(wrong)
