"""A System's description: the custom section ``nets.system``, canonical JSON, validated strictly."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.core.hashing import canonical_json, parse_json
from engine.league.errors import SystemSpecError
from engine.league.wasm.reader import split_sections

SECTION: Final = "nets.system"
MAX_SECTION_BYTES: Final = 64 * 1024
MAX_SEATS: Final = 8
MAX_STEPS: Final = 1_000_000
_I64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
_Text = Annotated[str, Field(max_length=2000)]


class SystemSpec(BaseModel):
    """What a System says of itself. ``observation``, ``action`` and ``state`` tell views how to read the bytes."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    abi: Annotated[int, Field(ge=1, le=1)] = 1
    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
    version: Annotated[int, Field(ge=1, le=2**31)]
    title: Annotated[str, Field(min_length=1, max_length=100)]
    summary: _Text = ""
    seats: Annotated[int, Field(ge=1, le=MAX_SEATS)]
    max_steps: Annotated[int, Field(ge=1, le=MAX_STEPS)]
    score_min: _I64
    score_max: _I64
    score: _Text = ""
    observation: dict[str, Any]
    action: dict[str, Any]
    state: dict[str, Any]

    @model_validator(mode="after")
    def _scores_are_ordered(self) -> SystemSpec:
        if self.score_min > self.score_max:
            raise ValueError(f"score_min {self.score_min} is above score_max {self.score_max}")
        return self


def parse_spec(section: bytes) -> SystemSpec:
    """Return the description in a custom section's content. Raises SystemSpecError naming the field that is wrong."""
    if len(section) > MAX_SECTION_BYTES:
        raise _wrong(f"it has {len(section)} bytes, at most {MAX_SECTION_BYTES} are allowed")
    try:
        value = parse_json(section)
    except (ValueError, RecursionError) as error:
        raise _wrong(f"not JSON: {error}") from None
    try:
        if canonical_json(value) != section:
            raise _wrong("not in canonical form (sorted keys, no white space, UTF-8)")
        return SystemSpec.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(item) for item in first["loc"]) or "the whole"
        raise _wrong(f"{where}: {first['msg']}") from None
    except (TypeError, RecursionError, UnicodeEncodeError) as error:
        raise _wrong(str(error)) from None


def read_spec(module: bytes) -> SystemSpec:
    """Return the description in a module that the gate let in as a System. Raises SystemSpecError."""
    _, customs = split_sections(module)
    return parse_spec(b"".join(module[start:end] for title, start, end in customs if title == SECTION))


def _wrong(why: str) -> SystemSpecError:
    return SystemSpecError(f"The System's description ({SECTION}) is wrong", why)
