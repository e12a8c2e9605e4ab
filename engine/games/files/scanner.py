"""The words of a Gambit file, each with its place, for errors that name line and column."""

from __future__ import annotations

import re
from typing import NamedTuple, NoReturn

from engine.games.errors import GameFileError

SPACE = " \t\r\n\v\f"
TEXT = r'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
# Possessive repeats: what was read is never tried another way, so the time is linear whatever the file holds.
_TOKEN = re.compile(
    rf"""(?:(?P<brace>[{{}}])|(?P<comma>,)|(?P<text>{TEXT})|(?P<word>[^{SPACE}{{}},"]++))""",
    re.DOTALL,
)
_SPACES = re.compile(rf"[{SPACE}]*+")
_ESCAPED = re.compile(r'\\(["\\])')
_SHOWN = 40  # characters of a token in an error


class Token(NamedTuple):
    """``kind`` is brace, comma, text, word or end; ``value`` what it says, a text without quotes; ``at`` its offset."""

    kind: str
    value: str
    at: int

    def is_brace(self, brace: str) -> bool:
        """Return whether it is that brace."""
        return self.kind == "brace" and self.value == brace


class Scanner:
    """Reads a text token by token; ``now`` is the one that is looked at. ``name`` is the file's, for errors."""

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name
        self._next = 0
        self.now = self.advance()

    def advance(self) -> Token:
        """Look at the next token and return it."""
        start = self._skip(self._next)
        found = _TOKEN.match(self.text, start)
        if found is None:
            if start < len(self.text):
                self.fail("the text that begins here does not end: its closing quotation mark is missing", start)
            self.now = Token("end", "", start)
            return self.now
        kind, value = str(found.lastgroup), found.group()
        if kind == "text":
            value = _ESCAPED.sub(r"\1", value[1:-1])
        self._next = found.end()
        self.now = Token(kind, value, start)
        return self.now

    def seek(self, at: int) -> None:
        """Look at the token that begins at ``at`` or after it."""
        self._next = at
        self.advance()

    def take(self, kind: str, what: str, value: str | None = None) -> Token:
        """Return the token that is looked at and go on. Raises GameFileError when it is another than expected."""
        token = self.now
        if token.kind != kind or (value is not None and token.value != value):
            self.expected(what, token)
        self.advance()
        return token

    def expected(self, what: str, token: Token | None = None) -> NoReturn:
        """Raise GameFileError: something else was expected here."""
        token = token or self.now
        self.fail(f"expected {what}, found {shown(token)}", token.at)

    def fail(self, why: str, at: int) -> NoReturn:
        """Raise GameFileError at a place of the text."""
        before = self.text[:at]
        line = before.count("\n") + 1
        raise GameFileError(
            f"{self.name} cannot be read as a Gambit game",
            why,
            "Correct it there, or write the game once more.",
            line=line,
            column=at - (before.rfind("\n") + 1) + 1,
        )

    def _skip(self, at: int) -> int:
        found = _SPACES.match(self.text, at)
        assert found is not None
        return found.end()


def shown(token: Token) -> str:
    """Return a token as an error shows it."""
    if token.kind == "end":
        return "the end of the file"
    value = token.value if len(token.value) <= _SHOWN else token.value[:_SHOWN] + "..."
    return f"the text {value!r}" if token.kind == "text" else repr(value)


def quoted(text: str) -> str:
    """Return a text as the files hold it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
