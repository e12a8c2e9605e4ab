"""Prices in, a consensus on tomorrow out: data that is refused, no look at the future, honest figures."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.chain.anvil import Devnet
from engine.consensus.agents.finance_models import KINDS, model
from engine.consensus.agents.market_data import Series, series_of, shipped
from engine.consensus.errors import ConsensusError
from engine.consensus.library.finance import FinancialConsensus, agreed, backtest, score
from engine.consensus.tasks import read_task, task_of
from engine.core.bus import EventBus

ROOT = Path(__file__).parents[4]
GOOD = list(np.linspace(10.0, 20.0, 80))


# The data ------------------------------------------------------------------------------------------------------


def test_the_shipped_series_is_real_and_whole() -> None:
    series = shipped()
    assert (len(series), series.dates[0], series.dates[-1]) == (4771, "2000-01-04", "2019-01-03")
    assert (series.prices[0], series.prices.max(), series.prices.min()) == (25.56, 145.31, 17.5)


def test_a_part_of_the_shipped_series() -> None:
    part = series_of({"series": "wti", "since": "2018-01-01", "until": "2018-12-31"})
    assert (part.dates[0], part.dates[-1]) == ("2018-01-02", "2018-12-28")
    assert series_of(part.to_data()).prices == pytest.approx(part.prices)


def test_days_come_in_many_forms() -> None:
    begin = datetime.date(2020, 1, 1)
    days = [begin + datetime.timedelta(days=at) for at in range(80)]
    at_noon = [datetime.datetime(day.year, day.month, day.day, 12) for day in days]
    for given_days in (days, at_noon, [str(day) for day in days], np.array(days, dtype="datetime64[D]")):
        assert series_of({"prices": GOOD, "dates": given_days}).dates[-1] == "2020-03-20"


@pytest.mark.parametrize("kind", ["list", "tuple", "array", "tensor", "mapping", "series", "float32"])
def test_prices_come_in_many_forms(kind: str) -> None:
    forms: dict[str, Any] = {
        "list": GOOD,
        "tuple": tuple(GOOD),
        "array": np.array(GOOD),
        "tensor": torch.tensor(GOOD),
        "mapping": {"prices": GOOD, "name": "gold"},
        "series": Series("gold", np.array(GOOD)),
        "float32": np.array(GOOD, dtype=np.float32),
    }
    assert series_of(forms[kind]).prices == pytest.approx(GOOD, rel=1e-6)


DAYS = [f"2020-{1 + at // 28:02}-{1 + at % 28:02}" for at in range(80)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ([], "it has 0 prices"),
        ([1.0] * 59, "it has 59 prices"),
        ([1.0] * 20_001, "it has 20001 prices"),
        ([*GOOD[:40], float("nan"), *GOOD[40:]], r"price 41 \(nan\) is not a number"),
        ([*GOOD[:40], float("inf"), *GOOD[40:]], r"price 41 \(inf\) is not a number"),
        ([*GOOD[:40], -37.63, *GOOD[40:]], r"price 41 \(-37.63\) is not above 0"),
        ([*GOOD[:40], 0.0, *GOOD[40:]], r"price 41 \(0\) is not above 0"),
        ([*GOOD[:40], 1e13, *GOOD[40:]], "is above 1e"),
        ([*GOOD[:40], 9e5, *GOOD[40:]], "follows 14.9"),
        ([*GOOD[:40], "ten", *GOOD[40:]], "a price is no number"),
        ([*GOOD[:40], 10**400, *GOOD[40:]], "a price is no number"),
        ([GOOD, GOOD], "it has the shape"),
        ("prices.csv", "it is of type str"),
        (b"\x00" * 80, "it is of type bytes"),
        (None, "it is of type NoneType"),
        ({}, "it has nothing"),
        ({"close": GOOD}, "it has close"),
        ({"prices": GOOD, "dates": DAYS[:79]}, "79 dates stand beside 80 prices"),
        ({"prices": GOOD, "dates": [*DAYS[:40], DAYS[39], *DAYS[41:]]}, f"{DAYS[39]} is there twice"),
        ({"prices": GOOD, "dates": DAYS[::-1]}, "comes after"),
        ({"prices": GOOD, "dates": [*DAYS[:79], "yesterday"]}, "the date 80 is 'yesterday'"),
        ({"series": "gold"}, "there is wti"),
        ({"series": "wti", "until": "soon"}, "the until is 'soon'"),
        ({"series": "wti", "until": "2000-02-01"}, "it has 20 prices"),
    ],
)
async def test_bad_data_is_refused_before_anybody_is_asked(data: Any, why: str) -> None:
    consensus = FinancialConsensus("http://localhost:1")  # nobody is there: nothing is sent
    with pytest.raises(ConsensusError, match=why):
        await consensus.market_prediction_consensus(data)


# The models ----------------------------------------------------------------------------------------------------


@given(
    st.lists(st.floats(0.01, 1e6), min_size=60, max_size=90).map(np.array),
    st.sampled_from(sorted(KINDS)),
)
@settings(max_examples=60, deadline=None)
def test_any_prices_have_a_chance(prices: np.ndarray, kind: str) -> None:
    assert 0.02 <= model(kind).chance(prices) <= 0.98


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_prices_that_stand_still_say_nothing_but_stay_finite(kind: str) -> None:
    assert np.isfinite(model(kind).chance(np.full(300, 42.0)))


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_the_scale_of_prices_does_not_matter(kind: str) -> None:
    prices = shipped().prices[-400:]
    assert model(kind).chance(prices * 1000) == pytest.approx(model(kind).chance(prices), abs=1e-9)


def test_the_models_find_what_they_believe_in() -> None:
    draw = np.random.default_rng(3)
    steps = np.zeros(900)
    for at in range(1, 900):  # returns that last
        steps[at] = 0.9 * steps[at - 1] + draw.normal(scale=0.004)
    steps[-30:] = np.abs(steps[-30:])
    trend = np.exp(np.cumsum(steps))
    assert model("momentum").chance(trend) > 0.6
    assert model("regression").chance(trend) > 0.6
    level = np.zeros(900)
    for at in range(1, 900):  # a price that comes back
        level[at] = 0.7 * level[at - 1] + draw.normal(scale=0.02)
    level[-1] = 0.08
    assert model("reversion").chance(np.exp(level)) < 0.35
    assert model("momentum").chance(np.exp(level)) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("document", [{"horizon": "1_week"}, {"horizon": "5_years"}])
def test_other_horizons_are_refused(document: dict[str, str]) -> None:
    task = task_of({"type": "market_prediction", "data": GOOD, **document})
    with pytest.raises(ConsensusError, match="one day"):
        model("momentum").propose_for(task, None)


def test_unknown_models_are_named() -> None:
    with pytest.raises(ConsensusError, match="known are momentum"):
        model("astrology")


# Through the past ----------------------------------------------------------------------------------------------


def test_nothing_is_known_of_the_future() -> None:
    series = shipped().until(1500)
    honest = backtest(series, 60)
    poisoned = series.prices.copy()
    poisoned[-20:] *= np.linspace(1.5, 3.0, 20)  # all of the last 20 days is other
    changed = backtest(Series("wti", poisoned), 60)
    for name in (*KINDS, "consensus"):
        # the chance of day 40 is said before its price is known
        assert (changed.chances[name][:41] == honest.chances[name][:41]).all(), name
        if name in KINDS:
            assert (changed.chances[name][41:] != honest.chances[name][41:]).any(), name


def test_the_consensus_is_as_good_as_its_agents_and_no_prophet() -> None:
    walk = backtest(shipped(), 250)
    found = walk.scores
    for name, one in found.items():
        print(f"{name:10} Brier {one.brier:.4f}  log {one.log:.4f}  hits {one.hits:.3f}")
    agents = [found[kind].brier for kind in KINDS]
    assert found["consensus"].brier <= np.mean(agents) + 1e-4  # squared error is convex
    assert found["consensus"].brier < max(agents)
    assert found["consensus"].brier < found["always up"].brier - 0.1
    assert abs(found["consensus"].brier - found["coin"].brier) < 0.01  # a market that is hard to beat
    assert found["coin"].brier == 0.25
    assert walk.rose.mean() == pytest.approx(0.5, abs=0.1)


def test_scores() -> None:
    found = score(np.array([0.8, 0.4]), np.array([1.0, 0.0]))
    assert (found.brier, found.hits) == (pytest.approx(0.1), 1.0)
    assert found.log == pytest.approx(-(np.log(0.8) + np.log(0.6)) / 2)


@pytest.mark.parametrize("days", [0, -1, 60])
def test_a_walk_needs_a_past(days: int) -> None:
    with pytest.raises(ConsensusError, match="does not fit"):
        backtest(Series("x", np.array(GOOD)), days)


# The consensus -------------------------------------------------------------------------------------------------


async def test_agents_agree_off_chain() -> None:
    async with FinancialConsensus(config={"hybrid_mode": False}) as consensus:
        found = await consensus.market_prediction_consensus({"series": "wti", "until": "2018-12-31"})
        assert set(consensus.agents) == set(KINDS)
    assert set(found) == {"prediction", "confidence", "blockchain_proof"}
    assert found["blockchain_proof"] is None
    assert float(found["prediction"].sum()) == pytest.approx(1.0, abs=1e-6)
    until = series_of({"series": "wti", "until": "2018-12-31"}).prices
    said = np.array([model(kind).chance(until) for kind in KINDS])
    assert float(found["prediction"][1]) == pytest.approx(agreed(said), abs=1e-3)  # they meet each other a little
    assert 0.4 < found["confidence"] < 0.6


async def test_no_agreement_has_no_confidence() -> None:
    async with FinancialConsensus(config={"hybrid_mode": False}) as consensus:
        task = {"type": "market_prediction", "data": GOOD, "horizon": "1_day"}
        state = await consensus.orchestrate_consensus(task, consensus.create_financial_agents())
        assert consensus.calculate_confidence(state) > 0
        state.converged = False
        assert consensus.calculate_confidence(state) == 0.0


@pytest.mark.chain
async def test_the_prediction_is_on_a_chain(tmp_path: Path) -> None:
    task = read_task(ROOT / "assets" / "tasks" / "market.json")
    (tmp_path / "node").mkdir()
    devnet = Devnet(tmp_path / "node", EventBus())
    try:
        status = await devnet.up()
        assert status.url is not None
        async with FinancialConsensus(status.url) as consensus:
            found = await consensus.market_prediction_consensus(task.document["data"])
    finally:
        await devnet.down()
        await devnet.close()
    async with FinancialConsensus(config={"hybrid_mode": False}) as consensus:
        off = await consensus.market_prediction_consensus(task.document["data"])
    assert found["blockchain_proof"].startswith("0x")
    assert found["prediction"].tolist() == pytest.approx(off["prediction"].tolist(), abs=1e-6)
