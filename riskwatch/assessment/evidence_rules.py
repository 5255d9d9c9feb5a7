"""Rules of the evidence in ``config/grading.yaml``: false discoveries, and what links signals and cases."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from riskwatch.assessment.rulebase import Basis, Rule, Share

__all__ = ["Discovery", "FamilyLevel", "Linking", "Looks"]

FamilyLevel = Literal["branch", "model", "subject", "place"]


class Looks(Rule):
    """How the error of a test is spent over the days on which the same series and period is judged again."""

    first: float = Field(gt=0, le=1, description="share of the first look; every further look takes half of what is left")
    retrospect: int = Field(
        ge=1, description="series with more judged periods than this in one run are read once, in retrospect: no spending"
    )


class Discovery(Rule):
    """How false discoveries are controlled over the tests of a run."""

    basis: Basis
    families: tuple[FamilyLevel, ...] = Field(
        description="nested families, coarse to fine: branch (top of the product or industry tree), model, subject (code), place (region at"
        " scope.spread_level); empty: Benjamini-Hochberg over all tests"
    )
    looks: Looks
    shared_by: Literal["tests", "levels"] = Field(
        default="tests",
        description="what shares a model's error equally: its tests, or the levels of the region tree (the whole, prefectures, counties)"
        " and on each level its tests; a level of one region is the whole",
    )


class Linking(Rule):
    """What makes two sources independent, and concerns related."""

    basis: Basis
    hazard_share: Share = Field(
        description="a hazard class with at least this share of a source's cases of known class is one of its hazards"
    )
    case_days: int = Field(ge=0, description="records of two sources at most so many days apart may be one case")
    case_age: float = Field(ge=0, description="years by which stated ages of one case may differ")
    case_streams: tuple[str, ...] = Field(description="streams whose records are cases of persons: one person may be in several")
    related_concerns: int = Field(ge=2, description="so many concerns with one cause are cross-referenced")
