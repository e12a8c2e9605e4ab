"""Settings: a file that cannot be used is kept aside, defaults load, the operator is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings, SettingsFile


def test_settings_come_back(tmp_path: Path) -> None:
    chosen = Settings(theme="dark", workers=3, devnet_port=9000, anvil_path="/opt/anvil")
    SettingsFile(tmp_path).save(chosen)
    assert SettingsFile(tmp_path).load() == (chosen, "")


def test_nothing_there_is_no_fault(tmp_path: Path) -> None:
    assert SettingsFile(tmp_path).load() == (Settings(), "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "backup", "says"),
    [
        (b"theme = [", "settings.corrupt.toml", "not valid TOML"),
        (b"\xff\xfe\x00", "settings.unreadable.toml", "could not be read"),
        (b'version = 7\nshape = "round"\n', "settings.v7.toml", "newer Nashboard (version 7)"),
        (b'theme = "purple"\n', "settings.invalid.toml", "theme"),
        (b"colour = 3\n", "settings.invalid.toml", "colour"),
        (b"workers = -1\n", "settings.invalid.toml", "workers"),
        (b"version = 0\n", "settings.invalid.toml", "version"),
        (b'version = "2"\n', "settings.invalid.toml", "version"),
        (b"version = true\n", "settings.invalid.toml", "version"),
    ],
)
def test_a_bad_file_is_kept_aside(tmp_path: Path, content: bytes, backup: str, says: str) -> None:
    (tmp_path / "settings.toml").write_bytes(content)
    settings, told = SettingsFile(tmp_path).load()
    assert settings == Settings()
    assert says in told
    assert backup in told
    assert (tmp_path / backup).read_bytes() == content
    assert not (tmp_path / "settings.toml").exists()


def test_a_newer_file_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text("version = 2\n")
    assert "Update Nashboard" in SettingsFile(tmp_path).load()[1]


def _rename(raw: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had colours, say, where version 2 has a theme."""
    return {**{key: value for key, value in raw.items() if key != "colours"}, "theme": raw.get("colours", "system")}


def _count(raw: dict[str, Any]) -> dict[str, Any]:
    return {**raw, "workers": raw.get("workers", 0) + 1}


@pytest.mark.parametrize(("head", "workers"), [("", 4), ("version = 1\n", 4), ("version = 2\n", 4)])
def test_an_earlier_file_is_carried_over_and_kept(tmp_path: Path, head: str, workers: int) -> None:
    name = "theme" if "2" in head else "colours"
    old = f'{head}{name} = "dark"  # at night\nworkers = 3\n'
    (tmp_path / "settings.toml").write_text(old)
    settings, told = SettingsFile(tmp_path, (_rename, _count)).load()
    assert settings == Settings(theme="dark", workers=workers)
    kept = tmp_path / ("settings.v2.toml" if "2" in head else "settings.v1.toml")
    assert kept.name in told and kept.read_text() == old
    again, told = SettingsFile(tmp_path, (_rename, _count)).load()  # not a second time
    assert (again, told) == (settings, "")
    text = (tmp_path / "settings.toml").read_text()
    assert "version = 3" in text and "colours" not in text


def test_an_earlier_file_in_a_folder_that_cannot_be_written_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings.toml").write_text('colours = "dark"\n')

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("app.settings.shutil.copy2", refuse)
    assert SettingsFile(tmp_path, (_rename,)).load() == (Settings(theme="dark"), "")
    assert (tmp_path / "settings.toml").read_text() == 'colours = "dark"\n'


def test_an_earlier_file_that_does_not_fit_is_kept_aside(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('colours = "purple"\n')
    settings, told = SettingsFile(tmp_path, (_rename,)).load()
    assert settings == Settings() and "settings.invalid.toml" in told
    assert (tmp_path / "settings.invalid.toml").read_text() == 'colours = "purple"\n'


def test_two_bad_files_are_both_kept(tmp_path: Path) -> None:
    for content in (b"a = [", b"b = ["):
        (tmp_path / "settings.toml").write_bytes(content)
        SettingsFile(tmp_path).load()
    assert (tmp_path / "settings.corrupt.toml").read_bytes() == b"a = ["
    assert (tmp_path / "settings.corrupt-2.toml").read_bytes() == b"b = ["


def test_the_operators_comments_survive(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_text('# mine\ntheme = "dark"  # at night\n')
    file = SettingsFile(tmp_path)
    settings, _ = file.load()
    file.save(settings.model_copy(update={"workers": 2}))
    text = (tmp_path / "settings.toml").read_text()
    assert "# mine" in text
    assert "# at night" in text
    assert "workers = 2" in text


def test_a_value_that_is_none_leaves_the_file(tmp_path: Path) -> None:
    file = SettingsFile(tmp_path)
    file.save(Settings(devnet_port=9000))
    file.save(Settings())
    assert "devnet_port" not in (tmp_path / "settings.toml").read_text()
    assert file.load()[0].devnet_port is None


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = SettingsFile(tmp_path)
    file.save(Settings(theme="dark"))

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        file.save(Settings(theme="light"))
    assert file.load()[0].theme == "dark"
    assert [path.name for path in tmp_path.iterdir()] == ["settings.toml"]
