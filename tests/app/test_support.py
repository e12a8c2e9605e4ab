"""The support bundle: no secret of a data directory is in it, what helps is, and it stays small."""

from __future__ import annotations

import json
import logging
import os
import sqlite3
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PySide6.QtWidgets import QApplication, QFileDialog, QPushButton

from app import support
from app.doctor import Check
from app.errors import Notice
from app.links import Place
from app.support import write_bundle
from engine.chain.wallet import DEVELOPMENT_PHRASE, Wallet
from engine.core.errors import EngineError
from engine.core.paths import DataDir
from engine.learning.crypto.keys import validator_keys
from engine.learning.service.records import Records
from engine.learning.service.specs import LearnSpec
from engine.learning.services.jwt import make_token, read_secret
from engine.store.database import Store

SEED = "5e1f" * 16
TOKEN = "Zq3vXo0T1m-4QfJ_w9Zb2Rr8sLh6Nc5DgUaVpEiKtMq"
PASSWORD = "correct-horse"
CHECKS = [Check("Anvil", True, True, "/opt/anvil")]


@pytest.fixture
def lived_in(data_dir: DataDir) -> tuple[DataDir, dict[str, str]]:
    """A data directory full of secrets, where they belong and where they do not; and these."""
    run = Records(data_dir.root / "learning").create(LearnSpec("solo", {"genesis_seed": SEED, "slots": 4}))
    folder = data_dir.root / "learning" / str(run)
    jwt = read_secret(folder / "jwt.hex")
    keys = validator_keys(SEED, 3)
    own = bytes(Wallet.development()._account(5).key).hex()
    found = {
        "seed": SEED,
        "jwt secret": jwt.hex(),
        "jwt": make_token(jwt, 1_700_000_000.0),
        "token": TOKEN,
        "password": PASSWORD,
        "phrase": DEVELOPMENT_PHRASE,
        "account": own,
        "home": str(Path.home() / "ann"),
    }
    secrets = [value for value in vars_of(keys) if isinstance(value, bytes) and len(value) == 32]
    found |= {f"derived {number}": value.hex() for number, value in enumerate(secrets)}
    spilt = "\n".join(f"it said {value} and went on" for value in found.values())
    (folder / "journal").write_text(f"begin {SEED}\n")
    (data_dir.root / "service-token").write_text(TOKEN + "\n")
    (data_dir.root / "keys").mkdir()
    (data_dir.root / "keys" / "0xabc.json").write_text(json.dumps({"crypto": {"mac": "ab" * 32}, "address": "abc"}))
    (data_dir.logs / "nashboard.log").write_text(
        f"INFO all is well\npassword={PASSWORD}\n{spilt.replace(PASSWORD, '')}"
    )
    (data_dir.logs / "nashboard.log.1").write_text(f"Authorization: Bearer {TOKEN}\n")
    (data_dir.logs / "crash-20260101-000000.txt").write_text(f"Traceback\nValueError: --password {PASSWORD}1\n{own}\n")
    (data_dir.devnet / "anvil.log").write_text(
        f"Listening on 127.0.0.1:8545\nMnemonic: {DEVELOPMENT_PHRASE}\n(5) 0x{own}\n"
    )
    (data_dir.devnet / "state.json").write_text(json.dumps({"seed": SEED}))
    (data_dir.root / "settings.toml").write_text('theme = "dark"\n')
    Store.open(data_dir.database).close()
    return data_dir, found


def vars_of(keys: Any) -> list[Any]:
    return [getattr(keys, name) for name in getattr(keys, "__slots__", None) or vars(keys)]


def unpacked(path: Path) -> dict[str, str]:
    with zipfile.ZipFile(path) as packed:
        assert packed.testzip() is None
        return {name: packed.read(name).decode() for name in packed.namelist()}


def test_no_secret_is_in_it_and_what_helps_is(lived_in: tuple[DataDir, dict[str, str]], tmp_path: Path) -> None:
    data, secrets = lived_in
    bundle = write_bundle(tmp_path / "out.zip", data.root, CHECKS)
    texts = unpacked(bundle.path)
    assert set(texts) == set(bundle.files) and bundle.path.stat().st_mode & 0o777 == 0o600
    whole = "\n".join([*texts, *texts.values()])
    assert [name for name, value in secrets.items() if value in whole or value[:24] in whole] == []
    assert [name for name, value in secrets.items() if value.upper() in whole] == []
    assert not any(part in name for name in texts for part in ("jwt", "journal", "keys", "token", "state.json", ".db"))
    assert "all is well" in texts["logs/nashboard.log"] and texts["settings.toml"] == 'theme = "dark"\n'
    assert "Listening on 127.0.0.1:8545" in texts["devnet/anvil.log"]
    assert "Traceback" in texts["logs/crash-20260101-000000.txt"]
    assert json.loads(texts["doctor.json"])[0]["name"] == "Anvil"
    assert json.loads(texts["learning/1/run.json"])["spec"]["settings"]["slots"] == 4
    facts = json.loads(texts["store.json"])
    assert facts["check"] == [["ok"]] and facts["rows"]["rounds"] == 0 and facts["version"] >= 6
    assert "learning/1/jwt.hex" in texts["files.txt"] and "Look through it" in texts["MANIFEST.txt"]


def test_it_stays_small_however_much_there_is(
    data_dir: DataDir, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(support, "PART", 40_000)
    monkeypatch.setattr(support, "TOTAL", 200_000)
    end_of = support._end_of
    monkeypatch.setattr(support, "_end_of", lambda path, limit=40_000: end_of(path, limit))
    noise = "".join(f"line {number} {os.urandom(30).hex()}\n" for number in range(3_000))
    for number in range(30):
        (data_dir.logs / f"crash-202601{number:02}-000000.txt").write_text(f"crash {number}\n")
    for number in range(8):
        (data_dir.logs / f"nashboard.log.{number}").write_text(noise + f"the end of {number}\n")
    key = "ab" * 32
    (data_dir.logs / "one-line.log").write_text(key * 5_000)  # an end of it begins inside of a key
    bundle = write_bundle(tmp_path / "out.zip", data_dir.root, CHECKS)
    texts = unpacked(bundle.path)
    assert sum(map(len, texts.values())) <= 210_000 and bundle.size <= 210_000
    assert len([name for name in texts if "crash-" in name]) == support.CRASHES
    assert texts["logs/nashboard.log.0"].startswith("(its first ") and "the end of 0" in texts["logs/nashboard.log.0"]
    assert "line 0 " not in texts["logs/nashboard.log.0"]
    assert any("the bundle is full" in reason for reason in bundle.left_out)
    assert key not in "".join(texts.values())


def test_links_pipes_and_a_damaged_store_do_not_hinder_it(data_dir: DataDir, tmp_path: Path) -> None:
    elsewhere = tmp_path / "private.txt"
    elsewhere.write_text("a diary")
    (data_dir.logs / "link.log").symlink_to(elsewhere)
    os.mkfifo(data_dir.logs / "pipe.log")
    (data_dir.logs / "odd.log").write_bytes(b"\xff\xfe caf\xe9")
    data_dir.database.write_bytes(b"no database " * 100)
    bundle = write_bundle(tmp_path / "out.zip", data_dir.root, CHECKS)
    texts = unpacked(bundle.path)
    assert "a diary" not in "".join(texts.values())
    assert {reason.partition(":")[0] for reason in bundle.left_out} == {"logs/link.log", "logs/pipe.log"}
    assert "not a database" in json.loads(texts["store.json"])["failed"]
    assert data_dir.database.read_bytes() == b"no database " * 100


def test_an_empty_data_directory_and_a_place_that_cannot_be_written(data_dir: DataDir, tmp_path: Path) -> None:
    assert {"about.json", "doctor.json", "MANIFEST.txt"} <= set(
        write_bundle(tmp_path / "o.zip", data_dir.root, []).files
    )
    with pytest.raises(EngineError, match=r"no/out.zip|out.zip cannot be written"):
        write_bundle(tmp_path / "no" / "out.zip", data_dir.root, [])


def test_a_store_in_use_is_looked_at_and_left(data_dir: DataDir, tmp_path: Path) -> None:
    store = Store.open(data_dir.database)
    try:
        store.db.execute("BEGIN IMMEDIATE")
        texts = unpacked(write_bundle(tmp_path / "out.zip", data_dir.root, []).path)
        assert json.loads(texts["store.json"])["check"] == [["ok"]]
        store.db.execute("ROLLBACK")
    except sqlite3.Error:
        pytest.fail("the store was disturbed")
    finally:
        store.close()


async def test_the_logs_page_saves_one(
    opened: Callable[..., Any], data_dir: DataDir, until: Any, tmp_path: Path
) -> None:
    out = tmp_path / "support.zip"
    told: list[Notice] = []
    async with opened(data_dir) as wiring:
        wiring.bridge.notify = told.append
        logging.getLogger("engine.test").info("a line with password=%s", PASSWORD)
        wiring.navigator.go(Place("logs"))
        (press,) = [b for b in wiring.pages["logs"].findChildren(QPushButton) if b.text() == "Support bundle"]
        press.click()
        (dialog,) = [w for w in QApplication.topLevelWidgets() if isinstance(w, QFileDialog) and w.isVisible()]
        dialog.filesSelected.emit([str(out)])
        dialog.close()
        await until(lambda: told, 60)
    assert [(notice.kind, notice.title) for notice in told] == [("ok", "Saved support.zip")]
    texts = unpacked(out)
    assert PASSWORD not in "".join(texts.values())
    assert len(json.loads(texts["doctor.json"])) > 10
