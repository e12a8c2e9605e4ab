"""Encrypted keys in files: Web3 Secret Storage, version 3, as other Ethereum programs read and write it.

One file an account in the data directory, readable by its owner alone. The key derivation (scrypt) takes about a second
and a quarter of a gigabyte on purpose, so it runs in a thread.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.chain.errors import KeystoreError
from engine.chain.wallet import Wallet
from engine.core.files import write_atomically
from engine.core.hashing import parse_json

MIN_PASSWORD = 8
MAX_FILE = 64 * 1024  # bytes; such a file has about five hundred
WORK = 2**18  # scrypt's n
_MAX_MEMORY = 2**30  # bytes that a file may ask for
_MAX_ROUNDS = 10_000_000  # of PBKDF2
_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1
_ADDRESS = re.compile("(?:0x)?[0-9a-fA-F]{40}")
_KEY = re.compile("(?:0x)?([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class KeyFile:
    """An account in the keystore. ``problem`` says why it cannot be used, "" when nothing is known against it."""

    address: str
    path: Path
    problem: str = ""


class Keystore:
    """The key files of one folder, which is made when the first is written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def accounts(self) -> list[KeyFile]:
        """Return the accounts by address, also those whose file cannot be used. Raises KeystoreError."""
        try:
            paths = sorted(self.folder.glob("*.json")) if self.folder.exists() else []
        except OSError as error:
            raise KeystoreError(f"The keys in {self.folder} cannot be listed", str(error.strerror)) from error
        return [self._look(path) for path in paths]

    async def create(self, password: str, *, work: int = WORK) -> KeyFile:
        """Make a new account. Raises KeystoreError."""
        while not 0 < int.from_bytes(secret := os.urandom(32)) < _ORDER:
            pass  # once in 2^128
        return await self.add(secret, password, work=work)

    async def add(self, secret: bytes, password: str, *, work: int = WORK) -> KeyFile:
        """Keep a private key (32 bytes), encrypted. Raises KeystoreError when it is there already."""
        if len(secret) != 32 or not 0 < int.from_bytes(secret) < _ORDER:
            raise KeystoreError("This is no private key", "one is a number of 32 bytes, above 0 and below the order")
        if len(password) < MIN_PASSWORD:
            raise KeystoreError(
                "The password is too short", f"it needs at least {MIN_PASSWORD} characters", "Choose a longer one."
            )
        address = Wallet.of_key(secret).address(0)
        path = self._path(address)
        if path.exists():
            raise KeystoreError(f"The account {address} is in the keystore already", str(path), "Remove it first.")
        content = await asyncio.to_thread(_encrypt, secret, password, work)
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(path, content, replace=False)
        except OSError as error:
            raise KeystoreError(f"The key file {path} cannot be written", str(error.strerror)) from error
        if path.read_bytes() != content:  # another program wrote the same account at the same moment
            raise KeystoreError(f"The account {address} is in the keystore already", str(path))
        return KeyFile(address, path)

    def remove(self, address: str) -> None:
        """Delete an account's file: without a copy elsewhere its key is gone. Raises KeystoreError."""
        found = self.get(address)
        try:
            found.path.unlink()
        except OSError as error:
            raise KeystoreError(f"The key file {found.path} cannot be removed", str(error.strerror)) from error

    def get(self, address: str) -> KeyFile:
        """Return an account's file. Raises KeystoreError."""
        if not _ADDRESS.fullmatch(address):
            raise KeystoreError(f"{address!r:.60} is no address", "one is 0x and 40 hexadecimal digits")
        path = self._path(address)
        if not path.exists():
            known = ", ".join(found.address for found in self.accounts()) or "none"
            raise KeystoreError(f"The account {address} is not in the keystore", f"it holds {known}")
        return self._look(path)

    async def unlock(self, address: str, password: str) -> Wallet:
        """Return a wallet whose operator is the account. Raises KeystoreError for a wrong password or a bad file."""
        found = self.get(address)
        secret = await asyncio.to_thread(_decrypt, found.path, password)
        wallet = Wallet.of_key(secret)
        if wallet.address(0) != found.address:
            raise KeystoreError(f"The key file {found.path} is damaged", "it holds the key of another account")
        return wallet

    def _path(self, address: str) -> Path:
        return self.folder / f"{address.removeprefix('0x').lower()}.json"

    def _look(self, path: Path) -> KeyFile:
        from eth_utils.address import to_checksum_address

        if not _ADDRESS.fullmatch(path.stem):
            return KeyFile(path.name, path, "its name is no address")
        address = str(to_checksum_address("0x" + path.stem.removeprefix("0x")))
        try:
            _read(path)
        except KeystoreError as error:
            return KeyFile(address, path, error.why)
        return KeyFile(address, path)


def parse_key(text: str) -> bytes:
    """Return the private key in hexadecimal text. Raises KeystoreError, which does not repeat it."""
    found = _KEY.fullmatch(text.strip())
    if found is None:
        raise KeystoreError(
            "This is no private key", f"expected 64 hexadecimal digits, got {len(text.strip())} characters"
        )
    return bytes.fromhex(found[1])


def looks_like_key(text: str) -> bool:
    """Return whether text is a private key rather than the name of something."""
    return _KEY.fullmatch(text.strip()) is not None


def require_private(path: Path) -> None:
    """Refuse a file with a secret that others may read or replace. Raises KeystoreError."""
    if os.name != "posix":
        return
    for place, what, forbidden, mode in ((path, "file", 0o077, "600"), (path.parent, "folder", 0o022, "700")):
        status = place.stat()
        if status.st_uid not in (os.getuid(), 0):
            raise KeystoreError(f"The {what} {place} is not used", "it belongs to somebody else")
        shared = what == "folder" and status.st_mode & 0o1000  # as /tmp: nobody can replace what is not theirs
        if status.st_mode & forbidden and not shared:
            raise KeystoreError(
                f"The {what} {place} is not used", f"others may read or write the {what}", f"chmod {mode} '{place}'."
            )


def _read(path: Path) -> dict[str, Any]:
    """Return a key file's content, checked. Raises KeystoreError."""
    try:
        require_private(path)
        size = path.stat().st_size
        content = path.read_bytes() if size <= MAX_FILE else b""
    except OSError as error:
        raise KeystoreError(f"The key file {path} cannot be read", str(error.strerror)) from error
    try:
        value = parse_json(content)
        crypto = value.get("crypto", value.get("Crypto"))
        if (
            value["version"] != 3
            or crypto["cipher"] != "aes-128-ctr"
            or not _affordable(crypto["kdf"], crypto["kdfparams"])
        ):
            raise ValueError("its version, cipher or key derivation is unknown, or asks for too much")
        for part in (crypto["ciphertext"], crypto["mac"], crypto["cipherparams"]["iv"], crypto["kdfparams"]["salt"]):
            bytes.fromhex(part)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        detail = "" if isinstance(error, KeyError | TypeError | AttributeError) else f" ({error})"
        raise KeystoreError(f"The key file {path} is damaged", f"it is no key file of version 3{detail}") from None
    return dict(value)


def _affordable(kdf: str, parameters: Mapping[str, Any]) -> bool:
    if kdf == "scrypt":
        n, r, p = (parameters[name] for name in "nrp")
        return all(type(part) is int and part > 0 for part in (n, r, p)) and 128 * n * r * p <= _MAX_MEMORY
    return kdf == "pbkdf2" and type(parameters["c"]) is int and 0 < parameters["c"] <= _MAX_ROUNDS


def _encrypt(secret: bytes, password: str, work: int) -> bytes:
    from eth_keyfile.keyfile import create_keyfile_json

    made = create_keyfile_json(secret, password.encode(), kdf="scrypt", iterations=work)
    return json.dumps(made, indent=2).encode() + b"\n"


def _decrypt(path: Path, password: str) -> bytes:
    from eth_keyfile.keyfile import decode_keyfile_json

    value = _read(path)
    try:
        return bytes(decode_keyfile_json(value, password.encode()))
    except Exception as error:  # whatever the library says of a file that somebody changed
        if "MAC" in str(error):
            raise KeystoreError(
                "The password does not open the key", f"or {path.name} was changed", "Try again.", account=path.stem
            ) from None
        raise KeystoreError(f"The key file {path} is damaged", type(error).__name__) from None
