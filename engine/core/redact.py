"""Takes secrets out of text that leaves the machine. What might be a key counts as one."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

_NAMES = (
    "password|passphrase|passwd|secret|token|api[_-]?key|private[_-]?key|secret[_-]?key|access[_-]?key|signing[_-]?key"
    "|mnemonic|phrase|genesis[_-]?seed|jwt|credential|cookie|authorization"
)
# name = value, "name": "value", --name value; the name may have more words around it.
_NAMED = re.compile(
    rf"""(?ix)
         (?P<name> (?<![a-z0-9]) (?:[a-z0-9]{{1,24}}[_-]){{0,4}} (?:{_NAMES}) (?:[_-][a-z0-9]{{1,24}}){{0,4}} ["']?)
         (?P<between> \s{{0,4}}[:=]\s{{0,4}} | (?<=[a-z]) [ ] (?=["']?[^\s"']*[0-9]) )
         (?P<value> "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*' | (?:Bearer\s+|Basic\s+)? [^\s,;&"'\])}}]+ )"""
)
_BEARER = re.compile(r"(?i)\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}")
_JWT = re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?(?:-----END [A-Z0-9 ]+-----|\Z)", re.DOTALL)
_URL = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/@]+@")
_HEX = re.compile(r"(?<![0-9a-fA-F])(?:0x)?[0-9a-fA-F]{64,}(?![0-9a-fA-F])")
_DIGITS = re.compile(r"(?<!\d)\d{60,}(?!\d)")
_BYTES = re.compile(r"""\bb(?:'(?:[^'\\\n]|\\.){16,}'|"(?:[^"\\\n]|\\.){16,}")""")
_RANDOM = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9_-][A-Za-z0-9+/_-]{31,}={0,2}")
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_WORDS = re.compile(r"(?<![a-zA-Z])(?:[a-z]{3,8}\s){11,}[a-z]{3,8}(?![a-zA-Z])")
BLANK = "(removed)"


class Redactor:
    """Removes secrets from texts. Values of 64 hexadecimal digits get a number each: equal ones can still be told.

    A hash has the form of a private key, so both are numbered. ``known`` are secrets that must go whatever they look
    like; ``home`` is the folder whose name tells who the operator is.
    """

    def __init__(self, known: tuple[str, ...] = (), home: Path | None = None) -> None:
        self._known = sorted({secret for secret in known if len(secret) >= 4}, key=len, reverse=True)
        self._home = str(home) if home is not None and len(home.parts) > 1 else ""
        self._numbers: dict[str, int] = {}

    def clean(self, text: str) -> str:
        """Return the text without what may be secret."""
        for secret in self._known:
            text = text.replace(secret, BLANK)
        text = _PEM.sub(BLANK, text)
        text = _HEX.sub(self._numbered, text)
        text = _DIGITS.sub(BLANK, text)
        text = _BYTES.sub(f"b'{BLANK}'", text)
        text = _WORDS.sub(_phrase, text)  # before the names: they take one word
        text = _NAMED.sub(_named, text)
        text = _BEARER.sub(rf"\1 {BLANK}", text)
        text = _JWT.sub(BLANK, text)
        text = _URL.sub(rf"\1{BLANK}@", text)
        text = _RANDOM.sub(_random, text)
        return text.replace(self._home, "~") if self._home else text

    def _numbered(self, found: re.Match[str]) -> str:
        digits = found[0].lower().removeprefix("0x")
        number = self._numbers.setdefault(digits, len(self._numbers) + 1)
        return f"(hex {len(digits)} #{number})"


def _named(found: re.Match[str]) -> str:
    value = found["value"]
    if value.strip("\"'").lower() in ("", "true", "false", "none", "null"):
        return found[0]
    quote = value[0] if value[0] in "\"'" else ""
    return f"{found['name']}{found['between']}{quote}{BLANK}{quote}"


def _random(found: re.Match[str]) -> str:
    """Leave paths and names: a token has capitals, small letters and digits in one long piece."""
    if _ADDRESS.fullmatch(found[0]):
        return found[0]
    piece = max(found[0].split("/"), key=len) if found[0].count("/") > 3 else found[0]
    mixed = any(c.isupper() for c in piece) and any(c.islower() for c in piece) and any(c.isdigit() for c in piece)
    return BLANK if mixed and len(piece) >= 20 else found[0]


def _phrase(found: re.Match[str]) -> str:
    """Remove words in a row of which nine of some twelve are of the list that recovery phrases are made of."""
    words = found[0].split()
    listed = [word in _phrase_words() for word in words]
    most = max(sum(listed[place : place + 12]) for place in range(len(words) - 11))
    return BLANK if most >= 9 else found[0]


@cache
def _phrase_words() -> frozenset[str]:
    """Return the English words of BIP-39, as the wallet's library ships them."""
    from eth_account.hdaccount.mnemonic import Mnemonic

    return frozenset(Mnemonic().wordlist)
