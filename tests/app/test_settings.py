"""Settings: a file that cannot be used is kept aside, defaults load, the operator is told."""

from __future__ import annotations

from pathlib import Path

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
