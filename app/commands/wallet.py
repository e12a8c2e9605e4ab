"""``nashboard wallet``: keys of your own, in encrypted files. Neither keys nor passwords are taken as arguments."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.output import JsonOption, Output, table

if TYPE_CHECKING:
    from engine.chain.keystore import Keystore

group = typer.Typer(help="Keys of your own, in encrypted files.", no_args_is_help=True)

AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS", help="An account of the keystore.")]
FileOption = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="Its first line is the password; mode 600.")
]
RingOption = Annotated[bool, typer.Option("--keyring", help="Keep the password in, or take it from, the keyring.")]


@group.command(name="list")
def list_(context: typer.Context, json: JsonOption = False) -> None:
    """List the accounts: your own, and the public ones of the devnet."""
    from engine.chain import passwords
    from engine.chain.wallet import DEVELOPMENT_WARNING, OPERATOR, Wallet

    output: Output = context.obj
    found = _keystore(output).accounts()
    rows = [(key.address, key.problem or "encrypted", str(key.path)) for key in found]
    operator = Wallet.development().address(OPERATOR)
    shown = table(("account", "state", "file"), rows) if rows else "No keys of your own: make one by 'wallet new'."
    output.result(
        {
            "keys": [{"address": key.address, "path": str(key.path), "problem": key.problem} for key in found],
            "development": {"operator": operator, "warning": DEVELOPMENT_WARNING},
            "keyring": passwords.ring() is not None,
        },
        f"{shown}\n\nThe devnet's operator: {operator}. {DEVELOPMENT_WARNING}",
    )


@group.command()
def new(
    context: typer.Context, password_file: FileOption = None, keyring: RingOption = False, json: JsonOption = False
) -> None:
    """Make a new account. Without its file and password nobody can help: keep copies of both."""
    import asyncio

    output: Output = context.obj
    store, password = _keystore(output), _new_password(password_file, keyring)
    made = asyncio.run(store.create(password))
    _remember(keyring, made.address, password)
    output.result({"address": made.address, "path": str(made.path)}, f"{made.address}\nkept in {made.path}")


@group.command(name="import")
def import_(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(metavar="[FILE]", help="Default: standard input.")] = None,
    password_file: FileOption = None,
    keyring: RingOption = False,
    json: JsonOption = False,
) -> None:
    """Take in a private key, 64 hexadecimal digits, from a file or from standard input."""
    import asyncio

    from engine.chain.keystore import parse_key

    output: Output = context.obj
    store, secret = _keystore(output), parse_key(_key_text(file))
    password = _new_password(password_file, keyring)
    made = asyncio.run(store.add(secret, password))
    _remember(keyring, made.address, password)
    output.result({"address": made.address, "path": str(made.path)}, f"{made.address}\nkept in {made.path}")


@group.command()
def remove(
    context: typer.Context,
    address: AddressArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: JsonOption = False,
) -> None:
    """Delete an account's key file. Without a copy of it the account is lost."""
    from engine.chain import passwords
    from engine.core.errors import UsageError

    output: Output = context.obj
    store = _keystore(output)
    found = store.get(address)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("Nobody can be asked", "standard input is no terminal", "Say --yes.")
        typer.confirm(f"Delete the key of {found.address}? Without a copy it is lost", abort=True, err=True)
    store.remove(found.address)
    passwords.out_of_ring(found.address)
    output.result({"removed": found.address}, f"removed {found.address}")


@group.command(name="unlock-check")
def unlock_check(
    context: typer.Context,
    address: AddressArgument,
    password_file: FileOption = None,
    keyring: RingOption = False,
    json: JsonOption = False,
) -> None:
    """Say whether the password opens the key. Nothing stays unlocked."""
    import asyncio

    from engine.chain import passwords

    output: Output = context.obj
    store = _keystore(output)
    found = store.get(address)
    password = passwords.from_ring(found.address) if keyring else None
    password = password if password is not None else _password(password_file)
    wallet = asyncio.run(store.unlock(found.address, password))
    output.result({"address": wallet.address(0), "opens": True}, f"{wallet.address(0)} opens")


def _keystore(output: Output) -> Keystore:
    from engine.chain.keystore import Keystore

    return Keystore(output.data().root / "keys")


def _key_text(file: Path | None) -> str:
    """Return the text that should be a key; a little more than one is read of whatever it is."""
    import getpass

    from engine.chain.errors import KeystoreError
    from engine.chain.keystore import looks_like_key

    if file is None:
        return getpass.getpass("Private key: ") if sys.stdin.isatty() else sys.stdin.readline(200)
    if looks_like_key(str(file)):
        raise KeystoreError(
            "Keys are not taken as arguments",
            "others can see those, and the shell keeps them",
            "Consider this key known. Give the next one in a file, or on standard input.",
        )
    try:
        with file.open(encoding="ascii") as source:
            return source.read(200)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise KeystoreError(f"The file {file} cannot be read", str(why)) from None


def _password(file: Path | None, prompt: str = "Password: ") -> str:
    """Return the password from the file, the environment, or the terminal."""
    import getpass

    from engine.chain import passwords
    from engine.core.errors import UsageError

    if file is not None:
        return passwords.from_file(file)
    password = passwords.from_environment()
    if password is not None:
        return password
    if not sys.stdin.isatty():
        raise UsageError(
            "There is no password", "standard input is no terminal", f"Use --password-file or {passwords.VARIABLE}."
        )
    return getpass.getpass(prompt)


def _new_password(file: Path | None, keyring: bool) -> str:
    """Return a password; one that is typed is typed twice. Where a keyring should keep it there must be one."""
    import getpass
    import os

    from engine.chain import passwords
    from engine.core.errors import UsageError

    if keyring:
        passwords.required_ring()
    typed = file is None and passwords.VARIABLE not in os.environ
    password = _password(file, "New password: ")
    if typed and getpass.getpass("Again: ") != password:
        raise UsageError("The passwords differ", "", "Type the same twice.")
    return password


def _remember(keyring: bool, address: str, password: str) -> None:
    from engine.chain import passwords

    if keyring:
        passwords.into_ring(address, password)
