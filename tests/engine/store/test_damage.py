"""A damaged store is replaced by a backup or an empty one: atomically, never while it is used, and it is kept."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from engine.core import files
from engine.store import damage
from engine.store.backup import backups, keep_backup
from engine.store.damage import begin_anew, date_of, go_back, sound_backup
from engine.store.database import Store
from engine.store.errors import StoreBusyError, StoreDamagedError, StoreError
from engine.store.schema import MIGRATIONS

ROOT = Path(__file__).parents[3]
RUBBISH = b"not a database at all" * 400


def amounts(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as db:
        return [row[0] for row in db.execute("SELECT wei FROM ledger ORDER BY id")]


def book(path: Path, number: int) -> None:
    store = Store.open(path)
    with store.transaction() as db:
        row = (number, f"k{number}", "local", "deposit", "bank", "0x7", str(number), None, 1.5)
        db.execute("INSERT INTO ledger VALUES (?,?,?,?,?,?,?,?,?)", row)
    store.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one entry in its backup, and a second one that came later."""
    path = tmp_path / "nashboard.db"
    book(path, 1)
    with closing(sqlite3.connect(path)) as db:
        keep_backup(db, path)
    book(path, 2)
    return path


def damage_it(path: Path) -> None:
    path.write_bytes(RUBBISH)
    Path(f"{path}-wal").write_bytes(b"an old log")


def test_the_newest_sound_backup_is_used_and_the_damaged_file_is_kept(path: Path) -> None:
    (sound,) = backups(path)
    rotten = path.with_name(f"{path.name}.v6.9999999999.backup")  # newer, and damaged itself
    rotten.write_bytes(RUBBISH)
    newer = path.with_name(f"{path.name}.v99.9999999998.backup")  # whole, of a program that is not this one
    newer.write_bytes(sound.read_bytes())
    with closing(sqlite3.connect(newer)) as db:
        db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    damage_it(path)
    assert sound_backup(path) == sound
    with pytest.raises(StoreDamagedError) as refused:
        Store.open(path)
    assert refused.value.data["backup"] == str(sound) and date_of(sound) in refused.value.next_step
    done = go_back(path)
    assert done.backup == sound and done.kept.read_bytes() == RUBBISH
    assert done.kept.name in done.text and sound.name in done.text
    Store.open(path).close()
    assert amounts(path) == ["1"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_an_empty_store_takes_its_place(path: Path) -> None:
    damage_it(path)
    done = begin_anew(path)
    assert done.backup is None and done.kept.read_bytes() == RUBBISH
    assert Path(f"{done.kept}-wal").read_bytes() == b"an old log" and not Path(f"{path}-wal").exists()
    Store.open(path).close()
    assert amounts(path) == []


def test_a_sound_store_and_one_that_is_not_there_are_left(path: Path, tmp_path: Path) -> None:
    for mend in (go_back, begin_anew):
        with pytest.raises(StoreError, match="is not damaged"):
            mend(path)
    assert amounts(path) == ["1", "2"]
    with pytest.raises(StoreError, match="cannot be replaced"):
        begin_anew(tmp_path / "none.db")


def test_without_a_backup_there_is_no_way_back(path: Path) -> None:
    damage_it(path)
    for saved in backups(path):
        saved.unlink()
    with pytest.raises(StoreError, match="has no backup"):
        go_back(path)
    with pytest.raises(StoreDamagedError) as refused:
        Store.open(path)
    assert "--restore-store" not in refused.value.next_step and "--new-store" in refused.value.next_step
    assert path.read_bytes() == RUBBISH


USING = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("SELECT * FROM ledger").fetchall()
print("ready", flush=True)
sys.stdin.read()
"""


def test_one_that_another_program_has_open_is_left(path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", USING, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None and other.stdout.readline() == "ready\n"
        with path.open("r+b") as file:  # the same file, so that the other one holds its lock
            file.write(RUBBISH)
        before = path.read_bytes()
        for mend in (go_back, begin_anew):
            with pytest.raises(StoreBusyError, match="in use"):
                mend(path)
        assert path.read_bytes() == before
    finally:
        other.communicate("")
    assert go_back(path).kept.read_bytes() == before
    assert amounts(path) == ["1"]


def test_one_that_was_mended_meanwhile_is_left(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage_it(path)
    check = damage._require_damage

    def late(found: Path) -> None:
        check(found)
        monkeypatch.setattr(damage, "_require_damage", check)
        go_back(path)
        book(path, 3)

    monkeypatch.setattr(damage, "_require_damage", late)
    with pytest.raises(StoreBusyError, match="changed it meanwhile"):
        go_back(path)
    assert amounts(path) == ["1", "3"]


def test_no_room_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damage_it(path)

    def full(descriptor: int) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(StoreError, match="cannot be kept"):
        go_back(path)
    assert path.read_bytes() == RUBBISH and not list(path.parent.glob("*.damaged.*"))


KILLED = """
import os, signal, sys
from pathlib import Path
from engine.store.damage import go_back
left = int(sys.argv[2])
def count(event, arguments):
    global left
    if event in ("os.rename", "os.remove", "shutil.copyfileobj") or (event == "open" and arguments[1] == "wb"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(count)
go_back(Path(sys.argv[1]))
"""


@pytest.mark.parametrize("after", range(6))
def test_killed_amid_it_there_is_a_file_and_a_way_on(path: Path, after: int) -> None:
    damage_it(path)
    ended = subprocess.run([sys.executable, "-c", KILLED, str(path), str(after)], cwd=ROOT, check=False)
    assert ended.returncode in (0, -signal.SIGKILL)
    try:
        Store.open(path).close()
    except StoreDamagedError:
        assert go_back(path).backup is not None
    assert amounts(path) == ["1"]
    kept = [p for p in path.parent.glob(f"{path.name}.damaged.*") if not p.name.endswith("-wal")]
    assert [p.read_bytes() for p in kept] == [RUBBISH]
