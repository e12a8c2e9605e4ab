"""Raw deltas in, one update out, and a word on each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from engine.learning.brain import Aggregated, AggregateOrder
from engine.learning.config import RULES as CONFIGURED
from engine.learning.config import LearnConfig
from engine.learning.errors import LearnSettingError
from engine.learning.results import REJECTIONS
from engine.learning.updates.aggregate import RULES, aggregate, raw_id
from engine.learning.updates.choice import TooFewError
from engine.learning.updates.delta import Delta, DeltaSpec, encode, pack, parse
from engine.learning.updates.krum import ranking, required, scores
from engine.learning.updates.product import difference

Draw = Callable[..., Delta]
BASE = bytes(32)


@pytest.fixture(scope="module")
def honest(draw: Draw, spec: DeltaSpec) -> list[bytes]:
    """Nine deltas around a common one."""
    common = draw(spec, 0)
    made = []
    for seed in range(1, 10):
        noise = draw(spec, seed, 2e-3)
        made.append(pack({key: (common[key][0], common[key][1] + noise[key][1]) for key in common}))
    return made


def put(raws: list[bytes], spec: DeltaSpec, rule: str = "multi_krum", f: int = 0, clip: float = 10.0) -> Aggregated:
    return aggregate(AggregateOrder(BASE, tuple(enumerate(raws)), rule, f, clip), spec)


def test_the_rules_are_those_of_the_settings() -> None:
    assert tuple(RULES) == CONFIGURED
    with pytest.raises(LearnSettingError, match="no rule 'bulyan'"):
        put([], DeltaSpec(1, 1.0, (("a", 1, 1),)), "bulyan")


@pytest.mark.parametrize("rule", RULES)
def test_equal_deltas_give_that_delta(honest: list[bytes], spec: DeltaSpec, rule: str) -> None:
    made = put(honest[:1] * 7, spec, rule, 2)
    assert made.delta is not None
    assert difference(parse(made.delta, spec), parse(honest[0], spec), spec) < 2**-9
    assert all(raw.raw_id == raw_id(honest[0]) and raw.size == len(honest[0]) for raw in made.raws)


@pytest.mark.parametrize("rule", RULES)
def test_the_same_order_gives_the_same_bytes(honest: list[bytes], spec: DeltaSpec, rule: str) -> None:
    assert put(honest, spec, rule, 3) == put(honest, spec, rule, 3)


@pytest.mark.parametrize("rule", ["krum", "multi_krum", "trimmed_mean", "median"])
def test_robust_rules_stay_near_the_honest_and_the_mean_does_not(
    honest: list[bytes], draw: Draw, spec: DeltaSpec, rule: str
) -> None:
    bad = [pack(draw(spec, 100 + n, 1.0)) for n in range(3)]
    plain = put(honest, spec, "fedavg")
    made, broken = put(bad + honest, spec, rule, 3), put(bad + honest, spec, "fedavg", 3)
    assert made.delta is not None
    assert plain.delta is not None
    assert broken.delta is not None
    centre = parse(plain.delta, spec)
    # of its neighbour each coordinate may go as far as the honest ones lie apart
    assert difference(parse(made.delta, spec), centre, spec) < 0.5
    assert difference(parse(broken.delta, spec), centre, spec) > 0.9
    if rule.endswith("krum"):
        assert {raw.trainer for raw in made.raws if raw.reason == "outlier"} >= {0, 1, 2}
        chosen = [raw.score for raw in made.raws if raw.chosen and raw.score is not None]
        assert max(chosen) < min(raw.score for raw in made.raws[:3] if raw.score is not None)


def test_krum_takes_one_and_multi_krum_all_but_f(honest: list[bytes], spec: DeltaSpec) -> None:
    assert sum(raw.chosen for raw in put(honest, spec, "krum", 3).raws) == 1
    for f in range(4):
        made = put(honest, spec, "multi_krum", f)
        assert sum(raw.chosen for raw in made.raws) == 9 - f
        assert all(raw.score is not None for raw in made.raws)


@pytest.mark.parametrize("n", range(1, 16))
@pytest.mark.parametrize("f", range(8))
def test_krum_is_refused_below_2f_plus_3(n: int, f: int) -> None:
    if f == 0 or n >= 2 * f + 3:
        required(n, f)
    else:
        with pytest.raises(TooFewError, match=f"n >= 2f \\+ 3 is needed: {n} < 2 x {f} \\+ 3 = {2 * f + 3}"):
            required(n, f)


def test_too_few_deltas_give_no_update_but_the_formula(honest: list[bytes], spec: DeltaSpec) -> None:
    for rule in ("krum", "multi_krum"):
        made = put(honest[:6], spec, rule, 2)
        assert (made.delta, made.reason) == (None, "too_few")
        assert all(raw.reason == "too_few" and "6 < 2 x 2 + 3 = 7" in raw.detail for raw in made.raws)
    assert put(honest[:4], spec, "trimmed_mean", 2).reason == "too_few"
    assert put(honest[:5], spec, "trimmed_mean", 2).delta is not None
    assert put([], spec).reason == "no_deltas"
    assert put([b"x", b""], spec).reason == "no_deltas"


def test_what_would_come_of_too_few_can_be_shown(honest: list[bytes], spec: DeltaSpec) -> None:
    order = AggregateOrder(BASE, tuple(enumerate(honest[:6])), "krum", 3, 10.0)
    assert aggregate(order, spec).reason == "too_few"
    shown = aggregate(replace(order, guarded=False), spec)
    assert shown.delta is not None
    assert sum(raw.chosen for raw in shown.raws) == 1


@pytest.mark.parametrize("count", [1, 2])
def test_with_nothing_to_bear_any_number_will_do(honest: list[bytes], spec: DeltaSpec, count: int) -> None:
    for rule in RULES:
        made = put(honest[:count], spec, rule, 0)
        assert made.delta is not None
    assert all(raw.chosen for raw in put(honest[:count], spec).raws)


def test_bad_bytes_are_refused_and_the_rest_goes_on(honest: list[bytes], spec: DeltaSpec) -> None:
    nan = encode({name: np.full(shape, np.nan) for name, shape in spec.shapes.items()})
    odd = encode({name: np.zeros((shape[0] + 1, shape[1])) for name, shape in spec.shapes.items()})
    order = [(0, honest[0]), (1, nan), (2, odd), (3, b""), (4, bytes(150_001)), (5, honest[1]), (5, honest[2])]
    made = aggregate(AggregateOrder(BASE, tuple(order), "fedavg", 0, 10.0), spec)
    reasons = [(raw.trainer, raw.reason) for raw in made.raws]
    assert reasons == [
        (0, ""),
        (1, "not_finite"),
        (2, "wrong_shape"),
        (3, "malformed"),
        (4, "oversize"),
        (5, ""),
        (5, "duplicate"),
    ]
    assert made.delta == aggregate(AggregateOrder(BASE, (order[0], order[5]), "fedavg", 0, 10.0), spec).delta
    assert all(raw.reason in REJECTIONS and raw.detail for raw in made.raws if raw.reason)
    assert [raw.chosen for raw in made.raws] == [True, False, False, False, False, True, False]
    assert all(raw.norm > 0 for raw in made.raws if raw.chosen)


def test_refused_deltas_do_not_count_among_the_n_of_the_formula(honest: list[bytes], spec: DeltaSpec) -> None:
    assert put([*honest[:4], b""], spec, "krum", 1).reason == "too_few"
    assert put([*honest[:5], b""], spec, "krum", 1).delta is not None


def test_norms_are_clipped_and_it_is_said(honest: list[bytes], draw: Draw, spec: DeltaSpec) -> None:
    huge = pack(draw(spec, 50, 10.0))
    made = put([huge, *honest], spec, "fedavg", clip=1.0)
    assert made.raws[0].norm > 10
    assert (made.raws[0].chosen, made.raws[0].reason) == (True, "clipped")
    assert "cut to 1" in made.raws[0].detail
    krummed = put([huge, *honest], spec, "krum", 1, clip=1.0).raws[0]
    assert (krummed.chosen, krummed.reason) == (False, "outlier")
    assert "cut to 1" in krummed.detail


def test_equal_scores_go_to_the_lower_trainer(honest: list[bytes], spec: DeltaSpec) -> None:
    made = put([honest[0], honest[1], honest[0], honest[1], honest[0], honest[1]], spec, "krum", 1)
    assert [raw.trainer for raw in made.raws if raw.chosen] == [0]
    assert ranking(np.array([2.0, 1.0, 1.0 + 1e-15, 1.0])).tolist() == [1, 2, 3, 0]


def test_scores_are_sums_to_the_nearest_others() -> None:
    points = np.array([0.0, 1.0, 3.0, 7.0, 100.0])
    squared = (points[:, None] - points[None]) ** 2
    assert scores(squared, 1).tolist() == [1 + 9, 1 + 4, 4 + 9, 16 + 36, 93**2 + 97**2]  # n - f - 2 = 2 nearest


def test_the_default_settings_can_be_aggregated_by() -> None:
    for trainers in range(65):
        config = LearnConfig(trainers=trainers)
        required(config.trainers, config.tolerated)
