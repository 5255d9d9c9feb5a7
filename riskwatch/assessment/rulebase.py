"""What the rule files have in common: frozen models, texts in two languages, the basis of a number, and the words allowed."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CONFIDENCES", "OBJECTS", "RISKS", "Basis", "Rule", "Text"]

Risk = Literal["L", "M", "H", "S"]
Confidence = Literal["C0", "C1", "C2", "C3"]
WarningLevel = Literal["I", "II", "III", "IV"]
LevelName = Literal["I", "II", "III", "IV", "WATCH", "NONE"]
Cell = Literal["I", "II", "III", "IV", "IV-review", "WATCH", "NONE"]
ScopeName = Literal["isolated", "regional", "industry-wide", "systemic"]
ActionObject = Literal["enterprise", "product", "industry", "region", "reporting"]
Stage = Literal["monitor", "verify", "assess", "approve", "handle", "recheck", "close", "evaluate"]
Unit = Literal["natural-day", "working-day", "hour", ""]
Share = Annotated[float, Field(ge=0, le=1)]

RISKS: tuple[Risk, ...] = ("L", "M", "H", "S")
CONFIDENCES: tuple[Confidence, ...] = ("C0", "C1", "C2", "C3")
OBJECTS: tuple[ActionObject, ...] = ("enterprise", "product", "industry", "region", "reporting")


class Rule(BaseModel):
    """Base: frozen, no unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Rule):
    """A text in both languages."""

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)


class Basis(Rule):
    """Where a number comes from, when it was last looked at, and whether its source was read."""

    source: str = Field(min_length=1, description="law, standard, paper or 'design proposal'")
    dated: dt.date
    verified: bool
