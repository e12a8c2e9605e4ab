"""A System's description: the custom section ``nets.system``, canonical JSON, validated strictly."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from engine.core.errors import UsageError
from engine.core.hashing import canonical_json, parse_json
from engine.league.errors import SystemSpecError
from engine.league.wasm.reader import split_sections

SECTION: Final = "nets.system"
MAX_SECTION_BYTES: Final = 64 * 1024
MAX_SEATS: Final = 8
MAX_STEPS: Final = 1_000_000
MAX_PARAMS: Final = 32
_I64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
_Text = Annotated[str, Field(max_length=2000)]


class ParamSpec(BaseModel):
    """A number that a league may set, such as a payoff: within ``min`` .. ``max``, ``default`` unless given."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    title: Annotated[str, Field(max_length=100)] = ""
    min: _I64
    max: _I64
    default: _I64

    @model_validator(mode="after")
    def _default_is_allowed(self) -> ParamSpec:
        if not self.min <= self.default <= self.max:
            raise ValueError(f"the default {self.default} is not between {self.min} and {self.max}")
        return self


class Preset(BaseModel):
    """A named choice of all parameters, such as one of the classic games."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    id: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
    title: Annotated[str, Field(min_length=1, max_length=100)]
    params: dict[str, _I64]


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
    params: Annotated[list[ParamSpec], Field(max_length=MAX_PARAMS)] = []
    presets: Annotated[list[Preset], Field(max_length=64)] = []
    observation: dict[str, Any]
    action: dict[str, Any]
    state: dict[str, Any]

    @model_validator(mode="after")
    def _scores_are_ordered(self) -> SystemSpec:
        if self.score_min > self.score_max:
            raise ValueError(f"score_min {self.score_min} is above score_max {self.score_max}")
        return self

    @model_validator(mode="after")
    def _presets_fit(self) -> SystemSpec:
        names = [param.name for param in self.params]
        if len(set(names)) != len(names) or len({preset.id for preset in self.presets}) != len(self.presets):
            raise ValueError("params or presets repeat a name")
        for preset in self.presets:
            try:
                complete = self.resolve(preset.params) == preset.params
            except UsageError as error:
                raise ValueError(f"preset {preset.id}: {error}") from None
            if not complete:
                raise ValueError(f"preset {preset.id} must give every parameter")
        return self

    def resolve(self, params: Mapping[str, int], preset: str = "") -> dict[str, int]:
        """Return every parameter's value: the default, over it the preset's, over it what ``params`` gives.

        Raises UsageError for an unknown name or preset, or a value out of range.
        """
        values = {param.name: param.default for param in self.params}
        values.update(self._preset(preset) if preset else {})
        for name, value in params.items():
            if name not in values:
                known = ", ".join(values) or "none"
                raise UsageError(f"{self.title} has no parameter {name!r}", f"known are: {known}")
            values[name] = value
        for param in self.params:
            if not param.min <= values[param.name] <= param.max:
                why = f"{values[param.name]} is not between {param.min} and {param.max}"
                raise UsageError(f"The parameter {param.name} is out of range", why)
        return values

    def _preset(self, preset: str) -> dict[str, int]:
        found = next((item for item in self.presets if item.id == preset), None)
        if found is None:
            known = ", ".join(item.id for item in self.presets) or "none"
            raise UsageError(f"{self.title} has no preset {preset!r}", f"known are: {known}")
        return found.params


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
