"""The catalogue: every entry makes its game, from its parameters and seed alone, and says what is wrong with others."""

from __future__ import annotations

import numpy as np
import pytest

from engine.games.catalogue import Entry, catalogue, entry_of, groups, make
from engine.games.consensus import ConsensusGame
from engine.games.errors import GameError
from engine.games.files.json_form import format_json_game
from engine.games.methods import METHODS, method_for, methods_for
from engine.games.options import SolveOptions
from engine.games.parameters import tunable, tuned
from engine.games.solve import solve

ENTRIES = catalogue()
FAMILIES = [entry for entry in ENTRIES if entry.maker]


def test_keys_and_groups() -> None:
    keys = [entry.key for entry in ENTRIES]
    assert len(set(keys)) == len(keys)
    assert {entry.group for entry in ENTRIES} == set(groups())
    assert {entry.kind for entry in ENTRIES} == {"matrix", "bimatrix", "tensor", "polymatrix", "consensus"}
    for entry in ENTRIES:
        assert entry.title
        assert entry.summary
        assert (entry.reference is None) != (entry.maker is None)
        assert all(p.minimum <= p.default <= p.maximum and p.title for p in entry.parameters)


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.key)
def test_every_entry_makes_its_game(entry: Entry) -> None:
    game = entry.make()
    assert game.kind == entry.kind
    assert game.title
    assert methods_for(game)
    same = format_json_game(entry.make(seed=0)) == format_json_game(entry.make(seed=1))
    assert same is not entry.seeded
    assert format_json_game(make(entry.key, 7)) == format_json_game(entry.make(7))


@pytest.mark.parametrize("entry", FAMILIES, ids=lambda entry: entry.key)
def test_the_smallest_parameters_make_a_game(entry: Entry) -> None:
    smallest = {parameter.name: parameter.minimum for parameter in entry.parameters}
    if entry.key == "covariant-n":
        smallest["rho"] = -0.5
    assert entry.make(3, **smallest).kind == entry.kind


@pytest.mark.parametrize("entry", FAMILIES, ids=lambda entry: entry.key)
def test_values_out_of_range_are_refused(entry: Entry) -> None:
    for parameter in entry.parameters:
        for value in (parameter.minimum - 1, parameter.maximum + 1, float("nan"), float("inf")):
            with pytest.raises(GameError, match=parameter.name):
                entry.make(**{parameter.name: value})
        if parameter.whole:
            with pytest.raises(GameError, match="whole number"):
                entry.make(**{parameter.name: parameter.minimum + 0.5})


def test_parameters_shape_the_game() -> None:
    assert make("zero-sum", 1, rows=3, columns=7).sizes == (3, 7)
    assert make("blotto", soldiers=12, fields=4).sizes == (455, 455)
    assert make("random-n", players=4, actions=2).sizes == (2, 2, 2, 2)
    assert make("covariant", rho=1.0, actions=4).sizes == (4, 4)
    lonely = make("consensus", 1, agents=5, density=0.0)
    assert isinstance(lonely, ConsensusGame)
    assert not np.any(lonely.influence)


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(GameError, match="Did you mean 'chicken'"):
        entry_of("chiken")
    with pytest.raises(GameError, match="Known: rps, oneill"):
        entry_of("zzz")
    with pytest.raises(GameError, match=r"no parameter 'cols'.*Known: rows, columns"):
        make("zero-sum", cols=3)
    with pytest.raises(GameError, match="no parameter 'rows'"):
        make("rps", rows=3)
    with pytest.raises(GameError, match="too large"):
        make("random", rows=8192, columns=8192)


# Parameters of methods ------------------------------------------------------------------------------------------

TUNED = [(entry, method) for entry in ENTRIES if entry.maker for method in methods_for(entry.make()) if tunable(method)]


def test_every_method_takes_its_parameters_at_both_ends() -> None:
    seen = set()
    for entry, method in TUNED:
        if (method.place, entry.kind) in seen:
            continue
        seen.add((method.place, entry.kind))
        game = entry.make(1, **{p.name: min(max(p.minimum, 3), p.default) for p in entry.parameters})
        for number in tunable(method):
            for value in (number.minimum, min(number.maximum, 1 if number.name in ("label", "byzantine") else 50)):
                options = SolveOptions(iterations=20, parameters=tuned(method, {number.name: value}))
                solution = solve(game, method.key, options)
                assert solution.equilibria or solution.message
    assert {place for place, _ in seen} == {method.place for method in METHODS if tunable(method)}


def test_parameters_of_methods_are_checked() -> None:
    method = method_for(make("chicken"), "correlated")
    assert tuned(method, {"objective": 2.0}) == {"objective": 2}
    for given, why in (
        ({"objective": 3}, "from 0 to 2"),
        ({"objective": 0.5}, "whole"),
        ({"aim": 1}, "Known: objective"),
    ):
        with pytest.raises(GameError, match=why):
            tuned(method, given)
    with pytest.raises(GameError, match="It has none"):
        tuned(method_for(make("rps"), "simplex"), {"x": 1})
