"""What can be asked of a sweep, and how its cells read."""

from __future__ import annotations

import csv
import dataclasses
import io

import pytest

from engine.learning.config import RULES
from engine.learning.errors import LearnSettingError
from engine.learning.sweep import Sweep, SweepCell, SweepSpec, to_csv
from engine.learning.sweep.cells import Measured, judged, sentence

CELL = SweepCell(
    attack="backdoor",
    rule="krum",
    fraction=0.39,
    trainers=13,
    byzantine=5,
    verdict="safe",
    broken=False,
    refused="",
    chosen=1,
    chosen_bad=0,
    accepted=True,
    accepted_public=None,
    loss_before=2.0,
    loss_after=1.9,
    trigger_before=2.1,
    trigger_after=2.0,
    gain=0.1 + 0.2,
    took=1e-17,
    text='Krum, "one"',
)


def test_the_default_is_every_number_of_bad_trainers_up_to_half() -> None:
    spec = SweepSpec()
    assert [spec.byzantine(share) for share in spec.fractions] == list(range(7))
    assert spec.rules == RULES
    assert set(spec.attacks) < set(SweepSpec.ATTACKS)
    assert spec.total == 7 * 6 * 5
    assert SweepSpec.read({}) == spec
    assert SweepSpec.read(spec.model_dump(mode="json")) == spec


@pytest.mark.parametrize(("trainers", "share", "bad"), [(13, 0.5, 6), (10, 0.3, 3), (10, 0.29, 2), (3, 0, 0)])
def test_shares_are_cut_to_whole_trainers(trainers: int, share: float, bad: int) -> None:
    assert SweepSpec(trainers=trainers).byzantine(share) == bad


@pytest.mark.parametrize(
    "document",
    [
        {"attacks": ["bribe"]},
        {"attacks": []},
        {"attacks": ["scale", "scale"]},
        {"rules": ["bulyan"]},
        {"rules": "krum"},
        {"fractions": [0.51]},
        {"fractions": [-0.1]},
        {"fractions": [float("nan")]},
        {"fractions": [0.1] * 40},
        {"trainers": 2},
        {"trainers": 10**9},
        {"gate_texts": 0},
        {"clip_norm": float("inf")},
        {"seed": -1},
        {"more": 1},
        [],
        None,
        "x",
    ],
)
def test_other_sweeps_are_refused_by_name(document: object) -> None:
    with pytest.raises(LearnSettingError) as caught:
        SweepSpec.read(document)
    if isinstance(document, dict):
        assert next(iter(document)) in str(caught.value)


def test_csv_reads_back_to_the_same_numbers() -> None:
    text = to_csv(Sweep(SweepSpec(), "00", "replayed", (CELL, dataclasses.replace(CELL, accepted_public=True))))
    first, second = csv.DictReader(io.StringIO(text))
    assert list(first) == [field.name for field in dataclasses.fields(SweepCell)]
    assert float(first["gain"]) == 0.1 + 0.2
    assert float(first["took"]) == 1e-17
    assert (first["accepted_public"], second["accepted_public"]) == ("", "True")
    assert first["text"] == 'Krum, "one"'


def test_broken_is_worse_than_no_update_or_a_quarter_of_the_backdoor() -> None:
    base = Measured(
        base=1000, honest=900, after=950, trigger_base=2000, trigger_honest=2000, trigger_bad=1000, trigger_after=1751
    )
    assert judged(base, "backdoor") == (False, 0.5, 0.249)
    assert judged(dataclasses.replace(base, trigger_after=1750), "backdoor") == (True, 0.5, 0.25)
    assert judged(dataclasses.replace(base, trigger_after=0), "noise") == (False, 0.5, 0.0)
    assert judged(dataclasses.replace(base, after=1000), "noise") == (False, 0.0, 0.0)
    assert judged(dataclasses.replace(base, after=1001), "noise")[0]
    assert judged(dataclasses.replace(base, honest=1000), "noise") == (False, 0.0, 0.0)
    assert judged(dataclasses.replace(base, trigger_bad=3000), "backdoor") == (False, 0.5, 0.0)


def test_every_cell_says_in_a_sentence_what_happened() -> None:
    assert sentence(CELL, "") == (
        "Krum takes 0 bad among 1: the held-out loss falls by 5.00%, the backdoor takes to 0%; "
        "the update passes the gate."
    )
    worse = dataclasses.replace(CELL, rule="fedavg", attack="scale", loss_after=2.2, accepted=False)
    assert "FedAvg of 13 deltas, 5 of them bad: the held-out loss rises by 10.00%" in sentence(worse, "")
    assert "is stopped by the gate" in sentence(worse, "")
    refused = dataclasses.replace(CELL, refused="too_few", verdict="refused", byzantine=6)
    assert sentence(refused, "13 < 15").startswith("Refused: 13 < 15. Else Krum takes")
    fooled = dataclasses.replace(CELL, attack="overfit", accepted=False, accepted_public=True)
    assert sentence(fooled, "").endswith("is stopped by the gate, passes one of public texts.")
    assert "13 honest deltas" in sentence(dataclasses.replace(CELL, byzantine=0), "")
