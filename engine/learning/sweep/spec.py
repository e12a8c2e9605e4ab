"""What a byzantine sweep measures."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from engine.learning.config import RULES, Rule
from engine.learning.errors import LearnSettingError

AttackName = Literal["scale", "sign_flip", "noise", "label_flip", "alie", "backdoor", "overfit"]
Fraction = Annotated[float, Field(ge=0, le=0.5)]


class SweepSpec(BaseModel):
    """One sweep. Norms are not clipped by default: that would hide what the rules do by themselves."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    ATTACKS: ClassVar[tuple[str, ...]] = ("scale", "sign_flip", "noise", "label_flip", "alie", "backdoor", "overfit")
    RULES: ClassVar[tuple[str, ...]] = RULES

    trainers: Annotated[int, Field(ge=3, le=64)] = 13
    fractions: Annotated[tuple[Fraction, ...], Field(min_length=1, max_length=33)] = (
        0,
        0.08,
        0.16,
        0.24,
        0.31,
        0.39,
        0.5,
    )
    """Shares of bad trainers; of n trainers floor(share * n) are bad. The default: 0 to 6 of 13."""
    attacks: Annotated[tuple[AttackName, ...], Field(min_length=1)] = (
        "scale", "sign_flip", "noise", "label_flip", "alie", "backdoor",
    )  # fmt: skip
    rules: Annotated[tuple[Rule, ...], Field(min_length=1)] = RULES  # type: ignore[assignment]
    collude: bool = False
    """Whether all bad trainers publish the first one's delta: distance-based rules take it for a cluster."""
    gate_texts: Annotated[int, Field(ge=1, le=4096)] = 128
    clip_norm: Annotated[float, Field(gt=0, le=1e6)] = 1e6
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0

    @field_validator("fractions", "attacks", "rules")
    @classmethod
    def _once(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(values)) < len(values):
            raise ValueError("one of them comes twice")
        return values

    @classmethod
    def read(cls, document: object) -> SweepSpec:
        """Return the sweep in a document. Raises LearnSettingError naming each setting that is wrong."""
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            lines = [
                f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg'].removeprefix('Value error, ')}"
                for item in error.errors()
            ]
            raise LearnSettingError("The sweep cannot be used", "; ".join(lines[:8]), "Correct it.") from error

    def byzantine(self, fraction: float) -> int:
        """Return how many of the trainers are bad."""
        return int(fraction * self.trainers + 1e-9)

    @property
    def total(self) -> int:
        """How many cells there are."""
        return len(self.fractions) * len(self.attacks) * len(self.rules)
