"""A match bundle (``.nets``): everything that anyone needs to verify one match, in one file.

Entries: ``manifest.json`` (the committed header, number of steps, trace root, an optional claim), ``system.wasm`` and
``agents/N.wasm`` (as submitted), ``trace.bin``, ``commitment`` (hex).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.core.files import write_atomically
from engine.core.hashing import canonical_json, parse_json
from engine.league.archive import pack, unpack
from engine.league.config import MAX_BUDGET
from engine.league.engines import MAX_TRACE_BYTES
from engine.league.errors import BundleError, LeagueError
from engine.league.gate.limits import MAX_FILE_BYTES
from engine.league.match import MatchRequest, MatchResult, Outcome, match_commitment
from engine.league.system import MAX_SEATS
from engine.league.trace import Trace

SUFFIX: Final = ".nets"
MAX_BUNDLE_BYTES: Final = 512 * 1024 * 1024
MAX_MANIFEST_BYTES: Final = 1024 * 1024
_AGENT_NAME: Final = re.compile(r"agents/([0-7])\.wasm")
_LIMITS: Final = {
    "manifest.json": MAX_MANIFEST_BYTES,
    "system.wasm": MAX_FILE_BYTES,
    "trace.bin": MAX_TRACE_BYTES,
    "commitment": 64,
}
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
_I64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]


class MatchHeader(BaseModel):
    """What a commitment binds beside the trace; the JSON form is :func:`engine.league.match.match_header`'s."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    abi: Literal[1]
    gate: Annotated[str, Field(max_length=16)]
    system: _Hash
    params: dict[str, int]
    seed: Annotated[int, Field(ge=0, lt=2**64)]
    budget: Annotated[int, Field(ge=1, le=MAX_BUDGET)]
    agents: Annotated[list[_Hash], Field(min_length=1, max_length=MAX_SEATS)]
    outcome: Literal["FINISHED", "LOSS", "VOID"]
    cause: Annotated[str, Field(max_length=64)] | None
    seat: Annotated[int, Field(ge=0, lt=MAX_SEATS)] | None
    scores: Annotated[list[_I64], Field(max_length=MAX_SEATS)]


class _Manifest(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: Literal["nets"]
    version: Literal[1]
    match: MatchHeader
    steps: Annotated[int, Field(ge=0, lt=2**32)]
    trace_root: _Hash
    claim: dict[str, Any] | None = None


@dataclass(frozen=True)
class Bundle:
    """A bundle's content. ``system`` and ``agents`` are the files as submitted; ``claim`` is JSON of its poster."""

    match: MatchHeader
    system: bytes
    agents: tuple[bytes, ...]
    trace: bytes
    steps: int
    trace_root: bytes
    commitment: bytes
    claim: dict[str, Any] | None = None

    @cached_property
    def header(self) -> bytes:
        """The canonical JSON that the commitment binds."""
        return canonical_json(self.match.model_dump())

    @cached_property
    def records(self) -> Trace:
        """The trace, step by step."""
        return Trace(self.trace, len(self.agents))

    @classmethod
    def of(
        cls,
        request: MatchRequest,
        result: MatchResult,
        system: bytes,
        agents: tuple[bytes, ...],
        claim: dict[str, Any] | None = None,
    ) -> Bundle:
        """Return the bundle of a played match with the files as submitted. Raises LeagueError where they do not fit."""
        if result.trace is None or result.trace_root is None or result.header is None or result.commitment is None:
            raise LeagueError("The match left nothing to bundle", f"it was not traced, or it ended {result.outcome}")
        match = MatchHeader.model_validate_json(result.header)
        hashes = [sha256(file).hexdigest() for file in (system, *agents)]
        if hashes != [match.system, *match.agents]:
            raise LeagueError("The files given are not those that played", "their hashes differ")
        bundle = cls(match, system, agents, result.trace, result.steps, result.trace_root, result.commitment, claim)
        assert bundle.header == result.header
        return bundle

    def encode(self) -> bytes:
        """Return the file's bytes; the same content gives the same bytes."""
        manifest: dict[str, Any] = {
            "format": "nets",
            "version": 1,
            "match": self.match.model_dump(),
            "steps": self.steps,
            "trace_root": self.trace_root.hex(),
        }
        if self.claim is not None:
            manifest["claim"] = self.claim
        entries = [("manifest.json", canonical_json(manifest)), ("system.wasm", self.system)]
        entries += [(f"agents/{seat}.wasm", agent) for seat, agent in enumerate(self.agents)]
        entries += [("trace.bin", self.trace), ("commitment", self.commitment.hex().encode())]
        return pack(entries)

    @classmethod
    def decode(cls, data: bytes, *, bound: bool = True) -> Bundle:
        """Return the bundle in a file's bytes. Raises BundleError or TraceError naming what is wrong.

        What is checked here: the container, the manifest's form, module hashes, the trace's structure, and, unless
        ``bound`` is False, that the commitment binds the manifest. Whether the match went so is for
        :mod:`engine.league.verify`.
        """
        entries = unpack(data, _limit)
        manifest = _read_manifest(entries.get("manifest.json", b""))
        match = manifest.match
        agent_names = [f"agents/{seat}.wasm" for seat in range(len(match.agents))]
        expected = ["manifest.json", "system.wasm", *agent_names, "trace.bin", "commitment"]
        if list(entries) != expected:
            raise _refuse(f"it holds {', '.join(entries)}; expected {', '.join(expected)}")
        for name, digest in zip(["system.wasm", *agent_names], [match.system, *match.agents], strict=True):
            if sha256(entries[name]).hexdigest() != digest:
                raise _refuse(f"{name} is not the module that the manifest names ({digest[:16]}...)")
        bundle = cls(
            match,
            entries["system.wasm"],
            tuple(entries[name] for name in agent_names),
            entries["trace.bin"],
            manifest.steps,
            bytes.fromhex(manifest.trace_root),
            _read_commitment(entries["commitment"]),
            manifest.claim,
        )
        if bound:
            bundle._check_commitment()
        return bundle

    def _check_commitment(self) -> None:
        if len(self.records) != self.steps:
            raise _refuse(f"the manifest claims {self.steps} steps, the trace has {len(self.records)}")
        if match_commitment(self.header, self.trace_root, self.steps) != self.commitment:
            raise _refuse("its commitment does not bind its manifest")

    def outcome(self) -> Outcome:
        """Return how the match ended."""
        return Outcome(self.match.outcome)


def write_bundle(path: Path, bundle: Bundle) -> None:
    """Write the file so that a reader sees all of it or none. Raises LeagueError when the disk refuses."""
    try:
        write_atomically(path, bundle.encode(), mode=0o644)
    except OSError as error:
        raise LeagueError(f"The bundle {path.name} cannot be written", error.strerror or str(error)) from error


def read_bundle(path: Path, *, bound: bool = True) -> Bundle:
    """Read a file, see :meth:`Bundle.decode`. Raises BundleError naming the file and what is wrong with it."""
    try:
        if not path.is_file():
            raise _named(path, "there is no such file" if not path.exists() else "it is not a regular file")
        size = path.stat().st_size
        if size > MAX_BUNDLE_BYTES:
            raise _named(path, f"it has {size} bytes, at most {MAX_BUNDLE_BYTES} are allowed")
        with path.open("rb") as file:
            data = file.read(MAX_BUNDLE_BYTES + 1)
    except OSError as error:
        raise _named(path, error.strerror or str(error)) from error
    try:
        return Bundle.decode(data, bound=bound)
    except BundleError as error:
        raise _named(path, error.why) from error


def _limit(name: str) -> int | None:
    return MAX_FILE_BYTES if _AGENT_NAME.fullmatch(name) else _LIMITS.get(name)


def _read_manifest(raw: bytes) -> _Manifest:
    try:
        value = parse_json(raw)
        if canonical_json(value) != raw:
            raise _refuse("manifest.json is not in canonical form")
        return _Manifest.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(item) for item in first["loc"]) or "the whole"
        raise _refuse(f"manifest.json: {where}: {first['msg']}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise _refuse(f"manifest.json is not readable: {error}") from None


def _read_commitment(raw: bytes) -> bytes:
    if not re.fullmatch(rb"[0-9a-f]{64}", raw):
        raise _refuse("the entry commitment is not a hash")
    return bytes.fromhex(raw.decode())


def _refuse(why: str) -> BundleError:
    return BundleError("The bundle cannot be read", why)


def _named(path: Path, why: str) -> BundleError:
    return BundleError(f"The bundle {path.name} cannot be read", why, path=str(path))
