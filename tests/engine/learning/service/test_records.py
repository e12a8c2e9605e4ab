"""The folders of runs: kept, found again, refused where they are broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.errors import UsageError
from engine.learning.errors import LearningError, LearnSettingError
from engine.learning.faults import FAULTS, Fault
from engine.learning.service.records import KEPT, Records
from engine.learning.service.specs import LearnSpec

SPEC = LearnSpec("committee", {"slots": 8, "quorum": "bft"}, (Fault(3, "offline", (1, 2), 9),), on_chain=True)


def test_a_run_is_found_again_as_it_was_asked_for(tmp_path: Path) -> None:
    records = Records(tmp_path / "learning")
    number = records.create(SPEC)
    found = Records(tmp_path / "learning").get(number)
    assert found.spec == SPEC
    assert found.state == "interrupted"
    assert found.resumable


def test_a_run_that_is_over_keeps_its_result_and_is_not_gone_on_with(tmp_path: Path) -> None:
    records = Records(tmp_path)
    number = records.create(SPEC)
    records.end(number, "done", "", {"slots": 8, "trace_hash": "ab", "ok": True})
    found = records.get(number)
    assert not found.resumable
    assert found.to_json()["trace_hash"] == "ab"
    assert records.all() == [found]


def test_an_unknown_run_names_those_that_there_are(tmp_path: Path) -> None:
    records = Records(tmp_path)
    records.create(SPEC)
    with pytest.raises(UsageError, match="the last ones are 1"):
        records.get(7)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"spec": 3}', b"\xff\xfe", b"[" * 100_000])
def test_a_broken_description_is_named_and_the_others_are_listed(tmp_path: Path, content: bytes) -> None:
    records = Records(tmp_path)
    broken, whole = records.create(SPEC), records.create(SPEC)
    (records.folder(broken) / "run.json").write_bytes(content)
    with pytest.raises(LearningError, match=r"run 1 cannot be read"):
        records.get(broken)
    assert [record.run_id for record in records.all()] == [whole]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("state", "running"),
        ("state", []),
        ("created", None),
        ("message", 7),
        ("result", [1]),
        ("spec", {**SPEC.to_json(), "scenario": ["committee"]}),
        ("spec", {**SPEC.to_json(), "settings": 7}),
        ("spec", {**SPEC.to_json(), "ports": {"beacon": "all"}}),
        ("spec", {**SPEC.to_json(), "endless": "yes"}),
        ("spec", {**SPEC.to_json(), "faults": [["0", "offline", [1], None, 0]]}),
        ("spec", {**SPEC.to_json(), "faults": [[0, "offline", ["a"], None, 0]]}),
    ],
)
def test_values_of_other_types_are_refused(tmp_path: Path, name: str, value: object) -> None:
    records = Records(tmp_path)
    path = records.folder(records.create(SPEC)) / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), name: value}))
    with pytest.raises(LearningError, match=r"run 1 cannot be read"):
        records.get(1)
    assert records.all() == []


def test_old_runs_that_are_over_make_room_and_interrupted_ones_stay(tmp_path: Path) -> None:
    records = Records(tmp_path)
    first, second = records.create(SPEC), records.create(SPEC)
    records.end(second, "done", "", {})
    for _ in range(KEPT):
        records.end(records.create(SPEC), "done", "", {})
    numbers = {record.run_id for record in records.all()}
    assert first in numbers
    assert second not in numbers


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LearningError, match="The run cannot be kept"):
        Records(tmp_path / "file" / "learning").create(SPEC)


@given(st.sampled_from(sorted(FAULTS)), st.lists(st.integers(0, 99), max_size=4), st.none() | st.integers(0, 99))
def test_a_spec_survives_its_json_form(kind: str, targets: list[int], until: int | None) -> None:
    spec = LearnSpec(
        "solo", {"slots": 3}, (Fault(1, kind, tuple(targets), until),), services=True, ports={"DHT_PORT": 0}
    )
    assert LearnSpec.from_json(spec.to_json()) == spec


def test_an_unknown_scenario_or_fault_names_those_that_there_are() -> None:
    with pytest.raises(LearnSettingError, match="committee"):
        LearnSpec("comittee").resolve()
    with pytest.raises(LearnSettingError, match="equivocate_headers"):
        Fault(1, "equivocate")
