"""A store written by an earlier version is carried over: nothing is lost, rounds may be rejected from then on."""

from __future__ import annotations

import sqlite3

import pytest

from engine.store.database import Store
from engine.store.schema import MIGRATIONS

ROUND = ("r1", 1, "spring", "local", "{}", "s", "played", "hash", "root", 1.5)


@pytest.mark.parametrize("version", [1, 2])
def test_rounds_and_what_points_to_them_survive(tmp_path, version):
    path = tmp_path / "store.db"
    old = sqlite3.connect(path)
    for step in MIGRATIONS[:version]:
        old.executescript(step)
    old.execute(f"PRAGMA user_version = {version}")
    old.execute("INSERT INTO rounds VALUES (?,?,?,?,?,?,?,?,?,?)", ROUND)
    old.execute("INSERT INTO entries VALUES ('r1', 0, 'sha', 'greedy', 'owner', '0x1')")
    old.execute("INSERT INTO disqualifications VALUES ('r1', 0, 3, 9, 4)")
    old.commit()
    old.close()
    store = Store.open(path)
    try:
        assert tuple(store.db.execute("SELECT * FROM rounds").fetchone()) == ROUND
        assert store.db.execute("SELECT COUNT(*) FROM entries JOIN rounds USING (round_id)").fetchone()[0] == 1
        assert store.db.execute("PRAGMA foreign_key_check").fetchall() == []
        assert store.db.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
        with store.transaction() as db:
            db.execute("UPDATE rounds SET state = 'rejected'")
        with pytest.raises(sqlite3.IntegrityError), store.transaction() as db:
            db.execute("UPDATE rounds SET state = 'forgotten'")
        with pytest.raises(sqlite3.IntegrityError), store.transaction() as db:
            db.execute("INSERT INTO entries VALUES ('r2', 0, 'sha', 'greedy', 'owner', '0x1')")
        assert store.db.execute("PRAGMA user_version").fetchone()[0] == len(MIGRATIONS)
    finally:
        store.close()
    assert list(tmp_path.glob(f"store.db.v{version}.*.backup"))
