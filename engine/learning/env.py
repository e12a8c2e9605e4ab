"""The specification's ``.env`` file: seed, quorum, model and ports by their names there."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from engine.learning.config import DEFAULT_SEED, LearnConfig
from engine.learning.crypto.keys import seed_bytes
from engine.learning.errors import LearnSettingError

MAX_FILE = 65_536  # bytes
MAX_PORT = 65_535
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?|\[?[0-9a-fA-F:]{2,45}\]?")


@dataclass(frozen=True, slots=True)
class Ports:
    """Ports by the specification's names; 0 (``auto`` in a file) takes a free one.

    ``opened`` are listened on here; the rest belong to programs that the chain does without, and are only kept.
    """

    dht: int = field(default=13337, metadata={"name": "DHT_PORT", "opened": True})
    geth_http: int = field(default=8545, metadata={"name": "GETH_HTTP_PORT", "opened": True})
    geth_p2p: int = field(default=30303, metadata={"name": "GETH_P2P_PORT"})
    geth_auth: int = field(default=8551, metadata={"name": "GETH_AUTH_PORT"})
    prysm_grpc: int = field(default=4000, metadata={"name": "PRYSM_GRPC_PORT"})
    prysm_rest: int = field(default=3500, metadata={"name": "PRYSM_REST_PORT", "opened": True})
    prysm_p2p: int = field(default=13000, metadata={"name": "PRYSM_P2P_PORT"})
    ai_engine: int = field(default=8552, metadata={"name": "AI_ENGINE_PORT", "opened": True})
    slasher: int = field(default=4003, metadata={"name": "SLASHER_PORT"})

    @classmethod
    def of(cls, ports: Mapping[str, int]) -> Ports:
        """Return ports by their names, here or in the ``.env``; the rest are usual. Raises LearnSettingError."""
        names = {one.name: one.metadata["name"] for one in fields(cls)}
        found = read({names.get(name, name): str(port) if port else "auto" for name, port in ports.items()})
        if unknown := set(ports) - set(names) - set(names.values()):
            raise LearnSettingError(
                f"There is no port {min(unknown)!r}", "", f"There are: {', '.join(names.values())}."
            )
        return found.ports

    @classmethod
    def automatic(cls) -> Ports:
        """Return free ports for all that is opened: for a second run, or for tests."""
        return cls(**{one.name: 0 for one in fields(cls) if one.metadata.get("opened")})


_PORTS: dict[str, str] = {one.metadata["name"]: one.name for one in fields(Ports)}
OPENED: tuple[str, ...] = tuple(one.metadata["name"] for one in fields(Ports) if one.metadata.get("opened"))
NAMES: tuple[str, ...] = ("GENESIS_SEED", "GENESIS_HOST", "AI_QUORUM", "MODEL_NAME", *_PORTS)


@dataclass(frozen=True, slots=True)
class PolEnvironment:
    """What a file says. ``given`` are the names that it sets, ``notes`` what the operator is to be told of it."""

    genesis_seed: str = DEFAULT_SEED
    genesis_host: str = "localhost"
    quorum: str = "spec"  # AI_QUORUM: ``auto`` is the specification's ceil(n/2)
    model: str = "auto"  # MODEL_NAME
    ports: Ports = Ports()
    given: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def settings(self) -> dict[str, Any]:
        """Return the settings of a run that the file gives."""
        values = {
            "GENESIS_SEED": ("genesis_seed", self.genesis_seed),
            "AI_QUORUM": ("quorum", self.quorum),
            "MODEL_NAME": ("model", self.model),
        }
        return dict(values[name] for name in self.given if name in values)

    def apply(self, config: LearnConfig) -> LearnConfig:
        """Return a configuration with the file's settings. Raises LearnSettingError, as for too high a quorum."""
        return config.changed(**self.settings())


def read(source: Path | Mapping[str, str]) -> PolEnvironment:
    """Return what a ``.env`` file, or a mapping of its names, says.

    Raises LearnSettingError that names the file, the line, what is wrong with it and what to do, for every bad line.
    """
    if isinstance(source, Mapping):
        return _collect("the environment", [(name, name, value) for name, value in source.items()])
    lines = []
    for number, line in enumerate(_text(source).split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            lines.append((f"{source.name}, line {number}", *_assignment(line.strip())))
    return _collect(source.name, lines)


def _text(path: Path) -> str:
    """Return a file's text. Raises LearnSettingError for what is no readable text of a sensible size."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)  # not all of it: a device never ends
    except OSError as error:
        why = error.strerror or repr(error)
        raise LearnSettingError(f"{path} cannot be read", why, "Name a .env file of the specification.") from error
    if len(data) > MAX_FILE:
        raise LearnSettingError(f"{path} is too large", f"it may have {MAX_FILE} bytes", "Is it a .env file?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise LearnSettingError(
            f"{path.name}, line {line} cannot be read", "it is not UTF-8", "Save the file as UTF-8."
        ) from error
    if "\x00" in text:
        raise LearnSettingError(f"{path.name} is no text", "it holds zero bytes", "Save it as UTF-8, not as UTF-16.")
    return text


def _assignment(line: str) -> tuple[str, str]:
    """Return the name and the value of a line; no name, and what is wrong with it, for a line that has none."""
    matched = _LINE.fullmatch(line)
    if matched is None:
        return "", f"{_short(line)} is no NAME=VALUE; put a # before a comment"
    name, rest = matched[1], matched[2]
    if rest[:1] in ("'", '"'):
        end = rest.find(rest[0], 1)
        if end < 0:
            return "", f"the quote of {name} does not end; close it"
        after = rest[end + 1 :].strip()
        if after and not after.startswith("#"):
            return "", f"{_short(after)} follows the value of {name}; remove it"
        return name, rest[1:end]
    return name, re.split(r"(?:^|\s)#", rest, maxsplit=1)[0].strip()


def _collect(where: str, lines: list[tuple[str, str, str]]) -> PolEnvironment:
    problems: list[str] = []
    values: dict[str, Any] = {}
    ports: dict[str, int] = {}
    notes: list[str] = []
    places: dict[str, str] = {}
    for place, name, text in lines:
        try:
            if not name:
                raise ValueError(text)
            if name in places:
                raise ValueError(f"{name} was already set in {places[name].rpartition(', ')[2]}; keep one of them")
            if name not in NAMES:
                notes.append(_unknown(place, name))
                continue
            places[name] = place
            if name in _PORTS:
                ports[_PORTS[name]] = _port(name, text)
            else:
                values[_FIELDS[name][0]] = _FIELDS[name][1](text)
        except ValueError as error:
            problems.append(f"{place}: {error}")
    made = Ports(**ports)
    problems.extend(_shared(made, places))
    if problems:
        raise LearnSettingError(
            f"The settings in {where} cannot be used",
            "; ".join(problems[:8]) + ("; and more" if len(problems) > 8 else ""),
            "Correct these lines.",
            problems=problems,
        )
    notes.extend(_kept(values, places))
    return PolEnvironment(**values, ports=made, given=tuple(places), notes=tuple(notes))


def _seed(text: str) -> str:
    try:
        seed_bytes(text)
    except LearnSettingError as error:
        raise ValueError(f"GENESIS_SEED: {error.why}; make one with: openssl rand -hex 32") from error
    return text.lower()


def _host(text: str) -> str:
    if not _HOST.fullmatch(text):
        raise ValueError(f"GENESIS_HOST is no name or address of a host: {_short(text)}; give one like localhost")
    return text


def _quorum(text: str) -> str:
    if text in ("auto", "spec", "bft"):
        return "spec" if text == "auto" else text
    if not re.fullmatch(r"[1-9][0-9]{0,3}", text):
        raise ValueError(f"AI_QUORUM is auto, bft or a number from 1 to 9999, got {_short(text)}; correct it")
    return text


def _model(text: str) -> str:
    if not text or len(text) > 4096 or not text.isprintable():
        raise ValueError("MODEL_NAME is the name or the folder of a model; give one, or remove the line")
    return text


_FIELDS = {
    "GENESIS_SEED": ("genesis_seed", _seed),
    "GENESIS_HOST": ("genesis_host", _host),
    "AI_QUORUM": ("quorum", _quorum),
    "MODEL_NAME": ("model", _model),
}


def _port(name: str, text: str) -> int:
    if text == "auto" and name in OPENED:
        return 0
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 1 <= int(text) <= MAX_PORT:
        also = " or auto" if name in OPENED else ""
        raise ValueError(f"{name} is a port from 1 to {MAX_PORT}{also}, got {_short(text)}; correct it")
    return int(text)


def _shared(ports: Ports, places: Mapping[str, str]) -> Iterator[str]:
    """Yield a problem for each port that two names have; a default that another name took counts too."""
    taken: dict[int, str] = {}
    for name, attribute in _PORTS.items():
        port = getattr(ports, attribute)
        if port and port in taken:
            first = taken[port]
            later = places.get(name) or places.get(first) or ""
            how = "" if name in places and first in places else " (one of them by default)"
            yield f"{later}: {first} and {name} are both {port}{how}; give one of them another port"
        taken.setdefault(port, name)


def _unknown(place: str, name: str) -> str:
    near = difflib.get_close_matches(name.upper(), NAMES, n=1, cutoff=0.75)
    guess = f" Did you mean {near[0]}?" if near else ""
    return f"{place}: {name[:80]} is not a setting of the learning chain and is not used.{guess}"


def _kept(values: Mapping[str, Any], places: Mapping[str, str]) -> Iterator[str]:
    """Yield what is read and kept, and does nothing here."""
    for name in _PORTS:
        if name in places and name not in OPENED:
            yield f"{places[name]}: {name} is kept, but nothing listens there: that part runs inside this program."
    if values.get("genesis_host", "localhost") not in ("localhost", "127.0.0.1", "::1"):
        yield f"{places['GENESIS_HOST']}: GENESIS_HOST is kept, but not asked: all peers run on this machine."


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
