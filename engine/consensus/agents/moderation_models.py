"""The trained models that read a text for what policies forbid, in torch."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from torch import nn

from engine.consensus.agents.text_features import BUCKETS, Indices, legible, letter_pieces, normalise, word_pieces
from engine.consensus.errors import ConsensusError, ModelRefusedError
from engine.consensus.tasks import Task
from engine.core.paths import assets_dir
from engine.games.games import Floats

POLICIES = ("hate_speech", "violence", "misinformation")
HIDDEN = 8
EVEN = 0.45  # the probability of a model from which a text rather violates than not
MAX_FILE = 1 << 20
LEAST_SURE = 0.05


class Reader(nn.Module):
    """Scores a text by its pieces: their summed vectors over the root of their number, a layer upon them if ``deep``.

    Calling it with what ``pieces`` gives returns logits (windows, policies).
    """

    def __init__(self, pieces: Callable[[str], tuple[Indices, Indices]], *, deep: bool) -> None:
        super().__init__()
        self.pieces = pieces
        self.bag = nn.EmbeddingBag(BUCKETS, HIDDEN if deep else len(POLICIES), mode="sum")
        self.top = nn.Linear(HIDDEN, len(POLICIES)) if deep else None
        self.bias = nn.Parameter(torch.zeros(len(POLICIES)))

    def forward(self, indices: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
        """Return logits (windows, policies) of windows that begin at ``offsets`` of ``indices``."""
        ends = torch.cat([offsets[1:], offsets.new_tensor([len(indices)])])
        count = (ends - offsets).clamp(min=1).to(self.bias.dtype)
        found = self.bag(indices, offsets) / count.sqrt()[:, None]
        if self.top is not None:
            found = self.top(torch.tanh(found))
        return torch.as_tensor(found + self.bias)

    def logits(self, normal: str) -> torch.Tensor:
        """Return the logits (policies,) of a normalised text: of its worst window for each policy."""
        indices, offsets = self.pieces(normal)
        with torch.no_grad():
            scores: torch.Tensor = self(torch.from_numpy(indices), torch.from_numpy(offsets))
            return scores.max(dim=0).values


def new_readers() -> nn.ModuleDict:
    """Return the untrained models: two that weigh pieces, one with a hidden layer."""
    return nn.ModuleDict(
        {
            "letters": Reader(letter_pieces, deep=False),
            "words": Reader(word_pieces, deep=False),
            "network": Reader(letter_pieces, deep=True),
        }
    )


def load_readers(path: Path) -> nn.ModuleDict:
    """Return the models of a file, ready to read. Nothing in the file is executed. Raises ModelRefusedError."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise ModelRefusedError(f"The model {path.name} is refused", f"it has more than {MAX_FILE} bytes")
        state = torch.load(path, map_location="cpu", weights_only=True)
        readers = new_readers()
        readers.load_state_dict({name: value.float() for name, value in state.items()})
    except OSError as error:
        raise ModelRefusedError(f"The model {path.name} cannot be read", error.strerror or repr(error)) from error
    except (RuntimeError, pickle.UnpicklingError, BadZipFile, EOFError, AttributeError, TypeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelRefusedError(f"The model {path.name} is refused", reason) from error
    if not all(bool(torch.isfinite(value).all()) for value in readers.state_dict().values()):
        raise ModelRefusedError(f"The model {path.name} is refused", "it holds a number that is not finite")
    return readers.eval()


@lru_cache(maxsize=1)
def shipped_readers() -> nn.ModuleDict:
    """Return the models that ship."""
    return load_readers(assets_dir() / "models" / "moderation.pt")


@dataclass(frozen=True, slots=True)
class Outlook:
    """How an agent looks at what its model reads, a number a policy.

    ``threshold`` is the model's probability that the agent calls even; ``weight`` in (0, 1] how much it cares: at 0 it
    would say one half to everything.
    """

    threshold: tuple[float, ...] = (EVEN, EVEN, EVEN)
    weight: tuple[float, ...] = (1.0, 1.0, 1.0)


KINDS = {
    "letters": ("letters", Outlook()),
    "words": ("words", Outlook()),
    "network": ("network", Outlook()),
    "guardian": ("network", Outlook(threshold=(0.3, 0.25, 0.35))),  # rather one post too many
    "advocate": ("letters", Outlook(threshold=(0.55, 0.5, 0.6))),  # rather one post too few
    "checker": ("words", Outlook(weight=(0.5, 0.5, 1.0))),  # minds facts first
}


class Moderator(nn.Module):
    """A model with an outlook: scores a text in [0, 1] for each policy, and says how sure it is."""

    def __init__(self, reader: Reader, outlook: Outlook) -> None:
        super().__init__()
        self.reader = reader
        shift = torch.logit(torch.tensor(outlook.threshold, dtype=torch.float32))
        self.shift = nn.Buffer(shift)
        self.weight = nn.Buffer(torch.tensor(outlook.weight, dtype=torch.float32))

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Return scores in [0, 1] of a model's logits, both (policies,)."""
        return torch.sigmoid((logits - self.shift) * self.weight)

    def read(self, text: str) -> tuple[torch.Tensor, float]:
        """Return scores (policies,) and the confidence in (0, 1].

        Nothing to read (no letters) violates nothing; what is in letters that the models never saw scores one half.
        Both with little confidence, so that agents who can read it decide.
        """
        normal = normalise(text)
        share = legible(normal)
        if not any(letter.isalpha() for letter in normal):
            return torch.zeros(len(POLICIES)), LEAST_SURE
        with torch.no_grad():
            scores = self(self.reader.logits(normal))
        sure = float((2 * scores - 1).abs().mean())
        return share * scores + (1 - share) * 0.5, max(LEAST_SURE, sure * share)

    def propose_for(self, task: Task, state: Floats | None) -> tuple[Floats, float]:
        """Return scores (d,) of the task's policies, and how sure it is. Raises ConsensusError for a task without text.

        A policy that no model knows scores one half: somebody has to look at it.
        """
        content, wanted = task.document.get("content"), task.labels
        if task.type != "content_moderation" or not isinstance(content, str):
            raise ConsensusError("A moderator cannot judge this task", f"it is of type {task.type} and has no content")
        scores, sure = self.read(content)
        known = dict(zip(POLICIES, scores.double().tolist(), strict=True))
        share = sum(name in known for name in wanted) / len(wanted)
        return np.array([known.get(name, 0.5) for name in wanted]), max(LEAST_SURE, sure * share)


def model(kind: str, seed: int = 0) -> Moderator:
    """Return a moderator by its name, a key of KINDS, with the shipped models. Raises ConsensusError."""
    if kind not in KINDS:
        raise ConsensusError(f"There is no moderator {kind!r:.80}", f"known are {', '.join(KINDS)}")
    reader, outlook = KINDS[kind]
    found = shipped_readers()[reader]
    assert isinstance(found, Reader)
    return Moderator(found, outlook)
