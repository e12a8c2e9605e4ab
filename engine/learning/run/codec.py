"""Answers from outside as JSON and back: numbers, text, bytes, tuples, dataclasses of the ports, expected errors."""

from __future__ import annotations

import base64
import dataclasses
from hashlib import sha256
from typing import Any

from engine.core.errors import EngineError
from engine.learning import errors
from engine.learning.brain import Aggregated, Trained
from engine.learning.faults import Fault
from engine.learning.ports import Fetched, Record, Stored
from engine.learning.results import RawDelta

DATACLASSES: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Trained, Aggregated, RawDelta, Record, Stored, Fetched, Fault)
}
SHORT = 64  # bytes; longer ones are written once and named by their hash from then on


class Codec:
    """Encodes and decodes in the order of the record: long bytes are held in it once."""

    def __init__(self) -> None:
        self._written: set[str] = set()
        self._read: dict[str, bytes] = {}

    def encode(self, value: Any) -> Any:
        """Return the JSON form. Raises TypeError for what is no answer."""
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, bytes):
            return self._bytes(value)
        if isinstance(value, tuple):
            return [self.encode(item) for item in value]
        if isinstance(value, EngineError):
            return {"!": type(value).__name__, "parts": [value.what, value.why, value.next_step], "data": value.data}
        if type(value).__name__ in DATACLASSES:
            fields = {field.name: self.encode(getattr(value, field.name)) for field in dataclasses.fields(value)}
            return {"@": type(value).__name__, **fields}
        raise TypeError(f"{type(value).__name__} is no answer that a journal can hold")

    def _bytes(self, value: bytes) -> dict[str, str]:
        text = base64.b64encode(value).decode()
        if len(value) <= SHORT:
            return {"b": text}
        name = sha256(value).hexdigest()
        if name in self._written:
            return {"r": name}
        self._written.add(name)
        return {"b": text}

    def decode(self, value: Any) -> Any:
        """Return the value of a JSON form. Raises ValueError for any other."""
        if isinstance(value, list):
            return tuple(self.decode(item) for item in value)
        if not isinstance(value, dict):
            return value
        try:
            return self._object(value)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no answer has this form: {error}") from error

    def _object(self, value: dict[str, Any]) -> Any:
        if "r" in value:
            return self._read[value["r"]]
        if "b" in value:
            data = base64.b64decode(value["b"])
            if len(data) > SHORT:
                name = sha256(data).hexdigest()
                self._read[name] = data
                self._written.add(name)
            return data
        if "!" in value:
            return _error(value)
        fields = {key: self.decode(item) for key, item in value.items() if key != "@"}
        return DATACLASSES[value["@"]](**fields)


def _error(value: dict[str, Any]) -> EngineError:
    kind = getattr(errors, value["!"], EngineError)
    made: EngineError = kind.__new__(kind)
    EngineError.__init__(made, *value["parts"], **value["data"])
    for name in ("rule", "reason"):
        if name in value["data"]:
            setattr(made, name, value["data"][name])
    return made
