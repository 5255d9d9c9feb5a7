"""What the rule files of the assessment have in common: the words allowed, beside the base of all rule files."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from riskwatch.rulebase import Basis, Rule, Text

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
