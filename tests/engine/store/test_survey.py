"""What a folder holds, looked at from outside."""

from __future__ import annotations

from pathlib import Path

from engine.core.paths import DataDir
from engine.store.database import Store
from engine.store.survey import survey


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {str(p): (p.stat().st_mtime_ns, p.stat().st_size) for p in folder.rglob("*")}


def test_a_folder_that_is_not_there_is_fresh_and_is_not_made(tmp_path: Path) -> None:
    found = survey(tmp_path / "none")
    assert found.fresh and not found.ours
    assert not (tmp_path / "none").exists()


def test_a_data_directory_that_was_only_opened_is_fresh(tmp_path: Path) -> None:
    data = DataDir.open(tmp_path / "data")
    Store.open(data.database).close()
    for name in ("console.lock", "window.ini"):
        (data.root / name).touch()
    found = survey(data.root)
    assert found.fresh and found.ours


def test_what_is_kept_is_counted_while_the_store_is_open_and_nothing_is_touched(tmp_path: Path) -> None:
    data = DataDir.open(tmp_path / "data")
    store = Store.open(data.database)
    with store.transaction() as db:
        for number in (1, 2):
            sha = f"{number:064x}"
            db.execute("INSERT INTO modules VALUES (?, 'agent', 'packed', '1', x'', x'')", (sha,))
            db.execute("INSERT INTO agents VALUES (?, ?, '', ?, ?, 0)", (sha, sha[-4:], number, sha))
    (data.devnet / "state.json").write_text("{}")
    (data.bundles / "a.nets").touch()
    (data.root / "learning" / "1").mkdir(parents=True)
    (data.root / "settings.toml").touch()
    before = snapshot(data.root)
    found = survey(data.root)
    assert found.holds == ("2 agents", "a devnet", "1 learning run", "1 match bundle", "settings")
    assert not found.fresh
    assert snapshot(data.root) == before
    store.close()


def test_a_damaged_database_counts_as_something(tmp_path: Path) -> None:
    (tmp_path / "nashboard.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    found = survey(tmp_path)
    assert found.ours and found.holds == ("a database that cannot be read",)


def test_strange_things_are_counted_and_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    (tmp_path / "letters").mkdir()
    assert survey(tmp_path).strange == 2
    assert not survey(tmp_path).fresh
    found = survey(tmp_path / "photo.jpg")
    assert not found.fresh and not found.ours and found.holds
