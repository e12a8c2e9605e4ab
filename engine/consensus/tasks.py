"""Tasks: what agents are to agree on, as a JSON document with a hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.consensus.errors import ConsensusError
from engine.core.hashing import keccak, parse_json

SPACES = ("simplex", "box", "real")
MAX_BYTES = 1 << 20  # of a task's document


@dataclass(frozen=True, eq=False)
class Task:
    """A task. ``document`` is all of it; ``hash`` (32 bytes) its identity.

    Positions have one coordinate a label, in a ``space``: simplex (shares that add up to 1), box (each in [0, 1]) or
    real (any number of moderate size). ``chains`` names the chains of a cross-chain task.
    """

    type: str
    document: Mapping[str, Any]
    labels: tuple[str, ...]
    space: str
    hash: bytes
    chains: tuple[str, ...] = ()

    @property
    def dims(self) -> int:
        """How many coordinates a position has."""
        return len(self.labels)

    @property
    def title(self) -> str:
        """A name for people: the document's, else its type in words."""
        text = str(self.document.get("title") or self.type.replace("_", " "))
        return "".join(letter if letter.isprintable() else " " for letter in text)  # it is shown in terminals


def task_of(document: Mapping[str, Any]) -> Task:
    """Return the task that a document describes. Raises ConsensusError where it describes none."""
    from engine.consensus.task_kinds import describe

    text = canonical(document)
    kind = describe(document)
    return Task(str(document["type"]), document, kind.labels, kind.space, keccak(text), kind.chains)


def read_task(path: Path) -> Task:
    """Return the task in a JSON file. Raises ConsensusError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)  # not all of it: a device never ends
        document = parse_json(data.decode("utf-8-sig"), strict=True) if len(data) <= MAX_BYTES else None
    except OSError as error:
        raise ConsensusError(f"The task {path} cannot be read", error.strerror or repr(error)) from error
    except (ValueError, RecursionError) as error:
        raise ConsensusError(f"The task {path.name} is no JSON document", str(error)) from error
    if document is None:
        raise ConsensusError(f"The task {path.name} is too large", f"a task has at most {MAX_BYTES} bytes")
    if not isinstance(document, dict):
        raise ConsensusError(f"The task {path.name} is no JSON object", f"it is a {type(document).__name__}")
    return task_of(document)


def canonical(document: Mapping[str, Any]) -> bytes:
    """Return the document's one JSON text: keys sorted, no spaces, UTF-8. Raises ConsensusError for what is no JSON."""
    try:
        text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        data = text.encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise ConsensusError("The task cannot be written as JSON", str(error)) from error
    if len(data) > MAX_BYTES:
        raise ConsensusError("The task is too large", f"{len(data)} bytes; a task has at most {MAX_BYTES}")
    return data
