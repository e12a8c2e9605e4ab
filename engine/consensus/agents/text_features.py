"""Text as the moderation models read it: disguises undone, then hashed pieces of letters and of words."""

from __future__ import annotations

import itertools
import re
import unicodedata
import zlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]

BUCKETS = 1 << 14
SIZES = (3, 4, 5)  # letters in a piece
WINDOW, STRIDE = 120, 60  # letters, of texts longer than a window: a long text is as bad as its worst passage
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

# Letters of other scripts that look like Latin ones. What has a compatible form (full width, bold) NFKC undoes.
_ALIKE = str.maketrans(
    "аеорсухіјѕһԁɡвкмнтαεικνορτυχη\N{LATIN SMALL LETTER DOTLESS I}ℓøđłß",
    "aeopcyxijshdgbkmhtaeiknoptyxnilodls",
)
_LEET = str.maketrans("013457@$!|", "oieastasil")
_LETTER = re.compile(r"[a-z]")
_RUN = re.compile(r"(.)\1{2,}")
_MASKED = re.compile(r"(?<=[^\W_])[*#%+.\-_']+(?=[^\W_])")
_OTHER = re.compile(r"[^\w]+")


def normalise(text: str) -> str:
    """Return the text in lower case and Latin letters as far as it has them, words separated by one space.

    Undone are: invisible and direction marks, accents, look-alike letters, digits for letters, letters spaced out,
    repeated letters, and signs put inside words.
    """
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold()).translate(_ALIKE)
    text = "".join(letter for letter in text if unicodedata.category(letter) not in ("Mn", "Me", "Cf", "Cs", "Co"))
    text = " ".join(_plain(token) for token in text.split())
    text = _RUN.sub(r"\1", _MASKED.sub("", text))
    return " ".join(_joined_letters(_OTHER.sub(" ", text.replace("_", " ")).split()))


def _plain(token: str) -> str:
    """Return a token with digits and signs read as letters where it has letters: a number stays a number."""
    core = token.rstrip("!|")  # a mark at the end is a mark
    return core.translate(_LEET) if _LETTER.search(core) or core in ("@", "$") else core


def _joined_letters(words: list[str]) -> Iterator[str]:
    """Yield the words, three or more single letters in a row as one word."""
    for single, group in itertools.groupby(words, lambda word: len(word) == 1 and word.isalpha()):
        run = list(group)
        if single and len(run) > 2:
            yield "".join(run)
        else:
            yield from run


def legible(normal: str) -> float:
    """Return the share of a normalised text's letters that are Latin ones, 0 for a text without letters."""
    letters = [letter for letter in normal if letter.isalpha()]
    return sum("a" <= letter <= "z" for letter in letters) / len(letters) if letters else 0.0


def letter_pieces(normal: str) -> tuple[Indices, Indices]:
    """Return the buckets of all pieces of 3 to 5 letters, word ends included, and where each window of text begins."""
    codes = np.frombuffer(f" {normal} ".encode("utf-32-le"), dtype=np.uint32).astype(np.uint64)
    starts = range(0, max(1, len(codes) - STRIDE), STRIDE) if len(codes) > WINDOW else range(1)
    pieces = {size: _hashed(codes, size) for size in SIZES}
    bags = [np.concatenate([found[start : start + WINDOW] for found in pieces.values()]) for start in starts]
    return _joined(bags)


def word_pieces(normal: str) -> tuple[Indices, Indices]:
    """Return the buckets of all words and pairs of neighbours, and where each window of text begins."""
    words = normal.split()
    single = [zlib.crc32(word.encode()) % BUCKETS for word in words]
    double = [zlib.crc32(f"{a} {b}".encode()) % BUCKETS for a, b in itertools.pairwise(words)]
    width, step = WINDOW // 5, STRIDE // 5
    starts = range(0, max(1, len(words) - step), step) if len(words) > width else range(1)
    bags = [np.array(single[at : at + width] + double[at : at + width], dtype=np.int64) for at in starts]
    return _joined(bags)


def _hashed(codes: NDArray[np.uint64], size: int) -> Indices:
    """Return the bucket of each piece of ``size`` letters (multiplicative hashing, Knuth, TAOCP 3, 6.4)."""
    count = max(0, len(codes) - size + 1)
    value = np.full(count, size, dtype=np.uint64)
    for offset in range(size):
        value = (value ^ codes[offset : offset + count]) * _MULTIPLIER
        value ^= value >> np.uint64(29)
    return (value % np.uint64(BUCKETS)).astype(np.int64)


def _joined(bags: list[Indices]) -> tuple[Indices, Indices]:
    sizes = np.array([len(bag) for bag in bags])
    return np.concatenate(bags), np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
