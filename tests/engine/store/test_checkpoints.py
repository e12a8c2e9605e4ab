"""The log is carried over beside the work: no commit waits for it, it does not grow without bound, nothing is lost."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from engine.store import checkpoints
from engine.store.checkpoints import KEPT_BYTES, LOG_BYTES
from engine.store.database import Store

PIECE = 100_000


def log_of(path: Path) -> int:
    return path.with_name(f"{path.name}-wal").stat().st_size


def write(store: Store, times: int, *, repeatable: bool = True) -> None:
    for _ in range(times):
        with store.transaction(repeatable=repeatable) as db:
            db.execute("INSERT INTO pieces VALUES (zeroblob(?))", (PIECE,))


def opened(path: Path) -> Store:
    store = Store.open(path)
    store.db.execute("CREATE TABLE pieces (bytes BLOB)")
    return store


def test_no_commit_carries_the_log_over_by_itself(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(checkpoints, "LOG_BYTES", 2**40)
    path = tmp_path / "store.db"
    store = opened(path)
    before = path.stat().st_size
    write(store, 80)
    assert path.stat().st_size == before
    assert log_of(path) > LOG_BYTES
    store.close()


def test_the_log_is_carried_over_and_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = opened(path)
    write(store, 60)
    store._checkpoints.close()
    write(store, 1)
    store._checkpoints.close()
    assert path.stat().st_size > 40 * PIECE
    write(store, 1)  # begins the log anew
    assert log_of(path) <= KEPT_BYTES
    assert store.db.execute("SELECT COUNT(*) FROM pieces").fetchone()[0] == 62
    store.close()
    with sqlite3.connect(path) as again:
        assert again.execute("SELECT COUNT(*) FROM pieces").fetchone()[0] == 62
    again.close()


def test_closing_waits_for_what_is_under_way(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = opened(path)
    write(store, 60)
    store.close()
    assert not path.with_name(f"{path.name}-wal").exists()
    assert path.stat().st_size > 59 * PIECE
