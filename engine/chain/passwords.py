"""Where the password of a key comes from: a file, the environment, or the system's keyring. Never kept in the clear."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from engine.chain.errors import KeystoreError
from engine.chain.keystore import require_private

VARIABLE = "NASHBOARD_PASSWORD"
_SERVICE = "nashboard"
# Backends that encrypt what they keep. The library also knows ones that write text files, or nothing at all.
_REAL = ("SecretService", "libsecret", "kwallet", "macOS", "Windows")


def from_file(path: Path) -> str:
    """Return the first line of a file that nobody else may read. Raises KeystoreError."""
    try:
        require_private(path)
        with path.open("rb") as file:
            line = file.readline(4096)
        return line.rstrip(b"\r\n").decode()
    except OSError as error:
        raise KeystoreError(f"The password file {path} cannot be read", str(error.strerror)) from error
    except UnicodeDecodeError:
        raise KeystoreError(f"The password file {path} holds no text") from None


def from_environment() -> str | None:
    """Return the password in the environment and take it out of there: programs started from here must not get it."""
    return os.environ.pop(VARIABLE, None)


def ring() -> Any:
    """Return the system's keyring, None where there is none that encrypts."""
    from keyring import get_keyring

    found = get_keyring()
    for backend in (found, *getattr(found, "backends", ())):
        if type(backend).__module__.removeprefix("keyring.backends.").split(".")[0] in _REAL and backend.priority > 0:
            return backend
    return None


def from_ring(address: str) -> str | None:
    """Return the password that the keyring has for an account. Raises KeystoreError where there is no keyring."""
    found = required_ring().get_password(_SERVICE, address.lower())
    return None if found is None else str(found)


def into_ring(address: str, password: str) -> None:
    """Let the keyring keep an account's password. Raises KeystoreError where there is no keyring."""
    from keyring.errors import KeyringError

    try:
        required_ring().set_password(_SERVICE, address.lower(), password)
    except KeyringError as error:
        raise KeystoreError("The keyring does not keep the password", type(error).__name__) from None


def out_of_ring(address: str) -> None:
    """Let the keyring forget an account's password, where there is a keyring that has it."""
    from keyring.errors import KeyringError

    backend = ring()
    if backend is not None:
        try:
            backend.delete_password(_SERVICE, address.lower())
        except KeyringError:
            return  # it had none


def required_ring() -> Any:
    """Return the system's keyring. Raises KeystoreError where there is none that encrypts."""
    backend = ring()
    if backend is None:
        raise KeystoreError(
            "There is no keyring here that encrypts", "", f"Use --password-file, {VARIABLE}, or type the password."
        )
    return backend
