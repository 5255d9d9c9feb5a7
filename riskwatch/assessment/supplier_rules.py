"""The block of ``config/grading.yaml`` that says when failing samples share a supplier."""

from __future__ import annotations

from pydantic import Field

from riskwatch.assessment.rulebase import Rule, Share

__all__ = ["SupplierRules"]


class SupplierRules(Rule):
    """When failures rest on the part or material of one supplier, and when that can be ruled out."""

    window_days: int = Field(180, ge=1, description="failed samples of so many days count, longer where the evidence reaches further back")
    usual_days: int = Field(730, ge=1, description="failures of so many days before them are the usual ones they are compared with")
    p_value: float = Field(0.05, gt=0, lt=1, description="one-sided, for all suppliers asked: below it one stands out")
    share: Share = Field(
        0.5, description="and explains at least this share of the unusual failures; none is shared only if none explains as much"
    )
    min_known: int = Field(
        8, ge=1, description="unusual failures, and usual ones, that must name a supplier before none is said to be shared"
    )
