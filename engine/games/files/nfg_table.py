"""The tables of .nfg files: payoffs as a flat list of numbers, or outcomes and a list of their numbers.

Read in pieces rather than number by number; where something is wrong there, again and slowly, to name its place.
"""

from __future__ import annotations

import itertools
import math
import re

import numpy as np

from engine.games.files.scanner import SPACE, TEXT, Scanner, Token
from engine.games.games import MAX_PAYOFF, Floats

_NUMBER = re.compile(r"[+-]?(?:[0-9]+/[0-9]+|(?:[0-9]++\.?+[0-9]*+|\.[0-9]++)(?:[eE][+-]?[0-9]++)?)")
_NOT_OF_NUMBERS = re.compile(rf"[^{SPACE}0-9+\-.eE/,]")
_WORD = re.compile(rf"[^{SPACE},]++")
_OUTCOME = re.compile(rf"[{SPACE}]*+\{{[{SPACE}]*+{TEXT}([^\"{{}}]*+)\}}", re.DOTALL)
_PIECE = 1 << 20  # characters of the table that are split at a time


def payoff_table(scan: Scanner, sizes: tuple[int, ...]) -> Floats:
    """Return the payoffs, a row a profile, from the rest of the file. Raises GameFileError."""
    count = len(sizes) * math.prod(sizes)
    numbers = _numbers(scan, count, "payoffs")
    return numbers.reshape(-1, len(sizes))


def outcome_table(scan: Scanner, sizes: tuple[int, ...]) -> Floats:
    """Return the payoffs, a row a profile, from outcomes and their numbers; outcome 0 pays nothing to anybody.

    Raises GameFileError.
    """
    scan.take("brace", "'{' before the outcomes", "{")
    payoffs = [0.0] * len(sizes) + _outcomes(scan, len(sizes))
    scan.take("brace", "'{' of an outcome, or '}' after the last one", "}")
    start = scan.now.at
    indices = _numbers(scan, math.prod(sizes), "outcome numbers")
    outcomes = np.array(payoffs).reshape(-1, len(sizes))
    usable = (indices >= 0) & (indices < len(outcomes)) & (indices == np.floor(indices))
    if not usable.all():
        place = _place(scan, start, int(np.argmin(usable)))
        scan.fail(f"there is no outcome {_word_at(scan.text, place)[:40]}", place)
    return np.asarray(outcomes[indices.astype(np.intp)])


def _outcomes(scan: Scanner, players: int) -> list[float]:
    """Return the payoffs of all outcomes, one after the other."""
    words: list[str] = []
    start = at = scan.now.at
    while found := _OUTCOME.match(scan.text, at):
        words += found[1].replace(",", " ").split()
        at = found.end()
        if len(words) % players:
            break
    else:
        scan.seek(at)
        if not scan.now.is_brace("{") and all(map(_is_usable, words)):
            return [_number(word) for word in words]
    scan.seek(start)
    return _outcomes_slowly(scan, players)


def _outcomes_slowly(scan: Scanner, players: int) -> list[float]:
    payoffs = []
    while scan.now.is_brace("{"):
        scan.advance()
        scan.take("text", "the outcome's name in quotation marks")
        for _ in range(players):
            token = scan.take("word", "a number")
            payoffs.append(_value(scan, token))
            if scan.now.kind == "comma":
                scan.advance()
        scan.take("brace", f"'}}' after the {players} payoffs of an outcome", "}")
    return payoffs


def _numbers(scan: Scanner, count: int, what: str) -> Floats:
    """Read all numbers to the end of the file: ``count`` of them, with white space or commas between."""
    text, start = scan.text, scan.now.at
    wrong = _NOT_OF_NUMBERS.search(text, start)
    if wrong is not None:
        # Not only numbers: read on token by token to the one that is none.
        while scan.now.kind == "comma" or (scan.now.kind == "word" and _NUMBER.fullmatch(scan.now.value)):
            scan.advance()
        scan.expected("a number")
    found: list[Floats] = []
    total, at = 0, start
    while at < len(text):
        end = _end_of_piece(text, at)
        words = text[at:end].replace(",", " ").split()
        found.append(_values(scan, words, start, total))
        total, at = total + len(words), end
        if total > count:
            scan.fail(f"the table goes on after its {count} {what}", _place(scan, start, count))
    if total < count:
        scan.fail(f"the table ends too soon: {count} {what} are needed, {total} are there", len(text.rstrip()))
    values = np.concatenate(found)
    usable = np.abs(values) <= MAX_PAYOFF
    if not usable.all():
        place = _place(scan, start, int(np.argmin(usable)))
        _value(scan, Token("word", _word_at(text, place), place))
    return values


def _end_of_piece(text: str, at: int) -> int:
    end = at + _PIECE
    while end < len(text) and text[end] not in SPACE + ",":
        end += 1
    return min(end, len(text))


def _values(scan: Scanner, words: list[str], start: int, before: int) -> Floats:
    try:
        return np.array([_number(word) for word in words])
    except (ValueError, ArithmeticError):
        wrong = next(number for number, word in enumerate(words) if not _is_usable(word))
        _value(scan, Token("word", words[wrong], _place(scan, start, before + wrong)))
        raise


def _value(scan: Scanner, token: Token) -> float:
    """Return the number of a token. Raises GameFileError at its place."""
    if not _NUMBER.fullmatch(token.value):
        scan.expected("a number", token)
    try:
        value = _number(token.value)
    except ZeroDivisionError:
        scan.fail(f"{token.value[:40]} divides by zero", token.at)
    except (ValueError, OverflowError):
        scan.fail("the number has too many digits", token.at)
    if abs(value) > MAX_PAYOFF:
        scan.fail(f"{token.value[:40]} is larger than {MAX_PAYOFF:g} in magnitude", token.at)
    return value


def _is_usable(word: str) -> bool:
    try:
        return _NUMBER.fullmatch(word) is not None and abs(_number(word)) <= MAX_PAYOFF
    except (ValueError, ArithmeticError):
        return False


def _number(word: str) -> float:
    if "/" not in word:
        return float(word)
    numerator, _, denominator = word.partition("/")
    if not denominator.isdigit():
        raise ValueError
    return int(numerator) / int(denominator)  # whole numbers: rounded once, to the nearest


def _place(scan: Scanner, start: int, number: int) -> int:
    """Return where the number of that index stands, from 0, in the table that begins at ``start``."""
    found = next(itertools.islice(_WORD.finditer(scan.text, start), number, None), None)
    return len(scan.text) if found is None else found.start()


def _word_at(text: str, place: int) -> str:
    found = _WORD.match(text, place)
    return found.group() if found else ""
