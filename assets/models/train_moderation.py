"""Trains assets/models/moderation.pt: three small models that read texts for what moderation policies forbid.

    python assets/models/train_moderation.py [--out MODEL.pt]

Reads assets/corpus/moderation.tsv. A quarter of it, chosen by the hash of the text, is held out: the figures that are
printed come from it alone, beside those of a list of keywords. What is learnt is the rest, each text also with a letter
missing in its longest words, as people mask words, and sentences made of assets/corpus/phrases.toml. All texts are one
batch and everything is computed in double precision by one thread, so a second run gives the same model; it takes a few
seconds.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import re
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

ASSETS = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ASSETS.parent))

from engine.consensus.agents.moderation_models import EVEN, POLICIES, Reader, load_readers, new_readers  # noqa: E402
from engine.consensus.agents.text_features import normalise  # noqa: E402

HELD_OUT = 64  # of 256 values of the hash's first byte
STEPS, DECAY = 60, 2e-4
MADE_UP, EVERYDAY = 150, 5  # sentences for each policy, and so many times as many that are benign
BALANCE = 0.8  # how far the rarer label is weighed up: 1 would make both count alike
KEYWORDS = {
    "hate_speech": "hate vermin scum filth filthy dirty subhuman parasites rats animals inferior disgusting savages",
    "violence": "kill shoot stab burn bomb knife gun beat hang blood bullet throat murder die",
    "misinformation": "secret hoax cure proven hidden media truth fake lie insiders chip 5g rigged elites share",
}


@dataclass(frozen=True)
class Example:
    """A text and what it violates, 0 or 1 a policy."""

    text: str
    labels: tuple[float, ...]

    @property
    def held_out(self) -> bool:
        """Whether it is for evaluation only."""
        return hashlib.sha256(self.text.encode()).digest()[0] < HELD_OUT


@dataclass(frozen=True)
class Figures:
    """How well a policy is found."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """The harmonic mean of both."""
        return 2 * self.precision * self.recall / max(1e-9, self.precision + self.recall)


def read_corpus(path: Path = ASSETS / "corpus" / "moderation.tsv") -> list[Example]:
    """Return the corpus."""
    lines = path.read_text("utf-8").splitlines()[1:]
    rows = [line.split("\t", 1) for line in lines]
    return [Example(text, tuple(float(name in found.split("+")) for name in POLICIES)) for found, text in rows]


def masked(text: str, draw: random.Random) -> str:
    """Return the text with a letter missing inside each of its two longest words."""
    for word in sorted(text.split(), key=len)[-2:]:
        if len(word) > 3:
            at = draw.randrange(1, len(word) - 1)
            text = text.replace(word, word[:at] + word[at + 1 :], 1)
    return text


def made_up(count: int, draw: random.Random, path: Path = ASSETS / "corpus" / "phrases.toml") -> list[Example]:
    """Return sentences made of patterns: ``count`` for each policy, and EVERYDAY times as many that are benign."""
    phrases = tomllib.loads(path.read_text("utf-8"))

    def fill(pattern: str) -> str:
        return re.sub(r"{(\w+)}", lambda found: draw.choice(phrases["lists"][found[1]]), pattern)

    made = []
    for name, patterns in phrases["patterns"].items():
        labels = tuple(float(name == policy) for policy in POLICIES)
        times = count if name in POLICIES else count * EVERYDAY
        made += [Example(fill(patterns[at % len(patterns)]), labels) for at in range(times)]
    return made


def fit(reader: Reader, texts: list[str], wanted: torch.Tensor) -> None:
    """Fit a model: quasi-Newton steps on all texts at once, large weights held back."""
    pieces = [reader.pieces(normalise(text)) for text in texts]
    indices = torch.from_numpy(np.concatenate([found for found, _ in pieces]))
    offsets = torch.from_numpy(np.cumsum([0] + [len(found) for found, _ in pieces[:-1]]))
    weight = torch.where(wanted > 0, (1 - wanted.mean(dim=0)) / wanted.mean(dim=0), torch.ones_like(wanted)).pow(
        BALANCE
    )
    optimiser = torch.optim.LBFGS(reader.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        cost = nn.functional.binary_cross_entropy_with_logits(reader(indices, offsets), wanted, weight)
        cost = cost + DECAY * sum((value**2).sum() for value in reader.parameters()) / 2
        cost.backward()
        return cost

    optimiser.step(loss)


def train(out: Path) -> None:
    """Train and write the models."""
    torch.set_num_threads(1)
    torch.manual_seed(1)
    draw = random.Random(1)
    examples = [example for example in read_corpus() if not example.held_out]
    more = made_up(MADE_UP, draw)
    texts = [example.text for example in (*examples, *more)] + [masked(example.text, draw) for example in examples]
    wanted = torch.tensor([example.labels for example in (*examples, *more, *examples)], dtype=torch.float64)
    readers = new_readers().double()
    for name, reader in readers.items():
        scale = 0.1 if name == "network" else 0.0
        nn.init.normal_(reader.bag.weight, std=scale)
        fit(reader, texts, wanted)
    torch.save({name: value.half() for name, value in readers.state_dict().items()}, out)


def figures(found: np.ndarray, wanted: np.ndarray) -> dict[str, Figures]:
    """Return precision and recall of each policy; both arrays are (texts, policies) of truth values."""
    hits = (found & wanted).sum(axis=0)
    precision, recall = hits / np.maximum(1, found.sum(axis=0)), hits / wanted.sum(axis=0)
    return {name: Figures(float(precision[at]), float(recall[at])) for at, name in enumerate(POLICIES)}


def evaluate(path: Path, change: str = "none") -> dict[str, dict[str, Figures]]:
    """Return the figures of each model, their mean and the keywords, on held-out texts disguised by ``change``."""
    examples = [example for example in read_corpus() if example.held_out]
    wanted = np.array([example.labels for example in examples]) > 0
    texts = [DISGUISES[change](example.text) for example in examples]
    readers = load_readers(path)
    scores = {
        name: np.stack([torch.sigmoid(reader.logits(normalise(text))).numpy() for text in texts])
        for name, reader in readers.items()
    }
    scores["mean"] = np.mean(list(scores.values()), axis=0)
    words = [set(re.findall(r"\w+", text.lower())) for text in texts]
    listed = np.array([[bool(found & set(KEYWORDS[name].split())) for name in POLICIES] for found in words])
    return {name: figures(value > EVEN, wanted) for name, value in scores.items()} | {
        "keywords": figures(listed, wanted)
    }


DISGUISES = {
    "none": str,
    "upper case": str.upper,
    "leetspeak": lambda text: text.translate(str.maketrans("oieas", "013@$")),
    "homoglyphs": lambda text: text.translate(str.maketrans("aeopcyx", "\u0430\u0435\u043e\u0440\u0441\u0443\u0445")),
    "zero width": lambda text: "\u200b".join(text),
    "dots": lambda text: " ".join(".".join(word) for word in text.split()),
    "full width": lambda text: "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text),
    "stretched": lambda text: re.sub(r"([aeiou])", r"\1\1\1\1", text),
}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train the shipped moderation models.")
    parser.add_argument("--out", type=Path, default=ASSETS / "models" / "moderation.pt", help="where the models go")
    target = parser.parse_args().out
    train(target)
    for disguise in DISGUISES:
        for model, found in evaluate(target, disguise).items():
            text = "  ".join(f"{name} {one.precision:.2f}/{one.recall:.2f}/{one.f1:.2f}" for name, one in found.items())
            sys.stderr.write(f"{disguise:11} {model:9} {text}\n")
