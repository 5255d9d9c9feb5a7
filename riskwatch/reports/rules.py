"""``config/report.yaml`` as typed, frozen data: which sections, which outlines, what is too small to print."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from riskwatch.assessment.rulebase import Basis, Rule, Share, Text

__all__ = ["SECTIONS", "Outline", "PeriodRules", "ReportRules", "SmallNumbers"]

SectionName = Literal[
    "summary",
    "sources",
    "overall",
    "products",
    "industries",
    "regions",
    "systemic",
    "cases",
    "handling",
    "indicators",
    "outlook",
    "proposals",
    "appendix",
]
SECTIONS: tuple[SectionName, ...] = (
    "summary",
    "sources",
    "overall",
    "products",
    "industries",
    "regions",
    "systemic",
    "cases",
    "handling",
    "indicators",
    "outlook",
    "proposals",
    "appendix",
)


class SmallNumbers(Rule):
    """What is too small to be printed, or to be compared."""

    basis: Basis
    persons: int = Field(ge=2, description="counts of persons below this are printed as '<n' and left out of ratios")
    min_inspected: int = Field(
        ge=1, description="a rate on fewer samples is printed with its n and marked; it is not ranked and not coloured on a map"
    )
    estimate_min_cases: int = Field(ge=1, description="NEISS rule: no ratio of injuries on fewer cases than this")
    max_cv: Share = Field(description="NEISS rule: no ratio whose coefficient of variation is larger than this")


class Outline(Rule):
    """A GeoJSON file with the outlines of one level of regions."""

    level: str = Field(min_length=1, description="level of the region tree that the outlines show")
    path: str = Field(min_length=1, description="GeoJSON file; relative paths start at the project's folder")
    code: str = Field("adcode", min_length=1, description="property of a feature that holds the region's code")
    profiles: tuple[str, ...] = Field((), description="profiles in which the outlines apply; empty: all")


class PeriodRules(Rule):
    """Which sections a report of one kind of period has."""

    title: Text
    sections: tuple[SectionName, ...] = Field(min_length=1)


class ReportRules(Rule):
    """``config/report.yaml``."""

    version: str = Field(min_length=1)
    languages: tuple[Literal["zh", "en"], ...] = Field(("zh", "en"), min_length=1)
    formats: tuple[Literal["html", "pdf", "docx", "json"], ...] = Field(("html", "pdf", "docx", "json"), min_length=1)
    periods: dict[Literal["month", "quarter", "year"], PeriodRules]
    small: SmallNumbers
    interval: float = Field(0.95, gt=0, lt=1, description="coverage of the intervals that this report computes itself")
    q_value: float = Field(
        0.05, gt=0, lt=1, description="changes, trends and anomalies below this false-discovery rate are named in the text"
    )
    centres: tuple[str, ...] = Field(
        (), description="centres whose reports a pipeline's step report writes; empty: those whose jurisdiction lies within no other's"
    )
    rows: int = Field(12, ge=3, le=100, description="rows of a table in the body; the longer tables stand in the appendix")
    cases: int = Field(4, ge=0, le=20, description="typical cases that are told")
    plan_samples: int = Field(200, ge=1, le=100_000, description="samples that the advice on the next period's sampling hands out")
    map_note: Text = Field(description="stands under every map: what the map may be used for")
    outlines: tuple[Outline, ...] = ()

    @model_validator(mode="after")
    def _complete(self) -> ReportRules:
        missing = {"month", "quarter", "year"} - set(self.periods)
        if missing:
            raise ValueError(f"periods needs month, quarter and year; missing: {', '.join(sorted(missing))}")
        for kind, rules in self.periods.items():
            if len(set(rules.sections)) != len(rules.sections):
                raise ValueError(f"periods.{kind}.sections names a section twice")
        return self
