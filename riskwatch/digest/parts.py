"""The smallest parts of a digest: a text in both languages, a place, the base of all."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from riskwatch.digest.privacy import guarded_parts

__all__ = ["GradeLabel", "GradeName", "Part", "Place", "Text"]

GradeName = Literal["I", "II", "III", "IV", "WATCH", "NONE"]


class Part(BaseModel):
    """Base of every part of a digest: frozen, nothing unknown, and no text with an identifier in it (:func:`privacy.guarded`)."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="null")

    @field_validator("*", mode="after")
    @classmethod
    def _guard(cls, value: Any, info: ValidationInfo) -> Any:
        return guarded_parts(value, info.field_name or "")


class Text(Part):
    """A text in both languages."""

    zh: str
    en: str

    def of(self, language: str) -> str:
        """Return the text in ``language`` ("zh" or "en")."""
        return self.zh if language == "zh" else self.en


class Place(Part):
    """A region, and how it relates to the centre that reads."""

    code: str
    name: Text
    # "inside": within the jurisdiction; "wider": an ancestor of it, so the jurisdiction is one part of what is meant.
    relation: Literal["inside", "wider"]
    level: str = ""


class GradeLabel(Part):
    """What a level is called and the colour it is shown in (the label always goes with the colour)."""

    grade: GradeName
    name: Text
    colour: str
