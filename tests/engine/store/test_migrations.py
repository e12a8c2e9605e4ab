"""Stores of every earlier version are carried over with a backup; what cannot be is refused and left as it is."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from engine.store import backup, database
from engine.store.backup import KEPT, backups, keep_backup
from engine.store.database import Store
from engine.store.errors import StoreError
from engine.store.schema import MIGRATIONS

ROOT = Path(__file__).parents[3]
EARLIER = range(1, len(MIGRATIONS))
RELEASED = [
    "c9105986fd46f758",
    "8e02f7b7083aa5ba",
    "9e4559c266cbdada",
    "6086af57cdb32834",
    "d95afc7e8d2bd8ea",
    "83fd83d6dc7091ef",
]
# A row for every table, by the version that brought it.
ROWS: dict[int, tuple[tuple[str, tuple[object, ...]], ...]] = {
    1: (
        ("modules", ("sha", "agent", "nets", "1", b"\0asm", b"\0asm.")),
        ("agents", ("sha", "greedy", "ann", 7, "0x7", 0)),
        ("ledger", (1, "k", "local", "deposit", "bank", "0x7", str(10**21), None, 1.5)),
        ("balances", ("local", "0x7", str(10**21))),
        ("rounds", ("r1", 1, "spring", "local", "{}", "s", "played", "hash", "root", 1.5)),
        ("entries", ("r1", 0, "sha", "greedy", "ann", "0x7")),
        ("claims", ("r1", 0, 0, 9, b"nets", "test")),
        ("disqualifications", ("r1", 0, 3, 9, 4)),
        ("deployments", ("31337:0x1", "{}", 1.5)),
    ),
    2: (("systems", ("sha", 1.5)), ("ratings", ("r1", "sha", 1500.0, 200.0, 0.06))),
    3: (("publications", ("r1", "inflated", 1, b"s", None)), ("published_leaves", ("r1", 0, b"leaf", 0))),
    4: (("consensus_agents", ("ann", 9, "0x9")), ("consensus_hashes", ("local", b"h", 1))),
    5: (),
}
ROUND_OF_CONSENSUS = (1, 0, b"b", b"h", "local", "{}", "{}", "[]", "done", 0, "{}", None, "", 1.5)


def old_store(path: Path, version: int) -> sqlite3.Connection:
    """Make a store as the program of that version left it, with something in its tables."""
    old = sqlite3.connect(path)
    old.execute("PRAGMA journal_mode = WAL")
    for step in MIGRATIONS[:version]:
        old.executescript(step)
    old.execute(f"PRAGMA user_version = {version}")
    if version >= 4:
        insert(old, "consensus_rounds", ROUND_OF_CONSENSUS)
    for number in range(1, version + 1):
        for table, row in ROWS[number]:
            insert(old, table, row)
    old.execute(
        "INSERT INTO outbox (key, book, account, receiver, data, wei, purpose, created) VALUES (?,?,?,?,?,?,?,?)",
        ("o", "b", "0x1", "0x2", b"d", "5", "p", 1.5),
    )
    old.commit()
    return old


def insert(db: sqlite3.Connection, table: str, row: tuple[object, ...]) -> None:
    db.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)


def content(db: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Return the rows of all tables, each cut to what an earlier version had of it."""
    names = [name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: [tuple(row) for row in db.execute(f'SELECT * FROM "{name}"')] for name in names}


def schema(db: sqlite3.Connection) -> set[tuple[object, ...]]:
    return {tuple(row) for row in db.execute("SELECT type, name, tbl_name FROM sqlite_master")}


@pytest.mark.parametrize("version", EARLIER)
def test_a_store_of_every_version_is_carried_over(tmp_path: Path, version: int) -> None:
    path = tmp_path / "store.db"
    old = old_store(path, version)
    before = content(old)
    old.close()
    store, fresh = Store.open(path), Store.open(tmp_path / "fresh.db")
    try:
        after = content(store.db)
        for table, rows in before.items():
            assert [row[: len(rows[0])] for row in after[table]] == rows if rows else after[table] == [], table
        assert sum(map(len, before.values())) >= 10
        assert schema(store.db) == schema(fresh.db)
        assert store.db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
        assert store.db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert store.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    finally:
        store.close()
        fresh.close()
    (kept,) = backups(path)
    assert kept.name.startswith(f"store.db.v{version}.") and kept.stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(kept) as copy:
        assert content(copy) == before
        assert copy.execute("PRAGMA user_version").fetchone()[0] == version
    copy.close()
    assert backups(tmp_path / "fresh.db") == []


def test_a_backup_holds_what_another_program_wrote_to_the_log_only(tmp_path: Path) -> None:
    """The write-ahead log is not in the database's file yet: a copy of that file alone would lack it."""
    path = tmp_path / "store.db"
    old = old_store(path, 2)
    old.execute("PRAGMA wal_autocheckpoint = 0")
    insert(old, "deployments", ("31337:0x2", "late", 2.5))
    old.commit()
    reader = sqlite3.connect(path)
    reader.execute("BEGIN")
    reader.execute("SELECT COUNT(*) FROM deployments").fetchone()  # keeps the log from being taken over
    try:
        Store.open(path).close()
    finally:
        reader.close()
        old.close()
    with sqlite3.connect(backups(path)[0]) as copy:
        assert ("late",) in copy.execute("SELECT record FROM deployments").fetchall()
    copy.close()


def test_a_few_backups_are_kept_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    db = old_store(path, 2)
    seconds = iter([*range(100, 105), 104])
    monkeypatch.setattr("engine.store.backup.time.time", lambda: next(seconds))
    made = [keep_backup(db, path) for _ in range(6)]
    db.close()
    assert len(set(made)) == 6 and made[-1].name == "store.db.v2.104-2.backup"
    assert backups(path) == [made[5], made[4], made[3]] and len(backups(path)) == KEPT
    assert sorted(p.name for p in tmp_path.glob("*.backup")) == sorted(p.name for p in backups(path))
    assert not list(tmp_path.glob(".*"))


def test_a_step_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    old = old_store(path, 3)
    before = content(old)
    old.close()
    broken = (*MIGRATIONS[:3], "CREATE TABLE half (x); INSERT INTO no_such_table VALUES (1);")
    monkeypatch.setattr(database, "MIGRATIONS", broken)
    with pytest.raises(StoreError, match="no such table"):
        Store.open(path)
    monkeypatch.undo()
    with sqlite3.connect(path) as db:
        assert content(db) == before and db.execute("PRAGMA user_version").fetchone()[0] == 3
    db.close()
    Store.open(path).close()  # and the whole program carries it over


def test_without_room_for_a_backup_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "store.db"
    old_store(path, 2).close()

    def full(*_: object) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, "_free_name", full)
    with pytest.raises(StoreError, match=r"No space left on device.*nothing was changed"):
        Store.open(path)
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] == 2
    db.close()
    assert not list(tmp_path.glob(".*")) and not backups(path)


@pytest.mark.parametrize(
    ("version", "says"), [(len(MIGRATIONS) + 1, "newer Nashboard"), (-3, "no store of Nashboard's")]
)
def test_what_this_program_does_not_know_is_refused_and_left(tmp_path: Path, version: int, says: str) -> None:
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE later (x)")
        db.execute(f"PRAGMA user_version = {version}")
    db.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match=says) as refused:
        Store.open(path)
    assert "--data-dir" in refused.value.next_step
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["store.db"]


def test_another_programs_database_gets_no_tables_of_ours(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE recipes (x)")
    db.close()
    with pytest.raises(StoreError, match="no store of Nashboard's"):
        Store.open(path)
    with sqlite3.connect(path) as db:
        assert [name for _, name, _ in schema(db)] == ["recipes"]
    db.close()


def test_a_damaged_store_is_kept_and_the_way_back_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    old_store(path, 3).close()
    Store.open(path).close()
    saved = backups(path)[0]
    rubbish = b"not a database at all" * 400
    path.write_bytes(rubbish)
    for _ in range(2):  # the second start finds the copy that the first one made
        with pytest.raises(StoreError, match="is damaged") as refused:
            Store.open(path)
    (copy,) = tmp_path.glob("store.db.damaged.*")
    assert copy.read_bytes() == path.read_bytes() == rubbish
    assert copy.name in refused.value.why and saved.name in refused.value.next_step
    assert "--restore-store" in refused.value.next_step and "--new-store" in refused.value.next_step


def test_a_hole_inside_is_found_before_a_migration(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    db = old_store(path, 3)
    db.executemany("INSERT INTO deployments VALUES (?, ?, 1.0)", [(f"b{n}", "x" * 900) for n in range(200)])
    db.commit()
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    whole = bytearray(path.read_bytes())
    start = len(whole) - 40 * 4096
    whole[start : start + 8192] = b"\xee" * 8192
    path.write_bytes(whole)
    with pytest.raises(StoreError, match="is damaged"):
        Store.open(path)
    assert path.read_bytes() == bytes(whole) and not backups(path) and not list(tmp_path.glob(".*"))


KILLED = """
import sys, os, signal
from pathlib import Path
from engine.store import database
from engine.store.database import Store
steps, left = database.MIGRATIONS, int(sys.argv[2])
class Killing(database.sqlite3.Connection):
    def executescript(self, script):
        def count():
            global left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return 0
        self.set_progress_handler(count, 20)
        return super().executescript(script)
connect = database.sqlite3.connect
database.sqlite3.connect = lambda *a, **k: connect(*a, factory=Killing, **k)
Store.open(Path(sys.argv[1])).close()
"""


def test_a_program_killed_amid_a_migration_loses_nothing(tmp_path: Path) -> None:
    """At every moment, counted in steps of SQLite's machine: what the next start finds is whole, or is made so."""
    killed = []
    for moment in (0, 25, 120, 500, 100_000):
        path = tmp_path / str(moment) / "store.db"
        path.parent.mkdir()
        old = old_store(path, 1)
        before = content(old)
        old.close()
        done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(moment)], cwd=ROOT, timeout=120)
        killed.append(done.returncode == -signal.SIGKILL)
        store = Store.open(path)
        try:
            after = content(store.db)
            for table, rows in before.items():
                assert [row[: len(rows[0])] for row in after[table]] == rows if rows else after[table] == [], table
            assert store.db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
            assert store.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        finally:
            store.close()
        with sqlite3.connect(backups(path)[-1]) as copy:  # the oldest: made before the first step
            assert content(copy) == before
        copy.close()
        assert not list(path.parent.glob(".*"))
    assert any(killed) and not killed[-1], killed


def test_a_released_step_never_changes() -> None:
    """Stores that it made are out there. Whoever needs a change adds a step; whoever adds one adds its hash here."""
    assert [sha256(step.encode()).hexdigest()[:16] for step in MIGRATIONS] == RELEASED
