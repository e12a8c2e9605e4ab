"""Tokens of the engine API: JWT with HS256 and a shared secret. Source: RFC 7519; Engine API, authentication."""

from __future__ import annotations

import binascii
import hmac
import json
import os
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

from engine.core.hashing import parse_json
from engine.learning.errors import LearnSettingError

SECRET_SIZE = 32  # bytes
WINDOW = 60.0  # seconds that a token's iat may lie from now
MAX_TOKEN = 4096  # characters
_SECRET = re.compile(r"(?:0x)?([0-9a-fA-F]{64})")
_PART = re.compile(r"[A-Za-z0-9_-]*")


def read_secret(path: Path) -> bytes:
    """Return the 32 bytes in a ``jwt.hex``; a file that is not there is made, for its owner alone to read.

    Raises LearnSettingError for a file that cannot be read, that others may read, or that holds something else.
    """
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _existing(path)
    except OSError as error:
        raise LearnSettingError(
            f"{path} cannot be made", error.strerror or repr(error), "Choose another place."
        ) from error
    secret = secrets.token_bytes(SECRET_SIZE)
    with os.fdopen(made, "w", encoding="ascii") as file:
        file.write(secret.hex() + "\n")
    return secret


def _existing(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(MAX_TOKEN).decode("ascii", "replace").strip()
    except OSError as error:
        raise LearnSettingError(f"{path} cannot be read", error.strerror or repr(error), "Allow it.") from error
    if os.name == "posix" and mode & 0o077:
        raise LearnSettingError(
            f"Others may read the secret in {path}", f"its mode is {mode & 0o777:04o}", f"Run: chmod 600 {path}"
        )
    matched = _SECRET.fullmatch(text)
    if matched is None:
        raise LearnSettingError(
            f"{path} holds no secret", "it needs 64 hexadecimal characters", "Remove it, and a new one is made."
        )
    return bytes.fromhex(matched[1])


def make_token(secret: bytes, issued: float) -> str:
    """Return a token that was issued at a time, in seconds since 1970."""
    parts = ({"alg": "HS256", "typ": "JWT"}, {"iat": int(issued)})
    signed = ".".join(_encode(json.dumps(part, separators=(",", ":")).encode()) for part in parts)
    return f"{signed}.{_encode(hmac.digest(secret, signed.encode(), 'sha256'))}"


def refusal(token: str, secret: bytes, now: float) -> str:
    """Return why a token does not count at a time; "" where it does. Never raises."""
    try:
        parts = token.split(".") if len(token) <= MAX_TOKEN else []
        if len(parts) != 3 or not all(map(_PART.fullmatch, parts)):
            return "it is no JWT of three parts"
        header = _object(parts[0])
        # The algorithm is ours to choose: a token that names another, or none, is not looked at further.
        if header.get("alg") != "HS256" or header.get("typ", "JWT") != "JWT" or "crit" in header:
            return "its algorithm is not HS256"
        wanted = hmac.digest(secret, f"{parts[0]}.{parts[1]}".encode(), "sha256")
        if not hmac.compare_digest(wanted, _decode(parts[2])):
            return "its signature is not of the secret in jwt.hex"
        issued = _object(parts[1]).get("iat")
    except (ValueError, RecursionError):
        return "its parts are no base64url of JSON objects"
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        return "it has no time of issue (iat)"
    if not now - WINDOW <= issued <= now + WINDOW:  # compared, not subtracted: it may be too large for a float
        return f"it was issued more than {WINDOW:.0f} seconds from now"
    return ""


def _object(part: str) -> dict[str, Any]:
    value = parse_json(_decode(part), max_depth=4, strict=True)
    if not isinstance(value, dict):
        raise ValueError("it is no object")
    return value


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    """Return the bytes of base64url without padding; one text only stands for each. Raises ValueError."""
    try:
        data = urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise ValueError("it is no base64url") from error
    if _encode(data) != part:
        raise ValueError("it is no canonical base64url")
    return data
