from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.consensus.errors import ConsensusError
from engine.consensus.task_kinds import ASSETS, KINDS, days, describe
from engine.consensus.tasks import read_task, task_of
from engine.core.paths import assets_dir

PORTFOLIO = {
    "type": "portfolio_allocation",
    "parameters": {"total_amount": 1000000, "risk_tolerance": "moderate", "investment_horizon": "5_years"},
}
MARKET = {"type": "market_prediction", "data": [1.0, 2.0, 3], "horizon": "1_day"}
MODERATION = {
    "type": "content_moderation",
    "content": "Hello.",
    "policies": ["hate_speech", "violence", "misinformation"],
}
BRIDGE = {"type": "bridge_parameters", "chains": ["ethereum", "polygon", "arbitrum"], "parameters": {"volume": 3}}
VOTE = {"type": "parameter_vote", "labels": ["a", "b"], "space": "real", "chains": ["polygon"]}


def changed(document: dict[str, Any], **entries: Any) -> dict[str, Any]:
    return document | entries


def parameters(**entries: Any) -> dict[str, Any]:
    return changed(PORTFOLIO, parameters=PORTFOLIO["parameters"] | entries)  # type: ignore[operator]


def test_the_kinds_of_the_spec() -> None:
    assert (describe(PORTFOLIO).labels, describe(PORTFOLIO).space) == (ASSETS, "simplex")
    assert describe(parameters(assets=["gold", "oil"])).labels == ("gold", "oil")
    assert describe(parameters(note="anything", drawdown=0.2)).space == "simplex"
    assert (describe(MARKET).labels, describe(MARKET).space) == (("fall", "rise"), "simplex")
    assert describe(changed(MARKET, data={"series": "wti", "until": "2020-01-01"})).space == "simplex"
    assert describe(changed(MARKET, data={"prices": [1, 2], "dates": ["a", "b"]})).space == "simplex"
    assert describe(MODERATION).labels == ("hate_speech", "violence", "misinformation")
    assert describe(MODERATION).space == "box"
    assert describe(BRIDGE).labels == ("fee", "confirmations", "cap ethereum", "cap polygon", "cap arbitrum")
    assert describe(BRIDGE).chains == ("ethereum", "polygon", "arbitrum")
    assert (describe(VOTE).space, describe(VOTE).chains) == ("real", ("polygon",))
    assert describe({"type": "custom", "labels": ["x"]}).space == "box"


def test_the_shipped_portfolio_is_the_task_of_the_spec() -> None:
    task = read_task(assets_dir() / "tasks" / "portfolio.json")
    assert {name: part for name, part in task.document.items() if name != "title"} == PORTFOLIO
    assert task.dims == 5


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_says_what_it_lacks(kind: str) -> None:
    with pytest.raises(ConsensusError, match="has no"):
        describe({"type": kind})


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, "has no type"),
        ({"type": 7}, "no kind of task 7"),
        ({"type": ["a"]}, "of type list"),
        ({"type": "portfolio_alocation"}, "Did you mean portfolio_allocation?"),
        (changed(PORTFOLIO, titel="x"), "Did you mean title?"),
        (changed(PORTFOLIO, title=7), "title cannot be 7"),
        (changed(PORTFOLIO, title="x" * 201), "title cannot be"),
        (changed(PORTFOLIO, parameters=[1]), "JSON object"),
        (parameters(risk_tolerance="moderat"), "Did you mean moderate?"),
        (parameters(risk_tolerance=["moderate"]), "risk_tolerance cannot be of type list"),
        (parameters(total_amount=0), "total_amount cannot be 0"),
        (parameters(total_amount=True), "total_amount cannot be True"),
        (parameters(total_amount="1000"), "total_amount cannot be '1000'"),
        (parameters(total_amount=float("nan")), "total_amount cannot be nan"),
        (parameters(total_amount=10**5000), "a number that large"),
        (parameters(investment_horizon="5 years"), "like 1_day"),
        (parameters(investment_horizon="0_years"), "like 1_day"),
        (parameters(investment_horizon=5), "like 1_day"),
        (parameters(assets=["gold"]), "2 to 1024 names"),
        (parameters(assets=["gold", "gold"]), "twice"),
        (parameters(assets=["gold", " "]), "printable"),
        (parameters(assets=["gold", 7]), "cannot be 7"),
        (parameters(assets=[str(i) for i in range(1025)]), "names"),
        (changed(parameters(assets=["a", "b"]), assets=["a", "b"]), "assets twice"),
        (
            changed(
                PORTFOLIO, parameters={"total_amont": 1, "risk_tolerance": "moderate", "investment_horizon": "1_day"}
            ),
            "Did you mean total_amount?",
        ),
        (changed(MARKET, data=[]), "list of 2"),
        (changed(MARKET, data=[1.0]), "list of 2"),
        (changed(MARKET, data=[1.0, 0]), "positive number"),
        (changed(MARKET, data=[1.0, "2"]), "positive number"),
        (changed(MARKET, data=[1.0, float("inf")]), "positive number"),
        (changed(MARKET, data="wti"), "list of 2"),
        (changed(MARKET, data={"serie": "wti"}), "unknown entry|has no"),
        (changed(MARKET, data={"prices": [1, 2], "dates": ["a"]}), "one a price"),
        (changed(MARKET, data=[1.0] * 20_001), "20,000 prices"),
        (changed(MODERATION, content=""), "content cannot be"),
        (changed(MODERATION, content="x" * 200_001), "content cannot be"),
        (changed(MODERATION, policies=[]), "policies"),
        (changed(MODERATION, policies="violence"), "policies cannot be 'violence'"),
        (changed(BRIDGE, chains=["ethereum", "poligon"]), "Did you mean polygon?"),
        (changed(BRIDGE, chains=["ethereum", "ethereum"]), "twice"),
        (changed(VOTE, space="sphere"), "one of simplex, box, real"),
        (changed(VOTE, labels=["a"], space="simplex"), "nothing to agree on"),
        (changed(VOTE, labels=["a\nb"]), "printable"),
        (changed(VOTE, features=[1]), "JSON object"),
    ],
)
def test_bad_tasks_are_refused_in_words(document: dict[str, Any], words: str) -> None:
    with pytest.raises(ConsensusError, match=words) as caught:
        describe(document)
    assert len(str(caught.value)) < 400


def test_a_task_is_an_object() -> None:
    with pytest.raises(ConsensusError, match="JSON object"):
        describe([])  # type: ignore[arg-type]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
    st.sampled_from(sorted(KINDS)),
)
def test_whatever_comes_is_a_task_or_is_refused(value: Any, kind: str) -> None:
    document = {"type": kind, "parameters": value, "labels": value, "data": value, "content": value, "chains": value}
    for keys in (("parameters",), ("labels",), ("data", "horizon"), ("content", "policies"), ("chains",)):
        part = {"type": kind, "horizon": "1_day", "policies": ["a"]} | {key: document.get(key, "1_day") for key in keys}
        try:
            kind_of = describe(part)
        except ConsensusError:
            continue
        assert kind_of.labels


def test_periods_in_days() -> None:
    assert [days(period) for period in ("1_day", "2_weeks", "12_months", "5_years")] == [1, 14, 365.25, 1826.25]


def test_a_tasks_hash_does_not_depend_on_the_order_of_keys(tmp_path: Path) -> None:
    turned = dict(reversed(PORTFOLIO.items()))
    (tmp_path / "task.json").write_text(json.dumps(turned))
    assert task_of(PORTFOLIO).hash == read_task(tmp_path / "task.json").hash


def test_a_task_file_is_read_strictly_and_no_further_than_its_limit(tmp_path: Path) -> None:
    with pytest.raises(ConsensusError, match="too large"):
        read_task(Path("/dev/zero"))  # reading all of it would never end
    path = tmp_path / "task.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(PORTFOLIO).encode())  # as editors on Windows save it
    assert read_task(path).hash == task_of(PORTFOLIO).hash
    path.write_text('{"type": "custom", ' + json.dumps(PORTFOLIO)[1:])
    with pytest.raises(ConsensusError, match="'type' comes twice"):
        read_task(path)
    path.write_text("[" * 500_000)
    with pytest.raises(ConsensusError, match="no JSON"):
        read_task(path)


def test_a_title_cannot_steer_a_terminal() -> None:
    assert task_of({**PORTFOLIO, "title": "\x1b[31mred\x07"}).title == " [31mred "
