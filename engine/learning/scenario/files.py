"""Scenarios as TOML files, read strictly: a name that means nothing is an error, never ignored."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from engine.learning.errors import LearnSettingError
from engine.learning.faults import Fault
from engine.learning.run.behaviour import check_fault
from engine.learning.scenario.checks import read
from engine.learning.scenario.model import Scenario

NAMES = {"name", "title", "sentence", "settings", "faults", "deposits", "expects"}
FAULT = {"slot": int, "kind": str, "targets": list, "until": int, "count": int}
LIMIT = 1 << 20  # bytes


def load(path: Path) -> Scenario:
    """Return the scenario in a file. Raises LearnSettingError that says what is wrong, and where."""
    try:
        size = path.stat().st_size
        if not path.is_file():  # a pipe or a device may never end
            raise LearnSettingError(f"{path.name} cannot be read", "it is no file", "Check the path.")
        if size > LIMIT:
            raise LearnSettingError(f"{path.name} cannot be read", f"it is larger than {LIMIT:,} bytes")
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise LearnSettingError(f"{path.name} cannot be read", str(error.strerror), "Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise LearnSettingError(f"{path.name} is no TOML", str(error), "Correct it.") from error
    try:
        return _scenario(document, path.stem)
    except LearnSettingError as error:
        why = error.what + (f": {error.why}" if error.why else "")
        raise LearnSettingError(f"{path.name} cannot be used", why, error.next_step or "Correct it.") from error


def _scenario(document: dict[str, Any], stem: str) -> Scenario:
    unknown = sorted(set(document) - NAMES)
    if unknown:
        raise LearnSettingError(f"there is no {unknown[0]!r}", f"there are {', '.join(sorted(NAMES))}")
    texts = {name: document.get(name, stem) for name in ("name", "title", "sentence")}
    for name, text in texts.items():
        _demand(isinstance(text, str) and len(text) <= 500, name, "a text of at most 500 characters")
    settings, faults = document.get("settings", {}), document.get("faults", [])
    deposits, expects = document.get("deposits", []), document.get("expects", [])
    _demand(isinstance(settings, dict), "settings", "a table")
    _demand(isinstance(faults, list) and len(faults) <= 1000, "faults", "an array of tables")
    _demand(isinstance(deposits, list) and all(_is_number(slot) for slot in deposits), "deposits", "numbers of slots")
    _demand(isinstance(expects, list) and all(isinstance(line, str) for line in expects), "expects", "texts")
    for line in expects:
        read(line)
    found = Scenario(
        **texts,
        settings=settings,
        faults=tuple(_fault(fault, number) for number, fault in enumerate(faults)),
        deposits=tuple(deposits),
        expects=tuple(expects),
    )
    config = found.config()
    for fault in found.faults:
        check_fault(fault, config, config.validators)
    return found


def _fault(document: Any, number: int) -> Fault:
    where = f"faults[{number}]"
    _demand(isinstance(document, dict), where, "a table")
    unknown = sorted(set(document) - set(FAULT))
    if unknown:
        raise LearnSettingError(f"{where} has no {unknown[0]!r}", f"it has {', '.join(FAULT)}")
    for name, value in document.items():
        fits = _is_number(value) if FAULT[name] is int else isinstance(value, FAULT[name])
        _demand(fits, f"{where}.{name}", {int: "a number from 0", str: "a text", list: "an array"}[FAULT[name]])
    _demand("slot" in document and "kind" in document, where, "a table with slot and kind")
    targets = document.get("targets", [])
    _demand(all(_is_number(target) for target in targets), f"{where}.targets", "numbers from 0")
    return Fault(**{**document, "targets": tuple(targets)})


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31


def _demand(fits: bool, name: str, wanted: str) -> None:
    if not fits:
        raise LearnSettingError(f"{name} is {wanted}")


def dump(scenario: Scenario) -> str:
    """Return a scenario as TOML; :func:`load` reads the same again."""
    lines = [f"{name} = {_toml(getattr(scenario, name))}" for name in ("name", "title", "sentence")]
    lines += [f"{name} = {_toml(list(getattr(scenario, name)))}" for name in ("deposits", "expects")]
    lines += ["", "[settings]", *(f"{name} = {_toml(value)}" for name, value in scenario.settings.items())]
    for fault in scenario.faults:
        lines += ["", "[[faults]]", f"slot = {fault.slot}", f"kind = {_toml(fault.kind)}"]
        lines += [f"targets = {_toml(list(fault.targets))}"] if fault.targets else []
        lines += [f"until = {fault.until}"] if fault.until is not None else []
        lines += [f"count = {fault.count}"] if fault.count else []
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """Return a value of a scenario as TOML: JSON's texts, numbers, truth values and arrays are TOML's as well."""
    return json.dumps(value)
