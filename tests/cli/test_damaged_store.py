"""A damaged store is mended by the command that its error names, and by none while a console has the folder."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from engine.core.paths import DataDir
from engine.store.backup import backups, keep_backup
from engine.store.database import Store

ROOT = Path(__file__).parents[2]
RUBBISH = b"not a database at all" * 400
HOLDING = """
import sys
from PySide6.QtCore import QLockFile
lock = QLockFile(sys.argv[1])
lock.setStaleLockTime(0)
assert lock.tryLock(0)
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def damaged(data_root: Path) -> Path:
    path = DataDir.open(data_root).database
    store = Store.open(path)
    keep_backup(store.db, path)
    store.close()
    path.write_bytes(RUBBISH)
    return path


def test_the_error_names_the_command_and_it_works(nashboard, damaged: Path) -> None:
    refused = nashboard("stakes", status=1).err
    commands = re.findall(r"`nashboard --data-dir (.+?)`", " ".join(refused.split()))
    assert len(commands) == 2
    folder, *back = shlex.split(commands[0])
    assert folder == str(damaged.parent)
    done = nashboard(*back, "--json").json
    assert done["backup"] == str(backups(damaged)[0]) and Path(done["kept"]).read_bytes() == RUBBISH
    Store.open(damaged).close()
    assert "is not damaged" in nashboard(*back, status=1).err
    damaged.write_bytes(RUBBISH[:-1])
    folder, *anew = shlex.split(commands[1])
    assert "An empty store is used now" in nashboard(*anew).out
    Store.open(damaged).close()


def test_not_while_a_console_runs(nashboard, damaged: Path) -> None:
    lock = damaged.parent / "console.lock"
    console = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(lock)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert console.stdout is not None and console.stdout.readline() == "ready\n"
    try:
        for option in ("--restore-store", "--new-store"):
            assert "console has this data directory open" in nashboard("doctor", option, status=1).err
    finally:
        console.kill()
        console.communicate()
    assert damaged.read_bytes() == RUBBISH and lock.exists()
    nashboard("doctor", "--restore-store")  # a lock that a killed console left does not hinder
    assert "one at a time" in nashboard("doctor", "--restore-store", "--new-store", status=2).err
