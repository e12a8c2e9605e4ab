"""A task while it is edited: its JSON, the form that suits its kind, what is wrong with it and where."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.consensus.tasks import MAX_BYTES, Task, read_task, task_of
from engine.core.errors import EngineError
from engine.core.hashing import parse_json
from engine.core.paths import assets_dir

KINDS = {
    "portfolio_allocation": "Portfolio allocation",
    "market_prediction": "Market prediction",
    "content_moderation": "Content moderation",
    "bridge_parameters": "Bridge parameters, on three chains",
    "custom": "Custom labels",
}
SPACES = (("simplex", "Shares that add up to 1"), ("box", "Each from 0 to 1"), ("real", "Any number"))
RISKS = (("conservative", "Conservative"), ("moderate", "Moderate"), ("aggressive", "Aggressive"))
YEARS = (("1_year", "1 year"), ("3_years", "3 years"), ("5_years", "5 years"), ("10_years", "10 years"))
HORIZONS = (("1_day", "1 day"), ("1_week", "1 week"), ("1_month", "1 month"))
CHAINS = ("ethereum", "polygon", "arbitrum")
FRESH: dict[str, dict[str, Any]] = {
    "portfolio_allocation": {
        "type": "portfolio_allocation",
        "parameters": {"total_amount": 1_000_000, "risk_tolerance": "moderate", "investment_horizon": "5_years"},
    },
    "market_prediction": {
        "type": "market_prediction",
        "data": {"prices": [100.0, 101.2, 100.7, 102.1, 103.0, 102.4, 103.8, 104.9]},
        "horizon": "1_day",
    },
    "content_moderation": {
        "type": "content_moderation",
        "content": "A sentence to judge.",
        "policies": ["hate_speech", "violence", "misinformation"],
    },
    "bridge_parameters": {"type": "bridge_parameters", "chains": list(CHAINS), "parameters": {}},
    "custom": {"type": "custom", "title": "Where to meet", "labels": ["north", "south"], "space": "box"},
}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a task, why, and in which line (0: no particular one)."""

    what: str = ""
    why: str = ""
    line: int = 0

    @property
    def text(self) -> str:
        """Both in a sentence."""
        place = f" (line {self.line})" if self.line else ""
        return f"{self.what}{place}: {self.why}." if self.why else f"{self.what}{place}."


@dataclass(frozen=True, slots=True)
class TaskField:
    """A field of a kind's form: where in the document its value lies, and how it reads.

    ``kind`` is number, choice, text (one line), area (several), words (a list) or series (numbers).
    """

    path: tuple[str, ...]
    title: str
    kind: str
    help: str = ""
    choices: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """A name for the form."""
        return ".".join(self.path)


TITLE = TaskField(("title",), "Title", "text", "For people; part of the hash")
FORMS: dict[str, tuple[TaskField, ...]] = {
    "portfolio_allocation": (
        TITLE,
        TaskField(("parameters", "total_amount"), "Amount", "number", "What is to be divided"),
        TaskField(("parameters", "risk_tolerance"), "Risk tolerance", "choice", "", RISKS),
        TaskField(("parameters", "investment_horizon"), "Horizon", "choice", "", YEARS),
    ),
    "market_prediction": (
        TITLE,
        TaskField(("horizon",), "Horizon", "choice", "How far ahead", HORIZONS),
        TaskField(("data", "series"), "Shipped series", "text", "Instead of numbers of your own"),
        TaskField(("data", "until"), "Up to", "text", "The last day that agents see: YYYY-MM-DD"),
        TaskField(("data", "prices"), "Prices", "series", "The oldest first"),
    ),
    "content_moderation": (
        TITLE,
        TaskField(("content",), "Content", "area", "What is judged"),
        TaskField(("policies",), "Policies", "words", "Each is a label: how much the content violates it"),
    ),
    "bridge_parameters": (
        TITLE,
        TaskField(("chains",), "Chains", "words", "The round runs on each of them"),
    ),
    "custom": (
        TITLE,
        TaskField(("labels",), "Labels", "words", "What the coordinates mean"),
        TaskField(("space",), "Space", "choice", "", SPACES),
    ),
}


def form_of(document: Mapping[str, Any] | None) -> tuple[TaskField, ...]:
    """Return the fields that suit a document: those of its kind, and its other plain values."""
    if document is None:
        return ()
    known = FORMS.get(str(document.get("type")), (TITLE,))
    if "data" in document:  # a market's prices are given, or named
        given = document["data"] if isinstance(document["data"], Mapping) else {}
        gone = ("series", "until") if "series" not in given else ("prices",)
        known = tuple(field for field in known if field.path[-1] not in gone)
    paths = {field.path for field in known}
    more = []
    for head in ("", "parameters"):
        part = document if not head else document.get(head)
        for name, value in part.items() if isinstance(part, Mapping) else ():
            path = (head, str(name)) if head else (str(name),)
            plain = isinstance(value, str | int | float) and not isinstance(value, bool)
            if plain and path not in paths and name != "type":
                kind = "text" if isinstance(value, str) else "number"
                more.append(TaskField(path, str(name).replace("_", " ").capitalize(), kind))
    return (*known, *more[:12])


def value_at(document: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """Return what lies at a place of a document, None where nothing does."""
    found: Any = document
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return None
        found = found[name]
    return found


def with_value(document: Mapping[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """Return the document with another value at a place; an empty title goes."""
    made: dict[str, Any] = copy.deepcopy(dict(document))
    part = made
    for name in path[:-1]:
        if not isinstance(part.get(name), dict):
            part[name] = {}
        part = part[name]
    if path == ("title",) and not value:
        part.pop("title", None)
    else:
        part[path[-1]] = value
    return made


def text_of(document: Mapping[str, Any]) -> str:
    """Return a document as people read it; short lists stay in a line."""
    return json.dumps(document, indent=2, ensure_ascii=False)


def read_text(text: str) -> tuple[Mapping[str, Any] | None, Task | None, Problem]:
    """Return what a text says: the document and the task as far as it is one, and what is wrong."""
    if len(text) > MAX_BYTES:
        return None, None, Problem("The task is too large", f"a task has at most {MAX_BYTES:,} bytes")
    try:
        document = parse_json(text, strict=True)
    except json.JSONDecodeError as error:
        return None, None, Problem("This is no JSON", f"{error.msg}, column {error.colno}", error.lineno)
    except (ValueError, RecursionError) as error:
        return None, None, Problem("This is no JSON", str(error), _line_of(text, str(error)))
    if not isinstance(document, dict):
        return None, None, Problem("This is no task", "a task is a JSON object: { … }")
    try:
        return document, task_of(document), Problem()
    except EngineError as error:
        return document, None, Problem(error.what.rstrip("."), error.why or error.next_step, _place(text, error.what))
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        return document, None, Problem("This is no task", f"{type(error).__name__}: {error}")


def shipped() -> tuple[tuple[str, str, Path], ...]:
    """Return the tasks that come along: key, title and file, kind by kind. A file that is no task is left out."""
    found, order = [], list(KINDS)
    for path in sorted((assets_dir() / "tasks").glob("*.json")):
        try:
            task = read_task(path)
        except EngineError:
            continue
        place = order.index(task.type) if task.type in order else len(order)
        found.append((place, path.stem, task.title, path))
    return tuple((key, title, path) for _, key, title, path in sorted(found))


def is_task_file(path: Path) -> bool:
    """Return whether a JSON file holds a task rather than a game: an object with a type."""
    try:
        with path.open("rb") as file:
            document = parse_json(file.read(MAX_BYTES + 1))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(document, dict) and isinstance(document.get("type"), str)


def _place(text: str, what: str) -> int:
    """Return the line of the first name that a sentence speaks of, 0 where it speaks of none."""
    words = [word.strip("'\".,") for word in what.split()]
    lines = text.splitlines()
    return next((at for word in words for at, line in enumerate(lines, 1) if f'"{word}"' in line and ":" in line), 0)


def _line_of(text: str, why: str) -> int:
    """Return the line of the second time that a doubled name stands there."""
    name = why.split("'")[1] if why.count("'") >= 2 else ""
    places = [at for at, line in enumerate(text.splitlines(), 1) if f'"{name}"' in line] if name else []
    return places[-1] if len(places) > 1 else 0
