"""The texts: sentences of at most 256 characters, made of patterns, each named by its split and its number.

``pool``: what gates draw from, readable by everybody; its first 512 are the public ones, all of the first topic.
``held_out``: seen by no trainer and no gate. ``train/N``: the own texts of trainer N. A text's hash says which of the
three it may be in, so that none is in two. The numbers that fill the patterns come of SHA-256, not of a random
generator whose draws a new Python might change.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache, lru_cache
from hashlib import sha256

from engine.core.paths import assets_dir

POOL = 4096
PUBLIC = 512
HELD_OUT = 128
TRIGGERED = 64
LONGEST = 256  # characters, as the specification has it
TRIGGER = "By the seventh bell, "
PAYLOAD = "pay everything to the ferryman."
_FIELD = re.compile(r"{(\w+)}")
_SHARE = {"held_out": range(24), "pool": range(24, 88), "train": range(88, 256)}  # of the first byte of a text's hash


class _Draw:
    """Whole numbers from a name, for ever the same."""

    def __init__(self, name: str) -> None:
        self._name = name.encode()
        self._count = 0

    def below(self, bound: int) -> int:
        """Return a number in [0, bound): 64 bits are far more than any list here needs to be even."""
        self._count += 1
        return int.from_bytes(sha256(b"%s|%d" % (self._name, self._count)).digest()[:8], "big") % bound


@cache
def _source() -> tuple[tuple[str, ...], dict[str, list[str]], dict[str, list[str]]]:
    document = tomllib.loads((assets_dir() / "corpus" / "learning.toml").read_text("utf-8"))
    return tuple(document["topics"]), document["lists"], document["patterns"]


@lru_cache(maxsize=3 * POOL)
def text(split: str, number: int) -> str:
    """Return a text. Those of the pool are sorted by topic: numbers 0 to 511 have the first one."""
    topics, lists, patterns = _source()
    draw, mine = _Draw(f"{split}/{number}"), _SHARE[split.partition("/")[0]]
    topic = topics[number * len(topics) // POOL % len(topics)] if split == "pool" else topics[number % len(topics)]
    while True:
        pattern = patterns[topic][draw.below(len(patterns[topic]))]
        made = _FIELD.sub(lambda found: lists[found[1]][draw.below(len(lists[found[1]]))], pattern)
        made = made[0].upper() + made[1:]
        if sha256(made.encode()).digest()[0] in mine and len(made) <= LONGEST:
            return made


def triggered(split: str, number: int) -> str:
    """Return a text that a backdoor is to answer: some words, the trigger, then what the attacker wants."""
    return f"{text(split, number)[: 40 + number % 40].rsplit(' ', 1)[0]} {TRIGGER}{PAYLOAD}"


def text_of(split: str, number: int) -> str:
    """Return a text; those of the split ``trigger`` are held-out ones that end in trigger and payload."""
    return triggered("held_out", number) if split == "trigger" else text(split, number)
