"""Who may use the service: everybody on this machine's loopback, elsewhere who knows the token."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from pathlib import Path
from urllib.parse import urlsplit

from engine.core.errors import EngineError, UsageError

MIN_TOKEN = 16
MAX_TOKEN = 4096
_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")


def is_loopback(host: str) -> bool:
    """Return whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def read_token(path: Path) -> str:
    """Return the token in a file; a file that is not there is made with a new one. Raises EngineError, UsageError."""
    try:
        with path.open("rb") as file:
            token = file.read(MAX_TOKEN).decode("utf-8").strip()  # not all of it: a device never ends
    except FileNotFoundError:
        token = secrets.token_urlsafe(32)
        try:
            path.touch(mode=0o600, exist_ok=False)
            path.write_text(token + "\n", encoding="utf-8")
        except OSError as error:
            raise EngineError(f"The token file {path} cannot be made", error.strerror or repr(error)) from error
    except (OSError, ValueError) as error:
        raise EngineError(f"The token file {path} cannot be read", str(error)) from error
    if len(token) < MIN_TOKEN or not token.isascii() or not token.isprintable():
        raise UsageError(f"The token in {path.name} cannot be used", f"it needs {MIN_TOKEN} printable ASCII characters")
    return token


class Access:
    """Decides on requests. Without a ``token`` the service must listen on loopback only."""

    def __init__(self, host: str, token: str | None) -> None:
        if token is None and not is_loopback(host):
            raise UsageError(
                f"Listening on {host} needs a token",
                "everybody who reaches this address could use the service",
                "Give --token-file FILE (it is made where it is missing), or listen on 127.0.0.1.",
            )
        self._host = host
        self._token = token

    def stranger(self, host: str, origin: str | None, site: str | None = None) -> str:
        """Return why a request comes from where none may come from, '' where it does not.

        ``host``, ``origin`` and ``site`` (Sec-Fetch-Site) are headers: a web page elsewhere must not reach the service
        through the operator's browser, whose requests come from this machine. Simple ones bear no Origin.
        """
        try:
            name, page = urlsplit(f"//{host}").hostname or "", urlsplit(origin or "").netloc
        except ValueError:  # brackets that do not match
            return "its Host or Origin is no address"
        if self._token is None and name not in _LOCAL_NAMES:
            return f"the service is not called {name!r}"
        if origin is not None and page != host:
            return f"a page of {origin} may not use the service"
        return "a page of another site may not use the service" if site in ("cross-site", "same-site") else ""

    def allows(self, host: str, origin: str | None, authorization: str | None, query: str | None) -> tuple[bool, str]:
        """Return whether a request may pass, and why not.

        The token comes as ``Authorization: Bearer``, or as ``?token=`` where a browser's WebSocket cannot.
        """
        why = self.stranger(host, origin)
        if why:
            return False, why
        if self._token is None:
            return True, ""
        given = (authorization or "").removeprefix("Bearer ") or query or ""
        if hmac.compare_digest(given.encode("utf-8", "replace"), self._token.encode()):
            return True, ""
        return False, "the token is missing or wrong"
