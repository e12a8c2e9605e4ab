"""``nashboard wallet``: keys come from files and standard input, passwords also from the environment or a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEY = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d"
ADDRESS = "0x008AeEda4D805471dF9b2A5B0f38A0C3bCBA786b"
PASSWORD = "correct horse battery"


@pytest.fixture
def wallet(program, data_root):
    """Run a wallet command with text on standard input; return its status, its JSON and all that it printed."""

    def run(*arguments, stdin="", password=None):
        environment = {name: value for name, value in os.environ.items() if name != "NASHBOARD_PASSWORD"}
        done = subprocess.run(
            [*program, "--data-dir", str(data_root), "--verbose", "wallet", *map(str, arguments), "--json"],
            cwd=ROOT,
            env={**environment, **({"NASHBOARD_PASSWORD": password} if password else {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
        )
        printed = done.stdout + done.stderr
        assert KEY not in printed and PASSWORD not in printed
        return done.returncode, json.loads(done.stdout) if done.stdout else None, printed

    return run


def private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_a_key_is_taken_in_listed_checked_and_removed(wallet, tmp_path, data_root):
    password = private(tmp_path / "password", PASSWORD + "\n")
    status, value, _ = wallet("import", "--password-file", password, stdin=f"0x{KEY}\n")
    assert (status, value["address"]) == (0, ADDRESS)
    path = Path(value["path"])
    assert path.parent == data_root / "keys" and path.stat().st_mode & 0o777 == 0o600
    status, value, _ = wallet("list")
    assert [key["address"] for key in value["keys"]] == [ADDRESS] and value["keys"][0]["problem"] == ""
    assert "never use on mainnet" in value["development"]["warning"]
    assert wallet("unlock-check", ADDRESS, password=PASSWORD)[1] == {"address": ADDRESS, "opens": True}
    status, value, _ = wallet("unlock-check", ADDRESS, password="wrong password")
    assert status == 1 and "does not open" in value["what"]
    status, value, _ = wallet("import", private(tmp_path / "key", KEY), password=PASSWORD)
    assert status == 1 and "already" in value["what"]
    status, value, _ = wallet("remove", ADDRESS)
    assert status == 2 and "--yes" in value["next"]
    assert wallet("remove", ADDRESS, "--yes")[0] == 0
    assert not list(path.parent.iterdir())


@pytest.mark.parametrize(
    ("arguments", "stdin", "password", "says"),
    [
        (("new",), "", None, "no password"),
        (("import",), KEY[:-2], PASSWORD, "no private key"),
        (("import", "/nowhere"), "", PASSWORD, "cannot be read"),
        (("unlock-check", ADDRESS), "", PASSWORD, "not in the keystore"),
        (("new", "--keyring"), "", PASSWORD, "no keyring"),
    ],
)
def test_what_is_missing_or_wrong_is_told(wallet, data_root, arguments, stdin, password, says):
    status, value, _ = wallet(*arguments, stdin=stdin, password=password)
    assert status in (1, 2) and says in json.dumps(value)
    assert not (data_root / "keys").exists()


def test_a_key_as_argument_is_no_way_in(wallet):
    status, value, _ = wallet("import", KEY, password=PASSWORD)  # the fixture looks whether it is shown
    assert status == 1 and "not taken as arguments" in value["what"]


def test_a_password_typed_at_a_terminal_is_asked_twice_and_not_shown(program, data_root):
    arguments = [*program, "--data-dir", str(data_root), "wallet", "new"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(ROOT)
        os.execv(arguments[0], arguments)
    shown, typed = b"", 0
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        shown += part
        if shown.count(b"assword: ") + shown.count(b"Again: ") > typed:
            typed += 1
            os.write(terminal, PASSWORD.encode() + b"\n")
    assert os.waitpid(pid, 0)[1] == 0
    os.close(terminal)
    assert typed == 2 and b"0x" in shown and PASSWORD.encode() not in shown
    assert len(list((data_root / "keys").iterdir())) == 1
