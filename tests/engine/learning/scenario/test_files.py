"""Scenarios as files: read as they were written, or refused by what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.learning.errors import LearnSettingError
from engine.learning.scenario import SCENARIOS, dump, load


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_comes_back_from_its_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"{name}.toml"
    path.write_text(dump(SCENARIOS[name]), "utf-8")
    found = load(path)
    assert (found.settings, found.faults, found.expects) == (
        SCENARIOS[name].settings,
        SCENARIOS[name].faults,
        SCENARIOS[name].expects,
    )
    assert (found.name, found.title, found.sentence, found.deposits) == (
        name,
        SCENARIOS[name].title,
        SCENARIOS[name].sentence,
        SCENARIOS[name].deposits,
    )


def test_a_file_may_hold_next_to_nothing(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("", "utf-8")
    assert load(path).name == "mine"
    assert load(path).config().validators == 8


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("settings = 3", "settings is a table"),
        ("[settings]\nvalidator = 3", "validator"),
        ("[settings]\nvalidators = 0", "validators"),
        ("[settings]\ngenesis_seed = 'ab'", "64 hexadecimal characters, got 2"),
        ("speed = 3", "there is no 'speed'"),
        ("[[faults]]\nkind = 'offline'", "slot and kind"),
        ("[[faults]]\nslot = 1\nkind = 'sleepy'", "no fault 'sleepy'"),
        ("[[faults]]\nslot = -1\nkind = 'offline'", "faults[0].slot is a number from 0"),
        ("[[faults]]\nslot = true\nkind = 'offline'", "faults[0].slot is a number from 0"),
        ("[[faults]]\nslot = 1\nkind = 'offline'\nwho = [1]", "has no 'who'"),
        ("[[faults]]\nslot = 1\nkind = 'offline'\ntargets = ['a']", "numbers from 0"),
        ("[[faults]]\nslot = 1\nkind = 'offline'\ntargets = [8]", "there is no number 8"),
        ("expects = ['happiness']", "no expectation 'happiness'"),
        ("expects = ['finalised']", "finalised asks for a number"),
        ("expects = ['stalled=9-3']", "stalled asks for a span"),
        ("expects = ['slashed=boredom']", "slashed asks for one of"),
        ("deposits = [1.5]", "deposits is numbers of slots"),
        ("title = ['a']", "title is a text"),
        ("name = ", "is no TOML"),
        ("a = " + "[" * 5000, "is no TOML"),
    ],
)
def test_what_is_wrong_is_said(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text, "utf-8")
    with pytest.raises(LearnSettingError) as caught:
        load(path)
    assert says in str(caught.value)
    assert "bad.toml" in str(caught.value)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs devices that are files")
def test_a_device_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "endless.toml").symlink_to("/dev/zero")
    with pytest.raises(LearnSettingError, match="no file"):
        load(tmp_path / "endless.toml")


def test_what_is_no_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(LearnSettingError, match="cannot be read"):
        load(tmp_path / "none.toml")
    with pytest.raises(LearnSettingError, match="cannot be read"):
        load(tmp_path)
    path = tmp_path / "huge.toml"
    path.write_bytes(b"#" * (2 << 20))
    with pytest.raises(LearnSettingError, match="larger than"):
        load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(LearnSettingError, match="no TOML"):
        load(path)


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_a_changed_file_is_read_or_refused(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    text = bytearray(dump(SCENARIOS[data.draw(st.sampled_from(sorted(SCENARIOS)))]).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("changed") / "one.toml"
    path.write_bytes(bytes(text))
    try:
        load(path)
    except LearnSettingError as error:
        assert "one.toml" in str(error)
